//! Rounds of trouble on one stand: people come, things go wrong, everything is mended, and all promises are asked.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast::proof;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::crowd::{Customer, Event, Organiser, Scene, text};
use super::dice::Dice;
use super::history::History;
use super::register::At;
use super::tally::Tally;
use super::trouble::{Trouble, plan};
use crate::stand::{Database, House, Memory, Node, NodeSettings, Proxy, Topology, Weather, keep_the_logs};

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
const KEY_SPACE: u32 = 1;
const HOLD_SECONDS: u64 = 5;
const PAYMENT_SECONDS: u64 = 4;
/// How long things go wrong in a round.
const STORM: Duration = Duration::from_secs(14);
/// How long after everything was mended everything must be at rest: a hold, its payment, its grace, a lease of what a
/// node that died had begun, and a reconciler's period, on a machine that is busy.
const REST: Duration = Duration::from_secs(75);
/// Within this a customer who comes after everything was mended is served.
const SERVED: Duration = Duration::from_secs(20);

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
    scene: Option<Arc<Scene>>,
    /// What was not as promised, over all rounds.
    wrong: Vec<String>,
    deeds: usize,
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
    let mut storm = Storm::gathers(&wanted).await;
    let mut round = wanted.round;
    loop {
        storm.round(wanted.seed, round).await;
        if began.elapsed() >= wanted.lasts || !storm.wrong.is_empty() {
            break;
        }
        round += 1;
    }
    if !storm.wrong.is_empty() {
        keep_the_logs();
    }
    let text = storm.report(&wanted, round, began.elapsed());
    for seat in &mut storm.nodes {
        tokio::task::block_in_place(|| seat.node.stop());
    }
    Outcome { wrong: storm.wrong, text, tally: storm.tally }
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
                .with("GRACE_SECONDS", 4)
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
                .with("DATABASE_URL", format!("postgres://postgres@{}/{}", postgres.addr, house.name))
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
            nodes.push(Seat { plain: node.settings.clone(), node, postgres, stripe, redis });
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
            scene: None,
            wrong: vec![],
            deeds: 0,
        }
    }

    pub fn scene(&self) -> &Arc<Scene> {
        self.scene.as_ref().expect("a round is on")
    }

    async fn round(&mut self, seed: u64, round: u64) {
        let plan = plan(self.topology, seed, round, STORM);
        println!("round {round}: {:?}", plan.iter().map(|one| one.trouble).collect::<Vec<_>>());
        self.lossy.clear();
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
        self.deeds += scene.history.size().0;
        for wrong in verdict {
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
                    "currency": "eur", "orphan_rule": false, "max_per_customer": 12,
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
            events.push(Event { id, seats, cancelled: std::sync::Mutex::new(false) });
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

    /// The standby takes over, every wire leads there, and another standby is made when all is calm.
    pub async fn fail_over(&mut self) {
        self.database.thaw_primary();
        if !self.database.has_standby() {
            self.database.crash_and_restart().await;
            return;
        }
        self.database.fail_over().await;
        let primary = vec![self.database.primary_address()];
        for seat in &self.nodes {
            seat.postgres.lead_to(primary.clone()).await;
        }
    }

    /// Everything runs, every wire is fair, everybody is told the truth.
    async fn heals(&mut self, scene: &Scene) {
        let began = Instant::now();
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
    }

    async fn asks_everything(&mut self, scene: &Arc<Scene>, customers: &mut [Customer]) -> Vec<String> {
        let mended = Instant::now();
        let mut wrong = Vec::new();
        wrong.extend(self.somebody_is_served(scene, mended).await);
        wrong.extend(self.comes_to_rest(mended).await);
        for customer in &mut *customers {
            wrong.extend(self.everything_ended(scene, customer).await);
        }
        wrong.extend(scene.history.verdict());
        for (status, count) in scene.history.ends() {
            for _ in 0..count {
                self.tally.count("orders that ended", &status);
            }
        }
        let audit = self.house.audit(&self.database, &self.memory, KEY_SPACE).await;
        if !audit.status.success() {
            let said = [audit.stdout, audit.stderr].concat();
            wrong.push(format!("the audit:\n{}", String::from_utf8_lossy(&said)));
        }
        let pg = self.house.pg(&self.database);
        wrong.extend(self.house.homeless_money(&pg).await);
        wrong.extend(self.pictures_are_true(scene, &pg).await);
        pg.close().await;
        wrong
    }

    /// Liveness: whoever comes now gets a seat that is free, and it is confirmed.
    async fn somebody_is_served(&self, scene: &Scene, mended: Instant) -> Option<String> {
        let pg = self.house.pg(&self.database);
        let late = self.house.customer(&pg).await;
        pg.close().await;
        let event = scene.events.last().expect("events");
        let path = format!("/v1/events/{}/holds", event.id);
        let mut last = Value::Null;
        while mended.elapsed() < SERVED {
            let from = scene.history.now();
            let answer = late.insists("POST", &path, json!({ "best": { "quantity": 1 } })).await;
            last = answer.body.clone();
            match (answer.status, answer.code()) {
                (201, _) => {
                    let until = super::crowd::moment(&answer.body, "expires_at");
                    let seats = super::crowd::seats_of(&answer.body);
                    scene.history.held(&event.id, text(&answer.body, "id"), &seats, from, until);
                    let order =
                        late.insists("POST", "/v1/orders", json!({ "hold_id": answer.body["id"] })).await;
                    if order.status != 201 {
                        last = order.body;
                        continue;
                    }
                    scene.history.order_seen(&order.body, from, from);
                    let paid = self.house.pay(&order.body, "pm_card_visa");
                    let mut customer =
                        Customer::new(Arc::clone(self.scene()), late.clone(), Dice::of(0, 0, 0));
                    let status = customer.watches(text(&order.body, "id"), 60).await;
                    if status.as_deref() == Some("confirmed") {
                        self.tally.took("a customer is served after the mending", mended.elapsed());
                        return None;
                    }
                    return Some(format!(
                        "who came after the mending and paid ({paid:?}) was not served: {status:?}"
                    ));
                }
                // Everything is sold: that is service, too.
                (409, "sold_out") if self.sold_out(event).await => return None,
                _ => {}
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Some(format!("nobody is served {SERVED:?} after the mending: {last}"))
    }

    async fn sold_out(&self, event: &Event) -> bool {
        let pg = self.house.pg(&self.database);
        let (claimed,): (i64,) = sqlx::query_as("select count(*) from seat_claims where event_id::text = $1")
            .bind(&event.id)
            .fetch_one(&pg)
            .await
            .expect("Postgres answers");
        pg.close().await;
        usize::try_from(claimed).is_ok_and(|claimed| claimed >= event.seats.len())
    }

    /// Liveness: nothing is open, owed or on its way any more.
    async fn comes_to_rest(&self, mended: Instant) -> Option<String> {
        let pg = self.house.pg(&self.database);
        loop {
            let left: Vec<(String, i64)> = sqlx::query_as(
                "select 'open orders', count(*) from orders where state in ('awaiting_payment', 'closing', 'refunding')
                 union all select 'inbox', count(*) from stripe_events where done_at is null and parked_at is null
                 union all select 'outbox', count(*) from outbox where parked_at is null
                 union all select 'offers', count(*) from offers where state = 'open'
                 union all select 'parked effects', count(*) from outbox where parked_at is not null
                 union all select 'parked events', count(*) from stripe_events where parked_at is not null
                 union all select 'refunds', count(*) from refunds where state in ('due', 'pending')",
            )
            .fetch_all(&pg)
            .await
            .expect("Postgres answers");
            let left: Vec<_> = left.into_iter().filter(|(_, count)| *count > 0).collect();
            // A refund that the bank sent back waits for a person, with an alarm: that is where it ends.
            let failed = self.refunds_that_failed(&pg).await;
            let left: Vec<_> = left
                .into_iter()
                .filter(|(what, count)| !(what == "open orders" && *count <= failed))
                .collect();
            if left.is_empty() {
                self.tally.took("everything is at rest after the mending", mended.elapsed());
                pg.close().await;
                return None;
            }
            if mended.elapsed() > REST {
                pg.close().await;
                return Some(format!("not at rest {REST:?} after the mending: {left:?}"));
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }

    async fn refunds_that_failed(&self, pg: &sqlx::PgPool) -> i64 {
        let (failed,): (i64,) = sqlx::query_as(
            "select count(distinct order_id) from refunds r join orders o on o.event_id = r.event_id and o.id = r.order_id
              where r.state = 'failed' and o.state = 'refunding'",
        )
        .fetch_one(pg)
        .await
        .expect("Postgres answers");
        failed
    }

    /// Whoever paid in time has the seats, unless somebody called it off; and nothing stays open.
    async fn everything_ended(&self, scene: &Scene, customer: &mut Customer) -> Vec<String> {
        let orders = customer.looks_back().await;
        let mut wrong = Vec::new();
        for order in &orders {
            if matches!(text(order, "status"), "awaiting_payment" | "closing") {
                wrong.push(format!("order {} is still {}", text(order, "id"), text(order, "status")));
            }
        }
        for (order, event) in &customer.paid {
            let Some(now) = orders.iter().find(|one| text(one, "id") == order) else {
                wrong.push(format!("order {order} was paid and is gone"));
                continue;
            };
            if text(now, "status") != "confirmed" && !scene.may_be_off(event, order) {
                wrong.push(format!("order {order} was paid in time and is {}: {now}", text(now, "status")));
            }
        }
        wrong
    }

    /// What every node shows is what Postgres says, once no hold is left.
    async fn pictures_are_true(&self, scene: &Scene, pg: &sqlx::PgPool) -> Vec<String> {
        let mut wrong = Vec::new();
        let http = reqwest::Client::new();
        for event in &scene.events {
            let claimed: Vec<(String, String)> = sqlx::query_as(
                "select s.seat_id, c.state from seat_claims c
                   join order_seats s on s.event_id = c.event_id and s.order_id = c.order_id and s.ordinal = c.ordinal
                  where c.event_id::text = $1",
            )
            .bind(&event.id)
            .fetch_all(pg)
            .await
            .expect("Postgres answers");
            let claimed: HashSet<_> = claimed.into_iter().collect();
            for seat in &self.nodes {
                let began = Instant::now();
                let mut shown;
                loop {
                    let url = format!("{}/v1/events/{}/availability", seat.node.url(), event.id);
                    let answer = http.get(url).timeout(Duration::from_secs(3)).send().await;
                    let body: Value = match answer {
                        Ok(answer) => answer.json().await.unwrap_or_default(),
                        Err(_) => Value::Null,
                    };
                    let taken = body["taken"].as_object().cloned();
                    shown = taken.map(|taken| {
                        taken
                            .into_iter()
                            .filter(|(_, state)| state != "blocked")
                            .map(|(id, state)| (id, state.as_str().unwrap_or_default().to_owned()))
                            .collect::<HashSet<_>>()
                    });
                    if shown.as_ref() == Some(&claimed) {
                        self.tally.took("a node shows the truth when nothing is held", began.elapsed());
                        break;
                    }
                    if began.elapsed() > Duration::from_secs(15) {
                        wrong.push(format!(
                            "{} shows {shown:?} of {}, Postgres says {claimed:?}",
                            seat.node.name, event.id
                        ));
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        wrong
    }

    fn report(&self, wanted: &Wanted, last: u64, took: Duration) -> String {
        let never: Vec<_> = Trouble::all(self.topology)
            .into_iter()
            .filter(|trouble| self.tally.of("trouble", &trouble.name()) == 0)
            .map(Trouble::name)
            .collect();
        format!(
            "storm on {} with seed {}: rounds {} to {last} in {:.0} s, {} deeds on seats looked at, {} wrong\n{}  never tried: {}\n",
            self.topology.name(),
            wanted.seed,
            wanted.round,
            took.as_secs_f64(),
            self.deeds,
            self.wrong.len(),
            self.tally,
            if never.is_empty() { "nothing".to_owned() } else { never.join(", ") },
        ) + &self.how_to_repeat(wanted, last)
    }

    fn how_to_repeat(&self, wanted: &Wanted, last: u64) -> String {
        if self.wrong.is_empty() {
            return String::new();
        }
        format!(
            "  once more: script/chaos --topology {} --seed {} --round {last} --minutes 0\n  logs: {}\n",
            self.topology.name(),
            wanted.seed,
            self.house.folder.path("").display(),
        )
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
