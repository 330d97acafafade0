//! The waiting list, as customers and organisers see it.

#![expect(unused_qualifications, reason = "in what the documentation macro makes of a query's type")]

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::catalog::Chart;
use crate::http::AppState;
use crate::http::admin_events::own_event;
use crate::http::extract::{Customer, Json, Organiser, Path, Query, invalid};
use crate::http::holds::HeldSeat;
use crate::http::idempotency::Operation;
use crate::http::pagination::{Page, Paged};
use crate::http::problem::{Problem, ProblemBody};
use crate::ids::{EntryId, EventId, HoldId, OrderId};
use crate::money::MOST;
use crate::waitlist::{Entry, EntryState, Join, Waiter};

/// The largest party.
const MOST_TOGETHER: u32 = 100;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(join))
        .routes(routes!(list))
        .routes(routes!(leave))
        .routes(routes!(of_event))
        .routes(routes!(remove))
}

/// A party that wants to wait. It is kept together: it is offered as many seats as it is people, side by side.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"quantity": 2, "section": "stalls", "max_price": 5000}))]
struct WaitWish {
    #[schema(minimum = 1, maximum = 100)]
    quantity: u32,
    /// Only there.
    section: Option<String>,
    /// Only seats of this category.
    category: Option<String>,
    /// The most that one seat may cost, in the currency's smallest unit.
    max_price: Option<i64>,
}

/// A party on a waiting list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EntryBody {
    id: EntryId,
    event_id: EventId,
    event_title: String,
    status: EntryState,
    /// 1 is next; null when it does not wait any more.
    position: Option<i64>,
    quantity: i32,
    section: Option<String>,
    category: Option<String>,
    max_price: Option<i64>,
    /// Why seats went to parties behind this one.
    passed_over: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    joined_at: OffsetDateTime,
    offer: Option<OfferBody>,
}

/// Seats that are held for a party: check its hold out before it ends.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OfferBody {
    hold_id: HoldId,
    seats: Vec<HeldSeat>,
    /// What all of them cost, in the currency's smallest unit.
    amount: i64,
    #[schema(example = "eur")]
    currency: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    expires_at: OffsetDateTime,
    /// The moment of this answer: a page that counts down minds the difference, not its own clock.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    server_time: OffsetDateTime,
    /// What it was checked out as.
    order_id: Option<OrderId>,
}

impl EntryBody {
    fn of(entry: Entry, chart: &Chart) -> Self {
        let offer = entry.offer.map(|offer| OfferBody {
            hold_id: offer.hold_id,
            seats: offer.ordinals.iter().filter_map(|&ordinal| HeldSeat::of(chart, ordinal)).collect(),
            amount: offer.amount,
            currency: chart.currency().to_string(),
            expires_at: offer.expires_at,
            server_time: offer.read_at,
            order_id: offer.order_id,
        });
        Self {
            id: entry.id,
            event_id: entry.event_id,
            event_title: entry.event_title,
            status: entry.state,
            position: entry.position,
            quantity: entry.quantity,
            section: entry.section,
            category: entry.category,
            max_price: entry.max_price,
            passed_over: entry.passed_over,
            joined_at: entry.joined_at,
            offer,
        }
    }
}

/// The answer to a hold that became a party.
pub(super) fn accepted(entry: Entry, chart: &Chart) -> Response {
    (StatusCode::ACCEPTED, Json(EntryBody::of(entry, chart))).into_response()
}

/// Joins an event's waiting list.
///
/// Parties are served in the order in which they came; one that does not fit what comes free keeps its place. Its offer is
/// a hold, which is checked out like any other.
#[utoipa::path(
    post, path = "/v1/events/{id}/waitlist", tag = "waiting list", security(("bearer" = [])),
    params(("id" = EventId, Path)), request_body = WaitWish,
    responses(
        (status = 201, description = "On the list", body = EntryBody,
         headers(("Location" = String, description = "Your entries"))),
        (status = 409, description = "`already_waiting` with `entry_id`, `waitlist_closed`", body = ProblemBody),
        (status = 422, description = "`invalid_request`, also for a wish that nothing there can meet", body = ProblemBody),
    ),
)]
async fn join(
    State(app): State<AppState>,
    customer: Customer,
    operation: Operation,
    Path(event): Path<EventId>,
    Json(wish): Json<WaitWish>,
) -> Result<Response, Problem> {
    if wish.quantity == 0 || wish.quantity > MOST_TOGETHER {
        return Err(invalid("quantity", format!("must be from 1 to {MOST_TOGETHER}")));
    }
    if wish.max_price.is_some_and(|most| !(0..=MOST).contains(&most)) {
        return Err(invalid("max_price", format!("must be from 0 to {MOST}")));
    }
    let chart = app.catalog.chart(event).await?;
    let ask = Join {
        id: EntryId(operation.0),
        event,
        customer: customer.id(),
        quantity: wish.quantity,
        section: wish.section,
        category: wish.category,
        max_price: wish.max_price,
    };
    let entry = app.waitlist.join(&ask).await?;
    let location = [(header::LOCATION, "/v1/waitlist")];
    Ok((StatusCode::CREATED, location, Json(EntryBody::of(entry, &chart))).into_response())
}

