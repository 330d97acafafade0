//! Redis, as the scripts leave it: each function is one script, or reads as one.

use super::state::{Flag, HOLDS, Hold, Party, SEATS, Seats, Truth, each};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Life {
    #[default]
    Unknown,
    Live,
    /// Consumed, or of an epoch before.
    Gone,
}

/// A hold's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Record {
    pub life: Life,
    pub seats: Seats,
    /// Whether an order is bound to it.
    pub bound: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Redis {
    /// The epoch in the readiness marker; 0 where there is none.
    pub marker: u8,
    pub loading: u8,
    pub token: u8,
    pub part_is_in: bool,
    pub flags: [Flag; SEATS],
    pub taken: Seats,
    pub sold: Seats,
    pub kept: Seats,
    pub waiting: bool,
    pub news: u8,
    pub records: [Record; HOLDS],
}

/// What a script answered, where it did not do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotReady;

impl Redis {
    pub fn ready(&self) -> Result<(), NotReady> {
        if self.marker == 0 { Err(NotReady) } else { Ok(()) }
    }

    fn flagged(&self, seats: Seats, flag: Flag) -> Seats {
        each(seats).filter(|&seat| self.flags[seat] == flag).fold(0, |all, seat| all | 1 << seat)
    }

    pub fn bare(&self, seats: Seats) -> Seats {
        self.flagged(seats, Flag::None)
    }

    fn flag(&mut self, seats: Seats, flag: Flag) {
        for seat in each(seats) {
            self.flags[seat] = flag;
        }
    }

    /// Whether the hold is live and all of its flags stand.
    pub fn stands(&self, hold: Hold) -> bool {
        let record = self.records[hold as usize];
        record.life == Life::Live && self.flagged(record.seats, Flag::Held(hold)) == record.seats
    }

    fn mark(&mut self, seats: Seats, taken: bool, sold: bool) {
        self.taken = if taken { self.taken | seats } else { self.taken & !seats };
        self.sold = if sold { self.sold | seats } else { self.sold & !seats };
        if self.waiting {
            self.kept &= !seats;
        }
    }

    fn come_free(&mut self, seats: Seats) {
        if !self.waiting {
            self.taken &= !seats;
        } else if seats != 0 {
            self.taken |= seats;
            self.kept |= seats;
            self.news += 1;
        }
    }

    /// What of these seats is taken, not sold and not yet the list's.
    fn comes_free(&self, seats: Seats) -> Seats {
        seats & self.taken & !self.sold & if self.waiting { !self.kept } else { !0 }
    }

    pub fn sweep(&mut self) {
        for hold in 0..HOLDS {
            let record = self.records[hold];
            let standing = self.flagged(record.seats, Flag::Held(as_hold(hold)));
            if record.life == Life::Live && standing == 0 {
                let bare = self.bare(record.seats);
                self.come_free(self.comes_free(bare));
                self.records[hold].life = Life::Gone;
            }
        }
    }

    fn grant(&mut self, hold: Hold, seats: Seats) {
        self.flag(seats, Flag::Held(hold));
        self.taken |= seats;
        if self.waiting {
            self.kept &= !seats;
        }
        self.records[hold as usize] = Record { life: Life::Live, seats, bound: false };
    }

    /// False when some seat is refused.
    pub fn hold(&mut self, hold: Hold, seats: Seats) -> bool {
        self.sweep();
        let standing = seats & !self.bare(seats);
        let expired = seats & self.taken & !self.sold;
        if standing != 0 || seats & self.sold != 0 || (self.waiting && expired != 0) {
            return false;
        }
        self.grant(hold, seats);
        true
    }

    /// The best seats for a party, if it is served now: free ones, or kept ones.
    pub fn best(&self, house: Seats, quantity: u8) -> Option<Seats> {
        let there = (!self.taken | self.kept) & house;
        let mut chosen: Seats = 0;
        for seat in each(there).take(quantity as usize) {
            chosen |= 1 << seat;
        }
        (chosen.count_ones() == u32::from(quantity)).then_some(chosen)
    }

    /// Grants an offer. False where a flag stood without its bit: the bits are put right instead.
    pub fn offer(&mut self, hold: Hold, seats: Seats) -> bool {
        let standing = seats & !self.bare(seats);
        for seat in each(standing) {
            self.mark(1 << seat, true, matches!(self.flags[seat], Flag::Sold(_)));
        }
        if standing == 0 {
            self.grant(hold, seats);
        }
        standing == 0
    }

    /// Whether the hold had its flags still, and is bound now.
    pub fn pin(&mut self, hold: Hold) -> bool {
        let stands = self.stands(hold);
        self.records[hold as usize].bound |= stands;
        stands
    }

    /// Whether every seat is the order's: kept, or taken again.
    pub fn claim(&mut self, party: Party, hold: Hold, seats: Seats) -> bool {
        let standing = self.flagged(seats, Flag::Held(hold));
        let again = self.bare(seats) & !self.sold;
        let bought = self.flagged(seats, Flag::Sold(party));
        if standing | again | bought != seats {
            return false;
        }
        if standing | again != 0 {
            let record = self.records[hold as usize];
            let before = if record.life == Life::Live { record.seats } else { 0 };
            self.flag(again, Flag::Held(hold));
            self.taken |= again;
            if self.waiting {
                self.kept &= !again;
            }
            self.records[hold as usize] =
                Record { life: Life::Live, seats: before | standing | again, bound: true };
        }
        true
    }

