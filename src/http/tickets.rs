//! Tickets as their owners have them: the keys that codes are signed with, squares, paper, calendars.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::admin_events::own_event;
use super::extract::{Customer, Json, Organiser, Path};
use super::problem::{Code, Problem, ProblemBody};
use crate::accounts::Role;
use crate::ids::{AccountId, EventId, OrderId, TicketId};
use crate::orders::{OrderState, Paper, calendar_of};
use crate::tickets::{self, Print, PublicKey, Qr};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(keys))
        .routes(routes!(svg))
        .routes(routes!(png))
        .routes(routes!(one_pdf))
        .routes(routes!(all_pdf))
        .routes(routes!(calendar))
}

/// A JSON Web Key Set (RFC 7517).
#[derive(Debug, Serialize, ToSchema)]
struct KeySet {
    /// The one that signs now comes first.
    keys: Vec<PublicKey>,
}

/// The keys with which a device at a door checks tickets alone.
///
/// How a code is read is described, with a worked example, in `docs/tickets.md`.
#[utoipa::path(get, path = "/v1/tickets/keys", tag = "events", responses(
    (status = 200, description = "Ed25519 public keys", body = KeySet),
))]
async fn keys(State(app): State<AppState>) -> Response {
    let keep = [(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"))];
    (keep, Json(KeySet { keys: app.desk.ticket_keys().public().to_vec() })).into_response()
}

/// A ticket's code as a QR code, for a page.
#[utoipa::path(
    get, path = "/v1/tickets/{id}/qr.svg", tag = "orders", security(("bearer" = [])), params(("id" = TicketId, Path)),
    responses(
        (status = 200, description = "The drawing", body = String, content_type = "image/svg+xml"),
        (status = 404, description = "`not_found`: no such ticket of yours, nor for an event of yours", body = ProblemBody),
        (status = 409, description = "`ticket_void`", body = ProblemBody),
    ),
)]
async fn svg(
    State(app): State<AppState>,
    customer: Customer,
    Path(ticket): Path<TicketId>,
) -> Result<Response, Problem> {
    let paper = one(&app, customer, ticket).await?;
    let drawing = Qr::of(&paper.print.code).map_err(Problem::internal)?.svg();
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("image/svg+xml"))], drawing).into_response())
}

/// The same as a picture, for a telephone or a mail.
#[utoipa::path(
    get, path = "/v1/tickets/{id}/qr.png", tag = "orders", security(("bearer" = [])), params(("id" = TicketId, Path)),
    responses(
        (status = 200, description = "The picture", body = Vec<u8>, content_type = "image/png"),
        (status = 404, description = "`not_found`: no such ticket of yours, nor for an event of yours", body = ProblemBody),
        (status = 409, description = "`ticket_void`", body = ProblemBody),
    ),
)]
async fn png(
    State(app): State<AppState>,
    customer: Customer,
    Path(ticket): Path<TicketId>,
) -> Result<Response, Problem> {
    let paper = one(&app, customer, ticket).await?;
    let picture = Qr::of(&paper.print.code).map_err(Problem::internal)?.png();
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("image/png"))], picture).into_response())
}

/// A ticket to print: one page of A5.
#[utoipa::path(
    get, path = "/v1/tickets/{id}/ticket.pdf", tag = "orders", security(("bearer" = [])), params(("id" = TicketId, Path)),
    responses(
        (status = 200, description = "The document", body = Vec<u8>, content_type = "application/pdf"),
        (status = 404, description = "`not_found`: no such ticket of yours, nor for an event of yours", body = ProblemBody),
        (status = 409, description = "`ticket_void`", body = ProblemBody),
    ),
)]
async fn one_pdf(
    State(app): State<AppState>,
    customer: Customer,
    Path(ticket): Path<TicketId>,
) -> Result<Response, Problem> {
    let paper = one(&app, customer, ticket).await?;
    let name = format!("ticket-{}.pdf", paper.seat_id);
    document(vec![paper.print], &name).await
}

