//! The charts that a node has read. They never change, so they are read once, however many ask at a time, and kept as long as
//! there is room, those that people ask for before all others.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use super::chart::Chart;
use crate::ids::EventId;

/// What the charts of a node may take: some 1,500 halls of 1,000 seats, or fifteen stadiums of 100,000.
const MOST_BYTES: usize = 256 << 20;
/// Below that, so that not every chart that is read makes another one go.
const MADE_ROOM: usize = MOST_BYTES / 8 * 7;
/// As long as an event is watched after its last reader: whoever is there asks again before.
const IN_USE: Duration = Duration::from_mins(1);

/// A chart's place: empty until somebody has read it, while others wait for the same reading.
pub type Place = Arc<OnceCell<Arc<Chart>>>;

/// Clones share the charts.
#[derive(Clone)]
pub struct Shelf {
    /// Held for a look-up at a time, never across an await, and by readers together: every hold asks here.
    charts: Arc<RwLock<HashMap<EventId, Kept>>>,
    /// Which event has which number. Small, and kept when the chart is not.
    numbers: Arc<RwLock<HashMap<i32, EventId>>>,
    begun: Instant,
    bounds: Bounds,
}

#[derive(Debug, Clone, Copy)]
struct Bounds {
    most: usize,
    made_room: usize,
    in_use: Duration,
}

struct Kept {
    place: Place,
    /// When somebody last asked for it, in nanoseconds since the shelf was put up; nought of what only workers have read.
    asked: AtomicU64,
}

impl Default for Shelf {
    fn default() -> Self {
        Self::of(Bounds { most: MOST_BYTES, made_room: MADE_ROOM, in_use: IN_USE })
    }
}

impl Shelf {
    fn of(bounds: Bounds) -> Self {
        Self { charts: Arc::default(), numbers: Arc::default(), begun: Instant::now(), bounds }
    }

    /// The place of a chart that somebody asks for.
    pub fn place(&self, id: EventId) -> Place {
        self.place_at(id, self.now())
    }

    /// The same for who walks through all events: no reason to keep one of them rather than what people ask for.
    pub fn place_in_passing(&self, id: EventId) -> Place {
        self.place_at(id, 0)
    }

    fn place_at(&self, id: EventId, now: u64) -> Place {
        let ask = |kept: &Kept| {
            kept.asked.fetch_max(now, Ordering::Relaxed);
            Arc::clone(&kept.place)
        };
        let known = self.charts.read().unwrap_or_else(PoisonError::into_inner).get(&id).map(ask);
        known.unwrap_or_else(|| {
            let mut charts = self.charts.write().unwrap_or_else(PoisonError::into_inner);
            ask(charts
                .entry(id)
                .or_insert_with(|| Kept { place: Place::default(), asked: AtomicU64::new(now) }))
        })
    }

    pub fn clear(&self, id: EventId) {
        self.charts.write().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// Lets go of what nobody uses, longest unasked first, where the charts take more than they may. Asked after each
    /// reading, which is when they grow. Giving a stadium back takes some milliseconds: not for a thread that answers people.
    pub fn make_room(&self) {
        let mut bytes: usize = {
            let charts = self.charts.read().unwrap_or_else(PoisonError::into_inner);
            charts.values().map(Kept::bytes).sum()
        };
        if bytes <= self.bounds.most {
            return;
        }
        let since = self.now().saturating_sub(nanos(self.bounds.in_use));
        let mut gone = Vec::new();
        let mut charts = self.charts.write().unwrap_or_else(PoisonError::into_inner);
        let mut unused: Vec<_> = charts
            .iter()
            .filter(|(_, kept)| kept.is_unused(since))
            .map(|(id, kept)| (kept.asked.load(Ordering::Relaxed), *id))
            .collect();
        unused.sort_unstable();
        for (_, id) in unused {
            if bytes <= self.bounds.made_room {
                break;
            }
            if let Some(kept) = charts.remove(&id) {
                bytes = bytes.saturating_sub(kept.bytes());
                gone.push(kept);
            }
        }
        // Nobody waits at the lock until what is gone is given back.
        drop(charts);
        drop(gone);
    }

    /// Remembers which event has this number.
    pub fn number(&self, number: i32, id: EventId) {
        self.numbers.write().unwrap_or_else(PoisonError::into_inner).insert(number, id);
    }

    pub fn numbered(&self, number: i32) -> Option<EventId> {
        self.numbers.read().unwrap_or_else(PoisonError::into_inner).get(&number).copied()
    }

    /// Never nought, which is what nobody has asked for.
    fn now(&self) -> u64 {
        nanos(self.begun.elapsed()) + 1
    }
}

impl Kept {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.place.get().map_or(0, |chart| chart.bytes())
    }

