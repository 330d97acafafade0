//! Checkout: a hold becomes an order whose seats nobody else can pay for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgConnection;

use crate::catalog::{CatalogError, Chart, Event, EventState};
use crate::ids::{AccountId, EventId, HoldId, OrderId, Ordinal};
use crate::money::MOST;
use crate::orders::effects::{self, Effect};
use crate::orders::error::{OrdersError, RefusedSeat};
use crate::orders::log::{self, Actor, Because};
use crate::orders::read::Order;
use crate::orders::state::OrderState;
use crate::orders::{Desk, claims};
use crate::proof::{self, Bug, Step};
use crate::seats::{Asker, Claimed, Held, Pinned};
use crate::stores::postgres::within;
use crate::waitlist;

/// Who checks out which hold, in which request.
#[derive(Debug, Clone)]
pub struct Checkout {
    pub customer: AccountId,
    pub hold: HoldId,
    /// The id that the order gets, chosen before anything happens: a repeat after a crash makes no second one.
    pub order: OrderId,
    pub request_id: String,
}

impl Desk {
    /// Turns a hold into an order that can be paid. A repeat for the same hold answers with the same order.
    pub async fn checkout(&self, ask: &Checkout) -> Result<Order, OrdersError> {
        if let Some(order) = self.order_of_hold(ask.customer, ask.hold).await? {
            // Whoever was asked before may have died before the flags were kept.
            if let Err(error) = self.keep_flags_of(order).await {
                self.flags_are_not_kept(order, &error).await;
            }
            return self.payable(order).await;
        }
        let chart = match self.catalog.chart_by_number(ask.hold.event_number()).await {
            Err(CatalogError::NotFound) => return Err(OrdersError::NoSuchHold),
            chart => chart?,
        };
        let event = self.catalog.event(chart.event_id()).await?;
        if event.state != EventState::Published {
            return Err(OrdersError::SaleClosed);
        }
        // Model: ReadHold
        let hold = self.seats.hold_of(event.id, ask.hold).await?.ok_or(OrdersError::NoSuchHold)?;
        if hold.owner != ask.customer && !proof::planted(Bug::HoldOfOthersCheckedOut) {
            return Err(OrdersError::NoSuchHold);
        }
        if !hold.live {
            return Err(OrdersError::HoldExpired);
        }

        let time = self.time_to_pay(&event, &hold);
        let order = match self.take_claims(ask, &chart, &hold, time).await {
            Err(OrdersError::SeatsTaken(refused)) => return self.give_back(&chart, &hold, refused).await,
            order => order?,
        };
        // The claims are committed: a crash from here on is the attending pass's work, nobody's loss.
        if order != ask.order {
            // Another request for the same hold was quicker; its order is the answer.
            return self.payable(order).await;
        }
        if self.state_of(order).await? == OrderState::Confirmed {
            // Free of charge: it is sold already.
            self.show_now(order).await;
        } else {
            let Held { event, hold, owner, ordinals, .. } = hold;
            let kept = Kept { event, hold, owner, ordinals };
            if let Err(error) = self.keep_flags(&kept, order, time).await {
                self.flags_are_not_kept(order, &error).await;
            }
        }
        self.payable(order).await
    }

    /// How long this order may be paid: what is left of the hold, at least the payment time, and never beyond
    /// twice the hold's length from its first seat.
    fn time_to_pay(&self, event: &Event, hold: &Held) -> Duration {
        let millis = |ms: i64| Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        let usual = event.hold_seconds.map_or(self.clock.hold, |seconds| Duration::from_secs(seconds.into()));
        // An offer to a waiting party lasts as long as it was made for.
        let full = hold.span_ms.map_or(usual, millis);
        let left = millis(hold.deadline_ms - hold.now_ms);
        let age = millis(hold.now_ms - hold.first_held_ms);
        left.max(self.clock.payment).min((full * 2).saturating_sub(age))
    }

