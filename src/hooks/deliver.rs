//! Couriers: each takes what one endpoint is owed, sends it, and records what came of it.
//!
//! Deliveries are leased, not locked: nothing is open while another system is asked. One that dies in between is sent
//! again, which is why a delivery may arrive twice.

use std::time::Duration;

use futures_util::future::join_all;
use rand::RngExt as _;
use secrecy::SecretString;
use serde_json::Value;
use time::OffsetDateTime;

use super::endpoint::{HookState, with_secret};
use super::payload::Envelope;
use super::{Hooks, HooksError, Outcome};
use crate::ids::{HookEventId, HookId};
use crate::proof::{self, Step};
use crate::stores::postgres::within;
use crate::telemetry::Metrics;

/// Deliveries to one endpoint at a time, from this node: a quick one is not held up, a slow one not buried.
const AT_A_TIME: i64 = 4;
/// A lease ends this long after the other system had to answer.
const GRACE: Duration = Duration::from_secs(15);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_hours(6);
/// Failures in a row without which no endpoint is disabled, however long it takes.
const FAILURES: i32 = 20;

/// A delivery that this node has leased.
#[derive(Debug, sqlx::FromRow)]
struct Leased {
    hook_event_id: HookEventId,
    replay: i32,
    attempts: i32,
    #[sqlx(rename = "type")]
    kind: String,
    data: Value,
    created_at: OffsetDateTime,
}

