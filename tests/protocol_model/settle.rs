//! Settling a payment, closing an order, calling one off.

use holdfast::orders::OrderState;

use super::bounds::{Bounds, Guard};
use super::checkout;
use super::state::{Cause, Event, Intent, Payment, RefundRow, Show, State};
use super::step::Step;
use super::task::{End, Task, Then};

const OFF_THE_GRAPH: &str = "an order moved off its graph";

pub fn take(bounds: &Bounds, state: &mut State, task: Task) -> Option<Task> {
    let party = task.party as usize;
    match task.at {
        Step::FetchIntent | Step::AskStripe | Step::WalkCaptures => fetched(bounds, state, task),
        Step::EventDone => {
            let Then::Event(row) = task.then else { unreachable!("an event without a row") };
            state.pg.inbox[party][row as usize] = Event::Done;
            None
        }
        Step::Park => {
            state.pg.parked[party] = true;
            task.ends()
        }
        Step::LookAtOrder => Some(match state.pg.state_of(task.party) {
            Some(OrderState::Failed | OrderState::Expired) => task.go(Step::TakeAgain),
            _ => task.go(Step::Decide),
        }),
        Step::TakeAgain => {
            let order = *state.pg.order(task.party);
            state.redis.ready().ok()?;
            let free = state.redis.claim(task.party, order.hold, order.seats);
            Some(Task { free: Some(free), ..task.go(Step::Decide) })
        }
        Step::Decide => decide(bounds, state, task),
        Step::BeginClosing => begin_closing(bounds, state, task),
        Step::ReadDoor => {
            let is_stored = state.pg.order(task.party).is_stored;
            Some(task.go(if is_stored { Step::ShutDoor } else { Step::OpenToShut }))
        }
        Step::OpenToShut => {
            checkout::open(bounds, state, task);
            Some(task.go(Step::StoreToShut))
        }
        Step::StoreToShut => {
            state.pg.store_intent(task.party);
            Some(task.go(Step::ShutDoor))
        }
        Step::ShutDoor => Some(match checkout::cancel(state, task) {
            Intent::Succeeded => task.go(Step::LookAtOrder),
            Intent::Processing if !bounds.is_broken(Guard::WaitsForTheBank) => task.go(Step::KeepProcessing),
            _ => task.go(Step::FinishClosing),
        }),
        Step::FinishClosing => finish_closing(state, task),
        Step::KeepProcessing => {
            let order = state.pg.order(task.party);
            if !order.state.is_open() {
                return task.ends();
            }
            if order.payment == Payment::Open {
                order.payment = Payment::Processing;
            }
            Some(task.go(Step::RenewFlags))
        }
        Step::RenewFlags => {
            state.redis.ready().ok()?;
            let hold = state.pg.order(task.party).hold;
            state.redis.pin(hold);
            task.ends()
        }
        Step::CallOff => call_off(bounds, state, task),
        _ => unreachable!("{:?} settles nothing", task.at),
    }
}

/// What Stripe says now decides, whatever the webhook said.
fn fetched(bounds: &Bounds, state: &mut State, task: Task) -> Option<Task> {
    let intent = state.stripe.intents[task.party as usize];
    if state.pg.state_of(task.party).is_none() {
        return if intent == Intent::Succeeded { Some(task.go(Step::Park)) } else { task.ends() };
    }
    let close = |end| Some(Task { end: Some(end), ..task.go(Step::BeginClosing) });
    match intent {
        Intent::Succeeded => Some(task.go(Step::LookAtOrder)),
        Intent::Canceled => close(End::Cancelled),
        Intent::Processing => Some(task.go(Step::KeepProcessing)),
        Intent::Declined if bounds.release_on_failure => close(End::Failed),
        Intent::Declined | Intent::Open | Intent::None => task.ends(),
    }
}

