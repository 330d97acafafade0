//! What people do while a node stops somewhere: they persist as real clients do, or they leave and never come back.

mod buying;
mod ending;
mod giving;
mod hosting;
mod odd_money;
pub mod waiting;

use serde_json::{Value, json};

use super::stage::{Stage, eventually};
use crate::stand::{NodeSettings, Person};

pub const CARD: &str = "pm_card_visa";
const BAD_CARD: &str = "pm_card_chargeDeclined";
/// What one seat costs.
pub const PRICE: i64 = 4800;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Story {
    /// Holds, checks out, pays and has the seat.
    BuysASeat,
    /// Stops answering at the first trouble, and never pays. Somebody else gets the seat.
    WalksAway,
    /// The card is declined. Somebody else gets the seat.
    IsDeclined,
    /// Calls an unpaid order off. Somebody else gets the seat.
    CallsOffUnpaid,
    /// Calls a paid order off and gets the money back. Somebody else gets the seat.
    CallsItOff,
    /// Asks for that once, and does not come back.
    CallsItOffAndLeaves,
    /// Pays an order that has ended here and not at Stripe; nobody has the seat.
    PaysTooLate,
    /// The same, while somebody else holds the seat: they keep it, and the money goes back.
    PaysTooLateForAHeldSeat,
    /// The organiser calls the event off: what was paid goes back, what was not cannot be.
    HouseCancels,
    /// A sold-out seat comes back, and the first in line gets it.
    WaitsForASeat,
    /// The first in line does not answer, so the second gets it.
    LetsAnOfferLapse,
    /// The only one in line does not answer, so the seat is everybody's.
    LetsTheLastOfferLapse,
    /// An organiser opens a sale, and somebody buys.
    OpensASale,
    /// The organiser asks for it once, and does not come back.
    OpensASaleAndLeaves,
    /// The picture in Redis is lost with a seat sold and one at checkout.
    RebuildsThePicture,
    /// The organiser moves a ticket to another seat.
    MovesATicket,
    /// The organiser asks for it once, and does not come back.
    MovesATicketAndLeaves,
    /// The organiser takes a seat out of the sale and puts it back. Somebody gets it.
    BlocksASeat,
    /// The same, asking once for each and never coming back.
    BlocksASeatAndLeaves,
    /// The organiser gives a guest one seat that was kept and one that is free.
    GivesSeats,
    /// The organiser gives a part of a price back.
    GivesAPartBack,
    /// A payment is under way at a bank when the time to pay is over.
    ABankTakesItsTime,
    /// An order closes whose payment Stripe has opened and nobody has heard of.
    EndsUnheard,
    /// An order ends while Stripe opens its payment.
    EndsWhileStripeThinks,
    /// Stripe has opened two payments for an order, and one is a stray.
    LeavesAStrayDoor,
    /// Money came and went back before anybody here had heard of it.
    IsGivenBackAtStripe,
    /// Money comes for an order that nobody has.
    IsNobodysMoney,
    /// Redis has granted a seat that Postgres keeps from the sale.
    IsRefusedAtCheckout,
    /// The first in line says no, so the second gets the seat.
    DeclinesAnOffer,
    /// The first in line leaves while the seat is being written down as theirs.
    LeavesWhileAsked,
    /// The first in line has as many seats as anybody may have.
    IsPassedOver,
    /// The organiser calls the event off while somebody waits.
    WaitsInVain,
}

