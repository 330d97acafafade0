//! What nodes begin without being asked, and what time does.

use holdfast::orders::OrderState;

use super::bounds::Guard;
use super::choices::Choices;
use super::redis::Redis;
use super::state::{
    Cause, Entry, Flag, HOLDS, HOUSE, Intent, Offer, PARTIES, Party, Payment, RefundRow, Show, party_of,
};
use super::step::Step;
use super::task::{End, Task, Then};
use super::{picture, waiting};

impl Choices<'_> {
    /// What the workers of any node may begin for an order.
    pub fn desk(&mut self, party: Party) {
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
            self.begin(plain(Step::ReadPinned), true);
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
            self.begin(Task::new(Step::ReadPinned, party, Then::OpenPaid), true);
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

    pub fn list(&mut self, party: Party) {
        let at = party as usize;
        let pg = &self.state.pg;
        let has_waited = |other: &Party| pg.entries[*other as usize] != Entry::None;
        let before = (0..party).filter(|other| self.bounds.waits[*other as usize] > 0);
        if self.bounds.waits[at] > 0
            && !has_waited(&party)
            && before.into_iter().all(|other| has_waited(&other))
        {
            self.begin(Task::new(Step::Join, party, Then::Nothing), false);
        }
        if pg.open_offer(party).is_some() {
            self.begin(Task::new(Step::LookAtOffer, party, Then::Nothing), true);
        }
    }

    /// What is begun for the whole event, and what time does.
    pub fn house(&mut self) {
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
        if differs
            && !self.bounds.is_broken(Guard::ComparesLists)
            && self.in_flight(agrees) < self.bounds.rounds
        {
            self.begin(plain(Step::ReadWaits), true);
        }
        if self.state.pg.waits && self.in_flight(waiting::is_serving) < self.bounds.rounds {
            self.begin(plain(Step::ReadNews), true);
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
