//! What everybody in a round shares: the house, its events, and what was seen.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio_util::sync::CancellationToken;

use super::history::History;
use super::register::At;
use super::tally::Tally;
use crate::stand::{Answer, House};

/// How long somebody tries before leaving it at that.
pub const PATIENCE: Duration = Duration::from_secs(9);

/// One round's.
#[derive(Debug)]
pub struct Scene {
    pub house: Arc<House>,
    pub history: History,
    pub tally: Arc<Tally>,
    pub events: Vec<Event>,
    /// Orders that somebody asked to be called off: they need not stay confirmed.
    pub called_off: Mutex<HashSet<String>>,
    pub over: CancellationToken,
}

/// An event of a round.
#[derive(Debug)]
pub struct Event {
    pub id: String,
    pub seats: Vec<String>,
    /// Whether people may stand on its list.
    pub waits: bool,
    /// Set when its organiser asks to cancel it.
    pub cancelled: Mutex<bool>,
}

impl Event {
    pub fn may_be_cancelled(&self) -> bool {
        *self.cancelled.lock().expect("unbroken")
    }
}

impl Scene {
    pub fn may_be_off(&self, event: &str, order: &str) -> bool {
        let cancelled = self.events.iter().any(|one| one.id == event && one.may_be_cancelled());
        cancelled || self.called_off.lock().expect("unbroken").contains(order)
    }

    /// A map that somebody asked for at `from`. That of an event that is called off says nothing of who has the seats.
    pub fn was_shown(&self, event: &Event, map: &Value, from: At) {
        let Some(taken) = map["taken"].as_object().filter(|_| !event.may_be_cancelled()) else { return };
        let gone = taken.iter().filter(|(_, state)| *state == "sold" || *state == "blocked");
        let gone: Vec<_> = gone.map(|(seat, _)| seat.clone()).collect();
        let free: Vec<_> = event.seats.iter().filter(|seat| !taken.contains_key(*seat)).cloned().collect();
        self.history.seen_gone(&event.id, &gone, from);
        self.history.seen_free(&event.id, &free, from);
    }

    /// Seats that somebody asked for at `from` and was refused because they are sold or blocked.
    pub fn was_refused(&self, event: &Event, refusal: &Answer, from: At) {
        if refusal.code() != "seats_unavailable" || event.may_be_cancelled() {
            return;
        }
        let seats = refusal.body["seats"].as_array().into_iter().flatten();
        let gone = seats.filter(|seat| matches!(text(seat, "reason"), "sold" | "blocked"));
        let gone: Vec<_> = gone.map(|seat| text(seat, "id").to_owned()).collect();
        self.history.seen_gone(&event.id, &gone, from);
    }

    pub fn will_be_off(&self, order: &str) {
        self.called_off.lock().expect("unbroken").insert(order.to_owned());
    }
}

pub fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

pub fn seats_of(value: &Value) -> Vec<String> {
    let seats = value["seats"].as_array().into_iter().flatten();
    seats.map(|seat| text(seat, "id").to_owned()).collect()
}

/// How long a hold had to go when its answer was made: the clock of whoever answered may be wrong, and is the same twice.
pub fn left_of(hold: &Value) -> Duration {
    Duration::try_from(moment(hold, "expires_at") - moment(hold, "server_time")).unwrap_or_default()
}

pub fn moment(value: &Value, name: &str) -> OffsetDateTime {
    OffsetDateTime::parse(text(value, name), &Rfc3339).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