/// How a story ends, whatever broke on its way.
#[derive(Debug, Default)]
pub struct Ending {
    pub event: Value,
    /// Every seat that is not free, and how it is seen.
    pub taken: Vec<(String, &'static str)>,
    /// Whose orders there are, and how they stand.
    pub orders: Vec<(Person, Value, &'static str)>,
}

impl Ending {
    pub fn of(event: &Value) -> Self {
        Self { event: event.clone(), ..Self::default() }
    }

    pub fn sold(mut self, seat: &str) -> Self {
        self.taken.push((seat.to_owned(), "sold"));
        self
    }

    pub fn order(mut self, who: &Person, order: &Value, stands: &'static str) -> Self {
        self.orders.push((who.clone(), order.clone(), stands));
        self
    }
}

impl Story {
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// What is not usual about the nodes of this story: deadlines that a test can wait for.
    pub fn settings(self, settings: NodeSettings) -> NodeSettings {
        match self {
            Self::WalksAway => {
                settings.with("HOLD_SECONDS", 4).with("PAYMENT_SECONDS", 3).with("GRACE_SECONDS", 1)
            }
            Self::ABankTakesItsTime => {
                settings.with("HOLD_SECONDS", 25).with("PAYMENT_SECONDS", 8).with("GRACE_SECONDS", 2)
            }
            Self::LetsAnOfferLapse | Self::LetsTheLastOfferLapse => settings.with("OFFER_SECONDS", 8),
            Self::BuysASeat
            | Self::IsDeclined
            | Self::CallsOffUnpaid
            | Self::CallsItOff
            | Self::CallsItOffAndLeaves
            | Self::PaysTooLate
            | Self::PaysTooLateForAHeldSeat
            | Self::HouseCancels
            | Self::WaitsForASeat
            | Self::OpensASale
            | Self::OpensASaleAndLeaves
            | Self::RebuildsThePicture
            | Self::MovesATicket
            | Self::MovesATicketAndLeaves
            | Self::BlocksASeat
            | Self::BlocksASeatAndLeaves
            | Self::GivesSeats
            | Self::GivesAPartBack
            | Self::EndsUnheard
            | Self::EndsWhileStripeThinks
            | Self::LeavesAStrayDoor
            | Self::IsGivenBackAtStripe
            | Self::IsNobodysMoney
            | Self::IsRefusedAtCheckout
            | Self::DeclinesAnOffer
            | Self::LeavesWhileAsked
            | Self::IsPassedOver
            | Self::WaitsInVain => settings,
        }
    }

    pub async fn play(self, stage: &Stage) -> Ending {
        stage.is_listened_to().await;
        match self {
            Self::BuysASeat => buying::buys_a_seat(stage).await,
            Self::WalksAway => ending::walks_away(stage).await,
            Self::IsDeclined => ending::is_declined(stage).await,
            Self::CallsOffUnpaid => ending::calls_off_unpaid(stage).await,
            Self::CallsItOff => ending::calls_it_off(stage, true).await,
            Self::CallsItOffAndLeaves => ending::calls_it_off(stage, false).await,
            Self::PaysTooLate => buying::pays_too_late(stage, false).await,
            Self::PaysTooLateForAHeldSeat => buying::pays_too_late(stage, true).await,
            Self::HouseCancels => ending::house_cancels(stage).await,
            Self::WaitsForASeat => waiting::waits_for_a_seat(stage).await,
            Self::LetsAnOfferLapse => waiting::lets_an_offer_lapse(stage).await,
            Self::LetsTheLastOfferLapse => waiting::lets_the_last_offer_lapse(stage).await,
            Self::OpensASale => hosting::opens_a_sale(stage, true).await,
            Self::OpensASaleAndLeaves => hosting::opens_a_sale(stage, false).await,
            Self::RebuildsThePicture => hosting::rebuilds_the_picture(stage).await,
            Self::MovesATicket => hosting::moves_a_ticket(stage, true).await,
            Self::MovesATicketAndLeaves => hosting::moves_a_ticket(stage, false).await,
            Self::BlocksASeat => giving::blocks_a_seat(stage, true).await,
            Self::BlocksASeatAndLeaves => giving::blocks_a_seat(stage, false).await,
            Self::GivesSeats => giving::gives_seats(stage).await,
            Self::GivesAPartBack => giving::gives_a_part_back(stage).await,
            Self::ABankTakesItsTime => odd_money::a_bank_takes_its_time(stage).await,
            Self::EndsUnheard => odd_money::ends_unheard(stage).await,
            Self::EndsWhileStripeThinks => odd_money::ends_while_stripe_thinks(stage).await,
            Self::LeavesAStrayDoor => odd_money::leaves_a_stray_door(stage).await,
            Self::IsGivenBackAtStripe => odd_money::is_given_back_at_stripe(stage).await,
            Self::IsNobodysMoney => odd_money::is_nobodys_money(stage).await,
            Self::IsRefusedAtCheckout => buying::is_refused_at_checkout(stage).await,
            Self::DeclinesAnOffer => waiting::declines_an_offer(stage).await,
            Self::LeavesWhileAsked => waiting::leaves_while_asked(stage).await,
            Self::IsPassedOver => waiting::is_passed_over(stage).await,
            Self::WaitsInVain => waiting::waits_in_vain(stage).await,
        }
    }
}

pub fn id(thing: &Value) -> &str {
    thing["id"].as_str().unwrap_or_else(|| panic!("it has no id: {thing}"))
}

/// One row of so many seats.
fn hall(seats: usize) -> Value {
    json!({
        "title": "The Tempest", "venue": "Harbour Theatre", "starts_at": "2031-05-01T19:00:00Z",
        "currency": "eur", "orphan_rule": false, "max_per_customer": 2,
        "categories": [{ "key": "gold", "name": "Stalls", "price": PRICE }],
        "sections": [{ "key": "stalls", "name": "Stalls", "category": "gold",
                       "rows": [{ "name": "1", "seats": seats }] }],
    })
}

/// What people do in more than one story.
impl Stage {
    async fn opens(&self, form: Value) -> Value {
        self.act("opens");
        let event = self.call(&self.house.organiser(), "POST", "/v1/admin/events", form).await;
        assert_eq!(event.status, 201, "the event: {}", event.body);
        event.body
    }

    /// Holds a seat that must be free for them.
    async fn holds(&self, who: &Person, event: &Value, seat: &str) -> Value {
        self.act("holds");
        let path = format!("/v1/events/{}/holds", id(event));
        let hold = self.call(who, "POST", &path, json!({ "seats": [seat] })).await;
        assert_eq!(hold.status, 201, "{seat} is held: {}", hold.body);
        hold.body
    }

    /// Holds a seat and checks it out. What a lost Redis forgot is chosen again; nothing else may be forgotten.
    async fn orders(&self, who: &Person, event: &Value, seat: &str) -> Value {
        loop {
            let hold = self.holds(who, event, seat).await;
            self.act("checks out");
            let order = self.call(who, "POST", "/v1/orders", json!({ "hold_id": hold["id"] })).await;
            if self.forgets && matches!(order.code(), "not_found" | "hold_expired") {
                continue;
            }
            assert_eq!(order.status, 201, "{seat} is checked out: {}", order.body);
            return order.body;
        }
    }

    fn pays(&self, order: &Value) {
        self.act("pays");
        self.house.pay(order, CARD).unwrap_or_else(|error| panic!("{error}: {order}"));
    }

    pub async fn sees(&self, who: &Person, order: &Value, status: &str) -> Value {
        let path = format!("/v1/orders/{}", id(order));
        eventually(&format!("order {} is {status}", id(order)), async || {
            let now = self.get(who, &path).await;
            (now["status"] == status).then_some(now)
        })
        .await
    }

    async fn buys(&self, who: &Person, event: &Value, seat: &str) -> Value {
        let order = self.orders(who, event, seat).await;
        self.pays(&order);
        self.sees(who, &order, "confirmed").await
    }

    /// Somebody who wants a seat that somebody else is about to lose, and tries until it is theirs: each try is a new
    /// wish, because a refusal is an answer.
    pub async fn gets(&self, who: &Person, event: &Value, seat: &str) -> Value {
        let path = format!("/v1/events/{}/holds", id(event));
        eventually(&format!("{seat} can be bought by somebody else"), async || {
            self.act("somebody else holds");
            let hold = self.call(who, "POST", &path, json!({ "seats": [seat] })).await;
            if hold.status != 201 {
                // Their own time may be up before they hear of it, on a busy machine.
                assert!(["seats_unavailable", "hold_expired"].contains(&hold.code()), "{}", hold.body);
                return None;
            }
            self.act("somebody else checks out");
            let order = self.call(who, "POST", "/v1/orders", json!({ "hold_id": hold.body["id"] })).await;
            if order.status != 201 {
                // Their own time may be up, too, on a busy machine, and a seat that is still being given up is refused.
                let known = ["not_found", "hold_expired", "seats_unavailable"];
                assert!(known.contains(&order.code()), "{}", order.body);
                return None;
            }
            self.act("somebody else pays");
            if self.house.pay(&order.body, CARD).is_err() {
                return None;
            }
            let path = format!("/v1/orders/{}", id(&order.body));
            let ended = eventually("their order ends", async || {
                let now = self.get(who, &path).await;
                (now["status"] != "awaiting_payment" && now["status"] != "closing").then_some(now)
            })
            .await;
            (ended["status"] == "confirmed").then_some(ended)
        })
        .await
    }
}
