//! Nodes side by side behind a proxy: what each of them has to do for a hold.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use holdfast::local::Secrets;
use secrecy::ExposeSecret as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::paired::{TURNS, median};
use crate::report::{Part, Table};
use crate::stand::{House, LIMITS, bench, program, rate_of};

const PATIENCE: Duration = Duration::from_mins(1);
/// Runs of so many seconds: in neither are there more holds than seats.
const SHORT: &str = "2";
const LONG: &str = "6";

/// Nodes on the stores of a house, and a proxy that gives each connection to the next of them.
struct Row {
    nodes: Vec<Child>,
    proxy: JoinHandle<()>,
    url: String,
}

impl Drop for Row {
    fn drop(&mut self) {
        self.proxy.abort();
        for node in &mut self.nodes {
            let _ = node.kill();
            let _ = node.wait();
        }
    }
}

impl Row {
    async fn of(nodes: usize, house: &House) -> anyhow::Result<Self> {
        let stack = house.stack()?;
        let Secrets { jwt, stripe_key, webhook } = stack.secrets()?;
        let (mut children, mut places) = (Vec::new(), Vec::new());
        for _ in 0..nodes {
            let free = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
            let node = Command::new(program())
                .arg("serve")
                .env("LISTEN_ADDR", free.to_string())
                .env("DATABASE_URL", stack.service_url("holdfast"))
                .env("REDIS_URL", stack.redis_url(0))
                .env("JWT_SECRET", jwt.expose_secret())
                .env("STRIPE_SECRET_KEY", stripe_key.expose_secret())
                .env("STRIPE_WEBHOOK_SECRET", webhook.expose_secret())
                .env("STRIPE_API_URL", &house.sandbox)
                .env("RATE_LIMITS", LIMITS)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?;
            children.push(node);
            places.push(free);
        }
        let door = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", door.local_addr()?);
        let row = Self { nodes: children, proxy: tokio::spawn(proxy(door, places.clone())), url };
        let begun = Instant::now();
        for place in places {
            let ready = || house.client.get(format!("http://{place}/readyz")).send();
            while !ready().await.is_ok_and(|answer| answer.status() == 200) {
                if begun.elapsed() > PATIENCE {
                    bail!("a node does not open");
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        Ok(row)
    }

    /// Of a short and a long run the difference: what customers and a stadium cost before the first hold is in both.
    async fn takes_its_turn(&self) -> anyhow::Result<Turn> {
        let (mut held, mut work, mut took) = (0.0, vec![0.0; self.nodes.len()], 0.0);
        for (seconds, sign) in [(SHORT, -1.0), (LONG, 1.0)] {
            let before = self.worked();
            // Few customers: each is a password that some node makes slow work of, and of hundreds no two runs spread alike.
            let words =
                ["hold", "--rate", "max", "--customers", "8", "--seconds", seconds, "--url", &self.url];
            let figures = bench(&words).await?;
            rate_of(&figures, &["201"])?;
            held += sign * figures["answered"].as_f64().context("some are answered")?;
            took += sign * figures["seconds"].as_f64().context("it took a time")?;
            for ((sum, after), before) in work.iter_mut().zip(self.worked()).zip(before) {
                *sum += sign * (after - before);
            }
        }
        let ms: Vec<f64> = work.iter().map(|seconds| seconds * 1e6 / held).collect();
        Ok(Turn {
            rate: held / took,
            busiest: ms.iter().copied().fold(0.0, f64::max),
            together: ms.iter().sum(),
        })
    }

    /// Seconds of work that each node has done.
    fn worked(&self) -> Vec<f64> {
        self.nodes.iter().map(|node| worked(node.id())).collect()
    }
}

/// Holds a second, and for a thousand of them what the busiest node did and what all did, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Turn {
    rate: f64,
    busiest: f64,
    together: f64,
}

/// Seconds of work of a process: the first number that the kernel keeps of each of its threads, in nanoseconds.
fn worked(pid: u32) -> f64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let of = |thread: std::fs::DirEntry| -> Option<f64> {
        let line = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        Some(line.split(' ').next()?.parse::<f64>().ok()? / 1e9)
    };
    threads.filter_map(of).sum()
}

async fn proxy(door: TcpListener, places: Vec<SocketAddr>) {
    for place in places.iter().cycle() {
        let Ok((mut caller, _)) = door.accept().await else { return };
        let place = *place;
        tokio::spawn(async move {
            let Ok(mut node) = TcpStream::connect(place).await else { return };
            let _ = (caller.set_nodelay(true), node.set_nodelay(true));
            let _ = tokio::io::copy_bidirectional(&mut caller, &mut node).await;
        });
    }
}

pub async fn measure() -> anyhow::Result<Part> {
    let mut part = Part::new(
        "More nodes",
        "One, two and four nodes on the same Redis and Postgres, behind a proxy that gives each connection to the next node; \
         `holdfast bench hold --rate max --customers 8` over 64 connections. On two cores the total cannot grow: what each node has to do for a \
         thousand holds shows what a second machine would take off the first; each node also follows what the others hold, so that \
         its readers see it, and that part stays. Seven nodes stand on the same stores, and the three rows of them take turns, five \
         each; nodes that have no turn follow nothing after a minute. A turn is the difference of a run of six seconds and one of \
         two. Figures are medians, ratios medians of the ratios of each round.",
    );
    let house = House::open().await?;
    let mut table = Table {
        title: "Work of the busiest node:".to_owned(),
        head: [
            "nodes",
            "holds a second in all",
            "ms of a core for 1,000 holds, busiest node",
            "beside one node",
            "all nodes together",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: Vec::new(),
    };
    let mut rows = Vec::new();
    for nodes in [1, 2, 4] {
        rows.push((Row::of(nodes, &house).await?, Vec::new()));
    }
    for round in 0..TURNS {
        // Nobody is always the first, nor the last.
        for at in 0..rows.len() {
            let at = (at + round) % rows.len();
            let (row, found) = &mut rows[at];
            found.push(row.takes_its_turn().await?);
        }
    }
    let alone = rows[0].1.clone();
    for (row, found) in &rows {
        let nodes = row.nodes.len();
        let median_of = |what: fn(&Turn) -> f64| median(&found.iter().map(what).collect::<Vec<_>>());
        let (rate, busiest, together) =
            (median_of(|it| it.rate), median_of(|it| it.busiest), median_of(|it| it.together));
        // Each turn beside the one of the same round.
        let beside = found.iter().zip(&alone).map(|(it, one)| it.busiest / one.busiest).collect::<Vec<_>>();
        let beside = median(&beside);
        println!(
            "  {nodes}: {rate:.0} a second, {busiest:.1} ms of the busiest for a thousand, {together:.1} ms of all"
        );
        table.rows.push(vec![
            nodes.to_string(),
            format!("{rate:.0}"),
            format!("{busiest:.1}"),
            format!("{beside:.2} ×"),
            format!("{together:.1}"),
        ]);
        let wanted = match nodes {
            2 => 0.65,
            4 => 0.4,
            _ => continue,
        };
        part.row(
            &format!("with {nodes} nodes the busiest one has to do for a hold"),
            &format!("≤ {wanted} ×"),
            &format!("**{beside:.2}** ×"),
            beside <= wanted,
        );
    }
    part.tables.push(table);
    Ok(part)
}