    /// Nobody is reading it, has it in hand, or has asked for it just now. Looked at by who holds the lock alone, so that nobody
    /// can take it meanwhile.
    fn is_unused(&self, since: u64) -> bool {
        let in_hand = self.place.get().is_some_and(|chart| Arc::strong_count(chart) > 1);
        !in_hand && Arc::strong_count(&self.place) == 1 && self.asked.load(Ordering::Relaxed) <= since
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::compile::compile;
    use crate::catalog::form::NewEvent;

    fn chart(id: EventId) -> Arc<Chart> {
        let form: NewEvent = serde_json::from_value(serde_json::json!({
            "title": "An evening", "starts_at": "2031-05-01T19:00:00Z", "currency": "eur",
            "categories": [{ "key": "all", "name": "All seats", "price": 4800 }],
            "sections": [{ "key": "s", "category": "all", "rows": [{ "name": "A", "seats": 100 }] }],
        }))
        .expect("a form");
        Arc::new(Chart::new(id, 1, String::new(), compile(&form).expect("a chart")))
    }

    /// Room for so many of these charts, and for half as many after room was made.
    fn shelf(charts: usize, in_use: Duration) -> Shelf {
        let one = chart(EventId::new()).bytes() + size_of::<Kept>();
        Shelf::of(Bounds { most: charts * one, made_room: charts * one / 2, in_use })
    }

    /// Puts a chart there as whoever has read it does.
    fn put(shelf: &Shelf, place: Place, id: EventId) -> Arc<Chart> {
        let chart = chart(id);
        place.set(Arc::clone(&chart)).expect("nobody has read it");
        drop(place);
        shelf.make_room();
        chart
    }

    fn has(shelf: &Shelf, id: EventId) -> bool {
        shelf.charts.read().expect("nobody panicked").contains_key(&id)
    }

    #[test]
    fn what_was_asked_for_last_stays_when_there_is_no_room() {
        let shelf = shelf(4, Duration::ZERO);
        let ids: Vec<EventId> = (0..5).map(|_| EventId::new()).collect();
        for &id in &ids[..4] {
            put(&shelf, shelf.place(id), id);
        }
        assert!(ids[..4].iter().all(|id| has(&shelf, *id)), "there is room for four");
        shelf.place(ids[0]);
        put(&shelf, shelf.place(ids[4]), ids[4]);
        let kept: Vec<bool> = ids.iter().map(|id| has(&shelf, *id)).collect();
        assert_eq!(kept, [true, false, false, false, true]);
    }

    #[test]
    fn what_is_in_hand_or_was_asked_for_just_now_stays_however_little_room_there_is() {
        let shelf = shelf(1, Duration::from_mins(1));
        let ids: Vec<EventId> = (0..6).map(|_| EventId::new()).collect();
        let walked = put(&shelf, shelf.place_in_passing(ids[0]), ids[0]);
        for &id in &ids[1..4] {
            put(&shelf, shelf.place(id), id);
        }
        assert!(ids[..4].iter().all(|id| has(&shelf, *id)), "one is in hand, three were asked for");
        drop(walked);
        let reading = shelf.place_in_passing(ids[4]);
        put(&shelf, shelf.place_in_passing(ids[5]), ids[5]);
        let kept: Vec<bool> = ids.iter().map(|id| has(&shelf, *id)).collect();
        assert_eq!(kept, [false, true, true, true, true, true], "who walks by keeps nothing");
        drop(reading);
    }
}
