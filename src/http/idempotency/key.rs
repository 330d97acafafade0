//! The `Idempotency-Key` of a call, and whose it is.

use axum::http::{HeaderMap, HeaderName, header::AsHeaderName};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::http::problem::{FieldFault, Problem};
use crate::ids::AccountId;

pub const HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// The longest key that is taken; the same bound as Stripe's.
const LONGEST: usize = 255;

/// One to 255 visible ASCII characters, chosen by the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The call's key, if it has one.
    ///
    /// # Errors
    /// When there are two of them, or it is not 1 to 255 visible ASCII characters. Ignoring it instead
    /// would let a caller believe that a repeat is safe.
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let Some(text) = the_only(headers, HEADER)? else { return Ok(None) };
        let visible = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_graphic);
        if text.is_empty() || text.len() > LONGEST || !visible(text) {
            return Err(fault("must be 1 to 255 visible ASCII characters"));
        }
        Ok(Some(Self(text.iter().copied().map(char::from).collect())))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key in a form that is safe inside the name of another key, whatever characters it has.
    #[must_use]
    pub fn digest(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(self.0.as_bytes()))
    }
}

fn the_only(headers: &HeaderMap, name: impl AsHeaderName) -> Result<Option<&[u8]>, Problem> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (only, None) => Ok(only.map(axum::http::HeaderValue::as_bytes)),
        _ => Err(fault("must be given once")),
    }
}

fn fault(message: &str) -> Problem {
    Problem::invalid(vec![FieldFault::new("Idempotency-Key", message)])
}

/// Whose keys these are: two customers may choose the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope(String);

impl Scope {
    #[must_use]
    pub fn account(id: AccountId) -> Self {
        Self(id.to_string())
    }

    /// Calls that are made before signing in share a scope a path; the body's fingerprint, which holds
    /// the password, keeps one caller from reading another's answer.
    #[must_use]
    pub fn anonymous(path: &str) -> Self {
        Self(format!("anonymous:{path}"))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn parse(value: &str) -> Result<Option<IdempotencyKey>, Problem> {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_bytes(value.as_bytes()).expect("a header"));
        IdempotencyKey::of(&headers)
    }

    #[test]
    fn a_key_is_visible_ascii_of_bounded_length() {
        let longest = "k".repeat(LONGEST);
        for good in ["a", "order-1:try{2}", longest.as_str()] {
            let key = parse(good).expect("a good key").expect("a key");
            assert_eq!(key.as_str(), good);
        }
        let too_long = "k".repeat(LONGEST + 1);
        for bad in ["", "two words", "tab\tbed", "schlüssel", too_long.as_str()] {
            assert!(parse(bad).is_err(), "{bad:?} is no key");
        }
    }

    #[test]
    fn a_call_without_a_key_has_none_and_a_call_with_two_is_refused() {
        assert_eq!(IdempotencyKey::of(&HeaderMap::new()).expect("no key is fine"), None);
        let mut headers = HeaderMap::new();
        headers.append(HEADER, HeaderValue::from_static("a"));
        headers.append(HEADER, HeaderValue::from_static("b"));
        assert!(IdempotencyKey::of(&headers).is_err());
    }

    #[test]
    fn the_digest_cannot_change_which_slot_of_a_cluster_a_key_is_in() {
        let key = parse("{hot}").expect("a good key").expect("a key");
        assert!(!key.digest().contains(['{', '}']));
    }
}
