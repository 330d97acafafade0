//! What may happen next: the steps of what is in flight, what somebody may begin, and what may go wrong.

use holdfast::orders::OrderState;

use super::bounds::{Bounds, Guard};
use super::redis::{Life, Redis};
use super::search::{Move, World};
use super::state::{
    Cause, Entry, Event, Flag, HOLDS, HOUSE, Intent, Offer, PARTIES, Party, Payment, Person, RefundRow, Show, State,
    hold_of, party_of,
};
use super::step::Step;
use super::task::{End, Task, Then};
use super::{checkout, picture, promises, settle, waiting};

/// The protocol within bounds.
pub struct Protocol(pub Bounds);

impl World for Protocol {
    type State = State;

    fn first(&self) -> State {
        let mut state = State { left: self.0.faults, ..State::default() };
        (state.redis.marker, state.redis.news, state.pg.epoch) = (1, waiting::NOW, 1);
        for (party, person) in state.people.iter_mut().enumerate() {
            *person = Person {
                holds_left: if self.0.wants[party] == 0 { 0 } else { self.0.holds },
                may_cancel: self.0.cancels[party],
                ..Person::default()
            };
        }
        state
    }

    fn moves(&self, state: &State, out: &mut Vec<Move<State>>) {
        let mut choices = Choices { bounds: &self.0, state, out };
        for slot in 0..state.tasks.len() {
            choices.go_on(slot);
        }
        for party in parties() {
            choices.customer(party);
            choices.stripe(party);
            choices.desk(party);
            choices.list(party);
        }
        choices.house();
        choices.faults();
    }

    fn breach(&self, state: &State) -> Option<&'static str> {
        promises::breach(state)
    }

    fn is_settled(&self, state: &State) -> bool {
        promises::is_settled(&self.0, state)
    }
}

pub fn parties() -> impl Iterator<Item = Party> {
    0..Party::try_from(PARTIES).expect("few parties")
}

struct Choices<'a> {
    bounds: &'a Bounds,
    state: &'a State,
    out: &'a mut Vec<Move<State>>,
}

