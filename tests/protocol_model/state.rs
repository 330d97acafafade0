//! Everything that the protocol remembers, and where: the stores, what is in flight, what people know.

use holdfast::orders::OrderState;

use super::redis::Redis;
use super::task::Task;

pub const PARTIES: usize = 3;
pub const SEATS: usize = 2;
/// Each party may have two holds, one after the other.
pub const HOLDS: usize = PARTIES * 2;
/// Calls in flight at a time.
pub const SLOTS: usize = 3;

/// A party is a customer, their order, its PaymentIntent and, if they wait, their place in the list.
pub type Party = u8;
pub type Hold = u8;
/// Stands for a party where a step is nobody's own.
pub const HOUSE: Party = 3;
/// A set of seats, a bit each.
pub type Seats = u8;

pub fn hold_of(party: Party, tries: u8) -> Hold {
    party + tries * 3
}

pub fn party_of(hold: Hold) -> Party {
    hold % 3
}

pub fn each(seats: Seats) -> impl Iterator<Item = usize> {
    (0..SEATS).filter(move |seat| seats & 1 << seat != 0)
}

/// A seat's flag in Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Flag {
    #[default]
    None,
    Held(Hold),
    Sold(Party),
}

/// What Postgres says of a seat, as the picture needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Truth {
    #[default]
    Free,
    /// Claimed by an order, which is then bound to the hold, or offered.
    Held {
        hold: Hold,
        bound: bool,
    },
    Sold(Party),
}

impl Truth {
    pub fn flag(self) -> Flag {
        match self {
            Self::Free => Flag::None,
            Self::Held { hold, .. } => Flag::Held(hold),
            Self::Sold(party) => Flag::Sold(party),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Claim {
    #[default]
    None,
    Held(Party),
    Sold(Party),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Payment {
    #[default]
    Opening,
    Open,
    Processing,
    Succeeded,
    Canceled,
}

/// Why money goes back. One cause makes at most one refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    LatePayment,
    PaidAfterCancellation,
    OrderCancelled,
}

impl Cause {
    pub const ALL: [Self; 3] = [Self::LatePayment, Self::PaidAfterCancellation, Self::OrderCancelled];
}

/// Which decision owes the picture a change. Each is made at most once for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Show {
    Closed,
    Confirmed,
    CalledOff,
}

impl Show {
    pub const ALL: [Self; 3] = [Self::Closed, Self::Confirmed, Self::CalledOff];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RefundRow {
    #[default]
    None,
    Due,
    Succeeded,
}

/// An order with its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Order {
    pub state: OrderState,
    pub closing_as: OrderState,
    pub hold: Hold,
    pub seats: Seats,
    pub payment: Payment,
    /// Whether its PaymentIntent's id is known.
    pub is_stored: bool,
    pub captured: bool,
    pub refunds: [RefundRow; Cause::ALL.len()],
}

/// What the outbox owes because of a party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Owed {
    pub open: bool,
    pub shows: [bool; Show::ALL.len()],
    pub refunds: [bool; Cause::ALL.len()],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Entry {
    #[default]
    None,
    Waiting,
    Offered,
    Served,
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Offer {
    #[default]
    None,
    Open,
    Ended,
}

/// A row of the inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Event {
    #[default]
    NotYet,
    Stored,
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Postgres {
    pub orders: [Option<Order>; PARTIES],
    pub claims: [Claim; SEATS],
    pub owed: [Owed; PARTIES],
    pub inbox: [[Event; 2]; PARTIES],
    pub parked: [bool; PARTIES],
    pub epoch: u8,
    /// Somebody holds the lock of rebuilding.
    pub rebuilding: bool,
    pub waits: bool,
    pub entries: [Entry; PARTIES],
    pub tries: [u8; PARTIES],
    pub offers: [Offer; HOLDS],
    pub offered: [Option<Hold>; SEATS],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Intent {
    #[default]
    None,
    Open,
    /// Open, and a try to pay has failed.
    Declined,
    Processing,
    Succeeded,
    Canceled,
}

impl Intent {
    pub fn is_payable(self) -> bool {
        matches!(self, Self::Open | Self::Declined | Self::Processing)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Stripe {
    pub intents: [Intent; PARTIES],
    /// PaymentIntents beyond the first, which only a broken protocol makes.
    pub strays: [u8; PARTIES],
    /// How often the whole amount went back, for each cause.
    pub refunds: [[u8; Cause::ALL.len()]; PARTIES],
}

/// What customers know and have yet to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Person {
    /// Has the PaymentIntent's secret.
    pub can_pay: bool,
    pub holds_left: u8,
    /// Which hold is the latest.
    pub tries: u8,
    pub may_cancel: bool,
    /// Their joining was answered: from there on nothing may come free past them.
    pub is_known_to_wait: bool,
}

/// Faults that may still happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Faults {
    pub deaths: u8,
    pub outages: u8,
    pub redis_losses: u8,
    pub failovers: u8,
    pub locks: u8,
    pub restores: u8,
    pub late_payments: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct State {
    pub redis: Redis,
    /// What a failover would bring back.
    pub replica: Option<Redis>,
    pub pg: Postgres,
    pub stripe: Stripe,
    pub people: [Person; PARTIES],
    /// Sorted, so that the order of slots makes no difference.
    pub tasks: [Option<Task>; SLOTS],
    pub left: Faults,
    /// The promise that a step has just broken.
    pub breach: Option<&'static str>,
}
