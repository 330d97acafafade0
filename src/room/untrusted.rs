//! What reads a visitor's words, as tests reach it from outside of this crate. Nothing of the service calls this.

use std::time::Duration;

use secrecy::SecretString;

use super::admission::Signer;
use crate::ids::{AccountId, EventId};

/// Signs and reads admissions and places, as [`super::Rooms`] does.
pub struct Words(Signer);

impl Words {
    #[must_use]
    pub fn new(secret: &SecretString) -> Self {
        Self(Signer::new(secret))
    }

    #[must_use]
    pub fn admission(&self, event: EventId, customer: AccountId, left: Duration) -> SecretString {
        self.0.admission(event, customer, left)
    }

    #[must_use]
    pub fn place(&self, event: EventId, customer: AccountId, place: f64) -> SecretString {
        self.0.place(event, customer, place)
    }

    #[must_use]
    pub fn admits(&self, text: &str, event: EventId, customer: AccountId) -> bool {
        self.0.admits(text, event, customer)
    }

    #[must_use]
    pub fn read_place(&self, text: &str, event: EventId, customer: AccountId) -> Option<f64> {
        self.0.read_place(text, event, customer)
    }
}
