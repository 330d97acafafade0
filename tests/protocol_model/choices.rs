//! What may happen next: the steps of what is in flight, what somebody may begin, and what may go wrong.

use super::bounds::Bounds;
use super::search::{Move, World};
use super::state::{PARTIES, Party, Person, State};
use super::step::Step;
use super::task::{Task, Then};
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

pub struct Choices<'a> {
    pub bounds: &'a Bounds,
    pub state: &'a State,
    out: &'a mut Vec<Move<State>>,
}

impl Choices<'_> {
    /// A step that `change` makes. Steps that change nothing are none.
    pub fn add(&mut self, step: Step, party: Party, is_healthy: bool, change: impl FnOnce(&mut State)) {
        let mut next = *self.state;
        change(&mut next);
        waiting::compare_news(&mut next);
        if next != *self.state {
            next.breach =
                next.breach.or_else(|| promises::broken_by(self.bounds, step, party, self.state, &next));
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
    pub fn begin(&mut self, task: Task, is_healthy: bool) {
        let bounds = self.bounds;
        if self.has_room(task.party) {
            self.add(task.at, task.party, is_healthy, |state| run(bounds, state, task));
        }
    }

    pub fn has_room(&self, party: Party) -> bool {
        let alone = !self.bounds.one_call_each || self.in_flight(|task| task.party == party) == 0;
        alone && self.in_flight(|_| true) < self.bounds.slots
    }

    pub fn in_flight(&self, which: impl Fn(&Task) -> bool) -> usize {
        self.state.tasks.iter().flatten().filter(|task| which(task)).count()
    }
}

/// Takes a call's next step. Its slot is empty.
pub fn run(bounds: &Bounds, state: &mut State, task: Task) {
    use Step as S;
    let next = match task.at {
        S::ReadHold
        | S::TakeClaims
        | S::GiveBack
        | S::ReadPinned
        | S::Pin
        | S::ClaimAgain
        | S::ReadWanted
        | S::OpenIntent
        | S::StoreIntent
        | S::CancelUnwanted
        | S::Answer => checkout::take(bounds, state, task),
        S::ReadSubject | S::Sell | S::Release | S::Free | S::ReadSubjectAgain => {
            picture::show(bounds, state, task)
        }
        S::DebtPaid => pay_debt(state, task),
        S::ReadRefund | S::SendRefund | S::RecordRefund | S::AdoptRefund => {
            settle::refund(bounds, state, task)
        }
        S::FindSuspects | S::ReadFlags | S::ReadTruth | S::Repair => picture::compare(state, task),
        S::LockRebuild
        | S::ReadEpoch
        | S::RaiseEpoch
        | S::ReadClaims
        | S::LoadBegin
        | S::LoadPart
        | S::LoadFinish => picture::rebuild(bounds, state, task),
        S::Join
        | S::BeginWaiting
        | S::ReadWaits
        | S::ReadWaiting
        | S::BeginAgain
        | S::AskAgain
        | S::ReadNews
        | S::ReadList
        | S::Offer
        | S::WriteDown
        | S::TakeOfferBack
        | S::NameAnother
        | S::LetGo
        | S::AllServed
        | S::LookAtOffer
        | S::LapseOffer
        | S::Leave
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
