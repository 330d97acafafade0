//! Keeps what must be stored and must not be read unreadable at rest: remembered answers, which may hold tokens, and
//! the secrets that we sign with.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::{constant_time, hkdf, hmac};
use secrecy::{ExposeSecret, SecretString};

/// Seals with AES-256-GCM and takes keyed fingerprints of requests, both under keys of their own.
#[derive(Clone)]
pub struct Seal {
    answers: Arc<RandomizedNonceKey>,
    fingerprints: hmac::Key,
}

impl Seal {
    /// Derives both keys from the service's secret, so that there is one secret to keep and to rotate.
    #[must_use]
    pub fn new(secret: &SecretString) -> Self {
        Self::of(secret, b"holdfast idempotency")
    }

    /// The same for another purpose: what one seals, the other cannot open.
    #[must_use]
    pub fn of(secret: &SecretString, purpose: &[u8]) -> Self {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, purpose).extract(secret.expose_secret().as_bytes());
        let answers = RandomizedNonceKey::new(&AES_256_GCM, &derive(&root, b"answers"))
            .expect("AES-256 takes a key of 32 bytes");
        let fingerprints = hmac::Key::new(hmac::HMAC_SHA256, &derive(&root, b"fingerprints"));
        Self { answers: Arc::new(answers), fingerprints }
    }

    /// What tells one request from another. Keyed, because a sign-in's body is a password that a plain
    /// digest would let anyone with a copy of the table guess at.
    #[must_use]
    pub fn fingerprint(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.fingerprints);
        for part in parts {
            // Lengths keep ("ab", "c") apart from ("a", "bc").
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        context.sign().as_ref().to_vec()
    }

    /// Seals `plain` for one `place`; it opens nowhere else, so sealed answers cannot be swapped.
    #[must_use]
    pub fn seal(&self, place: &[u8], mut plain: Vec<u8>) -> Vec<u8> {
        let nonce = self
            .answers
            .seal_in_place_append_tag(Aad::from(place), &mut plain)
            .expect("AES-GCM seals far more than an answer's length");
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut plain);
        sealed
    }

    /// `None` when it was sealed under another secret or for another place, or was tampered with.
    #[must_use]
    pub fn open(&self, place: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut rest = rest.to_vec();
        let plain = self.answers.open_in_place(nonce, Aad::from(place), &mut rest).ok()?;
        Some(plain.to_vec())
    }
}

/// Whether two secrets are one, in a time that does not tell how far they agree. What a secret is compared with is
/// compared here, or by what checks a signature; a test reads the sources for `==`.
#[must_use]
pub fn same(one: &[u8], other: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(one, other).is_ok()
}

fn derive(root: &hkdf::Prk, purpose: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    root.expand(&[purpose], hkdf::HKDF_SHA256)
        .and_then(|bytes| bytes.fill(&mut key))
        .expect("HKDF gives one block of its own hash's length");
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(secret: &str) -> Seal {
        Seal::new(&SecretString::from(secret))
    }

    #[test]
    fn an_answer_opens_only_in_its_own_place_and_under_its_own_secret() {
        let ours = seal("one secret of thirty-two bytes!!");
        let sealed = ours.seal(b"ada/key", b"token".to_vec());

        assert_eq!(ours.open(b"ada/key", &sealed).as_deref(), Some(&b"token"[..]));
        assert_eq!(ours.open(b"ben/key", &sealed), None);
        assert_eq!(seal("another secret, rotated in today").open(b"ada/key", &sealed), None);
    }

    #[test]
    fn an_answer_at_rest_shows_nothing_and_cannot_be_changed() {
        let seal = seal("one secret of thirty-two bytes!!");
        let mut sealed = seal.seal(b"here", b"token".to_vec());
        assert!(!sealed.windows(5).any(|window| window == b"token"));
        *sealed.last_mut().expect("bytes") ^= 1;
        assert_eq!(seal.open(b"here", &sealed), None);
        assert_eq!(seal.open(b"here", b"short"), None);
    }

    #[test]
    fn a_fingerprint_minds_where_its_parts_end() {
        let seal = seal("one secret of thirty-two bytes!!");
        assert_eq!(seal.fingerprint(&[b"ab", b"c"]), seal.fingerprint(&[b"ab", b"c"]));
        assert_ne!(seal.fingerprint(&[b"ab", b"c"]), seal.fingerprint(&[b"a", b"bc"]));
    }
}
