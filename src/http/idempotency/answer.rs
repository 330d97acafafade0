//! An answer that is kept for the call's repeats.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::{Deserialize, Serialize};

/// Says that an answer is a repeat's: nothing was done this time.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The headers that belong to the answer rather than to the moment it was given.
const KEPT: [HeaderName; 4] =
    [header::CONTENT_TYPE, header::LOCATION, header::CACHE_CONTROL, header::WWW_AUTHENTICATE];

/// Status, headers and body as they were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

#[derive(Serialize, Deserialize)]
struct Head {
    status: u16,
    headers: Vec<(String, String)>,
}

impl Answer {
    #[must_use]
    pub fn of(parts: &axum::http::response::Parts, body: Bytes) -> Self {
        let headers =
            KEPT.iter().filter_map(|name| Some((name.clone(), parts.headers.get(name)?.clone()))).collect();
        Self { status: parts.status, headers, body }
    }

    /// A busy moment or a fault of ours is no answer: the repeat shall try again.
    #[must_use]
    pub fn is_final(status: StatusCode) -> bool {
        !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS
    }

    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// One line of JSON with the head, then the body as it is.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = self.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let head = Head { status: self.status.as_u16(), headers };
        let mut bytes = serde_json::to_vec(&head).expect("numbers and strings are always JSON");
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// `None` when the bytes are not of this shape.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let line = bytes.iter().position(|byte| *byte == b'\n')?;
        let head: Head = serde_json::from_slice(&bytes[..line]).ok()?;
        let mut headers = HeaderMap::new();
        for (name, value) in head.headers {
            headers.insert(HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?);
        }
        let status = StatusCode::from_u16(head.status).ok()?;
        Some(Self { status, headers, body: Bytes::copy_from_slice(&bytes[line + 1..]) })
    }

    #[must_use]
    pub fn replay(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_survives_being_stored() {
        let (mut parts, ()) = Response::new(()).into_parts();
        parts.status = StatusCode::CREATED;
        parts.headers.insert(header::LOCATION, HeaderValue::from_static("/v1/orders/1"));
        parts.headers.insert(header::DATE, HeaderValue::from_static("today"));
        let answer = Answer::of(&parts, Bytes::from_static(b"{\n}"));

        let back = Answer::from_bytes(&answer.to_bytes()).expect("what was stored");
        assert_eq!(back, answer);
        let replayed = back.replay();
        assert_eq!(replayed.headers()[header::LOCATION], "/v1/orders/1");
        assert_eq!(replayed.headers()[REPLAYED], "true");
        assert!(!replayed.headers().contains_key(header::DATE), "the date is the moment's");
    }

    #[test]
    fn what_may_pass_is_not_final() {
        for passing in [429, 500, 503] {
            assert!(!Answer::is_final(StatusCode::from_u16(passing).expect("a status")));
        }
        for lasting in [200, 201, 204, 409, 410, 422] {
            assert!(Answer::is_final(StatusCode::from_u16(lasting).expect("a status")));
        }
    }
}
