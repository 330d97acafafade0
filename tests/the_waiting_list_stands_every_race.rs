//! However many come, leave and buy at once, on two nodes: the list's order holds, and no seat leaks.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use holdfast::ids::EventId;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::journeys::id;
use crate::support::{Answer, Client, Holdfast, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_who_comes_a_hundred_times_at_two_nodes_is_on_the_list_once() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let (event, ..) = holdfast.sold_out(4800).await;
    let ada = holdfast.customer().await;
    let mut asks = JoinSet::new();
    for number in 0..100 {
        let here = if number % 2 == 0 { ada.clone() } else { ada.at(&second) };
        asks.spawn(async move { here.joins(event, json!({ "quantity": 1 })).await });
    }
    let answers = asks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    for refused in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!((refused.status, refused.code()), (409, "already_waiting"));
    }
    assert_eq!(ada.get("/v1/waitlist").await.expect(200)["items"].as_array().map(Vec::len), Some(1));
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_while_seats_are_being_offered_leaves_them_to_the_next() {
    let holdfast = Holdfast::start().await;
    let (event, owner, order) = holdfast.sold_out(4800).await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let first = ada.waits_for(event, 4).await;
    let next = ben.waits_for(event, 4).await;
    // Both the leaving and the offer wait for the entry; the leaving came first.
    let mut entry = holdfast.app().pg.begin().await.expect("a transaction");
    sqlx::query("select from waitlist where id = $1::uuid for update")
        .bind(id(&first))
        .execute(&mut *entry)
        .await
        .expect("a lock");
    let leaving = tokio::spawn({
        let (ada, first) = (ada.clone(), first.clone());
        async move { ada.leaves(&first).await }
    });
    eventually("the leaving waits for the entry", async || {
        let (waiting,): (bool,) = sqlx::query_as(
            "select exists (select from pg_stat_activity where datname = current_database()
                             and wait_event_type = 'Lock' and query like '%from waitlist%')",
        )
        .fetch_one(&holdfast.app().pg)
        .await
        .expect("what the server does");
        waiting.then_some(())
    })
    .await;
    owner.cancels(&order).await.expect(200);
    eventually("Redis grants the seats to the first", async || holdfast.flag(event, "hall-A-1").await).await;
    entry.rollback().await.expect("the lock is given back");
    leaving.await.expect("an answer").expect(204);
    assert_eq!(ada.entry(&first).await["status"], "left");
    ben.is(&next, "offered").await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_is_being_written_down_is_not_taken_for_one_that_nobody_can_take_up() {
    let holdfast = Holdfast::start().await;
    let (event, owner, order) = holdfast.sold_out(4800).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut looking = JoinSet::new();
    for _ in 0..3 {
        let (app, stop) = (holdfast.app().clone(), Arc::clone(&stop));
        looking.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let events = app.catalog.on_sale_lately().await.expect("a list");
                for listed in events.iter().filter(|listed| listed.id == event) {
                    app.waitlist.give_back_unwritten(listed).await.expect("it is looked at");
                }
            }
        });
    }
    let mut people = Vec::new();
    for _ in 0..4 {
        people.push(holdfast.customer().await);
    }
    let mut parties = Vec::new();
    for person in &people {
        parties.push(person.waits_for(event, 1).await);
    }
    owner.cancels(&order).await.expect(200);
    for _ in 0..25 {
        for (person, party) in people.iter().zip(&mut parties) {
            let offered = person.is(party, "offered").await;
            let hold = offered["offer"]["hold_id"].as_str().expect("a hold").to_owned();
            let stands = person.finds(&format!("/v1/holds/{hold}")).await;
            assert_eq!(stands.status, 200, "what was offered is there to be taken: {}", stands.body);
            // Somebody has just gone, so all the others' offers are looked at.
            person.leaves(party).await.expect(204);
            *party = person.waits_for(event, 1).await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    looking.join_all().await;
    holdfast.every_invariant_holds().await;
}

/// Everybody on the list, in its order, with the moment of the offer.
async fn offers_in_order(holdfast: &Holdfast, event: EventId) -> Vec<(i64, Option<i64>)> {
    sqlx::query_as(
        "select w.place, (select (extract(epoch from l.at) * 1000000)::bigint from waitlist_log l
                           where l.entry_id = w.id and l.to_state = 'offered') as offered
           from waitlist w where w.event_id = $1 order by w.place",
    )
    .bind(event)
    .fetch_all(&holdfast.app().pg)
    .await
    .expect("a query")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_and_twenty_who_come_at_once_are_served_in_the_order_they_got() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let event = holdfast.small_hall(1000, &[10, 10]).await;
    let names: Vec<String> =
        ["A", "B"].iter().flat_map(|row| (1..=10).map(move |n| format!("hall-{row}-{n}"))).collect();
    let mut orders = Vec::new();
    for seat in &names {
        let buyer = holdfast.customer().await;
        orders.push((holdfast.sold(&buyer, event, &[seat]).await, buyer));
    }
    let mut joining = JoinSet::new();
    for (number, person) in holdfast.crowd(120).await.into_iter().enumerate() {
        let person = if number % 2 == 0 { person } else { person.at(&second) };
        joining.spawn(async move {
            let entry = person.waits_for(event, 1).await;
            (person, entry)
        });
    }
    let parties = joining.join_all().await;
    let from = holdfast.feed_end(event).await;

    // All seats come back at once, at two nodes; a third take their offer up, a third decline, a third do nothing.
    let mut racing = JoinSet::new();
    for (number, (order, buyer)) in orders.into_iter().enumerate() {
        let buyer = if number % 2 == 0 { buyer } else { buyer.at(&second) };
        racing.spawn(async move {
            // A node that has too much to do says so, and is asked again.
            buyer.cancels(&order).await.expect(200);
        });
    }
    let quiet = Arc::new(AtomicBool::new(false));
    for (number, (person, entry)) in parties.iter().cloned().enumerate() {
        let quiet = Arc::clone(&quiet);
        racing.spawn(async move {
            let mut now = person.entry(&entry).await;
            while now["status"] == "waiting" && !quiet.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(100)).await;
                now = person.entry(&entry).await;
            }
            match (now["status"].as_str(), number % 3) {
                (Some("offered"), 0) => {
                    let hold = json!({ "hold_id": now["offer"]["hold_id"] });
                    let answer = person.post("/v1/orders", hold).await;
                    assert!(matches!(answer.status, 201 | 410), "{}", answer.body);
                }
                (Some("offered"), 1) => {
                    let status = person.leaves(&entry).await.status;
                    assert!(matches!(status, 204 | 409), "{status}");
                }
                _ => {}
            }
        });
    }
    // All is quiet when every seat is spoken for and no further offer has been made for a while.
    let mut same = 0;
    let mut before = 0;
    eventually("every seat is spoken for", async || {
        let (taken, made): (i64, i64) = sqlx::query_as(
            "select (select count(*) from seat_claims where event_id = $1)
                    + (select count(*) from offered_seats where event_id = $1),
                    (select count(*) from offers where event_id = $1)",
        )
        .bind(event)
        .fetch_one(&holdfast.app().pg)
        .await
        .expect("a count");
        same = if taken == 20 && made == before { same + 1 } else { 0 };
        before = made;
        tokio::time::sleep(Duration::from_millis(50)).await;
        (same > 20).then_some(())
    })
    .await;
    quiet.store(true, Ordering::Relaxed);
    racing.join_all().await;

    let list = offers_in_order(&holdfast, event).await;
    let moments: Vec<i64> = list.iter().filter_map(|(_, offered)| *offered).collect();
    assert!(moments.len() >= 20, "{}", moments.len());
    assert!(moments.is_sorted(), "later places were offered before earlier ones");
    let gaps =
        list.iter().skip_while(|(_, offered)| offered.is_some()).filter(|(_, offered)| offered.is_some());
    assert_eq!(gaps.count(), 0, "whoever has no offer stands behind all who have");
    assert!(holdfast.seen_free_since(event, &from).await.is_empty(), "the public saw a seat free");
    holdfast.every_invariant_holds().await;
}

