//! Postgres, as transactions leave it.

use holdfast::orders::OrderState;

use super::state::{
    Cause, Claim, Entry, Hold, Offer, Order, Party, Payment, Postgres, RefundRow, SEATS, Seats, Show, State,
    Truth, each, hold_of, party_of,
};

/// The hold that a party would check out: their latest, or the one that the list has made for them.
pub fn hold_being_sold(state: &State, party: Party) -> Hold {
    let at = party as usize;
    state.pg.open_offer(party).unwrap_or(hold_of(party, state.people[at].tries))
}

impl Postgres {
    pub fn order(&mut self, party: Party) -> &mut Order {
        self.orders[party as usize].as_mut().expect("an order")
    }

    pub fn state_of(&self, party: Party) -> Option<OrderState> {
        self.orders[party as usize].map(|order| order.state)
    }

    /// Moves an order along the service's own graph; false where there is no such move.
    #[must_use]
    pub fn advance(&mut self, party: Party, next: OrderState) -> bool {
        let order = self.order(party);
        let may = order.state.may_become(next);
        order.state = next;
        may
    }

    /// Claims all of the seats or none. A claim goes over only from an order that is closed.
    pub fn take(&mut self, party: Party, seats: Seats, takes_over_any: bool) -> bool {
        let can_be_had = |claim: Claim| match claim {
            Claim::None => true,
            Claim::Held(other) => takes_over_any || self.is_closed(other),
            Claim::Sold(_) => takes_over_any,
        };
        if !each(seats).all(|seat| can_be_had(self.claims[seat])) {
            return false;
        }
        for seat in each(seats) {
            self.claims[seat] = Claim::Held(party);
        }
        true
    }

    fn is_closed(&self, party: Party) -> bool {
        use OrderState::{Cancelled, Expired, Failed};
        matches!(self.state_of(party), Some(Cancelled | Expired | Failed))
    }

    pub fn claimed_by(&self, party: Party, how: Claim) -> Seats {
        debug_assert!(matches!(how, Claim::Held(owner) | Claim::Sold(owner) if owner == party));
        (0..SEATS).filter(|&seat| self.claims[seat] == how).fold(0, |all, seat| all | 1 << seat)
    }

    pub fn drop_claims(&mut self, party: Party) {
        for claim in &mut self.claims {
            if matches!(claim, Claim::Held(owner) | Claim::Sold(owner) if *owner == party) {
                *claim = Claim::None;
            }
        }
    }

    /// False when not every seat is claimed: the transaction is rolled back.
    pub fn confirm(&mut self, party: Party) -> Result<bool, &'static str> {
        let seats = self.order(party).seats;
        if self.claimed_by(party, Claim::Held(party)) != seats {
            return Err("an order that is paid does not have its seats");
        }
        for seat in each(seats) {
            self.claims[seat] = Claim::Sold(party);
        }
        self.owed[party as usize].shows[Show::Confirmed as usize] = true;
        Ok(self.advance(party, OrderState::Confirmed))
    }

    /// Owes a refund, once for its cause.
    pub fn owe_refund(&mut self, party: Party, cause: Cause, owes: bool) {
        let row = &mut self.order(party).refunds[cause as usize];
        if *row == RefundRow::None {
            *row = RefundRow::Due;
            self.owed[party as usize].refunds[cause as usize] = owes;
        }
    }

    /// Whether the order still wanted it.
    pub fn store_intent(&mut self, party: Party) -> bool {
        self.owed[party as usize].open = false;
        let Some(order) = &mut self.orders[party as usize] else { return false };
        if order.state.is_open() {
            order.is_stored = true;
            if order.payment == Payment::Opening {
                order.payment = Payment::Open;
            }
        }
        order.state.is_open()
    }

    pub fn open_offer(&self, party: Party) -> Option<Hold> {
        let holds = [hold_of(party, 0), hold_of(party, 1)];
        holds.into_iter().find(|hold| self.offers[*hold as usize] == Offer::Open)
    }

    pub fn end_offer(&mut self, hold: Hold) {
        self.offers[hold as usize] = Offer::Ended;
        for offered in &mut self.offered {
            if *offered == Some(hold) {
                *offered = None;
            }
        }
    }

    pub fn lapse(&mut self, hold: Hold) {
        let entry = &mut self.entries[party_of(hold) as usize];
        if self.offers[hold as usize] == Offer::Open {
            *entry = Entry::Over;
            self.end_offer(hold);
        }
    }

    /// What a picture should show of a seat. An offer is held without a claim; a claim is the stronger.
    pub fn truth(&self, seat: usize, with_offers: bool) -> Truth {
        let claimed = |party: Party| {
            self.orders[party as usize]
                .map_or(Truth::Free, |order| Truth::Held { hold: order.hold, bound: true })
        };
        match (self.claims[seat], self.offered[seat]) {
            (Claim::Held(party), _) => claimed(party),
            (Claim::Sold(party), _) => Truth::Sold(party),
            (Claim::None, Some(hold)) if with_offers => Truth::Held { hold, bound: false },
            (Claim::None, _) => Truth::Free,
        }
    }
}