/// Your entries with their offers, newest first.
#[utoipa::path(
    get, path = "/v1/waitlist", tag = "waiting list", security(("bearer" = [])), params(Page),
    responses((status = 200, description = "A page of entries", body = Paged<EntryBody>)),
)]
async fn list(
    State(app): State<AppState>,
    customer: Customer,
    Query(page): Query<Page>,
) -> Result<Json<Paged<EntryBody>>, Problem> {
    let after = page.after()?.map(EntryId);
    let entries = app.waitlist.entries(customer.id(), after, page.limit_and_one()).await?;
    let paged = Paged::cut(entries, &page, |entry: &Entry| entry.id);
    let mut items = Vec::with_capacity(paged.items.len());
    for entry in paged.items {
        let chart: Arc<Chart> = app.catalog.chart(entry.event_id).await?;
        items.push(EntryBody::of(entry, &chart));
    }
    Ok(Json(Paged { items, next: paged.next }))
}

/// Leaves the list, or declines what it offers.
///
/// Who has left already is answered the same.
#[utoipa::path(
    delete, path = "/v1/waitlist/{id}", tag = "waiting list", security(("bearer" = [])), params(("id" = EntryId, Path)),
    responses(
        (status = 204, description = "The party does not wait any more, and nothing is held for it"),
        (status = 409, description = "`order_state` with `order_id`: the offer was checked out", body = ProblemBody),
    ),
)]
async fn leave(
    State(app): State<AppState>,
    customer: Customer,
    Path(id): Path<EntryId>,
) -> Result<StatusCode, Problem> {
    app.waitlist.leave(customer.id(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which parties.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Also those that do not wait any more.
    #[serde(default)]
    all: bool,
}

/// The waiting list of an own event, in its order.
#[utoipa::path(
    get, path = "/v1/admin/events/{id}/waitlist", tag = "admin", security(("bearer" = [])),
    params(("id" = EventId, Path), Which, Page),
    responses(
        (status = 200, description = "A page of parties", body = Paged<Waiter>),
        (status = 404, description = "`not_found`: no such event of yours", body = ProblemBody),
    ),
)]
async fn of_event(
    State(app): State<AppState>,
    organiser: Organiser,
    Path(id): Path<EventId>,
    Query(which): Query<Which>,
    Query(page): Query<Page>,
) -> Result<Json<Paged<Waiter>>, Problem> {
    let event = own_event(&app, &organiser, id).await?;
    let after = page.after()?.map(EntryId);
    let parties = app.waitlist.list(event.id, !which.all, after, page.limit_and_one()).await?;
    Ok(Json(Paged::cut(parties, &page, |party: &Waiter| party.id)))
}

/// Takes a party off the waiting list of an own event; what it was offered goes to the next.
#[utoipa::path(
    delete, path = "/v1/admin/waitlist/{id}", tag = "admin", security(("bearer" = [])), params(("id" = EntryId, Path)),
    responses(
        (status = 204, description = "The party does not wait any more"),
        (status = 404, description = "`not_found`: no such party at an event of yours", body = ProblemBody),
        (status = 409, description = "`order_state` with `order_id`: the offer was checked out", body = ProblemBody),
    ),
)]
async fn remove(
    State(app): State<AppState>,
    organiser: Organiser,
    Path(id): Path<EntryId>,
) -> Result<StatusCode, Problem> {
    let event = app.waitlist.event_of(id).await?;
    own_event(&app, &organiser, event).await?;
    app.waitlist.remove(id, organiser.id()).await?;
    Ok(StatusCode::NO_CONTENT)
}
