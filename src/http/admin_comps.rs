//! Seats that an organiser gives away.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::admin_events::own_event;
use super::errors::of_seats;
use super::extract::{Json, Organiser, Path};
use super::idempotency::Operation;
use super::orders::OrderBody;
use super::problem::{FieldFault, Problem, ProblemBody};
use super::request_id::RequestId;
use super::wish::HoldWish;
use crate::ids::{EventId, OrderId};
use crate::orders::{Comp, OrdersError};
use crate::seats::Wish;

const LONGEST_REASON: usize = 200;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(give))
}

/// Seats for a guest, free of charge.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"seats": ["stalls-A-1"], "name": "Grace Guest", "email": "grace@example.com", "reason": "press"}))]
struct GiveSeats {
    /// Ids of seats that are free or blocked.
    #[serde(default)]
    seats: Vec<String>,
    /// How many places of which standing area.
    #[serde(default)]
    areas: BTreeMap<String, u32>,
    /// Whom they are for.
    name: String,
    /// Where the tickets go. Who has no account gets one, without a password.
    email: String,
    /// For whoever wonders later.
    #[schema(max_length = 200)]
    reason: String,
}

/// Gives seats to a named person, all or none.
///
/// Neither the sale window, nor the limit, nor the rule about single seats stands in an organiser's way; a customer who holds
/// one of the seats does.
#[utoipa::path(
    post, path = "/v1/admin/events/{id}/comps", tag = "admin", security(("bearer" = [])), params(("id" = EventId, Path)),
    request_body = GiveSeats,
    responses(
        (status = 201, description = "The order, confirmed", body = OrderBody,
         headers(("Location" = String, description = "The orders of the event"))),
        (status = 404, description = "`not_found`: no such event of yours", body = ProblemBody),
        (status = 409, description = "`seats_unavailable`, `sold_out`, `sale_closed`: the event is cancelled", body = ProblemBody),
        (status = 422, description = "`unknown_seats`, `invalid_request`", body = ProblemBody),
    ),
)]
async fn give(
    State(app): State<AppState>,
    organiser: Organiser,
    operation: Operation,
    request_id: RequestId,
    Path(id): Path<EventId>,
    Json(gift): Json<GiveSeats>,
) -> Result<Response, Problem> {
    own_event(&app, &organiser, id).await?;
    let reason = gift.reason.trim();
    if reason.is_empty() || reason.len() > LONGEST_REASON || reason.chars().any(char::is_control) {
        let message = format!("must be one line of 1 to {LONGEST_REASON} bytes");
        return Err(Problem::invalid(vec![FieldFault::new("reason", message)]));
    }
    let chart = app.catalog.chart(id).await?;
    let Wish::Wanted { seats, places, areas } = HoldWish::of_seats(gift.seats, gift.areas).read(&chart)?
    else {
        return Err(Problem::internal("seats by name are no best seats"));
    };
    let named: Vec<_> = seats.iter().chain(&places).copied().collect();
    let blocked = app.desk.blocked_among(id, &named).await?;
    let is_free = |at: &u32| !blocked.contains(at);
    let seats: Vec<_> = seats.into_iter().filter(is_free).collect();
    let places: Vec<_> = places.into_iter().filter(is_free).collect();
    let nothing_free = seats.is_empty() && places.is_empty() && areas.is_empty();
    let comp = Comp {
        event: id,
        order: OrderId(operation.0),
        guest: app.accounts.guest(&gift.name, &gift.email).await?,
        what: (!nothing_free).then_some(Wish::Wanted { seats, places, areas }),
        blocked,
        reason: reason.to_owned(),
        by: organiser.id(),
        request_id: request_id.as_str().to_owned(),
    };
    let order = match app.desk.give(&comp).await {
        Err(OrdersError::Seats(error)) => return Err(of_seats(error, &chart)),
        order => order?,
    };
    let location = [(header::LOCATION, format!("/v1/admin/events/{id}/orders"))];
    Ok((StatusCode::CREATED, location, Json(OrderBody::with_customer(order, &app))).into_response())
}
