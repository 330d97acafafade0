//! A type per id, so that an order's id cannot be passed where a hold's is meant.
//!
//! All are UUIDv7: they sort by the time they were made, which keeps indexes compact and pages stable.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
            sqlx::Type, utoipa::ToSchema,
        )]
        #[serde(transparent)]
        #[sqlx(transparent)]
        #[schema(value_type = Uuid)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id, later than every id this machine made before.
            #[must_use]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    };
}

id!(
    /// Somebody who can sign in.
    AccountId
);
id!(
    /// One performance that sells seats. Also the hash tag of all its keys in Redis.
    EventId
);
id!(
    /// What a customer checks out.
    OrderId
);
id!(
    /// The right to sit on one sold seat.
    TicketId
);
id!(
    /// A party on a waiting list.
    EntryId
);
id!(
    /// Money that goes back, once per cause.
    RefundId
);
id!(
    /// Where another system wants to be told what happens.
    HookId
);
id!(
    /// Something that other systems are told of, once.
    HookEventId
);
id!(
    /// A customer's timed right to pay for some seats.
    ///
    /// It carries its event's number in its last 32 bits, so that a hold found by its id alone names its
    /// keys in Redis without an index that could be lost or late. It is no secret: ownership is checked.
    HoldId
);

impl EventId {
    /// Some part of a span, another for each event: what is done for hundreds of them again and again is not done for all of them
    /// in the same moment, when somebody who wants a seat would stand in line behind it.
    #[must_use]
    pub fn part_of(self, span: Duration) -> Duration {
        span * u32::from(self.0.as_bytes()[15]) / 256
    }
}

impl HoldId {
    /// Turns a fresh or remembered UUID into the id of a hold for the event with this number.
    ///
    /// The same `seed` and event give the same id, so a repeated call asks for the same hold.
    #[must_use]
    pub fn of(event_number: i32, seed: Uuid) -> Self {
        let mut bytes = seed.into_bytes();
        bytes[12..].copy_from_slice(&event_number.to_be_bytes());
        Self(Uuid::from_bytes(bytes))
    }

    /// The number of the event that this hold is for, if the id is one of ours.
    #[must_use]
    pub fn event_number(self) -> i32 {
        let bytes = self.0.as_bytes();
        i32::from_be_bytes([bytes[12], bytes[13], bytes[14], bytes[15]])
    }
}

/// A seat's position in its event's bit planes; 0-based, stable for the event's life.
pub type Ordinal = u32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_names_its_event() {
        let hold = HoldId::of(4711, Uuid::now_v7());
        assert_eq!(hold.event_number(), 4711);
        assert_eq!(hold.0.get_version_num(), 7);
    }

    #[test]
    fn the_same_seed_gives_the_same_hold() {
        let seed = Uuid::now_v7();
        assert_eq!(HoldId::of(1, seed), HoldId::of(1, seed));
        assert_ne!(HoldId::of(1, seed), HoldId::of(2, seed));
    }

    /// Who may do what never rests on an id alone, but nobody can list what there is by counting, either.
    #[test]
    fn an_id_does_not_tell_the_next_one() {
        const MANY: usize = 20_000;
        let ids: Vec<u128> = (0..MANY).map(|_| OrderId::new().0.as_u128()).collect();
        let lows: std::collections::HashSet<u32> =
            ids.iter().map(|id| u32::try_from(id & 0xffff_ffff).expect("32 bits")).collect();
        assert!(lows.len() > MANY - 10, "the last 32 bits are drawn anew each time");
        for bit in 0..32 {
            let set = ids.iter().filter(|id| *id >> bit & 1 == 1).count();
            assert!((MANY * 9 / 20..MANY * 11 / 20).contains(&set), "bit {bit} is set in {set} of {MANY}");
        }
        let steps: std::collections::HashSet<u128> =
            ids.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
        assert!(steps.len() > MANY - 10, "no step is taken twice");
    }
}
