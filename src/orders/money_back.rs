//! Refunds: one row per cause, written before Stripe is asked, sent until Stripe has answered.

use std::collections::HashMap;

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

use crate::ids::{EventId, OrderId, RefundId};
use crate::orders::effects::{self, Effect};
use crate::orders::error::OrdersError;
use crate::orders::log::{self, Actor, Because, Locked};
use crate::orders::state::OrderState;
use crate::orders::{Desk, letters, settle};
use crate::payments::{Intent, Refund};
use crate::proof::{self, Bug, Step};
use crate::stores::postgres::within;

/// Stripe may forget an idempotency key after a day: from here on it is asked what it has before it is told again.
const KEY_IS_FRESH: Duration = Duration::hours(20);

/// Owes a refund for a captured payment. The same cause again changes nothing.
pub(super) async fn owe(
    tx: &mut PgConnection,
    order: &Locked,
    intent: &Intent,
    amount: i64,
    cause: &str,
) -> Result<(), OrdersError> {
    let currency = intent.currency.to_ascii_lowercase();
    owe_for(tx, (order.event_id, order.id), &intent.id, (amount, &currency), cause).await
}

pub(super) async fn owe_for(
    tx: &mut PgConnection,
    (event, order): (EventId, OrderId),
    intent: &str,
    (amount, currency): (i64, &str),
    cause: &str,
) -> Result<(), OrdersError> {
    let refund: Option<(RefundId,)> = sqlx::query_as(
        "insert into refunds (id, event_id, order_id, payment_intent, amount, currency, cause)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict on constraint refunds_once_per_cause do nothing
         returning id",
    )
    .bind(RefundId::new())
    .bind(event)
    .bind(order)
    .bind(intent)
    .bind(amount)
    .bind(currency)
    .bind(cause)
    .fetch_optional(&mut *tx)
    .await?;
    match refund {
        Some((refund,)) => effects::owe(tx, event, Effect::Refund(refund)).await,
        None if proof::planted(Bug::RefundEachTime) => {
            Box::pin(owe_for(tx, (event, order), intent, (amount, currency), &format!("{cause} again"))).await
        }
        None => Ok(()),
    }
}

#[derive(Debug, Clone, sqlx::FromRow)]
struct Due {
    id: RefundId,
    order_id: OrderId,
    event_id: EventId,
    payment_intent: String,
    amount: i64,
    state: String,
    stripe_refund: Option<String>,
    created_at: OffsetDateTime,
}

impl Desk {
    /// Sends a refund that is due, and records what Stripe says of it.
    pub(super) async fn send_refund(&self, refund: RefundId) -> Result<(), OrdersError> {
        let due = self.refund_row(refund).await?;
        // Model: ReadRefund
        if due.state != "due" {
            return Ok(());
        }
        let sent = if let Some(sent) = self.sent_before(&due).await? {
            sent
        } else {
            // Model: SendRefund
            let sending = self.payments.refund(due.id, &due.payment_intent, due.amount, metadata(&due));
            proof::step(Step::SendRefund, sending).await?
        };
        self.record_refund(&due, &sent).await
    }

    /// After a day, what Stripe has is looked up by the metadata that we gave it.
    async fn sent_before(&self, due: &Due) -> Result<Option<Refund>, OrdersError> {
        if OffsetDateTime::now_utc() - due.created_at < KEY_IS_FRESH {
            return Ok(None);
        }
        Ok(self.payments.refund_made(due.id, &due.payment_intent).await?)
    }

    /// Asks Stripe how a pending refund stands, and says whether it has moved.
    pub(super) async fn look_at_refund(&self, refund: RefundId) -> Result<bool, OrdersError> {
        let due = self.refund_row(refund).await?;
        let Some(id) = &due.stripe_refund else { return Ok(false) };
        let now = self.payments.refund_by_id(id).await?;
        match now {
            Some(now) => {
                self.record_refund(&due, &now).await?;
                Ok(now.status.recorded_as() != due.state)
            }
            None => Err(OrdersError::Inconsistent { order: due.order_id, what: "Stripe lost a refund" }),
        }
    }

    /// A refund that Stripe tells us of: one of ours, or one made at Stripe's own dashboard, which is adopted.
    ///
    /// Answers whether that changed anything here.
    pub(super) async fn adopt_refund(&self, refund: &Refund) -> Result<bool, OrdersError> {
        let known = match self.recorded_as(refund).await? {
            None => self.insert_foreign(refund).await?,
            known => known,
        };
        // Who found it written down by another in between takes that: a refund that was looked past would let its payment confirm.
        let known = match known {
            None => self.recorded_as(refund).await?,
            known => known,
        };
        let Some(id) = known else { return self.resolve_parked(refund).await };
        let due = self.refund_row(id).await?;
        self.record_refund(&due, refund).await?;
        Ok(true)
    }

    /// Under which id we have it.
    async fn recorded_as(&self, refund: &Refund) -> Result<Option<RefundId>, OrdersError> {
        within(async {
            let ours = refund.metadata.get("refund_id").and_then(|id| id.parse::<RefundId>().ok());
            let known: Option<(RefundId,)> =
                sqlx::query_as("select id from refunds where stripe_refund = $1 or id = $2")
                    .bind(&refund.id)
                    .bind(ours)
                    .fetch_optional(&self.pg)
                    .await?;
            Ok(known.map(|(id,)| id))
        })
        .await
    }

