//! The charts that a node has read. They never change, so they are read once, however many ask at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use super::chart::Chart;
use crate::ids::EventId;

/// Charts that a node keeps; a stadium's takes some tens of megabytes.
const MOST_CHARTS: usize = 128;

/// A chart's place: empty until somebody has read it, while others wait for the same reading.
pub type Place = Arc<OnceCell<Arc<Chart>>>;

/// Clones share the charts.
#[derive(Clone, Default)]
pub struct Shelf {
    /// Locked for a look-up at a time, never across an await.
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    charts: HashMap<EventId, Place>,
    numbers: HashMap<i32, EventId>,
}

impl Shelf {
    pub fn place(&self, id: EventId) -> Place {
        let mut known = self.known();
        if known.charts.len() >= MOST_CHARTS && !known.charts.contains_key(&id) {
            // Whichever: one that is still in use is read again.
            let some = known.charts.keys().next().copied();
            some.map(|some| known.charts.remove(&some));
        }
        Arc::clone(known.charts.entry(id).or_default())
    }

    pub fn clear(&self, id: EventId) {
        self.known().charts.remove(&id);
    }

    /// Remembers which event has this number.
    pub fn number(&self, number: i32, id: EventId) {
        self.known().numbers.insert(number, id);
    }

    pub fn numbered(&self, number: i32) -> Option<EventId> {
        self.known().numbers.get(&number).copied()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
