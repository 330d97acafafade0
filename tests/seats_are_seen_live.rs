//! Whoever looks at a seat map sees every change, in order and without a gap, and what this node did at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast::ids::{AccountId, EventId};
use holdfast::seats::keys::Keys;
use holdfast::seats::{
    Asker, Change, Counts, Follower, Pictures, SeatState, SeatsError, Start, Timing, View,
};

use crate::seats_support::{House, ask, open_rules, order, own, plan, single, up};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

async fn next(follower: &mut Follower) -> Arc<Change> {
    let change = tokio::time::timeout(PATIENCE, follower.next()).await.expect("a change comes");
    change.expect("the picture is kept")
}

async fn snapshot(follower: &mut Follower) -> Arc<View> {
    loop {
        if let Change::Snapshot(view) = &*next(follower).await {
            return view.clone();
        }
    }
}

fn seats(change: &Change) -> &[(u32, SeatState)] {
    match change {
        Change::Seats { seats, .. } => seats,
        Change::Snapshot(_) => panic!("a change was expected: {change:?}"),
    }
}

#[tokio::test]
async fn a_node_sees_at_once_what_it_did() {
    let house = House::single().await;
    let event = house.event(&[4, 3], &open_rules()).await;
    let pictures = Pictures::new(house.engine.clone());
    let (owner, order) = (AccountId::new(), order());
    assert_eq!(pictures.view(event).await.unwrap().counts, Counts { free: 7, held: 0, sold: 0, blocked: 0 });

    let held = house.engine.hold(&ask(event, owner, &[0, 1])).await.unwrap();
    let view = pictures.view(event).await.unwrap();
    assert_eq!(view.counts, Counts { free: 5, held: 2, sold: 0, blocked: 0 });
    assert_eq!((view.state(1), view.state(2)), (SeatState::Held, SeatState::Free));

    house.engine.sell(event, (order, 1), held.hold, owner, &[0]).await.unwrap();
    house.engine.block(event, &[5]).await.unwrap();
    let view = pictures.view(event).await.unwrap();
    assert_eq!(view.counts, Counts { free: 4, held: 1, sold: 1, blocked: 1 });
    assert_eq!((view.state(0), view.state(5)), (SeatState::Sold, SeatState::Blocked));

    house.engine.release(event, held.hold, Asker::Owner(owner)).await.unwrap();
    house.engine.free(event, (order, 2), owner, &[0]).await.unwrap();
    house.engine.unblock(event, &[5]).await.unwrap();
    assert_eq!(pictures.view(event).await.unwrap().counts.free, 7);
}

#[tokio::test]
async fn readers_of_another_node_and_of_a_cluster_follow() {
    let (first, second) = (House::cluster().await, House::cluster().await);
    let event = first.event(&[5], &open_rules()).await;
    let pictures = Pictures::new(second.engine.clone());
    let (start, mut follower) = pictures.follow(event, None).await.unwrap();
    assert!(matches!(start, Start::Snapshot(view) if view.counts.free == 5));
    for seat in 0..5 {
        first.engine.hold(&ask(event, AccountId::new(), &[seat])).await.unwrap();
        assert_eq!(seats(&*next(&mut follower).await), [(seat, SeatState::Held)]);
    }
    assert_eq!(pictures.view(event).await.unwrap().counts.held, 5);
}

#[tokio::test]
async fn a_rush_is_read_in_batches() {
    let servers = own();
    up(&servers.url).await;
    let house = House::at(&servers.url).await;
    let event = house.event(&[300], &open_rules()).await;
    let pictures = Pictures::new(house.engine.clone());
    assert_eq!(pictures.view(event).await.unwrap().counts.free, 300);
    let reads = async || {
        let page: String = house.ask(redis::cmd("INFO").arg("commandstats")).await;
        let calls = page.split_once("cmdstat_xread:calls=").and_then(|(_, rest)| rest.split_once(','));
        calls.map_or(0, |(calls, _)| calls.parse::<u128>().unwrap())
    };

    let (before, began) = (reads().await, Instant::now());
    for seat in 0..300 {
        house.engine.hold(&ask(event, AccountId::new(), &[seat])).await.unwrap();
    }
    assert_eq!(pictures.view(event).await.unwrap().counts.held, 300);
    let (read, took) = (reads().await - before, began.elapsed());
    assert!(read <= took.as_millis() / 5 + 3, "{read} reads in {took:?}");
}

