//! What reads Redis' words, as tests reach it from outside of this crate. Nothing of the service calls this.

use redis::Value;

use super::errors::SeatsError;
use super::feed::{FeedId, entries};
use super::planes::{Planes, SeatState};
use super::reply::Reply;
use crate::ids::Ordinal;

/// One change: its id, whether a new epoch began, and what seats became.
pub type Change = (FeedId, bool, Vec<(Ordinal, SeatState)>);

/// The changes that an `XREAD` of a feed answered.
#[must_use]
pub fn changes(answer: &Value) -> Vec<Change> {
    entries(answer).into_iter().map(|entry| (entry.id, entry.epoch, entry.seats)).collect()
}

/// What a script's answer says, asked for in every way that callers ask.
pub struct Said(Reply);

impl Said {
    pub fn read(answer: Value) -> Result<Self, SeatsError> {
        Reply::read("test", answer).map(Self)
    }

    pub fn code(&self) -> &str {
        self.0.code()
    }

    pub fn feed(&self) -> Option<FeedId> {
        self.0.feed()
    }

    pub fn ordinals(&self) -> Result<Vec<Ordinal>, SeatsError> {
        self.0.ordinals()
    }

    pub fn list(&self, at: usize) -> Result<Vec<Ordinal>, SeatsError> {
        self.0.list(at)
    }

    pub fn maybe(&self, at: usize) -> Result<Option<i64>, SeatsError> {
        self.0.maybe(at)
    }

    /// Every detail in the shapes that only some scripts answer in; what does not fit is an error and nothing else.
    pub fn is_read_whole(&self, details: usize) {
        let _ = self.0.reasons();
        for at in 0..details {
            let _ = (self.0.text(at), self.0.bytes(at), self.0.parse::<uuid::Uuid>(at));
        }
        let _ = self.0.strange().to_string();
    }
}

/// The planes that a snapshot answered.
#[must_use]
pub fn planes(epoch: i32, feed: FeedId, places: u32, bits: [Vec<u8>; 3]) -> Planes {
    Planes::new(epoch, feed, places, bits)
}

pub fn put(planes: &mut Planes, ordinal: Ordinal, state: SeatState) {
    planes.put(ordinal, state);
}

#[must_use]
pub fn view(planes: &Planes) -> super::View {
    planes.view()
}
