//! What the engine promises, as plainly as it can be said: one list of seats and one table of holds.
//!
//! It knows nothing of bits, scripts or Redis, and judges orphans and best seats in another way than they do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

/// Customers, orders and holds are numbers here.
pub type Id = usize;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seat {
    Free,
    Held(Id),
    /// Its hold's time is over and no sweep has been there.
    Lapsed,
    /// Nobody's, and the waiting list is asked before the public may have it.
    Kept,
    Sold(Id),
    Blocked,
    Aisle,
}

#[derive(Debug, Clone)]
pub struct Hold {
    pub owner: Id,
    pub seats: BTreeSet<u32>,
    pub order: Option<Id>,
    pub live: bool,
    pub due: bool,
    /// `None` where a repair made the record and nobody knows the wish.
    pub wish: Option<Wish>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    pub what: What,
    pub replaces: Option<Id>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Seats { seats: BTreeSet<u32>, places: BTreeSet<u32>, areas: Vec<(u32, u32, u32)> },
    Best { runs: Vec<(u32, u32)>, quantity: u32 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    Free,
    Held { hold: Id },
    Sold { order: Id, owner: Id },
    Blocked,
}

#[expect(clippy::struct_excessive_bools, reason = "rules and facts, each its own")]
pub struct Model {
    pub seats: Vec<Seat>,
    pub holds: BTreeMap<Id, Hold>,
    pub owners: BTreeMap<Id, i64>,
    pub orphan_rule: bool,
    pub limit: Option<u32>,
    pub closed: bool,
    pub waiting: bool,
    /// Something came to the waiting list.
    news: bool,
}

impl Model {
    pub fn new(lengths: &[u32]) -> Self {
        let row = |seats: &u32| (0..*seats).map(|_| Seat::Free).chain([Seat::Aisle]).collect::<Vec<_>>();
        Self {
            seats: lengths.iter().flat_map(row).collect(),
            holds: BTreeMap::new(),
            owners: BTreeMap::new(),
            orphan_rule: false,
            limit: None,
            closed: false,
            waiting: false,
            news: false,
        }
    }

    fn size(&self) -> u32 {
        u32::try_from(self.seats.len()).unwrap()
    }

    pub fn at(&self, ordinal: u32) -> Seat {
        self.seats[ordinal as usize]
    }

    fn put(&mut self, ordinal: u32, seat: Seat) {
        self.seats[ordinal as usize] = seat;
    }

    fn come_free(&mut self, ordinal: u32) {
        self.news |= self.waiting;
        self.put(ordinal, if self.waiting { Seat::Kept } else { Seat::Free });
    }

    fn count(&mut self, owner: Id, change: i64) {
        let has = self.owners.get(&owner).copied().unwrap_or(0) + change;
        if has > 0 {
            self.owners.insert(owner, has);
        } else if change != 0 {
            self.owners.remove(&owner);
        }
    }

    fn stands(&self, id: Id) -> bool {
        self.holds[&id].live && self.holds[&id].seats.iter().all(|&seat| self.at(seat) == Seat::Held(id))
    }

    // --- time -----------------------------------------------------------------------------------------

    pub fn lapse(&mut self, id: Id) {
        for seat in self.holds[&id].seats.clone() {
            if self.at(seat) == Seat::Held(id) {
                self.put(seat, Seat::Lapsed);
            }
        }
        self.make_due(id);
    }

    pub fn make_due(&mut self, id: Id) {
        if let Some(hold) = self.holds.get_mut(&id) {
            hold.due = hold.live;
        }
    }

    /// One flag is lost, as in a failover.
    pub fn lose(&mut self, ordinal: u32) {
        if let Seat::Held(_) = self.at(ordinal) {
            self.put(ordinal, Seat::Lapsed);
        }
    }

