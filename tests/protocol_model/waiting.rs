//! The waiting list: joining, serving, lapsing, leaving.

use super::bounds::{Bounds, Guard};
use super::redis::Life;
use super::state::{Entry, HOUSE, Offer, PARTIES, Party, Postgres, State, each, hold_of};
use super::step::Step;
use super::task::{Task, Then};

/// Of the news only one thing matters: whether it is still what somebody has read. So it is always called the same, and
/// so is whatever was read before it, and there are no more states than there are differences.
pub const NOW: u8 = 1;
const BEFORE: u8 = 0;
/// Anything that nobody has read.
pub const LATER: u8 = 3;

pub fn compare_news(state: &mut State) {
    let news = std::mem::replace(&mut state.redis.news, NOW);
    for task in state.tasks.iter_mut().flatten().filter(|task| is_serving(task)) {
        task.number = if task.number == news { NOW } else { BEFORE };
    }
    state.tasks.sort_unstable();
}

/// Whether this is a round through the list.
pub fn is_serving(task: &Task) -> bool {
    use Step::{AllServed, LetGo, NameAnother, Offer, ReadList, ReadNews, TakeOfferBack, WriteDown};
    matches!(
        task.at,
        ReadNews | ReadList | Offer | WriteDown | TakeOfferBack | NameAnother | LetGo | AllServed
    )
}

pub fn take(bounds: &Bounds, state: &mut State, task: Task) -> Option<Task> {
    let party = task.party as usize;
    match task.at {
        Step::Join => {
            state.pg.entries[party] = Entry::Waiting;
            state.pg.waits = true;
            Some(task.go(Step::BeginWaiting))
        }
        Step::BeginWaiting => {
            state.redis.ready().ok()?;
            begin_waiting(state);
            state.people[party].is_known_to_wait = true;
            None
        }
        Step::Leave => leave(state, task),
        Step::ReleaseDeclined => {
            state.redis.ready().ok()?;
            state.redis.release(task.hold, false, !bounds.is_broken(Guard::ComparesFlags));
            None
        }
        Step::LookAtOffer => {
            state.redis.ready().ok()?;
            let hold = state.pg.open_offer(task.party)?;
            if state.redis.stands(hold) { None } else { Some(Task { hold, ..task.go(Step::LapseOffer) }) }
        }
        Step::LapseOffer => {
            state.pg.lapse(task.hold);
            None
        }
        Step::ReadWaits => Some(Task { waits: state.pg.waits, ..task.go(Step::ReadWaiting) }),
        Step::ReadWaiting => {
            state.redis.ready().ok()?;
            match (task.waits, state.redis.waiting) {
                (true, false) => Some(task.go(Step::BeginAgain)),
                (false, true) => Some(task.go(Step::AskAgain)),
                (true, true) | (false, false) => None,
            }
        }
        Step::BeginAgain => {
            state.redis.ready().ok()?;
            begin_waiting(state);
            None
        }
        Step::AskAgain => {
            state.pg.waits = true;
            None
        }
        Step::ReadNews => {
            let is_outdated = state.redis.marker != state.pg.epoch;
            Some(Task { number: state.redis.news, is_outdated, ..task.go(Step::ReadList) })
        }
        Step::ReadList => {
            let list = waiting(&state.pg);
            Some(turn(Task { list, in_vain: false, ..task }))
        }
        Step::Offer => offer(bounds, state, task),
        Step::WriteDown => write_down(state, task),
        Step::TakeOfferBack => {
            state.redis.ready().ok()?;
            state.redis.release(task.hold, false, !bounds.is_broken(Guard::ComparesFlags));
            Some(turn(task))
        }
        Step::NameAnother => {
            let is_same = hold_of(task.party, state.pg.tries[party]) == task.hold;
            if state.pg.entries[party] == Entry::Waiting && is_same {
                state.pg.tries[party] += 1;
            }
            Some(from_the_beginning())
        }
        Step::LetGo => let_go(bounds, state, task),
        Step::AllServed => {
            state.pg.waits = waiting(&state.pg) != 0;
            None
        }
        _ => unreachable!("{:?} has nothing to do with waiting", task.at),
    }
}

