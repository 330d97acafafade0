//! Access tokens: short-lived, signed with one algorithm, checked without a store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{AccountsError, Caller, Role};
use crate::ids::AccountId;

/// The only algorithm there is; what a token itself says of it is compared, never followed.
const ALGORITHM: Algorithm = Algorithm::HS256;
/// Says that this is an access token and nothing else that the key may have signed (RFC 9068).
const KIND: &str = "at+jwt";
const US: &str = "holdfast";
/// Clocks of two nodes may differ by this much.
const LEEWAY_SECONDS: u64 = 5;
/// Ours are some 300 bytes; more is not worth the work of a signature.
const LONGEST: usize = 2048;

/// So many tokens are remembered at a time: a few megabytes.
const REMEMBERED: usize = 32_768;

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: AccountId,
    role: Role,
    iat: i64,
    exp: i64,
    jti: Uuid,
    /// When it was signed, to the millisecond: a second is too coarse to tell what was void at that moment.
    #[serde(default)]
    ims: Option<i64>,
}

/// What a token says whose signature was found to be ours. A customer shows the same one with every call; what may have become
/// of it since, its end and its account's, is asked every time all the same.
#[derive(Debug, Clone, Copy)]
struct Known {
    caller: Caller,
    signed_ms: i64,
    expires: i64,
}

/// Of a token, which is a secret itself, and whose comparison with another is nobody's business.
type Digest = [u8; SHA256_OUTPUT_LEN];

/// Signs and checks access tokens.
#[derive(Clone)]
pub struct Signer {
    encoding: EncodingKey,
    decoding: DecodingKey,
    /// Made once: they are sets of words, and every call of the house is held against them.
    rules: Arc<Validation>,
    known: Arc<Mutex<HashMap<Digest, Known>>>,
    seconds: u32,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer")
    }
}

impl Signer {
    #[expect(clippy::needless_pass_by_value, reason = "the caller gives the secret away")]
    pub fn new(secret: SecretString, seconds: u32) -> Self {
        let bytes = secret.expose_secret().as_bytes();
        let mut rules = Validation::new(ALGORITHM);
        rules.set_issuer(&[US]);
        rules.set_audience(&[US]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        rules.leeway = LEEWAY_SECONDS;
        rules.validate_nbf = true;
        Self {
            encoding: EncodingKey::from_secret(bytes),
            decoding: DecodingKey::from_secret(bytes),
            rules: Arc::new(rules),
            known: Arc::default(),
            seconds,
        }
    }

    pub fn seconds(&self) -> u32 {
        self.seconds
    }

    /// `after`: what is signed before this moment is void, and it may be ahead of this node's clock.
    pub fn sign(&self, caller: Caller, after: Option<OffsetDateTime>) -> Result<SecretString, AccountsError> {
        let signed = OffsetDateTime::now_utc().max(after.unwrap_or(OffsetDateTime::UNIX_EPOCH));
        let now = signed.unix_timestamp();
        let claims = Claims {
            iss: US.to_owned(),
            aud: US.to_owned(),
            sub: caller.id,
            role: caller.role,
            iat: now,
            exp: now + i64::from(self.seconds),
            jti: Uuid::new_v4(),
            ims: i64::try_from(signed.unix_timestamp_nanos() / 1_000_000).ok(),
        };
        let header = Header { typ: Some(KIND.to_owned()), ..Header::new(ALGORITHM) };
        let token = jsonwebtoken::encode(&header, &claims, &self.encoding);
        token.map(SecretString::from).map_err(|error| AccountsError::Crypto(error.to_string()))
    }

    /// Who a token speaks for, and when it was signed, in milliseconds since 1970.
    pub fn verify(&self, token: &str) -> Option<(Caller, i64)> {
        if token.len() > LONGEST {
            return None;
        }
        let digest = digest(&SHA256, token.as_bytes()).as_ref().try_into().ok()?;
        let remembered = self.memory().get(&digest).copied();
        let known = match remembered {
            Some(known) => known,
            None => self.remember(digest, self.check(token)?),
        };
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let is_over = known.expires < now - LEEWAY_SECONDS.cast_signed();
        (!is_over).then_some((known.caller, known.signed_ms))
    }

    fn remember(&self, digest: Digest, known: Known) -> Known {
        let mut memory = self.memory();
        if memory.len() >= REMEMBERED {
            // Nobody is worse off than one who comes for the first time.
            memory.clear();
        }
        memory.insert(digest, known);
        known
    }

    fn memory(&self) -> MutexGuard<'_, HashMap<Digest, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self, token: &str) -> Option<Known> {
        let token = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.rules).ok()?;
        // What is critical must be understood (RFC 7515, 4.1.11), and there is nothing of the kind that we would.
        let is_ours = token.header.typ.as_deref() == Some(KIND) && token.header.crit.is_none();
        let Claims { sub, role, iat, ims, exp, .. } = token.claims;
        let signed_ms = ims.unwrap_or(iat.saturating_mul(1000));
        is_ours.then_some(Known { caller: Caller { id: sub, role }, signed_ms, expires: exp })
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &str = "a secret that is long enough for a test";

