//! The pass that attends to open orders when their moment comes: time is up, a closing must be tried again, or
//! no webhook has spoken of a payment for a while and Stripe is asked.

use crate::ids::{EventId, OrderId, RefundId};
use crate::orders::Desk;
use crate::orders::effects::{self, Effect};
use crate::orders::error::OrdersError;
use crate::orders::lease::side_by_side;
use crate::orders::log::{Actor, Because};
use crate::orders::state::OrderState;
use crate::stores::postgres::within;
use crate::telemetry::Metrics;

/// Open orders looked at in one pass. Each asks Stripe at most twice, whose limits are per second.
const BATCH: i64 = 16;

#[derive(Debug, sqlx::FromRow)]
struct Open {
    id: OrderId,
    state: OrderState,
    closing_as: Option<OrderState>,
    overdue: bool,
}

impl Desk {
    /// Looks at the open orders whose moment has come, and says how many there were.
    pub async fn attend(&self) -> Result<usize, OrdersError> {
        let due: Vec<Open> = within(async {
            Ok::<_, OrdersError>(
                sqlx::query_as(
                    // The lease is the next moment to look: a crash in between costs one period.
                    "update orders set check_at = case when pay_by <= now() or state = 'closing'
                                                       then now() + interval '2 seconds'
                                                       else least(pay_by, now() + make_interval(secs => $2)) end
                      where (event_id, id) in (
                            select event_id, id from orders
                             where state in ('awaiting_payment', 'closing') and check_at <= now()
                             order by check_at limit $1 for update skip locked)
                      returning id, state, closing_as, pay_by <= now() as overdue",
                )
                .bind(BATCH)
                .bind(self.clock.reconcile.as_secs_f64())
                .fetch_all(&self.pg)
                .await?,
            )
        })
        .await?;
        side_by_side(
            due,
            |order| {
                let desk = self.clone();
                async move {
                    let id = order.id;
                    if let Err(error) = desk.attend_to(order).await {
                        tracing::warn!(%error, order.id = %id, "an open order is looked at again");
                    }
                    Ok(None)
                }
            },
            // Its next look is in its row already.
            |_: Vec<()>| async { Ok(()) },
        )
        .await
    }

    /// Has every open order looked at now, and not when its moment comes.
    pub async fn look_at_open_orders_now(&self) -> Result<(), OrdersError> {
        within(async {
            sqlx::query("update orders set check_at = now() where state in ('awaiting_payment', 'closing')")
                .execute(&self.pg)
                .await?;
            Ok(())
        })
        .await
    }

    async fn attend_to(&self, order: Open) -> Result<(), OrdersError> {
        if order.state == OrderState::Closing || order.overdue {
            let end = order.closing_as.unwrap_or(OrderState::Expired);
            self.close(order.id, end, &Because::of(Actor::Clock, "not paid in time")).await?;
            return Ok(());
        }
        let Some(wanted) = self.wanted_payment(order.id).await? else { return Ok(()) };
        let Some(intent) = &wanted.payment_intent else {
            return self.go_on_with_checkout(order.id).await;
        };
        // Model: AskStripe
        match self.payments.intent(intent).await? {
            Some(intent) => {
                let before = self.state_of(order.id).await?;
                let now =
                    self.settle_found(&intent, &Because::of(Actor::Reconciler, "Stripe was asked")).await?;
                if now != before {
                    Metrics::count(&self.metrics.reconciled, "orders");
                }
                Ok(())
            }
            None => Err(OrdersError::Inconsistent { order: order.id, what: "Stripe lost its PaymentIntent" }),
        }
    }

    /// Asks Stripe about refunds that were pending when last seen, sees to it that those that are due are owed, and says how
    /// many there were.
    pub async fn attend_refunds(&self) -> Result<usize, OrdersError> {
        let due: Vec<(RefundId, EventId, String)> = within(async {
            Ok::<_, OrdersError>(
                sqlx::query_as(
                    "update refunds set check_at = now() + make_interval(secs => $2)
                      where id in (select id from refunds where state in ('due', 'pending') and check_at <= now()
                                    order by check_at limit $1 for update skip locked)
                      returning id, event_id, state",
                )
                .bind(BATCH)
                .bind(self.clock.reconcile.as_secs_f64())
                .fetch_all(&self.pg)
                .await?,
            )
        })
        .await?;
        for (refund, event, state) in &due {
            let moved = match state.as_str() {
                "due" => self.owe_again(*event, *refund).await?,
                _ => self.look_at_refund(*refund).await?,
            };
            Metrics::count_many(&self.metrics.reconciled, "refunds", moved.into());
        }
        Ok(due.len())
    }

    /// Nothing sends a refund whose effect was lost: a row that somebody removed by hand, say.
    async fn owe_again(&self, event: EventId, refund: RefundId) -> Result<bool, OrdersError> {
        within(async {
            let mut db = self.pg.acquire().await?;
            let (owed,): (bool,) = sqlx::query_as(
                "select exists (select from outbox where kind = 'refund' and payload ->> 'refund' = $1::text)
                     or not exists (select from refunds where id = $1 and state = 'due')",
            )
            .bind(refund)
            .fetch_one(&mut *db)
            .await?;
            if !owed {
                tracing::warn!(refund.id = %refund, "a refund that nobody was to send is owed again");
                effects::owe(&mut db, event, Effect::Refund(refund)).await?;
            }
            Ok(!owed)
        })
        .await
    }
}
