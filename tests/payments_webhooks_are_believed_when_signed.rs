//! A webhook changes something only when Stripe signed exactly these bytes, and lately.

use holdfast::payments::notice::Notice;
use holdfast::payments::signature::{SignatureError, TOLERANCE, sign, verify};
use proptest::prelude::*;
use secrecy::SecretString;
use serde_json::json;
use uuid::Uuid;

const NOW: i64 = 1_790_000_000;
const BODY: &[u8] = br#"{"id":"evt_1","type":"payment_intent.succeeded"}"#;

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

/// Whether the body is believed with this header, by one secret.
fn check(header: &str, body: &[u8]) -> Result<(), SignatureError> {
    verify(header, body, &[secret("whsec_one")], NOW, TOLERANCE)
}

fn signed_at(at: i64) -> String {
    sign(BODY, &secret("whsec_one"), at)
}

/// The `v1` of a header alone.
fn v1_of(header: &str) -> &str {
    header.split_once("v1=").expect("a header of ours").1
}

#[test]
fn the_signature_is_stripes() {
    // Computed with openssl: printf '1700000000.{}' | openssl dgst -sha256 -hmac whsec_test
    let expected = "t=1700000000,v1=35495024f4ef3f94e5a93e22221544c4b75e9a42300cd965ab81cb85cd994e91";
    let ours = sign(b"{}", &secret("whsec_test"), 1_700_000_000);
    assert_eq!(ours, expected);
}

#[test]
fn the_past_is_bounded_and_the_future_is_not() {
    assert_eq!(check(&signed_at(NOW), BODY), Ok(()));
    assert_eq!(check(&signed_at(NOW - 299), BODY), Ok(()));
    assert_eq!(check(&signed_at(NOW - 300), BODY), Ok(()));
    assert_eq!(check(&signed_at(NOW - 301), BODY), Err(SignatureError::Stale));
    assert_eq!(check(&signed_at(NOW + 301), BODY), Ok(()));
    assert_eq!(check(&signed_at(i64::MIN), BODY), Err(SignatureError::Malformed));
    assert_eq!(check(&signed_at(i64::MAX), BODY), Ok(()));
    assert_eq!(check(&signed_at(0), BODY), Err(SignatureError::Stale));
}

#[test]
fn one_good_signature_among_several_is_enough() {
    let wrong = sign(BODY, &secret("whsec_other"), NOW);
    let right = signed_at(NOW);
    assert_eq!(check(&format!("{wrong},v1={}", v1_of(&right)), BODY), Ok(()));
    assert_eq!(check(&format!("{right},v1={}", v1_of(&wrong)), BODY), Ok(()));
    assert_eq!(check(&format!("{right},v0={}", "0".repeat(64)), BODY), Ok(()));
    assert_eq!(check(&right.replace(',', " , "), BODY), Ok(()));
}

#[test]
fn while_secrets_rotate_either_is_believed() {
    let both = [secret("whsec_new"), secret("whsec_one")];
    assert_eq!(verify(&signed_at(NOW), BODY, &both, NOW, TOLERANCE), Ok(()));
    assert_eq!(verify(&signed_at(NOW), BODY, &both[..1], NOW, TOLERANCE), Err(SignatureError::Mismatch));
    assert_eq!(verify(&signed_at(NOW), BODY, &[], NOW, TOLERANCE), Err(SignatureError::Mismatch));
}

#[test]
fn another_scheme_or_no_header_is_refused() {
    let right = signed_at(NOW);
    for header in [
        String::new(),
        "nonsense".to_owned(),
        right.replace("v1=", "v0="),
        right.replace("t=", "u="),
        right.replacen("t=", "t=+", 1),
        format!("t={NOW}"),
        format!("v1={}", v1_of(&right)),
        format!("t={},{right}", NOW - 1),
        format!("t={NOW},v1={}", &v1_of(&right)[..63]),
        format!("t={NOW},v1={}é", &v1_of(&right)[..62]),
        format!("t=99999999999999999999,v1={}", v1_of(&right)),
    ] {
        assert_eq!(check(&header, BODY), Err(SignatureError::Malformed), "{header}");
    }
}

