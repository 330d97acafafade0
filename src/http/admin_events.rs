//! What organisers do with their own events, and administrators with all of them.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::join_all;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::events::{EventBody, EventDetails};
use super::extract::{Json, Organiser, Path, Query};
use super::idempotency::Operation;
use super::pagination::{Page, Paged};
use super::problem::{Code, Problem, ProblemBody};
use crate::accounts::Role;
use crate::catalog::{Event, EventPatch, EventState, NewEvent};
use crate::ids::EventId;
use crate::orders::OrdersError;
use crate::seats::SeatsError;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(preview))
        .routes(routes!(show, change, redraft, discard))
        .routes(routes!(seats))
        .routes(routes!(publish))
        .routes(routes!(cancel))
}

/// How long a list waits for its numbers.
const COUNTED_WITHIN: Duration = Duration::from_millis(500);

/// An event that this organiser may act on. Somebody else's does not exist for them.
pub(super) async fn own_event(app: &AppState, organiser: &Organiser, id: EventId) -> Result<Event, Problem> {
    let event = app.catalog.event(id).await?;
    match organiser.0.role {
        Role::Admin => Ok(event),
        Role::Organiser | Role::Customer if event.organiser_id == organiser.id() => Ok(event),
        Role::Organiser | Role::Customer => Err(Code::NotFound.problem()),
    }
}

/// Opens an event for sale, or prepares one with `draft`.
///
/// Every fault of the form is named at once. The chart cannot be changed afterwards. The short form
/// `{title, starts_at, total_tickets, price?, currency?}` is one standing area.
#[utoipa::path(
    post, path = "/v1/admin/events", tag = "admin", security(("bearer" = [])), request_body = NewEvent,
    responses(
        (status = 201, description = "The event; holds are taken from now on, within its sale window", body = EventBody,
         headers(("Location" = String, description = "The event"))),
    ),
)]
async fn create(
    State(app): State<AppState>,
    organiser: Organiser,
    operation: Operation,
    Json(form): Json<NewEvent>,
) -> Result<Response, Problem> {
    let event = app.catalog.create(EventId(operation.0), organiser.id(), form).await?;
    if event.state != EventState::Draft {
        app.desk.open(event.id).await?;
    }
    let location = [(header::LOCATION, format!("/v1/events/{}", event.id))];
    Ok((StatusCode::CREATED, location, Json(EventBody::of(event, None))).into_response())
}

/// An event as its organiser sees it.
#[derive(Debug, Serialize, ToSchema)]
struct OwnEvent {
    #[serde(flatten)]
    event: EventBody,
    /// Null, as the three that follow, while nobody can count: the event is being prepared.
    available: Option<u32>,
    held: Option<u32>,
    sold: Option<u32>,
    blocked: Option<u32>,
}

/// Your own events, newest first; to administrators, all.
#[utoipa::path(
    get, path = "/v1/admin/events", tag = "admin", security(("bearer" = [])), params(Page),
    responses((status = 200, description = "A page of events", body = Paged<OwnEvent>)),
)]
async fn list(
    State(app): State<AppState>,
    organiser: Organiser,
    Query(page): Query<Page>,
) -> Result<Json<Paged<OwnEvent>>, Problem> {
    let whose = (organiser.0.role != Role::Admin).then(|| organiser.id());
    let events = app.catalog.newest(whose, page.after()?.map(EventId), page.limit_and_one()).await?;
    let paged = Paged::cut(events, &page, |event: &Event| event.id);
    // All at once and not for long: without Redis the list is still a list.
    let counted = join_all(paged.items.iter().map(|event| {
        timeout(COUNTED_WITHIN, async {
            // A draft has no picture.
            let known = event.state != EventState::Draft;
            if known { app.pictures.view(event.id).await.ok() } else { None }
        })
    }));
    let mut items = Vec::with_capacity(paged.items.len());
    for (view, event) in counted.await.into_iter().zip(paged.items) {
        let counts = view.ok().flatten().map(|view| view.counts);
        items.push(OwnEvent {
            event: EventBody::of(event, counts.map(|counts| counts.free)),
            available: counts.map(|counts| counts.free),
            held: counts.map(|counts| counts.held),
            sold: counts.map(|counts| counts.sold),
            blocked: counts.map(|counts| counts.blocked),
        });
    }
    Ok(Json(Paged { items, next: paged.next }))
}

/// Draws the chart of an event that is not there yet, and stores nothing.
///
/// The answer is what `GET /v1/events/{id}/seats` would give, or every fault of the form.
#[utoipa::path(
    post, path = "/v1/admin/charts/preview", tag = "admin", security(("bearer" = [])), request_body = NewEvent,
    responses((status = 200, description = "The chart", body = serde_json::Value)),
)]
async fn preview(
    State(app): State<AppState>,
    _organiser: Organiser,
    Json(form): Json<NewEvent>,
) -> Result<Response, Problem> {
    let drawing = app.catalog.preview(form).await?;
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Ok((kind, drawing).into_response())
}

/// An own event with its prices and places, also while it is a draft.
#[utoipa::path(
    get, path = "/v1/admin/events/{id}", tag = "admin", security(("bearer" = [])), params(("id" = EventId, Path)),
    responses(
        (status = 200, description = "The event", body = EventDetails),
        (status = 404, description = "`not_found`: no such event of yours", body = ProblemBody),
    ),
)]
async fn show(
    State(app): State<AppState>,
    organiser: Organiser,
    Path(id): Path<EventId>,
) -> Result<Json<EventDetails>, Problem> {
    let event = own_event(&app, &organiser, id).await?;
    if event.state == EventState::Draft {
        let chart = app.catalog.chart_of_draft(id).await?;
        return Ok(Json(EventDetails::of(EventBody::of(event, None), &chart)));
    }
    let chart = app.catalog.chart(id).await?;
    let free = app.pictures.view(id).await.ok().map(|view| view.counts.free);
    Ok(Json(EventDetails::of(EventBody::of(event, free), &chart)))
}