impl Hooks {
    /// Endpoints that are owed something now, except these, whoever waits longest first.
    pub async fn due(&self, except: &[HookId], most: usize) -> Result<Vec<HookId>, HooksError> {
        within(async {
            let due: Vec<(HookId,)> = sqlx::query_as(
                // Whoever was shut out has no ears any more: their endpoints end here, for good and with the reason.
                "with silenced as (
                     update hooks h set state = 'disabled', since = now(), reason = 'its account is disabled'
                       from accounts a
                      where a.id = h.account_id and a.disabled_at is not null and h.state = 'enabled' returning h.id)
                 select h.id from hooks h cross join lateral (
                        select d.due_at from hook_deliveries d
                         where d.hook_id = h.id and d.delivered_at is null and d.parked_at is null and d.due_at <= now()
                         order by d.due_at limit 1) as first
                  where h.state = 'enabled' and h.id <> all ($1) and h.id not in (select id from silenced)
                  order by first.due_at limit $2",
            )
            .bind(except.iter().map(|hook| hook.0).collect::<Vec<_>>())
            .bind(i64::try_from(most).unwrap_or(i64::MAX))
            .fetch_all(&self.pg)
            .await?;
            Ok(due.into_iter().map(|(hook,)| hook).collect())
        })
        .await
    }

    /// Sends some of what an endpoint is owed, and says how many there were.
    pub async fn deliver(&self, hook: HookId) -> Result<usize, HooksError> {
        let leased = self.lease(hook).await?;
        if leased.is_empty() {
            return Ok(0);
        }
        let signing = within(async {
            let mut db = self.pg.acquire().await?;
            with_secret(&mut db, None, hook).await
        })
        .await?;
        let secrets = signing.secrets(self).map_err(|error| error.to_string());
        let url = signing.hook.url.as_str();
        let sent = join_all(leased.iter().map(|one| async {
            let outcome = self.send(url, one, secrets.as_deref()).await;
            proof::step(Step::RecordTold, self.record(hook, one, &outcome)).await
        }));
        let count = leased.len();
        for recorded in sent.await {
            recorded?;
        }
        Ok(count)
    }

    async fn lease(&self, hook: HookId) -> Result<Vec<Leased>, HooksError> {
        within(async {
            Ok(sqlx::query_as(
                "update hook_deliveries d
                    set attempts = attempts + 1, tried_at = now(), due_at = now() + make_interval(secs => $3)
                   from hook_events e
                  where (d.hook_id, d.hook_event_id, d.replay) in (
                        select w.hook_id, w.hook_event_id, w.replay
                          from hook_deliveries w join hooks h on h.id = w.hook_id and h.state = 'enabled'
                         where w.hook_id = $1 and w.delivered_at is null and w.parked_at is null and w.due_at <= now()
                         order by w.due_at limit $2 for update of w skip locked)
                    and e.id = d.hook_event_id
                 returning d.hook_event_id, d.replay, d.attempts, e.type, e.data, e.created_at",
            )
            .bind(hook)
            .bind(AT_A_TIME)
            .bind((self.patience.answer + GRACE).as_secs_f64())
            .fetch_all(&self.pg)
            .await?)
        })
        .await
    }

    async fn send(&self, url: &str, what: &Leased, secrets: Result<&[SecretString], &String>) -> Outcome {
        let (id, kind) = (what.hook_event_id, what.kind.clone());
        let envelope = Envelope::new(id, kind, what.created_at, self.live_money, &what.data);
        match secrets {
            Ok(secrets) => proof::step(Step::Deliver, self.wire.send(url, &envelope, secrets)).await,
            Err(error) => Outcome::failed(error.clone()),
        }
    }

    async fn record(&self, hook: HookId, what: &Leased, outcome: &Outcome) -> Result<(), HooksError> {
        let Some(error) = &outcome.error else {
            Metrics::count(&self.metrics.hook_deliveries, "delivered");
            return self.record_success(hook, what, outcome).await;
        };
        let state = self.record_failure(hook, error).await?;
        // A disabled endpoint keeps what it is owed, and goes on with it when it is enabled again.
        let parks = state == Some(HookState::Enabled);
        let parked = self.put_off(hook, what, outcome, parks).await?;
        Metrics::count(&self.metrics.hook_deliveries, if parked { "parked" } else { "failed" });
        tracing::debug!(hook.id = %hook, hook_event.id = %what.hook_event_id, %error, parked, "not told");
        Ok(())
    }

    async fn record_success(&self, hook: HookId, what: &Leased, outcome: &Outcome) -> Result<(), HooksError> {
        within(async {
            sqlx::query(
                "with told as (
                     update hook_deliveries set delivered_at = now(), status = $4, last_error = null
                      where hook_id = $1 and hook_event_id = $2 and replay = $3 and parked_at is null)
                 update hooks set failures = 0, failing_since = null where id = $1 and failures > 0",
            )
            .bind(hook)
            .bind(what.hook_event_id)
            .bind(what.replay)
            .bind(outcome.status.map(u16::cast_signed))
            .execute(&self.pg)
            .await?;
            Ok(())
        })
        .await
    }

    /// Counts a failure; one too many disables the endpoint. Answers how it stands, if it still is.
    async fn record_failure(&self, hook: HookId, error: &str) -> Result<Option<HookState>, HooksError> {
        let (before, after) = within::<_, HooksError>(async {
            let mut tx = self.pg.begin().await?;
            let before: Option<(HookState,)> =
                sqlx::query_as("select state from hooks where id = $1 for no key update")
                    .bind(hook)
                    .fetch_optional(&mut *tx)
                    .await?;
            let after: Option<(HookState,)> = sqlx::query_as(
                "update hooks set failures = failures + 1, failing_since = coalesce(failing_since, now()),
                        state = case when hopeless then 'disabled' else state end,
                        since = case when hopeless then now() else since end,
                        reason = case when hopeless then $4 else reason end
                   from (select state = 'enabled' and failures + 1 >= $2
                                and failing_since <= now() - make_interval(secs => $3) as hopeless
                           from hooks where id = $1) as look
                  where id = $1 returning state",
            )
            .bind(hook)
            .bind(FAILURES)
            .bind(self.patience.disable.as_secs_f64())
            .bind(format!("every delivery failed; the last one: {error}"))
            .fetch_optional(&mut *tx)
            .await?;
            tx.commit().await?;
            Ok((before, after))
        })
        .await?;
        if before != after {
            Metrics::count(&self.metrics.hook_deliveries, "disabled");
            tracing::warn!(hook.id = %hook, %error, "an endpoint that only fails is disabled");
        }
        Ok(after.map(|(state,)| state))
    }

    /// When to try again; never, when its time is over and it may be `parked`. Answers whether that is so.
    async fn put_off(
        &self,
        hook: HookId,
        what: &Leased,
        outcome: &Outcome,
        parks: bool,
    ) -> Result<bool, HooksError> {
        within(async {
            let row: Option<(bool,)> = sqlx::query_as(
                "update hook_deliveries set status = $4, last_error = $5, due_at = now() + make_interval(secs => $6),
                        parked_at = case when $7 and now() + make_interval(secs => $6)
                                                     > trying_since + make_interval(secs => $8) then now() end
                  where hook_id = $1 and hook_event_id = $2 and replay = $3
                    and delivered_at is null and parked_at is null
                  returning parked_at is not null",
            )
            .bind(hook)
            .bind(what.hook_event_id)
            .bind(what.replay)
            .bind(outcome.status.map(u16::cast_signed))
            .bind(outcome.error.as_deref())
            .bind(pause(self.patience.pause, what.attempts).as_secs_f64())
            .bind(parks)
            .bind(self.patience.retry.as_secs_f64())
            .fetch_optional(&self.pg)
            .await?;
            Ok(row.is_some_and(|(parked,)| parked))
        })
        .await
    }

    /// Counts what waits, and shows it in the metrics.
    pub async fn backlog(&self) -> Result<(), HooksError> {
        let (depth, age): (i64, i64) = within::<_, HooksError>(async {
            Ok(sqlx::query_as(
                "select count(*), greatest(coalesce(extract(epoch from now() - min(d.due_at)), 0), 0)::bigint
                   from hook_deliveries d join hooks h on h.id = d.hook_id and h.state = 'enabled'
                  where d.delivered_at is null and d.parked_at is null",
            )
            .fetch_one(&self.pg)
            .await?)
        })
        .await?;
        self.metrics.hook_queue_depth.set(depth);
        self.metrics.hook_queue_age_seconds.set(age);
        Ok(())
    }
}

/// Doubles from the first to the longest, with a tenth of chance, so that what failed together does not come together.
fn pause(first: Duration, attempts: i32) -> Duration {
    let doubled = first.as_secs_f64() * 2_f64.powi(attempts.clamp(1, 40) - 1);
    let bounded = doubled.min(LONGEST_PAUSE.as_secs_f64());
    Duration::from_secs_f64(bounded * rand::rng().random_range(0.9..1.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_fill_three_days_with_some_twenty_tries() {
        let mut whole = Duration::ZERO;
        let mut tries = 0;
        while whole < Duration::from_hours(72) {
            tries += 1;
            whole += pause(Duration::from_secs(5), tries);
        }
        assert!((20..30).contains(&tries), "{tries}");
        assert!(pause(Duration::from_secs(5), 1) < Duration::from_secs(6));
        assert!(pause(Duration::from_secs(5), i32::MAX) < Duration::from_hours(7));
    }
}
