//! One watched event: its planes in memory, kept by a task that reads the feed and sweeps what is due.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::{RedisError, Value};
use tokio::sync::{Notify, broadcast, watch};

use super::feed::{Entry, FeedId, Version, entries};
use super::keys::Keys;
use super::planes::{Planes, SeatState, View};
use super::{Engine, SeatsError};
use crate::ids::{EventId, Ordinal};
use crate::stores::redis::{Blocking, LONGEST_BLOCK};

/// After the first failure; doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Between two looks at the whole picture. Twice as long, and an answer, is less than the five seconds that a map may be old.
const COMPARE_EVERY: Duration = Duration::from_secs(2);
/// Entries of one read.
const READ: usize = 1000;
/// Between two reads while much changes, unless somebody waits for what they did themselves. A read costs the node, and Redis, more
/// than what it brings does: in a rush each of many nodes would otherwise do that work for every hold of all others.
const GATHER: Duration = Duration::from_millis(5);
/// Changes that a reconnecting follower can be told without a snapshot, and that a slow one may fall behind.
const RECENT: usize = 2048;

/// What followers are told.
#[derive(Debug, Clone)]
pub enum Change {
    /// Everything anew: what was told before is void.
    Snapshot(Arc<View>),
    Seats {
        version: Version,
        seats: Vec<(Ordinal, SeatState)>,
    },
}

impl Change {
    #[must_use]
    pub fn version(&self) -> Version {
        match self {
            Self::Snapshot(view) => view.version,
            Self::Seats { version, .. } => *version,
        }
    }
}

/// What a follower begins with.
#[derive(Debug, Clone)]
pub enum Start {
    /// Everything, because the last version is unknown, of another epoch, or too old.
    Snapshot(Arc<View>),
    /// What was missed since the last version.
    Resume(Vec<Arc<Change>>),
}

/// Why an event cannot be watched right now.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    NotReady,
    Redis(RedisError),
}

impl Fault {
    pub fn of(self, event: EventId) -> SeatsError {
        match self {
            Self::NotReady => SeatsError::NotReady(event),
            Self::Redis(error) => SeatsError::Redis(error),
        }
    }
}

impl From<SeatsError> for Fault {
    fn from(error: SeatsError) -> Self {
        match error {
            SeatsError::NotReady(_) => Self::NotReady,
            SeatsError::Redis(error) => Self::Redis(error),
            // A snapshot or a sweep has no other answers but junk, and junk is an outage to readers.
            other => Self::Redis(RedisError::from(std::io::Error::other(other.to_string()))),
        }
    }
}

/// Why the task stopped following.
enum Stop {
    /// A new epoch, or a feed that was trimmed past us: a new snapshot is due at once.
    Restart,
    /// Nobody has looked for a while.
    Idle,
    Fault(Fault),
}

/// What a reader finds.
pub(super) enum Found {
    Starting,
    Away(Fault),
    View(Arc<View>),
}

/// An event's picture. Readers come through the lock, which is never held while anybody waits.
pub(super) struct Watched {
    pub event: EventId,
    picture: Mutex<Picture>,
    /// Moves with every change, for readers who wait for one.
    pub moved: watch::Sender<()>,
    /// Somebody waits for the next change.
    pub hurry: Notify,
    told: broadcast::Sender<Arc<Change>>,
}

struct Picture {
    shown: Shown,
    last_read: Instant,
}

enum Shown {
    Starting,
    Away(Fault),
    Live(Live),
}

struct Live {
    planes: Planes,
    /// Made when somebody asks, so that a burst of changes does not copy the planes each time.
    view: Option<Arc<View>>,
    recent: VecDeque<Arc<Change>>,
    /// The version before the oldest of the recent changes.
    base: FeedId,
}

impl Live {
    fn view(&mut self) -> Arc<View> {
        self.view.get_or_insert_with(|| Arc::new(self.planes.view())).clone()
    }

    fn apply(&mut self, entry: Entry) -> Arc<Change> {
        for &(ordinal, state) in &entry.seats {
            self.planes.put(ordinal, state);
        }
        self.planes.feed_id = entry.id;
        self.view = None;
        let change = Arc::new(Change::Seats { version: self.planes.version(), seats: entry.seats });
        if self.recent.len() == RECENT
            && let Some(oldest) = self.recent.pop_front()
        {
            self.base = oldest.version().feed;
        }
        self.recent.push_back(change.clone());
        change
    }

