//! What this node has written, so that a reader here sees at least that.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::feed::FeedId;
use crate::ids::EventId;

/// The last change of each event that a script of this node made: one small entry an event that is on sale.
#[derive(Default)]
pub(super) struct Written {
    last: Mutex<HashMap<EventId, FeedId>>,
}

impl Written {
    pub fn note(&self, event: EventId, id: FeedId) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let known = last.entry(event).or_insert(id);
        *known = id.max(*known);
    }

    pub fn last(&self, event: EventId) -> Option<FeedId> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).get(&event).copied()
    }

    /// Nobody waits for a change that the feed no longer has: it was lost, or its epoch is over.
    pub fn forget(&self, event: EventId, up_to: FeedId) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.get(&event).is_some_and(|id| *id <= up_to) {
            last.remove(&event);
        }
    }
}
