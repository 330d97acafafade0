//! Building an event's picture in Redis from its claims, under a new epoch: one node does it, the marker comes last, and
//! what was decided meanwhile is compared afterwards.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use sqlx::Connection as _;
use time::OffsetDateTime;

use crate::catalog::{Event, EventState};
use crate::hooks;
use crate::ids::EventId;
use crate::orders::error::OrdersError;
use crate::orders::picture::read_claims;
use crate::orders::{Desk, claims};
use crate::proof::{self, Step};
use crate::seats::{ClaimKind, LoadPlan, LoadedClaim, Rules, SeatsError};
use crate::stores::postgres::{Outage, at_length, take_time, within};
use crate::telemetry::Metrics;
use crate::waitlist;

/// How long a rebuild that says nothing to Postgres keeps others from it: longer than a picture takes to load, and no
/// longer than people wait for a node that froze in the middle of it. When that one wakes up, its epoch is an old one, and
/// it changes nothing.
const LOCKED_MS: u32 = 10_000;

impl Desk {
    /// Opens a new event for holds. Safe to repeat; an event that is open stays as it is.
    pub async fn open(&self, event: EventId) -> Result<(), OrdersError> {
        // A worker may have found the event first and be at it: then its picture is waited for, so that whoever is
        // told of the event can hold its seats.
        for _ in 0..200 {
            if self.seats.epoch(event).await?.is_some() || self.rebuild(event).await? {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(SeatsError::NotReady(event).into())
    }

    /// Rebuilds an event's picture, unless Redis has one of the epoch that Postgres names. One node does it; another that
    /// comes at the same time leaves it to the first and answers false.
    pub async fn rebuild(&self, event: EventId) -> Result<bool, OrdersError> {
        self.build(event, None).await
    }

    /// Rebuilds a picture that has its marker and cannot be trusted all the same. Whoever comes late finds a newer one and
    /// leaves it.
    pub async fn replace_picture(&self, event: EventId, doubted: i32) -> Result<bool, OrdersError> {
        self.build(event, Some(doubted)).await
    }

    async fn build(&self, event: EventId, doubted: Option<i32>) -> Result<bool, OrdersError> {
        let Ok(_mine) = self.rebuilding.acquire().await else { return Ok(false) };
        // The lock is the connection's: it ends with it, also when this node dies half way.
        let mut lock = within::<_, Outage>(async { Ok(self.pg.acquire().await?) }).await?;
        lock.close_on_drop();
        let (mine, _): (bool, String) = within::<_, Outage>(async {
            // Model: LockRebuild
            Ok(sqlx::query_as(
                "select pg_try_advisory_lock(hashtextextended($1::text, 42)),
                        set_config('idle_session_timeout', $2, false)",
            )
            .bind(event)
            .bind(LOCKED_MS.to_string())
            .fetch_one(&mut *lock)
            .await?)
        })
        .await?;
        if !mine {
            return Ok(false);
        }
        // Whoever asked may have looked before another rebuild was done. A picture of the present epoch is left alone:
        // loading it anew would drop every hold that is not at checkout.
        let (present,): (i32,) = within::<_, Outage>(async {
            Ok(sqlx::query_as("select epoch from events where id = $1")
                .bind(event)
                .fetch_one(&mut *lock)
                .await?)
        })
        .await?;
        // Model: ReadEpoch
        let (shown, begun_before) = self.seats.epochs(event).await?;
        if shown == Some(present) && doubted != Some(present) {
            return Ok(true);
        }
        let begun = Instant::now();
        let witness = self.witness_number().await?;
        let chart = self.catalog.chart_in_passing(event).await?;
        within::<_, Outage>(async {
            // Model: RaiseEpoch
            // Later than what Redis has seen, too: Postgres may have been restored to before those epochs.
            let raise = sqlx::query("update events set epoch = greatest(epoch, $2) + 1 where id = $1")
                .bind(event)
                .bind(shown.max(begun_before).unwrap_or(0))
                .execute(&mut *lock);
            proof::step(Step::RaiseEpoch, raise).await?;
            Ok(())
        })
        .await?;
        let (row, claims, offers, hooks) = at_length::<_, OrdersError>(async {
            let mut tx = lock.begin().await?;
            take_time(&mut tx).await?;
            // Model: ReadClaims
            let claims = read_claims(&mut tx, event, None).await?;
            let offers = waitlist::open_offers(&mut tx, event).await?;
            let hooks = hooks::wants_seats(&mut tx, event).await?;
            tx.commit().await?;
            Ok((self.catalog.event(event).await?, claims, offers, hooks))
        })
        .await?;
        let claimed = claims
            .iter()
            .map(|claim| LoadedClaim { ordinal: claims::as_ordinal(claim.ordinal), kind: claim.kind() });
        // What is offered is held without a claim; one made since then is the stronger.
        let known: HashSet<_> = claims.iter().map(|claim| claim.ordinal).collect();
        let offered =
            offers.iter().filter(|offer| !known.contains(&offer.ordinal)).map(|offer| LoadedClaim {
                ordinal: claims::as_ordinal(offer.ordinal),
                kind: ClaimKind::Held {
                    order: None,
                    hold: offer.hold_id,
                    owner: offer.account_id,
                    ttl: Duration::from_secs_f64(offer.seconds_left.max(0.0)),
                },
            });
        let plan = LoadPlan {
            event,
            epoch: row.epoch,
            size: chart.size(),
            aisles: chart.aisle_plane(),
            rules: Rules { hooks, ..Self::rules_of(&row) },
            waiting: row.waits,
            claims: claimed.chain(offered).collect(),
        };
        self.seats.load(&plan).await?;
        self.seats.tell_witness(event, witness).await?;
        // Seats are granted again from here on.
        self.metrics.rebuilds.inc();
        Metrics::time(&self.metrics.rebuild_seconds, begun.elapsed());
        tracing::info!(
            event.id = %event, epoch = row.epoch, claims = plan.claims.len(),
            duration_ms = begun.elapsed().as_millis(), "the picture is rebuilt"
        );
        // What was decided while the picture was being written.
        self.compare_seats(event).await?;
        Ok(true)
    }

    /// Tells Redis an event's rules after they were edited.
    pub async fn apply_rules(&self, event: &Event) -> Result<(), OrdersError> {
        let rules = self.rules(event).await?;
        proof::step(Step::ApplyRules, self.seats.configure(event.id, &rules)).await?;
        Ok(())
    }

    /// Whoever edited an event may have died before Redis was told: then it is told now. Answers whether it had to be.
    pub(super) async fn reconcile_rules(&self, event: EventId) -> Result<bool, OrdersError> {
        let mut row = self.catalog.event(event).await?;
        if self.seats.has_rules(event, &Self::rules_of(&row)).await? {
            return Ok(false);
        }
        // Somebody may edit it in this moment, and must not be overruled by what we have read before.
        for _ in 0..4 {
            self.apply_rules(&row).await?;
            let now = self.catalog.event(event).await?;
            if Self::rules_of(&now) == Self::rules_of(&row) {
                break;
            }
            row = now;
        }
        Ok(true)
    }

    async fn rules(&self, event: &Event) -> Result<Rules, OrdersError> {
        let hooks = within::<_, OrdersError>(async {
            let mut db = self.pg.acquire().await?;
            Ok(hooks::wants_seats(&mut db, event.id).await?)
        })
        .await?;
        Ok(Rules { hooks, ..Self::rules_of(event) })
    }

    /// What the scripts look at of an event.
    fn rules_of(event: &Event) -> Rules {
        let millis = |moment: OffsetDateTime| {
            i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
        };
        // Redis counts milliseconds, and nothing may begin before its moment.
        let not_before = |moment: OffsetDateTime| millis(moment + time::Duration::nanoseconds(999_999));
        Rules {
            sale_starts_ms: event.sale_starts_at.map(not_before),
            sale_ends_ms: event.sale_ends_at.or(event.ends_at).map(millis),
            max_per_customer: event.max_per_customer,
            orphan_rule: event.orphan_rule,
            hold_ms: event.hold_seconds.map(|seconds| i64::from(seconds) * 1000),
            closed: event.state == EventState::Cancelled,
            // Who listens is not the event's to say: whoever needs it asks.
            hooks: false,
            room: event.room_minutes.is_some(),
            room_opens_ms: event.room_opens_at().map(not_before),
        }
    }
}