    /// Step 1, one transaction: the order, what was priced, the claims, and what is still owed.
    async fn take_claims(
        &self,
        ask: &Checkout,
        chart: &Arc<Chart>,
        hold: &Held,
        time: Duration,
    ) -> Result<OrderId, OrdersError> {
        let because = Because::of(Actor::Account(ask.customer), "checkout").in_request(&ask.request_id);
        within(async {
            let mut tx = self.pg.begin().await?;
            // Model: TakeClaims
            let priced = price(chart, hold)?;
            let event = chart.event_id();
            if !insert_order(&mut tx, ask, chart, &priced, time).await? {
                tx.rollback().await?;
                return self.existing(event, ask).await;
            }
            insert_seats(&mut tx, event, ask.order, &priced).await?;
            let until = (time + self.clock.grace).as_secs_f64();
            let got = claims::take(&mut tx, event, ask.order, &hold.ordinals, until).await?;
            if got < hold.ordinals.len() && !proof::planted(Bug::ClaimsNotCounted) {
                let lost = claims::conflicts(&mut tx, event, ask.order, &hold.ordinals).await?;
                tx.rollback().await?;
                return Err(OrdersError::SeatsTaken(named(chart, &lost)));
            }
            if !waitlist::take_up(&mut tx, ask.hold, ask.order).await? {
                tx.rollback().await?;
                return Err(OrdersError::HoldExpired);
            }
            log::write(&mut tx, (event, ask.order), None, OrderState::AwaitingPayment, &because).await?;
            if priced.amount == 0 {
                let mut order = log::lock(&mut tx, ask.order).await?;
                self.confirm(&mut tx, &mut order, hold.ordinals.len(), &because).await?;
            } else {
                insert_payment(&mut tx, event, ask.order, &priced, chart).await?;
                effects::owe_in(&mut tx, event, Effect::OpenPayment(ask.order), before_end(hold)).await?;
            }
            proof::step(Step::Claims, tx.commit()).await?;
            Ok(ask.order)
        })
        .await
    }

    async fn existing(&self, event: EventId, ask: &Checkout) -> Result<OrderId, OrdersError> {
        let found: Option<(OrderId,)> =
            sqlx::query_as("select id from orders where event_id = $1 and hold_id = $2 and account_id = $3")
                .bind(event)
                .bind(ask.hold)
                .bind(ask.customer)
                .fetch_optional(&self.pg)
                .await?;
        found.map(|(id,)| id).ok_or(OrdersError::NoSuchHold)
    }

    /// Postgres refused a seat although Redis said free: the hold goes back whole, and the picture is put
    /// right at once so that nobody else is sent into the same wall.
    async fn give_back<T>(
        &self,
        chart: &Chart,
        hold: &Held,
        refused: Vec<RefusedSeat>,
    ) -> Result<T, OrdersError> {
        // Model: GiveBack
        let released = self.seats.release(hold.event, hold.hold, Asker::Owner(hold.owner));
        if let Err(error) = proof::step(Step::GiveBack, released).await {
            tracing::warn!(%error, hold.id = %hold.hold, "a refused hold waits for its deadline");
        }
        let ordinals: Vec<_> = refused.iter().filter_map(|seat| chart.ordinal(&seat.id)).collect();
        if let Err(error) = self.repair_seats(hold.event, &ordinals).await {
            tracing::warn!(%error, event.id = %hold.event, "a wrong picture waits for the reconciler");
        }
        Err(OrdersError::SeatsTaken(refused))
    }

    /// The same for an order that may still be paid, by whoever goes on with a checkout that was broken off: without its flags
    /// a seat would be shown free, and who held it refused at the checkout.
    pub(super) async fn keep_flags_of(&self, order: OrderId) -> Result<(), OrdersError> {
        let found = within(async {
            let mut db = self.pg.acquire().await?;
            let found: Option<(EventId, HoldId, AccountId, f64)> = sqlx::query_as(
                // Model: ReadPinned
                "select event_id, hold_id, account_id, extract(epoch from pay_by - now())::float8
                   from orders where id = $1 and state = 'awaiting_payment' and pay_by > now()",
            )
            .bind(order)
            .fetch_optional(&mut *db)
            .await?;
            let Some((event, hold, owner, left)) = found else { return Ok(None) };
            let ordinals = claims::seats_of(&mut db, event, order).await?;
            Ok::<_, OrdersError>(Some((Kept { event, hold, owner, ordinals }, Duration::from_secs_f64(left))))
        })
        .await?;
        match found {
            Some((kept, left)) => self.keep_flags(&kept, order, left).await,
            None => Ok(()),
        }
    }

    /// Claims are what keeps the seats, so whoever waits for the answer is told of their order. When the hold's own time is over
    /// its seats would look free: the outbox tries again.
    async fn flags_are_not_kept(&self, order: OrderId, error: &OrdersError) {
        tracing::warn!(%error, order.id = %order, "flags are not kept; the claims are");
        self.hurry_checkout(order).await;
    }

    /// Step 2: the flags in Redis live as long as the claims.
    async fn keep_flags(&self, kept: &Kept, order: OrderId, time: Duration) -> Result<(), OrdersError> {
        let until = time + self.clock.grace;
        // Model: Pin
        let is_kept = match self.seats.pin(kept.event, kept.hold, kept.owner, order, until, false).await? {
            Pinned::Until(_) => true,
            Pinned::Gone => {
                let (event, hold) = (kept.event, kept.hold);
                // Model: ClaimAgain
                let claimed = self.seats.claim(event, order, hold, kept.owner, &kept.ordinals, until).await?;
                !matches!(claimed, Claimed::Lost(_))
            }
        };
        if !is_kept {
            // Somebody holds in Redis what Postgres has given to this order; their checkout is refused.
            tracing::warn!(order.id = %order, "claimed seats are held by somebody else in the picture");
        }
        Ok(())
    }
}

