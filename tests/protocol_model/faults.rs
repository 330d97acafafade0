//! What may go wrong, each as often as the bounds say.

use super::choices::{Choices, parties};
use super::redis::{Life, Redis};
use super::state::{HOUSE, Intent, State};
use super::step::Step;
use super::waiting;

impl Choices<'_> {
    pub fn faults(&mut self) {
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
            && let Some(slot) =
                self.state.tasks.iter().position(|task| task.is_some_and(|task| task.rebuilds))
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
        for party in parties() {
            let (order, at) = (self.state.pg.orders[party as usize], party as usize);
            let is_closed = order.is_some_and(|order| !order.state.is_open());
            if left.late_payments > 0 && is_closed && self.state.stripe.intents[at] == Intent::Canceled {
                self.add(Step::PaidLate, party, false, |state| {
                    state.left.late_payments -= 1;
                    state.stripe.intents[at] = Intent::Succeeded;
                });
            }
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

fn dies(state: &mut State, slot: usize) {
    let Some(task) = state.tasks[slot].take() else { return };
    if task.rebuilds && !task.lost {
        state.pg.rebuilding = false;
    }
    state.tasks.sort_unstable();
}
