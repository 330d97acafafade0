//! Answers that need not be sent again to somebody who has them.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// Keep it, but ask whether it is still the same before using it.
pub const ASK_AGAIN: &str = "no-cache";
/// It never changes: keep it for a year, the longest that caches honour.
pub const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Names one version of an answer. Weak, because the same version may travel compressed or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag(String);

impl Tag {
    /// `version` is ours and plain: letters, digits, `-`, `_`, `.`.
    pub fn of_version(version: impl std::fmt::Display) -> Self {
        Self(format!("W/\"{version}\""))
    }

    pub fn of_content(content: &[u8]) -> Self {
        Self::of_version(BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(content)[..16]))
    }

    pub fn is_known(&self, asked: &HeaderMap) -> bool {
        fn bare(tag: &str) -> &str {
            tag.trim().trim_start_matches("W/")
        }
        asked
            .get_all(header::IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|list| list.split(','))
            .any(|tag| tag.trim() == "*" || bare(tag) == bare(&self.0))
    }
}

/// `304` when the caller has this version, else what `full` makes; both say how long it may be kept.
pub fn answer(asked: &HeaderMap, tag: &Tag, keep: &'static str, full: impl FnOnce() -> Response) -> Response {
    let mut answer = if tag.is_known(asked) { unchanged() } else { full() };
    label(&mut answer, tag, keep);
    answer
}

/// To whoever has this version already.
pub fn unchanged() -> Response {
    StatusCode::NOT_MODIFIED.into_response()
}

/// Says which version an answer is, and how long it may be kept.
pub fn label(answer: &mut Response, tag: &Tag, keep: &'static str) {
    let headers = answer.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&tag.0) {
        headers.insert(header::ETAG, value);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(known: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_str(known).expect("a header"));
        headers
    }

    #[test]
    fn a_known_version_is_not_sent_again() {
        let tag = Tag::of_version("3-17");
        for known in ["W/\"3-17\"", "\"3-17\"", "\"1-1\", W/\"3-17\"", "*"] {
            assert!(tag.is_known(&asking(known)), "{known}");
        }
        for other in ["\"3-18\"", "3-1", ""] {
            assert!(!tag.is_known(&asking(other)), "{other}");
        }
        assert!(!tag.is_known(&HeaderMap::new()));
    }

    #[test]
    fn both_answers_carry_the_tag() {
        let tag = Tag::of_content(b"chart");
        let full = answer(&HeaderMap::new(), &tag, FOR_EVER, || "chart".into_response());
        let known = full.headers()[header::ETAG].to_str().expect("text").to_owned();
        let again = answer(&asking(&known), &tag, FOR_EVER, || unreachable!("it is known"));
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(again.headers()[header::ETAG], known);
        assert_eq!(again.headers()[header::CACHE_CONTROL], FOR_EVER);
    }
}
