//! Admissions and places of a waiting room: each is for one customer, one event and one purpose.

use std::sync::LazyLock;
use std::time::Duration;

use holdfast::ids::{AccountId, EventId};
use holdfast::room::untrusted::Words;
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use super::{claims, edits};

static WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(&SecretString::from(claims::SECRET)));
/// Whom the seeds speak of.
const EVENT: EventId = EventId(Uuid::from_u128(0x0190_aaaa_0000_7000_8000_0000_0000_0001));
const CUSTOMER: AccountId = AccountId(Uuid::from_u128(0x0190_aaaa_0000_7000_8000_0000_0000_0002));

pub fn body(input: &[u8]) {
    if let Ok(text) = str::from_utf8(input) {
        assert!(!WORDS.admits(text, EVENT, CUSTOMER), "nobody has signed this");
        assert_eq!(WORDS.read_place(text, EVENT, CUSTOMER), None, "nobody has signed this");
    }
    let (header, rest) = edits::first_line(input);
    let text = claims::signed(header, rest);
    let is_theirs = |kind| {
        let claims = claims::says_what_ours_do(header, rest, kind);
        let id = |name: &str| claims[name].as_str().and_then(|text| Uuid::try_parse(text).ok());
        assert_eq!((id("sub"), id("event")), (Some(CUSTOMER.0), Some(EVENT.0)), "somebody else's: {claims}");
    };
    let (admits, place) = (WORDS.admits(&text, EVENT, CUSTOMER), WORDS.read_place(&text, EVENT, CUSTOMER));
    assert!(!admits || place.is_none(), "one word for two purposes");
    if admits {
        is_theirs("admission+jwt");
    }
    if let Some(place) = place {
        is_theirs("place+jwt");
        assert!(place.is_finite() && place >= 0.0, "{place} is no place");
    }
    let word = WORDS.admission(EVENT, CUSTOMER, Duration::from_hours(1));
    assert!(WORDS.admits(word.expose_secret(), EVENT, CUSTOMER));
    if let Some(changed) = edits::edited(word.expose_secret(), input) {
        assert!(!WORDS.admits(&changed, EVENT, CUSTOMER), "changed on its way");
    }
}
