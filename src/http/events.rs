//! Events and their charts, as everybody sees them.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::cache::{self, Tag};
use super::coding;
use super::extract::{Json, Path, Query};
use super::pagination::{Page, Paged};
use super::problem::Problem;
use crate::catalog::{Chart, Event, EventState};
use crate::ids::EventId;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show)).routes(routes!(seats))
}

/// How an event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventStatus {
    /// Prepared; nobody but its organiser knows of it.
    Draft,
    /// The sale has not begun.
    Scheduled,
    OnSale,
    /// On sale, and nothing is free right now. Seats may come back.
    SoldOut,
    /// The sale is over.
    Closed,
    Cancelled,
}

impl EventStatus {
    /// `free` is `None` where nobody has counted.
    fn of(event: &Event, free: Option<u32>, now: OffsetDateTime) -> Self {
        let is_over = event.sale_ends_at.or(event.ends_at).is_some_and(|end| end <= now);
        if event.state == EventState::Cancelled {
            Self::Cancelled
        } else if event.state == EventState::Draft {
            Self::Draft
        } else if is_over {
            Self::Closed
        } else if event.sale_starts_at.is_some_and(|start| start > now) {
            Self::Scheduled
        } else if free == Some(0) {
            Self::SoldOut
        } else {
            Self::OnSale
        }
    }
}

/// An event, without its chart.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventBody {
    id: EventId,
    /// The short number that the codes of its tickets carry.
    number: i32,
    #[schema(example = "The Tempest")]
    title: String,
    description: String,
    venue: String,
    /// In a list, an event that is on sale says `on_sale` also when nothing is free.
    status: EventStatus,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    starts_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    ends_at: Option<OffsetDateTime>,
    /// Null: since the event is known.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    sale_starts_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    sale_ends_at: Option<OffsetDateTime>,
    #[schema(example = "eur")]
    currency: String,
    /// How many seats one customer may hold and have.
    max_per_customer: Option<u32>,
    /// How long a hold lasts here; null is the service's default.
    hold_seconds: Option<u32>,
    /// Whether a choice that would strand a single seat is refused.
    orphan_rule: bool,
    /// Entered through a waiting room that opens so many minutes before the sale; null where there is none.
    room_minutes: Option<u32>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    room_opens_at: Option<OffsetDateTime>,
    /// Whether one can wait for seats, when there are none.
    waitlist: bool,
    /// Whether one can join the waiting list now.
    waitlist_open: bool,
    /// How long an offer to a waiting party lasts; null is the service's default.
    offer_seconds: Option<u32>,
    /// The list closes this long before the event.
    waitlist_cutoff_seconds: u32,
    /// All seats and places.
    seats: u32,
}

impl EventBody {
    pub(super) fn of(event: Event, free: Option<u32>) -> Self {
        let now = OffsetDateTime::now_utc();
        let room_opens_at = event.room_opens_at();
        Self {
            status: EventStatus::of(&event, free, now),
            waitlist_open: event.waitlist_is_open(now),
            id: event.id,
            number: event.number,
            title: event.title,
            description: event.description,
            venue: event.venue,
            starts_at: event.starts_at,
            ends_at: event.ends_at,
            sale_starts_at: event.sale_starts_at,
            sale_ends_at: event.sale_ends_at,
            currency: event.currency.to_string(),
            max_per_customer: event.max_per_customer,
            hold_seconds: event.hold_seconds,
            orphan_rule: event.orphan_rule,
            room_minutes: event.room_minutes,
            room_opens_at,
            waitlist: event.waitlist,
            offer_seconds: event.offer_seconds,
            waitlist_cutoff_seconds: event.waitlist_cutoff_seconds,
            seats: event.seats,
        }
    }
}

/// Events, soonest first.
#[utoipa::path(get, path = "/v1/events", tag = "events", params(Page), responses(
    (status = 200, description = "A page of events", body = Paged<EventBody>),
))]
async fn list(
    State(app): State<AppState>,
    Query(page): Query<Page>,
) -> Result<Json<Paged<EventBody>>, Problem> {
    let events = app.catalog.list(page.place(Event::read_place)?, page.limit_and_one()).await?;
    let paged = Paged::cut(events, &page, Event::place);
    let items = paged.items.into_iter().map(|event| EventBody::of(event, None)).collect();
    Ok(Json(Paged { items, next: paged.next }))
}

/// An event with its prices and places.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventDetails {
    #[serde(flatten)]
    event: EventBody,
    categories: Vec<CategoryBody>,
    /// Parts with numbered seats, best first as the organiser gave them.
    sections: Vec<SectionBody>,
    /// Parts where any place is as good as another.
    areas: Vec<AreaBody>,
}

#[derive(Debug, Serialize, ToSchema)]
struct CategoryBody {
    #[schema(example = "gold")]
    key: String,
    name: String,
    /// In the currency's smallest unit.
    price: i64,
}

#[derive(Debug, Serialize, ToSchema)]
struct SectionBody {
    #[schema(example = "stalls")]
    key: String,
    name: String,
    /// Of its seats that do not say otherwise.
    category: String,
    seats: u32,
}

#[derive(Debug, Serialize, ToSchema)]
struct AreaBody {
    #[schema(example = "floor")]
    key: String,
    name: String,
    category: String,
    capacity: u32,
}

impl EventDetails {
    pub(super) fn of(event: EventBody, chart: &Chart) -> Self {
        let categories = chart.categories().iter().map(|category| CategoryBody {
            key: category.key.clone(),
            name: category.name.clone(),
            price: category.price,
        });
        let sections = chart.sections().map(|section| SectionBody {
            key: section.key.to_owned(),
            name: section.name.to_owned(),
            category: section.category.to_owned(),
            seats: section.seats,
        });
        let areas = chart.areas().map(|area| AreaBody {
            key: area.key.to_owned(),
            name: area.name.to_owned(),
            category: area.category.to_owned(),
            capacity: area.capacity,
        });
        Self { event, categories: categories.collect(), sections: sections.collect(), areas: areas.collect() }
    }
}

/// One event.
#[utoipa::path(get, path = "/v1/events/{id}", tag = "events", params(("id" = EventId, Path)), responses(
    (status = 200, description = "The event", body = EventDetails),
))]
async fn show(State(app): State<AppState>, Path(id): Path<EventId>) -> Result<Json<EventDetails>, Problem> {
    let (event, chart) = tokio::try_join!(app.catalog.event(id), app.catalog.chart(id))?;
    // Without Redis one can still read what the event is; only whether it is sold out stays unsaid.
    let free = app.pictures.view(id).await.ok().map(|view| view.counts.free);
    Ok(Json(EventDetails::of(EventBody::of(event, free), &chart)))
}

/// The chart: every seat with its section, row, category and place on the map.
///
/// It never changes while the event lives, so it can be kept for ever.
#[utoipa::path(get, path = "/v1/events/{id}/seats", tag = "events", params(("id" = EventId, Path)), responses(
    (status = 200, description = "The chart", body = serde_json::Value),
    (status = 304, description = "The one in If-None-Match still holds"),
))]
async fn seats(
    State(app): State<AppState>,
    Path(id): Path<EventId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let chart = app.catalog.chart(id).await?;
    let tag = Tag::of_version(chart.etag());
    let coding = coding::asked_for(&headers);
    let mut answer = cache::answer(&headers, &tag, cache::FOR_EVER, || {
        coding::answer("application/json", coding, chart.drawing().in_coding(coding))
    });
    answer.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    Ok(answer)
}
