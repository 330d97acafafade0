//! Settling: what Stripe says about a PaymentIntent *now* becomes what the order is.
//!
//! Webhooks only say that something changed; the decision is always made on the current object, under the
//! order's row lock. So the same news any number of times, in any order, ends in the same state.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::config::PaymentFailed;
use crate::ids::OrderId;
use crate::orders::claims;
use crate::orders::error::OrdersError;
use crate::orders::log::{self, Because, Locked};
use crate::orders::state::OrderState;
use crate::orders::{Desk, money_back};
use crate::payments::{Intent, IntentStatus};
use crate::proof::{self, Bug, Step};
use crate::seats::Claimed;
use crate::stores::postgres::within;

/// The transaction found the order in another state than the one it was prepared for.
enum Decision {
    Done { state: OrderState, moved: bool },
    Again,
}

impl Desk {
    /// Brings the order of this PaymentIntent to where Stripe's word puts it.
    pub async fn settle(&self, intent: &Intent, because: &Because) -> Result<OrderState, OrdersError> {
        let order = self.order_of_intent(intent).await?.ok_or(OrdersError::NotFound)?;
        match intent.status {
            IntentStatus::Succeeded => self.paid(order, intent, because).await,
            // Without money it says nothing of the door that the order's customer stands before.
            _ if self.has_another_door(order, intent).await? => self.state_of(order).await,
            IntentStatus::Canceled => self.canceled_at_stripe(order, because).await,
            IntentStatus::Processing => {
                self.keep_while_processing(order).await?;
                self.state_of(order).await
            }
            IntentStatus::RequiresPaymentMethod if intent.has_failed => self.declined(order, because).await,
            IntentStatus::RequiresPaymentMethod
            | IntentStatus::RequiresConfirmation
            | IntentStatus::RequiresAction
            | IntentStatus::RequiresCapture => self.state_of(order).await,
        }
    }

    /// The order whose own PaymentIntent this is, or, before we stored it, the one that it names itself.
    pub(super) async fn order_of_intent(&self, intent: &Intent) -> Result<Option<OrderId>, OrdersError> {
        let named = intent.metadata.get("order_id").and_then(|id| Uuid::try_parse(id).ok());
        within(async {
            let known: Option<(OrderId,)> =
                sqlx::query_as("select order_id from payments where payment_intent = $1")
                    .bind(&intent.id)
                    .fetch_optional(&self.pg)
                    .await?;
            if let Some((order,)) = known {
                return Ok(Some(order));
            }
            let named: Option<(OrderId,)> = sqlx::query_as("select id from orders where id = $1")
                .bind(named)
                .fetch_optional(&self.pg)
                .await?;
            Ok(named.map(|(order,)| order))
        })
        .await
    }

    /// Whether the order is paid by another PaymentIntent than this one.
    async fn has_another_door(&self, order: OrderId, intent: &Intent) -> Result<bool, OrdersError> {
        within(async {
            let (another,): (bool,) = sqlx::query_as(
                "select exists (select from orders o
                                  join payments p on p.event_id = o.event_id and p.order_id = o.id
                                 where o.id = $1 and p.payment_intent <> $2)",
            )
            .bind(order)
            .bind(&intent.id)
            .fetch_one(&self.pg)
            .await?;
            Ok(another)
        })
        .await
    }

    pub(super) async fn state_of(&self, order: OrderId) -> Result<OrderState, OrdersError> {
        within(async {
            let found: Option<(OrderState,)> = sqlx::query_as("select state from orders where id = $1")
                .bind(order)
                .fetch_optional(&self.pg)
                .await?;
            found.map(|(state,)| state).ok_or(OrdersError::NotFound)
        })
        .await
    }

    pub(super) async fn paid(
        &self,
        order: OrderId,
        intent: &Intent,
        because: &Because,
    ) -> Result<OrderState, OrdersError> {
        // At most once more: the second look sees what the first one's rival has committed.
        for _ in 0..4 {
            // A late payment may have its seats back if nobody holds them, and Redis knows who holds what.
            // Model: LookAtOrder
            let seats_free = match self.state_of(order).await? {
                OrderState::Failed | OrderState::Expired => {
                    Some(proof::step(Step::TakeAgain, self.take_again(order)).await?)
                }
                _ => None,
            };
            if let Decision::Done { state, moved } = self.decide(order, intent, seats_free, because).await? {
                if moved {
                    self.count_move(state);
                    self.show_now(order).await;
                }
                return Ok(state);
            }
        }
        Err(OrdersError::Inconsistent { order, what: "moves while it is being settled" })
    }

    async fn decide(
        &self,
        order: OrderId,
        intent: &Intent,
        seats_free: Option<bool>,
        because: &Because,
    ) -> Result<Decision, OrdersError> {
        within(async {
            let mut tx = self.pg.begin().await?;
            // Model: Decide
            let mut locked = log::lock(&mut tx, order).await?;
            let before = locked.state;
            let own = own_payment(&mut tx, &locked, intent).await?;
            let seats = claims::seats_of(&mut tx, locked.event_id, order).await?;
            if own {
                record_capture(&mut tx, &locked, intent).await?;
            }

            if !own && !proof::planted(Bug::ForeignIntentTaken) {
                // A second PaymentIntent of the same order: its money goes back, whatever the order is.
                money_back::owe(&mut tx, &locked, intent, intent.amount_received, "not_the_orders_own")
                    .await?;
            } else if self.end_with_its_money(&mut tx, &mut locked, because).await? {
                tracing::warn!(order.id = %order, "was paid and given back before anybody had heard of it");
            } else if !amount_matches(&locked, intent) && !proof::planted(Bug::AmountNotCompared) {
                tracing::error!(order.id = %order, "captured amount differs from the order's");
                give_up_and_refund(&mut tx, &mut locked, intent, "amount_mismatch", because).await?;
            } else if locked.state.is_open() {
                self.confirm(&mut tx, &mut locked, seats.len(), because).await?;
            } else if matches!(locked.state, OrderState::Failed | OrderState::Expired) {
                let Some(free) = seats_free else { return Ok(Decision::Again) };
                if free && retake(&mut tx, &locked, &seats).await? {
                    let because = Because { cause: format!("{}, late", because.cause), ..because.clone() };
                    self.confirm(&mut tx, &mut locked, seats.len(), &because).await?;
                } else if !proof::planted(Bug::LatePaymentKept) {
                    give_up_and_refund(&mut tx, &mut locked, intent, "late_payment", because).await?;
                }
            } else if locked.state == OrderState::Cancelled {
                give_up_and_refund(&mut tx, &mut locked, intent, "paid_after_cancellation", because).await?;
            }
            proof::step(Step::Decide, tx.commit()).await?;
            Ok(Decision::Done { state: locked.state, moved: locked.state != before })
        })
        .await
    }

    /// Asks Redis whether the order's seats are free, and takes them there so that nobody slips in between.
    async fn take_again(&self, order: OrderId) -> Result<bool, OrdersError> {
        let subject = self.subject(order).await?;
        // Model: TakeAgain
        let claimed = self
            .seats
            .claim(
                subject.event_id,
                order,
                subject.hold_id,
                subject.account_id,
                &subject.ordinals,
                self.clock.grace,
            )
            .await?;
        Ok(!matches!(claimed, Claimed::Lost(_)))
    }

    /// Stripe cancelled the PaymentIntent, by our word or at its dashboard: the door is shut.
    async fn canceled_at_stripe(&self, order: OrderId, because: &Because) -> Result<OrderState, OrdersError> {
        self.close(order, OrderState::Cancelled, because).await
    }

    async fn declined(&self, order: OrderId, because: &Because) -> Result<OrderState, OrdersError> {
        match self.payment_failed {
            PaymentFailed::Release => self.close(order, OrderState::Failed, because).await,
            PaymentFailed::Keep => self.state_of(order).await,
        }
    }

    pub(super) fn count_move(&self, state: OrderState) {
        crate::telemetry::Metrics::count(&self.metrics.orders, state.as_str());
    }
}

