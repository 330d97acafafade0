//! Orders: checking a hold out, seeing one's orders, calling one off.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::AppState;
use crate::http::extract::{Customer, Json, Path, Query};
use crate::http::idempotency::Operation;
use crate::http::pagination::{Page, Paged};
use crate::http::problem::{Problem, ProblemBody};
use crate::http::request_id::RequestId;
use crate::ids::{EventId, HoldId, OrderId};
use crate::orders::{
    Buyer, Cancellation, Checkout, EventSummary, LogEntry, Order, OrderSeat, OrderState, RefundView, Search,
    Ticket, Whose,
};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(place, list)).routes(routes!(show)).routes(routes!(cancel))
}

/// What to check out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PlaceOrder {
    hold_id: HoldId,
}

/// How the order is paid.
#[derive(Debug, Serialize, ToSchema)]
pub struct PaymentBody {
    /// Always `stripe`.
    provider: &'static str,
    payment_intent: String,
    /// Lets the customer's page pay; shown only while the order awaits payment.
    client_secret: String,
    publishable_key: Option<String>,
    /// A page where it can be paid by hand; only the sandbox has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pay_url: Option<String>,
}

/// An order.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderBody {
    pub(super) id: OrderId,
    event_id: EventId,
    event: EventSummary,
    hold_id: HoldId,
    status: OrderState,
    seats: Vec<OrderSeat>,
    /// In the currency's smallest unit.
    amount: i64,
    currency: String,
    /// The one deadline that a customer has.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pay_by: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    created_at: OffsetDateTime,
    /// The moment of this answer: a page that counts down minds the difference, not its own clock.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    server_time: OffsetDateTime,
    /// What cancelling it would do now.
    cancel: Cancellation,
    /// Whether it was given away by the house.
    complimentary: bool,
    /// Who bought; told to organisers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<Buyer>,
    /// `null` when there is nothing to pay, or not any more.
    payment: Option<PaymentBody>,
    tickets: Vec<Ticket>,
    history: Vec<LogEntry>,
    refunds: Vec<RefundView>,
}

impl OrderBody {
    pub(super) fn of(order: Order, app: &AppState) -> Self {
        let payment = order.payment.map(|payment| PaymentBody {
            provider: "stripe",
            pay_url: app.config.pay_page_url.as_ref().map(|page| {
                format!(
                    "{}/{}?client_secret={}",
                    page.trim_end_matches('/'),
                    payment.payment_intent,
                    payment.client_secret
                )
            }),
            payment_intent: payment.payment_intent,
            client_secret: payment.client_secret,
            publishable_key: app.config.stripe_publishable_key.clone(),
        });
        Self {
            id: order.id,
            event_id: order.event.id,
            event: order.event,
            hold_id: order.hold_id,
            status: order.status,
            seats: order.seats,
            amount: order.amount,
            currency: order.currency,
            pay_by: order.pay_by,
            created_at: order.created_at,
            server_time: order.read_at,
            cancel: order.cancel,
            complimentary: order.comp_reason.is_some(),
            customer: None,
            payment,
            tickets: order.tickets,
            history: order.history,
            refunds: order.refunds,
        }
    }

    /// The same as an organiser sees it: who bought, and nothing that could pay for them.
    pub(super) fn with_customer(order: Order, app: &AppState) -> Self {
        let buyer = order.buyer.clone();
        Self { customer: Some(buyer), payment: None, ..Self::of(order, app) }
    }
}

/// Turns a hold into an order that can be paid.
///
/// A repeat for the same hold answers with the same order. An order that costs nothing is confirmed at once.
#[utoipa::path(post, path = "/v1/orders", tag = "orders", request_body = PlaceOrder, security(("bearer" = [])), responses(
    (status = 201, description = "The order, with what is needed to pay it", body = OrderBody),
    (status = 404, description = "`not_found`: no such hold of yours", body = ProblemBody),
    (status = 409, description = "`seats_unavailable`, `sale_closed`", body = ProblemBody),
    (status = 410, description = "`hold_expired`", body = ProblemBody),
))]
async fn place(
    State(app): State<AppState>,
    customer: Customer,
    operation: Operation,
    request_id: RequestId,
    Json(place): Json<PlaceOrder>,
) -> Result<(StatusCode, Json<OrderBody>), Problem> {
    let ask = Checkout {
        customer: customer.id(),
        hold: place.hold_id,
        order: OrderId(operation.0),
        request_id: request_id.as_str().to_owned(),
    };
    let order = app.desk.checkout(&ask).await?;
    Ok((StatusCode::CREATED, Json(OrderBody::of(order, &app))))
}

/// Your orders, newest first.
#[utoipa::path(get, path = "/v1/orders", tag = "orders", params(Page), security(("bearer" = [])), responses(
    (status = 200, description = "A page of orders", body = Paged<OrderBody>),
))]
async fn list(
    State(app): State<AppState>,
    customer: Customer,
    Query(page): Query<Page>,
) -> Result<Json<Paged<OrderBody>>, Problem> {
    let whose = Whose::Customer(customer.id());
    let after = page.after()?.map(OrderId);
    let orders = app.desk.orders(&whose, &Search::default(), after, page.limit_and_one()).await?;
    let items = orders.into_iter().map(|order| OrderBody::of(order, &app)).collect();
    Ok(Json(Paged::cut(items, &page, |order: &OrderBody| order.id.0)))
}

/// One order of yours, with its tickets, history and refunds.
#[utoipa::path(get, path = "/v1/orders/{id}", tag = "orders", params(("id" = OrderId, Path)), security(("bearer" = [])), responses(
    (status = 200, description = "The order", body = OrderBody),
    (status = 404, description = "`not_found`", body = ProblemBody),
))]
async fn show(
    State(app): State<AppState>,
    customer: Customer,
    Path(id): Path<OrderId>,
) -> Result<Json<OrderBody>, Problem> {
    let order = app.desk.own_order(customer.id(), id).await?;
    Ok(Json(OrderBody::of(order, &app)))
}

/// Calls an order off.
///
/// An open order's payment is cancelled and its seats are free; a confirmed one is refunded in full until the event
/// starts. An order that turns out to be paid at this very moment is confirmed, and says so. Calling off what is
/// already off answers with how it stands.
#[utoipa::path(post, path = "/v1/orders/{id}/cancel", tag = "orders", params(("id" = OrderId, Path)), security(("bearer" = [])), responses(
    (status = 200, description = "The order as it stands now", body = OrderBody),
    (status = 404, description = "`not_found`", body = ProblemBody),
    (status = 409, description = "`order_state`: the event has started", body = ProblemBody),
))]
async fn cancel(
    State(app): State<AppState>,
    customer: Customer,
    request_id: RequestId,
    Path(id): Path<OrderId>,
) -> Result<Json<OrderBody>, Problem> {
    let order = app.desk.cancel(customer.id(), id, request_id.as_str()).await?;
    Ok(Json(OrderBody::of(order, &app)))
}
