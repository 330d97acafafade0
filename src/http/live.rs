//! The picture as it changes, as server-sent events: whoever reconnects misses nothing.

#![expect(unused_qualifications, reason = "in what the documentation macro makes of a query's type")]

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::availability::Availability;
use super::errors::of_seats;
use super::extract::{Path, Query};
use super::problem::Problem;
use crate::catalog::Chart;
use crate::ids::{EventId, Ordinal};
use crate::seats::{Change, Follower, SeatState, Start, Version, View};

/// What browsers send when they reconnect by themselves.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Tells nginx that this answer is not to be collected before it is passed on.
const UNBUFFERED: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

/// Changes within this time travel together: in a rush a reader gets twenty messages a second, not thousands.
const GATHER: Duration = Duration::from_millis(50);
/// Proxies close connections on which nothing moves; most after half a minute or more.
const STILL_HERE: Duration = Duration::from_secs(15);
/// When a reader that lost us should try again.
const RETRY: Duration = Duration::from_secs(1);

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(live))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Resume {
    /// As the header of that name, for clients that cannot set it.
    last_event_id: Option<String>,
}

/// What has changed up to a version; of a seat that is there twice, the later state holds.
#[derive(Debug, Serialize, ToSchema)]
struct Changes {
    version: String,
    changes: Vec<SeatChange>,
}

#[derive(Debug, Serialize, ToSchema)]
struct SeatChange {
    #[schema(example = "stalls-A-12")]
    id: String,
    state: SeatState,
}

/// Follows an event's seats.
///
/// Begins with `event: snapshot`, whose data is the availability, and goes on with `event: change`, whose data is
/// `{version, changes: [{id, state}]}`. Each has its version as `id`: sent back in `Last-Event-ID`, the stream
/// resumes behind it without a gap, or begins with a snapshot when that version is too old. A reader that falls
/// behind gets a snapshot, too. `event: here` says every fifteen seconds that the connection lives: a reader that
/// hears nothing for much longer has lost it.
#[utoipa::path(
    get, path = "/v1/events/{id}/live", tag = "events",
    params(("id" = EventId, Path), Resume, ("Last-Event-ID" = Option<String>, Header, description = "The last version seen")),
    responses((status = 200, description = "Messages without end", body = Changes, content_type = "text/event-stream")),
)]
async fn live(
    State(app): State<AppState>,
    Path(event): Path<EventId>,
    Query(resume): Query<Resume>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let chart = app.catalog.chart(event).await?;
    let sent = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok());
    // A version that is none of ours is like an old one: it gets a snapshot.
    let last: Option<Version> = sent.or(resume.last_event_id.as_deref()).and_then(|text| text.parse().ok());
    let following = app.pictures.follow(event, last).await;
    let (start, follower) = following.map_err(|error| of_seats(error, &chart))?;
    let messages = messages(chart, start, follower, app.closing.clone());
    let keep_alive = KeepAlive::new().interval(STILL_HERE).event(Event::default().event("here").data("{}"));
    Ok(([UNBUFFERED], Sse::new(messages).keep_alive(keep_alive)).into_response())
}

/// Nothing is read ahead for a reader: one that is slow falls behind in the feed's own bounded buffer and is
/// then told everything anew.
fn messages(
    chart: Arc<Chart>,
    start: Start,
    mut follower: Follower,
    closing: CancellationToken,
) -> impl Stream<Item = Result<Event, Infallible>> {
    async_stream::stream! {
        // Always something at once, so that a reader knows that it is connected.
        yield Ok(Event::default().retry(RETRY).comment("following"));
        for told in opening(start) {
            yield Ok(told.message(&chart));
        }
        loop {
            let burst = tokio::select! {
                () = closing.cancelled() => break,
                burst = burst(&mut follower) => burst,
            };
            if burst.is_empty() {
                break;
            }
            for told in burst {
                yield Ok(told.message(&chart));
            }
        }
    }
}

/// What one message tells.
enum Told {
    Everything(Arc<View>),
    Seats(Version, Vec<(Ordinal, SeatState)>),
}

fn opening(start: Start) -> Vec<Told> {
    match start {
        Start::Snapshot(view) => vec![Told::Everything(view)],
        Start::Resume(missed) => missed.iter().fold(Vec::new(), |told, change| add(told, change)),
    }
}

/// The next changes, gathered for a moment. Empty when there will be no more.
async fn burst(follower: &mut Follower) -> Vec<Told> {
    let Some(first) = follower.next().await else { return Vec::new() };
    let mut told = add(Vec::new(), &first);
    let until = Instant::now() + GATHER;
    while let Ok(Some(change)) = timeout_at(until, follower.next()).await {
        told = add(told, &change);
    }
    told
}

fn add(mut told: Vec<Told>, change: &Change) -> Vec<Told> {
    match (change, told.last_mut()) {
        // What stands before a snapshot is void.
        (Change::Snapshot(view), _) => vec![Told::Everything(view.clone())],
        (Change::Seats { version, seats }, Some(Told::Seats(last, gathered))) => {
            *last = *version;
            gathered.extend_from_slice(seats);
            told
        }
        (Change::Seats { version, seats }, _) => {
            told.push(Told::Seats(*version, seats.clone()));
            told
        }
    }
}

impl Told {
    fn message(&self, chart: &Chart) -> Event {
        match self {
            Self::Everything(view) => message("snapshot", view.version, &Availability::of(chart, view)),
            Self::Seats(version, seats) => {
                let named = |&(ordinal, state): &(Ordinal, SeatState)| {
                    Some(SeatChange { id: chart.seat(ordinal)?.id.to_string(), state })
                };
                let changes = seats.iter().filter_map(named).collect();
                message("change", *version, &Changes { version: version.to_string(), changes })
            }
        }
    }
}

fn message(kind: &str, version: Version, data: &impl Serialize) -> Event {
    let event = Event::default().event(kind).id(version.to_string());
    event.json_data(data).expect("seats and their states are always JSON")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seats::FeedId;

    fn seats(number: u64, ordinal: Ordinal, state: SeatState) -> Arc<Change> {
        let version = Version { epoch: 1, feed: FeedId { ms: 1, number } };
        Arc::new(Change::Seats { version, seats: vec![(ordinal, state)] })
    }

    #[test]
    fn changes_that_travel_together_keep_their_order_and_the_last_version() {
        let told = opening(Start::Resume(vec![seats(1, 7, SeatState::Held), seats(2, 7, SeatState::Free)]));
        let [Told::Seats(version, changes)] = told.as_slice() else { panic!("one message") };
        assert_eq!(version.to_string(), "1-1-2");
        assert_eq!(changes, &[(7, SeatState::Held), (7, SeatState::Free)]);
    }

    #[test]
    fn whoever_has_missed_nothing_is_told_nothing() {
        assert!(opening(Start::Resume(Vec::new())).is_empty());
    }
}
