//! Why the engine says no, in the words of the domain.

use serde::Serialize;

use crate::ids::{EventId, OrderId, Ordinal};

/// Why one seat cannot be had. When several apply, the first in this order is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    Sold,
    Blocked,
    Held,
    /// The choice would strand a single free seat.
    Orphan,
}

impl Reason {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sold => "sold",
            Self::Blocked => "blocked",
            Self::Held => "held",
            Self::Orphan => "orphan",
        }
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        [Self::Sold, Self::Blocked, Self::Held, Self::Orphan]
            .into_iter()
            .find(|reason| reason.as_str() == text)
    }
}

/// A hold was asked for and not given; nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoldRefusal {
    /// These of the named seats cannot be had.
    Seats(Vec<(Ordinal, Reason)>),
    /// Fewer are free than were asked.
    SoldOut { free: u32 },
    /// Enough are free, but nowhere side by side.
    NoAdjacent { free: u32 },
    /// The customer would have more than the event allows. `held` counts what they hold and have bought.
    Limit { limit: u32, held: u32 },
    /// Before the sale, after it, or the event is cancelled. Milliseconds since 1970, by Redis' clock.
    SaleClosed { opens_ms: Option<i64>, closes_ms: Option<i64>, now_ms: i64, cancelled: bool },
    /// The event has a waiting room, and the caller has not come through it.
    NotAdmitted,
    /// The hold to replace, or the one that is asked for again, is over.
    Expired,
    /// The same hold id was used for another wish.
    Mismatch,
}

#[derive(Debug, thiserror::Error)]
pub enum SeatsError {
    #[error("the seats were refused: {0:?}")]
    Refused(HoldRefusal),
    /// No marker: the picture cannot be trusted until it is rebuilt.
    #[error("event {0} has no picture in redis")]
    NotReady(EventId),
    #[error("the hold is another customer's")]
    NotYours,
    #[error("another call came under this key before")]
    KeyReused,
    #[error("nothing is left of the hold")]
    Gone,
    #[error("the hold belongs to order {0}")]
    InCheckout(OrderId),
    #[error("no seats were asked for")]
    Nothing,
    #[error("more than {0} seats in one call")]
    TooMany(usize),
    /// The answer kept changing, or needed more calls than one request may make; asking again is safe.
    #[error("{0} did not come to an end in time")]
    Unsettled(&'static str),
    /// A rebuild lost to a later one, or was told an epoch that is not later than the picture's.
    #[error("the load was superseded")]
    Superseded,
    #[error("redis: {0}")]
    Redis(#[from] redis::RedisError),
    #[error("the script {0} answered what its header does not name: {1}")]
    UnknownReply(&'static str, String),
}
