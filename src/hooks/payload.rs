//! What is told of a thing: shaped as the API's own answers, without addresses of people and without secrets.

use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::catalog::Chart;
use crate::ids::{AccountId, EntryId, HoldId, HookEventId, Ordinal};
use crate::seats::{Note, NoteKind};

/// Raised when a payload changes in a way that could break a reader.
const API_VERSION: &str = "v1";

/// What is sent: the same bytes at each try.
#[derive(Debug, Clone, Serialize)]
pub struct Envelope {
    pub id: HookEventId,
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
    pub api_version: &'static str,
    /// Whether real money moves here.
    pub livemode: bool,
    pub data: Value,
}

impl Envelope {
    pub(super) fn new(
        id: HookEventId,
        kind: String,
        created: OffsetDateTime,
        livemode: bool,
        object: &Value,
    ) -> Self {
        let data = json!({ "object": object });
        Self { id, kind, created, api_version: API_VERSION, livemode, data }
    }
}

/// Seats by their names, and what they cost together.
#[must_use]
pub fn seats(chart: &Chart, ordinals: &[Ordinal]) -> (Value, i64) {
    let known = ordinals.iter().filter_map(|&at| chart.seat(at));
    let mut amount = 0;
    let seats: Vec<_> = known
        .map(|seat| {
            amount += seat.price;
            json!({ "id": seat.id.to_string(), "section": seat.section, "row": seat.row,
                    "seat": seat.seat.map(|name| name.to_string()), "category": seat.category, "price": seat.price })
        })
        .collect();
    (Value::Array(seats), amount)
}

/// What is told of a note: a hold, or the event that has nothing left.
pub(super) fn of_note(note: &Note, chart: &Chart, title: &str) -> Value {
    let status = match note.kind {
        NoteKind::Created => "held",
        NoteKind::Expired => "expired",
        NoteKind::Released => "released",
        NoteKind::Full => return json!({ "id": chart.event_id(), "title": title, "available": 0 }),
    };
    let (seats, amount) = seats(chart, &note.ordinals);
    let mut hold = json!({
        "id": note.hold, "event_id": chart.event_id(), "customer_id": note.owner, "status": status,
        "seats": seats, "amount": amount, "currency": chart.currency().to_string(),
    });
    if let Some(ends) = note.deadline_ms {
        hold["expires_at"] = moment(ends).into();
    }
    hold
}

/// What is told of an offer to a waiting party.
#[must_use]
pub fn of_offer(offer: &Offered<'_>) -> Value {
    let (seats, amount) = seats(offer.chart, offer.ordinals);
    json!({
        "id": offer.entry, "event_id": offer.chart.event_id(), "customer_id": offer.customer, "status": "offered",
        "hold_id": offer.hold, "quantity": offer.ordinals.len(), "seats": seats, "amount": amount,
        "currency": offer.chart.currency().to_string(), "expires_at": moment(offer.deadline_ms),
    })
}

/// Seats that are held for a waiting party.
pub struct Offered<'a> {
    pub entry: EntryId,
    pub customer: AccountId,
    pub hold: HoldId,
    pub chart: &'a Chart,
    pub ordinals: &'a [Ordinal],
    pub deadline_ms: i64,
}

/// A moment of Redis' clock, as the API writes moments.
fn moment(ms: i64) -> Option<String> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()?.format(&Rfc3339).ok()
}

/// What a ping says: nothing but that it arrived.
pub(super) fn of_ping() -> Value {
    json!({ "message": "Holdfast can reach you." })
}