#[tokio::test]
async fn who_comes_back_is_told_what_was_missed_or_everything() {
    let house = House::single().await;
    let event = house.event(&[9], &open_rules()).await;
    let pictures = Pictures::new(house.engine.clone());
    let (_, mut follower) = pictures.follow(event, None).await.unwrap();
    for seat in 0..3 {
        house.engine.hold(&ask(event, AccountId::new(), &[seat])).await.unwrap();
    }
    let seen = next(&mut follower).await.version();
    drop(follower);
    pictures.view(event).await.unwrap();

    let (start, _) = pictures.follow(event, Some(seen)).await.unwrap();
    let Start::Resume(missed) = start else { panic!("{start:?}") };
    let missed: Vec<_> = missed.iter().flat_map(|change| seats(change).to_vec()).collect();
    assert_eq!(missed, [(1, SeatState::Held), (2, SeatState::Held)]);

    let stranger = "7-1-1".parse().unwrap();
    let (start, _) = pictures.follow(event, Some(stranger)).await.unwrap();
    assert!(matches!(start, Start::Snapshot(view) if view.counts.held == 3), "another epoch");
    let old = format!("{}-1-1", seen.epoch).parse().unwrap();
    let (start, _) = pictures.follow(event, Some(old)).await.unwrap();
    assert!(matches!(start, Start::Snapshot(_)), "older than what is known");
}

#[tokio::test]
async fn a_rebuild_is_told_as_a_snapshot() {
    let house = House::single().await;
    let event = house.event(&[4], &open_rules()).await;
    let pictures = Pictures::new(house.engine.clone());
    house.engine.hold(&ask(event, AccountId::new(), &[0])).await.unwrap();
    let (_, mut follower) = pictures.follow(event, None).await.unwrap();

    house.engine.load(&plan(event, 2, &[4], &open_rules(), vec![])).await.unwrap();
    let view = snapshot(&mut follower).await;
    assert_eq!((view.version.epoch, view.counts.free), (2, 4));
    house.engine.hold(&ask(event, AccountId::new(), &[3])).await.unwrap();
    assert_eq!(seats(&*next(&mut follower).await), [(3, SeatState::Held)]);
}

#[tokio::test]
async fn a_dead_hold_is_seen_for_less_than_a_second() {
    let timing = Timing { hold: Duration::from_millis(400), payment: Duration::ZERO, grace: Duration::ZERO };
    let house = House::with(single().await, timing).await;
    let event = house.event(&[4], &open_rules()).await;
    let pictures = Pictures::new(house.engine.clone());
    let (_, mut follower) = pictures.follow(event, None).await.unwrap();
    let asked = Instant::now();
    house.engine.hold(&ask(event, AccountId::new(), &[1])).await.unwrap();
    assert_eq!(seats(&*next(&mut follower).await), [(1, SeatState::Held)]);
    assert_eq!(seats(&*next(&mut follower).await), [(1, SeatState::Free)]);
    assert!(asked.elapsed() < timing.hold + Duration::from_secs(1), "took {:?}", asked.elapsed());
    assert!(asked.elapsed() >= timing.hold);
}

#[tokio::test]
async fn a_follower_who_falls_behind_is_given_everything_anew() {
    let house = House::single().await;
    let event = house.event(&[4], &open_rules()).await;
    let pictures = Pictures::new(house.engine.clone());
    let (_, mut follower) = pictures.follow(event, None).await.unwrap();
    // Far more changes than are kept for a slow reader, and than the feed itself keeps.
    let feed = Keys::of(event).feed();
    let mut flood = redis::pipe();
    for _ in 0..12_000 {
        flood.cmd("XADD").arg(&feed).arg("MAXLEN").arg(10_000).arg("*").arg("held").arg("9").ignore();
    }
    let _: () = flood.query_async(&mut house.redis.dedicated().await.unwrap()).await.unwrap();
    house.engine.hold(&ask(event, AccountId::new(), &[2])).await.unwrap();
    let began = Instant::now();
    let mut shown = pictures.view(event).await.unwrap();
    while shown.counts.held == 0 {
        assert!(began.elapsed() < PATIENCE, "the picture never caught up");
        tokio::time::sleep(Duration::from_millis(10)).await;
        shown = pictures.view(event).await.unwrap();
    }

    let view = snapshot(&mut follower).await;
    let mut seen: BTreeMap<u32, SeatState> = (0..4).map(|seat| (seat, view.state(seat))).collect();
    let mut version = view.version;
    while version.feed < shown.version.feed {
        let change = next(&mut follower).await;
        version = change.version();
        match &*change {
            Change::Snapshot(view) => seen.extend((0..4).map(|seat| (seat, view.state(seat)))),
            Change::Seats { seats, .. } => seen.extend(seats.iter().copied()),
        }
    }
    assert_eq!(seen[&2], SeatState::Held);
}

#[tokio::test]
async fn junk_in_the_feed_harms_nobody() {
    let house = House::single().await;
    let event = house.event(&[4], &open_rules()).await;
    let pictures = Pictures::new(house.engine.clone());
    pictures.view(event).await.unwrap();
    for (field, value) in [("held", "x,-1,99999999999,4000000000,"), ("colour", "blue"), ("free", "")] {
        let mut add = redis::cmd("XADD");
        let _: String = house.ask(add.arg(Keys::of(event).feed()).arg("*").arg(field).arg(value)).await;
    }
    house.engine.hold(&ask(event, AccountId::new(), &[0])).await.unwrap();
    assert_eq!(pictures.view(event).await.unwrap().counts, Counts { free: 3, held: 1, sold: 0, blocked: 0 });
}

