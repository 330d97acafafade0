//! One crier for each event that is followed, on each lane where somebody listens: gathers its changes, puts them into words
//! once, and whoever listens there gets the same bytes.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use serde::Serialize;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout_at};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::availability;
use super::pieces::in_a_piece;
use crate::catalog::Chart;
use crate::ids::{EventId, Ordinal};
use crate::lanes;
use crate::packing::Coding;
use crate::seats::{Change, Follower, Pictures, Print, SeatState, SeatsError, Start, Version, View};

/// Changes within this time travel together: in a rush a reader gets twenty messages a second, not thousands.
const GATHER: Duration = Duration::from_millis(50);
/// And each who listens adds this much, half of what it costs to tell them: with the time that telling takes, ten thousand are
/// told seven times a second, and a node has time left to sell.
const GATHER_EACH: Duration = Duration::from_micros(5);
const GATHER_MOST: Duration = Duration::from_millis(90);
/// So many are told at a stretch, which takes some milliseconds. Then it is the turn of whoever else is on the lane: a hold
/// does not wait until ten thousand screens have been written to.
const GROUP: usize = 500;
/// Proxies close connections on which nothing moves; most after half a minute or more.
const STILL_HERE: Duration = Duration::from_secs(15);
const HERE: &str = "event: here\ndata: {}\n\n";
/// Messages that a slow listener may fall behind before it is told everything anew.
const BEHIND: usize = 64;

/// What has changed up to a version; of a seat that is there twice, the later state holds.
#[derive(Debug, Serialize, ToSchema)]
pub struct Changes {
    version: String,
    changes: Vec<SeatChange>,
}

#[derive(Debug, Serialize, ToSchema)]
struct SeatChange {
    #[schema(example = "stalls-A-12")]
    id: String,
    state: SeatState,
}

/// Where a crier stands: the number of its lane, so that telling somebody wakes no other thread, and its event.
type Place = (usize, EventId);
/// Those who listen to one crier.
type Groups = Vec<broadcast::Sender<Message>>;

/// The criers of a node. Clones share them.
#[derive(Clone)]
pub struct Criers {
    pictures: Pictures,
    places: Arc<Mutex<HashMap<Place, Groups>>>,
    closing: CancellationToken,
}

/// What all who listen are told.
#[derive(Debug, Clone)]
struct Message {
    /// Up to where it tells; nothing of a message that only says that we are here.
    version: Option<Version>,
    /// A piece of a body: see [`super::pieces`].
    bytes: Bytes,
}

/// Somebody who hears an event's changes from a start on, without a gap.
pub struct Listener {
    chart: Arc<Chart>,
    event: EventId,
    pictures: Pictures,
    /// Still to be told before what the crier says, last first.
    opening: Vec<Bytes>,
    /// Who listens knows everything up to this.
    knows: Version,
    told: broadcast::Receiver<Message>,
}

impl Criers {
    #[must_use]
    pub fn new(pictures: Pictures, closing: CancellationToken) -> Self {
        Self { pictures, places: Arc::default(), closing }
    }

    /// Everything from now on, or from the version that was heard last.
    ///
    /// # Errors
    /// As [`Pictures::view`].
    pub async fn listen(
        &self,
        event: EventId,
        chart: &Arc<Chart>,
        last: Option<Version>,
    ) -> Result<Listener, SeatsError> {
        // Before the start is looked up: what changes in between is heard twice, and nothing is missed.
        let told = self.hear(event, chart).await?;
        let (start, _) = self.pictures.follow(event, last).await?;
        let mut opening = Vec::new();
        let knows = match start {
            Start::Snapshot(view) => {
                opening.push(snapshot(chart, &view).await);
                view.version
            }
            Start::Resume(missed) => {
                let told = missed.iter().fold(Vec::new(), |told, change| add(told, change));
                for told in told.iter().rev() {
                    opening.push(told.words(chart).await);
                }
                told.last().map(Told::version).or(last).expect("who resumes has a version")
            }
        };
        let (chart, pictures) = (Arc::clone(chart), self.pictures.clone());
        Ok(Listener { chart, event, pictures, opening, knows, told })
    }

