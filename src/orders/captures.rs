//! The walks over Stripe's own lists: money that was captured or given back, and that we have lost, is found again.
//!
//! Webhooks and open orders lead to everything that Postgres knows of. This is for what it does not: commits that vanished
//! with a failover, or a backup that was restored. Stripe lists the newest first, so a walk that was cut short would skip what
//! is older: it is gone on with, page by page, until it is whole.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::orders::Desk;
use crate::orders::error::OrdersError;
use crate::orders::log::{Actor, Because};
use crate::payments::{Cancelled, Intent, IntentStatus, Refund};
use crate::proof::{self, Step};
use crate::stores::postgres::within;
use crate::telemetry::Metrics;

/// The cursors' names in Postgres.
const CAPTURES: &str = "captures";
const REFUNDS: &str = "refunds";

/// How far the first walk goes back, and how far each next one overlaps the last: a payment is often paid minutes
/// after its PaymentIntent was made.
const FIRST_SECONDS: i64 = 24 * 60 * 60;
const OVERLAP_SECONDS: i64 = 60 * 60;

/// Pages of one step. After them the walk is written down, so that a crash does not begin it anew.
const PAGES: usize = 5;

/// What a step of a walk came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Walked {
    /// What had to be put right.
    pub found: usize,
    /// What could not be, and is looked at again by the next walk.
    pub failed: usize,
    /// More pages wait.
    pub unfinished: bool,
}

/// Where a walk stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Walk {
    /// Unix seconds: everything made before this was walked over.
    since: i64,
    /// The newest that this walk has met: where the next one begins.
    newest: i64,
    /// Where it goes on.
    after: Option<String>,
    /// Something could not be put right: the next walk begins where this one did.
    stuck: bool,
}

impl Walk {
    fn from(since: i64) -> Self {
        Self { since, newest: since, after: None, stuck: false }
    }

    /// A bare number is a walk that was finished.
    fn read(position: &str) -> Option<Self> {
        position.parse().map(Self::from).ok().or_else(|| serde_json::from_str(position).ok())
    }

    fn position(&self) -> String {
        match &self.after {
            None if self.stuck => self.since.to_string(),
            None => self.newest.to_string(),
            Some(_) => serde_json::json!(self).to_string(),
        }
    }

    fn begins(&self) -> i64 {
        self.since - OVERLAP_SECONDS
    }

    /// Counts what became of one entry. Only an outage ends the step: one entry that makes no sense hides no other.
    fn note(
        &mut self,
        id: &str,
        looked: Result<bool, OrdersError>,
        sum: &mut Walked,
    ) -> Result<(), OrdersError> {
        match looked {
            Ok(found) => sum.found += usize::from(found),
            Err(error) if error.is_outage() => return Err(error),
            Err(error) => {
                tracing::error!(%error, stripe.id = id, "what Stripe knows could not be brought back; trying again");
                sum.failed += 1;
                self.stuck = true;
            }
        }
        Ok(())
    }
}

impl Desk {
    /// Goes on with the walk over recent PaymentIntents: what was captured and is not settled is settled, or parked. One node
    /// at a time.
    pub async fn reconcile_captures(&self) -> Result<Walked, OrdersError> {
        let Some(mut walk) = self.take_cursor(CAPTURES).await? else { return Ok(Walked::default()) };
        let mut sum = Walked::default();
        for _ in 0..PAGES {
            let page = self.payments.recent_intents(walk.begins(), walk.after.as_deref()).await?;
            for intent in &page.entries {
                walk.newest = walk.newest.max(intent.created);
                let looked = self.look_at_intent(intent).await;
                walk.note(&intent.id, looked, &mut sum)?;
            }
            walk.after = page.next;
            if walk.after.is_none() {
                break;
            }
        }
        Metrics::count_many(&self.metrics.reconciled, "captures", sum.found as u64);
        self.leave_cursor(CAPTURES, &walk, sum).await
    }

    /// Goes on with the walk over recent refunds: one that we have forgotten has ended an order that we think paid.
    pub async fn reconcile_refunds(&self) -> Result<Walked, OrdersError> {
        let Some(mut walk) = self.take_cursor(REFUNDS).await? else { return Ok(Walked::default()) };
        let mut sum = Walked::default();
        for _ in 0..PAGES {
            let page = self.payments.recent_refunds(walk.begins(), walk.after.as_deref()).await?;
            for refund in &page.entries {
                walk.newest = walk.newest.max(refund.created);
                let looked = self.look_at_listed(refund).await;
                walk.note(&refund.id, looked, &mut sum)?;
            }
            walk.after = page.next;
            if walk.after.is_none() {
                break;
            }
        }
        Metrics::count_many(&self.metrics.reconciled, "refunds", sum.found as u64);
        self.leave_cursor(REFUNDS, &walk, sum).await
    }

    /// Has both walks begin at once, at that moment if one is given: whoever restored a backup knows how far back it goes.
    pub async fn walk_again(&self, since: Option<OffsetDateTime>) -> Result<(), OrdersError> {
        let since = since.map(|moment| (moment.unix_timestamp() + OVERLAP_SECONDS).to_string());
        let first = OffsetDateTime::now_utc().unix_timestamp() - FIRST_SECONDS;
        for cursor in [CAPTURES, REFUNDS] {
            within(async {
                sqlx::query(
                    "insert into reconciler_cursors as known (name, position, updated_at)
                     values ($1, coalesce($2, $3), '-infinity')
                     on conflict (name) do update
                        set position = coalesce($2, known.position), updated_at = '-infinity'",
                )
                .bind(cursor)
                .bind(&since)
                .bind(first.to_string())
                .execute(&self.pg)
                .await?;
                Ok::<_, OrdersError>(())
            })
            .await?;
        }
        Ok(())
    }