    pub fn sell(&mut self, party: Party, hold: Hold, seats: Seats) {
        let fresh = seats & !self.flagged(seats, Flag::Sold(party));
        self.flag(fresh, Flag::Sold(party));
        self.mark(fresh, true, true);
        let record = &mut self.records[hold as usize];
        if record.life == Life::Live {
            record.seats &= !seats;
            if record.seats == 0 {
                record.life = Life::Gone;
            }
        }
    }

    /// `compares` is off where a broken engine is tried.
    pub fn release(&mut self, hold: Hold, by_order: bool, compares: bool) {
        let record = self.records[hold as usize];
        if record.life != Life::Live || (record.bound && !by_order) {
            return;
        }
        let mine = if compares { self.flagged(record.seats, Flag::Held(hold)) } else { record.seats };
        let freed = self.comes_free(mine | self.bare(record.seats));
        self.flag(mine, Flag::None);
        self.come_free(freed);
        self.records[hold as usize].life = Life::Gone;
    }

    /// Gives back what an order had bought.
    pub fn free(&mut self, party: Party, seats: Seats) {
        let mine = self.flagged(seats, Flag::Sold(party));
        if mine != 0 {
            self.flag(mine, Flag::None);
            self.mark(mine, false, false);
            self.come_free(mine);
        }
    }

    /// Makes a seat what Postgres says it is, if its flag is still what was seen.
    pub fn repair(&mut self, seat: usize, seen: Flag, truth: Truth) {
        let (bit, should_be) = (1 << seat, truth.flag());
        let is_kept = self.waiting && truth == Truth::Free && self.kept & bit != 0;
        let (taken, sold) = (truth != Truth::Free || is_kept, matches!(truth, Truth::Sold(_)));
        let is_right =
            should_be == seen && (self.taken & bit != 0) == taken && (self.sold & bit != 0) == sold;
        let is_held_rightly = matches!(seen, Flag::Held(hold) if truth == Truth::Free
            && self.records[hold as usize].life == Life::Live && self.records[hold as usize].seats & bit != 0);
        if self.flags[seat] != seen || is_right || is_held_rightly {
            return;
        }
        if let Flag::Held(loser) = seen
            && should_be != seen
        {
            self.take_from(loser, bit);
        }
        self.flags[seat] = should_be;
        if let Truth::Held { hold, bound } = truth {
            self.add_to(hold, bit, bound);
        }
        self.mark(bit, truth != Truth::Free, sold);
        if truth == Truth::Free {
            self.come_free(bit);
        }
    }

    fn take_from(&mut self, loser: Hold, bit: Seats) {
        let record = &mut self.records[loser as usize];
        if record.life == Life::Live {
            record.seats &= !bit;
            if record.seats == 0 {
                record.life = Life::Gone;
            }
        }
    }

    fn add_to(&mut self, hold: Hold, bit: Seats, bound: bool) {
        let record = &mut self.records[hold as usize];
        if record.life != Life::Live {
            *record = Record { life: Life::Live, seats: 0, bound };
        }
        record.seats |= bit;
    }

    fn is_stale(&self, epoch: u8) -> bool {
        self.marker >= epoch || self.loading > epoch
    }

    pub fn load_begin(&mut self, epoch: u8, token: u8) -> bool {
        if self.is_stale(epoch) {
            return false;
        }
        if self.token != token {
            let mut records = self.records;
            for record in &mut records {
                if record.life == Life::Live {
                    record.life = Life::Gone;
                }
            }
            *self = Self { loading: epoch, token, records, flags: self.flags, ..Self::default() };
        }
        true
    }

    pub fn load_part(&mut self, epoch: u8, token: u8, truth: &[Truth]) -> bool {
        if self.is_stale(epoch) || self.token != token {
            return false;
        }
        for (seat, truth) in truth.iter().enumerate() {
            let bit = 1 << seat;
            self.flags[seat] = truth.flag();
            if let Truth::Held { hold, bound } = *truth {
                self.add_to(hold, bit, bound);
            }
            self.mark(bit, *truth != Truth::Free, matches!(truth, Truth::Sold(_)));
        }
        self.part_is_in = true;
        true
    }

    pub fn load_finish(&mut self, epoch: u8, token: u8, waiting: bool, house: Seats) -> bool {
        if self.is_stale(epoch) || self.token != token || !self.part_is_in {
            return false;
        }
        (self.loading, self.part_is_in, self.marker) = (0, false, epoch);
        (self.waiting, self.news) = (waiting, super::waiting::LATER);
        if waiting {
            self.kept = !self.taken & house;
            self.taken |= self.kept;
        }
        true
    }
}

fn as_hold(index: usize) -> Hold {
    Hold::try_from(index).expect("few holds")
}
