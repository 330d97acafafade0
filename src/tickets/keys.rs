//! The keys that tickets are signed with, and those that they were.

use std::sync::Arc;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::code::{self, Claim, KeyId};

/// Sets this use of the service's secret apart from its others.
const LABEL: &[u8] = b"holdfast: the key that tickets are signed with, 1";

/// A setting that is no key.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
#[error("{} {}", self.setting(), self.why())]
pub enum BadKey {
    Secret,
    Old,
}

impl BadKey {
    #[must_use]
    pub fn setting(self) -> &'static str {
        match self {
            Self::Secret => "TICKET_KEY",
            Self::Old => "TICKET_KEYS_OLD",
        }
    }

    #[must_use]
    pub fn why(self) -> &'static str {
        match self {
            Self::Secret => "must be 32 random bytes in base64",
            Self::Old => "must be public keys of 32 bytes in base64, with commas between them",
        }
    }
}

/// Signs codes with one key, and knows its own by that and by older ones. Clones share everything.
#[derive(Clone)]
pub struct TicketKeys(Arc<Keys>);

struct Keys {
    pair: Ed25519KeyPair,
    /// The signing one first.
    public: Vec<PublicKey>,
}

/// A key that a device at a door needs: one of a JSON Web Key Set (RFC 8037).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PublicKey {
    #[schema(example = "OKP")]
    kty: &'static str,
    #[schema(example = "Ed25519")]
    crv: &'static str,
    #[serde(rename = "use")]
    #[schema(example = "sig")]
    usage: &'static str,
    #[schema(example = "EdDSA")]
    alg: &'static str,
    /// The first eight letters of every payload that this key has signed.
    #[schema(example = "0ABCDEFG")]
    kid: String,
    /// The key's 32 bytes in base64url.
    x: String,
    #[serde(skip)]
    id: KeyId,
    #[serde(skip)]
    bytes: [u8; 32],
}

impl PublicKey {
    fn of(bytes: [u8; 32]) -> Self {
        let digest = Sha256::digest(bytes);
        let id = KeyId([digest[0], digest[1], digest[2], digest[3], digest[4]]);
        let x = BASE64_URL_SAFE_NO_PAD.encode(bytes);
        Self { kty: "OKP", crv: "Ed25519", usage: "sig", alg: "EdDSA", kid: id.text(), x, id, bytes }
    }
}

impl std::fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TicketKeys").field(&self.0.public).finish()
    }
}

impl TicketKeys {
    /// The key of the settings; where none is set, one that every node derives from the secret that all share.
    ///
    /// # Errors
    /// When a setting is no key.
    pub fn new(own: Option<&SecretString>, shared: &SecretString, old: &[String]) -> Result<Self, BadKey> {
        // An empty setting is none: that is how a compose file leaves one out.
        let seed = match own.map(|text| text.expose_secret().trim()).filter(|text| !text.is_empty()) {
            Some(text) => bytes(text).ok_or(BadKey::Secret)?,
            None => derived(shared),
        };
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| BadKey::Secret)?;
        let signing = pair.public_key().as_ref().try_into().map_err(|_| BadKey::Secret)?;
        let mut public = vec![PublicKey::of(signing)];
        for text in old.iter().filter(|text| !text.trim().is_empty()) {
            let key = PublicKey::of(bytes(text).ok_or(BadKey::Old)?);
            if !public.contains(&key) {
                public.push(key);
            }
        }
        Ok(Self(Arc::new(Keys { pair, public })))
    }

    /// What a device needs, the signing key first.
    #[must_use]
    pub fn public(&self) -> &[PublicKey] {
        &self.0.public
    }

    /// The code of a ticket: the same claim has the same code, whichever node is asked.
    #[must_use]
    pub fn sign(&self, claim: &Claim) -> String {
        let unsigned = code::unsigned(self.0.public[0].id, claim);
        code::with_signature(&unsigned, self.0.pair.sign(unsigned.as_bytes()).as_ref())
    }

    /// What a tidy text says, if one of the keys has signed it.
    #[must_use]
    pub fn read(&self, text: &str) -> Option<Claim> {
        let shaped = code::read(text)?;
        let key = self.0.public.iter().find(|key| key.id == shaped.key)?;
        let key = UnparsedPublicKey::new(&ED25519, key.bytes);
        key.verify(shaped.signed.as_bytes(), &shaped.signature).ok().map(|()| shaped.claim)
    }
}