    async fn look_at_intent(&self, intent: &Intent) -> Result<bool, OrdersError> {
        if is_payable(intent.status) {
            return self.shut_a_door_of_nobodys(intent).await;
        }
        if intent.status != IntentStatus::Succeeded
            || intent.order().is_none()
            || self.is_settled(intent).await?
        {
            return Ok(false);
        }
        let because = Because::of(Actor::Reconciler, "found in Stripe's list");
        // Model: WalkCaptures
        match self.settle_found(intent, &because).await {
            Ok(_) => Ok(true),
            Err(OrdersError::NotFound) => self.find_a_home(intent).await,
            Err(error) => Err(error),
        }
    }

    /// A PaymentIntent that was opened for one of our orders while its answer was lost for good, and that another has taken the
    /// place of. Nobody was ever told its secret; it is shut all the same, so that an order has one door and no more.
    async fn shut_a_door_of_nobodys(&self, intent: &Intent) -> Result<bool, OrdersError> {
        let age = OffsetDateTime::now_utc().unix_timestamp() - intent.created;
        if Duration::from_secs(age.unsigned_abs()) < self.clock.reconcile * 2 || age < 0 {
            // Its answer may still be on its way to us.
            return Ok(false);
        }
        let (strays,): (bool,) = within(async {
            let asked = sqlx::query_as(
                "select not exists (select from payments where payment_intent = $1)
                        and exists (select from payments p
                                      join orders o on o.event_id = p.event_id and o.id = p.order_id
                                     where o.id = $2 and (p.payment_intent is not null
                                           or o.state not in ('awaiting_payment', 'closing')))",
            );
            Ok::<_, OrdersError>(asked.bind(&intent.id).bind(intent.order()).fetch_one(&self.pg).await?)
        })
        .await?;
        if !strays {
            return Ok(false);
        }
        tracing::warn!(intent = intent.id, "a payment that nobody was told of is cancelled");
        let cancelled = proof::step(Step::ShutStray, self.payments.cancel(&intent.id)).await?;
        Ok(matches!(cancelled, Cancelled::Done(_)))
    }

    /// Captured for an order that we do not have. It is not given back unasked: the order may be another house's on the same
    /// account, or its customer may hold tickets in hand. A person decides.
    async fn find_a_home(&self, intent: &Intent) -> Result<bool, OrdersError> {
        if self.is_given_back(intent).await? {
            return Ok(false);
        }
        self.park_money(intent, "its order is not known").await?;
        Ok(true)
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

    async fn look_at_listed(&self, refund: &Refund) -> Result<bool, OrdersError> {
        if self.is_recorded(refund).await? { Ok(false) } else { self.adopt_refund(refund).await }
    }

    /// Where the last walk got to; `None` when another node walked a moment ago.
    async fn take_cursor(&self, cursor: &str) -> Result<Option<Walk>, OrdersError> {
        let first = OffsetDateTime::now_utc().unix_timestamp() - FIRST_SECONDS;
        within(async {
            sqlx::query(
                "insert into reconciler_cursors (name, position, updated_at) values ($1, $2, '-infinity')
                 on conflict (name) do nothing",
            )
            .bind(cursor)
            .bind(first.to_string())
            .execute(&self.pg)
            .await?;
            let taken: Option<(String,)> = sqlx::query_as(
                "update reconciler_cursors set updated_at = now()
                  where name = $1 and updated_at <= now() - make_interval(secs => $2) returning position",
            )
            .bind(cursor)
            .bind(self.clock.reconcile.as_secs_f64())
            .fetch_optional(&self.pg)
            .await?;
            Ok(taken.map(|(position,)| Walk::read(&position).unwrap_or_else(|| Walk::from(first))))
        })
        .await
    }

    /// Writes down where the walk stands. One that has more pages to go is anybody's to go on with at once.
    async fn leave_cursor(&self, cursor: &str, walk: &Walk, sum: Walked) -> Result<Walked, OrdersError> {
        let unfinished = walk.after.is_some();
        within(async {
            sqlx::query(
                "update reconciler_cursors
                    set position = $2, updated_at = case when $3 then '-infinity' else updated_at end
                  where name = $1",
            )
            .bind(cursor)
            .bind(walk.position())
            .bind(unfinished)
            .execute(&self.pg)
            .await?;
            Ok::<_, OrdersError>(())
        })
        .await?;
        Metrics::count_many(&self.metrics.reconciled, "stuck", sum.failed as u64);
        Ok(Walked { unfinished, ..sum })
    }
}

fn is_payable(status: IntentStatus) -> bool {
    match status {
        IntentStatus::RequiresPaymentMethod
        | IntentStatus::RequiresConfirmation
        | IntentStatus::RequiresAction
        | IntentStatus::RequiresCapture => true,
        IntentStatus::Processing | IntentStatus::Succeeded | IntentStatus::Canceled => false,
    }
}

#[cfg(test)]
mod tests {
    use super::Walk;

    #[test]
    fn a_walk_goes_on_where_it_was_left_and_the_next_begins_at_the_newest() {
        let half = Walk { since: 10, newest: 90, after: Some("pi_7".to_owned()), stuck: false };
        assert_eq!(Walk::read(&half.position()), Some(half.clone()));
        let whole = Walk { after: None, ..half };
        assert_eq!(Walk::read(&whole.position()), Some(Walk::from(90)));
    }

    #[test]
    fn what_could_not_be_put_right_is_walked_over_again() {
        let stuck = Walk { since: 10, newest: 90, after: None, stuck: true };
        assert_eq!(Walk::read(&stuck.position()), Some(Walk::from(10)));
    }
}
