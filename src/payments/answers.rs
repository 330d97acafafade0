//! What we read of Stripe's answers: the few fields that decide something, whatever else is around them.

use std::collections::HashMap;
use std::fmt;

use secrecy::SecretString;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};

use crate::ids::{EventId, OrderId};

/// A PaymentIntent as Stripe last described it.
#[derive(Debug, Clone, Deserialize)]
pub struct Intent {
    pub id: String,
    pub status: IntentStatus,
    /// Minor units.
    pub amount: i64,
    /// Minor units that were captured; 0 unless succeeded.
    #[serde(default)]
    pub amount_received: i64,
    /// Lower case, as Stripe spells it.
    pub currency: String,
    /// What a paying page needs to confirm; whoever has it may pay.
    #[serde(default)]
    pub client_secret: Option<SecretString>,
    #[serde(default, deserialize_with = "null_is_empty")]
    pub metadata: HashMap<String, String>,
    /// The last try to pay was declined. Says nothing about the tries before it.
    #[serde(default, rename = "last_payment_error", deserialize_with = "is_present")]
    pub has_failed: bool,
    #[serde(default)]
    pub livemode: bool,
    /// Unix seconds.
    #[serde(default)]
    pub created: i64,
}

impl Intent {
    /// The order that this PaymentIntent was opened for, when it is one of ours.
    #[must_use]
    pub fn order(&self) -> Option<OrderId> {
        self.metadata.get("order_id")?.parse().ok()
    }

    /// The event of that order.
    #[must_use]
    pub fn event(&self) -> Option<EventId> {
        self.metadata.get("event_id")?.parse().ok()
    }
}

/// Where a PaymentIntent stands. A word that is not here is an error: money is not decided by a default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentStatus {
    RequiresPaymentMethod,
    RequiresConfirmation,
    RequiresAction,
    Processing,
    RequiresCapture,
    Succeeded,
    Canceled,
}

impl IntentStatus {
    /// Stripe's word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequiresPaymentMethod => "requires_payment_method",
            Self::RequiresConfirmation => "requires_confirmation",
            Self::RequiresAction => "requires_action",
            Self::Processing => "processing",
            Self::RequiresCapture => "requires_capture",
            Self::Succeeded => "succeeded",
            Self::Canceled => "canceled",
        }
    }
}

impl fmt::Display for IntentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Money on its way back, as Stripe last described it.
#[derive(Debug, Clone, Deserialize)]
pub struct Refund {
    pub id: String,
    pub status: RefundStatus,
    /// Minor units.
    pub amount: i64,
    pub currency: String,
    #[serde(default, rename = "payment_intent", deserialize_with = "id_of")]
    pub intent: Option<String>,
    #[serde(default, deserialize_with = "null_is_empty")]
    pub metadata: HashMap<String, String>,
    #[serde(default)]
    pub failure_reason: Option<String>,
    /// Unix seconds.
    #[serde(default)]
    pub created: i64,
}

/// Where a refund stands. Even `Succeeded` may become `Failed` when the bank sends the money back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundStatus {
    Pending,
    RequiresAction,
    Succeeded,
    Failed,
    Canceled,
}

impl RefundStatus {
    /// As our own rows have it: on its way, arrived, or a person's to look after.
    #[must_use]
    pub const fn recorded_as(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Pending | Self::RequiresAction => "pending",
            Self::Failed | Self::Canceled => "failed",
        }
    }
}

/// A page of a list, newest first, as far as it could be read.
#[derive(Debug)]
pub struct Listed<T> {
    pub entries: Vec<T>,
    /// After which id the next page begins; `None` when this was the last.
    pub next: Option<String>,
}

impl<T: DeserializeOwned> Listed<T> {
    pub(super) fn of(call: &'static str, page: Page) -> Self {
        let last = page.data.last().and_then(|last| last["id"].as_str()).map(str::to_owned);
        let readable = page.data.into_iter().filter_map(|entry| {
            serde_json::from_value(entry)
                .inspect_err(|error| tracing::warn!(%error, call, "an entry of Stripe's list is left out"))
                .ok()
        });
        Self { entries: readable.collect(), next: last.filter(|_| page.has_more) }
    }
}

/// A page of a list. What cannot be read is kept as it came, so that one odd entry does not hide the others.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    pub data: Vec<serde_json::Value>,
    #[serde(default)]
    pub has_more: bool,
}

fn null_is_empty<'de, D: Deserializer<'de>>(field: D) -> Result<HashMap<String, String>, D::Error> {
    Option::deserialize(field).map(Option::unwrap_or_default)
}

fn is_present<'de, D: Deserializer<'de>>(field: D) -> Result<bool, D::Error> {
    Option::<IgnoredAny>::deserialize(field).map(|present| present.is_some())
}

/// A reference is an id, or the whole object where it was expanded.
fn id_of<'de, D: Deserializer<'de>>(field: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Reference {
        Id(String),
        Object { id: String },
    }
    Ok(Option::deserialize(field)?.map(|reference| match reference {
        Reference::Id(id) | Reference::Object { id } => id,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_intent_is_read_whatever_else_comes_with_it() {
        let intent: Intent = serde_json::from_value(json!({
            "id": "pi_1", "status": "requires_payment_method", "amount": 1250, "currency": "eur",
            "client_secret": "pi_1_secret_2", "metadata": null, "last_payment_error": {"code": "card_declined"},
            "something_new": [1, 2, {"three": 4}],
        }))
        .expect("the fields we need are there");
        assert!(intent.has_failed);
        assert_eq!(intent.amount_received, 0);
        assert!(!format!("{intent:?}").contains("pi_1_secret_2"), "a client secret is never printed");
    }

    #[test]
    fn a_status_that_we_do_not_know_is_no_answer() {
        let unknown = json!({"id": "pi_1", "status": "on_the_moon", "amount": 1, "currency": "eur"});
        assert!(serde_json::from_value::<Intent>(unknown).is_err());
    }

    #[test]
    fn a_refund_names_its_intent_by_id_or_as_an_object() {
        for reference in [json!("pi_1"), json!({"id": "pi_1", "amount": 3})] {
            let refund: Refund = serde_json::from_value(json!({
                "id": "re_1", "status": "pending", "amount": 5, "currency": "eur", "payment_intent": reference,
            }))
            .expect("both are Stripe's");
            assert_eq!(refund.intent.as_deref(), Some("pi_1"));
        }
    }
}
