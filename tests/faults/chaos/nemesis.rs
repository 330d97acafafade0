//! Makes the planned trouble, and ends it.

use std::time::{Duration, Instant};

use holdfast::proof::{self, Fate, Side, Step, Stop};
use holdfast::sandbox::{CallFault, Endpoint, Faults, How, RefundMode, ReleaseOrder, WebhookFaults, When};
use sqlx::{Connection as _, PgConnection};

use super::dice::Dice;
use super::storm::{Storm, Wire};
use super::trouble::{Planned, Trouble};
use crate::stand::{Topology, Weather};

/// How trouble that was made is counted, and trouble that came to nothing.
pub const TROUBLE: &str = "trouble";
pub const IN_VAIN: &str = "trouble that came to nothing";

/// What is to be undone, and when.
struct Undo {
    at: Instant,
    what: Undoing,
}

/// What came of trouble that was planned.
enum Came {
    /// It lasts until this is done.
    Lasting(Undoing),
    /// It was made, and is over.
    Over,
    /// What it was to hit was down already, or did not obey.
    ToNothing,
}

impl Came {
    fn over_if(made: bool) -> Self {
        if made { Self::Over } else { Self::ToNothing }
    }

    fn lasting_if(made: bool, until: Undoing) -> Self {
        if made { Self::Lasting(until) } else { Self::ToNothing }
    }
}

enum Undoing {
    StartNode(usize),
    WakeNode(usize),
    FairWire(usize, Wire),
    FairRedis(usize),
    StartRedis(usize),
    WakeRedis(usize),
    RoomInRedis,
    WakePostgres,
    CalmStripe,
    Front,
}

