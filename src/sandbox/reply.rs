//! How an answer leaves: as JSON with Stripe's headers, or not at all.

use std::io;

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::Value;

use super::failure::Failure;
use super::objects::Remembered;
use super::shapes::API_VERSION;

#[derive(Debug)]
pub struct Reply {
    status: StatusCode,
    body: Value,
    retry_after: Option<u64>,
    /// The request that first gave this answer, when that was another one.
    original: Option<String>,
}

/// What a caller gets.
#[derive(Debug)]
pub enum Answer {
    Reply(Box<Reply>),
    /// The connection ends.
    Cut,
}

impl From<Result<Value, Failure>> for Answer {
    fn from(result: Result<Value, Failure>) -> Self {
        let reply = match result {
            Ok(body) => Reply { status: StatusCode::OK, body, retry_after: None, original: None },
            Err(failure) => Reply {
                status: failure.status,
                body: failure.body(),
                retry_after: failure.retry_after,
                original: None,
            },
        };
        Self::Reply(Box::new(reply))
    }
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        Err(failure).into()
    }
}

impl Answer {
    pub fn replayed(kept: Remembered) -> Self {
        // Only statuses that were sent once are kept.
        let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
        let reply = Reply { status, body: kept.body, retry_after: None, original: Some(kept.request) };
        Self::Reply(Box::new(reply))
    }

    pub fn into_response(self, request: &str, key: Option<&str>) -> Response {
        let Self::Reply(reply) = self else { return cut() };
        let mut response = (reply.status, Json(reply.body)).into_response();
        let mut header = |name: &'static str, value: &str| {
            // A value that no header can carry was not one when it came in either.
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        };
        header("request-id", request);
        header("stripe-version", API_VERSION);
        header("cache-control", "no-cache, no-store");
        if let Some(key) = key {
            header("idempotency-key", key);
        }
        if let Some(original) = &reply.original {
            header("original-request", original);
            header("idempotent-replayed", "true");
        }
        if let Some(seconds) = reply.retry_after {
            header("retry-after", &seconds.to_string());
        }
        response
    }
}

/// A body that fails at once makes the server close the connection instead of finishing the answer.
pub fn cut() -> Response {
    let broken = stream::once(async { Err::<Vec<u8>, _>(io::Error::from(io::ErrorKind::ConnectionReset)) });
    Response::new(Body::from_stream(broken))
}
