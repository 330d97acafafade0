//! What other systems can be told of.

use std::str::FromStr;

use crate::seats::NoteKind;

/// A kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    HoldCreated,
    HoldExpired,
    HoldReleased,
    OrderConfirmed,
    OrderCancelled,
    OrderRefunded,
    WaitlistOffered,
    EventSoldOut,
    /// About nothing: whether an endpoint can be reached.
    Ping,
}

/// Every type that happens by itself.
pub const EVERY: &str = "*";

impl Kind {
    /// Those that one can ask for. A ping comes when somebody sends it.
    pub const ALL: [Self; 8] = [
        Self::HoldCreated,
        Self::HoldExpired,
        Self::HoldReleased,
        Self::OrderConfirmed,
        Self::OrderCancelled,
        Self::OrderRefunded,
        Self::WaitlistOffered,
        Self::EventSoldOut,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HoldCreated => "hold.created",
            Self::HoldExpired => "hold.expired",
            Self::HoldReleased => "hold.released",
            Self::OrderConfirmed => "order.confirmed",
            Self::OrderCancelled => "order.cancelled",
            Self::OrderRefunded => "order.refunded",
            Self::WaitlistOffered => "waitlist.offered",
            Self::EventSoldOut => "event.sold_out",
            Self::Ping => "ping",
        }
    }

    /// The types for which Redis must write a diary, as an endpoint may ask for them.
    pub(super) fn of_seats() -> [&'static str; 5] {
        [
            EVERY,
            Self::HoldCreated.as_str(),
            Self::HoldExpired.as_str(),
            Self::HoldReleased.as_str(),
            Self::EventSoldOut.as_str(),
        ]
    }
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(())
    }
}

impl From<NoteKind> for Kind {
    fn from(note: NoteKind) -> Self {
        match note {
            NoteKind::Created => Self::HoldCreated,
            NoteKind::Expired => Self::HoldExpired,
            NoteKind::Released => Self::HoldReleased,
            NoteKind::Full => Self::EventSoldOut,
        }
    }
}
