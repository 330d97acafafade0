//! The picture in Redis against the claims in Postgres: rebuilt when it is lost, compared and repaired when it
//! may differ. Postgres is right.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::catalog::{Chart, Event, EventState};
use crate::hooks;
use crate::ids::{AccountId, EventId, HoldId, OrderId, Ordinal};
use crate::orders::error::OrdersError;
use crate::orders::{Desk, claims};
use crate::proof::{self, Bug, Step};
use crate::seats::{ClaimKind, LoadPlan, LoadedClaim, Planes, Repair, Rules, SeatState, SeatsError, Truth};
use crate::stores::postgres::{Outage, within};
use crate::waitlist;

/// A held claim whose deadline has passed belongs to an order that is still being closed: it keeps its flag for
/// this long at a time.
const LEAST_LEASE: Duration = Duration::from_secs(30);

/// Seats compared against Postgres in one go while repairing.
const CHUNK: usize = 512;

/// A claim with what Redis needs to know of its order.
#[derive(Debug, Clone, sqlx::FromRow)]
struct Claim {
    ordinal: i32,
    state: String,
    order_id: Option<OrderId>,
    hold_id: Option<HoldId>,
    account_id: Option<AccountId>,
    seconds_left: Option<f64>,
}

impl Claim {
    fn kind(&self) -> ClaimKind {
        match (self.order_id, self.hold_id, self.account_id) {
            (Some(order), Some(_), Some(owner)) if self.state == "sold" => ClaimKind::Sold { order, owner },
            (Some(order), Some(hold), Some(owner)) => {
                let left = Duration::from_secs_f64(self.seconds_left.unwrap_or(0.0).max(0.0));
                ClaimKind::Held { order: Some(order), hold, owner, ttl: left.max(LEAST_LEASE) }
            }
            _ => ClaimKind::Blocked,
        }
    }
}

impl Desk {
    /// Events whose picture is kept: those that are not long over.
    pub async fn events_on_sale(&self) -> Result<Vec<Event>, OrdersError> {
        Ok(self.catalog.live().await?)
    }

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

