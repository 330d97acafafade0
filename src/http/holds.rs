//! Holds: seats that are a customer's for a while.

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::AppState;
use super::errors::of_seats;
use super::extract::{Customer, Json, Path};
use super::idempotency::REPLAYED;
use super::problem::{Code, Problem, ProblemBody};
use super::request_id::RequestId;
use super::room;
use super::waitlist::{self, EntryBody};
use super::wish::{HoldWish, Waits};
use crate::catalog::Chart;
use crate::ids::{EntryId, EventId, HoldId, OrderId};
use crate::seats::{Asker, Held, HoldAsk, HoldRefusal, Once, Released, SeatsError};
use crate::waitlist::{Join, WaitlistError};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(take)).routes(routes!(show, let_go))
}

/// A seat of a hold, at the price that is charged while the hold lives.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HeldSeat {
    #[schema(example = "stalls-A-12")]
    id: String,
    #[schema(example = "stalls")]
    section: String,
    /// Null in a standing area.
    row: Option<String>,
    /// Null in a standing area.
    seat: Option<String>,
    category: String,
    /// In the currency's smallest unit.
    price: i64,
}

/// What a hold is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HoldStatus {
    /// The seats are the customer's until `expires_at`.
    Held,
    /// An order was made of it, see `order_id`.
    Ordered,
}

/// Seats that are a customer's for a while.
#[derive(Debug, Serialize, ToSchema)]
pub struct HoldBody {
    id: HoldId,
    event_id: EventId,
    status: HoldStatus,
    /// The order that it was checked out as.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<OrderId>,
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
}

impl HoldBody {
    /// Both moments are Redis', whose clock the deadline is of.
    fn of(held: &Held, chart: &Chart) -> Self {
        let seats: Vec<HeldSeat> =
            held.ordinals.iter().filter_map(|&ordinal| HeldSeat::of(chart, ordinal)).collect();
        Self {
            id: held.hold,
            event_id: held.event,
            status: if held.order.is_some() { HoldStatus::Ordered } else { HoldStatus::Held },
            order_id: held.order,
            amount: seats.iter().map(|seat| seat.price).sum(),
            seats,
            currency: chart.currency().to_string(),
            expires_at: moment(held.deadline_ms.max(held.now_ms)),
            server_time: moment(held.now_ms),
        }
    }
}

impl HeldSeat {
    pub(super) fn of(chart: &Chart, ordinal: u32) -> Option<Self> {
        let seat = chart.seat(ordinal)?;
        Some(Self {
            id: seat.id.to_string(),
            section: seat.section.to_owned(),
            row: seat.row.map(str::to_owned),
            seat: seat.seat.map(Into::into),
            category: seat.category.to_owned(),
            price: seat.price,
        })
    }
}

