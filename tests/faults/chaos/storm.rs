//! Rounds of trouble on one stand: people come, things go wrong, everything is mended, and all promises are asked.

use std::any::Any;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use holdfast::proof;
use serde_json::json;
use tokio::task::JoinSet;

use super::customer::Customer;
use super::dice::Dice;
use super::history::History;
use super::liveness::MOST_SEATS;
use super::nemesis::TROUBLE;
use super::organiser::Organiser;
use super::register::At;
use super::scene::{Event, Scene, text};
use super::tally::Tally;
use super::trouble::{Trouble, due, plan};
use crate::stand::{Database, House, Memory, Node, NodeSettings, Proxy, Topology, Weather, nodes_url};

/// What somebody asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub topology: Topology,
    pub seed: u64,
    pub lasts: Duration,
    /// Where to begin: each round stands for itself, so one that failed can be had again at once.
    pub round: u64,
    /// A guard that the nodes go without, to see the storm find it out.
    pub bug: Option<String>,
}

const NODES: usize = 2;
const CUSTOMERS: u64 = 10;
pub const KEY_SPACE: u32 = 1;
const HOLD_SECONDS: u64 = 5;
const PAYMENT_SECONDS: u64 = 4;
/// How long things go wrong in a round.
const STORM: Duration = Duration::from_secs(14);

/// From a node to one of the stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    Postgres,
    Stripe,
    Redis,
}

/// A node and its own wires.
#[derive(Debug)]
pub struct Seat {
    pub node: Node,
    /// What it is told when nothing is wrong with it.
    plain: NodeSettings,
    postgres: Proxy,
    stripe: Proxy,
    redis: Option<Proxy>,
    /// Whether it was told to end at a step, or its end has been noted.
    pub may_end: bool,
}

impl Seat {
    pub fn wire(&self, wire: Wire) -> Option<&Proxy> {
        match wire {
            Wire::Postgres => Some(&self.postgres),
            Wire::Stripe => Some(&self.stripe),
            Wire::Redis => self.redis.as_ref(),
        }
    }

    /// Ends it and starts it with other words.
    pub fn restart_with(&mut self, settings: NodeSettings) {
        self.node.kill();
        self.node.settings = settings;
        self.node.launch();
        self.may_end = false;
    }

    /// It runs as it should, whatever was done to it.
    pub fn comes_back(&mut self) {
        let changed = self.node.settings != self.plain;
        if changed || !self.node.runs() {
            self.restart_with(self.plain.clone());
        }
        self.node.thaw();
    }
}

pub struct Storm {
    pub topology: Topology,
    pub memory: Memory,
    pub database: Database,
    pub house: Arc<House>,
    pub nodes: Vec<Seat>,
    pub tally: Arc<Tally>,
    /// When holds began to be in danger in this round.
    pub lossy: Vec<At>,
    /// When something began that keeps a node from telling Redis.
    pub untold: Vec<At>,
    scene: Option<Arc<Scene>>,
    /// What was done in this round.
    pub done: Vec<Trouble>,
    /// What was not as promised in this round, before anybody asked.
    pub wrong_now: Vec<String>,
    /// What was not as promised, over all rounds.
    pub wrong: Vec<String>,
    pub deeds: usize,
    pub looks: usize,
    /// How far each node's log has been read.
    pub logs_read: HashMap<String, usize>,
}

/// What came of it all.
pub struct Outcome {
    pub wrong: Vec<String>,
    pub text: String,
    pub tally: Arc<Tally>,
}

/// Rounds until the time is over; ends with the first in which something was not as promised.
pub async fn run(wanted: Wanted) -> Outcome {
    let began = Instant::now();
    println!("storm on {} with seed {}", wanted.topology.name(), wanted.seed);
    let mut storm = Storm::gathers(&wanted).await;
    let mut round = wanted.round;
    loop {
        println!("round {round}; once more: {}", wanted.once_more(round));
        // Whatever gives up on the way is a failure of this round, and leaves what a failure leaves.
        if let Err(cause) = AssertUnwindSafe(storm.round(wanted.seed, round)).catch_unwind().await {
            storm.wrong.push(format!("round {round}: somebody gave up: {}", words(&*cause)));
            storm.scene().over.cancel();
        }
        if began.elapsed() >= wanted.lasts || !storm.wrong.is_empty() {
            break;
        }
        round += 1;
    }
    if storm.wrong.is_empty() {
        storm.wrong = storm.what_was_left_out(&wanted, round);
    }
    let text = storm.report(&wanted, round, began.elapsed());
    for seat in &mut storm.nodes {
        tokio::task::block_in_place(|| seat.node.stop());
    }
    Outcome { wrong: storm.wrong, text, tally: storm.tally }
}

