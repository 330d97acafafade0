//! `holdfast bench`: asks a house as a crowd would, at a pace that its answers do not change, and says how it answered.

mod fairness;
mod house;
mod line;
mod load;
mod page;
mod progress;
mod report;
mod scenario;
mod stream;
mod viewer;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use holdfast::demo;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use self::house::House;
use self::load::{Load, Pace};
use self::report::Figures;
use self::scenario::{best, hold, journey, landing, map, order, read, rush, watch};

/// What to ask, of whom, and how fast.
#[derive(Debug, Args)]
pub struct Bench {
    #[command(subcommand)]
    what: What,
    /// The house to ask, http://…; without it, one of our own is opened on this machine and closed again: with stores of its own
    /// that wait for their disk, every call counted against limits that nobody here meets, and every request logged to a file.
    #[arg(long, global = true)]
    url: Option<String>,
    /// Who puts the events on sale that are needed.
    #[arg(long, global = true, default_value = house::demo_organiser())]
    organiser: String,
    #[arg(long, global = true, env = "BENCH_PASSWORD", default_value = demo::PASSWORD, hide_env_values = true)]
    password: String,
    /// Requests that are due each second, whatever the answers, or `max`: as fast as the connections have answers.
    #[arg(long, global = true, default_value = "200")]
    rate: Pace,
    #[arg(long, global = true, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// How many requests can be on their way at a time.
    #[arg(long, global = true, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    connections: u32,
    /// Writes the figures into this file, too.
    #[arg(long, global = true)]
    json: Option<PathBuf>,
    /// Writes a page with plots into this file, too.
    #[arg(long, global = true)]
    html: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum What {
    #[command(flatten)]
    InAHouse(InAHouse),
    /// One address, again and again, or some in turn. No house is opened for it, and nobody signs in.
    Read(read::Read),
}

/// What needs an event, and customers.
#[derive(Debug, Subcommand)]
enum InAHouse {
    /// Named seats, each its own or all the same few.
    Hold(hold::Hold),
    /// The best seats side by side.
    Best(best::Best),
    /// A hold and the order of it: seats that are claimed in Postgres.
    Order(order::Order),
    /// The whole visit: map, hold, order, payment, webhook, booking, somebody else's screen.
    Journey(journey::Journey),
    /// A crowd that looks on, while seats are taken at the rate.
    Watch(watch::Watch),
    /// What a page reads to draw the map.
    Map(map::Map),
    /// Many orders that are paid at once, until the last is a booking.
    Landing(landing::Landing),
    /// A whole on-sale through a waiting room, until everything is sold.
    Rush(rush::Rush),
}

/// Measures, and says what was found.
pub async fn run(bench: Bench) -> anyhow::Result<ExitCode> {
    raise_the_limit_of_files();
    let load = Load {
        pace: bench.rate,
        lasts: Duration::from_secs(bench.seconds.into()),
        connections: usize::try_from(bench.connections)?,
    };
    let figures = match &bench.what {
        What::Read(read) => read::run(&load, read).await?,
        What::InAHouse(what) => ask(&bench, &load, what).await?,
    };
    print!("{}", figures.text());
    if let Some(path) = &bench.json {
        let text = serde_json::to_string_pretty(&figures)? + "\n";
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    if let Some(path) = &bench.html {
        std::fs::write(path, page::html(&figures)).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn ask(bench: &Bench, load: &Load, what: &InAHouse) -> anyhow::Result<Figures> {
    let house = House::open(bench.url.as_deref(), &bench.organiser, &bench.password).await?;
    let figures = match what {
        InAHouse::Hold(hold) => hold::run(&house, load, hold).await,
        InAHouse::Best(best) => best::run(&house, load, best).await,
        InAHouse::Order(order) => order::run(&house, load, order).await,
        InAHouse::Journey(journey) => journey::run(&house, load, journey).await,
        InAHouse::Landing(landing) => landing::run(&house, load, landing).await,
        InAHouse::Watch(watch) => watch::run(&house, load, watch).await,
        InAHouse::Map(map) => map::run(&house, load, map).await,
        InAHouse::Rush(rush) => rush::run(&house, load, rush).await,
    };
    // It stops while we can still wait for it.
    tokio::task::block_in_place(|| drop(house));
    figures
}

/// Each viewer is a file to the system, here and there.
fn raise_the_limit_of_files() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    }
}
