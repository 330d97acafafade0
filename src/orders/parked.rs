//! Captured money that waits for a person: what is known of it, and when it no longer waits.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::orders::Desk;
use crate::orders::error::OrdersError;
use crate::payments::{Intent, Refund, RefundStatus};
use crate::proof::{self, Step};
use crate::stores::postgres::within;

/// A captured payment that belongs to no order that we have.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Parked {
    pub payment_intent: String,
    pub amount: i64,
    pub currency: String,
    pub reason: String,
    pub parked_at: OffsetDateTime,
    /// The order and the event that it was taken for, as Stripe keeps them.
    pub order_id: Option<Uuid>,
    pub event_id: Option<Uuid>,
    pub event_title: Option<String>,
}

impl Desk {
    /// What waits, oldest first.
    pub async fn parked_payments(&self) -> Result<Vec<Parked>, OrdersError> {
        within(async {
            Ok(sqlx::query_as(
                "select p.payment_intent, p.amount, p.currency, p.reason, p.parked_at, p.order_id, p.event_id,
                        e.title as event_title
                   from parked_payments p left join events e on e.id = p.event_id
                  where p.resolved_at is null order by p.parked_at",
            )
            .fetch_all(&self.pg)
            .await?)
        })
        .await
    }

    /// Keeps captured money that belongs to no order where a person will find it.
    pub(super) async fn park_money(&self, intent: &Intent, reason: &str) -> Result<(), OrdersError> {
        if intent.amount_received == 0 {
            return Ok(());
        }
        tracing::error!(intent = intent.id, reason, "captured money is parked for a person");
        within(async {
            // Model: Park
            let parked = sqlx::query(
                "insert into parked_payments (payment_intent, amount, currency, reason, order_id, event_id)
                 values ($1, $2, $3, $4, $5, $6) on conflict (payment_intent) do nothing",
            )
            .bind(&intent.id)
            .bind(intent.amount_received)
            .bind(&intent.currency)
            .bind(reason)
            .bind(intent.order())
            .bind(intent.event())
            .execute(&self.pg);
            proof::step(Step::Park, parked).await?;
            Ok(())
        })
        .await
    }

    /// Whether somebody has found it to be nobody's already.
    pub(super) async fn is_parked(&self, intent: &Intent) -> Result<bool, OrdersError> {
        within(async {
            let asked =
                sqlx::query_as("select exists (select from parked_payments where payment_intent = $1)");
            let (parked,): (bool,) = asked.bind(&intent.id).fetch_one(&self.pg).await?;
            Ok(parked)
        })
        .await
    }

    /// A person gave parked money back at Stripe: it waits for nobody any more.
    pub(super) async fn resolve_parked(&self, refund: &Refund) -> Result<bool, OrdersError> {
        let Some(intent) = &refund.intent else { return Ok(false) };
        let parked: Option<(i64,)> = within(async {
            Ok::<_, OrdersError>(
                sqlx::query_as(
                    "select amount from parked_payments where payment_intent = $1 and resolved_at is null",
                )
                .bind(intent)
                .fetch_optional(&self.pg)
                .await?,
            )
        })
        .await?;
        let Some((amount,)) = parked else { return Ok(false) };
        if given_back(&self.payments.refunds_of(intent).await?) < amount {
            return Ok(false);
        }
        within(async {
            let resolved = sqlx::query(
                "update parked_payments set resolved_at = now() where payment_intent = $1 and resolved_at is null",
            )
            .bind(intent)
            .execute(&self.pg)
            .await?;
            Ok(resolved.rows_affected() == 1)
        })
        .await
    }
}

/// What has arrived at the customer again.
pub(super) fn given_back(refunds: &[Refund]) -> i64 {
    refunds.iter().filter(|refund| refund.status == RefundStatus::Succeeded).map(|refund| refund.amount).sum()
}
