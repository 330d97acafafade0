//! Which seats are not free, for pages that draw a map. Served from this node's memory; Redis is not asked.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::cache::{self, Tag};
use super::coding;
use super::errors::of_seats;
use super::extract::{Json, Path};
use super::problem::Problem;
use crate::catalog::Chart;
use crate::ids::EventId;
use crate::seats::{Print, SeatState, View};

/// The version of planes, which have no room for it in their body.
const VERSION: HeaderName = HeaderName::from_static("holdfast-version");

const PLANES: &str = "application/octet-stream";

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(availability)).routes(routes!(status))
}

/// What is not free. A seat that is absent is free.
#[derive(Debug, Serialize, ToSchema)]
pub struct Availability<'a> {
    /// `<epoch>-<feed id>`; what `/live` resumes from.
    #[schema(example = "1-1767225600000-0")]
    version: String,
    /// All seats and places of the event.
    total: u32,
    free: u32,
    #[schema(value_type = std::collections::HashMap<String, SeatState>, example = json!({"stalls-A-12": "held"}))]
    taken: Taken<'a>,
}

/// The planes taken and sold, one behind the other.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "for the documentation: the bytes are sent as they are")]
struct Planes(Vec<u8>);

/// Seats by id, written one after the other: a full stadium makes no second copy of itself.
#[derive(Debug)]
struct Taken<'a> {
    chart: &'a Chart,
    view: &'a View,
}

impl<'a> Availability<'a> {
    pub(super) fn of(chart: &'a Chart, view: &'a View) -> Self {
        Self {
            version: view.version.to_string(),
            total: view.counts.total(),
            free: view.counts.free,
            taken: Taken { chart, view },
        }
    }
}

impl Serialize for Taken<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for ordinal in ones(&self.view.taken) {
            // Aisles are set bits, too, and no seats.
            if let Some(seat) = self.chart.seat(ordinal) {
                map.serialize_entry(&seat.id, &self.view.state(ordinal))?;
            }
        }
        map.end()
    }
}

/// The set bits of a plane, in which bit 0 is the highest of the first byte.
fn ones(plane: &[u8]) -> impl Iterator<Item = u32> {
    (0_u32..).zip(plane).filter(|(_, byte)| **byte != 0).flat_map(|(at, byte)| {
        let byte = *byte;
        (0..8).filter(move |bit| byte & (0x80 >> bit) != 0).map(move |bit| at * 8 + bit)
    })
}

/// Which seats are not free right now.
///
/// With `Accept: application/octet-stream` the answer is two bit planes of equal length, one bit a place in the
/// chart's order with the highest bit of each byte first: *taken*, then *sold* (or blocked). A place is held when
/// it is taken and not sold. Bits that are no places, such as aisles, are set in both.
#[utoipa::path(
    get, path = "/v1/events/{id}/availability", tag = "events", params(("id" = EventId, Path)),
    responses(
        (status = 200, description = "What is not free", content(
            (Availability = "application/json"), (Planes = "application/octet-stream"),
        ), headers(
            ("ETag" = String, description = "Names the version; send it back in If-None-Match"),
            ("Holdfast-Version" = String, description = "The version of the planes"),
        )),
        (status = 304, description = "Nothing has changed since the version in If-None-Match"),
    ),
)]
async fn availability(
    State(app): State<AppState>,
    Path(event): Path<EventId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let chart = app.catalog.chart(event).await?;
    let view = app.pictures.view(event).await.map_err(|error| of_seats(error, &chart))?;
    let wants_planes = headers
        .get_all(header::ACCEPT)
        .iter()
        .any(|accept| accept.to_str().is_ok_and(|accept| accept.contains(PLANES)));
    let version = view.version;
    let tag = if wants_planes {
        Tag::of_version(format_args!("{version}-planes"))
    } else {
        Tag::of_version(version)
    };
    let mut answer = if tag.is_known(&headers) {
        cache::unchanged()
    } else {
        let coding = coding::asked_for(&headers);
        if wants_planes {
            let body = view.print(Print::Planes, coding, planes);
            coding::answer(PLANES, coding, body.await)
        } else {
            let draw = move |view: &View| json(&chart, view);
            coding::answer("application/json", coding, view.print(Print::Json, coding, draw).await)
        }
    };
    cache::label(&mut answer, &tag, cache::ASK_AGAIN);
    let headers = answer.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("accept, accept-encoding"));
    if wants_planes && let Ok(version) = HeaderValue::from_str(&version.to_string()) {
        headers.insert(VERSION, version);
    }
    Ok(answer)
}

fn planes(view: &View) -> Vec<u8> {
    [view.taken.as_slice(), view.sold.as_slice()].concat()
}

pub(super) fn json(chart: &Chart, view: &View) -> Vec<u8> {
    serde_json::to_vec(&Availability::of(chart, view)).expect("seats and their states are always JSON")
}

/// How many seats are what.
#[derive(Debug, Serialize, ToSchema)]
struct Status {
    event_id: EventId,
    total: u32,
    available: u32,
    held: u32,
    sold: u32,
    blocked: u32,
    /// Parties on the waiting list.
    waiting: u32,
}

/// How the sale stands, in numbers.
#[utoipa::path(
    get, path = "/v1/events/{id}/status", tag = "events", params(("id" = EventId, Path)),
    responses((status = 200, description = "The numbers", body = Status)),
)]
async fn status(State(app): State<AppState>, Path(event): Path<EventId>) -> Result<Json<Status>, Problem> {
    let chart = app.catalog.chart(event).await?;
    let view = app.pictures.view(event).await.map_err(|error| of_seats(error, &chart))?;
    let counts = view.counts;
    let standing = app.waitlist.standing(event).await?;
    Ok(Json(Status {
        event_id: event,
        total: counts.total(),
        available: counts.free,
        held: counts.held,
        sold: counts.sold,
        blocked: counts.blocked,
        waiting: standing.waiting,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_counted_from_the_highest_of_the_first_byte() {
        assert_eq!(ones(&[0b1000_0001, 0, 0b0100_0000]).collect::<Vec<_>>(), [0, 7, 17]);
        assert_eq!(ones(&[]).count(), 0);
    }
}
