//! Checkout, and opening the money door.

use holdfast::orders::OrderState;

use super::bounds::{Bounds, Guard};
use super::postgres::hold_being_sold;
use super::state::{Entry, Intent, Offer, Order, Payment, State};
use super::step::Step;
use super::task::{Task, Then};

pub fn take(bounds: &Bounds, state: &mut State, task: Task) -> Option<Task> {
    let party = task.party as usize;
    match task.at {
        Step::ReadHold => read_hold(state, task),
        Step::TakeClaims => Some(take_claims(bounds, state, task)),
        Step::GiveBack => {
            if state.redis.ready().is_ok() {
                state.redis.release(task.hold, false, !bounds.is_broken(Guard::ComparesFlags));
            }
            Some(Task { seats: task.seats, then: Then::Nothing, ..task.go(Step::ReadFlags) })
        }
        Step::ReadPinned => {
            let open = state.pg.orders[party].filter(|order| order.state == OrderState::AwaitingPayment);
            Some(match open {
                Some(order) => Task { hold: order.hold, seats: order.seats, ..task.go(Step::Pin) },
                None => task.go(Step::ReadWanted),
            })
        }
        Step::Pin => {
            let gone = state.redis.ready().is_ok() && !state.redis.pin(task.hold);
            Some(if gone { task.next(Step::ClaimAgain) } else { task.go(Step::ReadWanted) })
        }
        Step::ClaimAgain => {
            if state.redis.ready().is_ok() {
                state.redis.claim(task.party, task.hold, task.seats);
            }
            Some(task.go(Step::ReadWanted))
        }
        Step::ReadWanted => match state.pg.orders[party] {
            Some(order) if order.state == OrderState::AwaitingPayment && !order.is_stored => {
                Some(task.go(Step::OpenIntent))
            }
            _ => task.ends(),
        },
        Step::OpenIntent => {
            open(bounds, state, task);
            Some(task.go(Step::StoreIntent))
        }
        Step::StoreIntent => {
            if state.pg.store_intent(task.party) {
                task.ends()
            } else {
                Some(task.go(Step::CancelUnwanted))
            }
        }
        Step::CancelUnwanted => {
            cancel(state, task);
            task.ends()
        }
        Step::Answer => {
            let order = state.pg.orders[party];
            state.people[party].can_pay |=
                order.is_some_and(|order| order.state == OrderState::AwaitingPayment && order.is_stored);
            None
        }
        _ => unreachable!("{:?} is no step of a checkout", task.at),
    }
}

/// The key is the order and its attempt: the second call finds what the first has made.
pub fn open(bounds: &Bounds, state: &mut State, task: Task) {
    let party = task.party as usize;
    if state.stripe.intents[party] == Intent::None {
        state.stripe.intents[party] = Intent::Open;
    } else if bounds.is_broken(Guard::KeysIntents) {
        state.stripe.strays[party] += 1;
    }
}

/// What Stripe says when it is told to cancel.
pub fn cancel(state: &mut State, task: Task) -> Intent {
    let intent = &mut state.stripe.intents[task.party as usize];
    if matches!(intent, Intent::Open | Intent::Declined) {
        *intent = Intent::Canceled;
    }
    *intent
}

fn read_hold(state: &State, task: Task) -> Option<Task> {
    if state.pg.orders[task.party as usize].is_some() {
        return Some(task.go(Step::ReadPinned));
    }
    let hold = hold_being_sold(state, task.party);
    let stands = state.redis.ready().is_ok() && state.redis.stands(hold);
    let seats = state.redis.records[hold as usize].seats;
    stands.then(|| Task { hold, seats, ..task.go(Step::TakeClaims) })
}

fn take_claims(bounds: &Bounds, state: &mut State, task: Task) -> Task {
    let party = task.party as usize;
    if state.pg.orders[party].is_some() {
        return task.go(Step::ReadWanted);
    }
    let mut pg = state.pg;
    if !pg.take(task.party, task.seats, bounds.is_broken(Guard::RespectsClaims)) {
        return Task { then: Then::Nothing, ..task.next(Step::GiveBack) };
    }
    if bounds.waits[party] > 0 {
        if pg.offers[task.hold as usize] != Offer::Open {
            // The offer has ended: there is nothing to check out.
            return task.go(Step::Answer);
        }
        pg.end_offer(task.hold);
        pg.entries[party] = Entry::Served;
    }
    pg.orders[party] = Some(Order {
        state: OrderState::AwaitingPayment,
        closing_as: OrderState::Expired,
        hold: task.hold,
        seats: task.seats,
        payment: Payment::Opening,
        is_stored: false,
        captured: false,
        refunds: Default::default(),
    });
    pg.owed[party].open = true;
    state.pg = pg;
    task.next(Step::Pin)
}
