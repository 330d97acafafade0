//! Tickets: the code that a customer shows, and the door at which it is shown.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use qrcode::QrCode;
use qrcode::render::svg;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::AppState;
use super::admin_events::own_event;
use super::extract::{Customer, Json, Organiser, Path, invalid};
use super::problem::{Code, Problem, ProblemBody};
use crate::ids::EventId;
use crate::orders::Admission;

/// The longest code that is looked for: ours are 25 letters.
const LONGEST_CODE: usize = 200;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(qr)).routes(routes!(check_in))
}

/// A ticket's code as a QR code.
#[utoipa::path(
    get, path = "/v1/tickets/{id}/qr.svg", tag = "orders", security(("bearer" = [])), params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "The drawing", body = String, content_type = "image/svg+xml"),
        (status = 404, description = "`not_found`: no such ticket of yours", body = ProblemBody),
        (status = 409, description = "`ticket_void`", body = ProblemBody),
    ),
)]
async fn qr(
    State(app): State<AppState>,
    customer: Customer,
    Path(ticket): Path<Uuid>,
) -> Result<Response, Problem> {
    let code = app.desk.own_ticket_code(customer.id(), ticket).await?;
    let drawing = QrCode::new(code.as_bytes()).map_err(Problem::internal)?.render::<svg::Color<'_>>().build();
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("image/svg+xml"))], drawing).into_response())
}

/// What a door has scanned.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Scan {
    code: String,
    /// The event whose door it is: tickets for another one are refused.
    event_id: Option<EventId>,
}

/// Lets somebody in. A ticket opens one door once.
#[utoipa::path(
    post, path = "/v1/admin/tickets/check-in", tag = "admin", security(("bearer" = [])), request_body = Scan,
    responses(
        (status = 200, description = "Let them in", body = Admission),
        (status = 404, description = "`not_found`: no such ticket for an event of yours", body = ProblemBody),
        (status = 409, description = "`already_checked_in` with `checked_in_at` and `checked_in_by`, `ticket_void`, \
            `wrong_event` with `event_title`", body = ProblemBody),
    ),
)]
async fn check_in(
    State(app): State<AppState>,
    organiser: Organiser,
    Json(scan): Json<Scan>,
) -> Result<Json<Admission>, Problem> {
    let code = scan.code.trim();
    if code.is_empty() || code.len() > LONGEST_CODE {
        return Err(invalid("code", format!("must be 1 to {LONGEST_CODE} bytes")));
    }
    let event = app.desk.event_of_ticket(code).await?;
    let event = own_event(&app, &organiser, event).await?;
    if scan.event_id.is_some_and(|door| door != event.id) {
        return Err(Code::WrongEvent.with("event_title", event.title));
    }
    Ok(Json(app.desk.check_in(event.id, code, organiser.id()).await?))
}
