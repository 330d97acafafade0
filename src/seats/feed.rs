//! The feed of an event: every change in order, and the version that it makes of the picture.

use std::fmt;
use std::str::FromStr;

use redis::{Value, from_redis_value_ref};

use super::planes::SeatState;
use crate::ids::Ordinal;

/// The id of a change: Redis' clock in milliseconds and a number within it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeedId {
    pub ms: u64,
    pub number: u64,
}

/// The version of a picture: `<epoch>-<feed id>`. Versions of two epochs do not compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version {
    pub epoch: i32,
    pub feed: FeedId,
}

/// A text that is not an id or a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a version of a picture")]
pub struct NotAVersion;

/// One entry of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub id: FeedId,
    /// A rebuild began a new epoch: what was known before is void.
    pub epoch: bool,
    pub seats: Vec<(Ordinal, SeatState)>,
}

impl fmt::Display for FeedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.number)
    }
}

impl FromStr for FeedId {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (ms, number) = text.split_once('-').ok_or(NotAVersion)?;
        Ok(Self {
            ms: ms.parse().map_err(|_| NotAVersion)?,
            number: number.parse().map_err(|_| NotAVersion)?,
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.feed)
    }
}

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (epoch, feed) = text.split_once('-').ok_or(NotAVersion)?;
        Ok(Self { epoch: epoch.parse().map_err(|_| NotAVersion)?, feed: feed.parse()? })
    }
}

/// The entries that an `XREAD` of one feed answered, oldest first.
///
/// Whatever is not an entry is left out, and so is what in an entry is not a change: a reader must not fall
/// over what somebody else wrote into the stream. A left-out entry without a readable id cannot be resumed
/// from, which is no loss: the next one can.
pub(super) fn entries(answer: &Value) -> Vec<Entry> {
    match answer {
        Value::Array(streams) => streams.iter().flat_map(stream).collect(),
        Value::Map(streams) => streams.iter().flat_map(|(_, list)| rows(list)).collect(),
        _ => Vec::new(),
    }
}

fn stream(pair: &Value) -> Vec<Entry> {
    match pair {
        Value::Array(parts) => parts.get(1).map(rows).unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn rows(list: &Value) -> Vec<Entry> {
    match list {
        Value::Array(rows) => rows.iter().filter_map(entry).collect(),
        _ => Vec::new(),
    }
}

fn entry(row: &Value) -> Option<Entry> {
    let Value::Array(parts) = row else { return None };
    let id: String = from_redis_value_ref(parts.first()?).ok()?;
    let fields: Vec<String> = match parts.get(1) {
        Some(fields) => from_redis_value_ref(fields).unwrap_or_default(),
        None => Vec::new(),
    };
    let mut entry = Entry { id: id.parse().ok()?, epoch: false, seats: Vec::new() };
    let values = |name: &str| {
        fields.chunks_exact(2).filter(move |pair| pair[0] == name).map(|pair| pair[1].as_str()).next()
    };
    entry.epoch = values("epoch").is_some();
    // In this order, because one entry may free a seat and take it.
    for state in [SeatState::Free, SeatState::Held, SeatState::Sold, SeatState::Blocked] {
        let ordinals = values(state.as_str()).unwrap_or_default().split(',');
        entry.seats.extend(ordinals.filter_map(|text| text.parse().ok()).map(|ordinal| (ordinal, state)));
    }
    Some(entry)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn answer(fields: &[&str]) -> Value {
        let fields = Value::Array(fields.iter().map(|field| text(field)).collect());
        let row = Value::Array(vec![text("5-1"), fields]);
        Value::Array(vec![Value::Array(vec![text("feed:{e}"), Value::Array(vec![row])])])
    }

    #[test]
    fn a_change_frees_before_it_takes() {
        let found = entries(&answer(&["held", "2,3", "free", "1,2"]));
        assert_eq!(
            found[0].seats,
            [(1, SeatState::Free), (2, SeatState::Free), (2, SeatState::Held), (3, SeatState::Held)]
        );
        assert!(!found[0].epoch);
        assert!(entries(&answer(&["epoch", "4"]))[0].epoch);
    }

    #[test]
    fn what_is_no_change_is_left_out() {
        let junk = entries(&answer(&["held", "x,,9999999999,-1,7", "colour", "blue", "sold"]));
        assert_eq!(junk[0].seats, [(7, SeatState::Held)]);
        assert!(entries(&Value::Array(vec![Value::Nil, Value::Int(3), Value::Array(vec![])])).is_empty());
    }

    #[test]
    fn a_version_is_read_as_it_is_written() {
        let version = Version { epoch: 3, feed: FeedId { ms: 1_700_000_000_000, number: 4 } };
        assert_eq!(version.to_string(), "3-1700000000000-4");
        assert_eq!(version.to_string().parse(), Ok(version));
        for junk in ["", "3", "3-4", "a-1-2", "3-1-b", "3--1-2"] {
            assert_eq!(junk.parse::<Version>(), Err(NotAVersion), "{junk}");
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Nil),
            any::<i64>().prop_map(Value::Int),
            proptest::collection::vec(any::<u8>(), 0..12).prop_map(Value::BulkString),
            "[0-9]{1,4}-[0-9]{1,3}|free|held|epoch|[0-9,]{0,9}"
                .prop_map(|text| Value::BulkString(text.into())),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                proptest::collection::vec((inner.clone(), inner), 0..3).prop_map(Value::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_reader_fall(answer in any_value()) {
            for entry in entries(&answer) {
                prop_assert!(entry.seats.len() < 100);
            }
        }
    }
}
