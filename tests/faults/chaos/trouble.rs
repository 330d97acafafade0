//! What can go wrong, and when: a plan that a seed decides.

use std::time::Duration;

use super::dice::Dice;
use crate::stand::Topology;

/// One kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trouble {
    /// A node dies as by `kill -9`, and another takes its place.
    NodeDies,
    /// A node sleeps, and goes on as if nothing had been.
    NodeSleeps,
    /// A node is stopped politely and started again.
    NodeRestarts,
    /// A node dies right before or after a step between the stores.
    NodeDiesAtStep,
    /// A node's clock is wrong by up to an hour.
    NodeClockIsWrong,
    /// The wire from a node to Postgres.
    WireToPostgres,
    /// The wire from a node to Stripe.
    WireToStripe,
    /// The wire to a Redis.
    WireToRedis,
    /// A Redis dies and comes back empty, or is replaced.
    RedisDies,
    RedisSleeps,
    /// Everything in Redis is deleted.
    RedisIsFlushed,
    /// A third of an event's keys are deleted, its marker among them or not.
    RedisLosesKeys,
    /// Redis forgets its scripts, again and again.
    RedisForgetsScripts,
    /// Redis makes its clients wait.
    RedisPauses,
    /// Redis takes nothing more.
    RedisIsFull,
    /// Redis' clock jumps ahead: every hold is over.
    RedisClockJumps,
    /// Holds lose their time.
    RedisHoldsStay,
    /// A replica takes over by an operator's word.
    RedisFailsOver,
    /// A master dies with writes that its replica never got.
    RedisLosesWrites,
    /// The slot of an event moves to another master.
    SlotMoves,
    /// Postgres crashes and recovers.
    PostgresCrashes,
    /// Postgres is replaced by its standby.
    PostgresFailsOver,
    PostgresSleeps,
    /// Every connection to Postgres ends.
    PostgresHangsUp,
    /// Somebody holds a lock on the orders.
    PostgresIsLocked,
    /// Stripe answers 500, 429, 503, late or not at all, before or after it did what it was asked.
    StripeFails,
    StripeIsSlow,
    WebhooksAreLost,
    WebhooksAreDoubled,
    WebhooksAreShuffled,
    WebhooksAreLate,
    RefundsTakeTime,
    WebhooksFindNobody,
}

impl Trouble {
    const EVERYWHERE: [Self; 29] = [
        Self::NodeDies,
        Self::NodeSleeps,
        Self::NodeRestarts,
        Self::NodeDiesAtStep,
        Self::NodeClockIsWrong,
        Self::WireToPostgres,
        Self::WireToStripe,
        Self::WireToRedis,
        Self::RedisDies,
        Self::RedisSleeps,
        Self::RedisIsFlushed,
        Self::RedisLosesKeys,
        Self::RedisForgetsScripts,
        Self::RedisPauses,
        Self::RedisIsFull,
        Self::RedisClockJumps,
        Self::RedisHoldsStay,
        Self::PostgresCrashes,
        Self::PostgresFailsOver,
        Self::PostgresSleeps,
        Self::PostgresHangsUp,
        Self::PostgresIsLocked,
        Self::StripeFails,
        Self::StripeIsSlow,
        Self::WebhooksAreLost,
        Self::WebhooksAreDoubled,
        Self::WebhooksAreShuffled,
        Self::WebhooksAreLate,
        Self::RefundsTakeTime,
    ];

    pub fn all(topology: Topology) -> Vec<Self> {
        let mut all = Self::EVERYWHERE.to_vec();
        all.push(Self::WebhooksFindNobody);
        match topology {
            Topology::Single => {}
            Topology::Sentinel => all.extend([Self::RedisFailsOver, Self::RedisLosesWrites]),
            Topology::Cluster => {
                all.extend([Self::RedisFailsOver, Self::RedisLosesWrites, Self::SlotMoves]);
            }
        }
        all
    }

    /// Whether Redis may lose holds by it: then a hold is no more than the courtesy that it is.
    pub fn loses_holds(self, topology: Topology) -> bool {
        match self {
            Self::RedisDies
            | Self::RedisIsFlushed
            | Self::RedisLosesKeys
            | Self::RedisClockJumps
            | Self::RedisFailsOver
            | Self::RedisLosesWrites => true,
            // Whoever is not heard of is replaced, and replication is not waited for.
            Self::RedisSleeps | Self::WireToRedis | Self::RedisPauses => topology != Topology::Single,
            _ => false,
        }
    }

    /// Whether a node may be unable to tell Redis what Postgres has decided.
    pub fn keeps_from_telling(self) -> bool {
        matches!(
            self,
            Self::NodeDies
                | Self::NodeDiesAtStep
                | Self::NodeSleeps
                | Self::NodeRestarts
                | Self::RedisSleeps
                | Self::RedisPauses
                | Self::RedisIsFull
                | Self::WireToRedis
        )
    }