/// The chart of an own event, also while it is a draft.
///
/// As `GET /v1/events/{id}/seats`, but never kept: a draft's may be another the next time.
#[utoipa::path(
    get, path = "/v1/admin/events/{id}/seats", tag = "admin", security(("bearer" = [])), params(("id" = EventId, Path)),
    responses(
        (status = 200, description = "The chart", body = serde_json::Value),
        (status = 404, description = "`not_found`: no such event of yours", body = ProblemBody),
    ),
)]
async fn seats(
    State(app): State<AppState>,
    organiser: Organiser,
    Path(id): Path<EventId>,
) -> Result<Response, Problem> {
    let event = own_event(&app, &organiser, id).await?;
    let is_draft = event.state == EventState::Draft;
    let chart = if is_draft { app.catalog.chart_of_draft(id).await? } else { app.catalog.chart(id).await? };
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Ok((kind, chart.draw()).into_response())
}

/// Makes a draft what this form says, places included. What is published keeps its places.
#[utoipa::path(
    put, path = "/v1/admin/events/{id}", tag = "admin", security(("bearer" = [])), params(("id" = EventId, Path)),
    request_body = NewEvent,
    responses(
        (status = 200, description = "The draft as it is now", body = EventBody),
        (status = 404, description = "`not_found`: no such event of yours", body = ProblemBody),
        (status = 409, description = "`not_a_draft`", body = ProblemBody),
    ),
)]
async fn redraft(
    State(app): State<AppState>,
    organiser: Organiser,
    Path(id): Path<EventId>,
    Json(form): Json<NewEvent>,
) -> Result<Json<EventBody>, Problem> {
    own_event(&app, &organiser, id).await?;
    let event = app.catalog.redraft(id, form, organiser.id()).await?;
    Ok(Json(EventBody::of(event, None)))
}

/// Throws a draft away.
#[utoipa::path(
    delete, path = "/v1/admin/events/{id}", tag = "admin", security(("bearer" = [])), params(("id" = EventId, Path)),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "`not_found`: no such event of yours", body = ProblemBody),
        (status = 409, description = "`not_a_draft`: an event that was published can only be cancelled", body = ProblemBody),
    ),
)]
async fn discard(
    State(app): State<AppState>,
    organiser: Organiser,
    Path(id): Path<EventId>,
) -> Result<StatusCode, Problem> {
    own_event(&app, &organiser, id).await?;
    app.catalog.discard(id, organiser.id()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Publishes a draft: everybody sees it, and holds are taken within its sale window.
///
/// A repeat changes nothing.
#[utoipa::path(
    post, path = "/v1/admin/events/{id}/publish", tag = "admin", security(("bearer" = [])),
    params(("id" = EventId, Path)),
    responses(
        (status = 200, description = "The event, published", body = EventBody),
        (status = 404, description = "`not_found`: no such event of yours", body = ProblemBody),
        (status = 409, description = "`not_a_draft`: it was cancelled", body = ProblemBody),
    ),
)]
async fn publish(
    State(app): State<AppState>,
    organiser: Organiser,
    Path(id): Path<EventId>,
) -> Result<Json<EventBody>, Problem> {
    own_event(&app, &organiser, id).await?;
    let event = app.catalog.publish(id, organiser.id()).await?;
    app.desk.open(id).await?;
    Ok(Json(EventBody::of(event, None)))
}

/// Changes what an event says of itself, its sale window and its limits.
#[utoipa::path(
    patch, path = "/v1/admin/events/{id}", tag = "admin", security(("bearer" = [])),
    params(("id" = EventId, Path)), request_body = EventPatch,
    responses((status = 200, description = "The event as it is now", body = EventBody)),
)]
async fn change(
    State(app): State<AppState>,
    organiser: Organiser,
    Path(id): Path<EventId>,
    Json(patch): Json<EventPatch>,
) -> Result<Json<EventBody>, Problem> {
    own_event(&app, &organiser, id).await?;
    let event = app.catalog.update(id, patch, organiser.id()).await?;
    if event.state == EventState::Draft {
        return Ok(Json(EventBody::of(event, None)));
    }
    match app.desk.apply_rules(&event).await {
        // The rebuild that is due brings the rules with it.
        Ok(()) | Err(OrdersError::Seats(SeatsError::NotReady(_))) => Ok(Json(EventBody::of(event, None))),
        Err(error) => Err(error.into()),
    }
}

/// Cancels an event.
///
/// Nothing is sold any more, at once. Every order is called off and every payment given back, one by one, also when
/// that is interrupted; the event's report shows how far it is. A repeat changes nothing.
#[utoipa::path(
    post, path = "/v1/admin/events/{id}/cancel", tag = "admin", security(("bearer" = [])),
    params(("id" = EventId, Path)),
    responses(
        (status = 200, description = "The event, cancelled", body = EventBody),
        (status = 409, description = "`not_published`: a draft is thrown away instead", body = ProblemBody),
    ),
)]
async fn cancel(
    State(app): State<AppState>,
    organiser: Organiser,
    Path(id): Path<EventId>,
) -> Result<Json<EventBody>, Problem> {
    own_event(&app, &organiser, id).await?;
    let event = app.desk.cancel_event(id, organiser.id()).await?;
    if event.state == EventState::Draft {
        return Err(Code::NotPublished.detail("A draft is thrown away instead."));
    }
    Ok(Json(EventBody::of(event, None)))
}
