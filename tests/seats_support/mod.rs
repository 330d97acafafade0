//! Real Redis for tests that need nothing else: one node and one Cluster of three a test run.
//!
//! Distinct event ids keep tests apart. The servers end with the test process, however it ends: each is the
//! child of a shell that waits for the other end of a pipe we hold.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use holdfast::ids::{AccountId, EventId, HoldId, OrderId};
use holdfast::seats::keys::Keys;
use holdfast::seats::{Engine, HoldAsk, LoadPlan, LoadedClaim, Rules, Timing, Via, Wish};
use holdfast::stores::redis::Redis;
use holdfast::telemetry::Metrics;
use redis::FromRedisValue;
use uuid::Uuid;

/// Servers of one address, in a folder of their own.
pub struct Servers {
    pub url: String,
    guards: Vec<Child>,
    socket: Option<PathBuf>,
}

/// One node behind a unix socket.
pub async fn single() -> &'static str {
    static SHARED: OnceLock<Servers> = OnceLock::new();
    let servers = SHARED.get_or_init(own);
    answers(&servers.url).await;
    &servers.url
}

/// A node that nobody else uses, for tests that stop it.
pub fn own() -> Servers {
    let socket = folder().join("redis.sock");
    let url = format!("redis+unix://{}", text(&socket));
    Servers { url, guards: vec![start_behind(&socket)], socket: Some(socket) }
}

fn start_behind(socket: &Path) -> Child {
    let dir = socket.parent().expect("a socket lies in a folder");
    std::fs::create_dir_all(dir).expect("the folder for temporary files is writable");
    start(dir, &["--port", "0", "--unixsocket", text(socket)])
}

/// Waits until the server answers.
pub async fn up(url: &str) {
    answers(url).await;
}

/// Three masters that share the slots.
pub async fn cluster() -> &'static str {
    static SHARED: OnceLock<Servers> = OnceLock::new();
    static URL: OnceLock<String> = OnceLock::new();
    static FORMED: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    let servers = SHARED.get_or_init(|| {
        let ports = free_ports();
        let guards = ports.map(|[port, bus]| {
            let (port, bus) = (port.to_string(), bus.to_string());
            start(&folder(), &["--port", &port, "--cluster-enabled", "yes", "--cluster-port", &bus])
        });
        let hosts = ports.map(|[port, bus]| format!("127.0.0.1:{port}@{bus}"));
        Servers { url: hosts.join(","), guards: guards.into(), socket: None }
    });
    FORMED.get_or_init(|| form(&servers.url)).await;
    URL.get_or_init(|| {
        let hosts: Vec<_> = servers.url.split(',').filter_map(|host| host.split('@').next()).collect();
        format!("redis+cluster://{}", hosts.join(","))
    })
}

impl Servers {
    /// Ends the servers as a crash would.
    pub fn kill(&mut self) {
        for guard in &mut self.guards {
            drop(guard.stdin.take());
            let _ = guard.wait();
        }
        self.guards.clear();
    }

    /// Starts the node again at the same address, empty.
    pub async fn restart(&mut self) {
        let socket = self.socket.as_ref().expect("a single node");
        self.guards = vec![start_behind(socket)];
        up(&self.url).await;
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.kill();
    }
}

pub fn start(dir: &Path, args: &[&str]) -> Child {
    let plain = ["--dir", text(dir), "--save", "", "--appendonly", "no", "--bind", "127.0.0.1"];
    start_with(dir, &[&plain, args].concat())
}

/// Starts a server with these arguments alone; its folder goes with it.
pub fn start_with(dir: &Path, args: &[&str]) -> Child {
    Command::new("sh")
        .args([
            "-c",
            r#"dir=$1; shift; redis-server "$@" & cat >/dev/null; kill -9 $!; wait; rm -rf "$dir""#,
            "guard",
        ])
        .arg(dir)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed")
}

pub fn folder() -> PathBuf {
    let dir = std::env::temp_dir().join(format!("holdfast-seats-{}", Uuid::new_v4().simple()));
    std::fs::create_dir_all(&dir).expect("the folder for temporary files is writable");
    dir
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

/// Ports that nobody listens on, each given once a test run: between asking for one and using it, another test
/// may ask too.
pub fn free_ports() -> [[u16; 2]; 3] {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap();
    let mut listeners = Vec::new();
    while listeners.len() < 6 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        if given.insert(listener.local_addr().expect("it is bound").port()) {
            listeners.push(listener);
        }
    }
    let port = |at: usize| listeners[at].local_addr().expect("it is bound").port();
    [[port(0), port(1)], [port(2), port(3)], [port(4), port(5)]]
}

