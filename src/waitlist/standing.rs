//! How an event's list stands, for whoever only wants to know: remembered for a moment, so that a crowd that asks
//! does not reach Postgres.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::{Waitlist, WaitlistError};
use crate::ids::EventId;
use crate::stores::postgres::within;

/// How old what is remembered may be before somebody looks anew; all who ask meanwhile are told what was, so that a crowd looks once.
const FRESH: Duration = Duration::from_millis(500);
/// Events that are remembered; beyond it the memory starts anew.
const MOST: usize = 10_000;

/// How a list stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether one can join.
    pub open: bool,
    /// Parties that wait.
    pub waiting: u32,
}

/// Standings of a moment ago. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Standings {
    known: Arc<Mutex<HashMap<EventId, (Instant, Standing)>>>,
}

impl Standings {
    fn known(&self) -> MutexGuard<'_, HashMap<EventId, (Instant, Standing)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing for whoever is to look.
    fn get(&self, event: EventId) -> Option<Standing> {
        let mut known = self.known();
        let (at, standing) = known.get_mut(&event)?;
        if at.elapsed() < FRESH {
            return Some(*standing);
        }
        // If that comes to nothing, the next one looks who comes this much later.
        *at = Instant::now();
        None
    }

    fn put(&self, event: EventId, standing: Standing) {
        let mut known = self.known();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(event, (Instant::now(), standing));
    }

    pub fn forget(&self, event: EventId) {
        self.known().remove(&event);
    }
}

impl Waitlist {
    /// How an event's list stands; what this node did is in it at once, what others did within a second.
    ///
    /// # Errors
    /// When Postgres cannot answer and nothing is remembered.
    pub async fn standing(&self, event: EventId) -> Result<Standing, WaitlistError> {
        if let Some(standing) = self.standings.get(event) {
            return Ok(standing);
        }
        let waiting: i64 = within(async {
            let (waiting,): (i64,) =
                sqlx::query_as("select count(*) from waitlist where event_id = $1 and state = 'waiting'")
                    .bind(event)
                    .fetch_one(&self.pg)
                    .await?;
            Ok::<_, WaitlistError>(waiting)
        })
        .await?;
        let open = self.catalog.event(event).await?.waitlist_is_open(OffsetDateTime::now_utc());
        let standing = Standing { open, waiting: u32::try_from(waiting).unwrap_or(u32::MAX) };
        self.standings.put(event, standing);
        Ok(standing)
    }
}
