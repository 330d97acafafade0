//! What everybody in a round shares: the house, its events, and what was seen.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio_util::sync::CancellationToken;

use super::history::History;
use super::tally::Tally;
use crate::stand::House;

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
    /// Set when its organiser asks to cancel it.
    pub cancelled: Mutex<bool>,
}

impl Scene {
    pub fn may_be_off(&self, event: &str, order: &str) -> bool {
        let cancelled =
            self.events.iter().any(|one| one.id == event && *one.cancelled.lock().expect("unbroken"));
        cancelled || self.called_off.lock().expect("unbroken").contains(order)
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
