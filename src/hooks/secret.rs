//! The secret that an endpoint's deliveries are signed with: shown once, kept sealed.

use aws_lc_rs::rand;
use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;

use super::HooksError;
use crate::ids::HookId;
use crate::payments::signature;
use crate::seal::Seal;

/// Random bytes of a secret: as strong as the MAC that it keys.
const BYTES: usize = 32;

/// Draws a new secret.
pub(super) fn draw() -> SecretString {
    let mut bytes = [0; BYTES];
    rand::fill(&mut bytes).expect("the system has random numbers");
    let mut text = String::from("whsec_");
    for byte in bytes {
        text.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
        text.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
    }
    SecretString::from(text)
}

/// Seals a secret for its endpoint: it opens for no other.
pub(super) fn close(seal: &Seal, hook: HookId, secret: &SecretString) -> Vec<u8> {
    seal.seal(hook.0.as_bytes(), secret.expose_secret().as_bytes().to_vec())
}

/// # Errors
/// When it was sealed under another `JWT_SECRET`.
pub(super) fn open(seal: &Seal, hook: HookId, sealed: &[u8]) -> Result<SecretString, HooksError> {
    let plain = seal.open(hook.0.as_bytes(), sealed).ok_or(HooksError::Sealed)?;
    String::from_utf8(plain).map(SecretString::from).map_err(|_| HooksError::Sealed)
}

/// Stripe's header: one time, and a `v1` for each secret that is valid.
pub(super) fn sign(body: &[u8], secrets: &[SecretString]) -> String {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let mut header = format!("t={now}");
    for secret in secrets {
        let signed = signature::sign(body, secret, now);
        header.extend(signed.split_once(',').map(|(_, scheme)| format!(",{scheme}")));
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_signed_with_every_secret_that_is_valid() {
        let (new, old, other) = (draw(), draw(), draw());
        let header = sign(b"body", &[new.clone(), old.clone()]);
        assert_eq!(header.matches("v1=").count(), 2);
        let now = OffsetDateTime::now_utc().unix_timestamp();
        for secret in [&new, &old] {
            let holds = signature::verify(&header, b"body", std::slice::from_ref(secret), now, 300);
            assert_eq!(holds, Ok(()));
        }
        assert!(signature::verify(&header, b"body", &[other], now, 300).is_err());
    }

    #[test]
    fn a_secret_opens_for_its_own_endpoint_only() {
        let seal = Seal::of(&SecretString::from("one secret of thirty-two bytes!!"), b"hooks");
        let (mine, other, secret) = (HookId::new(), HookId::new(), draw());
        let sealed = close(&seal, mine, &secret);
        let opened = open(&seal, mine, &sealed).expect("its own");
        assert_eq!(opened.expose_secret(), secret.expose_secret());
        assert!(matches!(open(&seal, other, &sealed), Err(HooksError::Sealed)));
    }
}