    pub fn sweep(&mut self) -> String {
        let due: BTreeSet<Id> = self.holds.iter().filter(|(_, hold)| hold.due).map(|(id, _)| *id).collect();
        let (mut freed, mut over) = (BTreeSet::new(), BTreeSet::new());
        for id in due {
            let hold = self.holds[&id].clone();
            self.holds.get_mut(&id).unwrap().due = false;
            if hold.seats.iter().any(|&seat| self.at(seat) == Seat::Held(id)) {
                continue; // its flag lives, so it does
            }
            for seat in &hold.seats {
                if self.at(*seat) == Seat::Lapsed {
                    self.come_free(*seat);
                    freed.insert(*seat);
                }
            }
            self.end(id);
            over.insert(id);
        }
        said("swept", (over, freed))
    }

    /// Consumes a hold; its customer's count comes back once.
    fn end(&mut self, id: Id) {
        let hold = self.holds.get_mut(&id).unwrap();
        (hold.live, hold.due) = (false, false);
        let (owner, seats) = (hold.owner, hold.seats.len());
        self.count(owner, -signed(seats));
    }

    // --- holding --------------------------------------------------------------------------------------

    pub fn hold(&mut self, id: Id, owner: Id, wish: &Wish) -> String {
        if let Some(before) = self.holds.get(&id) {
            return match before {
                hold if hold.owner != owner => "not yours".into(),
                hold if hold.wish.as_ref().is_some_and(|known| known != wish) => "mismatch".into(),
                hold if self.stands(id) => said("held", &hold.seats),
                _ => "expired".into(),
            };
        }
        if self.closed {
            return "closed".into();
        }
        let mut own = BTreeSet::new();
        if let Some(old) = wish.replaces {
            match self.holds.get(&old) {
                Some(hold) if hold.owner != owner => return "not yours".into(),
                Some(hold) if hold.live && hold.order.is_some() => return said("in checkout", hold.order),
                Some(hold) if self.stands(old) => own.clone_from(&hold.seats),
                _ => return "expired".into(),
            }
        }
        self.sweep();
        let chosen = match &wish.what {
            What::Seats { seats, places, areas } => self.choose(seats, places, areas, &own),
            What::Best { runs, quantity } => self.choose_best(runs, *quantity, &own),
        };
        let chosen = match chosen {
            Ok(chosen) => chosen,
            Err(why) => return why,
        };
        let has = self.owners.get(&owner).copied().unwrap_or(0);
        let would = has - signed(own.len()) + signed(chosen.len());
        if self.limit.is_some_and(|limit| would > i64::from(limit)) {
            return said("limit", (self.limit, has));
        }
        if let Some(old) = wish.replaces {
            for &seat in own.difference(&chosen) {
                self.come_free(seat);
            }
            let old = self.holds.get_mut(&old).unwrap();
            (old.live, old.due) = (false, false);
        }
        for &seat in &chosen {
            self.put(seat, Seat::Held(id));
        }
        self.count(owner, signed(chosen.len()) - signed(own.len()));
        let answer = said("held", &chosen);
        let hold =
            Hold { owner, seats: chosen, order: None, live: true, due: false, wish: Some(wish.clone()) };
        self.holds.insert(id, hold);
        answer
    }

    fn choose(
        &self,
        seats: &BTreeSet<u32>,
        places: &BTreeSet<u32>,
        areas: &[(u32, u32, u32)],
        own: &BTreeSet<u32>,
    ) -> Result<BTreeSet<u32>, String> {
        let refused: BTreeMap<u32, &str> = seats
            .union(places)
            .filter(|seat| !own.contains(seat))
            .filter_map(|&seat| match self.at(seat) {
                Seat::Free => None,
                Seat::Lapsed => self.waiting.then_some((seat, "held")),
                Seat::Held(_) | Seat::Kept => Some((seat, "held")),
                Seat::Sold(_) | Seat::Aisle => Some((seat, "sold")),
                Seat::Blocked => Some((seat, "blocked")),
            })
            .collect();
        if !refused.is_empty() {
            return Err(said("refused", refused));
        }
        let mut chosen: BTreeSet<u32> = seats.union(places).copied().collect();
        for &(from, to, quantity) in areas {
            let mine = (from..to).filter(|seat| own.contains(seat) && !chosen.contains(seat));
            let free = (from..to).filter(|&seat| self.at(seat) == Seat::Free && !chosen.contains(&seat));
            let picked: Vec<u32> = mine.clone().chain(free).take(quantity as usize).collect();
            if picked.len() < quantity as usize {
                let left = (from..to).filter(|&seat| self.at(seat) == Seat::Free).count() + mine.count();
                return Err(said("sold out", left));
            }
            chosen.extend(picked);
        }
        let orphans = self.orphans(seats, own);
        if self.orphan_rule && !orphans.is_empty() { Err(said("refused", orphans)) } else { Ok(chosen) }
    }

