//! The walk over Stripe's own list: money that was captured for an order that we have lost is found again.
//!
//! Webhooks and open orders lead to every payment that Postgres knows of. This is for what it does not: commits that
//! vanished with a failover, or a backup that was restored.

use time::OffsetDateTime;

use crate::orders::Desk;
use crate::orders::error::OrdersError;
use crate::orders::log::{Actor, Because};
use crate::payments::{Intent, IntentStatus};
use crate::stores::postgres::within;

/// The cursor's name in Postgres.
const CURSOR: &str = "captures";

/// How far the first walk goes back, and how far each next one overlaps the last: a payment is often paid minutes
/// after its PaymentIntent was made.
const FIRST_SECONDS: i64 = 24 * 60 * 60;
const OVERLAP_SECONDS: i64 = 60 * 60;

/// Pages of one walk. What is left waits for the next.
const PAGES: usize = 20;

impl Desk {
    /// Walks over recent PaymentIntents and settles what was captured and is not settled. One node at a time;
    /// says how many it had to settle.
    pub async fn reconcile_captures(&self) -> Result<usize, OrdersError> {
        let Some(since) = self.take_cursor().await? else { return Ok(0) };
        let mut settled = 0;
        let mut newest = since;
        let mut after: Option<String> = None;
        for _ in 0..PAGES {
            let page = self.payments.recent_intents(since - OVERLAP_SECONDS, after.as_deref()).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id.clone());
            for intent in &page {
                newest = newest.max(intent.created);
                if intent.status == IntentStatus::Succeeded
                    && intent.order().is_some()
                    && !self.is_settled(intent).await?
                {
                    settled += 1;
                    self.settle_or_park(intent).await?;
                }
            }
        }
        self.move_cursor(newest).await?;
        Ok(settled)
    }

    async fn settle_or_park(&self, intent: &Intent) -> Result<(), OrdersError> {
        let because = Because::of(Actor::Reconciler, "found in Stripe's list");
        // Model: WalkCaptures
        match self.settle(intent, &because).await {
            Ok(_) => Ok(()),
            Err(OrdersError::NotFound) => self.park_money(intent, "its order is not known").await,
            Err(error) => Err(error),
        }
    }

    /// Whether Postgres knows that this was captured, on whichever order, or has parked it.
    async fn is_settled(&self, intent: &Intent) -> Result<bool, OrdersError> {
        within(async {
            let (known,): (bool,) = sqlx::query_as(
                "select exists (select from payments where payment_intent = $1 and state = 'succeeded')
                     or exists (select from refunds where payment_intent = $1)
                     or exists (select from parked_payments where payment_intent = $1)",
            )
            .bind(&intent.id)
            .fetch_one(&self.pg)
            .await?;
            Ok(known)
        })
        .await
    }

    /// Where the last walk got to, in Unix seconds; `None` when another node walked a moment ago.
    async fn take_cursor(&self) -> Result<Option<i64>, OrdersError> {
        let first = OffsetDateTime::now_utc().unix_timestamp() - FIRST_SECONDS;
        within(async {
            sqlx::query(
                "insert into reconciler_cursors (name, position, updated_at) values ($1, $2, '-infinity')
                 on conflict (name) do nothing",
            )
            .bind(CURSOR)
            .bind(first.to_string())
            .execute(&self.pg)
            .await?;
            let taken: Option<(String,)> = sqlx::query_as(
                "update reconciler_cursors set updated_at = now()
                  where name = $1 and updated_at <= now() - make_interval(secs => $2) returning position",
            )
            .bind(CURSOR)
            .bind(self.clock.reconcile.as_secs_f64())
            .fetch_optional(&self.pg)
            .await?;
            Ok(taken.map(|(position,)| position.parse().unwrap_or(first)))
        })
        .await
    }

    async fn move_cursor(&self, position: i64) -> Result<(), OrdersError> {
        within(async {
            sqlx::query("update reconciler_cursors set position = $2 where name = $1")
                .bind(CURSOR)
                .bind(position.to_string())
                .execute(&self.pg)
                .await?;
            Ok(())
        })
        .await
    }
}