impl Choices<'_> {
    /// A step that `change` makes. Steps that change nothing are none.
    fn add(&mut self, step: Step, party: Party, is_healthy: bool, change: impl FnOnce(&mut State)) {
        let mut next = *self.state;
        change(&mut next);
        waiting::compare_news(&mut next);
        if next != *self.state {
            next.breach = next.breach.or_else(|| promises::broken_by(self.bounds, step, party, self.state, &next));
            self.out.push(Move { step, party, is_healthy, next });
        }
    }

    fn go_on(&mut self, slot: usize) {
        let Some(task) = self.state.tasks[slot] else { return };
        let bounds = self.bounds;
        self.add(task.at, task.party, true, |state| {
            state.tasks[slot] = None;
            run(bounds, state, task);
        });
    }

    /// A call begins with its first step, if there is room for it.
    fn begin(&mut self, task: Task, is_healthy: bool) {
        let bounds = self.bounds;
        if self.has_room(task.party) {
            self.add(task.at, task.party, is_healthy, |state| run(bounds, state, task));
        }
    }

    fn has_room(&self, party: Party) -> bool {
        let alone = !self.bounds.one_call_each || self.in_flight(|task| task.party == party) == 0;
        alone && self.in_flight(|_| true) < self.bounds.slots
    }

    fn in_flight(&self, which: impl Fn(&Task) -> bool) -> usize {
        self.state.tasks.iter().flatten().filter(|task| which(task)).count()
    }

    fn customer(&mut self, party: Party) {
        let at = party as usize;
        let (person, order) = (self.state.people[at], self.state.pg.orders[at]);
        let checks_out = |task: &Task| task.party == party && task.then == Then::Answer;
        let is_checking_out = self.in_flight(checks_out) > 0;
        let bounds = self.bounds;
        let is_first = person.holds_left == bounds.holds;
        let stands = self.state.redis.stands(hold_of(party, person.tries));
        if person.holds_left > 0 && order.is_none() && !is_checking_out && (is_first || !stands) {
            self.add(Step::Hold, party, false, |state| {
                let person = &mut state.people[at];
                let tries = if is_first { 0 } else { person.tries + 1 };
                let ready = state.redis.ready().is_ok() || bounds.is_broken(Guard::ReadsTheMarker);
                if ready && state.redis.hold(hold_of(party, tries), bounds.wants[at]) {
                    person.holds_left -= 1;
                    person.tries = tries;
                }
            });
        }
        let may_check_out = match order {
            None => person.holds_left < bounds.holds || self.state.pg.entries[at] == Entry::Offered,
            Some(order) => order.state == OrderState::AwaitingPayment && !person.can_pay,
        };
        if bounds.checks_out[at] && may_check_out && (bounds.repeats || !is_checking_out) {
            self.begin(Task::new(Step::ReadHold, party, Then::Answer), false);
        }
        if person.may_cancel {
            self.calls_off(party, order.map(|order| order.state));
        }
    }

    fn calls_off(&mut self, party: Party, state: Option<OrderState>) {
        let begin = |step, end| Task { end, ..Task::new(step, party, Then::Nothing) };
        let task = match state {
            Some(OrderState::AwaitingPayment | OrderState::Closing) => {
                begin(Step::BeginClosing, Some(End::Cancelled))
            }
            Some(OrderState::Confirmed) => begin(Step::CallOff, None),
            None if matches!(self.state.pg.entries[party as usize], Entry::Waiting | Entry::Offered) => {
                begin(Step::Leave, None)
            }
            _ => return,
        };
        let bounds = self.bounds;
        if self.has_room(party) {
            self.add(task.at, party, false, |state| {
                state.people[party as usize].may_cancel = false;
                run(bounds, state, task);
            });
        }
    }

    fn stripe(&mut self, party: Party) {
        let at = party as usize;
        let intent = self.state.stripe.intents[at];
        let can_pay = self.state.people[at].can_pay && matches!(intent, Intent::Open | Intent::Declined);
        let is_open = can_pay && intent == Intent::Open;
        for (step, may, is_healthy, next) in [
            (Step::Pay, can_pay, false, Intent::Succeeded),
            (Step::Decline, is_open && self.bounds.declines, false, Intent::Declined),
            (Step::Delay, is_open && self.bounds.delays, false, Intent::Processing),
            (Step::BankPays, intent == Intent::Processing, true, Intent::Succeeded),
            (Step::BankRefuses, intent == Intent::Processing, true, Intent::Declined),
        ] {
            if may {
                self.add(step, party, is_healthy, |state| state.stripe.intents[at] = next);
            }
        }
        let rows = &self.state.pg.inbox[at][..self.bounds.webhooks];
        if !matches!(intent, Intent::None | Intent::Open)
            && let Some(row) = rows.iter().position(|row| *row == Event::NotYet)
        {
            self.add(Step::NoteEvent, party, false, |state| state.pg.inbox[at][row] = Event::Stored);
        }
        for (row, event) in rows.iter().enumerate() {
            if *event == Event::Stored {
                let then = Then::Event(u8::try_from(row).expect("few rows"));
                self.begin(Task::new(Step::FetchIntent, party, then), true);
            }
        }
    }

    /// What the workers of any node may begin for an order.
    fn desk(&mut self, party: Party) {
        let at = party as usize;
        let (pg, intent) = (&self.state.pg, self.state.stripe.intents[at]);
        let (owed, may_park) = (pg.owed[at], !pg.parked[at]);
        let Some(order) = pg.orders[at] else {
            if intent == Intent::Succeeded && may_park {
                self.begin(Task::new(Step::WalkCaptures, party, Then::Nothing), true);
            }
            return;
        };
        let plain = |step| Task::new(step, party, Then::Nothing);
        if order.state == OrderState::AwaitingPayment && order.is_stored {
            self.begin(plain(Step::AskStripe), true);
        }
        if order.state == OrderState::AwaitingPayment && !order.is_stored {
            self.begin(plain(Step::ReadWanted), true);
        }
        if order.state.is_open() {
            self.begin(Task { end: Some(End::Expired), ..plain(Step::BeginClosing) }, true);
        }
        let is_settled =
            order.payment == Payment::Succeeded || order.refunds.iter().any(|row| *row != RefundRow::None);
        if intent == Intent::Succeeded && !is_settled && may_park {
            self.begin(plain(Step::WalkCaptures), true);
        }
        if owed.open {
            self.begin(Task::new(Step::ReadWanted, party, Then::OpenPaid), true);
        }
        for show in Show::ALL {
            if owed.shows[show as usize] {
                self.begin(Task::new(Step::ReadSubject, party, Then::ShowPaid(show)), true);
            }
        }
        for cause in Cause::ALL {
            let has = |then| Task { cause: Some(cause), ..Task::new(Step::ReadRefund, party, then) };
            if owed.refunds[cause as usize] {
                self.begin(has(Then::RefundPaid(cause)), true);
            }
            let is_news = order.refunds[cause as usize] == RefundRow::Due;
            if is_news && self.state.stripe.refunds[at][cause as usize] > 0 {
                self.begin(Task { at: Step::AdoptRefund, ..has(Then::Nothing) }, false);
            }
        }
    }

    fn list(&mut self, party: Party) {
        let at = party as usize;
        let pg = &self.state.pg;
        let has_waited = |other: &Party| pg.entries[*other as usize] != Entry::None;
        let before = (0..party).filter(|other| self.bounds.waits[*other as usize] > 0);
        if self.bounds.waits[at] > 0 && !has_waited(&party) && before.into_iter().all(|other| has_waited(&other)) {
            self.begin(Task::new(Step::Join, party, Then::Nothing), false);
        }
        if pg.open_offer(party).is_some() {
            self.begin(Task::new(Step::LookAtOffer, party, Then::Nothing), true);
        }
    }

    /// What is begun for the whole event, and what time does.
    fn house(&mut self) {
        for hold in 0..HOLDS {
            let hold = u8::try_from(hold).expect("few holds");
            let flag = Flag::Held(hold);
            // An offer is named twice at most: of the second, the time does not run out before it is written down.
            let unwritten = self.bounds.waits[party_of(hold) as usize] > 0
                && usize::from(hold) >= PARTIES
                && self.state.pg.offers[hold as usize] == Offer::None;
            if self.state.redis.flags.contains(&flag) && !unwritten {
                self.add(Step::FlagsLapse, party_of(hold), true, |state| lapse(&mut state.redis, flag));
            }
        }
        if self.state.redis.ready().is_ok() {
            self.add(Step::Sweep, HOUSE, true, |state| state.redis.sweep());
        }
        let plain = |step| Task::new(step, HOUSE, Then::Nothing);
        let compares = |task: &Task| {
            matches!(task.at, Step::ReadFlags | Step::ReadTruth | Step::Repair) && !task.rebuilds
        };
        let is_due = self.bounds.compares || picture::is_wrong(self.state);
        if is_due && self.in_flight(compares) < self.bounds.rounds {
            self.begin(plain(Step::FindSuspects), true);
        }
        if self.state.redis.marker != self.state.pg.epoch {
            self.begin(plain(Step::LockRebuild), true);
        }
        let agrees = |task: &Task| matches!(task.at, Step::ReadWaiting | Step::BeginAgain | Step::AskAgain);
        let differs = self.state.pg.waits != self.state.redis.waiting && self.state.redis.marker != 0;
        if differs && !self.bounds.is_broken(Guard::ComparesLists) && self.in_flight(agrees) < self.bounds.rounds {
            self.begin(plain(Step::ReadWaits), true);
        }
        if self.state.pg.waits && self.in_flight(waiting::is_serving) < self.bounds.rounds {
            self.begin(plain(Step::ReadNews), true);
        }
    }

    fn faults(&mut self) {
        let left = self.state.left;
        let in_flight = self.in_flight(|_| true);
        if left.deaths > 0 {
            for slot in 0..self.state.tasks.len() {
                if let Some(task) = self.state.tasks[slot] {
                    self.add(Step::CallDies, task.party, false, |state| {
                        state.left.deaths -= 1;
                        dies(state, slot);
                    });
                }
            }
        }
        if left.outages > 0 && in_flight > 1 {
            self.add(Step::EveryNodeDies, HOUSE, false, |state| {
                state.left.outages -= 1;
                (0..state.tasks.len()).for_each(|slot| dies(state, slot));
            });
        }
        if left.redis_losses > 0 {
            self.add(Step::RedisForgets, HOUSE, false, |state| {
                state.left.redis_losses -= 1;
                state.redis = Redis::default();
            });
        }
        match self.state.replica {
            None if left.failovers > 0 => self.add(Step::ReplicaFallsBehind, HOUSE, false, |state| {
                state.left.failovers -= 1;
                state.replica = Some(state.redis);
            }),
            None => {}
            Some(replica) => self.add(Step::Failover, HOUSE, false, |state| {
                (state.redis, state.replica) = (replica, None);
                state.redis.news = waiting::LATER;
            }),
        }
        if left.locks > 0
            && let Some(slot) = self.state.tasks.iter().position(|task| task.is_some_and(|task| task.rebuilds))
        {
            self.add(Step::LockLost, HOUSE, false, |state| {
                state.left.locks -= 1;
                state.pg.rebuilding = false;
                if let Some(task) = &mut state.tasks[slot] {
                    task.lost = true;
                }
                state.tasks.sort_unstable();
            });
        }
        if left.restores > 0 && self.state.pg.orders[0].is_some() && in_flight == 0 {
            self.add(Step::PostgresForgets, 0, false, |state| {
                state.left.restores -= 1;
                state.pg.drop_claims(0);
                state.pg.orders[0] = None;
                (state.pg.owed[0], state.pg.inbox[0]) = Default::default();
                // The hold is used up in any case: its customer begins anew, or not at all.
                state.redis.records[0].life = Life::Gone;
            });
        }
    }
}