    /// Rebuilds an event's picture from its claims under a new epoch. One node does it; another that comes at the
    /// same time leaves it to the first and answers false.
    pub async fn rebuild(&self, event: EventId) -> Result<bool, OrdersError> {
        // The lock is the connection's: it ends with it, also when this node dies half way.
        let mut lock = within::<_, Outage>(async { Ok(self.pg.acquire().await?) }).await?;
        lock.close_on_drop();
        let (mine,): (bool,) = within::<_, Outage>(async {
            Ok(sqlx::query_as("select pg_try_advisory_lock(hashtextextended($1::text, 42))")
                .bind(event)
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
        if self.seats.epoch(event).await? == Some(present) {
            return Ok(true);
        }
        let begun = std::time::Instant::now();
        let chart = self.catalog.chart(event).await?;
        let (row, claims, offers, hooks) = within::<_, OrdersError>(async {
            let raise = sqlx::query("update events set epoch = epoch + 1 where id = $1")
                .bind(event)
                .execute(&mut *lock);
            proof::step(Step::RaiseEpoch, raise).await?;
            let claims = read_claims(&mut lock, event, None).await?;
            let offers = waitlist::open_offers(&mut lock, event).await?;
            let hooks = hooks::wants_seats(&mut lock, event).await?;
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
        // What was decided while the picture was being written.
        self.reconcile_picture(event).await?;
        self.metrics.rebuilds.inc();
        tracing::info!(
            event.id = %event, epoch = row.epoch, claims = plan.claims.len(),
            duration_ms = begun.elapsed().as_millis(), "the picture is rebuilt"
        );
        Ok(true)
    }

    /// Tells Redis an event's rules after they were edited.
    pub async fn apply_rules(&self, event: &Event) -> Result<(), OrdersError> {
        let hooks = within::<_, OrdersError>(async {
            let mut db = self.pg.acquire().await?;
            Ok(hooks::wants_seats(&mut db, event.id).await?)
        })
        .await?;
        self.seats.configure(event.id, &Rules { hooks, ..Self::rules_of(event) }).await?;
        Ok(())
    }

    /// What the scripts look at of an event.
    fn rules_of(event: &Event) -> Rules {
        let millis = |moment: OffsetDateTime| {
            i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
        };
        Rules {
            sale_starts_ms: event.sale_starts_at.map(millis),
            sale_ends_ms: event.sale_ends_at.or(event.ends_at).map(millis),
            max_per_customer: event.max_per_customer,
            orphan_rule: event.orphan_rule,
            hold_ms: event.hold_seconds.map(|seconds| i64::from(seconds) * 1000),
            closed: event.state == EventState::Cancelled,
            // Who listens is not the event's to say: whoever needs it asks.
            hooks: false,
            room: event.room_minutes.is_some(),
            room_opens_ms: event.room_opens_at().map(millis),
        }
    }

    /// Compares the picture with the claims and repairs what differs; says how many seats that were.
    pub async fn reconcile_picture(&self, event: EventId) -> Result<u64, OrdersError> {
        let suspects = self.suspects(event).await?;
        let mut repaired = 0;
        for some in suspects.chunks(CHUNK) {
            repaired += self.repair_seats(event, some).await?;
        }
        if repaired > 0 {
            self.metrics.picture_drift.inc_by(repaired);
        }
        Ok(repaired)
    }

    /// How many seats differ now and still differ when looked at again: a change that is under way is no drift.
    pub async fn drift(&self, event: EventId) -> Result<u64, OrdersError> {
        let mut differing: HashSet<_> = self.differing(event).await?.into_iter().collect();
        for pause in [50, 150, 400, 1000] {
            if differing.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let again: HashSet<_> = self.differing(event).await?.into_iter().collect();
            differing.retain(|ordinal| again.contains(ordinal));
        }
        Ok(differing.len() as u64)
    }

    /// Makes Redis say what Postgres says of these seats, and says how many had to change.
    ///
    /// What Redis shows is read before the truth is, and only replaced if it still shows that: so a sale that
    /// happens in between is never undone by yesterday's news.
    pub(super) async fn repair_seats(&self, event: EventId, seats: &[Ordinal]) -> Result<u64, OrdersError> {
        if seats.is_empty() {
            return Ok(0);
        }
        let seen = self.seats.flags(event, seats).await?;
        let claims: HashMap<_, _> = within::<_, OrdersError>(async {
            let mut db = self.pg.acquire().await?;
            read_claims(&mut db, event, Some(seats)).await
        })
        .await?
        .into_iter()
        .map(|claim| (claims::as_ordinal(claim.ordinal), claim))
        .collect();
        let repairs: Vec<_> = seats
            .iter()
            .zip(seen)
            .map(|(&ordinal, seen)| Repair {
                ordinal,
                seen,
                truth: claims.get(&ordinal).map_or(Truth::Free, |claim| claim.kind().into()),
            })
            .collect();
        Ok(self.seats.repair(event, &repairs).await?.into())
    }

    /// Seats that differ from their claims, and seats that are taken without one: those may be holds, which
    /// `repair` leaves alone, or what a lost hold left behind, which nobody else would ever free.
    async fn suspects(&self, event: EventId) -> Result<Vec<Ordinal>, OrdersError> {
        let (chart, planes, claims) = self.both_sides(event).await?;
        let claimed: HashSet<_> = claims.iter().map(|claim| claims::as_ordinal(claim.ordinal)).collect();
        let held_without_claim =
            (0..chart.size()).filter(|&at| planes.state(at) == SeatState::Held && !claimed.contains(&at));
        let mut all = differing(&chart, &planes, &claims);
        all.extend(held_without_claim);
        Ok(all)
    }

    async fn differing(&self, event: EventId) -> Result<Vec<Ordinal>, OrdersError> {
        let (chart, planes, claims) = self.both_sides(event).await?;
        Ok(differing(&chart, &planes, &claims))
    }

    async fn both_sides(
        &self,
        event: EventId,
    ) -> Result<(std::sync::Arc<Chart>, Planes, Vec<Claim>), OrdersError> {
        let chart = self.catalog.chart(event).await?;
        let planes = self.seats.snapshot(event).await?;
        let claims = within::<_, OrdersError>(async {
            let mut db = self.pg.acquire().await?;
            read_claims(&mut db, event, None).await
        })
        .await?;
        Ok((chart, planes, claims))
    }
}

/// Where bits and claims say different things. A seat that is taken and not sold needs no claim: it is a hold.
fn differing(chart: &Chart, planes: &Planes, claims: &[Claim]) -> Vec<Ordinal> {
    let states: HashMap<_, _> =
        claims.iter().map(|claim| (claims::as_ordinal(claim.ordinal), claim.state.as_str())).collect();
    (0..chart.size())
        .filter(|&at| chart.seat(at).is_some())
        .filter(|at| match states.get(at) {
            None => !matches!(planes.state(*at), SeatState::Free | SeatState::Held),
            Some(&"sold") => planes.state(*at) != SeatState::Sold,
            Some(&"blocked") => planes.state(*at) != SeatState::Blocked,
            Some(_) => planes.state(*at) != SeatState::Held,
        })
        .collect()
}

async fn read_claims(
    db: &mut PgConnection,
    event: EventId,
    only: Option<&[Ordinal]>,
) -> Result<Vec<Claim>, OrdersError> {
    let mut claims: Vec<Claim> = sqlx::query_as(
        "select c.ordinal, c.state, c.order_id, o.hold_id, o.account_id,
                extract(epoch from c.until - now())::float8 as seconds_left
           from seat_claims c left join orders o on o.event_id = c.event_id and o.id = c.order_id
          where c.event_id = $1 and ($2::integer[] is null or c.ordinal = any ($2))
          order by c.ordinal",
    )
    .bind(event)
    .bind(only.map(claims::as_integers))
    .fetch_all(db)
    .await?;
    claims.retain(|claim| claim.state != "held" || !proof::planted(Bug::RebuildForgetsCheckouts));
    Ok(claims)
}
