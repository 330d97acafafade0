//! Seats that an organiser takes out of the sale, and puts back.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::admin_events::own_event;
use super::extract::{Json, Organiser, Path};
use super::problem::{Code, FieldFault, Problem, ProblemBody};
use crate::catalog::Chart;
use crate::ids::{EventId, Ordinal};
use crate::seats::MOST_SEATS;

/// The longest reason for a block.
const LONGEST_REASON: usize = 200;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(block)).routes(routes!(unblock))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Block {
    /// Ids of seats.
    #[schema(min_items = 1, max_items = 2000)]
    seats: Vec<String>,
    /// For whoever wonders later.
    #[schema(max_length = 200, example = "technical desk")]
    reason: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Unblock {
    /// Ids of seats.
    #[schema(min_items = 1, max_items = 2000)]
    seats: Vec<String>,
    /// For whoever wonders later.
    #[schema(max_length = 200)]
    reason: Option<String>,
}

/// How many seats an operation was about.
#[derive(Debug, Serialize, ToSchema)]
struct Seats {
    seats: usize,
}

/// Takes seats out of the sale, all or none. Seats that are blocked already count as done.
#[utoipa::path(
    post, path = "/v1/admin/events/{id}/seats/block", tag = "admin", security(("bearer" = [])),
    params(("id" = EventId, Path)), request_body = Block,
    responses(
        (status = 200, description = "All of them are blocked", body = Seats),
        (status = 409, description = "`seats_unavailable`: some are held or sold", body = ProblemBody),
        (status = 422, description = "`unknown_seats` with `seats: [id]`, or `invalid_request`", body = ProblemBody),
    ),
)]
async fn block(
    State(app): State<AppState>,
    organiser: Organiser,
    Path(id): Path<EventId>,
    Json(block): Json<Block>,
) -> Result<Json<Seats>, Problem> {
    own_event(&app, &organiser, id).await?;
    let ordinals = ordinals(&*app.catalog.chart(id).await?, &block.seats, Some(&block.reason))?;
    app.desk.block(id, &ordinals, block.reason.trim(), organiser.id()).await?;
    Ok(Json(Seats { seats: ordinals.len() }))
}

/// Puts blocked seats back on sale. Seats that are not blocked stay as they are.
#[utoipa::path(
    post, path = "/v1/admin/events/{id}/seats/unblock", tag = "admin", security(("bearer" = [])),
    params(("id" = EventId, Path)), request_body = Unblock,
    responses(
        (status = 200, description = "So many were blocked", body = Seats),
        (status = 422, description = "`unknown_seats` with `seats: [id]`, or `invalid_request`", body = ProblemBody),
    ),
)]
async fn unblock(
    State(app): State<AppState>,
    organiser: Organiser,
    Path(id): Path<EventId>,
    Json(unblock): Json<Unblock>,
) -> Result<Json<Seats>, Problem> {
    own_event(&app, &organiser, id).await?;
    let ordinals = ordinals(&*app.catalog.chart(id).await?, &unblock.seats, unblock.reason.as_deref())?;
    let freed = app.desk.unblock(id, &ordinals, unblock.reason.as_deref(), organiser.id()).await?;
    Ok(Json(Seats { seats: freed as usize }))
}

/// The seats in the chart's terms, each once.
fn ordinals(chart: &Chart, seats: &[String], reason: Option<&str>) -> Result<Vec<Ordinal>, Problem> {
    let mut faults = Vec::new();
    if seats.is_empty() || seats.len() > MOST_SEATS {
        faults.push(FieldFault::new("seats", format!("must name from 1 to {MOST_SEATS} seats")));
    }
    if reason.is_some_and(|reason| reason.trim().is_empty() || reason.len() > LONGEST_REASON) {
        faults.push(FieldFault::new("reason", format!("must be 1 to {LONGEST_REASON} bytes")));
    }
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for id in seats {
        match chart.ordinal(id) {
            Some(ordinal) => known.push(ordinal),
            None => unknown.push(id),
        }
    }
    if !unknown.is_empty() {
        return Err(Code::UnknownSeats.with("seats", unknown));
    }
    known.sort_unstable();
    known.dedup();
    Ok(known)
}
