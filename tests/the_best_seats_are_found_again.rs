//! A search for the best seats goes on where the last one was over. It finds what one from the beginning would find,
//! whatever has come free or was taken meanwhile, and does not look through a full hall for each customer.

use std::collections::BTreeSet;

use holdfast::ids::{AccountId, EventId, HoldId};
use holdfast::seats::keys::Keys;
use holdfast::seats::{Asker, HoldRefusal, SeatsError};
use proptest::prelude::*;
use proptest::sample::subsequence;
use proptest::test_runner::{Config, TestRunner};

use crate::seats_model::{Model, What, Wish, said};
use crate::seats_support::{House, ask, best, open_rules, own, up};

/// Thirty rows of 3 to 12 seats.
fn lengths() -> Vec<u32> {
    (0..30).map(|row| 3 + row * 7 % 10).collect()
}

#[derive(Debug, Clone)]
enum Op {
    Best { within: usize, quantity: u32 },
    Named(Vec<u32>),
    Release(usize),
    Block(Vec<u32>),
    Unblock(Vec<u32>),
}

/// Where somebody looks: everywhere; in two thirds whose borders lie inside rows; in a category that others cut into pieces.
fn places(size: u32) -> [Vec<(u32, u32)>; 4] {
    let stripes = (0..size / 10).map(|n| (n * 10, n * 10 + 7)).collect();
    [vec![(0, size)], vec![(0, size * 2 / 3 + 1)], vec![(size / 3 + 1, size)], stripes]
}

fn an_op(size: u32) -> impl Strategy<Value = Op> {
    let some = move |most: usize| subsequence((0..size).collect::<Vec<_>>(), 1..=most);
    prop_oneof![
        12 => (0..4usize, 1..5u32).prop_map(|(within, quantity)| Op::Best { within, quantity }),
        3 => some(3).prop_map(Op::Named),
        5 => any::<usize>().prop_map(Op::Release),
        1 => some(40).prop_map(Op::Block),
        1 => some(40).prop_map(Op::Unblock),
    ]
}

/// What the engine and the model answer to the same wish of the same customer.
async fn asked(
    house: &House,
    model: &mut Model,
    wish: &Wish,
    ask: &holdfast::seats::HoldAsk,
    id: usize,
) -> [String; 2] {
    let answer = match house.engine.hold(ask).await {
        Ok(held) => said("held", held.ordinals.into_iter().collect::<BTreeSet<_>>()),
        Err(SeatsError::Refused(HoldRefusal::SoldOut { free })) => said("sold out", free),
        Err(SeatsError::Refused(HoldRefusal::NoAdjacent { free })) => said("no adjacent", free),
        // Named seats: that the model refuses, too, is asked elsewhere.
        Err(SeatsError::Refused(_)) => "refused".into(),
        Err(other) => panic!("{other}"),
    };
    let expected = model.hold(id, 0, wish);
    [answer, if expected.starts_with("refused") { "refused".into() } else { expected }]
}