impl Storm {
    /// Does everything in the plan at its time or as soon as it can, and undoes each when it has lasted.
    pub async fn makes_trouble(&mut self, plan: &[Planned], began: Instant, ends: Instant) {
        let mut undo: Vec<Undo> = Vec::new();
        let mut next = plan.iter().peekable();
        while Instant::now() < ends || next.peek().is_some() {
            self.looks_after_nodes();
            let now = Instant::now();
            if let Some(planned) = next.next_if(|planned| began + planned.at <= now) {
                self.done.push(planned.trouble);
                let from = self.scene().history.now();
                let came = self.does(planned.trouble, planned.dice.clone(), planned.lasts).await;
                let kind = if matches!(came, Came::ToNothing) { IN_VAIN } else { TROUBLE };
                self.tally.count(kind, &planned.trouble.name());
                if planned.trouble.loses_holds(self.topology) {
                    self.lossy.push(from);
                }
                if planned.trouble.keeps_from_telling() {
                    self.untold.push(from);
                }
                if let Came::Lasting(what) = came {
                    undo.push(Undo { at: Instant::now() + planned.lasts, what });
                }
                continue;
            }
            let due: Vec<Undo> = undo.extract_if(.., |undo| undo.at <= now).collect();
            for one in due {
                self.undoes(one.what).await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn does(&mut self, trouble: Trouble, mut dice: Dice, lasts: Duration) -> Came {
        let node = dice.below(self.nodes.len());
        match trouble {
            Trouble::NodeDies | Trouble::NodeSleeps | Trouble::NodeRestarts
                if !self.nodes[node].node.runs() =>
            {
                Came::ToNothing
            }
            Trouble::NodeDies => {
                self.nodes[node].node.kill();
                Came::Lasting(Undoing::StartNode(node))
            }
            Trouble::NodeSleeps => {
                self.nodes[node].node.freeze();
                Came::Lasting(Undoing::WakeNode(node))
            }
            Trouble::NodeRestarts => {
                let sick = &mut self.nodes[node].node;
                sick.thaw();
                tokio::task::block_in_place(|| sick.stop());
                Came::Lasting(Undoing::StartNode(node))
            }
            Trouble::NodeDiesAtStep => {
                let stop = Stop {
                    step: dice.one_of(&Step::ALL),
                    side: dice.one_of(&[Side::Before, Side::After]),
                    fate: Fate::Die,
                    nth: 1 + u32::try_from(dice.below(4)).expect("small"),
                };
                let armed = self.nodes[node].node.settings.clone().with(proof::STOP_AT, stop);
                self.nodes[node].restart_with(armed);
                self.nodes[node].may_end = true;
                Came::Lasting(Undoing::StartNode(node))
            }
            Trouble::NodeClockIsWrong => {
                let seconds = dice.one_of(&[-3600, -120, -15, 15, 120, 3600]);
                let settings = self.nodes[node].node.settings.clone();
                let may_end = self.nodes[node].may_end;
                self.nodes[node].restart_with(super::storm::with_wrong_clock(settings, seconds));
                // If it was to end at a step, it still is.
                self.nodes[node].may_end = may_end;
                Came::Lasting(Undoing::StartNode(node))
            }
            Trouble::WireToPostgres => self.spoil(node, Wire::Postgres, &mut dice),
            Trouble::WireToStripe => self.spoil(node, Wire::Stripe, &mut dice),
            Trouble::WireToRedis => {
                if self.topology == Topology::Single {
                    return self.spoil(node, Wire::Redis, &mut dice);
                }
                let at = dice.below(self.memory.instances.len());
                self.memory.instances[at].wire.weather(weather(&mut dice));
                Came::Lasting(Undoing::FairRedis(at))
            }
            Trouble::PostgresCrashes => {
                self.database.crash_and_restart().await;
                Came::Over
            }
            Trouble::PostgresFailsOver => Came::over_if(self.fail_over().await),
            Trouble::PostgresSleeps => {
                self.database.freeze_primary();
                Came::Lasting(Undoing::WakePostgres)
            }
            Trouble::PostgresHangsUp => Came::over_if(
                self.tell_postgres(
                    "select pg_terminate_backend(pid) from pg_stat_activity
                      where backend_type = 'client backend' and pid <> pg_backend_pid()",
                )
                .await,
            ),
            Trouble::PostgresIsLocked => {
                self.lock_orders(lasts);
                Came::Over
            }
            Trouble::StripeFails
            | Trouble::StripeIsSlow
            | Trouble::WebhooksAreLost
            | Trouble::WebhooksAreDoubled
            | Trouble::WebhooksAreShuffled
            | Trouble::WebhooksAreLate
            | Trouble::RefundsTakeTime => {
                let before = self.house.sandbox.controls().faults();
                let faults = Faults { seed: Some(dice.next()), ..stripe(trouble, before, &mut dice) };
                self.house.sandbox.controls().set_faults(faults);
                Came::Lasting(Undoing::CalmStripe)
            }
            Trouble::WebhooksFindNobody => {
                self.house.front.weather(weather(&mut dice));
                Came::Lasting(Undoing::Front)
            }
            _ => self.does_to_redis(trouble, dice, lasts).await,
        }
    }

    /// A node ends when it is made to, and never by itself.
    pub fn looks_after_nodes(&mut self) {
        for seat in &mut self.nodes {
            let Some(ended) = seat.node.ended().filter(|_| !seat.may_end) else { continue };
            let name = &seat.node.name;
            self.wrong_now.push(format!("{name} ended by itself ({ended}):\n{}", seat.node.last_words()));
            seat.may_end = true;
        }
    }

    fn spoil(&mut self, node: usize, wire: Wire, dice: &mut Dice) -> Came {
        let Some(spoilt) = self.nodes[node].wire(wire) else { return Came::ToNothing };
        spoilt.weather(weather(dice));
        Came::Lasting(Undoing::FairWire(node, wire))
    }

    /// Which master is hit: of a Cluster's mostly one that has an event of this round.
    async fn victim(&self, masters: &[usize], dice: &mut Dice) -> Option<usize> {
        let mut busy = Vec::new();
        if self.topology == Topology::Cluster && dice.percent(75) {
            for &at in masters {
                for event in &self.scene().events {
                    if self.memory.keeps(at, &format!("meta:{{{}}}", event.id)).await {
                        busy.push(at);
                    }
                }
            }
        }
        let all = if busy.is_empty() { masters } else { &busy };
        (!all.is_empty()).then(|| dice.one_of(all))
    }

    async fn does_to_redis(&mut self, trouble: Trouble, mut dice: Dice, lasts: Duration) -> Came {
        let masters = self.memory.masters().await;
        let Some(at) = self.victim(&masters, &mut dice).await else { return Came::ToNothing };
        match trouble {
            Trouble::RedisDies => {
                self.memory.instances[at].kill();
                Came::Lasting(Undoing::StartRedis(at))
            }
            Trouble::RedisSleeps => {
                self.memory.instances[at].freeze();
                Came::Lasting(Undoing::WakeRedis(at))
            }
            Trouble::RedisIsFlushed => {
                let mut flushed = false;
                for master in masters {
                    flushed |= self.memory.instances[master].obeys(&["FLUSHALL"]).await;
                }
                Came::over_if(flushed)
            }
            Trouble::RedisForgetsScripts => {
                let (began, mut forgotten) = (Instant::now(), false);
                while began.elapsed() < lasts.min(Duration::from_secs(2)) {
                    for &master in &masters {
                        forgotten |= self.memory.instances[master].obeys(&["SCRIPT", "FLUSH"]).await;
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Came::over_if(forgotten)
            }
            Trouble::RedisPauses => {
                let millis = lasts.as_millis().to_string();
                let what = dice.one_of(&["WRITE", "ALL"]);
                Came::over_if(self.memory.instances[at].obeys(&["CLIENT", "PAUSE", &millis, what]).await)
            }
            Trouble::RedisIsFull => {
                let full = self.memory.instances[at].obeys(&["CONFIG", "SET", "maxmemory", "1mb"]).await;
                Came::lasting_if(full, Undoing::RoomInRedis)
            }
            Trouble::RedisLosesKeys => {
                let (third, marker) = (1 + dice.below(3), dice.percent(50));
                Came::over_if(self.memory.delete_some(third, marker).await)
            }
            Trouble::RedisClockJumps => Came::over_if(self.memory.each_flag(&["PEXPIRE", "1"]).await),
            Trouble::RedisHoldsStay => Came::over_if(self.memory.each_flag(&["PERSIST"]).await),
            Trouble::RedisFailsOver => Came::over_if(self.memory.promote(at).await),
            Trouble::RedisLosesWrites => {
                let lost = self.memory.lose_writes(at, Duration::from_millis(800)).await;
                Came::lasting_if(lost, Undoing::StartRedis(at))
            }
            Trouble::SlotMoves => {
                let key = format!("{{{}}}", self.scene().events[0].id);
                Came::over_if(self.memory.move_slot(&key, &mut || dice.below(3)).await)
            }
            other => unreachable!("{other:?} is no trouble of Redis'"),
        }
    }

    async fn undoes(&mut self, what: Undoing) {
        match what {
            Undoing::StartNode(node) => self.nodes[node].comes_back(),
            Undoing::WakeNode(node) => self.nodes[node].node.thaw(),
            Undoing::FairWire(node, wire) => {
                if let Some(wire) = self.nodes[node].wire(wire) {
                    wire.weather(Weather::FAIR);
                }
            }
            Undoing::FairRedis(at) => self.memory.instances[at].wire.weather(Weather::FAIR),
            Undoing::StartRedis(at) => {
                if !self.memory.instances[at].runs() {
                    self.memory.instances[at].start().await;
                }
            }
            Undoing::WakeRedis(at) => self.memory.instances[at].thaw(),
            Undoing::RoomInRedis => {
                for instance in &self.memory.instances {
                    instance.ask::<String>(&["CONFIG", "SET", "maxmemory", "0"]).await;
                }
            }
            Undoing::WakePostgres => self.database.thaw_primary(),
            Undoing::CalmStripe => self.calm_stripe(),
            Undoing::Front => self.house.front.weather(Weather::FAIR),
        }
    }

    /// Stripe has a good day again, and tells what it had kept to itself.
    pub fn calm_stripe(&self) {
        let controls = self.house.sandbox.controls();
        // Who is told last is drawn from the seed, too.
        controls.set_faults(Faults { seed: controls.faults().seed, ..Faults::default() });
        controls.release(ReleaseOrder::Shuffled);
    }

    async fn tell_postgres(&self, words: &'static str) -> bool {
        let url = self.database.direct_url(&self.house.name);
        let told = async {
            let mut db = PgConnection::connect(&url).await?;
            sqlx::query(words).execute(&mut db).await
        };
        // A Postgres that sleeps is in trouble enough.
        matches!(tokio::time::timeout(Duration::from_secs(2), told).await, Ok(Ok(_)))
    }

    fn lock_orders(&self, lasts: Duration) {
        let url = self.database.direct_url(&self.house.name);
        tokio::spawn(async move {
            let held = async {
                let mut db = PgConnection::connect(&url).await?;
                let mut tx = db.begin().await?;
                sqlx::query("lock table orders in access exclusive mode").execute(&mut *tx).await?;
                tokio::time::sleep(lasts).await;
                tx.rollback().await
            };
            let _ = tokio::time::timeout(lasts + Duration::from_secs(3), held).await;
        });
    }
}

fn weather(dice: &mut Dice) -> Weather {
    match dice.below(5) {
        0 => Weather::CUT,
        1 => Weather::SILENT,
        2 => Weather::NO_ANSWERS,
        3 => Weather::slow(dice.millis(20, 400)),
        _ => Weather::narrow(2000),
    }
}

fn stripe(trouble: Trouble, before: Faults, dice: &mut Dice) -> Faults {
    match trouble {
        Trouble::StripeFails => {
            let fault = CallFault {
                on: dice.one_of(&[
                    Endpoint::All,
                    Endpoint::Create,
                    Endpoint::Cancel,
                    Endpoint::Refund,
                    Endpoint::Retrieve,
                    Endpoint::List,
                ]),
                how: dice.one_of(&[
                    How::Broken,
                    How::TooMany,
                    How::Away,
                    How::Stored,
                    How::Reset,
                    How::Silence,
                ]),
                when: dice.one_of(&[When::Before, When::After]),
                next: None,
                probability: Some(dice.one_of(&[0.2, 0.6, 1.0])),
                retry_after: None,
            };
            Faults { calls: vec![fault], ..before }
        }
        Trouble::StripeIsSlow => Faults { delay_ms: dice.one_of(&[200, 1000, 5000]), ..before },
        Trouble::WebhooksAreLost => hooks(before, |hooks| hooks.drop = true),
        Trouble::WebhooksAreDoubled => hooks(before, |hooks| hooks.duplicate = 3),
        Trouble::WebhooksAreShuffled => hooks(before, |hooks| hooks.shuffle = true),
        Trouble::WebhooksAreLate => hooks(before, |hooks| hooks.hold = true),
        _ => Faults {
            refunds: dice.one_of(&[RefundMode::Pending, RefundMode::FailLater]),
            settle_after_ms: Some(1500),
            ..before
        },
    }
}

fn hooks(before: Faults, change: impl FnOnce(&mut WebhookFaults)) -> Faults {
    let mut webhooks = before.webhooks.clone();
    change(&mut webhooks);
    Faults { webhooks, ..before }
}
