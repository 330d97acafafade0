//! Tokens that are signed with the right key and say what nobody of ours would say.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

pub const SECRET: &str = "a secret that is long enough for a test";

/// `<header>.<claims>.<signature>`, whatever header and claims are.
pub fn signed(header: &[u8], claims: &[u8]) -> String {
    let text = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("keys of any length");
    mac.update(text.as_bytes());
    format!("{text}.{}", BASE64.encode(mac.finalize().into_bytes()))
}

/// Whether a token that was believed says what one of ours does: by whom, of which kind, and until when.
pub fn says_what_ours_do(header: &[u8], claims: &[u8], kind: &str) -> Value {
    let header: Value = serde_json::from_slice(header).expect("a believed header is JSON");
    let claims: Value = serde_json::from_slice(claims).expect("believed claims are JSON");
    assert_eq!(header["alg"], "HS256", "no other algorithm");
    assert_eq!(header["typ"], kind, "nothing else that the key has signed");
    assert_eq!(claims["iss"], "holdfast");
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    assert!(claims["exp"].as_i64().is_some_and(|until| until >= now - 6), "believed for ever: {claims}");
    claims
}
