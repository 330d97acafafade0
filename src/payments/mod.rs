//! Money: asking Stripe, and telling Stripe's word from somebody else's.
//!
//! Stripe is asked, never guessed. Every call that moves money carries a key made of our own ids, so that asking
//! again after silence is the same wish and never a second payment or a second refund.

mod answers;
mod gateway;
pub mod notice;
mod pace;
pub mod signature;
mod stripe;

use std::time::Duration;

pub use answers::{Intent, IntentStatus, Listed, Refund, RefundStatus};
pub use gateway::{Cancelled, Gateway, NewIntent, StripeSettings};
pub use notice::Notice;
pub use signature::SignatureError;

/// Why Stripe's answer is not here.
#[derive(Debug, thiserror::Error)]
pub enum PaymentsError {
    /// Unknown: it may or may not have happened. Ask again with the same ids, later.
    #[error("Stripe gave no answer to {call}")]
    Outage {
        call: &'static str,
        /// How long Stripe itself asked us to wait, when it did.
        retry_after: Option<Duration>,
        #[source]
        fault: Fault,
    },
    /// A failure that Stripe has stored under our key and will answer for ever. Nothing was made that could take
    /// money; a new attempt needs a new attempt number.
    #[error("Stripe keeps answering {call} with its stored failure {status}")]
    StoredFailure { call: &'static str, status: u16 },
    /// A definite no.
    #[error("Stripe refused {call} with {status} {code}: {message}")]
    Refused { call: &'static str, status: u16, code: String, message: String },
    /// Neither cancelled nor past cancelling, again and again: somebody else keeps moving it.
    #[error("the PaymentIntent could be neither cancelled nor found settled; it is {0}")]
    Unexpected(IntentStatus),
    /// An answer in a shape that we cannot act on.
    #[error("Stripe's answer to {call} cannot be read: {detail}")]
    Unreadable { call: &'static str, detail: String },
}

impl PaymentsError {
    /// Stripe has the key of this call, and with it another call than this.
    #[must_use]
    pub fn is_about_other_words(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "idempotency_error")
    }
}

/// What stood between us and an answer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("the answer was {0}")]
    Status(u16),
    /// Of no order's making: until the operator sets another key, nothing can be asked.
    #[error("the answer was {0}: the secret key is revoked, of another mode, or may not do this")]
    Key(u16),
    #[error("the call took too long")]
    TimedOut,
    #[error("the connection failed")]
    Connection(#[source] reqwest::Error),
    #[error("too many payments wait to be opened")]
    Queue,
}

/// A setting with which no call could be made.
#[derive(Debug, thiserror::Error)]
pub enum Misconfigured {
    #[error("the address of Stripe's API is not an http(s) URL")]
    Address,
    #[error("the Stripe key contains characters that no key has")]
    Key,
    #[error("the HTTP client could not be set up")]
    Client(#[source] reqwest::Error),
}
