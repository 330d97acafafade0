//! The picture in Redis against the claims in Postgres: compared, and repaired where they differ. Postgres is right.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgConnection;

use crate::catalog::{Chart, OnSale};
use crate::ids::{AccountId, EventId, HoldId, OrderId, Ordinal};
use crate::orders::error::OrdersError;
use crate::orders::{Desk, claims};
use crate::proof::{self, Bug};
use crate::seats::{ClaimKind, Planes, Repair, SeatState, Truth};
use crate::stores::postgres::{at_length, take_time, within};
use crate::telemetry::Metrics;

/// A held claim whose deadline has passed belongs to an order that is still being closed: it keeps its flag for
/// this long at a time.
const LEAST_LEASE: Duration = Duration::from_secs(30);

/// Seats compared against Postgres in one go while repairing.
const CHUNK: usize = 512;

/// A claim with what Redis needs to know of its order.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Claim {
    pub ordinal: i32,
    state: String,
    order_id: Option<OrderId>,
    hold_id: Option<HoldId>,
    account_id: Option<AccountId>,
    seconds_left: Option<f64>,
}

impl Claim {
    pub fn kind(&self) -> ClaimKind {
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
    pub async fn events_on_sale(&self) -> Result<Arc<[OnSale]>, OrdersError> {
        Ok(self.catalog.on_sale().await?)
    }

    /// Compares the picture with the claims and repairs what differs; says how many seats that were. A picture that has lost
    /// what no comparison of seats brings back is replaced.
    pub async fn reconcile_picture(&self, event: EventId) -> Result<u64, OrdersError> {
        if let Some(epoch) = self.torn(event).await? {
            tracing::error!(event.id = %event, epoch, "the picture has lost keys and is replaced");
            self.replace_picture(event, epoch).await?;
            Metrics::count(&self.metrics.reconciled, "pictures");
            return Ok(0);
        }
        if self.reconcile_rules(event).await? {
            tracing::warn!(event.id = %event, "Redis had other rules than Postgres");
            Metrics::count(&self.metrics.reconciled, "rules");
        }
        self.compare_seats(event).await
    }

    /// Repairs seat by seat.
    pub(super) async fn compare_seats(&self, event: EventId) -> Result<u64, OrdersError> {
        // Model: FindSuspects
        let suspects = self.suspects(event).await?;
        let mut repaired = 0;
        for some in suspects.chunks(CHUNK) {
            repaired += self.repair_seats(event, some).await?;
        }
        if repaired > 0 {
            self.metrics.picture_drift.inc_by(repaired);
            Metrics::count_many(&self.metrics.reconciled, "seats", repaired);
        }
        Ok(repaired)
    }

    /// The epoch of a picture that has holes, and has them still when it is looked at again: a change under way is none.
    async fn torn(&self, event: EventId) -> Result<Option<i32>, OrdersError> {
        for pause in [None, Some(Duration::from_millis(100))] {
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
            let (chart, planes) =
                (self.catalog.chart_in_passing(event).await?, self.seats.snapshot(event).await?);
            if !self.seats.has_holes(event, &planes, &chart.aisle_plane()).await? {
                return Ok(None);
            }
            if pause.is_some() {
                return Ok(Some(planes.epoch));
            }
        }
        Ok(None)
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
        // Model: ReadFlags
        let seen = self.seats.flags(event, seats).await?;
        // Model: ReadTruth
        let sold_to: Vec<_> = seen.iter().flatten().filter_map(|flag| order_in(flag)).collect();
        let (claims, buyers) = within::<_, OrdersError>(async {
            let mut db = self.pg.acquire().await?;
            let claims = read_claims(&mut db, event, Some(seats)).await?;
            let buyers: Vec<(OrderId, AccountId)> =
                sqlx::query_as("select id, account_id from orders where event_id = $1 and id = any ($2)")
                    .bind(event)
                    .bind(sold_to.iter().map(|order| order.0).collect::<Vec<_>>())
                    .fetch_all(&mut *db)
                    .await?;
            Ok((claims, buyers.into_iter().collect::<HashMap<_, _>>()))
        })
        .await?;
        let claims: HashMap<_, _> =
            claims.into_iter().map(|claim| (claims::as_ordinal(claim.ordinal), claim)).collect();
        let repairs: Vec<_> = seats
            .iter()
            .zip(seen)
            .map(|(&ordinal, seen)| Repair {
                ordinal,
                buyer: seen.as_deref().and_then(order_in).and_then(|order| buyers.get(&order).copied()),
                seen,
                truth: claims.get(&ordinal).map_or(Truth::Free, |claim| claim.kind().into()),
            })
            .collect();
        // Model: Repair
        let repaired = self.seats.repair(event, &repairs).await?;
        // A failover may have lost that Redis was told of their end; or their flags were put back, which it had lost, while they
        // ended. Either way they would pass for holds that nobody checks out.
        for order in repaired.doubtful {
            self.show(order).await?;
        }
        Ok(repaired.seats.into())
    }

    /// Seats that differ from their claims, and seats that are taken without one: those may be holds, which
    /// `repair` leaves alone, or what a lost hold left behind, which nobody else would ever free.
    async fn suspects(&self, event: EventId) -> Result<Vec<Ordinal>, OrdersError> {
        let (chart, planes, claims) = self.both_sides(event).await?;
        let compare = move || {
            let claimed: HashSet<_> = claims.iter().map(|claim| claims::as_ordinal(claim.ordinal)).collect();
            let held_without_claim =
                (0..chart.size()).filter(|&at| planes.state(at) == SeatState::Held && !claimed.contains(&at));
            let mut all = differing(&chart, &planes, &claims);
            all.extend(held_without_claim);
            all
        };
        Ok(aside(compare).await)
    }

    async fn differing(&self, event: EventId) -> Result<Vec<Ordinal>, OrdersError> {
        let (chart, planes, claims) = self.both_sides(event).await?;
        Ok(aside(move || differing(&chart, &planes, &claims)).await)
    }

    async fn both_sides(&self, event: EventId) -> Result<(Arc<Chart>, Planes, Vec<Claim>), OrdersError> {
        let chart = self.catalog.chart_in_passing(event).await?;
        let planes = self.seats.snapshot(event).await?;
        let claims = at_length::<_, OrdersError>(async {
            let mut tx = self.pg.begin().await?;
            take_time(&mut tx).await?;
            read_claims(&mut tx, event, None).await
        })
        .await?;
        Ok((chart, planes, claims))
    }
}

/// A stadium's comparison is long, and must hold up nobody's request.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("comparing does not panic, and the runtime outlives it")
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

/// The order to which a flag says that its seat is sold.
fn order_in(flag: &str) -> Option<OrderId> {
    flag.strip_prefix("sold:")?.parse().ok()
}

pub(super) async fn read_claims(
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
