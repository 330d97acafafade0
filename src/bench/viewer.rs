//! What somebody who follows an event knows of its seats, held against what had really been taken.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::house::Sale;
use super::load::Tally;
use super::stream::Message;

/// What was asked for, and what of it was granted, by the seat's number.
#[derive(Debug)]
pub struct Asked {
    begun: Instant,
    /// In microseconds since the beginning; nothing for a seat that nobody has asked for.
    at: Vec<AtomicU64>,
    held: Vec<AtomicBool>,
}

impl Asked {
    pub fn of(seats: u32) -> Self {
        Self {
            begun: Instant::now(),
            at: (0..seats).map(|_| AtomicU64::new(0)).collect(),
            held: (0..seats).map(|_| AtomicBool::new(false)).collect(),
        }
    }

    /// Never nothing, which stands for a seat that nobody has asked for.
    fn at(&self, moment: Instant) -> u64 {
        let since = moment.saturating_duration_since(self.begun);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX).max(1)
    }

    fn now(&self) -> u64 {
        self.at(Instant::now())
    }

    /// It was to be asked for from then on; who asks again does not make the first one's news younger.
    pub fn for_seat(&self, seat: usize, since: Instant) {
        let _ = self.at[seat].compare_exchange(0, self.at(since), Ordering::Relaxed, Ordering::Relaxed);
    }

    pub fn granted(&self, seat: usize) {
        self.held[seat].store(true, Ordering::Relaxed);
    }
}

/// What one viewer knows.
#[derive(Debug)]
pub struct Known {
    seats: Vec<bool>,
    by_snapshot: u64,
}

/// How much of what viewers should have been told they were told.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    pub due: u64,
    pub told: u64,
    /// Of those told, how many not as a change but by a picture of everything.
    pub by_snapshot: u64,
    /// Viewers whose stream ended.
    pub lost: u64,
    /// Viewers who were told all of it.
    pub whole: u64,
}

impl Delivered {
    pub fn add(&mut self, other: Self) {
        self.due += other.due;
        self.told += other.told;
        self.by_snapshot += other.by_snapshot;
        self.lost += other.lost;
        self.whole += other.whole;
    }
}

impl Known {
    pub fn nothing(asked: &Asked) -> Self {
        Self { seats: vec![false; asked.at.len()], by_snapshot: 0 }
    }

    /// Takes a message in; the time of what it tells for the first time goes into the tally under this name.
    pub fn hears(&mut self, message: &Message, asked: &Asked, name: &'static str, tally: &mut Tally) {
        let now = asked.now();
        tally.count(format!("messages of the kind {:?}", message.kind));
        let is_snapshot = message.kind == "snapshot";
        if !is_snapshot && message.kind != "change" {
            return;
        }
        let told: Value = serde_json::from_str(&message.data).unwrap_or_default();
        let changed = told["changes"].as_array().into_iter().flatten().filter_map(|it| it["id"].as_str());
        let taken = told["taken"].as_object().into_iter().flatten().map(|(seat, _)| seat.as_str());
        for seat in changed.chain(taken).filter_map(Sale::number) {
            let at = asked.at.get(seat).map_or(0, |at| at.load(Ordering::Relaxed));
            if at > 0 && !std::mem::replace(&mut self.seats[seat], true) {
                self.by_snapshot += u64::from(is_snapshot);
                tally.part(name, Duration::from_micros(now.saturating_sub(at)));
            }
        }
    }

    /// Held against what is held by now.
    pub fn delivered(&self, asked: &Asked) -> Delivered {
        let (mut due, mut told) = (0, 0);
        for (held, known) in asked.held.iter().zip(&self.seats) {
            let is_held = held.load(Ordering::Relaxed);
            due += u64::from(is_held);
            told += u64::from(is_held && *known);
        }
        Delivered { due, told, by_snapshot: self.by_snapshot, lost: 0, whole: u64::from(due == told) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: &str, data: &str) -> Message {
        Message { kind: kind.to_owned(), data: data.to_owned() }
    }

    #[test]
    fn a_viewer_was_told_what_is_held_by_changes_and_by_pictures_and_what_is_missing_shows() {
        let (asked, mut tally) = (Asked::of(200), Tally::default());
        for seat in [0, 1, 2] {
            asked.for_seat(seat, Instant::now());
            asked.granted(seat);
        }
        asked.for_seat(3, Instant::now());
        let mut known = Known::nothing(&asked);
        let change = message("change", r#"{"changes":[{"id":"s0-0-1","state":"held"}]}"#);
        for heard in [&change, &change, &message("here", "{}")] {
            known.hears(heard, &asked, "told", &mut tally);
        }
        let told = known.delivered(&asked);
        assert_eq!((told.due, told.told, told.by_snapshot, told.whole), (3, 1, 0, 0), "two are missing");
        let everything = r#"{"taken":{"s0-0-1":"held","s0-0-2":"held","s0-0-3":"held","s9-9-9":"sold"}}"#;
        known.hears(&message("snapshot", everything), &asked, "told", &mut tally);
        let told = known.delivered(&asked);
        assert_eq!((told.due, told.told, told.by_snapshot, told.whole), (3, 3, 2, 1));
        assert_eq!(tally.parts["told"].len(), 3, "each once, however often it was told");
    }
}
