//! What the sandbox remembers. Each of these is also a line of the journal.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::payments::{IntentStatus, RefundStatus};

pub type Metadata = BTreeMap<String, String>;

/// How something undecided ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Succeeded,
    Failed,
}

/// When something undecided ends by itself.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Settles {
    /// Unix milliseconds.
    pub at: i64,
    pub outcome: Outcome,
}

/// Why a payment method did not pay.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Decline {
    pub code: String,
    pub decline_code: Option<String>,
    pub message: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Intent {
    pub id: String,
    pub client_secret: String,
    /// Minor units.
    pub amount: i64,
    pub received: i64,
    pub currency: String,
    pub status: IntentStatus,
    /// Unix seconds.
    pub created: i64,
    pub metadata: Metadata,
    pub description: Option<String>,
    pub receipt_email: Option<String>,
    pub payment_method_types: Vec<String>,
    pub payment_method: Option<String>,
    pub return_url: Option<String>,
    pub last_error: Option<Decline>,
    pub latest_charge: Option<String>,
    pub canceled_at: Option<i64>,
    pub cancellation_reason: Option<String>,
    pub settles: Option<Settles>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeStatus {
    Pending,
    Succeeded,
    Failed,
}

/// One try to take the money of a PaymentIntent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Charge {
    pub id: String,
    pub intent: String,
    pub amount: i64,
    /// Minor units on their way back or there already; failed refunds do not count.
    pub refunded: i64,
    pub currency: String,
    pub status: ChargeStatus,
    pub created: i64,
    pub payment_method: String,
    pub metadata: Metadata,
    pub decline: Option<Decline>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Refund {
    pub id: String,
    pub charge: String,
    pub intent: String,
    pub amount: i64,
    pub currency: String,
    pub status: RefundStatus,
    pub created: i64,
    pub metadata: Metadata,
    pub reason: Option<String>,
    pub failure_reason: Option<String>,
    pub settles: Option<Settles>,
}

/// The call that made an event: its request id, and its idempotency key when it had one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Origin {
    pub request: Option<String>,
    pub key: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    pub id: String,
    pub kind: String,
    pub created: i64,
    /// The object as it was then.
    pub object: Value,
    pub origin: Origin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Not answered with 2xx yet.
    Waiting,
    Delivered,
    /// A switch made it never happen.
    Dropped,
    /// Tried for as long as Stripe would.
    GivenUp,
}

/// What became of telling an event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Delivery {
    pub event: String,
    pub kind: String,
    pub state: DeliveryState,
    pub attempts: u32,
    /// Extra copies sent with every attempt.
    pub duplicates: u32,
    /// The receiver's last answer; `None` when there was none.
    pub last_status: Option<u16>,
}

/// An answer kept under an idempotency key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Remembered {
    pub key: String,
    /// Of method, path and parameters.
    pub fingerprint: String,
    pub status: u16,
    pub body: Value,
    pub request: String,
    /// Unix milliseconds.
    pub at: i64,
}