    async fn insert_foreign(&self, refund: &Refund) -> Result<Option<RefundId>, OrdersError> {
        within(async {
            // It is under way at Stripe already: whoever finds it like this asks how it stands, and sends no other.
            let adopted = sqlx::query_as(
                "insert into refunds (id, event_id, order_id, payment_intent, amount, currency, cause, state,
                                      stripe_refund)
                 select $1, event_id, order_id, payment_intent, $3, currency, 'stripe:' || $4, 'pending', $4
                   from payments where payment_intent = $2
                 on conflict do nothing returning id",
            )
            .bind(RefundId::new())
            .bind(&refund.intent)
            .bind(refund.amount)
            .bind(&refund.id)
            .fetch_optional(&self.pg);
            let made: Option<(RefundId,)> = proof::step(Step::AdoptRefund, adopted).await?;
            Ok(made.map(|(id,)| id))
        })
        .await
    }

    async fn record_refund(&self, due: &Due, now: &Refund) -> Result<(), OrdersError> {
        let state = now.status.recorded_as();
        if state == "failed" {
            tracing::error!(refund.id = %due.id, order.id = %due.order_id, "a refund failed: a person must act");
        }
        let ended = within(async {
            let mut tx = self.pg.begin().await?;
            let mut order = log::lock(&mut tx, due.order_id).await?;
            sqlx::query(
                // Model: RecordRefund
                "update refunds set state = $2, stripe_refund = $3, check_at = now() + make_interval(secs => $4)
                  where id = $1",
            )
            .bind(due.id)
            .bind(state)
            .bind(&now.id)
            .bind(self.clock.reconcile.as_secs_f64())
            .execute(&mut *tx)
            .await?;
            let because = Because::of(Actor::Stripe, "the money went back");
            // An order that ends has a letter of its own, and so will one whose payment is yet to be heard of.
            let ends = self.end_with_its_money(&mut tx, &mut order, &because).await?;
            if !ends && state == "succeeded" && !is_unheard_of(&mut tx, due).await? {
                letters::returned(&mut tx, &order, due.id).await?;
            }
            proof::step(Step::RecordRefund, tx.commit()).await?;
            Ok::<_, OrdersError>(order.state)
        })
        .await?;
        if ended == OrderState::Refunded {
            self.count_move(ended);
            self.show_now(due.order_id).await;
        }
        Ok(())
    }

    /// Ends an order when all that was captured for it has gone back, whoever sent it, and says whether it has. At Stripe's
    /// dashboard that can happen before anybody here has heard of the payment.
    pub(super) async fn end_with_its_money(
        &self,
        tx: &mut PgConnection,
        order: &mut Locked,
        because: &Because,
    ) -> Result<bool, OrdersError> {
        if !money_is_back(tx, order).await? {
            return Ok(false);
        }
        match order.state {
            // Nothing is paid for any more.
            OrderState::Confirmed => self.undo_sale(tx, order, because).await?,
            OrderState::AwaitingPayment | OrderState::Closing | OrderState::Failed | OrderState::Expired => {
                settle::give_up(tx, order, &because.cause, because).await?;
                effects::owe(tx, order.event_id, Effect::Show(order.id)).await?;
            }
            OrderState::Cancelled | OrderState::Refunding | OrderState::Refunded => {}
        }
        if order.state == OrderState::Cancelled {
            order.advance(tx, OrderState::Refunding, because).await?;
        }
        if order.state == OrderState::Refunding {
            order.advance(tx, OrderState::Refunded, because).await?;
            letters::refunded(tx, order).await?;
        }
        Ok(true)
    }

    async fn refund_row(&self, refund: RefundId) -> Result<Due, OrdersError> {
        within(async {
            sqlx::query_as(
                "select id, order_id, event_id, payment_intent, amount, state, stripe_refund, created_at
                   from refunds where id = $1",
            )
            .bind(refund)
            .fetch_optional(&self.pg)
            .await?
            .ok_or(OrdersError::NotFound)
        })
        .await
    }
}

/// Whether everything that was captured on the order's own payment has come back.
async fn money_is_back(tx: &mut PgConnection, order: &Locked) -> Result<bool, OrdersError> {
    let (captured, returned): (i64, i64) = sqlx::query_as(
        "select coalesce((select sum(captured) from payments where event_id = $1 and order_id = $2), 0)::bigint,
                coalesce((select sum(r.amount) from refunds r
                            join payments p on p.payment_intent = r.payment_intent
                           where r.event_id = $1 and r.order_id = $2 and r.state = 'succeeded'), 0)::bigint",
    )
    .bind(order.event_id)
    .bind(order.id)
    .fetch_one(tx)
    .await?;
    Ok(captured > 0 && returned >= captured)
}

/// Whether nobody here has heard that the payment which this gives back was ever made.
async fn is_unheard_of(tx: &mut PgConnection, due: &Due) -> Result<bool, OrdersError> {
    let (unheard,): (bool,) =
        sqlx::query_as("select exists (select from payments where payment_intent = $1 and captured = 0)")
            .bind(&due.payment_intent)
            .fetch_one(tx)
            .await?;
    Ok(unheard)
}

fn metadata(due: &Due) -> HashMap<String, String> {
    HashMap::from([
        ("order_id".to_owned(), due.order_id.to_string()),
        ("event_id".to_owned(), due.event_id.to_string()),
    ])
}
