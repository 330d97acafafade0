//! What organisers do with tickets: let people in, take that back, move them, look at what happened.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::admin_events::own_event;
use super::extract::{Json, Organiser, Path, invalid};
use super::idempotency::Operation;
use super::orders::OrderBody;
use super::problem::{Code, Problem, ProblemBody};
use super::request_id::RequestId;
use crate::catalog::Event;
use crate::ids::{EventId, OrderId, TicketId};
use crate::orders::{Actor, Admission, Because, DoorTicket, Move, Scan, TicketLogEntry};

/// The longest code that is looked for: ours are 156 letters.
const LONGEST_CODE: usize = 300;
const LONGEST_REASON: usize = 200;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(check_in))
        .routes(routes!(undo))
        .routes(routes!(move_ticket))
        .routes(routes!(history))
}

/// What a door has scanned.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ScanBody {
    /// The whole code, or its last twelve letters as somebody types them; spaces and small letters do not matter.
    code: String,
    /// The event whose door it is: tickets for another one are refused.
    event_id: Option<EventId>,
    /// When a device saw it that had no network then. Who is told to us first gets in, whoever was seen first.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    scanned_at: Option<OffsetDateTime>,
}

/// Lets somebody in. A ticket opens one door once.
#[utoipa::path(
    post, path = "/v1/admin/tickets/check-in", tag = "admin", security(("bearer" = [])), request_body = ScanBody,
    responses(
        (status = 200, description = "Let them in", body = Admission),
        (status = 404, description = "`not_found`: no such ticket for an event of yours", body = ProblemBody),
        (status = 409, description = "`already_checked_in` with `checked_in_at` and `checked_in_by`, `ticket_void`, \
            with `moved` when it has a newer code, `wrong_event` with `event_title`", body = ProblemBody),
    ),
)]
async fn check_in(
    State(app): State<AppState>,
    organiser: Organiser,
    request_id: RequestId,
    Json(body): Json<ScanBody>,
) -> Result<Json<Admission>, Problem> {
    let code = body.code.trim();
    if code.is_empty() || code.len() > LONGEST_CODE {
        return Err(invalid("code", format!("must be 1 to {LONGEST_CODE} bytes")));
    }
    let shown = app.desk.shown(code, body.event_id).await?;
    let event = own_event(&app, &organiser, shown.event_id).await?;
    let request_id = request_id.as_str().to_owned();
    let scan = Scan { by: organiser.id(), seen_at: body.scanned_at, request_id };
    if body.event_id.is_some_and(|door| door != event.id) {
        app.desk.refuse_at_wrong_door(&shown, &scan).await?;
        return Err(Code::WrongEvent.with("event_title", event.title));
    }
    Ok(Json(app.desk.check_in(&shown, &scan).await?))
}

/// Why something is done by hand.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Undo {
    #[schema(max_length = 200, example = "scanned the wrong one of two")]
    reason: String,
}

/// Takes a check-in back, so that the ticket opens the door once more.
#[utoipa::path(
    post, path = "/v1/admin/tickets/{id}/undo-check-in", tag = "admin", security(("bearer" = [])),
    params(("id" = TicketId, Path)), request_body = Undo,
    responses(
        (status = 200, description = "The ticket, which has let nobody in", body = DoorTicket),
        (status = 404, description = "`not_found`: no such ticket for an event of yours", body = ProblemBody),
        (status = 409, description = "`not_checked_in`", body = ProblemBody),
    ),
)]
async fn undo(
    State(app): State<AppState>,
    organiser: Organiser,
    request_id: RequestId,
    Path(ticket): Path<TicketId>,
    Json(body): Json<Undo>,
) -> Result<Json<DoorTicket>, Problem> {
    let (event, _) = own_ticket(&app, &organiser, ticket).await?;
    let reason = one_line(Some(&body.reason))?.ok_or_else(|| invalid("reason", "must say why"))?;
    let because = Because::of(Actor::Account(organiser.id()), reason).in_request(request_id.as_str());
    Ok(Json(app.desk.undo_check_in(event.id, ticket, &because).await?))
}

