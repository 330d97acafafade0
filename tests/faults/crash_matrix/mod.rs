//! The crash matrix: a node stops at every step between the stores, before it and after it, on every topology; another
//! one takes over, and everything ends as it was promised.
//!
//! docs/reliability.md says how it works and what it has found. One cell again: `HOLDFAST_CELLS=claims:after`.

mod afterwards;
mod catalogue;
mod cell;
mod ears;
mod migrations;
mod pairs;
mod points;
mod run;
mod stage;
mod stories;
mod unseen;

use holdfast::proof::{Side, Step};

use self::cell::{Cell, Disaster};
use self::stage::Stand;
use crate::stand::Topology;

/// Cells that play at a time for each core. They mostly wait: for leases of nodes that died.
const A_CORE: usize = 5;

const SIDES: [Side; 2] = [Side::Before, Side::After];

/// Every step, before and after, in its first story or in all of them.
fn every_step(disaster: Disaster, all_stories: bool) -> Vec<Cell> {
    let mut cells = Vec::new();
    for step in Step::ALL {
        let plans = points::plans(step);
        for &plan in if all_stories { plans } else { &plans[..plans.len().min(1)] } {
            cells.extend(SIDES.map(|side| Cell { step, side, plan, disaster }));
        }
    }
    cells
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_dies_at_every_step_with_a_redis_alone() {
    let stand = Stand::start(Topology::Single).await;
    run::play("single", &stand, every_step(Disaster::Dies, true)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_dies_at_every_step_with_sentinel() {
    let stand = Stand::start(Topology::Sentinel).await;
    run::play("sentinel", &stand, every_step(Disaster::Dies, false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_dies_at_every_step_with_a_cluster() {
    let stand = Stand::start(Topology::Cluster).await;
    run::play("cluster", &stand, every_step(Disaster::Dies, false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_lost_at_every_step() {
    let stand = Stand::start(Topology::Single).await;
    run::play("Redis lost", &stand, every_step(Disaster::RedisIsLost, false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_crashes_at_every_step() {
    let stand = Stand::start(Topology::Single).await;
    run::play("Postgres crashes", &stand, every_step(Disaster::PostgresCrashes, false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_wakes_up_at_every_step_when_all_is_decided() {
    let stand = Stand::start(Topology::Single).await;
    run::play("woken late", &stand, every_step(Disaster::Sleeps, false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_ends_politely_at_every_step() {
    let stand = Stand::start(Topology::Single).await;
    run::play("asked to end", &stand, every_step(Disaster::IsAskedToEnd, false)).await;
}