/// Takes seats, all or nothing.
///
/// Ask for seats by id, for places of standing areas by number, or for the `best` seats side by side. With
/// `replaces`, one's own hold is swapped for this one in the same step: when the new seats cannot be had, the old
/// ones stay held.
#[utoipa::path(
    post, path = "/v1/events/{id}/holds", tag = "holds", security(("bearer" = [])),
    params(("id" = EventId, Path), ("Admission" = Option<String>, Header, description = "Of the event's waiting room, where it has one")),
    request_body = HoldWish,
    responses(
        (status = 201, description = "The seats are held until `expires_at`", body = HoldBody,
         headers(("Location" = String, description = "The hold"))),
        (status = 202, description = "Sold out, and on the waiting list, as `if_sold_out` asked for", body = EntryBody),
        (status = 409, description = "`seats_unavailable` with `seats: [{id, reason}]`, `sold_out` with `waitlist_open`, \
            `limit_exceeded`, `sale_closed`; `order_state` with `order_id`: the hold to replace is being paid for", body = ProblemBody),
        (status = 403, description = "`not_admitted`: the event has a waiting room", body = ProblemBody),
        (status = 410, description = "`hold_expired`: the hold to replace is over", body = ProblemBody),
        (status = 422, description = "`unknown_seats` with `seats: [id]`, or `invalid_request`", body = ProblemBody),
    ),
)]
async fn take(
    State(app): State<AppState>,
    customer: Customer,
    once: Option<Extension<Once>>,
    Path(event): Path<EventId>,
    headers: HeaderMap,
    Json(wish): Json<HoldWish>,
) -> Result<Response, Problem> {
    let chart = app.catalog.chart(event).await?;
    let waits = wish.waits();
    let ask = HoldAsk {
        hold: HoldId::of(chart.event_number(), Uuid::now_v7()),
        event,
        owner: customer.id(),
        replaces: wish.replaces(&chart)?,
        what: wish.read(&chart)?,
        via: room::via(&app, &headers, event, customer.id()),
    };
    let told = app.engine.hold_once(&ask, once.as_deref()).await;
    let mut answer = match told.outcome {
        Ok(held) => {
            let location = [(header::LOCATION, format!("/v1/holds/{}", held.hold))];
            let body = HoldBody::of(&held, &chart);
            (StatusCode::CREATED, location, Json(body)).into_response()
        }
        Err(SeatsError::Refused(refusal)) => {
            refused(&app, &HoldAsk { hold: told.hold, ..ask }, refusal, waits, &chart)
                .await
                .unwrap_or_else(IntoResponse::into_response)
        }
        Err(error) => of_seats(error, &chart).into_response(),
    };
    if told.is_repeat {
        answer.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(answer)
}

fn moment(ms: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Where there are not enough seats left one may wait for some, if that was wished for; else one is told whether one
/// may.
async fn refused(
    app: &AppState,
    ask: &HoldAsk,
    refusal: HoldRefusal,
    waits: Option<Waits>,
    chart: &Chart,
) -> Result<Response, Problem> {
    let too_few = match (&refusal, &waits) {
        (HoldRefusal::SoldOut { .. } | HoldRefusal::NoAdjacent { .. }, _) => true,
        // Seats by name are taken one by one, and only then the event is sold out.
        (HoldRefusal::Seats(_), Some(party)) => {
            app.pictures.view(ask.event).await.is_ok_and(|view| view.counts.free < party.quantity)
        }
        _ => false,
    };
    let problem = of_seats(SeatsError::Refused(refusal), chart);
    if !too_few {
        return Err(problem);
    }
    if let Some(party) = waits {
        let join = Join {
            // One call makes a hold or a party, never both: they may share its id.
            id: EntryId(ask.hold.0),
            event: ask.event,
            customer: ask.owner,
            quantity: party.quantity,
            section: party.section,
            category: party.category,
            max_price: None,
        };
        match app.waitlist.join(&join).await {
            Ok(entry) => return Ok(waitlist::accepted(entry, chart)),
            Err(WaitlistError::WaitsAlready(id)) => {
                return Ok(waitlist::accepted(app.waitlist.own(ask.owner, id).await?, chart));
            }
            Err(WaitlistError::Closed) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let open = app.waitlist.standing(ask.event).await.is_ok_and(|standing| standing.open);
    Err(problem.with("waitlist_open", open))
}

/// One of your holds, while it lasts.
#[utoipa::path(
    get, path = "/v1/holds/{id}", tag = "holds", security(("bearer" = [])), params(("id" = HoldId, Path)),
    responses(
        (status = 200, description = "The hold", body = HoldBody),
        (status = 410, description = "`hold_expired`", body = ProblemBody),
    ),
)]
async fn show(
    State(app): State<AppState>,
    customer: Customer,
    Path(id): Path<HoldId>,
) -> Result<Json<HoldBody>, Problem> {
    let chart = app.catalog.chart_by_number(id.event_number()).await?;
    let held = app.engine.hold_of(chart.event_id(), id).await?;
    let held = held.filter(|held| held.owner == customer.id()).ok_or_else(|| Code::NotFound.problem())?;
    if held.live { Ok(Json(HoldBody::of(&held, &chart))) } else { Err(Code::HoldExpired.problem()) }
}

/// Gives a hold's seats back.
///
/// A hold that is already gone answers the same. Of a hold that was checked out, the order is cancelled.
#[utoipa::path(
    delete, path = "/v1/holds/{id}", tag = "holds", security(("bearer" = [])), params(("id" = HoldId, Path)),
    responses((status = 204, description = "The seats are not held by this any more")),
)]
async fn let_go(
    State(app): State<AppState>,
    customer: Customer,
    request_id: RequestId,
    Path(id): Path<HoldId>,
) -> Result<StatusCode, Problem> {
    let chart = app.catalog.chart_by_number(id.event_number()).await?;
    match app.engine.release(chart.event_id(), id, Asker::Owner(customer.id())).await? {
        Released::Seats(_) => app.waitlist.decline_hold(customer.id(), id).await,
        Released::Already => {}
        Released::InCheckout(_) => app.desk.cancel_by_hold(customer.id(), id, request_id.as_str()).await?,
    }
    Ok(StatusCode::NO_CONTENT)
}