fn lapse(redis: &mut Redis, flag: Flag) {
    for other in &mut redis.flags {
        if *other == flag {
            *other = Flag::None;
        }
    }
}

fn dies(state: &mut State, slot: usize) {
    let Some(task) = state.tasks[slot].take() else { return };
    if task.rebuilds && !task.lost {
        state.pg.rebuilding = false;
    }
    state.tasks.sort_unstable();
}

/// Takes a call's next step. Its slot is empty.
fn run(bounds: &Bounds, state: &mut State, task: Task) {
    use Step as S;
    let next = match task.at {
        S::ReadHold | S::TakeClaims | S::GiveBack | S::Pin | S::ClaimAgain | S::ReadWanted | S::OpenIntent
        | S::StoreIntent | S::CancelUnwanted | S::Answer => checkout::take(bounds, state, task),
        S::ReadSubject | S::Sell | S::Release | S::Free | S::ReadSubjectAgain => picture::show(bounds, state, task),
        S::DebtPaid => pay_debt(state, task),
        S::ReadRefund | S::SendRefund | S::RecordRefund | S::AdoptRefund => settle::refund(bounds, state, task),
        S::FindSuspects | S::ReadFlags | S::ReadTruth | S::Repair => picture::compare(state, task),
        S::LockRebuild | S::ReadEpoch | S::RaiseEpoch | S::ReadClaims | S::LoadBegin | S::LoadPart
        | S::LoadFinish => picture::rebuild(bounds, state, task),
        S::Join | S::BeginWaiting | S::ReadWaits | S::ReadWaiting | S::BeginAgain | S::AskAgain | S::ReadNews | S::ReadList | S::Offer | S::WriteDown | S::TakeOfferBack
        | S::NameAnother | S::LetGo | S::AllServed | S::LookAtOffer | S::LapseOffer | S::Leave
        | S::ReleaseDeclined => waiting::take(bounds, state, task),
        _ => settle::take(bounds, state, task),
    };
    match next {
        Some(next) => {
            let slot = state.tasks.iter().position(Option::is_none).expect("a slot");
            state.tasks[slot] = Some(next);
        }
        None if task.rebuilds && !task.lost => state.pg.rebuilding = false,
        None => {}
    }
    state.tasks.sort_unstable();
}

fn pay_debt(state: &mut State, task: Task) -> Option<Task> {
    let owed = &mut state.pg.owed[task.party as usize];
    match task.then {
        Then::OpenPaid => owed.open = false,
        Then::ShowPaid(show) => owed.shows[show as usize] = false,
        Then::RefundPaid(cause) => owed.refunds[cause as usize] = false,
        Then::Nothing | Then::Answer | Then::Event(_) => {}
    }
    None
}