/// Where a ticket goes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MoveBody {
    /// The id of a free seat or place, or the key of a standing area for any place in it.
    #[schema(example = "stalls-B-4")]
    seat: String,
    /// For the ticket's history.
    #[schema(max_length = 200, example = "broken seat")]
    reason: Option<String>,
}

/// Moves a ticket to another seat of the same price.
///
/// Both seats change hands at once or not at all. The ticket keeps its id and gets a new code; the old code is dead.
/// Neither the sale's window nor the customer's limit matters. Moving it to where it is changes nothing.
#[utoipa::path(
    post, path = "/v1/admin/tickets/{id}/move", tag = "admin", security(("bearer" = [])),
    params(("id" = TicketId, Path)), request_body = MoveBody,
    responses(
        (status = 200, description = "Its order as it stands now", body = OrderBody),
        (status = 404, description = "`not_found`: no such ticket for an event of yours", body = ProblemBody),
        (status = 409, description = "`seats_unavailable` with the reason, `sold_out` of a standing area, \
            `price_differs` with `paid` and `price`, `ticket_void`", body = ProblemBody),
        (status = 422, description = "`unknown_seats`, or `invalid_request`", body = ProblemBody),
    ),
)]
async fn move_ticket(
    State(app): State<AppState>,
    organiser: Organiser,
    operation: Operation,
    request_id: RequestId,
    Path(ticket): Path<TicketId>,
    Json(body): Json<MoveBody>,
) -> Result<Json<OrderBody>, Problem> {
    let (event, order) = own_ticket(&app, &organiser, ticket).await?;
    let reason = one_line(body.reason.as_deref())?.unwrap_or("organiser moves");
    let ask = Move {
        event: event.id,
        ticket,
        to: body.seat.trim().to_owned(),
        operation: operation.0,
        because: Because::of(Actor::Account(organiser.id()), reason).in_request(request_id.as_str()),
    };
    app.desk.move_ticket(&ask).await?;
    Ok(Json(OrderBody::with_customer(app.desk.order_unchecked(order).await?, &app)))
}

/// What happened to a ticket.
#[derive(Debug, Serialize, ToSchema)]
struct History {
    /// Oldest first.
    items: Vec<TicketLogEntry>,
}

/// What happened to a ticket, at doors and at desks.
#[utoipa::path(
    get, path = "/v1/admin/tickets/{id}/log", tag = "admin", security(("bearer" = [])),
    params(("id" = TicketId, Path)),
    responses(
        (status = 200, description = "Its history", body = History),
        (status = 404, description = "`not_found`: no such ticket for an event of yours", body = ProblemBody),
    ),
)]
async fn history(
    State(app): State<AppState>,
    organiser: Organiser,
    Path(ticket): Path<TicketId>,
) -> Result<Json<History>, Problem> {
    let (event, _) = own_ticket(&app, &organiser, ticket).await?;
    Ok(Json(History { items: app.desk.ticket_log(event.id, ticket).await? }))
}

/// A ticket for an event of this organiser. Somebody else's does not exist for them.
async fn own_ticket(
    app: &AppState,
    organiser: &Organiser,
    ticket: TicketId,
) -> Result<(Event, OrderId), Problem> {
    let (event, order) = app.desk.ticket_is_of(ticket).await?;
    Ok((own_event(app, organiser, event).await?, order))
}

fn one_line(reason: Option<&str>) -> Result<Option<&str>, Problem> {
    let reason = reason.map(str::trim).filter(|reason| !reason.is_empty());
    if reason.is_some_and(|reason| reason.len() > LONGEST_REASON || reason.chars().any(char::is_control)) {
        return Err(invalid("reason", format!("must be one line of at most {LONGEST_REASON} bytes")));
    }
    Ok(reason)
}