    /// Run by run: what is left of each, and whether a single seat in it could have been avoided.
    fn orphans(&self, seats: &BTreeSet<u32>, own: &BTreeSet<u32>) -> BTreeMap<u32, &'static str> {
        let open = |seat: u32| seats.contains(&seat) || own.contains(&seat) || self.at(seat) == Seat::Free;
        let all: Vec<u32> = (0..self.size()).collect();
        let mut refused = BTreeMap::new();
        for run in all.split(|&seat| !open(seat)) {
            let left: Vec<u32> = run.iter().copied().filter(|seat| !seats.contains(seat)).collect();
            if left.len() == 1 || left.len() == run.len() {
                continue;
            }
            for &seat in &left {
                let beside = [seat.checked_sub(1), Some(seat + 1)].into_iter().flatten();
                if beside.clone().all(|near| !left.contains(&near)) {
                    refused.extend(beside.filter(|near| seats.contains(near)).map(|near| (near, "orphan")));
                }
            }
        }
        refused
    }

    fn choose_best(
        &self,
        runs: &[(u32, u32)],
        quantity: u32,
        own: &BTreeSet<u32>,
    ) -> Result<BTreeSet<u32>, String> {
        let free = |seat: u32| own.contains(&seat) || self.at(seat) == Seat::Free;
        let beside = |seats: &mut dyn Iterator<Item = u32>| seats.take_while(|&seat| free(seat)).count();
        let starts: Vec<u32> = runs
            .iter()
            .flat_map(|&(from, to)| from..(to + 1).saturating_sub(quantity).max(from))
            .filter(|&first| (first..first + quantity).all(free))
            .collect();
        let strands_nobody = |first: &&u32| {
            let left = beside(&mut (0..**first).rev());
            let right = beside(&mut (**first + quantity..self.size()));
            left != 1 && right != 1
        };
        if let Some(&first) = starts.iter().find(strands_nobody).or(starts.first()) {
            return Ok((first..first + quantity).collect());
        }
        let left = runs.iter().flat_map(|&(from, to)| from..to).filter(|&seat| free(seat)).count();
        Err(said(if left < quantity as usize { "sold out" } else { "no adjacent" }, left))
    }

    // --- checkout -------------------------------------------------------------------------------------

    pub fn pin(&mut self, id: Id, owner: Id, order: Id) -> String {
        match self.holds.get(&id) {
            None => "gone".into(),
            Some(hold) if hold.owner != owner => "not yours".into(),
            Some(_) if !self.stands(id) => "gone".into(),
            Some(hold) if hold.order.is_some_and(|other| other != order) => said("in checkout", hold.order),
            Some(_) => {
                let hold = self.holds.get_mut(&id).unwrap();
                (hold.order, hold.due) = (Some(order), false);
                "pinned".into()
            }
        }
    }

