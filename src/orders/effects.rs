//! What a committed decision still owes to Redis and Stripe.
//!
//! An effect names its subject, not its change: doing it means reading what Postgres says *now* and making the
//! other side agree. So effects may be repeated, and may overtake each other, without harm.

use std::time::Duration;

use serde_json::json;
use sqlx::PgConnection;

use crate::ids::{AccountId, EventId, HoldId, OrderId, Ordinal, RefundId};
use crate::orders::error::OrdersError;
use crate::orders::lease::{pause, side_by_side};
use crate::orders::state::OrderState;
use crate::orders::{Desk, claims};
use crate::proof::{self, Bug, Step};
use crate::seats::Asker;
use crate::stores::postgres::within;
use crate::telemetry::Metrics;

/// An effect that is refused, rather than unanswered, is tried this often before it is parked for a person.
const TRIES: i32 = 20;

/// One thing that is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Make Redis show what Postgres says of this order's seats.
    Show(OrderId),
    /// Keep this order's flags and have a PaymentIntent for it, if it can still be paid.
    OpenPayment(OrderId),
    /// Send this refund.
    Refund(RefundId),
}

impl Effect {
    fn kind(self) -> &'static str {
        match self {
            Self::Show(_) => "show",
            Self::OpenPayment(_) => "open_payment",
            Self::Refund(_) => "refund",
        }
    }
}

/// Writes the effect into the outbox, in the transaction of the decision that owes it.
pub(super) async fn owe(tx: &mut PgConnection, event: EventId, effect: Effect) -> Result<(), OrdersError> {
    owe_in(tx, event, effect, Duration::ZERO).await
}

/// The same of what is about to be done without the outbox, which only speaks up when it was not done by then.
pub(super) async fn owe_in(
    tx: &mut PgConnection,
    event: EventId,
    effect: Effect,
    wait: Duration,
) -> Result<(), OrdersError> {
    let (order, payload) = match effect {
        Effect::Show(order) | Effect::OpenPayment(order) => (Some(order), json!({})),
        Effect::Refund(refund) => (None, json!({ "refund": refund })),
    };
    if proof::planted(Bug::EffectNotOwed) {
        return Ok(());
    }
    sqlx::query(
        "insert into outbox (event_id, order_id, kind, payload, due_at)
         values ($1, $2, $3, $4, now() + make_interval(secs => $5))",
    )
    .bind(event)
    .bind(order)
    .bind(effect.kind())
    .bind(payload)
    .bind(wait.as_secs_f64())
    .execute(tx)
    .await?;
    Ok(())
}

/// A row of the outbox that this node has leased.
#[derive(Debug, sqlx::FromRow)]
struct Owed {
    id: i64,
    kind: String,
    order_id: Option<OrderId>,
    payload: serde_json::Value,
    attempts: i32,
}

impl Owed {
    fn effect(&self) -> Option<Effect> {
        match (self.kind.as_str(), self.order_id) {
            ("show", Some(order)) => Some(Effect::Show(order)),
            ("open_payment", Some(order)) => Some(Effect::OpenPayment(order)),
            ("refund", _) => {
                serde_json::from_value(self.payload.get("refund")?.clone()).ok().map(Effect::Refund)
            }
            _ => None,
        }
    }
}

impl Desk {
    /// Does what is due in the outbox, a few rows at a time, and says how many there were.
    ///
    /// Rows are leased, not locked: no transaction is open while Redis or Stripe is asked. A lease that ends too early
    /// costs a repeat, which is harmless; one that ends late costs the wait for a node that died.
    pub async fn work_outbox(&self) -> Result<usize, OrdersError> {
        let rows: Vec<Owed> = within(async {
            Ok::<_, OrdersError>(
                sqlx::query_as(
                    "update outbox set attempts = attempts + 1, due_at = now() + interval '15 seconds'
                      where id in (select id from outbox where parked_at is null and due_at <= now()
                                    order by due_at limit 16 for update skip locked)
                      returning id, kind, order_id, payload, attempts",
                )
                .fetch_all(&self.pg)
                .await?,
            )
        })
        .await?;
        side_by_side(
            rows,
            |row| {
                let desk = self.clone();
                async move { desk.pay_debt(row).await }
            },
            |paid| self.close_debts(paid),
        )
        .await
    }

    /// Answers with what is paid, or nothing when it is to be tried again, or by a person.
    async fn pay_debt(&self, row: Owed) -> Result<Option<Owed>, OrdersError> {
        let outcome = match row.effect() {
            Some(effect) => {
                self.perform(effect).await.map_err(|error| (error.is_outage(), error.to_string()))
            }
            None => Err((false, format!("an effect of kind {} cannot be read", row.kind))),
        };
        let (is_outage, error) = match outcome {
            Ok(()) => return Ok(Some(row)),
            Err(_) if proof::planted(Bug::DebtForgotten) => return Ok(Some(row)),
            Err(refused) => refused,
        };
        within(async {
            // An outage says nothing about the effect: it is tried for as long as the outage lasts.
            if row.attempts >= TRIES && !is_outage {
                tracing::error!(outbox.id = row.id, kind = row.kind, %error, "parked for a person");
                sqlx::query("update outbox set parked_at = now(), last_error = $2 where id = $1")
                    .bind(row.id)
                    .bind(error)
                    .execute(&self.pg)
                    .await?;
                return Ok(None);
            }
            tracing::warn!(outbox.id = row.id, kind = row.kind, %error, "an effect is tried again");
            sqlx::query(
                "update outbox set last_error = $2, due_at = now() + make_interval(secs => $3) where id = $1",
            )
            .bind(row.id)
            .bind(error)
            .bind(pause(row.attempts))
            .execute(&self.pg)
            .await?;
            Ok(None)
        })
        .await
    }

