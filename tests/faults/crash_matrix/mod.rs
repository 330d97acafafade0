//! The crash matrix: a node stops at every step between the stores, before it and after it, on every topology; another
//! one takes over, and everything ends as it was promised.
//!
//! docs/crash-matrix.md says how it works and what it has found. One cell again: `HOLDFAST_CELLS=claims:after`.

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
const A_CORE: usize = 8;
/// Set to `whole`, every disaster is played on both sides of every step. Otherwise only the plain one is, and of the
/// others the side that says more: that fits into the time that a change waits for its tests.
const WHOLE: &str = "HOLDFAST_MATRIX";

const SIDES: [Side; 2] = [Side::Before, Side::After];

fn is_whole() -> bool {
    std::env::var(WHOLE).is_ok_and(|how| how == "whole")
}

/// Every step in its first story, on both sides.
fn every_step(disaster: Disaster) -> Vec<Cell> {
    let first = |step| points::plans(step).iter().take(1);
    let on_both =
        |step| first(step).flat_map(move |&plan| SIDES.map(|side| Cell { step, side, plan, disaster }));
    Step::ALL.into_iter().flat_map(on_both).collect()
}

/// The same, on one side unless the whole matrix is asked for.
fn every_step_once(disaster: Disaster, side: Side) -> Vec<Cell> {
    let mut cells = every_step(disaster);
    cells.retain(|cell| cell.side == side || is_whole());
    cells
}

/// Every step in all of its other stories: when it has happened, and with the whole matrix before that, too.
fn every_other_story() -> Vec<Cell> {
    let others = |step| points::plans(step).iter().skip(1);
    let on_both = |step| {
        others(step)
            .flat_map(move |&plan| SIDES.map(|side| Cell { step, side, plan, disaster: Disaster::Dies }))
    };
    let all = Step::ALL.into_iter().flat_map(on_both);
    all.filter(|cell| cell.side == Side::After || is_whole()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_dies_at_every_step_with_a_redis_alone() {
    let stand = Stand::start(Topology::Single).await;
    let cells = [every_step(Disaster::Dies), every_other_story()].concat();
    run::play("single", &stand, cells).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_dies_at_every_step_with_sentinel() {
    let stand = Stand::start(Topology::Sentinel).await;
    run::play("sentinel", &stand, every_step(Disaster::Dies)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_dies_at_every_step_with_a_cluster() {
    let stand = Stand::start(Topology::Cluster).await;
    run::play("cluster", &stand, every_step(Disaster::Dies)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_lost_at_every_step() {
    let stand = Stand::start(Topology::Single).await;
    run::play("Redis lost", &stand, every_step_once(Disaster::RedisIsLost, Side::After)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_crashes_at_every_step() {
    let stand = Stand::start(Topology::Single).await;
    run::play("Postgres crashes", &stand, every_step_once(Disaster::PostgresCrashes, Side::Before)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_wakes_up_at_every_step_when_all_is_decided() {
    let stand = Stand::start(Topology::Single).await;
    run::play("woken late", &stand, every_step_once(Disaster::Sleeps, Side::Before)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_ends_politely_at_every_step() {
    let stand = Stand::start(Topology::Single).await;
    run::play("asked to end", &stand, every_step_once(Disaster::IsAskedToEnd, Side::After)).await;
}