/// What people do to a hall of nine seats while others wait.
#[derive(Debug, Clone)]
enum Deed {
    Joins { person: usize, quantity: u32, row: Option<usize> },
    Leaves { person: usize },
    Buys { person: usize, quantity: u32 },
    Cancels { person: usize },
    LetsGo { person: usize },
    TakesUp { person: usize },
    Blocks { seat: usize },
    Unblocks { seat: usize },
}

const PEOPLE: usize = 6;
const SEATS: [&str; 9] = [
    "front-A-1",
    "front-A-2",
    "front-A-3",
    "front-A-4",
    "front-A-5",
    "back-A-1",
    "back-A-2",
    "back-A-3",
    "back-A-4",
];

fn a_deed() -> impl Strategy<Value = Deed> {
    let person = || 0..PEOPLE;
    prop_oneof![
        4 => (person(), 1..4u32, proptest::option::of(0..2usize))
            .prop_map(|(person, quantity, row)| Deed::Joins { person, quantity, row }),
        1 => person().prop_map(|person| Deed::Leaves { person }),
        4 => (person(), 1..5u32).prop_map(|(person, quantity)| Deed::Buys { person, quantity }),
        3 => person().prop_map(|person| Deed::Cancels { person }),
        2 => person().prop_map(|person| Deed::LetsGo { person }),
        3 => person().prop_map(|person| Deed::TakesUp { person }),
        1 => (0..SEATS.len()).prop_map(|seat| Deed::Blocks { seat }),
        1 => (0..SEATS.len()).prop_map(|seat| Deed::Unblocks { seat }),
    ]
}

