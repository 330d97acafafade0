//! Ids of seats: one for each place, and none that could break the hash tag of a key, whoever has named the row.

use std::sync::LazyLock;

use holdfast::catalog::untrusted::Compiled;
use holdfast::catalog::{Chart, NewEvent};
use holdfast::ids::EventId;
use holdfast::seats::keys::Keys;
use serde_json::json;

static CHART: LazyLock<Chart> = LazyLock::new(|| named("stalls", "A", "1").expect("a good form").chart());

pub fn body(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Some(ordinal) = CHART.ordinal(&text) {
        let seat = CHART.seat(ordinal).expect("an ordinal of a place");
        assert_eq!(seat.id, text, "two ids for one place");
        is_safe(&seat.id);
    }
    if let Ok(event) = text.parse::<EventId>() {
        let flag = Keys::of(event).flag(7);
        let tag = flag.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
        assert_eq!(tag, Some(event.to_string().as_str()), "{flag} is in another slot");
        assert_eq!(event.to_string().parse(), Ok(event));
    }
    // The same as the name of a section, a row and a seat: what is taken makes an id that is safe everywhere.
    let mut parts = text.splitn(3, '|');
    let mut part = || parts.next().unwrap_or("A");
    if let Some(compiled) = named(part(), part(), part()) {
        let chart = compiled.chart();
        for ordinal in 0..chart.size() {
            let Some(seat) = chart.seat(ordinal) else { continue };
            is_safe(&seat.id);
            assert_eq!(chart.ordinal(&seat.id), Some(ordinal), "{} leads elsewhere", seat.id);
        }
    }
}

fn named(section: &str, row: &str, seat: &str) -> Option<Compiled> {
    let form = json!({
        "title": "A form", "starts_at": "2031-01-01T20:00:00Z",
        "categories": [{ "key": "a", "price": 100 }],
        "sections": [{ "key": section, "category": "a",
                       "rows": [{ "name": row, "seats": [seat, { "aisle": true }, "x", "y-1"] }, { "name": "Z", "seats": 3 }] }],
        "areas": [{ "key": "floor", "category": "a", "capacity": 12 }, { "key": "x-1", "category": "a", "capacity": 2 }],
    });
    let form: NewEvent = serde_json::from_value(form).expect("a form");
    Compiled::of(&form).ok()
}

fn is_safe(id: &str) {
    let is_strange =
        |letter: char| letter.is_control() || letter.is_whitespace() || "{}*?[]\\\"<>&|,:".contains(letter);
    assert!(!id.is_empty() && !id.contains(is_strange), "{id:?} needs quoting somewhere");
}
