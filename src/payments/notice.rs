//! What we read of a webhook: which thing changed. What it changed to, Stripe is asked.
//!
//! Deliveries are late, repeated and out of order, and other versions of the API shape objects otherwise, so
//! nothing here depends on more than an id and a type.

use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

/// Stripe's ids and types are far shorter; what is longer was not made by Stripe.
const LONGEST_WORD: usize = 255;

/// Stripe's word that something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The event's id: the same at every delivery.
    pub id: String,
    /// Stripe's type of the event, like `payment_intent.succeeded`.
    pub kind: String,
    pub livemode: bool,
    /// The id of the thing that changed; empty for the few things that have none.
    pub object_id: String,
    /// The PaymentIntent that the thing is or belongs to.
    pub intent_id: Option<String>,
    /// The order that the thing's metadata name. Only a hint: whoever can write metadata can write it.
    pub order_id: Option<Uuid>,
}

/// The body is no event of Stripe's.
#[derive(Debug, thiserror::Error)]
pub enum NoticeError {
    #[error("the body is not a Stripe event")]
    Json(#[from] serde_json::Error),
    #[error("the event has no usable {0}")]
    Field(&'static str),
}

#[derive(Deserialize)]
struct Envelope {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    livemode: bool,
    #[serde(default)]
    data: Value,
}

impl Notice {
    /// Reads the raw body of a webhook. Check its signature first.
    ///
    /// # Errors
    /// When it is not an event.
    pub fn parse(body: &[u8]) -> Result<Self, NoticeError> {
        let event: Envelope = serde_json::from_slice(body)?;
        if !is_word(&event.id) {
            return Err(NoticeError::Field("id"));
        }
        if !is_word(&event.kind) {
            return Err(NoticeError::Field("type"));
        }
        let object = &event.data["object"];
        let intent = if object["object"] == "payment_intent" { object } else { &object["payment_intent"] };
        Ok(Self {
            object_id: id_in(object).unwrap_or_default(),
            intent_id: id_in(intent),
            order_id: object["metadata"]["order_id"].as_str().and_then(|text| Uuid::try_parse(text).ok()),
            id: event.id,
            kind: event.kind,
            livemode: event.livemode,
        })
    }
}

/// The id of what is either an id already or an object with one.
fn id_in(reference: &Value) -> Option<String> {
    reference.as_str().or_else(|| reference["id"].as_str()).filter(|id| is_word(id)).map(str::to_owned)
}

/// Visible ASCII of a sane length: safe in a log line, a path and a column (which could not hold a NUL).
fn is_word(text: &str) -> bool {
    (1..=LONGEST_WORD).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