    /// What the event's crier says from now on; there is one from now on.
    async fn hear(
        &self,
        event: EventId,
        chart: &Arc<Chart>,
    ) -> Result<broadcast::Receiver<Message>, SeatsError> {
        let place = (lanes::here(), event);
        if let Some(groups) = self.places().get_mut(&place) {
            return Ok(join(groups));
        }
        let (_, follower) = self.pictures.follow(event, None).await?;
        let mut places = self.places();
        // Somebody else may have sent one meanwhile.
        let groups = places.entry(place).or_insert_with(|| {
            tokio::spawn(cry(self.clone(), place, Arc::clone(chart), follower));
            Groups::new()
        });
        Ok(join(groups))
    }

    fn places(&self) -> MutexGuard<'_, HashMap<Place, Groups>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells all who listen now. Who comes in between finds what is told in the start that it is given.
    async fn tell(&self, place: Place, message: Message) {
        let groups = self.places().get(&place).cloned().unwrap_or_default();
        for group in groups {
            // Nobody listening is no fault.
            let _ = group.send(message.clone());
            tokio::task::yield_now().await;
        }
    }

    /// How many listen to an event on all lanes.
    fn listeners(&self, event: EventId) -> usize {
        let places = self.places();
        let groups = (0..=lanes::most()).filter_map(|lane| places.get(&(lane, event)));
        groups.flatten().map(broadcast::Sender::receiver_count).sum()
    }

    /// Takes a crier away to whom nobody listens. Whoever comes takes the lock to listen, so this look is final.
    fn is_needless(&self, place: Place) -> bool {
        let mut places = self.places();
        let Some(groups) = places.get(&place) else { return true };
        let is_needless = groups.iter().all(|group| group.receiver_count() == 0);
        if is_needless {
            places.remove(&place);
        }
        is_needless
    }
}

/// A place in a group that has one.
fn join(groups: &mut Groups) -> broadcast::Receiver<Message> {
    if let Some(group) = groups.iter().find(|group| group.receiver_count() < GROUP) {
        return group.subscribe();
    }
    let (group, told) = broadcast::channel(BEHIND);
    groups.push(group);
    told
}

/// Cries until nobody listens any more, or the node goes down, which ends all streams.
async fn cry(criers: Criers, place: Place, chart: Arc<Chart>, mut follower: Follower) {
    let mut here = interval_at(Instant::now() + STILL_HERE, STILL_HERE);
    here.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let first = tokio::select! {
            () = criers.closing.cancelled() => break,
            first = follower.next() => first,
            _ = here.tick() => {
                let here = in_a_piece(&[HERE.as_bytes()]).into();
                criers.tell(place, Message { version: None, bytes: here }).await;
                if criers.is_needless(place) {
                    return;
                }
                continue;
            }
        };
        let Some(first) = first else { break };
        let (_, event) = place;
        for told in burst(&mut follower, &first, gather(criers.listeners(event))).await {
            let message = Message { version: Some(told.version()), bytes: told.words(&chart).await };
            criers.tell(place, message).await;
        }
    }
    criers.places().remove(&place);
}

/// How long changes are gathered for so many who listen.
fn gather(listeners: usize) -> Duration {
    let more = GATHER_EACH.saturating_mul(u32::try_from(listeners).unwrap_or(u32::MAX));
    (GATHER + more).min(GATHER_MOST)
}

/// A change and those that come within a moment after it.
async fn burst(follower: &mut Follower, first: &Change, gather: Duration) -> Vec<Told> {
    let mut told = add(Vec::new(), first);
    let until = Instant::now() + gather;
    while let Ok(Some(change)) = timeout_at(until, follower.next()).await {
        told = add(told, &change);
    }
    told
}

impl Listener {
    /// What to tell next, as a piece of a body. Ends with the node.
    pub async fn next(&mut self) -> Option<Bytes> {
        if let Some(bytes) = self.opening.pop() {
            return Some(bytes);
        }
        loop {
            match self.told.recv().await {
                Ok(Message { version: Some(version), .. }) if is_known(version, self.knows) => {}
                Ok(message) => return Some(message.bytes),
                Err(RecvError::Closed) => return None,
                Err(RecvError::Lagged(_)) => {
                    // In a box: ten thousand who are told in time have no room for what one needs who is not.
                    if let Some(everything) = Box::pin(self.everything()).await {
                        return Some(everything);
                    }
                }
            }
        }
    }

