//! Two deaths: the node that takes over dies, too, at a point on the way back.

use holdfast::proof::{Fate, Side, Step, Stop};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::cell::{Cell, Disaster};
use super::points::{self, Plan};
use super::stage::Stand;
use super::{SIDES, run};
use crate::stand::Topology;

/// Pairs of one run.
pub const PAIRS: usize = 12;
/// Where a pair is drawn again: `HOLDFAST_SEED=7 script/test a_node_dies_twice`.
const SEED: &str = "HOLDFAST_SEED";

/// The steps of a story in the order in which they come: whatever is behind the first point is still to be done, and
/// so is the first step itself, or its repeat finds it done. The steps beside a sale are in their own order, and not in that
/// of the sale.
fn way_back(plan: Plan, step: Step) -> Vec<Step> {
    let stories = |other: &Step| points::plans(*other).iter().any(|one| one.story == plan.story);
    let at = |of: Step| Step::ALL.iter().position(|one| *one == of).expect("it is one of all");
    let is_comparable = |other: &Step| points::is_beside(*other) == points::is_beside(step);
    let later = |other: &Step| at(*other) >= at(step) && is_comparable(other);
    Step::ALL.into_iter().filter(stories).filter(later).collect()
}

fn pairs(seed: u64) -> Vec<Cell> {
    let mut chance = StdRng::seed_from_u64(seed);
    let firsts: Vec<_> = Step::ALL
        .into_iter()
        .flat_map(|step| points::plans(step).iter().map(move |&plan| (step, plan)))
        .filter(|(step, plan)| way_back(*plan, *step).len() > 1)
        .collect();
    (0..PAIRS)
        .map(|_| {
            let &(step, plan) = firsts.choose(&mut chance).expect("there are some");
            let again = *way_back(plan, step).choose(&mut chance).expect("there are some");
            let mut side = || SIDES[usize::from(chance.random::<bool>())];
            let (side, other) = (side(), side());
            let second = Stop { step: again, side: other, fate: Fate::Die, nth: 1 };
            Cell { step, side, plan, disaster: Disaster::DiesAgain(second) }
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_dies_twice_on_its_way_back() {
    let seed = std::env::var(SEED).ok().and_then(|text| text.parse().ok()).unwrap_or_else(rand::random);
    println!("pairs are drawn with {SEED}={seed}");
    let stand = Stand::start(Topology::Single).await;
    let outcomes = run::play(&format!("pairs of {SEED}={seed}"), &stand, pairs(seed)).await;
    let twice = outcomes.iter().filter(|outcome| outcome.again).count();
    println!("{twice} of {} died twice", outcomes.len());
    assert!(twice * 2 >= outcomes.len(), "too few of the second points are on a way back: {twice}");
}

#[test]
fn the_same_seed_draws_the_same_pairs() {
    let names = |seed| pairs(seed).iter().map(Cell::name).collect::<Vec<_>>();
    assert_eq!(names(7), names(7));
    assert_ne!(names(7), names(8));
    let stays = |cell: &Cell| matches!(cell.side, Side::Before | Side::After);
    assert!(pairs(7).iter().all(stays));
}