async fn does(holdfast: &Holdfast, people: &[Client], event: EventId, deed: Deed) {
    let entries = async |person: &Client| person.get("/v1/waitlist").await.expect(200)["items"].clone();
    let newest = |items: &Value, status: &str| {
        items.as_array().and_then(|items| items.iter().find(|item| item["status"] == status).cloned())
    };
    match deed {
        Deed::Joins { person, quantity, row } => {
            let section = row.map(|row| ["front", "back"][row]);
            people[person].joins(event, json!({ "quantity": quantity, "section": section })).await;
        }
        Deed::Leaves { person } => {
            if let Some(entry) = newest(&entries(&people[person]).await, "waiting") {
                people[person].leaves(&entry).await;
            }
        }
        Deed::Buys { person, quantity } => {
            let hold = wants(&people[person], event, quantity).await;
            if hold.status == 201 {
                let order = people[person].post("/v1/orders", json!({ "hold_id": hold.body["id"] })).await;
                if order.status != 201 {
                    gives_back(&people[person], &hold.body).await;
                }
            }
        }
        Deed::Cancels { person } => {
            let own = people[person].get("/v1/orders").await.expect(200);
            if let Some(order) = newest(&own["items"], "confirmed") {
                people[person].cancels(&order).await;
            }
        }
        Deed::LetsGo { person } => {
            let hold = wants(&people[person], event, 1).await;
            if hold.status == 201 {
                gives_back(&people[person], &hold.body).await;
            }
        }
        Deed::TakesUp { person } => {
            if let Some(entry) = newest(&entries(&people[person]).await, "offered") {
                let answer =
                    people[person].post("/v1/orders", json!({ "hold_id": entry["offer"]["hold_id"] })).await;
                assert!(matches!(answer.status, 201 | 404 | 409 | 410 | 503), "{}", answer.body);
            }
        }
        Deed::Blocks { seat } => {
            let wish = json!({ "seats": [SEATS[seat]], "reason": "test" });
            holdfast.organiser().post(&format!("/v1/admin/events/{event}/seats/block"), wish).await;
        }
        Deed::Unblocks { seat } => {
            let wish = json!({ "seats": [SEATS[seat]] });
            holdfast.organiser().post(&format!("/v1/admin/events/{event}/seats/unblock"), wish).await;
        }
    }
}

/// Asks under one key until there is an answer that stays: a node that was too busy to answer may have held the seats.
async fn wants(person: &Client, event: EventId, quantity: u32) -> Answer {
    let wish = json!({ "best": { "quantity": quantity } });
    person.gets_through(&format!("/v1/events/{event}/holds"), wish).await
}

