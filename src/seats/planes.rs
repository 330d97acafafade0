//! The picture of an event as bits: which seats are not free, and why.

use serde::Serialize;

use super::feed::{FeedId, Version};
use super::prints::Prints;
use crate::ids::Ordinal;

/// What a seat is to everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SeatState {
    Free,
    Held,
    Sold,
    Blocked,
}

impl SeatState {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Held => "held",
            Self::Sold => "sold",
            Self::Blocked => "blocked",
        }
    }

    /// Its bits in the planes taken, sold and blocked.
    fn bits(self) -> [bool; 3] {
        match self {
            Self::Free => [false, false, false],
            Self::Held => [true, false, false],
            Self::Sold => [true, true, false],
            Self::Blocked => [true, true, true],
        }
    }
}

/// The three planes at one version. Ordinal 0 is the highest bit of the first byte, as Redis counts.
///
/// Aisles and the padding of the last byte are set in `taken` and `sold`, so that they are never free and
/// never held; `places` says how many ordinals are seats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planes {
    pub epoch: i32,
    pub feed_id: FeedId,
    pub places: u32,
    pub taken: Vec<u8>,
    pub sold: Vec<u8>,
    pub blocked: Vec<u8>,
}

/// What readers are served: the planes and their counts, which never change any more.
#[derive(Debug, Clone)]
pub struct View {
    pub version: Version,
    pub taken: Vec<u8>,
    pub sold: Vec<u8>,
    pub blocked: Vec<u8>,
    pub counts: Counts,
    /// What this version looks like to readers, once somebody has asked.
    pub prints: Prints,
}

/// How many seats are what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub free: u32,
    pub held: u32,
    pub sold: u32,
    pub blocked: u32,
}

impl Counts {
    #[must_use]
    pub fn total(self) -> u32 {
        self.free + self.held + self.sold + self.blocked
    }
}

impl Planes {
    /// Planes of different lengths are made as long as the longest: what is missing is free.
    pub(super) fn new(epoch: i32, feed_id: FeedId, places: u32, bits: [Vec<u8>; 3]) -> Self {
        let length = bits.iter().map(Vec::len).max().unwrap_or(0);
        let [taken, sold, blocked] = bits.map(|mut plane| {
            plane.resize(length, 0);
            plane
        });
        Self { epoch, feed_id, places, taken, sold, blocked }
    }

    #[must_use]
    pub fn version(&self) -> Version {
        Version { epoch: self.epoch, feed: self.feed_id }
    }

    /// What a seat is. An ordinal that is no seat says `Sold`, like an aisle.
    #[must_use]
    pub fn state(&self, ordinal: Ordinal) -> SeatState {
        state_in([&self.taken, &self.sold, &self.blocked], ordinal)
    }

    /// Makes one seat what a change says. A seat outside the planes is nobody's and left out.
    pub(super) fn put(&mut self, ordinal: Ordinal, state: SeatState) {
        for (plane, on) in [&mut self.taken, &mut self.sold, &mut self.blocked].into_iter().zip(state.bits())
        {
            if let Some(byte) = plane.get_mut(ordinal as usize / 8) {
                let mask = 0x80 >> (ordinal % 8);
                *byte = if on { *byte | mask } else { *byte & !mask };
            }
        }
    }

    pub(super) fn view(&self) -> View {
        let (taken, sold) = (ones(&self.taken), ones(&self.sold));
        let total = u32::try_from(self.taken.len() * 8).unwrap_or(u32::MAX);
        let blocked = ones(&self.blocked);
        let (free, held) = (total.saturating_sub(taken), taken.saturating_sub(sold));
        View {
            version: self.version(),
            taken: self.taken.clone(),
            sold: self.sold.clone(),
            blocked: self.blocked.clone(),
            counts: Counts { free, held, sold: self.places.saturating_sub(free + held + blocked), blocked },
            prints: Prints::default(),
        }
    }
}

impl View {
    /// What a seat is. An ordinal that is no seat says `Sold`, like an aisle.
    #[must_use]
    pub fn state(&self, ordinal: Ordinal) -> SeatState {
        state_in([&self.taken, &self.sold, &self.blocked], ordinal)
    }
}

fn state_in([taken, sold, blocked]: [&[u8]; 3], ordinal: Ordinal) -> SeatState {
    let bit =
        |plane: &[u8]| plane.get(ordinal as usize / 8).is_none_or(|byte| byte & (0x80 >> (ordinal % 8)) != 0);
    match (bit(taken), bit(sold), bit(blocked)) {
        (false, ..) => SeatState::Free,
        (true, false, _) => SeatState::Held,
        (true, true, true) if (ordinal as usize) < blocked.len() * 8 => SeatState::Blocked,
        (true, true, _) => SeatState::Sold,
    }
}

fn ones(plane: &[u8]) -> u32 {
    plane.iter().map(|byte| byte.count_ones()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten ordinals: nine seats and, closing their row, an aisle; six bits of padding.
    fn row_of_nine() -> Planes {
        let aisles = vec![0b0000_0000, 0b0111_1111];
        Planes::new(1, FeedId::default(), 9, [aisles.clone(), aisles, Vec::new()])
    }

    #[test]
    fn counts_follow_every_change() {
        let mut planes = row_of_nine();
        assert_eq!(planes.view().counts.free, 9);
        planes.put(0, SeatState::Held);
        planes.put(1, SeatState::Sold);
        planes.put(8, SeatState::Blocked);
        let counts = planes.view().counts;
        assert_eq!(counts, Counts { free: 6, held: 1, sold: 1, blocked: 1 });
        assert_eq!(counts.total(), 9);
        planes.put(8, SeatState::Free);
        planes.put(1, SeatState::Held);
        assert_eq!(planes.view().counts, Counts { free: 7, held: 2, sold: 0, blocked: 0 });
    }

    #[test]
    fn a_seat_says_what_it_is() {
        let mut planes = row_of_nine();
        for (ordinal, state) in [(0, SeatState::Held), (1, SeatState::Sold), (2, SeatState::Blocked)] {
            planes.put(ordinal, state);
            assert_eq!(planes.view().state(ordinal), state);
        }
        assert_eq!(planes.view().state(3), SeatState::Free);
        assert_eq!(planes.view().state(9), SeatState::Sold, "the aisle");
        assert_eq!(planes.view().state(4711), SeatState::Sold, "outside");
    }

    #[test]
    fn a_change_outside_the_planes_is_left_out() {
        let mut planes = row_of_nine();
        let before = planes.clone();
        planes.put(16, SeatState::Held);
        planes.put(u32::MAX, SeatState::Blocked);
        assert_eq!(planes, before);
    }
}