/// A replica takes over that never had the last change, which whoever watches has read by then.
#[tokio::test]
async fn a_change_that_is_lost_with_its_master_is_not_shown_for_ever() {
    let (house, other) = (House::single().await, House::single().await);
    let event = house.event(&[4], &open_rules()).await;
    let pictures = Pictures::new(house.engine.clone());
    let (_, mut follower) = pictures.follow(event, None).await.unwrap();
    let (feed, before) = (Keys::of(event).feed(), house.engine.snapshot(event).await.unwrap().feed_id);
    let lost = format!("{}-0", before.ms + 3_600_000);
    let _: String = house.ask(redis::cmd("XADD").arg(&feed).arg(&lost).arg("held").arg("2")).await;
    assert_eq!(seats(&*next(&mut follower).await), [(2, SeatState::Held)]);

    let _: u64 = house.ask(redis::cmd("XDEL").arg(&feed).arg(&lost)).await;
    let _: String = house.ask(redis::cmd("XSETID").arg(&feed).arg(before.to_string())).await;
    other.engine.hold(&ask(event, AccountId::new(), &[0])).await.unwrap();
    let view = snapshot(&mut follower).await;
    assert_eq!((view.state(0), view.state(2)), (SeatState::Held, SeatState::Free));
    other.engine.hold(&ask(event, AccountId::new(), &[1])).await.unwrap();
    assert_eq!(seats(&*next(&mut follower).await), [(1, SeatState::Held)], "it follows again");
}

/// Somebody else's feed has what we know, and before it what we never heard of.
#[tokio::test]
async fn a_change_that_went_past_a_watcher_is_shown_all_the_same() {
    let house = House::single().await;
    let event = house.event(&[4], &open_rules()).await;
    let pictures = Pictures::new(house.engine.clone());
    let (_, mut follower) = pictures.follow(event, None).await.unwrap();
    let _: u8 = house.ask(redis::cmd("SETBIT").arg(format!("taken:{{{event}}}")).arg(3).arg(1)).await;
    assert_eq!(snapshot(&mut follower).await.state(3), SeatState::Held);
    house.engine.hold(&ask(event, AccountId::new(), &[1])).await.unwrap();
    assert_eq!(seats(&*next(&mut follower).await), [(1, SeatState::Held)], "it follows on");
}

#[tokio::test]
async fn an_event_that_nobody_looks_at_is_dropped() {
    let house = House::single().await;
    let event = house.event(&[4], &open_rules()).await;
    let pictures = Pictures::with_idle(house.engine.clone(), Duration::from_millis(100));
    let (_, follower) = pictures.follow(event, None).await.unwrap();
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(pictures.watched(), 1, "somebody follows");
    drop(follower);
    let began = Instant::now();
    while pictures.watched() > 0 {
        assert!(began.elapsed() < PATIENCE, "it is still watched");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(pictures.view(event).await.is_ok(), "and watched again when somebody looks");
}

#[tokio::test]
async fn an_event_without_a_picture_says_so_until_it_has_one() {
    let house = House::single().await;
    let event = EventId::new();
    let pictures = Pictures::new(house.engine.clone());
    assert!(matches!(pictures.view(event).await, Err(SeatsError::NotReady(known)) if known == event));
    house.engine.load(&plan(event, 1, &[4], &open_rules(), vec![])).await.unwrap();
    let began = Instant::now();
    while pictures.view(event).await.is_err() {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_redis_that_goes_away_is_told_quickly_and_its_return_is_a_snapshot() {
    let mut server = own();
    let house = House::at(&server.url).await;
    up(&server.url).await;
    let event = house.event(&[4], &open_rules()).await;
    let pictures = Pictures::new(house.engine.clone());
    house.engine.hold(&ask(event, AccountId::new(), &[0])).await.unwrap();
    let (_, mut follower) = pictures.follow(event, None).await.unwrap();
    let before = house.redis.run_id().await.unwrap();

    server.kill();
    let began = Instant::now();
    while pictures.view(event).await.is_ok() {
        assert!(began.elapsed() < Duration::from_secs(2), "the picture of a dead redis is still shown");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let began = Instant::now();
    assert!(matches!(pictures.view(event).await, Err(SeatsError::Redis(_))));
    assert!(began.elapsed() < Duration::from_millis(300), "took {:?}", began.elapsed());

    server.restart().await;
    assert_ne!(house.redis.run_id().await.unwrap(), before);
    house.engine.load(&plan(event, 2, &[4], &open_rules(), vec![])).await.unwrap();
    let view = snapshot(&mut follower).await;
    assert_eq!((view.version.epoch, view.counts.free), (2, 4));
    house.engine.hold(&ask(event, AccountId::new(), &[1])).await.unwrap();
    assert_eq!(seats(&*next(&mut follower).await), [(1, SeatState::Held)]);
}
