//! How small a world is looked at, and which guard of the protocol is taken out of it.

use super::state::{Faults, PARTIES, Seats};

/// A guard that a broken protocol does without. The model must notice each of them missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    RespectsClaims,
    ShutsTheDoorFirst,
    WaitsForTheBank,
    ReadsTheMarker,
    KeysIntents,
    KeysRefunds,
    OwesRefunds,
    ComparesFlags,
    ReadsNewsBeforeOffers,
    ReadsNewsBeforeLettingGo,
    ComparesLists,
}

#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each switches something else")]
pub struct Bounds {
    pub name: &'static str,
    pub house: Seats,
    /// The seats that each party holds as a public customer.
    pub wants: [Seats; PARTIES],
    /// How many holds each may make, one after the other.
    pub holds: u8,
    /// Who turns what they hold into an order; the others let their time run out.
    pub checks_out: [bool; PARTIES],
    /// For how many seats each party waits.
    pub waits: [u8; PARTIES],
    /// Calls in flight at a time.
    pub slots: usize,
    /// Whether a party has at most one of them.
    pub one_call_each: bool,
    /// Comparisons, rebuilds and rounds through the list that may run at a time, of each kind.
    pub rounds: usize,
    /// Who may call an order off, or leave the list.
    pub cancels: [bool; PARTIES],
    pub declines: bool,
    /// A declined payment closes its order.
    pub release_on_failure: bool,
    /// A bank may take its time.
    pub delays: bool,
    /// Webhooks of one PaymentIntent. Each may also never come.
    pub webhooks: usize,
    /// Whether a customer sends the same checkout again while the first is in flight.
    pub repeats: bool,
    /// Whether the picture is also compared while nothing is wrong with it.
    pub compares: bool,
    pub faults: Faults,
    pub without: Option<Guard>,
}

impl Bounds {
    /// One seat, one customer, one webhook, two calls in flight, no fault.
    pub const fn named(name: &'static str) -> Self {
        Self {
            name,
            house: 0b01,
            wants: [0b01, 0, 0],
            holds: 1,
            checks_out: [true; PARTIES],
            waits: [0; PARTIES],
            slots: 2,
            one_call_each: false,
            rounds: 1,
            cancels: [false; PARTIES],
            declines: false,
            release_on_failure: true,
            delays: false,
            webhooks: 1,
            repeats: false,
            compares: true,
            faults: Faults {
                deaths: 0,
                outages: 0,
                redis_losses: 0,
                failovers: 0,
                locks: 0,
                restores: 0,
                late_payments: 0,
            },
            without: None,
        }
    }

    pub fn is_broken(&self, guard: Guard) -> bool {
        self.without == Some(guard)
    }
}