fn begin_waiting(state: &mut State) {
    state.redis.waiting = true;
    state.redis.news += 1;
}

fn from_the_beginning() -> Task {
    Task::new(Step::ReadNews, HOUSE, Then::Nothing)
}

/// Who waits, in the order of the list: parties are named in the order of their places.
fn waiting(pg: &Postgres) -> u8 {
    let entries = pg.entries.iter().enumerate();
    entries.filter(|(_, entry)| **entry == Entry::Waiting).fold(0, |all, (party, _)| all | 1 << party)
}

/// On to the next party, or, when all were asked, to what is left.
fn turn(task: Task) -> Task {
    let Some(party) = (0..PARTIES).find(|party| task.list & 1 << party != 0) else {
        return Task { party: HOUSE, hold: 0, list: 0, ..task.next(Step::LetGo) };
    };
    let list = task.list & !(1 << party);
    let party = Party::try_from(party).expect("few parties");
    Task { party, hold: 0, list, ..task.next(Step::Offer) }
}

fn offer(bounds: &Bounds, state: &mut State, task: Task) -> Option<Task> {
    let party = task.party as usize;
    state.redis.ready().ok()?;
    let hold = hold_of(task.party, state.pg.tries[party]);
    let task = Task { hold, ..task };
    if state.redis.records[hold as usize].life != Life::Unknown {
        // A repeat: an earlier try was granted, and stands or is over.
        let stands = state.redis.stands(hold);
        return Some(task.next(if stands { Step::WriteDown } else { Step::NameAnother }));
    }
    state.redis.sweep();
    if state.redis.news != task.number && !bounds.is_broken(Guard::ReadsNewsBeforeOffers) {
        return Some(from_the_beginning());
    }
    let Some(seats) = state.redis.best(bounds.house, bounds.waits[party]) else {
        return Some(turn(Task { in_vain: true, ..task }));
    };
    let granted = state.redis.offer(hold, seats);
    Some(if granted { Task { seats, ..task.next(Step::WriteDown) } } else { task.next(Step::Offer) })
}

fn write_down(state: &mut State, task: Task) -> Option<Task> {
    if task.is_outdated {
        // The next picture would not know of it: whoever comes next serves the party there.
        return None;
    }
    let (party, hold) = (task.party as usize, task.hold);
    let pg = &mut state.pg;
    if pg.entries[party] != Entry::Waiting {
        let is_written = pg.offers[hold as usize] != Offer::None;
        return Some(if is_written { turn(task) } else { task.next(Step::TakeOfferBack) });
    }
    let seats = state.redis.records[hold as usize].seats;
    pg.entries[party] = Entry::Offered;
    pg.offers[hold as usize] = Offer::Open;
    for seat in each(if task.seats == 0 { seats } else { task.seats }) {
        // Redis grants a seat to one hold at a time: what still names this one is over.
        if let Some(before) = pg.offered[seat] {
            pg.lapse(before);
        }
        pg.offered[seat] = Some(hold);
    }
    Some(turn(Task { seats: 0, ..task }))
}

fn let_go(bounds: &Bounds, state: &mut State, task: Task) -> Option<Task> {
    state.redis.ready().ok()?;
    let redis = &mut state.redis;
    if redis.news != task.number && !bounds.is_broken(Guard::ReadsNewsBeforeLettingGo) {
        return Some(from_the_beginning());
    }
    redis.taken &= !redis.kept;
    redis.kept = 0;
    if task.in_vain {
        return None;
    }
    redis.waiting = false;
    Some(task.go(Step::AllServed))
}

fn leave(state: &mut State, task: Task) -> Option<Task> {
    let entry = std::mem::replace(&mut state.pg.entries[task.party as usize], Entry::Over);
    let hold = state.pg.open_offer(task.party).filter(|_| entry == Entry::Offered)?;
    state.pg.end_offer(hold);
    Some(Task { hold, ..task.go(Step::ReleaseDeclined) })
}
