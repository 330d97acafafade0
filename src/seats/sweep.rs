//! Freeing what has expired.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::keys::Keys;
use super::{Engine, SeatsError};
use crate::ids::{EventId, HoldId, Ordinal};

/// Holds of one call.
const CAP: u32 = 256;
/// An event is looked at this often whatever is due: what is held after a look and over before the next is late by less, and a
/// picture that was lost is seen to be.
const LONGEST_REST: Duration = Duration::from_secs(1);
/// A flag can outlast its deadline by a moment, and a crowd's holds are over one after another.
const SHORTEST_REST: Duration = Duration::from_millis(50);
/// A watcher that is later than this may have gone.
const LATE: Duration = Duration::from_millis(250);

/// What a sweep did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Seats that are nobody's now: free, or kept for the waiting list.
    pub freed: Vec<Ordinal>,
    /// Holds that are over.
    pub holds: Vec<HoldId>,
    /// Others are due: sweep again.
    pub more: bool,
    /// Until one is due, where anybody holds anything.
    pub next: Option<Duration>,
}

/// Until when each event has nothing due, or somebody who watches it. Locked for a look at a time, never across an await.
#[derive(Default)]
pub(super) struct Rests(Mutex<HashMap<EventId, Instant>>);

impl Rests {
    fn lock(&self) -> MutexGuard<'_, HashMap<EventId, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Frees the seats of holds that have expired, a bounded number of them.
    ///
    /// # Errors
    /// When Redis cannot answer or the event has no picture.
    pub async fn sweep(&self, event: EventId) -> Result<Swept, SeatsError> {
        let mut call = self.scripts.sweep.on(event);
        call.arg(CAP);
        let reply = self.run(call).await?;
        let swept = match reply.code() {
            "swept" => Swept {
                more: reply.parse::<u8>(0)? == 1,
                holds: reply.list(1)?,
                freed: reply.list(2)?,
                next: reply.maybe(3)?.map(Duration::from_millis),
            },
            _ => return Err(reply.strange()),
        };
        self.metrics.swept_seats.inc_by(swept.freed.len() as u64);
        Ok(swept)
    }

    /// Frees all that is due of an event, for who watches it and does so again after the rest that is said; until a little later
    /// nobody else on this node needs to.
    ///
    /// # Errors
    /// When Redis cannot answer or the event has no picture.
    pub async fn attend(&self, event: EventId) -> Result<Duration, SeatsError> {
        let begun = Instant::now();
        let rest = self.sweep_dry(event).await?;
        self.rests.lock().insert(event, begun + rest + LATE);
        Ok(rest)
    }

    /// The same for an event that nobody watches.
    ///
    /// # Errors
    /// When Redis cannot answer or the event has no picture.
    pub async fn sweep_unattended(&self, event: EventId) -> Result<(), SeatsError> {
        let begun = Instant::now();
        let mut count = redis::cmd("ZCARD");
        count.arg(Keys::of(event).deadlines());
        let held = self.redis.read::<u64>(&count).await? > 0;
        let rest = if held { self.sweep_dry(event).await? } else { longest_rest(event) };
        self.rests.lock().insert(event, begun + rest);
        Ok(())
    }

    /// Leaves out the events that rest.
    #[must_use]
    pub fn unattended(&self, events: Vec<EventId>) -> Vec<EventId> {
        let now = Instant::now();
        let mut rests = self.rests.lock();
        rests.retain(|_, until| *until > now);
        events.into_iter().filter(|event| !rests.contains_key(event)).collect()
    }

    async fn sweep_dry(&self, event: EventId) -> Result<Duration, SeatsError> {
        loop {
            let swept = self.sweep(event).await?;
            if !swept.more {
                let longest = longest_rest(event);
                return Ok(swept.next.map_or(longest, |next| next.clamp(SHORTEST_REST, longest)));
            }
        }
    }
}

/// Not the same for all.
fn longest_rest(event: EventId) -> Duration {
    LONGEST_REST.saturating_sub(event.part_of(LONGEST_REST / 4))
}
