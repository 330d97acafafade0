//! Idempotency keys by Stripe's rules: the first answer is kept, a 500 as well, and comes back marked as replayed.
//!
//! Nothing is kept when the parameters were refused or another call under the key still ran.

use serde_json::Value;

use super::failure::Failure;
use super::objects::Remembered;
use super::world::{Entry, World, now_ms};

/// Stripe may forget a key after a day; the sandbox does, so that nobody relies on more.
const KEPT_MS: i64 = 24 * 60 * 60 * 1000;
const LONGEST_KEY: usize = 255;

/// A call that wants to happen once.
#[derive(Debug, Clone)]
pub struct Once {
    pub key: String,
    /// Of method, path and parameters.
    pub fingerprint: String,
    pub request: String,
}

impl Once {
    /// # Errors
    /// When the key is no key.
    pub fn check(self) -> Result<Self, Failure> {
        if self.key.is_empty() || self.key.chars().count() > LONGEST_KEY {
            let message = "Idempotency keys have 1 to 255 characters.";
            return Err(Failure::bad_parameter("idempotency_key", message));
        }
        Ok(self)
    }

    /// Takes the key, or finds what it answered before.
    pub fn begin(&self, world: &mut World) -> Result<Option<Remembered>, Failure> {
        if world.running.contains(&self.key) {
            return Err(Failure::key_in_use(&self.key));
        }
        let fresh = |kept: &&Remembered| now_ms() - kept.at < KEPT_MS;
        if let Some(kept) = world.answers.get(&self.key).filter(fresh) {
            if kept.fingerprint != self.fingerprint {
                return Err(Failure::key_reused(&self.key));
            }
            return Ok(Some(kept.clone()));
        }
        world.running.insert(self.key.clone());
        Ok(None)
    }

    /// Gives the key back, with the answer that it stands for from now on, if the call got that far.
    pub fn finish(&self, world: &mut World, answer: &Result<Value, Failure>) {
        world.running.remove(&self.key);
        let (status, body) = match answer {
            Ok(body) => (200, body.clone()),
            Err(failure) if failure.stored => (failure.status.as_u16(), failure.body()),
            Err(_) => return,
        };
        world.put(Entry::Answer(Box::new(Remembered {
            key: self.key.clone(),
            fingerprint: self.fingerprint.clone(),
            status,
            body,
            request: self.request.clone(),
            at: now_ms(),
        })));
    }
}
