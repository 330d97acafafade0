//! Storms: seeded trouble on a whole stand, with a history that is checked to the last seat.
//!
//! `script/chaos` runs one for as long as wanted; the suite runs a short one of each shape.

mod asking;
mod customer;
mod dice;
mod history;
mod liveness;
mod nemesis;
mod organiser;
mod register;
mod report;
mod scene;
mod signs;
mod storm;
mod tally;
mod trouble;

use std::process::Command;
use std::time::Duration;

use self::storm::Wanted;
use crate::stand::Topology;

/// The seed where nobody knows what was committed.
const WITHOUT_GIT: u64 = 20_261_121;

/// What `script/chaos` was told, or what the suite does.
fn wanted(topology: Topology) -> Wanted {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    Wanted {
        topology,
        seed: number("HOLDFAST_CHAOS_SEED").unwrap_or_else(seed_of_what_is_committed),
        lasts: Duration::from_secs(number("HOLDFAST_CHAOS_SECONDS").unwrap_or(60)),
        round: number("HOLDFAST_CHAOS_ROUND").unwrap_or(1),
        bug: std::env::var("HOLDFAST_CHAOS_BUG").ok(),
    }
}

/// Another with each change, and the same for whoever tries that change again: the tree's own name, which neither who
/// committed it nor when is part of.
fn seed_of_what_is_committed() -> u64 {
    let asked = ["rev-parse", "HEAD^{tree}"];
    let git = Command::new("git").args(asked).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let tree = git.map(|said| String::from_utf8_lossy(&said.stdout).into_owned()).unwrap_or_default();
    tree.get(..8).and_then(|start| u64::from_str_radix(start, 16).ok()).unwrap_or(WITHOUT_GIT)
}

async fn nothing_is_lost_in_a_storm(topology: Topology) {
    let outcome = storm::run(wanted(topology)).await;
    println!("{}", outcome.text);
    assert!(outcome.wrong.is_empty(), "{}\n{}", outcome.text, outcome.wrong.join("\n"));
    assert!(
        outcome.tally.of("orders that ended", "confirmed") > 0,
        "a storm in which nobody buys proves nothing"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_in_a_storm_over_redis_alone() {
    nothing_is_lost_in_a_storm(Topology::Single).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_in_a_storm_over_sentinel() {
    nothing_is_lost_in_a_storm(Topology::Sentinel).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_in_a_storm_over_a_cluster() {
    nothing_is_lost_in_a_storm(Topology::Cluster).await;
}
