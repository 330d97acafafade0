//! The picture as it changes, as server-sent events: whoever reconnects misses nothing.

#![expect(unused_qualifications, reason = "in what the documentation macro makes of a query's type")]

use std::convert::Infallible;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, Version as Http, header};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, stream};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::crier::{Changes, Listener};
use super::errors::of_seats;
use super::extract::{Path, Query};
use super::pieces::{LAST, in_a_piece, out_of_its_piece};
use super::problem::Problem;
use crate::connections::{Handover, Wire};
use crate::ids::EventId;
use crate::seats::Version;

/// What browsers send when they reconnect by themselves.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Tells nginx that this answer is not to be collected before it is passed on.
const UNBUFFERED: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");
/// Always something at once, so that a reader knows that it is connected; and when one that lost us should try again.
const WELCOME: &str = "retry: 1000\n: following\n\n";

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(live))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Resume {
    /// As the header of that name, for clients that cannot set it.
    last_event_id: Option<String>,
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
    handover: Option<Extension<Handover>>,
    http: Http,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let chart = app.catalog.chart(event).await?;
    let sent = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok());
    // A version that is none of ours is like an old one: it gets a snapshot.
    let last: Option<Version> = sent.or(resume.last_event_id.as_deref()).and_then(|text| text.parse().ok());
    let listener = app.criers.listen(event, &chart, last).await;
    let listener = listener.map_err(|error| of_seats(error, &chart))?;
    let headers =
        [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache"), UNBUFFERED];
    let body = match handover {
        Some(Extension(handover)) if http == Http::HTTP_11 => handover.body(|wire| tell(listener, wire)),
        _ => Body::from_stream(messages(listener)),
    };
    Ok((headers, body).into_response())
}

/// Tells somebody, as long as they are there and the node is. Nothing is read ahead for a reader: one that is slow falls
/// behind in the crier's own bounded buffer and is then told everything anew.
async fn tell(mut listener: Listener, mut wire: Wire) {
    let mut next = Some(Bytes::from(in_a_piece(&[WELCOME.as_bytes()])));
    while let Some(piece) = next {
        if wire.say(&piece).await.is_err() {
            return;
        }
        next = tokio::select! {
            next = listener.next() => next,
            () = wire.gone() => return,
        };
    }
    if wire.say(LAST).await.is_ok() {
        wire.close().await;
    }
}

/// The same for whoever has no connection to give, or knows no pieces.
fn messages(listener: Listener) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let welcome = stream::iter([Ok(Bytes::from_static(WELCOME.as_bytes()))]);
    let told = stream::unfold(listener, async |mut listener| {
        Some((Ok(out_of_its_piece(&listener.next().await?)), listener))
    });
    stream::StreamExt::chain(welcome, told)
}