/// When the outbox goes on with a checkout that was broken off: before the hold's own time is over, with time left to try again.
fn before_end(hold: &Held) -> Duration {
    const MOST: Duration = Duration::from_secs(10);
    let left = Duration::from_millis(u64::try_from(hold.deadline_ms - hold.now_ms).unwrap_or(0));
    (left / 2).min(MOST)
}

/// What an order keeps of the hold that it was made of.
struct Kept {
    event: EventId,
    hold: HoldId,
    owner: AccountId,
    ordinals: Vec<Ordinal>,
}

/// What a hold's seats cost, seat by seat.
struct Priced {
    ordinals: Vec<i32>,
    ids: Vec<String>,
    sections: Vec<String>,
    rows: Vec<Option<String>>,
    seats: Vec<Option<String>>,
    categories: Vec<String>,
    prices: Vec<i64>,
    amount: i64,
}

fn price(chart: &Chart, hold: &Held) -> Result<Priced, OrdersError> {
    let count = hold.ordinals.len();
    let mut priced = Priced {
        ordinals: claims::as_integers(&hold.ordinals),
        ids: Vec::with_capacity(count),
        sections: Vec::with_capacity(count),
        rows: Vec::with_capacity(count),
        seats: Vec::with_capacity(count),
        categories: Vec::with_capacity(count),
        prices: Vec::with_capacity(count),
        amount: 0,
    };
    for &ordinal in &hold.ordinals {
        let seat = chart.seat(ordinal).ok_or(OrdersError::NoSuchHold)?;
        priced.amount = priced.amount.checked_add(seat.price).ok_or(OrdersError::TooExpensive)?;
        priced.ids.push(seat.id.to_string());
        priced.sections.push(seat.section.to_string());
        priced.rows.push(seat.row.map(str::to_owned));
        priced.seats.push(seat.seat.map(|name| name.to_string()));
        priced.categories.push(seat.category.to_string());
        priced.prices.push(seat.price);
    }
    if priced.amount > MOST { Err(OrdersError::TooExpensive) } else { Ok(priced) }
}

/// False when the hold has an order already.
async fn insert_order(
    tx: &mut PgConnection,
    ask: &Checkout,
    chart: &Chart,
    priced: &Priced,
    time: Duration,
) -> Result<bool, OrdersError> {
    let inserted = sqlx::query(
        "insert into orders (event_id, id, account_id, hold_id, amount, currency, request_id, pay_by, check_at)
         select $1, $2, $3, $4, $5, $6, $7, due, due
           from (select now() + make_interval(secs => $8) as due) as clock
         on conflict on constraint orders_one_per_hold do nothing",
    )
    .bind(chart.event_id())
    .bind(ask.order)
    .bind(ask.customer)
    .bind(ask.hold)
    .bind(priced.amount)
    .bind(chart.currency().as_str())
    .bind(&ask.request_id)
    .bind(time.as_secs_f64())
    .execute(tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

async fn insert_seats(
    tx: &mut PgConnection,
    event: EventId,
    order: OrderId,
    priced: &Priced,
) -> Result<(), OrdersError> {
    sqlx::query(
        "insert into order_seats (event_id, order_id, ordinal, seat_id, section, row_name, seat, category, price)
         select $1, $2, * from unnest($3::integer[], $4::text[], $5::text[], $6::text[], $7::text[],
                                      $8::text[], $9::bigint[])",
    )
    .bind(event)
    .bind(order)
    .bind(&priced.ordinals)
    .bind(&priced.ids)
    .bind(&priced.sections)
    .bind(&priced.rows)
    .bind(&priced.seats)
    .bind(&priced.categories)
    .bind(&priced.prices)
    .execute(tx)
    .await?;
    Ok(())
}

async fn insert_payment(
    tx: &mut PgConnection,
    event: EventId,
    order: OrderId,
    priced: &Priced,
    chart: &Chart,
) -> Result<(), OrdersError> {
    sqlx::query(
        "insert into payments (event_id, order_id, attempt, amount, currency) values ($1, $2, 1, $3, $4)",
    )
    .bind(event)
    .bind(order)
    .bind(priced.amount)
    .bind(chart.currency().as_str())
    .execute(tx)
    .await?;
    Ok(())
}

/// Refused ordinals by the names that the customer knows.
pub(super) fn named(chart: &Chart, lost: &[(u32, crate::seats::Reason)]) -> Vec<RefusedSeat> {
    let names: HashMap<_, _> = lost.iter().copied().collect();
    let mut refused: Vec<_> = names
        .into_iter()
        .filter_map(|(ordinal, reason)| {
            chart.seat(ordinal).map(|seat| (ordinal, RefusedSeat { id: seat.id.to_string(), reason }))
        })
        .collect();
    refused.sort_by_key(|(ordinal, _)| *ordinal);
    refused.into_iter().map(|(_, seat)| seat).collect()
}