    pub fn claim(&mut self, order: Id, id: Id, owner: Id, seats: &BTreeSet<u32>) -> String {
        if self.holds.get(&id).is_some_and(|hold| hold.owner != owner) {
            return "not yours".into();
        }
        let lost: BTreeSet<u32> = seats
            .iter()
            .copied()
            .filter(|&seat| match self.at(seat) {
                Seat::Free | Seat::Lapsed | Seat::Kept => false,
                Seat::Held(other) => other != id,
                Seat::Sold(other) => other != order,
                Seat::Blocked | Seat::Aisle => true,
            })
            .collect();
        if !lost.is_empty() {
            return said("lost", lost);
        }
        let unsold: BTreeSet<u32> =
            seats.iter().copied().filter(|&seat| self.at(seat) != Seat::Sold(order)).collect();
        if unsold.is_empty() {
            return "kept".into();
        }
        let again = unsold.iter().any(|&seat| self.at(seat) != Seat::Held(id));
        for &seat in &unsold {
            self.put(seat, Seat::Held(id));
        }
        let (before, wish) = match self.holds.get(&id) {
            Some(hold) if hold.live => (hold.seats.clone(), hold.wish.clone()),
            Some(hold) => (BTreeSet::new(), hold.wish.clone()),
            None => (BTreeSet::new(), None),
        };
        let all: BTreeSet<u32> = before.union(&unsold).copied().collect();
        self.count(owner, signed(all.len() - before.len()));
        self.holds.insert(id, Hold { owner, seats: all, order: Some(order), live: true, due: false, wish });
        if again { "taken again".into() } else { "kept".into() }
    }

    pub fn sell(&mut self, order: Id, id: Id, owner: Id, seats: &BTreeSet<u32>) -> String {
        let fresh = seats.iter().filter(|&&seat| self.at(seat) != Seat::Sold(order)).count();
        for &seat in seats {
            self.put(seat, Seat::Sold(order));
        }
        let mut moved = 0;
        if let Some(hold) = self.holds.get_mut(&id).filter(|hold| hold.live && hold.owner == owner) {
            let before = hold.seats.len();
            hold.seats.retain(|seat| !seats.contains(seat));
            moved = before - hold.seats.len();
            if moved > 0 {
                (hold.live, hold.due) = (!hold.seats.is_empty(), false);
            }
        }
        self.count(owner, signed(fresh) - signed(moved));
        said("sold", fresh)
    }

    /// `order` is `None` when the customer asks.
    pub fn release(&mut self, id: Id, owner: Id, order: Option<Id>) -> String {
        let Some(hold) = self.holds.get(&id).cloned() else { return "already".into() };
        if order.is_none() && hold.owner != owner {
            return "not yours".into();
        }
        if !hold.live {
            return "already".into();
        }
        if hold.order.is_some() && hold.order != order {
            return said("in checkout", hold.order);
        }
        let mine = |seat: &&u32| matches!(self.at(**seat), Seat::Lapsed) || self.at(**seat) == Seat::Held(id);
        let freed: Vec<u32> = hold.seats.iter().filter(mine).copied().collect();
        for &seat in &freed {
            self.come_free(seat);
        }
        self.end(id);
        said("released", freed.len())
    }

    // --- operators ------------------------------------------------------------------------------------

    pub fn free(&mut self, order: Id, owner: Id, seats: &BTreeSet<u32>) -> String {
        let mine: Vec<u32> =
            seats.iter().copied().filter(|&seat| self.at(seat) == Seat::Sold(order)).collect();
        for &seat in &mine {
            self.come_free(seat);
        }
        self.count(owner, -signed(mine.len()));
        said("freed", mine.len())
    }

    pub fn block(&mut self, seats: &BTreeSet<u32>) -> String {
        let refused: BTreeMap<u32, &str> = seats
            .iter()
            .filter_map(|&seat| match self.at(seat) {
                Seat::Free | Seat::Lapsed | Seat::Kept | Seat::Blocked => None,
                Seat::Held(_) => Some((seat, "held")),
                Seat::Sold(_) | Seat::Aisle => Some((seat, "sold")),
            })
            .collect();
        if refused.is_empty() {
            for &seat in seats {
                self.put(seat, Seat::Blocked);
            }
        }
        said("block", refused)
    }

    pub fn unblock(&mut self, seats: &BTreeSet<u32>) -> String {
        let mine: Vec<u32> = seats.iter().copied().filter(|&seat| self.at(seat) == Seat::Blocked).collect();
        for &seat in &mine {
            self.come_free(seat);
        }
        said("unblocked", mine.len())
    }

    // --- the waiting list -----------------------------------------------------------------------------

    pub fn begin_waiting(&mut self) {
        self.waiting = true;
    }