    /// What is, for whoever has missed how it came about. Without a picture there is nothing to tell; its return is a
    /// snapshot for everybody.
    async fn everything(&mut self) -> Option<Bytes> {
        let view = self.pictures.view(self.event).await.ok()?;
        self.knows = view.version;
        Some(snapshot(&self.chart, &view).await)
    }
}

/// Epochs only grow, and what is of an earlier one is void.
fn is_known(version: Version, knows: Version) -> bool {
    (version.epoch, version.feed) <= (knows.epoch, knows.feed)
}

/// What one message tells.
pub(super) enum Told {
    Everything(Arc<View>),
    Seats(Version, Vec<(Ordinal, SeatState)>),
}

fn add(mut told: Vec<Told>, change: &Change) -> Vec<Told> {
    match (change, told.last_mut()) {
        // What stands before a snapshot is void.
        (Change::Snapshot(view), _) => vec![Told::Everything(view.clone())],
        (Change::Seats { version, seats }, Some(Told::Seats(last, gathered))) => {
            *last = *version;
            gathered.extend_from_slice(seats);
            told
        }
        (Change::Seats { version, seats }, _) => {
            told.push(Told::Seats(*version, seats.clone()));
            told
        }
    }
}

impl Told {
    fn version(&self) -> Version {
        match self {
            Self::Everything(view) => view.version,
            Self::Seats(version, _) => *version,
        }
    }

    pub(super) async fn words(&self, chart: &Arc<Chart>) -> Bytes {
        match self {
            Self::Everything(view) => snapshot(chart, view).await,
            Self::Seats(version, seats) => {
                let named = |&(ordinal, state): &(Ordinal, SeatState)| {
                    Some(SeatChange { id: chart.seat(ordinal)?.id.to_string(), state })
                };
                let changes = seats.iter().filter_map(named).collect();
                let changes = Changes { version: version.to_string(), changes };
                let data = serde_json::to_vec(&changes).expect("seats and their states are always JSON");
                message("change", *version, &data).into()
            }
        }
    }
}

/// Everything, as a message: made once for all who begin with this version.
async fn snapshot(chart: &Arc<Chart>, view: &Arc<View>) -> Bytes {
    let chart = Arc::clone(chart);
    let draw = move |view: &View| message("snapshot", view.version, &availability::json(&chart, view));
    view.print(Print::Message, Coding::Plain, draw).await
}

/// One message as the HTML standard has it, in a piece of its own. `data` is JSON, which we write without line breaks.
fn message(kind: &str, version: Version, data: &[u8]) -> Vec<u8> {
    let mut head = String::new();
    write!(head, "event: {kind}\nid: {version}\ndata: ").expect("writing to a String cannot fail");
    in_a_piece(&[head.as_bytes(), data, b"\n\n"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seats::FeedId;

    fn version(epoch: i32, number: u64) -> Version {
        Version { epoch, feed: FeedId { ms: 1, number } }
    }

    fn seats(number: u64, ordinal: Ordinal, state: SeatState) -> Change {
        Change::Seats { version: version(1, number), seats: vec![(ordinal, state)] }
    }

    #[test]
    fn changes_that_travel_together_keep_their_order_and_the_last_version() {
        let missed = [seats(1, 7, SeatState::Held), seats(2, 7, SeatState::Free)];
        let told = missed.iter().fold(Vec::new(), add);
        let [Told::Seats(version, changes)] = told.as_slice() else { panic!("one message") };
        assert_eq!(version.to_string(), "1-1-2");
        assert_eq!(changes, &[(7, SeatState::Held), (7, SeatState::Free)]);
    }

    #[test]
    fn what_came_before_the_start_is_not_told_again() {
        let knows = version(2, 5);
        for before in [version(2, 5), version(2, 4), version(1, 9)] {
            assert!(is_known(before, knows), "{before}");
        }
        for after in [version(2, 6), version(3, 1)] {
            assert!(!is_known(after, knows), "{after}");
        }
    }

    #[test]
    fn the_more_listen_the_longer_changes_are_gathered() {
        assert_eq!(gather(0), GATHER);
        assert_eq!(gather(2000), Duration::from_millis(60));
        assert_eq!(gather(10_000_000), GATHER_MOST);
    }

    #[test]
    fn a_message_is_one_block_of_lines() {
        let words = message("change", version(1, 2), b"{}");
        assert_eq!(String::from_utf8(words).unwrap(), "22\r\nevent: change\nid: 1-1-2\ndata: {}\n\n\r\n");
    }
}