    fn signer() -> Signer {
        Signer::new(SecretString::from(SECRET), 60)
    }

    fn caller() -> Caller {
        Caller { id: AccountId::new(), role: Role::Customer }
    }

    fn claims() -> Value {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        json!({ "iss": "holdfast", "aud": "holdfast", "sub": Uuid::now_v7(), "role": "admin",
                "iat": now, "exp": now + 60, "jti": Uuid::new_v4() })
    }

    fn made(header: &Header, claims: &Value, secret: &str) -> String {
        jsonwebtoken::encode(header, claims, &EncodingKey::from_secret(secret.as_bytes())).expect("signed")
    }

    #[test]
    fn a_token_speaks_for_its_caller() {
        let caller = caller();
        let token = signer().sign(caller, None).expect("signed");
        let (known, signed_ms) = signer().verify(token.expose_secret()).expect("ours");
        assert_eq!(known, caller);
        let age = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000 - i128::from(signed_ms);
        assert!((0..60_000).contains(&age), "{age}");
    }

    #[test]
    fn a_token_that_is_remembered_ends_when_it_said() {
        let signer = signer();
        let token = signer.sign(caller(), None).expect("signed");
        assert!(signer.verify(token.expose_secret()).is_some());
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let ends = |at: i64| signer.memory().values_mut().for_each(|known| known.expires = at);
        ends(now);
        assert!(signer.verify(token.expose_secret()).is_some(), "from memory, within the leeway");
        ends(now - LEEWAY_SECONDS.cast_signed() - 1);
        assert!(signer.verify(token.expose_secret()).is_none());
    }

    #[test]
    fn so_many_tokens_are_remembered_and_all_are_good() {
        let (signer, caller) = (signer(), caller());
        let first = signer.sign(caller, None).expect("signed");
        assert!(signer.verify(first.expose_secret()).is_some());
        for number in 0..REMEMBERED {
            let known = Known { caller, signed_ms: 0, expires: i64::MAX };
            let mut digest = [0; SHA256_OUTPUT_LEN];
            digest[..8].copy_from_slice(&number.to_be_bytes());
            signer.remember(digest, known);
        }
        assert!(signer.memory().len() <= REMEMBERED);
        assert!(signer.verify(first.expose_secret()).is_some());
    }

