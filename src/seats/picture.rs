//! The live picture of every event that somebody looks at, in memory: seat-map readers never reach Redis.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::task::AbortOnDropHandle;

use super::feed::Version;
use super::planes::View;
use super::watch::{Change, Found, Start, Watched};
use super::{Engine, SeatsError};
use crate::ids::EventId;

/// An event is watched this long after its last reader.
const IDLE: Duration = Duration::from_mins(1);
/// For the first snapshot: longer, and Redis is away.
const START: Duration = Duration::from_millis(1200);
/// For a change that this node has written to come back through the feed.
const CATCH_UP: Duration = Duration::from_millis(200);

/// The pictures of this node. Clones share them; the last clone to go ends the watching.
#[derive(Clone)]
pub struct Pictures {
    album: Arc<Album>,
}

struct Album {
    engine: Engine,
    idle: Duration,
    /// Where pictures are kept: not on the lane of whoever looks first, which has holds to answer.
    runtime: Handle,
    events: Mutex<HashMap<EventId, Page>>,
}

/// One event's picture and the task that keeps it.
struct Page {
    watched: Arc<Watched>,
    _keeper: AbortOnDropHandle<()>,
}

/// The changes of one event from a start on, without a gap.
pub struct Follower {
    watched: Arc<Watched>,
    told: broadcast::Receiver<Arc<Change>>,
}

impl Pictures {
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self::with_idle(engine, IDLE)
    }

    /// The same with another time after which an event that nobody looks at is dropped.
    ///
    /// # Panics
    /// Outside of a runtime, in which the pictures are to be kept.
    #[must_use]
    pub fn with_idle(engine: Engine, idle: Duration) -> Self {
        let runtime = Handle::current();
        Self { album: Arc::new(Album { engine, idle, runtime, events: Mutex::default() }) }
    }

    /// How many events this node watches.
    #[must_use]
    pub fn watched(&self) -> usize {
        self.album.events.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The picture now. It includes everything that this node's own scripts wrote before the call, unless the
    /// feed needs longer than a moment to bring it.
    ///
    /// # Errors
    /// [`SeatsError::NotReady`] without a picture in Redis, [`SeatsError::Redis`] while Redis is away: at once
    /// when that is known, within about a second otherwise.
    pub async fn view(&self, event: EventId) -> Result<Arc<View>, SeatsError> {
        let watched = self.watch(event);
        let mut moved = watched.moved.subscribe();
        let asked = Instant::now();
        let written = self.album.engine.written.last(event);
        loop {
            let patience = match watched.look() {
                Found::View(view) => match written {
                    // Late is better than never: a busy node may be behind its own feed.
                    Some(written) if view.version.feed < written && asked.elapsed() < CATCH_UP => {
                        watched.hurry.notify_one();
                        CATCH_UP
                    }
                    _ => return Ok(view),
                },
                // The event was loaded since: its watcher will see that within a moment.
                Found::Away(_) if written.is_some() && asked.elapsed() < CATCH_UP => CATCH_UP,
                Found::Away(fault) => return Err(fault.of(event)),
                Found::Starting if asked.elapsed() >= START => return Err(never_started()),
                Found::Starting => START,
            };
            let left = patience.saturating_sub(asked.elapsed());
            // Whether it moved or time is up, the next look decides.
            let _ = tokio::time::timeout(left, moved.changed()).await;
        }
    }

    /// The picture from now on, or from the version that a follower saw last.
    ///
    /// # Errors
    /// As [`Pictures::view`].
    pub async fn follow(
        &self,
        event: EventId,
        last: Option<Version>,
    ) -> Result<(Start, Follower), SeatsError> {
        loop {
            self.view(event).await?;
            let watched = self.watch(event);
            // Between the two the picture may have gone; then its fault is what `view` answers next.
            if let (Some(start), told) = watched.follow(last) {
                return Ok((start, Follower { watched, told }));
            }
        }
    }

    fn watch(&self, event: EventId) -> Arc<Watched> {
        let mut events = self.album.events.lock().unwrap_or_else(PoisonError::into_inner);
        let page = events.entry(event).or_insert_with(|| {
            let watched = Arc::new(Watched::new(event));
            let keeper = self.album.runtime.spawn(keep(Arc::downgrade(&self.album), watched.clone()));
            Page { watched, _keeper: AbortOnDropHandle::new(keeper) }
        });
        page.watched.clone()
    }
}

/// Keeps one event's picture and takes it out of the album when nobody wants it. The album is held weakly,
/// because it owns this task.
async fn keep(album: std::sync::Weak<Album>, watched: Arc<Watched>) {
    loop {
        let Some((engine, idle)) = album.upgrade().map(|album| (album.engine.clone(), album.idle)) else {
            return;
        };
        watched.keep(&engine, idle).await;
        let Some(album) = album.upgrade() else { return };
        let mut events = album.events.lock().unwrap_or_else(PoisonError::into_inner);
        // A reader may have come since; it holds the lock to find the picture, so this look is final.
        if !watched.is_wanted(idle) && Arc::strong_count(&watched) <= 2 {
            events.remove(&watched.event);
            return;
        }
    }
}

fn never_started() -> SeatsError {
    SeatsError::Redis(crate::stores::redis::late("no picture in time"))
}

impl Follower {
    /// The next change; a snapshot where changes were missed. Ends only with the service.
    pub async fn next(&mut self) -> Option<Arc<Change>> {
        loop {
            match self.told.recv().await {
                Ok(change) => return Some(change),
                Err(RecvError::Closed) => return None,
                Err(RecvError::Lagged(_)) => {
                    let (start, told) = self.watched.follow(None);
                    self.told = told;
                    if let Some(Start::Snapshot(view)) = start {
                        return Some(Arc::new(Change::Snapshot(view)));
                    }
                }
            }
        }
    }
}
