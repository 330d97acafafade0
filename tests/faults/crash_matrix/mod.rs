//! The crash matrix: a node stops at every step between the stores, before it and after it, on every topology; another
//! one takes over, and everything ends as it was promised.
//!
//! docs/reliability.md says how it works and what it has found. One cell again: `HOLDFAST_CELLS=claims:after`.

mod afterwards;
mod cell;
mod ears;
mod points;
mod run;
mod stage;
mod stories;

use holdfast::proof::{Side, Step};

use self::cell::{Cell, Disaster};
use self::run::Where;
use self::stage::Stand;
use crate::stand::Topology;

/// Cells that play at a time. They mostly wait: for leases of nodes that died.
const AT_A_TIME: usize = 16;

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

async fn a_node_dies_at_every_step(topology: Topology) {
    let stand = Stand::start(topology).await;
    let cells = every_step(Disaster::Dies, topology == Topology::Single);
    run::play(topology.name(), Where::Shared(stand), cells, AT_A_TIME).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_dies_at_every_step_with_a_redis_alone() {
    a_node_dies_at_every_step(Topology::Single).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_dies_at_every_step_with_sentinel() {
    a_node_dies_at_every_step(Topology::Sentinel).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_dies_at_every_step_with_a_cluster() {
    a_node_dies_at_every_step(Topology::Cluster).await;
}
