//! Freeing what has expired.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

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

/// When each event was last swept to its end by who watches it. Locked for a look at a time, never across an await.
#[derive(Default)]
pub(super) struct Attended(Mutex<HashMap<EventId, Instant>>);

impl Attended {
    fn lock(&self) -> MutexGuard<'_, HashMap<EventId, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Frees the seats of holds that have expired, a bounded number of them. For who attends to the event from now on: where
    /// nothing more is due, nobody else on this node looks for a while.
    ///
    /// # Errors
    /// When Redis cannot answer or the event has no picture.
    pub async fn sweep(&self, event: EventId) -> Result<Swept, SeatsError> {
        let begun = Instant::now();
        let swept = self.sweep_some(event).await?;
        if !swept.more {
            self.attended.lock().insert(event, begun);
        }
        Ok(swept)
    }

    /// Frees all that is due of an event, and says whether anybody held anything: where nobody does, nothing is due until a hold
    /// that is yet to be made has lasted.
    ///
    /// # Errors
    /// When Redis cannot answer or the event has no picture.
    pub async fn sweep_dry(&self, event: EventId) -> Result<bool, SeatsError> {
        let mut count = redis::cmd("ZCARD");
        count.arg(Keys::of(event).deadlines());
        if self.redis.read::<u64>(&count).await? == 0 {
            return Ok(false);
        }
        while self.sweep_some(event).await?.more {}
        Ok(true)
    }

    /// Leaves out the events that were swept by who watches them, no longer ago than this.
    #[must_use]
    pub fn unattended(&self, events: Vec<EventId>, within: Duration) -> Vec<EventId> {
        let mut attended = self.attended.lock();
        attended.retain(|_, at| at.elapsed() < within);
        events.into_iter().filter(|event| !attended.contains_key(event)).collect()
    }

    async fn sweep_some(&self, event: EventId) -> Result<Swept, SeatsError> {
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
