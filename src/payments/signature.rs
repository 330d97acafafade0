//! Stripe's webhook signature: HMAC-SHA256 over `<time>.<body>`, in the header `t=…,v1=…`.
//!
//! Keeps the promise that no unsigned or stale webhook changes anything. It agrees with Stripe's own libraries on
//! every edge: several `v1` while a secret is rolled, no other scheme, the past bounded, the future not.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::proof::{self, Bug};

/// Seconds that a signature stays good. Stripe signs anew at each delivery, so late retries do not need more.
pub const TOLERANCE: i64 = 300;

/// Why a webhook is not believed. None of these tells a forger how close he came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("the signature header has no readable time and v1 signature")]
    Malformed,
    #[error("no signature matches the body")]
    Mismatch,
    #[error("the signature is too old")]
    Stale,
}

/// Whether `body` was signed with one of `secrets`, at most `tolerance` seconds before `now` (both Unix seconds).
///
/// # Errors
/// When it was not, or the header is not one of Stripe's.
pub fn verify(
    header: &str,
    body: &[u8],
    secrets: &[SecretString],
    now: i64,
    tolerance: i64,
) -> Result<(), SignatureError> {
    let signed = Header::parse(header).ok_or(SignatureError::Malformed)?;
    let matches = secrets.iter().any(|secret| {
        let mac = mac_of(signed.time, body, secret);
        // `verify_slice` compares in constant time.
        signed.signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok())
    });
    if !matches {
        return Err(SignatureError::Mismatch);
    }
    if now.saturating_sub(signed.at) > tolerance && !proof::planted(Bug::StaleWebhookTaken) {
        return Err(SignatureError::Stale);
    }
    Ok(())
}

/// The header that Stripe would send for `body` at the Unix second `at`.
#[must_use]
pub fn sign(body: &[u8], secret: &SecretString, at: i64) -> String {
    let mac = mac_of(&at.to_string(), body, secret).finalize().into_bytes();
    let mut header = format!("t={at},v1=");
    for byte in mac {
        header.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
        header.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
    }
    header
}

struct Header<'h> {
    /// As it was written, because that is what was signed.
    time: &'h str,
    at: i64,
    signatures: Vec<[u8; 32]>,
}

impl<'h> Header<'h> {
    fn parse(header: &'h str) -> Option<Self> {
        let mut time = None;
        let mut signatures = Vec::new();
        for (name, value) in header.split(',').filter_map(|part| part.trim().split_once('=')) {
            match name {
                // Two times would leave open which of them was signed.
                "t" if time.replace(value).is_some() => return None,
                "v1" => signatures.extend(unhex(value)),
                _ => {}
            }
        }
        let time = time.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
        let at = time.parse().ok()?;
        (!signatures.is_empty()).then_some(Self { time, at, signatures })
    }
}

fn mac_of(time: &str, body: &[u8], secret: &SecretString) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())
        .expect("HMAC takes keys of every length");
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(0)? << 4 | digit(1)?;
    }
    Some(bytes)
}