    /// The changes after a version, or nothing when they are not all known.
    fn since(&self, last: Version) -> Option<Vec<Arc<Change>>> {
        let known = last.epoch == self.planes.epoch && (self.base..=self.planes.feed_id).contains(&last.feed);
        known
            .then(|| self.recent.iter().filter(|change| change.version().feed > last.feed).cloned().collect())
    }
}

impl Watched {
    pub fn new(event: EventId) -> Self {
        Self {
            event,
            picture: Mutex::new(Picture { shown: Shown::Starting, last_read: Instant::now() }),
            moved: watch::Sender::new(()),
            hurry: Notify::new(),
            told: broadcast::Sender::new(RECENT),
        }
    }

    /// What there is to see. A reader keeps the event watched.
    pub fn look(&self) -> Found {
        let mut picture = self.picture();
        picture.last_read = Instant::now();
        match &mut picture.shown {
            Shown::Starting => Found::Starting,
            Shown::Away(fault) => Found::Away(fault.clone()),
            Shown::Live(live) => Found::View(live.view()),
        }
    }

    /// Where to begin, and every change after it; nothing to begin with while there is no picture, whose
    /// return is then told as a snapshot.
    pub fn follow(&self, last: Option<Version>) -> (Option<Start>, broadcast::Receiver<Arc<Change>>) {
        let mut picture = self.picture();
        // Subscribing under the lock leaves no moment between the start and the first change after it.
        let told = self.told.subscribe();
        let Shown::Live(live) = &mut picture.shown else { return (None, told) };
        let missed = last.and_then(|last| live.since(last));
        (Some(missed.map_or_else(|| Start::Snapshot(live.view()), Start::Resume)), told)
    }

    pub fn is_wanted(&self, idle: Duration) -> bool {
        self.told.receiver_count() > 0 || self.picture().last_read.elapsed() < idle
    }

