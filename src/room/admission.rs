//! Signed words of a waiting room: an admission for the hold call, and a place that survives the line.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::ids::{AccountId, EventId};

const ALGORITHM: Algorithm = Algorithm::HS256;
const US: &str = "holdfast";
/// What an access token is not, and the other way round: neither passes for the other.
const ADMISSION: &str = "admission+jwt";
const PLACE: &str = "place+jwt";
/// Ours are some 250 bytes.
const LONGEST: usize = 1024;
/// A place is good for as long as an on-sale can last.
const PLACE_LIFE: Duration = Duration::from_hours(7 * 24);

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: AccountId,
    event: EventId,
    exp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<f64>,
}

/// Signs and reads them.
#[derive(Clone)]
pub struct Signer {
    encoding: EncodingKey,
    decoding: DecodingKey,
    rules: Arc<Validation>,
}

impl Signer {
    pub fn new(secret: &SecretString) -> Self {
        let bytes = secret.expose_secret().as_bytes();
        let mut rules = Validation::new(ALGORITHM);
        rules.set_issuer(&[US]);
        rules.set_required_spec_claims(&["exp", "iss", "sub"]);
        rules.validate_aud = false;
        // Two nodes' clocks may differ a little; nobody gains a seat by five seconds.
        rules.leeway = 5;
        Self {
            encoding: EncodingKey::from_secret(bytes),
            decoding: DecodingKey::from_secret(bytes),
            rules: Arc::new(rules),
        }
    }

    pub fn admission(&self, event: EventId, customer: AccountId, left: Duration) -> SecretString {
        self.sign(ADMISSION, event, customer, left, None)
    }

    pub fn place(&self, event: EventId, customer: AccountId, place: f64) -> SecretString {
        self.sign(PLACE, event, customer, PLACE_LIFE, Some(place))
    }

    pub fn admits(&self, text: &str, event: EventId, customer: AccountId) -> bool {
        self.read(ADMISSION, text, event, customer).is_some()
    }

    pub fn read_place(&self, text: &str, event: EventId, customer: AccountId) -> Option<f64> {
        self.read(PLACE, text, event, customer)?.place.filter(|place| place.is_finite() && *place >= 0.0)
    }

    fn sign(
        &self,
        kind: &str,
        event: EventId,
        customer: AccountId,
        life: Duration,
        place: Option<f64>,
    ) -> SecretString {
        let life = i64::try_from(life.as_secs()).unwrap_or(0);
        let exp = OffsetDateTime::now_utc().unix_timestamp().saturating_add(life);
        let claims = Claims { iss: US.to_owned(), sub: customer, event, exp, place };
        let header = Header { typ: Some(kind.to_owned()), ..Header::new(ALGORITHM) };
        let token = jsonwebtoken::encode(&header, &claims, &self.encoding);
        SecretString::from(token.expect("claims are always JSON, and the key is one of this algorithm"))
    }

    fn read(&self, kind: &str, text: &str, event: EventId, customer: AccountId) -> Option<Claims> {
        if text.len() > LONGEST {
            return None;
        }
        let token = jsonwebtoken::decode::<Claims>(text, &self.decoding, &self.rules).ok()?;
        let is_theirs = token.claims.sub == customer && token.claims.event == event;
        (is_theirs && token.header.typ.as_deref() == Some(kind)).then_some(token.claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_for_one_customer_one_event_and_one_purpose() {
        let signer = Signer::new(&SecretString::from("a secret that is long enough for a test"));
        let (event, customer) = (EventId::new(), AccountId::new());
        let word = signer.admission(event, customer, Duration::from_mins(1));
        let text = word.expose_secret();
        assert!(signer.admits(text, event, customer));
        assert!(!signer.admits(text, EventId::new(), customer), "another event");
        assert!(!signer.admits(text, event, AccountId::new()), "somebody else");
        assert_eq!(signer.read_place(text, event, customer), None, "an admission is no place");
        let place = signer.place(event, customer, 0.25);
        assert_eq!(signer.read_place(place.expose_secret(), event, customer), Some(0.25));
        assert!(!signer.admits(place.expose_secret(), event, customer), "a place is no admission");
        let other = Signer::new(&SecretString::from("another secret that is long enough"));
        assert!(!other.admits(text, event, customer));
        let old = signer.sign(ADMISSION, event, customer, Duration::ZERO, None);
        std::thread::sleep(Duration::from_millis(10));
        assert!(signer.admits(old.expose_secret(), event, customer), "within the leeway");
        for junk in ["", "a.b.c", &"x".repeat(5000)] {
            assert!(!signer.admits(junk, event, customer));
        }
    }
}
