//! What an organiser sees and does with the orders of an own event.

#![expect(unused_qualifications, reason = "in what the documentation macro makes of a query's type")]

use axum::extract::State;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::AppState;
use crate::http::admin_events::own_event;
use crate::http::extract::{Json, Organiser, Path, Query, invalid};
use crate::http::idempotency::Operation;
use crate::http::orders::OrderBody;
use crate::http::pagination::{Page, Paged};
use crate::http::problem::{FieldFault, Problem, ProblemBody};
use crate::http::request_id::RequestId;
use crate::ids::{EventId, OrderId};
use crate::orders::{GoodWill, OrderState, SaleReport, Search, Whose};

/// The longest text to search for: an address, with room.
const LONGEST_SEARCH: usize = 200;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(report)).routes(routes!(refund))
}

/// Which orders.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Find {
    /// An order's id, a seat's id, a ticket's code, or a part of the buyer's name or address.
    q: Option<String>,
    status: Option<OrderState>,
}

/// The orders of an event, newest first.
#[utoipa::path(get, path = "/v1/admin/events/{id}/orders", tag = "admin", params(("id" = EventId, Path), Find, Page),
    security(("bearer" = [])), responses(
        (status = 200, description = "A page of orders", body = Paged<OrderBody>),
        (status = 404, description = "`not_found`: no such event of yours", body = ProblemBody),
    ))]
async fn list(
    State(app): State<AppState>,
    organiser: Organiser,
    Path(id): Path<EventId>,
    Query(find): Query<Find>,
    Query(page): Query<Page>,
) -> Result<Json<Paged<OrderBody>>, Problem> {
    let event = own_event(&app, &organiser, id).await?;
    let text = find.q.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    if text.as_ref().is_some_and(|text| text.len() > LONGEST_SEARCH) {
        return Err(invalid("q", format!("must be at most {LONGEST_SEARCH} bytes")));
    }
    let search = Search { text, state: find.status };
    let after = page.after()?.map(OrderId);
    let orders = app.desk.orders(&Whose::Event(event.id), &search, after, page.limit_and_one()).await?;
    let items = orders.into_iter().map(|order| OrderBody::with_customer(order, &app)).collect();
    Ok(Json(Paged::cut(items, &page, |order: &OrderBody| order.id.0)))
}

/// How the sale stands: orders by state, seats and money by category.
#[utoipa::path(get, path = "/v1/admin/events/{id}/report", tag = "admin", params(("id" = EventId, Path)),
    security(("bearer" = [])), responses(
        (status = 200, description = "The report", body = SaleReport),
        (status = 404, description = "`not_found`: no such event of yours", body = ProblemBody),
    ))]
async fn report(
    State(app): State<AppState>,
    organiser: Organiser,
    Path(id): Path<EventId>,
) -> Result<Json<SaleReport>, Problem> {
    let event = own_event(&app, &organiser, id).await?;
    Ok(Json(app.desk.report(event.id).await?))
}

/// What to give back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GiveBack {
    /// In the currency's smallest unit. Left out: everything, and the seats are free again. A part keeps the seats.
    amount: Option<i64>,
    /// For the order's history.
    reason: Option<String>,
}

/// Gives money back.
#[utoipa::path(post, path = "/v1/admin/orders/{id}/refund", tag = "admin", params(("id" = OrderId, Path)),
    request_body = GiveBack, security(("bearer" = [])), responses(
        (status = 200, description = "The order as it stands now", body = OrderBody),
        (status = 404, description = "`not_found`: no such order at an event of yours", body = ProblemBody),
        (status = 409, description = "`order_state`: nothing is paid", body = ProblemBody),
    ))]
async fn refund(
    State(app): State<AppState>,
    organiser: Organiser,
    operation: Operation,
    request_id: RequestId,
    Path(id): Path<OrderId>,
    Json(give_back): Json<GiveBack>,
) -> Result<Json<OrderBody>, Problem> {
    let order = app.desk.order_unchecked(id).await?;
    own_event(&app, &organiser, order.event.id).await?;
    if give_back.amount.is_some_and(|amount| amount <= 0) {
        return Err(Problem::invalid(vec![FieldFault::new("amount", "must be more than 0")]));
    }
    let reason = give_back.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
    if reason.is_some_and(|reason| reason.len() > 200 || reason.chars().any(char::is_control)) {
        return Err(Problem::invalid(vec![FieldFault::new(
            "reason",
            "must be one line of at most 200 bytes",
        )]));
    }
    let will = GoodWill {
        amount: give_back.amount,
        // A part may be given back more than once for the same reason, but not twice by one call.
        cause: format!("{} ({})", reason.unwrap_or("organiser refunds"), operation.0),
        by: organiser.id(),
        request_id: request_id.as_str().to_owned(),
    };
    let order = app.desk.refund(id, &will).await?;
    Ok(Json(OrderBody::with_customer(order, &app)))
}
