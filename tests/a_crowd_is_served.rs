//! More people than can be served, again and again: each gets a turn, too much is told to come back, and an outage ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::journeys::id;
use crate::support::{Answer, Holdfast, eventually};

/// Some pause before the next try, as a page makes it.
async fn pause_before_the_next_try() {
    tokio::time::sleep(Duration::from_millis(rand::random_range(20..200))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_starves_in_a_storm() {
    const PEOPLE: usize = 60;
    const TURNS: usize = 3;
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let event = holdfast
        .event(json!({ "title": "Six Places", "starts_at": "2031-01-01T20:00:00Z", "total_tickets": 6 }))
        .await;
    let served = Arc::new((0..PEOPLE).map(|_| AtomicUsize::new(0)).collect::<Vec<_>>());
    let mut storm = JoinSet::new();
    for (number, person) in holdfast.crowd(PEOPLE).await.into_iter().enumerate() {
        let (served, person) =
            (Arc::clone(&served), if number % 2 == 0 { person } else { person.at(&second) });
        storm.spawn(async move {
            // Everybody goes on until the last one has had their turns, so that it never gets any easier.
            while served.iter().any(|turns| turns.load(Ordering::Relaxed) < TURNS) {
                let hold = person.holds(event, json!({ "areas": { "general": 1 } })).await;
                match hold.status {
                    201 => {
                        served[number].fetch_add(1, Ordering::Relaxed);
                        let path = format!("/v1/holds/{}", id(&hold.body));
                        while person.delete(&path).await.status != 204 {}
                    }
                    409 | 503 => {}
                    other => panic!("{other}: {}", hold.body),
                }
                pause_before_the_next_try().await;
            }
        });
    }
    tokio::time::timeout(Duration::from_mins(2), storm.join_all()).await.unwrap_or_else(|_| {
        panic!(
            "somebody starves: {:?}",
            served.iter().map(|turns| turns.load(Ordering::Relaxed)).collect::<Vec<_>>()
        )
    });
    let mut turns: Vec<_> = served.iter().map(|turns| turns.load(Ordering::Relaxed)).collect();
    turns.sort_unstable();
    println!("turns: fewest {}, median {}, most {}", turns[0], turns[PEOPLE / 2], turns[PEOPLE - 1]);
    assert!(turns[0] * 20 >= turns[PEOPLE / 2], "the unluckiest are far behind: {turns:?}");
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_times_too_much_is_shed_and_what_is_left_is_served() {
    let holdfast = Holdfast::with(|config| config.database_connections = 3).await;
    let second = holdfast.second_node().await;
    let event = holdfast
        .event(json!({ "title": "Rush", "starts_at": "2031-01-01T20:00:00Z", "total_tickets": 200 }))
        .await;
    // Nobody waits for anybody: all of it is on its way before the first answer.
    let mut flood = JoinSet::new();
    for (number, person) in holdfast.crowd(600).await.into_iter().enumerate() {
        let person = if number % 2 == 0 { person } else { person.at(&second) };
        flood.spawn(async move {
            let hold = person.holds(event, json!({ "areas": { "general": 1 } })).await;
            if hold.status != 201 {
                return (person, hold, None);
            }
            let order = person.post("/v1/orders", json!({ "hold_id": id(&hold.body) })).await;
            (person, hold, Some(order))
        });
    }
    let mut tally: BTreeMap<(u16, u16), usize> = BTreeMap::new();
    let mut unserved = Vec::new();
    let told = |answer: &Answer, served: &[u16]| {
        let shed = matches!(answer.status, 429 | 503) && answer.header("retry-after").is_some();
        assert!(shed || served.contains(&answer.status), "{}: {}", answer.status, answer.body);
    };
    for (person, hold, order) in flood.join_all().await {
        told(&hold, &[201, 409]);
        let status = order.as_ref().map_or(0, |order| order.status);
        *tally.entry((hold.status, status)).or_default() += 1;
        if let Some(order) = order {
            told(&order, &[201]);
            if order.status != 201 {
                unserved.push((person, hold.body));
            }
        }
    }
    println!("holds and orders by status: {tally:?}");
    // Whoever was told to come back does, and there is time for them now.
    for (person, hold) in unserved {
        eventually("the order goes on", async || {
            let answer = person.post("/v1/orders", json!({ "hold_id": id(&hold) })).await;
            (answer.status == 201).then_some(())
        })
        .await;
    }
    let left = holdfast.customer().await;
    eventually("it serves as before", async || {
        let answer = left.holds(event, json!({ "areas": { "general": 1 } })).await;
        matches!(answer.status, 201 | 409).then_some(())
    })
    .await;
    holdfast.every_invariant_holds().await;
}

/// As a page does that was told when to come back: then, and not all in the same moment.
async fn comes_back(answer: &Answer) {
    let told = answer.header("retry-after").and_then(|seconds| seconds.parse().ok()).unwrap_or(0);
    tokio::time::sleep(Duration::from_secs(told) + Duration::from_millis(rand::random_range(0..1000))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_who_tries_again_lets_a_house_come_back() {
    let holdfast = Holdfast::with_its_own_stack().await;
    let event = holdfast
        .event(json!({ "title": "Queue", "starts_at": "2031-01-01T20:00:00Z", "total_tickets": 150 }))
        .await;
    let people = holdfast.crowd(150).await;
    holdfast.stack().kill_redis();
    let (refused, held, sold) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let storm = people.into_iter().map(async |person| {
        let key = uuid::Uuid::new_v4().to_string();
        let path = format!("/v1/events/{event}/holds");
        let hold = loop {
            let answer = person.post_once(&path, &key, json!({ "areas": { "general": 1 } })).await;
            match (answer.status, answer.code()) {
                (201, _) => break answer.body,
                (503, _) | (409, "still_running") => {}
                other => panic!("{other:?}: {}", answer.body),
            }
            refused.fetch_add(1, Ordering::Relaxed);
            comes_back(&answer).await;
        };
        held.fetch_add(1, Ordering::Relaxed);
        loop {
            let order = person.post("/v1/orders", json!({ "hold_id": id(&hold) })).await;
            match order.status {
                201 => {
                    assert_eq!(order.body["status"], "confirmed");
                    break sold.fetch_add(1, Ordering::Relaxed);
                }
                503 => comes_back(&order).await,
                other => panic!("{other}: {}", order.body),
            }
        }
    });
    let outage = async {
        eventually("everybody has been refused, more than once", async || {
            (refused.load(Ordering::Relaxed) >= 300).then_some(())
        })
        .await;
        holdfast.stack().start_redis().await.expect("it starts");
    };
    let all = async { tokio::join!(futures_util::future::join_all(storm), outage) };
    let done = tokio::time::timeout(Duration::from_secs(150), all).await.is_ok();
    assert!(done, "it does not come back: {refused:?} refused, {held:?} held, {sold:?} sold");
    let status = holdfast.anyone().get(&format!("/v1/events/{event}/status")).await.expect(200);
    assert_eq!((status["sold"].as_i64(), status["available"].as_i64()), (Some(150), Some(0)));
    holdfast.every_invariant_holds().await;
}
