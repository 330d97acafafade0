//! What Redis shows: effects of decisions, the comparison with Postgres, and the rebuild.

use holdfast::orders::OrderState;

use super::bounds::{Bounds, Guard};
use super::state::{Claim, Flag, Postgres, SEATS, Seats, State, Truth, each};
use super::step::Step;
use super::task::{Task, Then};

/// Making Redis show an order as it stands.
pub fn show(bounds: &Bounds, state: &mut State, task: Task) -> Option<Task> {
    let Some(order) = state.pg.orders[task.party as usize] else { return task.ends() };
    let read = |at| Some(Task { number: number_of(order.state), ..task.go(at) });
    match task.at {
        Step::ReadSubject => match order.state {
            OrderState::Confirmed => read(Step::Sell),
            state if state.is_open() => read(Step::ReadSubjectAgain),
            _ => read(Step::Release),
        },
        Step::Sell | Step::Release | Step::Free if state.redis.ready().is_err() => match task.then {
            // The outbox tries again; whoever only wanted it at once goes on.
            Then::ShowPaid(_) => None,
            _ => task.ends(),
        },
        Step::Sell => {
            state.redis.sell(task.party, order.hold, order.seats);
            Some(task.next(Step::ReadSubjectAgain))
        }
        Step::Release => {
            state.redis.release(order.hold, true, !bounds.is_broken(Guard::ComparesFlags));
            Some(task.next(Step::Free))
        }
        Step::Free => {
            state.redis.free(task.party, order.seats);
            Some(task.next(Step::ReadSubjectAgain))
        }
        Step::ReadSubjectAgain if number_of(order.state) != task.number => Some(task.go(Step::ReadSubject)),
        Step::ReadSubjectAgain => task.ends(),
        _ => unreachable!("{:?} shows nothing", task.at),
    }
}

fn number_of(state: OrderState) -> u8 {
    let at = OrderState::ALL.iter().position(|&one| one == state);
    u8::try_from(at.expect("a state")).expect("few states")
}

/// Comparing and repairing.
pub fn compare(state: &mut State, task: Task) -> Option<Task> {
    match task.at {
        Step::FindSuspects => {
            state.redis.ready().ok()?;
            let seats = suspects(state);
            if seats == 0 { task.ends() } else { Some(Task { seats, ..task.next(Step::ReadFlags) }) }
        }
        Step::ReadFlags => {
            let mut next = task.next(Step::ReadTruth);
            for seat in each(task.seats) {
                next.flags[seat] = state.redis.flags[seat];
            }
            Some(next)
        }
        Step::ReadTruth => {
            let mut next = task.next(Step::Repair);
            for seat in each(task.seats) {
                next.truth[seat] = state.pg.truth(seat, false);
            }
            Some(next)
        }
        Step::Repair => {
            state.redis.ready().ok()?;
            for seat in each(task.seats) {
                state.redis.repair(seat, task.flags[seat], task.truth[seat]);
            }
            task.ends()
        }
        _ => unreachable!("{:?} compares nothing", task.at),
    }
}

/// Seats that differ from their claims, and seats that are held without one.
pub fn suspects(state: &State) -> Seats {
    let redis = &state.redis;
    let (held, sold) = (redis.taken & !redis.sold, redis.taken & redis.sold);
    (0..SEATS)
        .filter(|seat| {
            let bit = 1 << seat;
            match state.pg.claims[*seat] {
                Claim::None => redis.taken & bit != 0,
                Claim::Held(_) => held & bit == 0,
                Claim::Sold(_) => sold & bit == 0,
            }
        })
        .fold(0, |all, seat| all | 1 << seat)
}

/// Whether a comparison would change anything if nothing else happened.
pub fn is_wrong(state: &State) -> bool {
    let mut repaired = state.redis;
    for seat in each(suspects(state)) {
        repaired.repair(seat, state.redis.flags[seat], state.pg.truth(seat, false));
    }
    repaired != state.redis
}

/// Rebuilding a picture that was lost.
pub fn rebuild(bounds: &Bounds, state: &mut State, task: Task) -> Option<Task> {
    let token = task.list;
    match task.at {
        Step::LockRebuild => {
            if state.pg.rebuilding {
                return None;
            }
            state.pg.rebuilding = true;
            Some(Task { number: state.pg.epoch, rebuilds: true, ..task.go(Step::ReadEpoch) })
        }
        Step::ReadEpoch if state.redis.marker == task.number => None,
        Step::ReadEpoch => Some(task.next(Step::RaiseEpoch)),
        Step::RaiseEpoch => {
            state.pg.epoch += 1;
            state
                .tasks
                .iter_mut()
                .flatten()
                .for_each(|task| task.is_outdated |= super::waiting::is_serving(task));
            state.tasks.sort_unstable();
            Some(task.next(Step::ReadClaims))
        }
        Step::ReadClaims => {
            let mut next = task.next(Step::LoadBegin);
            (next.number, next.waits) = (state.pg.epoch, state.pg.waits);
            // A load has a token of its own, also among those of one epoch.
            next.list = next.number * 2 + u8::from(task.lost);
            read_all(&state.pg, &mut next.truth);
            Some(next)
        }
        Step::LoadBegin => state.redis.load_begin(task.number, token).then(|| task.next(Step::LoadPart)),
        Step::LoadPart => {
            state.redis.load_part(task.number, token, &task.truth).then(|| task.next(Step::LoadFinish))
        }
        Step::LoadFinish => state
            .redis
            .load_finish(task.number, token, task.waits, bounds.house)
            .then(|| Task { rebuilds: true, lost: task.lost, ..task.go(Step::FindSuspects) }),
        _ => unreachable!("{:?} rebuilds nothing", task.at),
    }
}

fn read_all(pg: &Postgres, truth: &mut [Truth; SEATS]) {
    for (seat, truth) in truth.iter_mut().enumerate() {
        *truth = pg.truth(seat, true);
    }
}

/// Whether every seat is shown as Postgres has it, and nothing stands there besides.
pub fn is_true(state: &State, house: Seats) -> bool {
    let redis = &state.redis;
    redis.marker == state.pg.epoch
        && each(house).all(|seat| {
            let (taken, sold) = (redis.taken & 1 << seat != 0, redis.sold & 1 << seat != 0);
            match state.pg.claims[seat] {
                Claim::Sold(party) => redis.flags[seat] == Flag::Sold(party) && taken && sold,
                Claim::Held(_) => taken && !sold,
                Claim::None => redis.flags[seat] == Flag::None && !taken && !sold,
            }
        })
}
