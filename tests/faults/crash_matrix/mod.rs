//! The crash matrix: a node stops at every step between the stores, before it and after it, on every topology; another
//! one takes over, and everything ends as it was promised.
//!
//! docs/crash-matrix.md says how it works and what it has found. One cell again: `HOLDFAST_CELLS=claims:after`.

mod afterwards;
mod catalogue;
mod cell;
mod ears;
mod migrations;
mod nameless;
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

/// Cells that play at a time for each core: most of them wait, for leases of nodes that died.
const A_CORE: usize = 6;
/// Set to `whole`, every story and every disaster is played on both sides of every step. Otherwise every death is, in the step's
/// first story, and of the rest what says most: that fits into the time that a change waits for its tests.
const WHOLE: &str = "HOLDFAST_MATRIX";

/// What can become of a node at a step, other than its death.
const NO_DEATHS: [Disaster; 4] =
    [Disaster::RedisIsLost, Disaster::PostgresCrashes, Disaster::Sleeps, Disaster::IsAskedToEnd];
const SIDES: [Side; 2] = [Side::Before, Side::After];

/// How much of the matrix is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// As much as each change waits for.
    Usual,
    Whole,
}

impl Extent {
    fn wanted() -> Self {
        if std::env::var(WHOLE).is_ok_and(|how| how == "whole") { Self::Whole } else { Self::Usual }
    }

    /// Every step in its first story, on both sides.
    fn every_step(disaster: Disaster) -> Vec<Cell> {
        let first = |step| points::plans(step).iter().take(1);
        let on_both =
            |step| first(step).flat_map(move |&plan| SIDES.map(|side| Cell { step, side, plan, disaster }));
        Step::ALL.into_iter().flat_map(on_both).collect()
    }

    /// The same for what is no death: usually on one side only, and each step of the sale itself meets one of them in turn.
    fn every_step_once(self, disaster: Disaster, side: Side) -> Vec<Cell> {
        let turn = NO_DEATHS.iter().position(|one| *one == disaster).expect("it is one of them");
        let of_the_sale = Step::ALL.into_iter().filter(|step| !points::is_beside(*step));
        let in_turn: Vec<Step> = of_the_sale.skip(turn).step_by(NO_DEATHS.len()).collect();
        let mut cells = Self::every_step(disaster);
        cells.retain(|cell| self == Self::Whole || (cell.side == side && in_turn.contains(&cell.step)));
        cells
    }

    /// Every step in all of its other stories: when it has happened, and with the whole matrix before that, too.
    fn every_other_story(self) -> Vec<Cell> {
        let others = |step| points::plans(step).iter().skip(1);
        let on_both = |step| {
            others(step)
                .flat_map(move |&plan| SIDES.map(|side| Cell { step, side, plan, disaster: Disaster::Dies }))
        };
        let all = Step::ALL.into_iter().flat_map(on_both);
        all.filter(|cell| cell.side == Side::After || self == Self::Whole).collect()
    }

    fn with_a_redis_alone(self) -> Vec<Cell> {
        [Self::every_step(Disaster::Dies), self.every_other_story()].concat()
    }

    /// Behind Sentinel, and on a Cluster.
    fn with_replicas() -> Vec<Cell> {
        Self::every_step(Disaster::Dies)
    }

    fn redis_is_lost(self) -> Vec<Cell> {
        self.every_step_once(Disaster::RedisIsLost, Side::After)
    }

    fn postgres_crashes(self) -> Vec<Cell> {
        self.every_step_once(Disaster::PostgresCrashes, Side::Before)
    }

    fn wakes_up_late(self) -> Vec<Cell> {
        self.every_step_once(Disaster::Sleeps, Side::Before)
    }

    fn is_asked_to_end(self) -> Vec<Cell> {
        self.every_step_once(Disaster::IsAskedToEnd, Side::After)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_dies_at_every_step_with_a_redis_alone() {
    let stand = Stand::start(Topology::Single).await;
    run::play("single", &stand, Extent::wanted().with_a_redis_alone()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_dies_at_every_step_with_sentinel() {
    let stand = Stand::start(Topology::Sentinel).await;
    run::play("sentinel", &stand, Extent::with_replicas()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_dies_at_every_step_with_a_cluster() {
    let stand = Stand::start(Topology::Cluster).await;
    run::play("cluster", &stand, Extent::with_replicas()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_lost_at_every_step() {
    let stand = Stand::start(Topology::Single).await;
    run::play("Redis lost", &stand, Extent::wanted().redis_is_lost()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_crashes_at_every_step() {
    let stand = Stand::start(Topology::Single).await;
    run::play("Postgres crashes", &stand, Extent::wanted().postgres_crashes()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_wakes_up_at_every_step_when_all_is_decided() {
    let stand = Stand::start(Topology::Single).await;
    run::play("woken late", &stand, Extent::wanted().wakes_up_late()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_ends_politely_at_every_step() {
    let stand = Stand::start(Topology::Single).await;
    run::play("asked to end", &stand, Extent::wanted().is_asked_to_end()).await;
}
