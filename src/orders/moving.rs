//! Moving a ticket to another seat, without cancelling anything: one seat is taken and one given back, or neither.
//!
//! Redis keeps the new seat for a moment, so that nobody is sent into a wall; the claim in Postgres decides. The old
//! seat is free when Postgres says so and not before, and whatever dies in between is told to Redis by the outbox.

use std::ops::Range;
use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::catalog::Chart;
use crate::ids::{AccountId, EventId, HoldId, OrderId, Ordinal, TicketId};
use crate::orders::checkout::named;
use crate::orders::effects::{self, Effect};
use crate::orders::error::OrdersError;
use crate::orders::log::{self, Because};
use crate::orders::state::OrderState;
use crate::orders::ticket_log::{self, About};
use crate::orders::{Desk, claims};
use crate::proof::{self, Step};
use crate::seats::{Asker, HoldRefusal, Place, Reason, SeatsError};
use crate::stores::postgres::within;
use crate::telemetry::Metrics;
use crate::tickets::Claim;

/// How long the new seat is kept for the decision: well beyond what Postgres may take.
const KEPT: Duration = Duration::from_secs(15);

/// Hold ids of one call. One is used up in the time for which a seat is kept, so these outlast any outage that somebody
/// waits for: a quarter of an hour.
const TRIES: u8 = 60;

/// Which ticket goes where.
#[derive(Debug, Clone)]
pub struct Move {
    pub event: EventId,
    pub ticket: TicketId,
    /// The id of a seat or place, or the key of a standing area for any place in it.
    pub to: String,
    /// Of this call, so that its repeat keeps the same seat.
    pub operation: Uuid,
    pub because: Because,
}

/// A ticket where it is now.
#[derive(Debug, sqlx::FromRow)]
struct Placed {
    state: String,
    ordinal: i32,
    issue: i32,
    order_id: OrderId,
    owner: AccountId,
    seat_id: String,
    /// What was paid for it.
    price: i64,
    /// It is a guest's, who pays nothing wherever the house seats them.
    complimentary: bool,
}

impl Placed {
    fn about(&self, ask: &Move) -> About {
        About { event: ask.event, ticket: ask.ticket, order: self.order_id }
    }
}

impl Desk {
    /// Moves a ticket. It keeps its id and gets a new code; the old one is dead. Moving it to where it is changes nothing,
    /// so a repeat answers as the first call did.
    pub async fn move_ticket(&self, ask: &Move) -> Result<(), OrdersError> {
        let moved = self.try_move(ask).await;
        let outcome = match &moved {
            Ok(true) => "moved",
            Ok(false) => return Ok(()),
            Err(error) if error.is_outage() => "outage",
            Err(_) => "refused",
        };
        Metrics::count(&self.metrics.ticket_moves, outcome);
        moved.map(drop)
    }

    /// False when it is there already.
    async fn try_move(&self, ask: &Move) -> Result<bool, OrdersError> {
        let chart = self.catalog.chart(ask.event).await?;
        let among = target(&chart, &ask.to)?;
        let now = within(async {
            let mut db = self.pg.acquire().await?;
            placed(&mut db, ask, false).await
        })
        .await?;
        if now.state != "valid" {
            return Err(OrdersError::TicketVoid);
        }
        if among.contains(&claims::as_ordinal(now.ordinal)) {
            return Ok(false);
        }
        costs_the_same(&chart, among.start, &now)?;
        let (kept, seat) = proof::step(Step::KeepSeat, self.keep(ask, &chart, &now, among)).await?;

        let decided = within(self.decide_move(ask, &chart, seat)).await;
        match &decided {
            Ok(true) => {
                // The kept seat becomes the sold one, so that the customer's count holds it once.
                let sold = async {
                    let turn = self.subject(now.order_id).await?.turn;
                    self.seats.sell(ask.event, (now.order_id, turn), kept, now.owner, &[seat]).await?;
                    Ok::<_, OrdersError>(())
                };
                if let Err(error) = sold.await {
                    tracing::warn!(%error, ticket.id = %ask.ticket, "a moved ticket waits for the outbox");
                }
                self.show_now(now.order_id).await;
            }
            // Whether the commit happened is unknown: the outbox shows it if it did, and the hold ends by itself.
            Err(error) if error.is_outage() => {}
            Ok(false) | Err(_) => self.let_go(ask, kept, now.order_id, seat).await,
        }
        decided
    }