/// Whether this PaymentIntent is the order's own. Adopts it when its answer had not been stored yet.
pub(super) async fn own_payment(
    tx: &mut PgConnection,
    order: &Locked,
    intent: &Intent,
) -> Result<bool, OrdersError> {
    let adopted = sqlx::query(
        "update payments set payment_intent = $3
          where event_id = $1 and order_id = $2 and (payment_intent = $3 or payment_intent is null)",
    )
    .bind(order.event_id)
    .bind(order.id)
    .bind(&intent.id)
    .execute(tx)
    .await?;
    Ok(adopted.rows_affected() == 1)
}

fn amount_matches(order: &Locked, intent: &Intent) -> bool {
    intent.amount_received == order.amount && intent.currency.eq_ignore_ascii_case(&order.currency)
}

async fn retake(
    tx: &mut PgConnection,
    order: &Locked,
    seats: &[crate::ids::Ordinal],
) -> Result<bool, OrdersError> {
    // A savepoint: when one seat is refused, the others are not kept either, and the refund still commits.
    use sqlx::Connection as _;
    let mut inner = tx.begin().await?;
    let taken = claims::take(&mut inner, order.event_id, order.id, seats, 60.0).await?;
    if taken == seats.len() {
        inner.commit().await?;
        Ok(true)
    } else {
        inner.rollback().await?;
        Ok(false)
    }
}

/// The order cannot be had for this money: it ends, if it had not, and the money goes back once.
async fn give_up_and_refund(
    tx: &mut PgConnection,
    order: &mut Locked,
    intent: &Intent,
    cause: &str,
    because: &Because,
) -> Result<(), OrdersError> {
    if give_up(tx, order, cause, because).await? {
        money_back::owe(tx, order, intent, intent.amount_received, cause).await?;
    }
    Ok(())
}

/// Ends an order that gets nothing for its money, and says whether it now waits for that to go back.
pub(super) async fn give_up(
    tx: &mut PgConnection,
    order: &mut Locked,
    cause: &str,
    because: &Because,
) -> Result<bool, OrdersError> {
    if order.state == OrderState::AwaitingPayment {
        sqlx::query("update orders set closing_as = 'failed' where id = $1")
            .bind(order.id)
            .execute(&mut *tx)
            .await?;
        order.advance(tx, OrderState::Closing, because).await?;
    }
    if order.state == OrderState::Closing {
        claims::drop_all(tx, order.event_id, order.id).await?;
        order.advance(tx, order.closing_as.unwrap_or(OrderState::Failed), because).await?;
    }
    if matches!(order.state, OrderState::Failed | OrderState::Cancelled | OrderState::Expired) {
        let because = Because { cause: cause.to_owned(), ..because.clone() };
        order.advance(tx, OrderState::Refunding, &because).await?;
        return Ok(true);
    }
    Ok(false)
}

async fn record_capture(tx: &mut PgConnection, order: &Locked, intent: &Intent) -> Result<(), OrdersError> {
    sqlx::query(
        "update payments set state = 'succeeded', captured = $4
          where event_id = $1 and order_id = $2 and payment_intent = $3",
    )
    .bind(order.event_id)
    .bind(order.id)
    .bind(&intent.id)
    .bind(intent.amount_received)
    .execute(tx)
    .await?;
    Ok(())
}