proptest! {
    #[test]
    fn one_changed_byte_is_refused(at in 0..BODY.len(), change in 1..=255_u8) {
        let mut body = BODY.to_vec();
        body[at] ^= change;
        prop_assert_eq!(check(&signed_at(NOW), &body), Err(SignatureError::Mismatch));
    }

    #[test]
    fn a_changed_time_is_refused(later in 1..1_000_000_i64) {
        let header = signed_at(NOW - later).replace(&(NOW - later).to_string(), &NOW.to_string());
        prop_assert_eq!(check(&header, BODY), Err(SignatureError::Mismatch));
    }

    #[test]
    fn no_header_is_too_odd(header in ".{0,200}", tail in "(t=[0-9+-]{0,25},?|v1=[0-9a-fA-Fé]{0,70},?){0,4}") {
        prop_assert!(check(&header, BODY).is_err());
        prop_assert!(check(&tail, BODY).is_err());
    }

    #[test]
    fn no_body_is_too_odd(body in proptest::collection::vec(any::<u8>(), 0..400), text in "[\\[{\"idtypea:,}\\]0-9]{0,80}") {
        let _ = Notice::parse(&body);
        let _ = Notice::parse(text.as_bytes());
    }

    #[test]
    fn no_shape_of_an_event_is_too_odd(object in odd_json(), data in odd_json(), kind in ".{0,300}") {
        for event in [
            json!({"id": "evt_1", "type": "x", "data": {"object": object}}),
            json!({"id": "evt_1", "type": kind, "data": data, "livemode": true}),
        ] {
            if let Ok(notice) = Notice::parse(event.to_string().as_bytes()) {
                prop_assert!(notice.object_id.len() <= 255 && !notice.object_id.contains('\0'));
                prop_assert!(!notice.kind.is_empty() && notice.kind.len() <= 255);
            }
        }
    }
}

/// JSON with the fields that a notice reads, filled with anything.
fn odd_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|it| json!(it)),
        any::<i64>().prop_map(|it| json!(it)),
        ".{0,20}".prop_map(|it| json!(it)),
        Just(json!("payment_intent")),
    ];
    let key = prop_oneof![
        Just("id".to_owned()),
        Just("object".to_owned()),
        Just("payment_intent".to_owned()),
        Just("metadata".to_owned()),
        Just("order_id".to_owned()),
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|it| json!(it)),
            proptest::collection::hash_map(key.clone(), inner, 0..6).prop_map(|it| json!(it)),
        ]
    })
}

#[test]
fn a_notice_names_the_payment_and_the_order() {
    let order = Uuid::now_v7();
    let event = |object: serde_json::Value| {
        json!({"id": "evt_1", "type": "some.thing", "livemode": true, "data": {"object": object}}).to_string()
    };
    let read = |object| Notice::parse(event(object).as_bytes()).expect("an event");

    let intent = read(json!({"id": "pi_1", "object": "payment_intent", "metadata": {"order_id": order}}));
    assert_eq!((intent.id.as_str(), intent.kind.as_str(), intent.livemode), ("evt_1", "some.thing", true));
    assert_eq!((intent.object_id.as_str(), intent.intent_id.as_deref()), ("pi_1", Some("pi_1")));
    assert_eq!(intent.order_id, Some(order));

    let charge = read(json!({"id": "ch_1", "object": "charge", "payment_intent": "pi_1"}));
    assert_eq!((charge.object_id.as_str(), charge.intent_id.as_deref()), ("ch_1", Some("pi_1")));
    assert_eq!(charge.order_id, None);
    let expanded = read(json!({"id": "re_1", "object": "refund", "payment_intent": {"id": "pi_1"}}));
    assert_eq!(expanded.intent_id.as_deref(), Some("pi_1"));

    let nothing = read(json!({"object": "balance", "metadata": {"order_id": "nobody"}}));
    assert_eq!((nothing.object_id.as_str(), nothing.intent_id, nothing.order_id), ("", None, None));
    let nul = read(json!({"id": "pi_\0", "object": "payment_intent"}));
    assert_eq!(nul.object_id, "", "Postgres could not hold it");
}

#[test]
fn what_is_no_event_is_refused() {
    let long = "e".repeat(256);
    for body in [
        String::new(),
        "[]".to_owned(),
        "null".to_owned(),
        "{}".to_owned(),
        json!({"id": "evt_1"}).to_string(),
        json!({"id": 1, "type": "x"}).to_string(),
        json!({"id": "", "type": "x"}).to_string(),
        json!({"id": "evt 1", "type": "x"}).to_string(),
        json!({"id": "evt_\0", "type": "x"}).to_string(),
        json!({"id": long, "type": "x"}).to_string(),
        "[".repeat(100_000),
    ] {
        assert!(Notice::parse(body.as_bytes()).is_err(), "{}", &body[..body.len().min(60)]);
    }
}