impl Wanted {
    pub fn once_more(&self, round: u64) -> String {
        let bug = self.bug.as_ref().map_or_else(String::new, |bug| format!(" --bug {bug}"));
        let (topology, seed) = (self.topology.name(), self.seed);
        format!("script/chaos --topology {topology} --seed {seed} --round {round} --minutes 0{bug}")
    }
}

fn words(cause: &(dyn Any + Send)) -> &str {
    let owned = cause.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| cause.downcast_ref::<&str>().copied()).unwrap_or("without a word")
}

impl Storm {
    async fn gathers(wanted: &Wanted) -> Self {
        let topology = wanted.topology;
        let memory = Memory::start(topology).await;
        let database = Database::start_with_standby().await;
        let house = House::open("storm", &database, &memory, KEY_SPACE, |settings| {
            let settings = match &wanted.bug {
                Some(bug) => settings.with(proof::BUG, bug),
                None => settings,
            };
            settings
                .with("HOLD_SECONDS", HOLD_SECONDS)
                .with("PAYMENT_SECONDS", PAYMENT_SECONDS)
                // Longer than a node that dies keeps what it had begun from the others: until then a seat that was paid for
                // has no mark in Redis but its flag.
                .with("GRACE_SECONDS", 20)
                .with("OFFER_SECONDS", 4)
        })
        .await;
        let mut nodes = Vec::new();
        for number in 0..NODES {
            let postgres = database.another_wire().await;
            let stripe = Proxy::to(house.sandbox.addr()).await;
            let mut settings = house
                .settings
                .clone()
                .with("DATABASE_URL", nodes_url(postgres.addr, &house.name))
                .with("STRIPE_API_URL", format!("http://{}", stripe.addr));
            let mut redis = None;
            if topology == Topology::Single {
                let wire = memory.another_wire().await;
                settings = settings.with("REDIS_URL", format!("redis://{}/{KEY_SPACE}", wire.addr));
                redis = Some(wire);
            }
            let mut node = house.node(&format!("node-{number}"));
            node.settings = settings.with("LISTEN_ADDR", node.addr);
            node.start().await;
            nodes.push(Seat { plain: node.settings.clone(), node, postgres, stripe, redis, may_end: false });
        }
        let all: Vec<_> = nodes.iter().map(|seat| &seat.node).collect();
        house.is_served_by(&all).await;
        Self {
            topology,
            memory,
            database,
            house: Arc::new(house),
            nodes,
            tally: Arc::default(),
            lossy: vec![],
            untold: vec![],
            scene: None,
            done: vec![],
            wrong_now: vec![],
            wrong: vec![],
            deeds: 0,
            looks: 0,
            logs_read: HashMap::new(),
        }
    }

    pub fn scene(&self) -> &Arc<Scene> {
        self.scene.as_ref().expect("a round is on")
    }

    async fn round(&mut self, seed: u64, round: u64) {
        let plan = plan(self.topology, seed, round, STORM);
        println!("  {:?}", plan.iter().map(|one| one.trouble).collect::<Vec<_>>());
        self.lossy.clear();
        self.untold.clear();
        self.done.clear();
        let scene = self.sets_the_scene(seed, round).await;
        let mut people = JoinSet::new();
        for number in 0..CUSTOMERS {
            let person = self.house.customer(&self.house.pg(&self.database)).await;
            let customer = Customer::new(Arc::clone(&scene), person, Dice::of(seed, round, 100 + number));
            people.spawn(customer.lives());
        }
        let organiser = Organiser {
            scene: Arc::clone(&scene),
            person: self.house.organiser(),
            dice: Dice::of(seed, round, 2),
            cancels: Dice::of(seed, round, 3).percent(30),
        };
        let organiser = tokio::spawn(organiser.runs());

        let began = Instant::now();
        self.makes_trouble(&plan, began, began + STORM).await;
        self.heals(&scene).await;
        scene.over.cancel();
        let mut customers = people.join_all().await;
        organiser.await.expect("the organiser goes home");
        let verdict = self.asks_everything(&scene, &mut customers).await;
        self.looks += scene.history.looks();
        self.deeds += scene.history.size() - scene.history.looks();
        for wrong in std::mem::take(&mut self.wrong_now).into_iter().chain(verdict) {
            println!("WRONG: {wrong}");
            self.wrong.push(format!("round {round}: {wrong}"));
        }
    }

