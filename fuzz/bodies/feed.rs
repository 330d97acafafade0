//! The feed of an event: what a change says is read as it was written, and what is no change does no harm.

use holdfast::ids::Ordinal;
use holdfast::seats::untrusted::changes;
use holdfast::seats::{FeedId, SeatState, Version};
use redis::Value;

const STATES: [SeatState; 4] = [SeatState::Free, SeatState::Held, SeatState::Sold, SeatState::Blocked];

pub fn body(input: &[u8]) {
    if let Ok(answer) = redis::parse_redis_value(input) {
        for (id, _, seats) in changes(&answer) {
            assert_eq!(id.to_string().parse(), Ok(id));
            assert!(seats.len() <= input.len(), "more changes than were written");
        }
    }
    if let Ok(version) = str::from_utf8(input).unwrap_or_default().parse::<Version>() {
        assert_eq!(version.to_string().parse(), Ok(version));
    }
    is_read_as_written(input);
}

/// A change as the scripts write it, made of the input.
fn is_read_as_written(input: &[u8]) {
    let Some((head, rest)) = input.split_first_chunk::<9>() else { return };
    let ms = u64::from_be_bytes([head[0], head[1], head[2], head[3], head[4], head[5], head[6], head[7]]);
    let id = FeedId { ms, number: head[8].into() };
    let mut said: [Vec<Ordinal>; 4] = Default::default();
    for change in rest.chunks_exact(4) {
        let ordinal = u32::from_be_bytes([0, change[1], change[2], change[3]]);
        said[usize::from(change[0] & 3)].push(ordinal);
    }
    let text = |text: String| Value::BulkString(text.into_bytes());
    let mut fields = Vec::new();
    let is_epoch = input.len() % 2 == 1;
    if is_epoch {
        fields.extend([text("epoch".to_owned()), text("3".to_owned())]);
    }
    for (state, ordinals) in STATES.into_iter().zip(&said) {
        if !ordinals.is_empty() {
            let list: Vec<_> = ordinals.iter().map(ToString::to_string).collect();
            fields.extend([text(state.as_str().to_owned()), text(list.join(","))]);
        }
    }
    let row = Value::Array(vec![text(id.to_string()), Value::Array(fields)]);
    let answer = Value::Array(vec![Value::Array(vec![text("feed:{e}".to_owned()), Value::Array(vec![row])])]);
    let expected =
        STATES.into_iter().zip(said).flat_map(|(state, list)| list.into_iter().map(move |at| (at, state)));
    assert_eq!(changes(&answer), [(id, is_epoch, expected.collect())]);
}