    /// Keeps the new seat in Redis. A hold id that an earlier try of the same call has used up is followed by the next,
    /// which is the same for every repeat: the seat may still be kept under it by a try that was never answered.
    async fn keep(
        &self,
        ask: &Move,
        chart: &Chart,
        now: &Placed,
        among: Range<Ordinal>,
    ) -> Result<(HoldId, Ordinal), OrdersError> {
        let (event, owner, order) = (ask.event, now.owner, now.order_id);
        for nth in 0..TRIES {
            let hold = HoldId::of(chart.event_number(), seed_of(ask.operation, nth));
            let place = Place { event, hold, owner, order, among: among.clone() };
            return match self.seats.keep_place(&place, KEPT).await {
                Ok(seat) => Ok((hold, seat)),
                Err(SeatsError::Gone) => continue,
                Err(SeatsError::Refused(HoldRefusal::Seats(seats))) => {
                    Err(OrdersError::SeatsTaken(named(chart, &seats)))
                }
                Err(error) => Err(error.into()),
            };
        }
        Err(OrdersError::HoldExpired)
    }

    /// One transaction under the order's lock: the new claim first, which may be refused, and then all that follows.
    async fn decide_move(&self, ask: &Move, chart: &Chart, seat: Ordinal) -> Result<bool, OrdersError> {
        let mut tx = self.pg.begin().await?;
        let (order,) = sqlx::query_as("select order_id from tickets where event_id = $1 and id = $2")
            .bind(ask.event)
            .bind(ask.ticket)
            .fetch_one(&mut *tx)
            .await?;
        let order = log::lock(&mut tx, order).await?;
        let now = placed(&mut tx, ask, true).await?;
        if order.state != OrderState::Confirmed || now.state != "valid" {
            return Err(OrdersError::TicketVoid);
        }
        if claims::as_ordinal(now.ordinal) == seat {
            return Ok(false);
        }
        costs_the_same(chart, seat, &now)?;
        // Given up last: whoever waits for a seat that is just being left has nothing that we could wait for.
        if claims::take(&mut tx, ask.event, order.id, &[seat], KEPT.as_secs_f64()).await? != 1 {
            let mut lost = claims::conflicts(&mut tx, ask.event, order.id, &[seat]).await?;
            if lost.is_empty() {
                lost.push((seat, Reason::Sold)); // to this very order
            }
            return Err(OrdersError::SeatsTaken(named(chart, &lost)));
        }
        claims::sell(&mut tx, ask.event, order.id).await?;
        claims::give_up(&mut tx, ask.event, order.id, claims::as_ordinal(now.ordinal)).await?;
        self.reseat(&mut tx, ask, chart, &now, seat).await?;
        effects::owe(&mut tx, ask.event, Effect::Show(order.id)).await?;
        proof::step(Step::Move, tx.commit()).await?;
        Ok(true)
    }