    #[test]
    fn every_other_token_speaks_for_nobody() {
        let good = Header { typ: Some("at+jwt".to_owned()), ..Header::new(Algorithm::HS256) };
        let with = |field: &str, value: Value| {
            let mut claims = claims();
            claims[field] = value;
            claims
        };
        let without = |field: &str| {
            let mut claims = claims();
            claims.as_object_mut().expect("an object").remove(field);
            claims
        };
        assert!(signer().verify(&made(&good, &claims(), SECRET)).is_some(), "the pattern itself is good");
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let unsigned = |algorithm: &str| {
            let header = json!({ "alg": algorithm, "typ": "at+jwt" });
            format!("{}.{}.", BASE64.encode(header.to_string()), BASE64.encode(claims().to_string()))
        };
        // Signed as it should be, whatever its header says: who forges one has read about libraries that follow it.
        let under = |header: Value, secret: &str| {
            let text =
                format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims().to_string()));
            let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
            format!("{text}.{}", BASE64.encode(aws_lc_rs::hmac::sign(&key, text.as_bytes())))
        };
        let head = |more: Value| {
            let mut header = json!({ "alg": "HS256", "typ": "at+jwt" });
            header.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            header
        };
        assert!(signer().verify(&under(head(json!({})), SECRET)).is_some(), "the pattern itself is good");
        let right = made(&good, &claims(), SECRET);
        let (text, signature) = right.rsplit_once('.').expect("three parts");
        let theirs = json!({ "jwk": { "kty": "oct", "k": BASE64.encode("theirs") } });
        for (why, token) in [
            ("another key", made(&good, &claims(), "another secret that is long enough too")),
            ("no key", made(&good, &claims(), "")),
            ("another algorithm", made(&Header { alg: Algorithm::HS512, ..good.clone() }, &claims(), SECRET)),
            ("our secret said to be a public key", under(head(json!({ "alg": "RS256" })), SECRET)),
            ("our secret said to be a curve's", under(head(json!({ "alg": "EdDSA" })), SECRET)),
            ("an unknown algorithm", under(head(json!({ "alg": "HS257" })), SECRET)),
            ("no algorithm, in capitals", under(head(json!({ "alg": "NONE" })), SECRET)),
            ("no algorithm at all", under(json!({ "typ": "at+jwt" }), SECRET)),
            ("another kind", made(&Header::new(Algorithm::HS256), &claims(), SECRET)),
            ("no kind", under(json!({ "alg": "HS256" }), SECRET)),
            ("the kind of an admission", under(head(json!({ "typ": "admission+jwt" })), SECRET)),
            ("the kind of a place", under(head(json!({ "typ": "place+jwt" })), SECRET)),
            ("a key named that is an empty file", under(head(json!({ "kid": "../../../dev/null" })), "")),
            ("a key named in SQL", under(head(json!({ "kid": "x' union select 'theirs" })), "theirs")),
            ("a key that it brings along", under(head(theirs), "theirs")),
            ("a key at an address", under(head(json!({ "jku": "https://evil.example/keys" })), "theirs")),
            ("something critical", under(head(json!({ "crit": ["b64"], "b64": false })), SECRET)),
            ("expired", made(&good, &with("exp", json!(1_000_000)), SECRET)),
            ("expired beyond the leeway", made(&good, &with("exp", json!(now - 7)), SECRET)),
            ("no expiry", made(&good, &without("exp"), SECRET)),
            ("an expiry in words", made(&good, &with("exp", json!("never")), SECRET)),
            ("an expiry of null", made(&good, &with("exp", Value::Null), SECRET)),
            ("not yet good", made(&good, &with("nbf", json!(now + 60)), SECRET)),
            ("good from never", made(&good, &with("nbf", json!("never")), SECRET)),
            ("another issuer", made(&good, &with("iss", json!("somebody")), SECRET)),
            ("no issuer", made(&good, &without("iss"), SECRET)),
            ("another audience", made(&good, &with("aud", json!("somebody")), SECRET)),
            ("no audience", made(&good, &without("aud"), SECRET)),
            ("no subject", made(&good, &without("sub"), SECRET)),
            ("a subject that is no account", made(&good, &with("sub", json!("admin")), SECRET)),
            ("an unknown role", made(&good, &with("role", json!("root")), SECRET)),
            ("no role", made(&good, &without("role"), SECRET)),
            ("no algorithm", unsigned("none")),
            ("no signature", unsigned("HS256")),
            ("a signature cut short", right[..right.len() - 4].to_owned()),
            ("a signature and more", format!("{right}.{signature}")),
            ("somebody's signature", format!("{}.{signature}", unsigned("HS256").trim_end_matches('.'))),
            ("padding", format!("{text}.{signature}=")),
            ("a line break", format!("{right}\n")),
            ("huge", format!("{}{}", made(&good, &claims(), SECRET), "x".repeat(4096))),
            ("huge claims", made(&good, &with("more", json!("x".repeat(4096))), SECRET)),
            ("empty", String::new()),
            ("dots", "..".to_owned()),
            ("junk", "a.b.c".to_owned()),
        ] {
            assert_eq!(signer().verify(&token), None, "{why}");
        }
    }

    #[test]
    fn one_changed_character_is_one_too_many() {
        let token = signer().sign(caller(), None).expect("signed");
        let token = token.expose_secret();
        for at in (0..token.len()).step_by(7) {
            let mut bytes = token.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).expect("ASCII");
            assert!(signer().verify(&changed).is_none(), "changed at {at}");
        }
    }
}
