//! Receives a request whole before anything is done about it, and then bounds how long the answer may take.
//!
//! The two are told apart on purpose: a slow uplink is the caller's time, a slow store is ours, and no
//! transaction is ever open while bytes still trickle in.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::{Instant, timeout_at};

use super::allowance::{self, Allowance};
use super::extract::Identity;
use super::problem::{Code, Problem};
use crate::accounts::Role;

/// A body that trickles slower than this is not worth the memory that waits for it.
const ARRIVAL: Duration = Duration::from_secs(20);

/// As much of a body that is too large is read and thrown away: who still writes when the connection is closed is told that
/// it broke, and never of the refusal. Whoever sends more than this did not mistake the limit.
const THROWN_AWAY: usize = 64 << 20;

/// What a layer before this one has spent of the route's time already.
#[derive(Debug, Clone, Copy)]
pub struct Spent(pub Duration);

/// Reads the body, within the route's size and a bounded time.
///
/// # Errors
/// When it is too large, too slow, or ends before it is whole.
pub async fn receive(request: Request) -> Result<Request, Problem> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(request);
    }
    let limit = body_limit(&request);
    let (parts, mut body) = request.into_parts();
    let until = Instant::now() + ARRIVAL;
    match timeout_at(until, Limited::new(&mut body, limit).collect()).await {
        Ok(Ok(whole)) => Ok(Request::from_parts(parts, Body::from(whole.to_bytes()))),
        Ok(Err(fault)) if fault.is::<LengthLimitError>() => {
            // However that ends, there is one thing to say.
            let _ = timeout_at(until, throw_away(body)).await;
            Err(too_large(limit))
        }
        Ok(Err(_)) => Err(Code::BadRequest.detail("the body ended before it was whole")),
        Err(_) => Err(Code::RequestTimeout.problem()),
    }
}

async fn throw_away(body: Body) {
    let mut rest = Limited::new(body, THROWN_AWAY);
    while let Some(Ok(_)) = rest.frame().await {}
}

fn body_limit(request: &Request) -> usize {
    let allowed = Allowance::of(request).body;
    match request.extensions().get::<Identity>() {
        Some(Identity::Known(caller)) if caller.role != Role::Customer => allowed,
        _ => allowance::body_of_a_stranger(allowed),
    }
}

fn too_large(limit: usize) -> Problem {
    Code::BodyTooLarge.with("limit_bytes", limit)
}

/// How long the answer may still take; without a bound where it is a stream.
pub fn time_for(request: &Request) -> Option<Duration> {
    let spent = request.extensions().get::<Spent>().map_or(Duration::ZERO, |spent| spent.0);
    Some(Allowance::of(request).time?.saturating_sub(spent))
}

/// Answers 503 when the route's time is up. What was being done is dropped: an open transaction rolls
/// back, and what Redis or Stripe may have heard is found again by its id when the caller repeats.
pub async fn hurry(time: Option<Duration>, answer: impl Future<Output = Response>) -> Response {
    let Some(time) = time else { return answer.await };
    match tokio::time::timeout(time, answer).await {
        Ok(answer) => answer,
        Err(_) => Problem::outage(format_args!("no answer within {time:?}")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::http::StatusCode;
    use axum::middleware::{Next, from_fn};
    use axum::routing::{get, post};
    use tower::ServiceExt;

    async fn never() -> &'static str {
        std::future::pending().await
    }

    async fn ask(request: Request) -> StatusCode {
        let service = Router::new()
            .route("/v1/admin/events", post(|body: axum::body::Bytes| async move { body.len().to_string() }))
            .route("/v1/never", get(never))
            .layer(axum::extract::DefaultBodyLimit::disable())
            .layer(from_fn(async |request: Request, next: Next| match receive(request).await {
                Ok(request) => hurry(time_for(&request), next.run(request)).await,
                Err(problem) => problem.into_response(),
            }));
        service.oneshot(request).await.expect("an answer").status()
    }

    fn sending(bytes: usize, role: Option<Role>) -> Request {
        let mut request =
            Request::post("/v1/admin/events").body(Body::from(vec![b' '; bytes])).expect("a request");
        if let Some(role) = role {
            let caller = crate::accounts::Caller { id: crate::ids::AccountId::new(), role };
            request.extensions_mut().insert(Identity::Known(caller));
        }
        request
    }

    #[tokio::test]
    async fn only_an_organiser_may_send_a_stadium() {
        let (small, large, huge) = (1 << 20, 3 << 20, (32 << 20) + 1);
        assert_eq!(ask(sending(small, None)).await, StatusCode::OK);
        assert_eq!(ask(sending(large, None)).await, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(ask(sending(large, Some(Role::Customer))).await, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(ask(sending(large, Some(Role::Organiser))).await, StatusCode::OK);
        assert_eq!(ask(sending(huge, Some(Role::Admin))).await, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn whatever_does_not_answer_is_given_up_within_two_seconds() {
        let asked = Instant::now();
        let request = Request::get("/v1/never").body(Body::empty()).expect("a request");
        assert_eq!(ask(request).await, StatusCode::SERVICE_UNAVAILABLE);
        assert!(asked.elapsed() < Duration::from_secs(2), "took {:?}", asked.elapsed());
    }
}