    /// The order's seat and its ticket, with a new code and a line in the history.
    async fn reseat(
        &self,
        tx: &mut PgConnection,
        ask: &Move,
        chart: &Chart,
        now: &Placed,
        seat: Ordinal,
    ) -> Result<(), OrdersError> {
        let new = chart.seat(seat).ok_or_else(|| OrdersError::UnknownSeat(ask.to.clone()))?;
        let to = i32::try_from(seat).unwrap_or(i32::MAX);
        let issue = u16::try_from(now.issue + 1)
            .map_err(|_| OrdersError::Inconsistent { order: now.order_id, what: "moves without end" })?;
        let claim = Claim { event: chart.event_number(), ordinal: seat, issue, ticket: ask.ticket };
        sqlx::query(
            "insert into order_seats (event_id, order_id, ordinal, seat_id, section, row_name, seat, category, price)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(ask.event)
        .bind(now.order_id)
        .bind(to)
        .bind(new.id.as_ref())
        .bind(new.section)
        .bind(new.row)
        .bind(new.seat.as_deref())
        .bind(new.category)
        .bind(now.price)
        .execute(&mut *tx)
        .await?;
        sqlx::query("update tickets set ordinal = $3, issue = $4, code = $5 where event_id = $1 and id = $2")
            .bind(ask.event)
            .bind(ask.ticket)
            .bind(to)
            .bind(i32::from(issue))
            .bind(self.tickets.sign(&claim))
            .execute(&mut *tx)
            .await?;
        sqlx::query("delete from order_seats where event_id = $1 and order_id = $2 and ordinal = $3")
            .bind(ask.event)
            .bind(now.order_id)
            .bind(now.ordinal)
            .execute(&mut *tx)
            .await?;
        let (from, to) = ((now.ordinal, now.seat_id.as_str()), (to, new.id.as_ref()));
        ticket_log::moved(tx, now.about(ask), from, to, &ask.because).await
    }

    /// The kept seat goes back, and the picture of it is put right.
    async fn let_go(&self, ask: &Move, kept: HoldId, order: OrderId, seat: Ordinal) {
        let released =
            self.seats.release(ask.event, kept, Asker::Order(order)).await.map_err(OrdersError::from);
        let repaired = self.repair_seats(ask.event, &[seat]).await;
        for error in [released.err(), repaired.err()].into_iter().flatten() {
            tracing::warn!(%error, ticket.id = %ask.ticket, "a seat that was kept for a move waits for its deadline");
        }
    }
}

/// What the nth hold of a call is named after. The last four bytes are its event's.
fn seed_of(operation: Uuid, nth: u8) -> Uuid {
    let mut bytes = operation.into_bytes();
    bytes[11] ^= nth;
    Uuid::from_bytes(bytes)
}

/// Where the ticket may go, as ordinals.
fn target(chart: &Chart, to: &str) -> Result<Range<Ordinal>, OrdersError> {
    let seat = chart.ordinal(to).map(|seat| seat..seat + 1);
    seat.or_else(|| chart.area(to)).ok_or_else(|| OrdersError::UnknownSeat(to.to_owned()))
}

/// No money moves, so the new seat has to cost what was paid for the old one; a guest of the house pays for neither.
fn costs_the_same(chart: &Chart, seat: Ordinal, now: &Placed) -> Result<(), OrdersError> {
    match chart.seat(seat) {
        Some(new) if now.complimentary || new.price == now.price => Ok(()),
        Some(new) => Err(OrdersError::PriceDiffers { paid: now.price, price: new.price }),
        None => Err(OrdersError::UnknownSeat(seat.to_string())),
    }
}

async fn placed(db: &mut PgConnection, ask: &Move, lock: bool) -> Result<Placed, OrdersError> {
    if lock {
        sqlx::query("select from tickets where event_id = $1 and id = $2 for update")
            .bind(ask.event)
            .bind(ask.ticket)
            .execute(&mut *db)
            .await?;
    }
    sqlx::query_as(
        "select t.state, t.ordinal, t.issue, t.order_id, o.account_id as owner, s.seat_id, s.price,
                o.comp_reason is not null as complimentary
           from tickets t
           join order_seats s using (event_id, order_id, ordinal)
           join orders o on o.event_id = t.event_id and o.id = t.order_id
          where t.event_id = $1 and t.id = $2",
    )
    .bind(ask.event)
    .bind(ask.ticket)
    .fetch_optional(db)
    .await?
    .ok_or(OrdersError::NotFound)
}
