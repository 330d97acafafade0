//! Redis in each of its shapes, every instance behind a wire of its own.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use holdfast::local::programs;
use redis::FromRedisValue;
use redis::aio::MultiplexedConnection;
use rustix::process::Signal;

use super::process::{Process, unprivileged};
use super::proxy::Proxy;
use super::redis_harm::in_database;
use super::{Folder, Topology, ports};

/// The longest that a shape may take to form, or to be whole again, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long a Cluster's node is silent before the others give it up.
const NODE_TIMEOUT_MS: &str = "1500";

/// One server, known to all others by its wire's address.
#[derive(Debug)]
pub struct Instance {
    pub name: String,
    port: u16,
    pub wire: Proxy,
    process: Process,
    args: Vec<String>,
}

/// All of Redis.
#[derive(Debug)]
pub struct Memory {
    pub topology: Topology,
    pub instances: Vec<Instance>,
    pub(super) sentinels: Vec<Instance>,
    folder: Folder,
}

impl Instance {
    async fn new(folder: &Folder, name: &str, args: &[String]) -> Self {
        let port = ports::free();
        let dir = folder.make(name);
        let wire = Proxy::to(SocketAddr::from(([127, 0, 0, 1], port))).await;
        let mut all: Vec<String> =
            ["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
                .map(str::to_owned)
                .into();
        all.extend(["--dir".to_owned(), dir.display().to_string()]);
        all.extend(args.iter().cloned());
        let process = Process::new(folder.path(&format!("{name}.log")), Signal::TERM);
        Self { name: name.to_owned(), port, wire, process, args: all }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// As whoever reaches it without passing the wire.
    pub fn address(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Starts it, empty: nothing is kept on disk but what a Cluster's node knows of the others.
    pub async fn start(&mut self) {
        let path = std::env::var_os("PATH");
        let mut command = Command::new(programs::redis(path.as_deref()).expect("Redis is installed"));
        command.args(&self.args);
        self.process.start(command, unprivileged());
        let began = Instant::now();
        while self.ask::<String>(&["PING"]).await.is_none() {
            assert!(self.process.runs(), "{} ended:\n{}", self.name, self.process.last_words());
            assert!(began.elapsed() < PATIENCE, "{} does not answer", self.name);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub fn runs(&mut self) -> bool {
        self.process.runs()
    }

    pub fn kill(&mut self) {
        self.process.kill();
    }

    pub fn freeze(&self) {
        self.process.signal(Signal::STOP);
    }

    pub fn thaw(&self) {
        self.process.signal(Signal::CONT);
    }

    pub async fn connect(&self) -> Option<MultiplexedConnection> {
        let client = redis::Client::open(self.address()).expect("an address");
        let config = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(1)))
            .set_response_timeout(Some(Duration::from_secs(3)));
        client.get_multiplexed_async_connection_with_config(&config).await.ok()
    }

    /// What it answers, or nothing when it cannot or will not.
    pub async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> Option<T> {
        let mut connection = self.connect().await?;
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut connection).await.ok()
    }

    /// Whether it does what it is told.
    pub async fn obeys(&self, words: &[&str]) -> bool {
        self.ask::<String>(words).await.is_some()
    }

    pub(super) async fn info(&self, section: &str, field: &str) -> Option<String> {
        let page: String = self.ask(&["INFO", section]).await?;
        page.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':').map(|v| v.trim().to_owned()))
    }

    pub async fn is_master(&self) -> bool {
        self.info("replication", "role").await.as_deref() == Some("master")
    }

    async fn follows(&self) -> bool {
        self.info("replication", "master_link_status").await.as_deref() == Some("up")
    }
}

impl Memory {
    pub async fn start(topology: Topology) -> Self {
        let folder = Folder::new();
        let plain = ["--maxmemory-policy", "noeviction", "--enable-debug-command", "yes"];
        let plain: Vec<String> = plain.map(str::to_owned).into();
        let mut memory = Self { topology, instances: vec![], sentinels: vec![], folder };
        match topology {
            Topology::Single => {
                let args = [plain, words(&["--databases", "512"])].concat();
                memory.instances.push(Instance::new(&memory.folder, "redis", &args).await);
                memory.instances[0].start().await;
            }
            Topology::Sentinel => memory.start_group(&plain).await,
            Topology::Cluster => memory.start_cluster(&plain).await,
        }
        memory
    }

