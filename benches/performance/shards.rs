//! Events spread over the shards of a Redis Cluster: what each shard has to do for a hold.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::paired::{TURNS, median};
use crate::report::{Part, Table};
use crate::stand::{House, output, rate_of, scratch};

const SLOTS: u32 = 16_384;

/// Masters without replicas: what is measured is work, not safety.
struct Cluster {
    servers: Vec<Child>,
    ports: Vec<u16>,
    folder: std::path::PathBuf,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Cluster {
    async fn of(shards: u32) -> anyhow::Result<Self> {
        let mut cluster =
            Self { servers: Vec::new(), ports: Vec::new(), folder: scratch(&format!("cluster-{shards}"))? };
        for number in 0..shards {
            let port = free_port()?;
            let folder = cluster.folder.join(number.to_string());
            std::fs::create_dir_all(&folder)?;
            let server = Command::new("redis-server")
                .current_dir(&folder)
                .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--cluster-enabled", "yes"])
                .args(["--appendonly", "yes", "--save", "", "--cluster-port", &free_port()?.to_string()])
                .args(["--cluster-require-full-coverage", "yes"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .spawn()?;
            cluster.servers.push(server);
            cluster.ports.push(port);
        }
        cluster.join().await?;
        Ok(cluster)
    }

    async fn ask(&self, at: usize, words: &[&str]) -> anyhow::Result<String> {
        let port = self.ports[at].to_string();
        let args: Vec<String> =
            [&["-h", "127.0.0.1", "-p", &port], words].concat().iter().map(ToString::to_string).collect();
        output("redis-cli", &args).await
    }

    async fn join(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        while self.ask(self.ports.len() - 1, &["PING"]).await.is_err()
            || self.ask(0, &["PING"]).await.is_err()
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let shards = u32::try_from(self.ports.len())?;
        for (number, at) in (0_u32..).zip(0..self.ports.len()) {
            let (from, to) = (number * SLOTS / shards, (number + 1) * SLOTS / shards - 1);
            self.ask(at, &["CLUSTER", "ADDSLOTSRANGE", &from.to_string(), &to.to_string()]).await?;
            self.ask(at, &["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]).await?;
            if at > 0 {
                let info = self.ask(at, &["CONFIG", "GET", "cluster-port"]).await?;
                let bus = info.lines().nth(1).context("it has a port for its bus")?.trim().to_owned();
                self.ask(0, &["CLUSTER", "MEET", "127.0.0.1", &self.ports[at].to_string(), &bus]).await?;
            }
        }
        for at in 0..self.ports.len() {
            while !self.ask(at, &["CLUSTER", "INFO"]).await?.contains("cluster_state:ok") {
                if begun.elapsed() > Duration::from_secs(30) {
                    bail!("the shards do not find together");
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        Ok(())
    }

    /// Seconds that each shard's core has worked so far. What Redis counts for scripts is time on the clock, in which it may have
    /// waited for a core.
    async fn worked(&self) -> anyhow::Result<Vec<f64>> {
        let mut worked = Vec::new();
        for at in 0..self.ports.len() {
            let page = self.ask(at, &["INFO", "cpu"]).await?;
            let value = |name: &str| {
                page.lines()
                    .find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok())
                    .unwrap_or(0.0)
            };
            worked.push(value("used_cpu_user_main_thread:") + value("used_cpu_sys_main_thread:"));
        }
        Ok(worked)
    }
}

/// What the busiest has done since, in milliseconds for a thousand calls.
fn busiest(since: &[f64], now: &[f64], calls: f64) -> f64 {
    let done = now.iter().zip(since).map(|(now, since)| now - since);
    done.fold(0.0, f64::max) * 1e6 / calls
}

/// So many shards, and a house on them.
struct Stand {
    shards: u32,
    // Before its stores.
    house: House,
    cluster: Cluster,
    found: Vec<Turn>,
}

/// Holds a second, and for a thousand of them what the busiest shard did, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Turn {
    rate: f64,
    core: f64,
}

impl Stand {
    async fn takes_its_turn(&mut self) -> anyhow::Result<()> {
        let before = self.cluster.worked().await?;
        let words = ["hold", "--events", "48", "--rate", "max", "--seconds", "4"];
        let figures = self.house.bench(&words).await?;
        let rate = rate_of(&figures, &["201"])?;
        let after = self.cluster.worked().await?;
        let calls = figures["answered"].as_f64().context("some are answered")?;
        self.found.push(Turn { rate, core: busiest(&before, &after, calls) });
        Ok(())
    }
}

fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

pub async fn measure() -> anyhow::Result<Part> {
    let mut part = Part::new(
        "More shards",
        "A node on a Redis Cluster of one, two and three masters, and 48 events that are held from in turn \
         (`holdfast bench hold --events 48 --rate max`). Two cores have no room for three busy servers, the node and the crowd, so \
         the total says little here; what each shard has to do for a thousand holds does. All three stand side by side and take \
         turns, five each; the others do nothing meanwhile. Figures are medians, ratios medians of the ratios of each round.",
    );
    let mut table = Table {
        title: "Work of the busiest shard:".to_owned(),
        head: ["shards", "holds a second in all", "ms of its core for 1,000 holds", "beside one shard"]
            .map(str::to_owned)
            .to_vec(),
        rows: Vec::new(),
    };
    let mut stands = Vec::new();
    for shards in 1..=3 {
        let cluster = Cluster::of(shards).await?;
        let hosts: Vec<String> = cluster.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let house = House::with(&[("REDIS_URL", format!("redis+cluster://{}", hosts.join(",")))]).await?;
        stands.push(Stand { shards, cluster, house, found: Vec::new() });
    }
    for round in 0..TURNS {
        // Nobody is always the first, nor the last.
        for at in 0..stands.len() {
            let at = (at + round) % stands.len();
            stands[at].takes_its_turn().await?;
        }
    }
    let alone = stands[0].found.clone();
    for stand in &stands {
        let median_of = |what: fn(&Turn) -> f64| median(&stand.found.iter().map(what).collect::<Vec<_>>());
        // Each turn beside the one of the same round.
        let beside = |what: fn(&Turn) -> f64| {
            median(&stand.found.iter().zip(&alone).map(|(it, one)| what(it) / what(one)).collect::<Vec<_>>())
        };
        let (rate, core) = (median_of(|it| it.rate), median_of(|it| it.core));
        let of_core = beside(|it| it.core);
        println!("  {}: {rate:.0} a second, {core:.1} ms of the busiest for a thousand", stand.shards);
        table.rows.push(vec![
            stand.shards.to_string(),
            format!("{rate:.0}"),
            format!("{core:.1}"),
            format!("{of_core:.2} ×"),
        ]);
        if stand.shards == 2 {
            part.row(
                "with two shards the busier one has to do for a hold",
                "≤ 0.65 ×",
                &format!("**{of_core:.2}** ×"),
                of_core <= 0.65,
            );
        }
    }
    part.tables.push(table);
    Ok(part)
}
