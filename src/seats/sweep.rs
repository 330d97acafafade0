//! Freeing what has expired.

use super::keys::Keys;
use super::{Engine, SeatsError};
use crate::ids::{EventId, HoldId, Ordinal};

/// Holds of one call.
const CAP: u32 = 256;

/// What a sweep did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Seats that are nobody's now: free, or kept for the waiting list.
    pub freed: Vec<Ordinal>,
    /// Holds that are over.
    pub holds: Vec<HoldId>,
    /// Others are due: sweep again.
    pub more: bool,
}

impl Engine {
    /// Whether anybody holds anything of an event: where nobody does, nothing is due.
    ///
    /// # Errors
    /// When Redis cannot answer.
    pub async fn is_anything_held(&self, event: EventId) -> Result<bool, SeatsError> {
        let mut count = redis::cmd("ZCARD");
        count.arg(Keys::of(event).deadlines());
        Ok(self.redis.read::<u64>(&count).await? > 0)
    }

    /// Frees the seats of holds that have expired, a bounded number of them.
    ///
    /// # Errors
    /// When Redis cannot answer or the event has no picture.
    pub async fn sweep(&self, event: EventId) -> Result<Swept, SeatsError> {
        let mut call = self.scripts.sweep.on(event);
        call.arg(CAP);
        let reply = self.run(call).await?;
        let swept = match reply.code() {
            "swept" => {
                Swept { more: reply.parse::<u8>(0)? == 1, holds: reply.list(1)?, freed: reply.list(2)? }
            }
            _ => return Err(reply.strange()),
        };
        self.metrics.swept_seats.inc_by(swept.freed.len() as u64);
        Ok(swept)
    }
}