    async fn start_group(&mut self, plain: &[String]) {
        for name in ["first", "second"] {
            let mut args = [plain.to_vec(), words(&["--databases", "512"])].concat();
            args.extend(words(&["--repl-diskless-sync-delay", "0", "--replica-announce-ip", "127.0.0.1"]));
            let mut instance = Instance::new(&self.folder, name, &args).await;
            let announced = instance.wire.port().to_string();
            instance.args.extend(words(&["--replica-announce-port", &announced]));
            // A restart joins as whatever Sentinel makes of it; only the first start knows better.
            let plain = instance.args.clone();
            if let Some(master) = self.instances.first() {
                let port = master.wire.port().to_string();
                instance.args.extend(words(&["--replicaof", "127.0.0.1", &port]));
            }
            instance.start().await;
            instance.args = plain;
            self.instances.push(instance);
        }
        let master = self.instances[0].wire.port();
        for at in 0..3 {
            let name = format!("sentinel-{at}");
            let mut sentinel = Instance::new(&self.folder, &name, &[]).await;
            let file = self.folder.make(&name).join("sentinel.conf");
            let lines = [
                format!("port {}\nbind 127.0.0.1", sentinel.port),
                format!("dir {}", self.folder.make(&name).display()),
                format!("sentinel monitor main 127.0.0.1 {master} 2"),
                "sentinel down-after-milliseconds main 1000".to_owned(),
                "sentinel failover-timeout main 4000\nsentinel parallel-syncs main 1".to_owned(),
            ];
            std::fs::write(&file, lines.join("\n")).expect("a file");
            if let Some(who) = unprivileged() {
                std::os::unix::fs::chown(&file, Some(who.uid), Some(who.gid)).expect("a gift");
            }
            sentinel.args = words(&[file.to_str().expect("a plain name"), "--sentinel"]);
            sentinel.start().await;
            self.sentinels.push(sentinel);
        }
        self.is_whole().await;
    }