fn derived(shared: &SecretString) -> [u8; 32] {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(shared.expose_secret().as_bytes()).expect("keys of any length");
    mac.update(LABEL);
    mac.finalize().into_bytes().into()
}

/// 32 bytes in either way of writing base64: what is published is copied from a JWK.
fn bytes(text: &str) -> Option<[u8; 32]> {
    let text = text.trim().trim_end_matches('=').replace('-', "+").replace('_', "/");
    let bytes = BASE64_STANDARD.decode(format!("{text}=")).ok()?;
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::TicketId;
    use uuid::Uuid;

    fn keys(own: Option<&str>, old: &[&str]) -> Result<TicketKeys, BadKey> {
        let own = own.map(SecretString::from);
        let old: Vec<_> = old.iter().map(ToString::to_string).collect();
        TicketKeys::new(own.as_ref(), &SecretString::from("a secret that all nodes share"), &old)
    }

    fn claim(issue: u16) -> Claim {
        let ticket = TicketId(Uuid::from_u128(0x0190_aaaa_0000_7000_8000_0000_0000_0001));
        Claim { event: 7, ordinal: 12, issue, ticket }
    }

    /// The worked example of `docs/tickets.md`, which devices are tested against.
    const SEED: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";

    #[test]
    fn the_worked_example_of_the_documentation_is_true() {
        let documentation = include_str!("../../docs/tickets.md");
        let keys = keys(Some(SEED), &[]).expect("a key");
        // The seed and its public key are the first of RFC 8032's own examples.
        assert_eq!(keys.public()[0].x, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        let code = keys.sign(&claim(1));
        for shown in [SEED, &keys.public()[0].x, &keys.public()[0].kid, &code] {
            assert!(documentation.contains(shown), "{shown} is not in docs/tickets.md");
        }
        assert_eq!(keys.read(&code), Some(claim(1)));
    }

    #[test]
    fn a_code_with_one_letter_changed_is_nobodys() {
        let keys = keys(None, &[]).expect("a key");
        let code = keys.sign(&claim(3));
        for at in (0..code.len()).filter(|&at| code.as_bytes()[at] != b'.') {
            let mut forged = code.clone();
            let other = if &code[at..=at] == "0" { "1" } else { "0" };
            forged.replace_range(at..=at, other);
            assert_eq!(keys.read(&forged), None, "{at}");
        }
    }

    #[test]
    fn every_node_derives_the_same_key_and_another_secret_another() {
        let code = keys(None, &[]).expect("a key").sign(&claim(1));
        assert_eq!(keys(None, &[]).expect("a key").sign(&claim(1)), code);
        let other = TicketKeys::new(None, &SecretString::from("another"), &[]).expect("a key");
        assert_eq!(other.read(&code), None);
    }

    #[test]
    fn codes_of_an_older_key_are_still_known() {
        let before = keys(None, &[]).expect("a key");
        let code = before.sign(&claim(1));
        let after = keys(Some(SEED), &[&before.public()[0].x]).expect("keys");
        assert_eq!(after.read(&code), Some(claim(1)));
        assert_eq!(after.public().len(), 2);
        assert_ne!(after.sign(&claim(1)), code);
        assert!(keys(Some(SEED), &[]).expect("a key").read(&code).is_none());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert_eq!(keys(Some("c2hvcnQ="), &[]).err(), Some(BadKey::Secret));
        assert_eq!(keys(None, &["nonsense!"]).err(), Some(BadKey::Old));
        assert_eq!(
            keys(Some(" "), &[""]).expect("none is set").public(),
            keys(None, &[]).expect("a key").public()
        );
        assert!(!format!("{:?}", keys(Some(SEED), &[])).contains("nWGx"), "the secret is not shown");
    }
}