/// All tickets of an order to print, a page each.
#[utoipa::path(
    get, path = "/v1/orders/{id}/tickets.pdf", tag = "orders", security(("bearer" = [])),
    params(("id" = OrderId, Path)),
    responses(
        (status = 200, description = "The document", body = Vec<u8>, content_type = "application/pdf"),
        (status = 404, description = "`not_found`: no such order of yours, nor at an event of yours", body = ProblemBody),
        (status = 409, description = "`order_state`: it has no tickets, or not any more", body = ProblemBody),
    ),
)]
async fn all_pdf(
    State(app): State<AppState>,
    customer: Customer,
    Path(id): Path<OrderId>,
) -> Result<Response, Problem> {
    let order = app.desk.order_unchecked(id).await?;
    allowed(&app, customer, order.buyer.id, order.event.id).await?;
    let papers = app.desk.papers_of_order(id).await?;
    let good: Vec<_> = papers.into_iter().filter(|paper| paper.is_valid).map(|paper| paper.print).collect();
    if good.is_empty() {
        return Err(Code::OrderState.with("order_status", order.status));
    }
    document(good, "tickets.pdf").await
}

/// The event of an order, for a calendar.
///
/// Fetched again after the event was changed or the order called off, it replaces what the calendar has.
#[utoipa::path(
    get, path = "/v1/orders/{id}/event.ics", tag = "orders", security(("bearer" = [])),
    params(("id" = OrderId, Path)),
    responses(
        (status = 200, description = "The entry (RFC 5545)", body = String, content_type = "text/calendar"),
        (status = 404, description = "`not_found`: no such order of yours, nor at an event of yours", body = ProblemBody),
        (status = 409, description = "`order_state`: it was never confirmed", body = ProblemBody),
    ),
)]
async fn calendar(
    State(app): State<AppState>,
    customer: Customer,
    Path(id): Path<OrderId>,
) -> Result<Response, Problem> {
    let order = app.desk.order_unchecked(id).await?;
    allowed(&app, customer, order.buyer.id, order.event.id).await?;
    let was_sold = order.history.iter().any(|step| step.to == OrderState::Confirmed.as_str());
    if !was_sold {
        return Err(Code::OrderState.with("order_status", order.status));
    }
    let event = app.catalog.event(order.event.id).await?;
    let file = calendar_of(&order, &event, &app.config.public_url(), OffsetDateTime::now_utc());
    Ok(attached("text/calendar; charset=utf-8", "event.ics", file.into_bytes()))
}

/// A ticket that is good, for whoever may have it.
async fn one(app: &AppState, customer: Customer, ticket: TicketId) -> Result<Paper, Problem> {
    let paper = app.desk.paper_of_ticket(ticket).await?;
    allowed(app, customer, paper.owner, paper.event).await?;
    if paper.is_valid { Ok(paper) } else { Err(Code::TicketVoid.problem()) }
}

/// Its owner, and whoever runs the event: a box office prints. For anybody else it does not exist.
async fn allowed(
    app: &AppState,
    customer: Customer,
    owner: AccountId,
    event: EventId,
) -> Result<(), Problem> {
    match customer.0.role {
        _ if customer.id() == owner => Ok(()),
        Role::Customer => Err(Code::NotFound.problem()),
        Role::Organiser | Role::Admin => own_event(app, &Organiser(customer.0), event).await.map(drop),
    }
}

async fn document(prints: Vec<Print>, name: &str) -> Result<Response, Problem> {
    // A school's worth of tickets takes a second.
    let document = tokio::task::spawn_blocking(move || tickets::pdf(&prints)).await;
    let document = document.map_err(Problem::internal)?.map_err(Problem::internal)?;
    Ok(attached("application/pdf", name, document))
}

fn attached(kind: &'static str, name: &str, content: Vec<u8>) -> Response {
    let plain: String = name
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || "-.".contains(letter) { letter } else { '_' })
        .collect();
    let name = format!("attachment; filename=\"{plain}\"");
    let name = HeaderValue::from_str(&name).unwrap_or(HeaderValue::from_static("attachment"));
    let kind = HeaderValue::from_static(kind);
    ([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], content).into_response()
}