    pub fn name(self) -> String {
        format!("{self:?}")
    }
}

/// Trouble, its time, and the rest of its choices.
#[derive(Debug, Clone)]
pub struct Planned {
    pub at: Duration,
    pub lasts: Duration,
    pub trouble: Trouble,
    pub dice: Dice,
}

/// The kinds that a round may draw from. Each is drawn once before any is drawn again.
#[derive(Debug, Clone)]
struct Deck {
    kinds: Vec<Trouble>,
    left: Vec<Trouble>,
    drawn: usize,
    dice: Dice,
}

impl Deck {
    fn new(kinds: Vec<Trouble>, dice: Dice) -> Self {
        Self { kinds, left: vec![], drawn: 0, dice }
    }

    fn draw(&mut self) -> Trouble {
        if self.left.is_empty() {
            self.left.clone_from(&self.kinds);
        }
        self.drawn += 1;
        let at = self.dice.below(self.left.len());
        self.left.swap_remove(at)
    }

    /// Whether this one has been drawn from less than the other, each for its size.
    fn is_behind(&self, other: &Self) -> bool {
        self.drawn * other.kinds.len() < other.drawn * self.kinds.len()
    }
}

/// Two decks: what loses holds, and the rest.
#[derive(Debug, Clone)]
struct Decks {
    harsh: Deck,
    mild: Deck,
}

impl Decks {
    fn of(topology: Topology, seed: u64) -> Self {
        let (harsh, mild) =
            Trouble::all(topology).into_iter().partition(|trouble| trouble.loses_holds(topology));
        Self { harsh: Deck::new(harsh, Dice::of(seed, 0, 5)), mild: Deck::new(mild, Dice::of(seed, 0, 6)) }
    }

    /// What goes wrong in a round. Some rounds leave Redis' memory alone: in these, no hold may be lost.
    fn round(&mut self, seed: u64, round: u64) -> Vec<Trouble> {
        let mut dice = Dice::of(seed, round, 1);
        let gentle = dice.percent(40);
        let many = 4 + dice.below(8);
        let draw = |_| {
            // Not all at once: whatever loses holds is worst in the middle of something else.
            let harsh = !gentle && self.harsh.is_behind(&self.mild) && dice.percent(60);
            if harsh { self.harsh.draw() } else { self.mild.draw() }
        };
        (0..many).map(draw).collect()
    }
}

/// The troubles of one round: they follow from the seed and the number of the round alone.
pub fn plan(topology: Topology, seed: u64, round: u64, storm: Duration) -> Vec<Planned> {
    let mut decks = Decks::of(topology, seed);
    for before in 1..round {
        decks.round(seed, before);
    }
    let mut dice = Dice::of(seed, round, 7);
    let span = u64::try_from(storm.as_millis()).expect("a storm is short");
    let mut planned: Vec<_> = (decks.round(seed, round).into_iter())
        .map(|trouble| Planned {
            at: dice.millis(0, span * 8 / 10),
            lasts: dice.millis(300, 4000),
            trouble,
            dice: Dice::of(seed, round, dice.next()),
        })
        .collect();
    planned.sort_by_key(|planned| planned.at);
    planned
}

/// What these rounds have to have tried: of a deck that was gone through twice, every kind, wherever they began.
pub fn due(topology: Topology, seed: u64, first: u64, last: u64) -> Vec<Trouble> {
    let mut decks = Decks::of(topology, seed);
    for round in 1..first {
        decks.round(seed, round);
    }
    let before = decks.clone();
    for round in first..=last {
        decks.round(seed, round);
    }
    [(&before.harsh, &decks.harsh), (&before.mild, &decks.mild)]
        .into_iter()
        .filter(|(before, after)| after.drawn - before.drawn >= 2 * after.kinds.len())
        .flat_map(|(_, after)| after.kinds.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const TOPOLOGIES: [Topology; 3] = [Topology::Single, Topology::Sentinel, Topology::Cluster];

    #[test]
    fn whatever_is_due_was_planned_wherever_one_begins() {
        for topology in TOPOLOGIES {
            for seed in 0..40 {
                for (first, last) in [(1, 12), (1, 25), (4, 20), (9, 40)] {
                    let planned: BTreeSet<_> = (first..=last)
                        .flat_map(|round| plan(topology, seed, round, Duration::from_secs(14)))
                        .map(|planned| planned.trouble)
                        .collect();
                    for trouble in due(topology, seed, first, last) {
                        assert!(planned.contains(&trouble), "{trouble:?}, seed {seed}, {first} to {last}");
                    }
                }
            }
        }
    }

    #[test]
    fn half_an_hour_owes_every_kind() {
        for topology in TOPOLOGIES {
            for seed in 0..200 {
                let all: BTreeSet<_> = Trouble::all(topology).into_iter().collect();
                let due: BTreeSet<_> = due(topology, seed, 1, 25).into_iter().collect();
                assert_eq!(due, all, "seed {seed}");
            }
        }
    }
}