#[test]
fn whatever_has_changed_meanwhile_the_best_seats_are_those_that_a_new_search_finds() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let house = runtime.block_on(House::single());
    let size = u32::try_from(Model::new(&lengths()).seats.len()).unwrap();
    let places = places(size);
    let config = Config { cases: 100, failure_persistence: None, max_shrink_iters: 300, ..Config::default() };
    let outcome = TestRunner::new(config).run(&prop::collection::vec(an_op(size), 1..200), |ops| {
        runtime.block_on(async {
            let mut model = Model::new(&lengths());
            let event = house.event(&lengths(), &open_rules()).await;
            let owner = AccountId::new();
            let mut holds: Vec<HoldId> = Vec::new();
            for op in &ops {
                let what = match op {
                    Op::Best { within, quantity } => {
                        What::Best { runs: places[*within].clone(), quantity: *quantity }
                    }
                    Op::Named(seats) => {
                        let seats = seats.iter().copied().collect();
                        What::Seats { seats, places: BTreeSet::new(), areas: vec![] }
                    }
                    Op::Release(_) if holds.is_empty() => continue,
                    Op::Release(which) => {
                        let id = which % holds.len();
                        house.engine.release(event, holds[id], Asker::Owner(owner)).await.unwrap();
                        model.release(id, 0, None);
                        continue;
                    }
                    Op::Block(seats) => {
                        house.engine.block(event, seats).await.unwrap();
                        model.block(&seats.iter().copied().collect());
                        continue;
                    }
                    Op::Unblock(seats) => {
                        house.engine.unblock(event, seats).await.unwrap();
                        model.unblock(&seats.iter().copied().collect());
                        continue;
                    }
                };
                let ask = match &what {
                    What::Best { runs, quantity } => best(event, owner, runs, *quantity),
                    What::Seats { seats, .. } => {
                        ask(event, owner, &seats.iter().copied().collect::<Vec<_>>())
                    }
                };
                let id = holds.len();
                holds.push(ask.hold);
                let wish = Wish { what, replaces: None };
                let [engine, expected] = asked(&house, &mut model, &wish, &ask, id).await;
                prop_assert_eq!(engine, expected, "{:?}", op);
            }
            Ok(())
        })
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

/// How often the server has looked for a bit.
async fn looks(house: &House) -> u64 {
    let page: String = house.ask(redis::cmd("INFO").arg("commandstats")).await;
    let line = page.lines().find_map(|line| line.strip_prefix("cmdstat_bitpos:calls=")).unwrap_or("0,");
    line.split(',').next().unwrap().parse().unwrap()
}

/// Of each of these rows of four, the two in the middle are gone.
async fn nearly_full(house: &House, rows: u32) -> EventId {
    let lengths: Vec<u32> = (0..rows).map(|_| 4).chain([40]).collect();
    let event = house.event(&lengths, &open_rules()).await;
    let gone: Vec<u32> = (0..rows).flat_map(|row| [row * 5 + 1, row * 5 + 2]).collect();
    for some in gone.chunks(1000) {
        house.engine.block(event, some).await.unwrap();
    }
    event
}

#[tokio::test]
async fn a_hall_that_is_nearly_full_is_not_looked_through_for_each_customer() {
    const ROWS: u32 = 3000;
    let servers = own();
    up(&servers.url).await;
    let house = House::at(&servers.url).await;
    let event = nearly_full(&house, ROWS).await;
    let wish = |quantity| best(event, AccountId::new(), &[(0, ROWS * 5 + 41)], quantity);

    let before = looks(&house).await;
    let first = house.engine.hold(&wish(2)).await.unwrap();
    assert_eq!(first.ordinals[0], ROWS * 5, "behind all the rows that have no two side by side");
    let passed = looks(&house).await - before;
    assert!(passed > u64::from(ROWS), "which one search has to pass: {passed}");

    let before = looks(&house).await;
    for _ in 0..10 {
        house.engine.hold(&wish(2)).await.unwrap();
    }
    let freed = house.engine.unblock(event, &[6, 7]).await.unwrap();
    assert_eq!(freed, 2);
    let found = house.engine.hold(&wish(2)).await.unwrap();
    assert_eq!(found.ordinals[0], 5, "what has come free meanwhile");
    for _ in 0..20 {
        let _ = house.engine.hold(&wish(2)).await;
    }
    let none = house.engine.hold(&wish(2)).await;
    assert!(matches!(none, Err(SeatsError::Refused(HoldRefusal::NoAdjacent { .. }))), "{none:?}");
    let looked = looks(&house).await - before;
    assert!(looked < 400, "some for each of 32 wishes, and not {passed}: {looked}");
}

#[tokio::test]
async fn seats_that_have_grown_together_across_the_end_of_a_search_are_one_run() {
    let house = House::single().await;
    let event = house.event(&[10, 40], &open_rules()).await;
    let wish = || best(event, AccountId::new(), &[(0, 52)], 3);
    let release = async |held: &holdfast::seats::Held| {
        house.engine.release(event, held.hold, Asker::Owner(held.owner)).await.unwrap();
    };
    let named = async |seats: &[u32]| house.engine.hold(&ask(event, AccountId::new(), seats)).await.unwrap();
    named(&[0, 1, 2, 3, 4, 9]).await;
    let beside = named(&[5]).await;
    let three = house.engine.hold(&wish()).await.unwrap();
    assert_eq!(three.ordinals, [6, 7, 8]);
    release(&three).await;
    release(&beside).await;
    assert_eq!(
        house.engine.hold(&wish()).await.unwrap().ordinals[0],
        11,
        "three of these four leave one alone"
    );
}

#[tokio::test]
async fn a_search_begins_anew_when_not_everything_that_has_changed_is_known() {
    let house = House::single().await;
    let event = nearly_full(&house, 100).await;
    let wish = || best(event, AccountId::new(), &[(0, 541)], 2);
    house.engine.hold(&wish()).await.unwrap();
    house.engine.unblock(event, &[6, 7]).await.unwrap();
    // What says so is lost.
    let _: i64 = house.ask(redis::cmd("DEL").arg(Keys::of(event).feed())).await;
    assert_eq!(house.engine.hold(&wish()).await.unwrap().ordinals[0], 5);

    assert_eq!(house.engine.hold(&wish()).await.unwrap().ordinals[0], 7);

    house.engine.unblock(event, &[11, 12]).await.unwrap();
    // And more than is looked through.
    let others: Vec<u32> = (20..100).flat_map(|row| [row * 5 + 1, row * 5 + 2]).collect();
    for _ in 0..4 {
        house.engine.unblock(event, &others).await.unwrap();
        house.engine.block(event, &others).await.unwrap();
    }
    assert_eq!(house.engine.hold(&wish()).await.unwrap().ordinals[0], 10);
}