/// Lets go of a hold, however busy the node is: one that stayed would be taken for a seat that leaks.
async fn gives_back(person: &Client, hold: &Value) {
    eventually("the hold is given back", async || {
        let status = person.delete(&format!("/v1/holds/{}", id(hold))).await.status;
        (status == 204).then_some(())
    })
    .await;
}

/// When all is quiet: no seat is kept for nobody, and nobody waits for what lies there free.
async fn nothing_leaks(holdfast: &Holdfast, event: EventId) {
    let anyone = holdfast.anyone();
    let what = "every seat is somebody's, or free for all, and nobody waits in vain";
    let (mut seen, began) = (String::new(), std::time::Instant::now());
    eventually(what, async || {
        let picture = anyone.get(&format!("/v1/events/{event}/availability")).await.expect(200);
        let claims: (i64, i64) = sqlx::query_as(
            "select (select count(*) from seat_claims where event_id = $1),
                    (select count(*) from offered_seats where event_id = $1)",
        )
        .bind(event)
        .fetch_one(&holdfast.app().pg)
        .await
        .expect("a count");
        let waiting: Vec<(i32, Option<String>)> = sqlx::query_as(
            "select quantity, section from waitlist where event_id = $1 and state = 'waiting'",
        )
        .bind(event)
        .fetch_all(&holdfast.app().pg)
        .await
        .expect("a list");
        let taken: HashSet<&str> =
            picture["taken"].as_object().expect("a map").keys().map(String::as_str).collect();
        let longest = longest_runs(&taken);
        let in_vain = waiting.iter().any(|(quantity, section)| {
            let there = match section {
                Some(section) => longest[section.as_str()],
                None => longest.values().copied().max().unwrap_or(0),
            };
            there >= *quantity
        });
        let now = format!("claims and offers {claims:?}, waiting {waiting:?}, {picture}");
        if now != seen {
            // Shown when it was in vain.
            println!("{:.1?}: {now}", began.elapsed());
            seen = now;
        }
        (i64::try_from(taken.len()).expect("few") == claims.0 + claims.1 && !in_vain).then_some(())
    })
    .await;
}

/// How many free seats lie side by side in each section, at most.
fn longest_runs(taken: &HashSet<&str>) -> BTreeMap<&'static str, i32> {
    let mut longest: BTreeMap<&str, i32> = BTreeMap::new();
    for section in ["front", "back"] {
        let mut run = 0;
        for seat in SEATS.iter().filter(|seat| seat.starts_with(section)) {
            run = if taken.contains(seat) { 0 } else { run + 1 };
            let most = longest.entry(section).or_default();
            *most = run.max(*most);
        }
    }
    longest
}

#[test]
fn whatever_races_with_what_the_order_is_kept_and_no_seat_leaks() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let (holdfast, second) = runtime.block_on(async {
        let holdfast = Holdfast::start().await;
        let second = holdfast.second_node().await;
        (holdfast, second)
    });
    let mut runner = TestRunner::new(Config {
        cases: 12,
        failure_persistence: None,
        max_shrink_iters: 0,
        ..Config::default()
    });
    let scripts = proptest::collection::vec(proptest::collection::vec(a_deed(), 4..9), 3..7);
    let outcome = runner.run(&scripts, |scripts| {
        runtime.block_on(async {
            let event = holdfast
                .event(json!({
                    "title": "Nine Seats", "starts_at": "2031-05-01T19:00:00Z", "currency": "eur", "orphan_rule": false,
                    "categories": [{ "key": "all", "price": 0 }],
                    "sections": [{ "key": "front", "category": "all", "rows": [{ "name": "A", "seats": 5 }] },
                                 { "key": "back", "category": "all", "rows": [{ "name": "A", "seats": 4 }] }],
                }))
                .await;
            let people = holdfast.crowd(PEOPLE).await;
            let there: Vec<Client> = people.iter().map(|person| person.at(&second)).collect();
            futures_util::future::join_all(scripts.iter().enumerate().map(async |(number, deeds)| {
                let people = if number % 2 == 0 { &people } else { &there };
                for deed in deeds {
                    does(&holdfast, people, event, deed.clone()).await;
                }
            }))
            .await;
            nothing_leaks(&holdfast, event).await;
        });
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    runtime.block_on(holdfast.every_invariant_holds());
}