    /// What is kept is everybody's; with `end`, nobody waits any more.
    pub fn let_go(&mut self, end: bool) -> String {
        let kept: Vec<u32> = (0..self.size()).filter(|&seat| self.at(seat) == Seat::Kept).collect();
        for &seat in &kept {
            self.put(seat, Seat::Free);
        }
        self.waiting &= !end;
        said("let go", kept.len())
    }

    pub fn offer(&mut self, id: Id, owner: Id, runs: &[(u32, u32)], quantity: u32) -> String {
        if self.closed {
            return "closed".into();
        }
        self.news = false;
        self.sweep();
        if self.news {
            return "changed".into();
        }
        let has = self.owners.get(&owner).copied().unwrap_or(0);
        if self.limit.is_some_and(|limit| has + i64::from(quantity) > i64::from(limit)) {
            return "limit".into();
        }
        let kept: BTreeSet<u32> = (0..self.size()).filter(|&seat| self.at(seat) == Seat::Kept).collect();
        let Ok(chosen) = self.choose_best(runs, quantity, &kept) else { return "nothing".into() };
        for &seat in &chosen {
            self.put(seat, Seat::Held(id));
        }
        self.count(owner, signed(chosen.len()));
        let answer = said("held", &chosen);
        let offered = Some(Wish { what: What::Best { runs: vec![], quantity }, replaces: None });
        let hold = Hold { owner, seats: chosen, order: None, live: true, due: false, wish: offered };
        self.holds.insert(id, hold);
        answer
    }

    /// `seen` says whether the flag was still what the caller had read.
    /// `buyer` is whose purchase stands there.
    pub fn repair(
        &mut self,
        (ordinal, buyer): (u32, Option<Id>),
        seen: bool,
        truth: Truth,
        order: Id,
        owner: Id,
    ) -> String {
        let now = self.at(ordinal);
        let should = match truth {
            Truth::Free => Seat::Free,
            Truth::Held { hold } => Seat::Held(hold),
            Truth::Sold { order, .. } => Seat::Sold(order),
            Truth::Blocked => Seat::Blocked,
        };
        // What is only held needs no claim, so Postgres calls it free and is not wrong.
        let is_held = matches!(now, Seat::Held(hold) if self.holds.get(&hold)
            .is_some_and(|hold| hold.live && hold.seats.contains(&ordinal)));
        let is_right = now == should || (truth == Truth::Free && now == Seat::Kept);
        if !seen || is_right || (truth == Truth::Free && is_held) {
            return said("repaired", 0);
        }
        if let Seat::Held(loser) = now {
            self.take_from(loser, ordinal);
        }
        if let Some(buyer) = buyer.filter(|_| now != should) {
            self.count(buyer, -1);
        }
        match truth {
            Truth::Sold { owner, .. } => self.count(owner, 1),
            Truth::Held { hold } => self.give_to(hold, ordinal, order, owner),
            Truth::Free | Truth::Blocked => {}
        }
        match should {
            Seat::Free => self.come_free(ordinal),
            other => self.put(ordinal, other),
        }
        said("repaired", 1)
    }

    fn take_from(&mut self, loser: Id, ordinal: u32) {
        let Some(hold) = self.holds.get_mut(&loser).filter(|hold| hold.live) else { return };
        if hold.seats.remove(&ordinal) {
            (hold.live, hold.due) = (!hold.seats.is_empty(), false);
            let owner = hold.owner;
            self.count(owner, -1);
        }
    }

    fn give_to(&mut self, id: Id, ordinal: u32, order: Id, owner: Id) {
        let fresh =
            Hold { owner, seats: BTreeSet::new(), order: Some(order), live: true, due: false, wish: None };
        let hold = self.holds.entry(id).or_insert_with(|| fresh.clone());
        if !hold.live {
            *hold = fresh;
        }
        hold.due = false;
        if hold.seats.insert(ordinal) {
            let owner = hold.owner; // whose count comes back when it ends
            self.count(owner, 1);
        }
    }
}

/// One way to write an answer, for the model and for the engine.
pub fn said(what: &str, detail: impl Debug) -> String {
    format!("{what} {detail:?}")
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap()
}