    fn picture(&self) -> MutexGuard<'_, Picture> {
        self.picture.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, planes: Planes) {
        let base = planes.feed_id;
        let mut live = Live { planes, view: None, recent: VecDeque::new(), base };
        let change = Arc::new(Change::Snapshot(live.view()));
        let mut picture = self.picture();
        picture.shown = Shown::Live(live);
        // Nobody listening is no fault.
        let _ = self.told.send(change);
        drop(picture);
        self.moved.send_replace(());
    }

    fn hide(&self, fault: Fault) {
        self.picture().shown = Shown::Away(fault);
        self.moved.send_replace(());
    }

    /// Applies what was read; says whether an epoch ended.
    fn apply(&self, read: Vec<Entry>) -> bool {
        let mut picture = self.picture();
        let Shown::Live(live) = &mut picture.shown else { return true };
        for entry in read {
            if entry.epoch {
                return true;
            }
            let _ = self.told.send(live.apply(entry));
        }
        drop(picture);
        self.moved.send_replace(());
        false
    }

    fn last(&self) -> Option<FeedId> {
        match &self.picture().shown {
            Shown::Live(live) => Some(live.planes.feed_id),
            Shown::Starting | Shown::Away(_) => None,
        }
    }

    /// Keeps the picture until nobody has looked for `idle`.
    pub async fn keep(&self, engine: &Engine, idle: Duration) {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.attend(engine, idle, &mut pause).await {
                Stop::Idle => return,
                Stop::Restart => {}
                Stop::Fault(fault) => {
                    tracing::debug!(event.id = %self.event, ?fault, "the picture cannot be followed");
                    // What this node wrote before may be lost; nobody should wait for it.
                    engine.written.forget(self.event, FeedId { ms: u64::MAX, number: u64::MAX });
                    self.hide(fault);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    if !self.is_wanted(idle) {
                        return;
                    }
                }
            }
        }
    }

    /// One connection's life: a snapshot, then the feed behind it, with sweeps and comparisons beside.
    async fn attend(&self, engine: &Engine, idle: Duration, pause: &mut Duration) -> Stop {
        let mut wire = match engine.redis.dedicated().await {
            Ok(wire) => wire,
            Err(error) => return Stop::Fault(Fault::Redis(error)),
        };
        let written = engine.written.last(self.event);
        match engine.snapshot(self.event).await {
            Ok(planes) => {
                // What was written before and is not in the snapshot was lost, with its stream or its node.
                if let Some(lost) = written.filter(|id| *id > planes.feed_id) {
                    engine.written.forget(self.event, lost);
                }
                self.show(planes);
            }
            Err(error) => return Stop::Fault(error.into()),
        }
        *pause = FIRST_PAUSE;
        tokio::select! {
            stop = self.read(&mut wire) => stop,
            stop = self.sweep(engine, idle) => stop,
            stop = self.compare(engine) => stop,
        }
    }

    async fn read(&self, wire: &mut Blocking) -> Stop {
        let feed = Keys::of(self.event).feed();
        while let Some(last) = self.last() {
            let mut read = redis::cmd("XREAD");
            read.arg("COUNT").arg(READ).arg("BLOCK").arg(super::millis(LONGEST_BLOCK));
            read.arg("STREAMS").arg(&feed).arg(last.to_string());
            let answer: Value = match read.query_async(wire).await {
                Ok(answer) => answer,
                Err(error) => return Stop::Fault(Fault::Redis(error)),
            };
            let batch = entries(&answer);
            // Only who is far behind can have been overtaken by the cap.
            if batch.len() >= READ {
                match is_trimmed_past(wire, &feed, last).await {
                    Ok(false) => {}
                    Ok(true) => return Stop::Restart,
                    Err(error) => return Stop::Fault(Fault::Redis(error)),
                }
            }
            if batch.is_empty() {
                continue;
            }
            if self.apply(batch) {
                return Stop::Restart;
            }
            // Whether it was quiet or somebody is in a hurry, the next read brings all there is by then.
            let _ = tokio::time::timeout(GATHER, self.hurry.notified()).await;
        }
        Stop::Restart
    }

    /// Frees what is due when it is due.
    async fn sweep(&self, engine: &Engine, idle: Duration) -> Stop {
        while self.is_wanted(idle) {
            match engine.attend(self.event).await {
                Ok(rest) => tokio::time::sleep(rest).await,
                Err(error) => return Stop::Fault(error.into()),
            }
        }
        Stop::Idle
    }

    /// Sees to it that what is shown is what there is. After a failover a connection can be to who was the master, or have brought
    /// what the new one never had; then changes go past us, and no error ever says so.
    async fn compare(&self, engine: &Engine) -> Stop {
        let mut behind = None;
        // Each event in a moment of its own: hundreds of maps that are opened together would always be compared together.
        let mut rest = self.event.part_of(COMPARE_EVERY);
        loop {
            tokio::time::sleep(rest).await;
            rest = COMPARE_EVERY;
            let Some(had) = self.last() else { return Stop::Restart };
            let there = match engine.snapshot(self.event).await {
                Ok(there) => there,
                Err(error) => return Stop::Fault(error.into()),
            };
            // Whoever is behind has a whole period to read on.
            if behind == Some(had) || had > there.feed_id || self.differs_from(&there) {
                tracing::warn!(event.id = %self.event, %had, there = %there.feed_id, "what is shown is not what there is");
                return Stop::Restart;
            }
            behind = (had < there.feed_id).then_some(had);
        }
    }

    /// Whether the same version is another picture.
    fn differs_from(&self, there: &Planes) -> bool {
        match &self.picture().shown {
            Shown::Live(live) => live.planes.version() == there.version() && live.planes != *there,
            Shown::Starting | Shown::Away(_) => false,
        }
    }
}

/// Whether the feed no longer reaches back to what was read last.
async fn is_trimmed_past(wire: &mut Blocking, feed: &str, last: FeedId) -> Result<bool, RedisError> {
    let mut first = redis::cmd("XRANGE");
    first.arg(feed).arg("-").arg("+").arg("COUNT").arg(1);
    let answer: Value = first.query_async(wire).await?;
    let wrapped = Value::Array(vec![Value::Array(vec![Value::Nil, answer])]);
    Ok(entries(&wrapped).first().is_none_or(|entry| entry.id > last))
}
