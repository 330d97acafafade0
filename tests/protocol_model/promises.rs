//! What must hold: at every step, at every state, and when all is done.

use holdfast::orders::OrderState;

use super::bounds::Bounds;
use super::choices::parties;
use super::picture;
use super::redis::Life;
use super::state::{
    Claim, Entry, Event, Flag, Intent, Order, Party, RefundRow, SEATS, Seats, State, each, hold_of, party_of,
};
use super::step::Step;

/// The promise that a step breaks, by what it changes.
pub fn broken_by(
    bounds: &Bounds,
    step: Step,
    party: Party,
    before: &State,
    after: &State,
) -> Option<&'static str> {
    let (was, is) = (&before.redis, &after.redis);
    let touches = step.is_fault() || matches!(step, Step::LoadBegin | Step::LoadPart | Step::LoadFinish);
    if touches {
        return None;
    }
    if was.marker == 0 && is.flags != was.flags && step != Step::FlagsLapse {
        return Some("a Redis without the marker was written to");
    }
    for seat in each(bounds.house) {
        let bit = 1 << seat;
        let comes_free = was.taken & bit != 0 && is.taken & bit == 0;
        if comes_free && was.waiting && step != Step::LetGo {
            return Some("a seat was seen free while somebody waits");
        }
        if is.flags[seat] != was.flags[seat]
            && !matches!(step, Step::FlagsLapse | Step::Repair | Step::Sell)
            && !belongs(was.flags[seat], party)
        {
            return Some("somebody's seat was taken from them by another");
        }
    }
    let asked = |waiter: Party| {
        let hold = hold_of(waiter, before.pg.tries[waiter as usize]);
        before.people[waiter as usize].is_known_to_wait
            && before.pg.entries[waiter as usize] == Entry::Waiting
            && was.records[hold as usize].life == Life::Unknown
    };
    let could_sit = |waiter: Party| was.best(bounds.house, bounds.waits[waiter as usize]).is_some();
    match step {
        Step::LetGo if was.kept != is.kept && parties().any(|other| asked(other) && could_sit(other)) => {
            Some("what a party waits for was let go")
        }
        Step::LetGo if was.waiting && !is.waiting && parties().any(asked) => {
            Some("Redis forgets that somebody waits")
        }
        Step::Offer if was.flags != is.flags && (0..party).any(|other| asked(other) && could_sit(other)) => {
            Some("a party was served out of its turn")
        }
        _ => None,
    }
}

fn belongs(flag: Flag, party: Party) -> bool {
    match flag {
        Flag::None => true,
        Flag::Held(hold) => party_of(hold) == party,
        Flag::Sold(owner) => owner == party,
    }
}

/// The promise that is broken in this state.
pub fn breach(state: &State) -> Option<&'static str> {
    state
        .breach
        .or_else(|| parties().find_map(|party| order_breaks(state, party)))
        .or_else(|| sold_twice(state))
}

fn order_breaks(state: &State, party: Party) -> Option<&'static str> {
    let (at, pg) = (party as usize, &state.pg);
    let (intent, refunds) = (state.stripe.intents[at], state.stripe.refunds[at]);
    let returned: u8 = refunds.iter().sum();
    if returned > u8::from(intent == Intent::Succeeded) {
        return Some("more went back than was captured, or twice for one cause");
    }
    let payable = u8::from(intent.is_payable()) + state.stripe.strays[at];
    if payable > 1 {
        return Some("an order has two payable PaymentIntents");
    }
    let order = pg.orders[at]?;
    let (held, sold) = (pg.claimed_by(party, Claim::Held(party)), pg.claimed_by(party, Claim::Sold(party)));
    let (has_to_hold, has_to_own) = match order.state {
        OrderState::AwaitingPayment | OrderState::Closing => (order.seats, 0),
        OrderState::Confirmed => (0, order.seats),
        _ => (0, 0),
    };
    if held != has_to_hold {
        return Some("an open order does not have its seats, or a closed one has");
    }
    if sold != has_to_own {
        return Some("a confirmed order does not have all of its seats, or another has some");
    }
    if order.state == OrderState::Confirmed && !(intent == Intent::Succeeded && order.captured) {
        return Some("a confirmed order is not paid");
    }
    if !order.state.is_open() && order.state != OrderState::Confirmed && payable > 0 {
        return Some("a closed order can still be paid");
    }
    if order.captured && order.state != OrderState::Confirmed && owed_back(&order) != 1 {
        return Some("captured money has no home, or two");
    }
    None
}

fn owed_back(order: &Order) -> usize {
    order.refunds.iter().filter(|row| **row != RefundRow::None).count()
}

fn sold_twice(state: &State) -> Option<&'static str> {
    let mut sold: Seats = 0;
    for order in state.pg.orders.iter().flatten().filter(|order| order.state == OrderState::Confirmed) {
        if sold & order.seats != 0 {
            return Some("a seat stands on two confirmed orders");
        }
        sold |= order.seats;
    }
    None
}

/// Nothing is under way, every order has ended, every payment is where it belongs, and the picture is true.
pub fn is_settled(bounds: &Bounds, state: &State) -> bool {
    let pg = &state.pg;
    state.tasks.iter().all(Option::is_none)
        && parties().all(|party| is_home(state, party))
        && pg.owed.iter().all(|owed| *owed == super::state::Owed::default())
        && !pg.inbox.iter().flatten().any(|event| *event == Event::Stored)
        && picture::is_true(state, bounds.house)
        && !state.redis.records.iter().any(|record| record.life == Life::Live)
        && !pg.entries.contains(&Entry::Offered)
        && pg.offered == [None; SEATS]
        && is_served(bounds, state)
}

/// Where the money of a party is, and how their order has ended.
fn is_home(state: &State, party: Party) -> bool {
    let at = party as usize;
    let is_captured = state.stripe.intents[at] == Intent::Succeeded;
    let returned: u8 = state.stripe.refunds[at].iter().sum();
    let is_parked = state.pg.parked[at];
    match state.pg.orders[at] {
        None => is_captured == is_parked && returned == 0,
        Some(order) => {
            let recorded = order.refunds.iter().filter(|row| **row == RefundRow::Succeeded).count();
            match order.state {
                OrderState::Confirmed => is_captured && returned == 0 && recorded == 0 && !is_parked,
                OrderState::Refunded => is_captured && returned == 1 && recorded == 1 && !is_parked,
                OrderState::Failed | OrderState::Cancelled | OrderState::Expired => !is_captured,
                OrderState::AwaitingPayment | OrderState::Closing | OrderState::Refunding => false,
            }
        }
    }
}

/// Whoever still waits waits for what is not there, and Redis knows that they do.
fn is_served(bounds: &Bounds, state: &State) -> bool {
    let mut waiting =
        parties().filter(|party| state.pg.entries[*party as usize] == Entry::Waiting).peekable();
    if waiting.peek().is_none() {
        return !state.pg.waits && !state.redis.waiting && state.redis.kept == 0;
    }
    state.pg.waits
        && state.redis.waiting
        && state.redis.kept == 0
        && waiting.all(|party| state.redis.best(bounds.house, bounds.waits[party as usize]).is_none())
}
