//! Every request has an id that its log lines, its answer and the payments it opens share.

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use uuid::Uuid;

use super::problem::Problem;

pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The most characters that a caller's own id may have; it ends up in logs and in rows.
const LONGEST: usize = 64;

/// The id of one request: the caller's own when it is sane, else a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    fn of(header: Option<&HeaderValue>) -> Self {
        header
            .and_then(|value| value.to_str().ok())
            .filter(|text| is_sane(text))
            .map_or_else(|| Self(Uuid::now_v7().to_string()), |text| Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_sane(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !text.is_empty() && text.len() <= LONGEST && text.bytes().all(plain)
}

/// Names the request for everything inside.
pub fn name(request: &mut Request) -> RequestId {
    let id = RequestId::of(request.headers().get(HEADER));
    request.extensions_mut().insert(id.clone());
    id
}

/// Tells the caller.
pub fn tell(id: &RequestId, answer: &mut Response) {
    let header = HeaderValue::from_str(id.as_str()).expect("a sane id is plain ASCII");
    answer.headers_mut().insert(HEADER, header);
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let named = parts.extensions.get::<Self>().cloned();
        named.ok_or_else(|| Problem::internal("a request came past the layer that names it"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str) -> RequestId {
        RequestId::of(Some(&HeaderValue::from_bytes(text.as_bytes()).expect("a header")))
    }

    #[test]
    fn a_sane_id_is_kept() {
        let longest = "x".repeat(LONGEST);
        for sane in ["a", "0191-ab.C_d", longest.as_str()] {
            assert_eq!(given(sane).as_str(), sane);
        }
    }

    #[test]
    fn anything_else_is_replaced() {
        let too_long = "x".repeat(LONGEST + 1);
        for odd in ["", "two words", "semi;colon", "sl/ash", "naïve", too_long.as_str()] {
            assert!(Uuid::try_parse(given(odd).as_str()).is_ok(), "{odd:?} must not reach a log");
        }
        assert!(Uuid::try_parse(RequestId::of(None).as_str()).is_ok());
    }
}