fn decide(bounds: &Bounds, state: &mut State, task: Task) -> Option<Task> {
    let (party, before) = (task.party, state.pg.state_of(task.party)?);
    let owes = !bounds.is_broken(Guard::OwesRefunds);
    let mut pg = state.pg;
    let give_up = |pg: &mut super::state::Postgres, cause| {
        pg.owe_refund(party, cause, owes);
        Ok(pg.advance(party, OrderState::Refunding))
    };
    let moved = match before {
        OrderState::AwaitingPayment | OrderState::Closing => pg.confirm(party),
        OrderState::Failed | OrderState::Expired => match task.free {
            None => return Some(task.go(Step::LookAtOrder)),
            Some(free) => {
                let seats = pg.order(party).seats;
                if free && pg.take(party, seats, bounds.is_broken(Guard::RespectsClaims)) {
                    pg.confirm(party)
                } else {
                    give_up(&mut pg, Cause::LatePayment)
                }
            }
        },
        OrderState::Cancelled => give_up(&mut pg, Cause::PaidAfterCancellation),
        OrderState::Confirmed | OrderState::Refunding | OrderState::Refunded => Ok(true),
    };
    match moved {
        Ok(true) => {}
        Ok(false) => state.breach = Some(OFF_THE_GRAPH),
        Err(breach) => state.breach = Some(breach),
    }
    (pg.order(party).captured, pg.order(party).payment) = (true, Payment::Succeeded);
    let has_moved = pg.order(party).state != before;
    state.pg = pg;
    if has_moved { Some(task.go(Step::ReadSubject)) } else { task.ends() }
}

fn begin_closing(bounds: &Bounds, state: &mut State, task: Task) -> Option<Task> {
    let order = state.pg.order(task.party);
    if order.state == OrderState::AwaitingPayment {
        order.closing_as = match task.end {
            Some(End::Failed) => OrderState::Failed,
            Some(End::Cancelled) => OrderState::Cancelled,
            Some(End::Expired) | None => OrderState::Expired,
        };
        move_to(state, task, OrderState::Closing);
    } else if order.state != OrderState::Closing {
        return task.ends();
    }
    let door_first = !bounds.is_broken(Guard::ShutsTheDoorFirst);
    Some(task.go(if door_first { Step::ReadDoor } else { Step::FinishClosing }))
}

fn finish_closing(state: &mut State, task: Task) -> Option<Task> {
    let order = state.pg.order(task.party);
    if order.state != OrderState::Closing {
        return task.ends();
    }
    let end = order.closing_as;
    if matches!(order.payment, Payment::Opening | Payment::Open | Payment::Processing) {
        order.payment = Payment::Canceled;
    }
    state.pg.drop_claims(task.party);
    state.pg.owed[task.party as usize].shows[Show::Closed as usize] = true;
    move_to(state, task, end);
    Some(task.go(Step::ReadSubject))
}

fn call_off(bounds: &Bounds, state: &mut State, task: Task) -> Option<Task> {
    if state.pg.state_of(task.party) != Some(OrderState::Confirmed) {
        return task.ends();
    }
    state.pg.drop_claims(task.party);
    state.pg.owed[task.party as usize].shows[Show::CalledOff as usize] = true;
    move_to(state, task, OrderState::Cancelled);
    move_to(state, task, OrderState::Refunding);
    state.pg.owe_refund(task.party, Cause::OrderCancelled, !bounds.is_broken(Guard::OwesRefunds));
    Some(task.go(Step::ReadSubject))
}

fn move_to(state: &mut State, task: Task, next: OrderState) {
    if !state.pg.advance(task.party, next) {
        state.breach = Some(OFF_THE_GRAPH);
    }
}

/// Refunds: read, sent under their key, recorded.
pub fn refund(bounds: &Bounds, state: &mut State, task: Task) -> Option<Task> {
    let (party, cause) = (task.party as usize, task.cause.expect("a cause") as usize);
    match task.at {
        Step::ReadRefund => match state.pg.orders[party]?.refunds[cause] {
            RefundRow::Due => Some(task.next(Step::SendRefund)),
            RefundRow::None | RefundRow::Succeeded => task.ends(),
        },
        Step::SendRefund => {
            let made = &mut state.stripe.refunds[party][cause];
            *made = if bounds.is_broken(Guard::KeysRefunds) { *made + 1 } else { 1 };
            Some(task.next(Step::RecordRefund))
        }
        Step::RecordRefund | Step::AdoptRefund => {
            let order = state.pg.order(task.party);
            order.refunds[cause] = RefundRow::Succeeded;
            if order.captured && order.state == OrderState::Refunding {
                move_to(state, task, OrderState::Refunded);
                return Some(task.go(Step::ReadSubject));
            }
            task.ends()
        }
        _ => unreachable!("{:?} is no step of a refund", task.at),
    }
}
