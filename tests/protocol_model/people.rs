//! What customers may do, what Stripe does with their money, and what it tells of it.

use holdfast::orders::OrderState;

use super::bounds::Guard;
use super::choices::{Choices, run};
use super::state::{Entry, Event, Intent, Party, hold_of};
use super::step::Step;
use super::task::{End, Task, Then};

impl Choices<'_> {
    pub fn customer(&mut self, party: Party) {
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

    pub fn stripe(&mut self, party: Party) {
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
}
