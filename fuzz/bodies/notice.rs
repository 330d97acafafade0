//! Stripe's news: what we keep of it is safe to store, and what we do not know changes nothing.

use holdfast::payments::Notice;
use serde_json::{Value, json};

pub fn body(input: &[u8]) {
    let Ok(notice) = Notice::parse(input) else { return };
    let words = [Some(&notice.id), Some(&notice.kind), notice.intent_id.as_ref()];
    for word in words.into_iter().flatten().chain(Some(&notice.object_id).filter(|id| !id.is_empty())) {
        assert!((1..=255).contains(&word.len()), "{word} is too long for a word of Stripe's");
        assert!(word.bytes().all(|byte| byte.is_ascii_graphic()), "{word:?} is not safe to store");
    }
    let again = json!({
        "id": notice.id, "type": notice.kind, "livemode": notice.livemode,
        "data": { "object": { "id": notice.object_id, "payment_intent": notice.intent_id,
                              "metadata": { "order_id": notice.order_id } } },
    });
    assert_eq!(Notice::parse(again.to_string().as_bytes()).expect("its own words"), notice);

    // Another version of Stripe's API has more fields, in another order.
    if let Ok(Value::Object(mut event)) = serde_json::from_slice(input) {
        event.insert("api_version".to_owned(), json!("2099-01-01"));
        event.insert("a_new_thing".to_owned(), json!({ "id": [null, 1e300] }));
        let text = Value::Object(event).to_string();
        assert_eq!(Notice::parse(text.as_bytes()).expect("more is no fault"), notice);
    }
}