async fn form(hosts: &str) {
    let nodes: Vec<(&str, &str)> = hosts.split(',').filter_map(|host| host.split_once('@')).collect();
    for (at, (node, _)) in nodes.iter().enumerate() {
        let mut redis = answers(&format!("redis://{node}")).await;
        let slots = [(0, 5460), (5461, 10922), (10923, 16383)][at];
        let _: () = redis::cmd("CLUSTER")
            .arg("ADDSLOTSRANGE")
            .arg(slots.0)
            .arg(slots.1)
            .query_async(&mut redis)
            .await
            .unwrap();
        let (first, bus) = nodes[0];
        let port = first.rsplit(':').next().unwrap();
        if at > 0 {
            let meet = redis::cmd("CLUSTER").arg("MEET").arg("127.0.0.1").arg(port).arg(bus).to_owned();
            let _: () = meet.query_async(&mut redis).await.unwrap();
        }
    }
    for (node, _) in &nodes {
        let mut redis = answers(&format!("redis://{node}")).await;
        let began = Instant::now();
        loop {
            let info: String = redis::cmd("CLUSTER").arg("INFO").query_async(&mut redis).await.unwrap();
            if info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3") {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "the cluster did not form: {info}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn answers(url: &str) -> Redis {
    let began = Instant::now();
    loop {
        let mut redis = Redis::connect(url).await.unwrap();
        match redis::cmd("PING").query_async::<String>(&mut redis).await {
            Ok(_) => return redis,
            Err(error) => assert!(began.elapsed() < Duration::from_secs(10), "no redis at {url}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// An engine and a bare connection to the same Redis.
#[derive(Clone)]
pub struct House {
    pub engine: Engine,
    pub redis: Redis,
}

impl House {
    pub async fn single() -> Self {
        Self::at(single().await).await
    }

    pub async fn cluster() -> Self {
        Self::at(cluster().await).await
    }

    pub async fn at(url: &str) -> Self {
        let minutes = |minutes| Duration::from_mins(minutes);
        Self::with(url, Timing { hold: minutes(10), payment: minutes(5), grace: minutes(1) }).await
    }

    pub async fn with(url: &str, timing: Timing) -> Self {
        let redis = Redis::connect(url).await.unwrap();
        Self { engine: Engine::new(redis.clone(), Metrics::new(), timing), redis }
    }

    /// Asks Redis itself.
    pub async fn ask<T: FromRedisValue>(&self, command: &mut redis::Cmd) -> T {
        command.query_async(&mut self.redis.clone()).await.unwrap()
    }

    /// Lets a hold's time pass: its flags lapse and its deadline lies behind.
    pub async fn lapse(&self, event: EventId, hold: HoldId) {
        let keys = Keys::of(event);
        let found = self.engine.hold_of(event, hold).await.unwrap().expect("the hold has a record");
        for (ordinal, flag) in
            found.ordinals.iter().zip(self.engine.flags(event, &found.ordinals).await.unwrap())
        {
            if flag == Some(hold.to_string()) {
                let _: i64 = self.ask(redis::cmd("DEL").arg(keys.flag(*ordinal))).await;
            }
        }
        self.make_due(event, hold).await;
    }

    /// Holds of one seat each whose time has passed, all due and not one swept.
    pub async fn lapsed(&self, event: EventId, seats: std::ops::Range<u32>) {
        let mut held = Vec::new();
        for seat in seats {
            held.push(self.engine.hold(&ask(event, AccountId::new(), &[seat])).await.unwrap().hold);
        }
        for hold in held {
            self.lapse(event, hold).await;
        }
    }

    /// Puts a hold's deadline behind us, whatever its flags say.
    pub async fn make_due(&self, event: EventId, hold: HoldId) {
        let [_, _, _, _, _, deadlines, ..] = Keys::of(event).shared();
        let _: i64 =
            self.ask(redis::cmd("ZADD").arg(deadlines).arg("XX").arg(1000).arg(hold.to_string())).await;
    }
}

/// Rows of seats, each closed by an aisle, as a chart compiles to.
pub struct Rows {
    pub size: u32,
    pub aisles: Vec<u8>,
}

pub fn rows(lengths: &[u32]) -> Rows {
    let size: u32 = lengths.iter().map(|seats| seats + 1).sum();
    let mut aisles = vec![0; size.div_ceil(8) as usize];
    let mut set = |ordinal: u32| aisles[ordinal as usize / 8] |= 0x80 >> (ordinal % 8);
    let mut at = 0;
    for seats in lengths {
        at += seats;
        set(at);
        at += 1;
    }
    (size..size.next_multiple_of(8)).for_each(set);
    Rows { size, aisles }
}

pub fn open_rules() -> Rules {
    Rules {
        sale_starts_ms: None,
        sale_ends_ms: None,
        max_per_customer: None,
        orphan_rule: false,
        hold_ms: None,
        closed: false,
        hooks: false,
        room: false,
        room_opens_ms: None,
    }
}

pub fn plan(
    event: EventId,
    epoch: i32,
    lengths: &[u32],
    rules: &Rules,
    claims: Vec<LoadedClaim>,
) -> LoadPlan {
    let rows = rows(lengths);
    LoadPlan {
        event,
        epoch,
        size: rows.size,
        aisles: rows.aisles,
        rules: rules.clone(),
        waiting: false,
        claims,
    }
}

impl House {
    /// A fresh event with these rows, on sale.
    pub async fn event(&self, lengths: &[u32], rules: &Rules) -> EventId {
        let event = EventId::new();
        self.engine.load(&plan(event, 1, lengths, rules, vec![])).await.unwrap();
        event
    }
}

pub fn ask(event: EventId, owner: AccountId, seats: &[u32]) -> HoldAsk {
    let what = Wish::Wanted { seats: seats.to_vec(), places: vec![], areas: vec![] };
    HoldAsk { hold: HoldId::of(1, Uuid::new_v4()), event, owner, what, replaces: None, via: Via::Public }
}

pub fn best(event: EventId, owner: AccountId, runs: &[(u32, u32)], quantity: u32) -> HoldAsk {
    let runs = runs.iter().map(|&(from, to)| from..to).collect();
    HoldAsk { what: Wish::Best { runs, quantity }, ..ask(event, owner, &[]) }
}

pub fn order() -> OrderId {
    OrderId::new()
}