    /// A house to fight over, and one where people stand.
    async fn sets_the_scene(&mut self, seed: u64, round: u64) -> Arc<Scene> {
        let mut events = Vec::new();
        let waits = Dice::of(seed, round, 4).percent(50);
        for (title, rows) in [("The Tempest", 2), ("The Storm", 3)] {
            let rows: Vec<_> = (1..=rows).map(|row| json!({ "name": row.to_string(), "seats": 6 })).collect();
            let event = self
                .house
                .event(json!({
                    "title": format!("{title} {round}"), "starts_at": "2031-05-01T19:00:00Z",
                    "currency": "eur", "orphan_rule": false, "max_per_customer": MOST_SEATS,
                    "categories": [{ "key": "gold", "name": "Stalls", "price": 4800 }],
                    "sections": [{ "key": "stalls", "name": "Stalls", "category": "gold", "rows": rows }],
                    "waitlist": waits,
                }))
                .await;
            let seats = rows
                .iter()
                .flat_map(|row| (1..=6).map(move |seat| format!("stalls-{}-{seat}", text(row, "name"))))
                .collect();
            let id = text(&event, "id").to_owned();
            events.push(Event { id, seats, waits, cancelled: std::sync::Mutex::new(false) });
        }
        let scene = Arc::new(Scene {
            house: Arc::clone(&self.house),
            history: History::new(),
            tally: Arc::clone(&self.tally),
            events,
            called_off: std::sync::Mutex::default(),
            over: tokio_util::sync::CancellationToken::new(),
        });
        self.scene = Some(Arc::clone(&scene));
        scene
    }

    /// The standby takes over, every wire leads there, and another standby is made when all is calm. Where there is none, the
    /// primary only crashes, and the answer is no.
    pub async fn fail_over(&mut self) -> bool {
        self.database.thaw_primary();
        if !self.database.has_standby() {
            self.database.crash_and_restart().await;
            return false;
        }
        self.database.fail_over().await;
        let primary = vec![self.database.primary_address()];
        for seat in &self.nodes {
            seat.postgres.lead_to(primary.clone()).await;
        }
        true
    }

    /// A long storm that has left out a kind of trouble, or what it was to measure, has shown less than it says.
    fn what_was_left_out(&self, wanted: &Wanted, last: u64) -> Vec<String> {
        let due = due(self.topology, wanted.seed, wanted.round, last).into_iter();
        let mut left_out: Vec<_> = due
            .filter(|trouble| self.tally.of(TROUBLE, &trouble.name()) == 0)
            .map(|trouble| format!("{} never came to pass", trouble.name()))
            .collect();
        if last - wanted.round >= 10 && self.tally.times(super::liveness::GONE) == 0 {
            left_out.push("no hold was ever seen to end in time".to_owned());
        }
        left_out
    }

    /// Everything runs, every wire is fair, everybody is told the truth.
    async fn heals(&mut self, scene: &Scene) {
        let began = Instant::now();
        self.looks_after_nodes();
        self.database.thaw_primary();
        self.house.front.weather(Weather::FAIR);
        self.calm_stripe();
        for seat in &mut self.nodes {
            for wire in [Wire::Postgres, Wire::Stripe, Wire::Redis] {
                if let Some(wire) = seat.wire(wire) {
                    wire.weather(Weather::FAIR);
                }
            }
            seat.comes_back();
        }
        self.memory.heal().await;
        if !self.database.has_standby() {
            self.database.add_standby().await;
        }
        for seat in &mut self.nodes {
            seat.node.is_ready().await;
        }
        self.tally.took("everything runs again after the mending", began.elapsed());
        // What was lost before is found out within a reconciler's period.
        let now = scene.history.now();
        for &from in &self.lossy {
            scene.history.lost(from, now + 4000);
        }
        for &from in &self.untold {
            scene.history.untold(from, now + 4000);
        }
    }
}

/// A clock that is wrong by so many seconds, for one process.
pub fn with_wrong_clock(settings: NodeSettings, seconds: i64) -> NodeSettings {
    let library = [
        "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
        "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    ]
    .into_iter()
    .find(|path| Path::new(path).exists())
    .expect("script/setup tests installs faketime");
    settings
        .with("LD_PRELOAD", library)
        .with("FAKETIME", format!("{seconds:+}s"))
        .with("FAKETIME_DONT_FAKE_MONOTONIC", 1)
}
