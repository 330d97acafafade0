//! Idempotency keys: taken as they are or refused, and never seen in the name of another key.

use axum::http::{HeaderMap, HeaderValue};
use holdfast::http::idempotency::{HEADER, IdempotencyKey};

pub fn body(input: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(input) else { return };
    let mut headers = HeaderMap::new();
    headers.insert(HEADER, value.clone());
    let is_good = (1..=255).contains(&input.len()) && input.iter().all(u8::is_ascii_graphic);
    match IdempotencyKey::of(&headers) {
        Ok(Some(key)) => {
            assert!(is_good && key.as_str().as_bytes() == input, "{input:?} was taken as {:?}", key.as_str());
            let digest = key.digest();
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            assert!(digest.len() == 43 && digest.bytes().all(is_plain), "{digest} can break a hash tag");
        }
        Ok(None) => panic!("a key was taken for none: its caller believes that repeating is safe"),
        Err(_) => assert!(!is_good, "{input:?} is a good key"),
    }
    headers.append(HEADER, value);
    assert!(IdempotencyKey::of(&headers).is_err(), "two keys");
}
