//! A call in flight: the step that it takes next, and what it has read so far. Lost when its node dies.

use super::state::{Cause, Flag, Hold, Party, SEATS, Seats, Show, Truth};
use super::step::Step;

/// What a call does when the part that it is in has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Then {
    Nothing,
    /// Tells the customer how to pay.
    Answer,
    /// Marks a row of the inbox as done.
    Event(u8),
    OpenPaid,
    ShowPaid(Show),
    RefundPaid(Cause),
}

/// How an order that is being closed is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum End {
    Failed,
    Cancelled,
    Expired,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::struct_excessive_bools, reason = "facts that were read, each its own")]
pub struct Task {
    pub at: Step,
    pub party: Party,
    pub then: Then,
    pub hold: Hold,
    pub seats: Seats,
    pub end: Option<End>,
    /// Whether Redis gave a late payment its seats; `None` when it was not asked.
    pub free: Option<bool>,
    pub cause: Option<Cause>,
    /// A number that was read: how an order stood, an epoch, or the news.
    pub number: u8,
    /// Parties that are yet to be asked, and whether one was asked in vain.
    pub list: u8,
    pub in_vain: bool,
    pub waits: bool,
    /// It began with the lock of rebuilding, and believes to have it.
    pub rebuilds: bool,
    /// The lock was cut off.
    pub lost: bool,
    /// What it has seen of Redis is of another epoch than the one that Postgres names by now.
    pub is_outdated: bool,
    pub flags: [Flag; SEATS],
    pub truth: [Truth; SEATS],
}

impl Task {
    /// A call that has read nothing yet.
    pub fn new(at: Step, party: Party, then: Then) -> Self {
        Self {
            at,
            party,
            then,
            hold: 0,
            seats: 0,
            end: None,
            free: None,
            cause: None,
            number: 0,
            list: 0,
            in_vain: false,
            waits: false,
            rebuilds: false,
            lost: false,
            is_outdated: false,
            flags: [Flag::None; SEATS],
            truth: [Truth::Free; SEATS],
        }
    }

    /// Goes on elsewhere, and forgets what it has read.
    pub fn go(self, at: Step) -> Self {
        Self::new(at, self.party, self.then)
    }

    /// Goes on with what it has.
    pub fn next(self, at: Step) -> Self {
        Self { at, ..self }
    }

    /// The part that it was in has ended.
    pub fn ends(self) -> Option<Self> {
        match self.then {
            Then::Nothing => None,
            Then::Answer => Some(self.go(Step::Answer)),
            Then::Event(_) => Some(self.go(Step::EventDone)),
            Then::OpenPaid | Then::ShowPaid(_) | Then::RefundPaid(_) => Some(self.go(Step::DebtPaid)),
        }
    }
}