    async fn close_debts(&self, paid: Vec<Owed>) -> Result<(), OrdersError> {
        within(async {
            // Model: DebtPaid
            let done = sqlx::query("delete from outbox where id = any ($1)")
                .bind(paid.iter().map(|row| row.id).collect::<Vec<_>>())
                .execute(&self.pg);
            proof::step(Step::CloseOutbox, done).await?;
            let late = paid.iter().filter(|row| row.attempts > 1).count();
            Metrics::count_many(&self.metrics.reconciled, "effects", late as u64);
            Ok(())
        })
        .await
    }

    /// Does one effect. Called by the outbox, and directly by whoever just committed it and wants it at once.
    pub(super) async fn perform(&self, effect: Effect) -> Result<(), OrdersError> {
        match effect {
            Effect::Show(order) => self.show(order).await,
            Effect::OpenPayment(order) => self.go_on_with_checkout(order).await,
            Effect::Refund(refund) => self.send_refund(refund).await,
        }
    }

    /// Does an order's `Show` now; the outbox row stays behind until its own turn finds nothing left to do.
    pub(super) async fn show_now(&self, order: OrderId) {
        if let Err(error) = self.show(order).await {
            tracing::warn!(%error, order.id = %order, "the picture waits for the outbox");
        }
        self.wake.outbox.notify_one();
    }

    /// Has what a checkout owes done by the outbox at once, because the request cannot.
    pub(super) async fn hurry_checkout(&self, order: OrderId) {
        let hurried = within(async {
            let kind = Effect::OpenPayment(order).kind();
            sqlx::query(
                "update outbox set due_at = now() where order_id = $1 and kind = $2 and due_at > now()",
            )
            .bind(order)
            .bind(kind)
            .execute(&self.pg)
            .await?;
            Ok::<_, OrdersError>(())
        });
        if let Err(error) = hurried.await {
            tracing::warn!(%error, order.id = %order, "what a checkout owes waits for its time");
        }
        self.wake.outbox.notify_one();
    }

    /// Tells Redis how an order stands.
    pub(super) async fn show(&self, order: OrderId) -> Result<(), OrdersError> {
        // Another decision may commit while Redis is told of this one: tell it again until they agree.
        for _ in 0..4 {
            // Model: ReadSubject
            let before = self.subject(order).await?;
            proof::step(Step::Show, self.tell(order, &before)).await?;
            // Model: ReadSubjectAgain
            if self.subject(order).await?.is_as(&before) {
                return Ok(());
            }
        }
        Err(OrdersError::Inconsistent { order, what: "moves faster than it can be shown" })
    }

    async fn tell(&self, order: OrderId, what: &Subject) -> Result<(), OrdersError> {
        let Subject {
            event_id: event, hold_id: hold, account_id: owner, turn, ref ordinals, ref left, ..
        } = *what;
        if what.state == OrderState::Confirmed {
            // Model: Sell
            self.seats.sell(event, (order, turn), hold, owner, ordinals).await?;
        } else if !what.state.is_open() {
            // The hold is gone if this order ever sold its seats; both calls compare before they delete.
            // Model: Release
            self.seats.release(event, hold, Asker::Order(order)).await?;
            // Model: Free
            self.seats.free(event, (order, turn), owner, ordinals).await?;
        }
        // A seat that a ticket was moved away from, unless somebody else has it by now.
        if !left.is_empty() {
            self.seats.free(event, (order, turn), owner, left).await?;
        }
        Ok(())
    }

    pub(super) async fn subject(&self, order: OrderId) -> Result<Subject, OrdersError> {
        within(async {
            let found = sqlx::query_as(
                "select event_id, hold_id, account_id, state,
                        array(select ordinal from order_seats s
                               where s.event_id = o.event_id and s.order_id = o.id order by 1) as ordinals,
                        array(select from_ordinal from ticket_log l
                               where l.event_id = o.event_id and l.order_id = o.id and what = 'moved'
                              except
                              select ordinal from order_seats s where s.event_id = o.event_id and s.order_id = o.id
                              order by 1) as moved_from,
                        (select count(*) from order_log l where l.event_id = o.event_id and l.order_id = o.id)
                        + (select count(*) from ticket_log l where l.event_id = o.event_id and l.order_id = o.id) as turn
                   from orders o where id = $1",
            )
            .bind(order)
            .fetch_optional(&self.pg)
            .await?;
            let row: Told = found.ok_or(OrdersError::NotFound)?;
            let seats = |ordinals: Vec<i32>| ordinals.into_iter().map(claims::as_ordinal).collect();
            Ok(Subject {
                event_id: row.event_id,
                hold_id: row.hold_id,
                account_id: row.account_id,
                state: row.state,
                ordinals: seats(row.ordinals),
                left: seats(row.moved_from),
                turn: row.turn,
            })
        })
        .await
    }
}

/// An order as one statement reads it, so that all of it is of one moment.
#[derive(sqlx::FromRow)]
struct Told {
    event_id: EventId,
    hold_id: HoldId,
    account_id: AccountId,
    state: OrderState,
    ordinals: Vec<i32>,
    moved_from: Vec<i32>,
    turn: i64,
}

/// An order as Redis knows it: whose, which seats, and how it stands.
pub(super) struct Subject {
    pub event_id: EventId,
    pub hold_id: HoldId,
    pub account_id: AccountId,
    pub state: OrderState,
    pub ordinals: Vec<Ordinal>,
    /// Seats that it had before its tickets were moved.
    pub left: Vec<Ordinal>,
    /// How often it and its tickets were moved: what is told of it later has a greater one.
    pub turn: i64,
}

impl Subject {
    fn is_as(&self, before: &Self) -> bool {
        self.state == before.state && self.ordinals == before.ordinals && self.left == before.left
    }
}
