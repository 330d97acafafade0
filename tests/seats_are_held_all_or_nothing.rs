//! A hold takes all of its seats or none, for exactly as long as it says, whoever races and whatever is lost.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use holdfast::ids::{AccountId, EventId, HoldId, OrderId};
use holdfast::seats::keys::Keys;
use holdfast::seats::{
    Asker, ClaimKind, Claimed, HoldAsk, HoldRefusal, LoadedClaim, Reason, Released, Rules, SeatsError,
    Timing, Wish,
};
use uuid::Uuid;

use crate::seats_support::{House, ask, best, open_rules, order, own, plan, single, up};

fn refused(answer: Result<holdfast::seats::Held, SeatsError>) -> HoldRefusal {
    match answer {
        Err(SeatsError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

async fn two_hundred_race(first: House, second: House) {
    let event = first.event(&[5], &open_rules()).await;
    let wishes = [[0, 1, 2], [1, 2, 3], [2, 3, 4]];
    let mut racing = tokio::task::JoinSet::new();
    for number in 0..200 {
        let engine = if number % 2 == 0 { first.engine.clone() } else { second.engine.clone() };
        let ask = ask(event, AccountId::new(), &wishes[number % 3]);
        racing.spawn(async move { (ask.clone(), engine.hold(&ask).await) });
    }
    let mut winners = Vec::new();
    while let Some(done) = racing.join_next().await {
        match done.unwrap() {
            (_, Ok(held)) => winners.push(held),
            (ask, Err(SeatsError::Refused(HoldRefusal::Seats(seats)))) => {
                let Wish::Wanted { seats: wanted, .. } = ask.what else { panic!("seats were named") };
                assert!(!seats.is_empty());
                assert!(seats.iter().all(|(seat, reason)| wanted.contains(seat) && *reason == Reason::Held));
            }
            (_, other) => panic!("{other:?}"),
        }
    }
    assert_eq!(winners.len(), 1, "any two of the wishes share seat 2");
    let view = first.engine.snapshot(event).await.unwrap();
    assert_eq!(view.taken[0].count_ones(), 3 + 3, "three seats, and the aisle with its padding");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_who_want_overlapping_seats_one_gets_all_of_them() {
    two_hundred_race(House::single().await, House::single().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_race_on_a_cluster() {
    two_hundred_race(House::cluster().await, House::cluster().await).await;
}

#[tokio::test]
async fn a_hold_ends_on_time_with_nobody_sweeping() {
    let timing = Timing { hold: Duration::from_millis(300), payment: Duration::ZERO, grace: Duration::ZERO };
    let house = House::with(single().await, timing).await;
    let event = house.event(&[4], &Rules { max_per_customer: Some(2), ..open_rules() }).await;
    let (ada, ben) = (AccountId::new(), AccountId::new());

    let held = house.engine.hold(&ask(event, ada, &[0, 1])).await.unwrap();
    let left = Duration::from_millis((held.deadline_ms - held.now_ms).unsigned_abs());
    assert_eq!(left, timing.hold);
    let began = Instant::now();
    while let Err(error) = house.engine.hold(&ask(event, ben, &[0])).await {
        assert!(matches!(error, SeatsError::Refused(HoldRefusal::Seats(_))), "{error}");
        assert!(began.elapsed() < Duration::from_secs(1), "it is still held");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(began.elapsed() >= left.saturating_sub(Duration::from_millis(20)), "it ended early");
    assert!(
        house.engine.hold(&ask(event, ada, &[1, 2])).await.is_ok(),
        "the limit knows that the hold is over"
    );
    assert!(!house.engine.hold_of(event, held.hold).await.unwrap().unwrap().live);
}

#[tokio::test]
async fn seventy_expired_holds_are_swept_by_the_next_wish() {
    let house = House::single().await;
    let event = house.event(&[70], &open_rules()).await;
    house.lapsed(event, 0..70).await;
    let all = house.engine.hold(&best(event, AccountId::new(), &[(0, 70)], 70)).await.unwrap();
    assert_eq!(all.ordinals.len(), 70);
}

#[tokio::test]
async fn a_swap_that_fails_leaves_the_old_seats_held_and_one_that_works_keeps_the_age() {
    let house = House::single().await;
    let event = house.event(&[6], &open_rules()).await;
    let (ada, ben) = (AccountId::new(), AccountId::new());
    let old = house.engine.hold(&ask(event, ada, &[0, 1])).await.unwrap();
    house.engine.hold(&ask(event, ben, &[3])).await.unwrap();

    let swap = |seats| HoldAsk { replaces: Some(old.hold), ..ask(event, ada, seats) };
    let why = refused(house.engine.hold(&swap(&[1, 2, 3])).await);
    assert_eq!(why, HoldRefusal::Seats(vec![(3, Reason::Held)]));
    assert!(house.engine.hold_of(event, old.hold).await.unwrap().unwrap().live);

    let new = house.engine.hold(&swap(&[1, 2])).await.unwrap();
    assert_eq!((new.ordinals.as_slice(), new.first_held_ms), ([1, 2].as_slice(), old.first_held_ms));
    // 600 s to hold and 300 s to pay: the swap may last until 900 s after the first seat, at most.
    assert!(new.deadline_ms >= old.deadline_ms && new.deadline_ms <= old.first_held_ms + 900_000);
    let flags = house.engine.flags(event, &[0, 1]).await.unwrap();
    assert_eq!(flags, [None, Some(new.hold.to_string())]);
}

#[tokio::test]
async fn a_swap_of_standing_places_counts_the_one_that_is_named_once() {
    let house = House::single().await;
    let event = house.event(&[6], &open_rules()).await;
    let ada = AccountId::new();
    let wants = |places: &[u32], quantity| HoldAsk {
        what: Wish::Wanted { seats: vec![], places: places.to_vec(), areas: vec![(0..6, quantity)] },
        ..ask(event, ada, &[])
    };
    let old = house.engine.hold(&wants(&[], 2)).await.unwrap();
    assert_eq!(old.ordinals, [0, 1]);
    let swap = HoldAsk { replaces: Some(old.hold), ..wants(&[0], 2) };
    assert_eq!(house.engine.hold(&swap).await.unwrap().ordinals, [0, 1, 2]);
}

#[tokio::test]
async fn a_large_hall_is_loaded_in_parts_with_what_was_sold_blocked_and_held() {
    let house = House::single().await;
    let event = EventId::new();
    let (owner, sold, held) = (AccountId::new(), OrderId::new(), HoldId(Uuid::new_v4()));
    let ttl = Duration::from_mins(5);
    let kinds = [
        (4094, ClaimKind::Held { order: Some(sold), hold: held, owner, ttl }),
        (7, ClaimKind::Sold { order: sold, owner }),
        // The same hold on both sides of a part's end.
        (4097, ClaimKind::Held { order: Some(sold), hold: held, owner, ttl }),
        (99_999, ClaimKind::Blocked),
    ];
    let claims = kinds.map(|(ordinal, kind)| LoadedClaim { ordinal, kind });
    let began = Instant::now();
    house.engine.load(&plan(event, 1, &[50; 2000], &open_rules(), claims.to_vec())).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "took {:?}", began.elapsed());

    let restored = house.engine.hold_of(event, held).await.unwrap().unwrap();
    assert!(restored.live);
    assert_eq!((restored.ordinals.as_slice(), restored.order), ([4094, 4097].as_slice(), Some(sold)));
    let taken = house.engine.hold(&ask(event, owner, &[7, 4094, 99_999, 101_999 - 1])).await;
    let reasons = vec![(7, Reason::Sold), (4094, Reason::Held), (99_999, Reason::Blocked)];
    assert_eq!(refused(taken), HoldRefusal::Seats(reasons));
    assert_eq!(house.engine.snapshot(event).await.unwrap().places, 100_000);

    // A later epoch starts clean: what the first had and the second has not is free again.
    let again = plan(event, 2, &[50; 2000], &open_rules(), vec![]);
    house.engine.load(&again).await.unwrap();
    assert!(matches!(house.engine.load(&again).await, Err(SeatsError::Superseded)));
    assert!(house.engine.hold(&ask(event, owner, &[7, 4094, 4097, 99_999])).await.is_ok());
    assert_eq!(house.engine.release(event, held, Asker::Order(sold)).await.unwrap(), Released::Already);
}

#[tokio::test]
async fn the_best_seats_are_found_in_a_hall_with_holes_everywhere() {
    let house = House::single().await;
    let event = EventId::new();
    // Every second seat is sold, for more runs than one call may hop over; five are left at the very end.
    let (order, owner) = (order(), AccountId::new());
    let sold = (0..9996).step_by(2).map(|at| at + at / 50);
    let claims =
        sold.map(|ordinal| LoadedClaim { ordinal, kind: ClaimKind::Sold { order, owner } }).collect();
    house.engine.load(&plan(event, 1, &[50; 200], &open_rules(), claims)).await.unwrap();
    let pair = house.engine.hold(&best(event, AccountId::new(), &[(0, 10_200)], 2)).await.unwrap();
    assert_eq!(pair.ordinals, [10_194, 10_195]);
    let why = refused(house.engine.hold(&best(event, AccountId::new(), &[(0, 10_200)], 4)).await);
    assert_eq!(why, HoldRefusal::NoAdjacent { free: 5000 });
}

#[tokio::test]
async fn a_flag_that_lost_its_bit_still_keeps_its_seat() {
    let house = House::single().await;
    let event = house.event(&[3], &open_rules()).await;
    let held = house.engine.hold(&ask(event, AccountId::new(), &[0])).await.unwrap();
    let [_, taken, ..] = Keys::of(event).shared();
    let _: i64 = house.ask(redis::cmd("SETBIT").arg(taken).arg(0).arg(0)).await;

    let named = refused(house.engine.hold(&ask(event, AccountId::new(), &[0])).await);
    assert_eq!(named, HoldRefusal::Seats(vec![(0, Reason::Held)]));
    let other = house.engine.hold(&best(event, AccountId::new(), &[(0, 3)], 1)).await.unwrap();
    assert_ne!(other.ordinals, held.ordinals, "the bit was put right, and another seat chosen");
    assert!(house.engine.hold_of(event, held.hold).await.unwrap().unwrap().live);
}

#[tokio::test]
async fn a_sold_seat_that_lost_its_flag_is_freed_by_nobody() {
    let house = House::single().await;
    let event = house.event(&[3], &open_rules()).await;
    let (ada, paid) = (AccountId::new(), order());
    let held = house.engine.hold(&ask(event, ada, &[0, 1])).await.unwrap();
    house.engine.sell(event, (paid, 1), HoldId(Uuid::new_v4()), ada, &[0]).await.unwrap();
    let _: i64 = house.ask(redis::cmd("DEL").arg(Keys::of(event).flag(0))).await;
    house.lapse(event, held.hold).await;

    assert_eq!(house.engine.sweep(event).await.unwrap().freed, [1]);
    let why = refused(house.engine.hold(&ask(event, AccountId::new(), &[0])).await);
    assert_eq!(why, HoldRefusal::Seats(vec![(0, Reason::Sold)]));
    assert_eq!(house.engine.unblock(event, &[0]).await.unwrap(), 0);
}

#[tokio::test]
async fn the_loss_of_all_scripts_is_not_noticed() {
    let server = own();
    up(&server.url).await;
    let house = House::at(&server.url).await;
    let event = house.event(&[60], &open_rules()).await;
    let forgetful = house.clone();
    let forgetting = tokio::spawn(async move {
        loop {
            let _: String = forgetful.ask(redis::cmd("SCRIPT").arg("FLUSH")).await;
        }
    });
    for seat in 0..60 {
        house.engine.hold(&ask(event, AccountId::new(), &[seat])).await.unwrap();
    }
    forgetting.abort();
}

#[tokio::test]
async fn a_sale_by_postgres_overrides_and_the_loser_hears_at_checkout() {
    let house = House::single().await;
    let event = house.event(&[4], &open_rules()).await;
    let (ada, ben) = (AccountId::new(), AccountId::new());
    let (paid, late) = (order(), order());
    let held = house.engine.hold(&ask(event, ada, &[0, 1])).await.unwrap();
    let gone = HoldId(Uuid::new_v4());
    assert_eq!(house.engine.sell(event, (paid, 1), gone, ben, &[1]).await.unwrap(), 1);

    let claimed = house.engine.claim(event, late, held.hold, ada, &[0, 1], Duration::from_mins(1)).await;
    assert_eq!(claimed.unwrap(), Claimed::Lost(vec![1]));
    let counts: HashMap<String, i64> =
        house.ask(redis::cmd("HGETALL").arg(&Keys::of(event).shared()[6])).await;
    assert_eq!(counts.get(&ben.to_string()), Some(&1));
    assert_eq!(house.engine.release(event, held.hold, Asker::Owner(ada)).await.unwrap(), Released::Seats(1));
    assert_eq!(house.engine.flags(event, &[1]).await.unwrap(), [Some(format!("sold:{paid}"))]);
}
