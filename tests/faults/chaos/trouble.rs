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

/// The troubles of one round. Some rounds leave Redis' memory alone: in these, no hold may be lost.
pub fn plan(topology: Topology, seed: u64, round: u64, storm: Duration) -> Vec<Planned> {
    let mut dice = Dice::of(seed, round, 1);
    let gentle = dice.percent(40);
    let all: Vec<_> = Trouble::all(topology)
        .into_iter()
        .filter(|trouble| !(gentle && trouble.loses_holds(topology)))
        .collect();
    let many = 4 + dice.below(8);
    let span = u64::try_from(storm.as_millis()).expect("a storm is short");
    let mut planned: Vec<_> = (0..many)
        .map(|_| Planned {
            at: dice.millis(0, span * 8 / 10),
            lasts: dice.millis(300, 4000),
            trouble: all[dice.below(all.len())],
            dice: Dice::of(seed, round, dice.next()),
        })
        .collect();
    planned.sort_by_key(|planned| planned.at);
    planned
}