    async fn start_cluster(&mut self, plain: &[String]) {
        for at in 0..6 {
            let bus = ports::free().to_string();
            let mut args = plain.to_vec();
            args.extend(words(&["--cluster-enabled", "yes", "--cluster-node-timeout", NODE_TIMEOUT_MS]));
            args.extend(words(&["--cluster-port", &bus, "--cluster-announce-bus-port", &bus]));
            args.extend(words(&["--cluster-announce-ip", "127.0.0.1", "--repl-diskless-sync-delay", "0"]));
            // One shard that is away takes only its own events with it.
            args.extend(words(&["--cluster-require-full-coverage", "no"]));
            let mut instance = Instance::new(&self.folder, &format!("node-{at}"), &args).await;
            let announced = instance.wire.port().to_string();
            instance.args.extend(words(&["--cluster-announce-port", &announced]));
            instance.start().await;
            if let Some(first) = self.instances.first() {
                let first_bus = first.args.windows(2).find(|pair| pair[0] == "--cluster-port");
                let first_bus = first_bus.expect("a Cluster's node")[1].clone();
                let port = first.port.to_string();
                instance
                    .ask::<String>(&["CLUSTER", "MEET", "127.0.0.1", &port, &first_bus])
                    .await
                    .expect("it meets the first");
            }
            self.instances.push(instance);
        }
        for (at, slots) in [("0", "5460"), ("5461", "10922"), ("10923", "16383")].iter().enumerate() {
            self.instances[at]
                .ask::<String>(&["CLUSTER", "ADDSLOTSRANGE", slots.0, slots.1])
                .await
                .expect("it takes its slots");
        }
        for at in 0..3 {
            let master: String = self.instances[at].ask(&["CLUSTER", "MYID"]).await.expect("an id");
            let began = Instant::now();
            // Until the replica has heard of its master by way of the others.
            while self.instances[at + 3].ask::<String>(&["CLUSTER", "REPLICATE", &master]).await.is_none() {
                assert!(began.elapsed() < PATIENCE, "node-{} does not know node-{at}", at + 3);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        self.is_whole().await;
    }

    /// What nodes are told; `database` keeps houses apart where there are databases.
    pub fn url(&self, database: u32) -> String {
        match self.topology {
            Topology::Single => format!("redis://{}/{database}", self.instances[0].wire.addr),
            Topology::Sentinel => {
                let hosts: Vec<_> = self.sentinels.iter().map(|one| one.wire.addr.to_string()).collect();
                format!("redis+sentinel://{}/main/{database}", hosts.join(","))
            }
            Topology::Cluster => {
                let hosts: Vec<_> = self.instances.iter().map(|one| one.wire.addr.to_string()).collect();
                format!("redis+cluster://{}", hosts.join(","))
            }
        }
    }

    /// What every server takes itself for, how many come to it, and what it has of an event: for whoever wonders why.
    pub async fn accounts_of(&self, event: &str, database: u32) -> String {
        let database = if self.topology == Topology::Cluster { 0 } else { database };
        let (meta, feed) = (format!("meta:{{{event}}}"), format!("feed:{{{event}}}"));
        let mut accounts = Vec::new();
        for instance in &self.instances {
            let role = instance.info("replication", "role").await;
            let guests = instance.info("clients", "connected_clients").await;
            let meta = in_database(instance, database, &["HGETALL", &meta]).await;
            let last = in_database(instance, database, &["XREVRANGE", &feed, "+", "-", "COUNT", "3"]).await;
            accounts.push(format!(
                "{} at {} is {role:?} of {guests:?} and has {meta:?}, told {last:?}",
                instance.name,
                instance.wire.port()
            ));
        }
        accounts.join("\n")
    }

    /// Another wire to a Redis that is alone.
    pub async fn another_wire(&self) -> Proxy {
        Proxy::to(SocketAddr::from(([127, 0, 0, 1], self.instances[0].port))).await
    }

    pub async fn masters(&mut self) -> Vec<usize> {
        let mut masters = Vec::new();
        for at in 0..self.instances.len() {
            if self.instances[at].runs() && self.instances[at].is_master().await {
                masters.push(at);
            }
        }
        masters
    }

    /// Everything runs, every wire is fair, and whoever should follow does: then this shape can lose one again.
    pub async fn heal(&mut self) {
        for instance in self.instances.iter_mut().chain(&mut self.sentinels) {
            instance.wire.weather(super::Weather::FAIR);
            instance.thaw();
            if !instance.runs() {
                instance.start().await;
            }
        }
        for instance in &self.instances {
            let _: Option<String> = instance.ask(&["CONFIG", "SET", "maxmemory", "0"]).await;
            let _: Option<String> = instance.ask(&["CLIENT", "UNPAUSE"]).await;
        }
        self.is_whole().await;
    }

    async fn is_whole(&mut self) {
        let began = Instant::now();
        let mut pushed = false;
        while !self.whole_now().await {
            let waited = began.elapsed();
            assert!(waited < PATIENCE, "Redis as {} is not whole", self.topology.name());
            if self.topology == Topology::Sentinel && waited > PATIENCE / 3 && !pushed {
                // Two that both think that they follow the other, or lead: what an operator does then.
                pushed = true;
                self.appoint().await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Makes whoever Sentinel names a master be one.
    async fn appoint(&mut self) {
        let named: Option<(String, u16)> =
            self.sentinels[0].ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main"]).await;
        let Some((_, port)) = named else { return };
        for instance in &self.instances {
            if instance.wire.port() == port {
                let _: Option<String> = instance.ask(&["REPLICAOF", "NO", "ONE"]).await;
            }
        }
    }

    async fn whole_now(&mut self) -> bool {
        match self.topology {
            Topology::Single => self.instances[0].runs(),
            Topology::Sentinel => {
                let (first, second) = (&self.instances[0], &self.instances[1]);
                let paired = match (first.is_master().await, second.is_master().await) {
                    (true, false) => second.follows().await,
                    (false, true) => first.follows().await,
                    _ => false,
                };
                if !paired {
                    return false;
                }
                for sentinel in &self.sentinels {
                    let known: Option<Vec<Vec<String>>> =
                        sentinel.ask(&["SENTINEL", "REPLICAS", "main"]).await;
                    let linked = |replica: &Vec<String>| {
                        replica.windows(2).any(|pair| pair[0] == "master-link-status" && pair[1] == "ok")
                            && replica.windows(2).any(|pair| pair[0] == "flags" && pair[1] == "slave")
                    };
                    if !known.is_some_and(|replicas| replicas.iter().any(linked)) {
                        return false;
                    }
                }
                true
            }
            Topology::Cluster => {
                let mut masters = 0;
                for instance in &self.instances {
                    let info: String = instance.ask(&["CLUSTER", "INFO"]).await.unwrap_or_default();
                    let nodes: String = instance.ask(&["CLUSTER", "NODES"]).await.unwrap_or_default();
                    if !info.contains("cluster_state:ok")
                        || !info.contains("cluster_slots_ok:16384")
                        || nodes.contains("fail")
                    {
                        return false;
                    }
                    if instance.is_master().await {
                        masters += 1;
                    } else if !instance.follows().await {
                        return false;
                    }
                }
                masters == 3
            }
        }
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}
