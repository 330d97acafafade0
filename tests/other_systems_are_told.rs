//! What happens here is told elsewhere: once in the log, at least once at the other end, signed, and only to whom it
//! concerns.

use std::collections::BTreeSet;

use holdfast::seats::keys::Keys;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::journeys::{GOOD_CARD, id};
use crate::support::receiver::{Receiver, calls_back};
use crate::support::{Holdfast, eventually};

const PAIR: [&str; 2] = ["stalls-A-1", "stalls-A-2"];

#[tokio::test(flavor = "multi_thread")]
async fn every_step_of_a_sale_is_told_as_it_is_answered() {
    let holdfast = Holdfast::that_calls_back().await;
    let receiver = Receiver::start().await;
    let hook = holdfast.organiser().listens(&receiver, &["*"]).await;
    assert_eq!(
        (&hook["events"], &hook["status"], &hook["hears_all"]),
        (&json!(["*"]), &json!("enabled"), &json!(false))
    );
    let secret = hook["secret"].as_str().expect("it is told once");
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;

    let hold = ada.holds_seats(event, &PAIR).await.expect(201);
    let told = receiver.hears_of("hold.created", &hold).await;
    for same in ["id", "event_id", "seats", "amount", "currency"] {
        assert_eq!(told.object()[same], hold[same], "{same}");
    }
    assert_eq!(told.object()["status"], "held");
    assert!(told.object()["expires_at"].is_string());
    ada.delete(&format!("/v1/holds/{}", id(&hold))).await.expect(204);
    let told = receiver.hears_of("hold.released", &hold).await;
    assert_eq!((&told.object()["status"], &told.object()["seats"]), (&json!("released"), &hold["seats"]));

    let order = holdfast.sold(&ada, event, &PAIR).await;
    let told = receiver.hears_of("order.confirmed", &order).await;
    for same in ["id", "event_id", "hold_id", "status", "seats", "amount", "currency"] {
        assert_eq!(told.object()[same], order[same], "{same}");
    }
    ada.cancels(&order).await.expect(200);
    let told = receiver.hears_of("order.cancelled", &order).await;
    assert_eq!((&told.object()["status"], &told.object()["refunded"]), (&json!("cancelled"), &json!(0)));
    ada.sees(&order, "refunded").await;
    let told = receiver.hears_of("order.refunded", &order).await;
    assert_eq!((&told.object()["status"], &told.object()["refunded"]), (&json!("refunded"), &json!(9600)));
    // An order that was never paid is called off, too.
    let open = ada.orders(event, &["stalls-B-1"]).await;
    ada.cancels(&open).await.expect(200);
    receiver.hears_of("order.cancelled", &open).await;

    for arrival in receiver.came() {
        assert!(arrival.is_signed_with(secret), "{}", arrival.body);
        assert_eq!(arrival.header("Holdfast-Event-Id"), arrival.body["id"]);
        assert_eq!(arrival.header("Content-Type"), "application/json");
        assert!(arrival.header("User-Agent").starts_with("Holdfast/"));
        assert_eq!((&arrival.body["livemode"], &arrival.body["api_version"]), (&json!(false), &json!("v1")));
        let text = arrival.body.to_string();
        assert!(!text.contains("@example.com") && !text.contains("client_secret"), "{text}");
    }
    let kinds = ["hold.created", "hold.released", "order.confirmed", "order.cancelled", "order.refunded"];
    for kind in kinds {
        let logged = holdfast.logged(kind).await;
        assert!(!logged.is_empty() && logged.iter().all(|(_, times)| *times == 1), "{kind}: {logged:?}");
    }
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_runs_out_is_told_once() {
    let holdfast = Holdfast::with(|config| {
        calls_back(config);
        config.hold_seconds = 1;
        config.payment_seconds = 1;
    })
    .await;
    let _second = holdfast.second_node().await;
    let receiver = Receiver::start().await;
    holdfast.organiser().listens(&receiver, &["hold.expired"]).await;
    let event = holdfast.theatre().await;
    let hold = holdfast.customer().await.holds_seats(event, &PAIR).await.expect(201);
    let told = receiver.hears_of("hold.expired", &hold).await;
    assert_eq!((&told.object()["status"], &told.object()["seats"]), (&json!("expired"), &hold["seats"]));
    assert_eq!(holdfast.logged("hold.expired").await, [(id(&hold).to_owned(), 1)]);
    assert!(holdfast.logged("hold.created").await.is_empty(), "nobody wants to hear of that");
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_free_seat_and_every_offer_to_the_list_are_told() {
    let holdfast = Holdfast::that_calls_back().await;
    let receiver = Receiver::start().await;
    holdfast.organiser().listens(&receiver, &["event.sold_out", "waitlist.offered", "hold.created"]).await;
    let (event, buyer, order) = holdfast.sold_out(4800).await;
    let told = receiver.hears("event.sold_out", 1).await.remove(0);
    assert_eq!(*told.object(), json!({ "id": event, "title": "A Small Hall", "available": 0 }));

    let ben = holdfast.customer().await;
    let entry = ben.waits_for(event, 2).await;
    buyer.cancels(&order).await.expect(200);
    let offered = ben.is(&entry, "offered").await;
    let told = receiver.hears_of("waitlist.offered", &entry).await;
    assert_eq!(told.object()["hold_id"], offered["offer"]["hold_id"]);
    for same in ["seats", "amount", "currency"] {
        assert_eq!(told.object()[same], offered["offer"][same], "{same}");
    }
    assert_eq!(told.object()["status"], "offered");
    // What was kept for the list was nobody's to buy: offering it sells nothing out. The offer's hold is noted in the same
    // step, so this would have been logged with it.
    receiver.hears_of("hold.created", &json!({ "id": offered["offer"]["hold_id"] })).await;
    assert_eq!(holdfast.logged("event.sold_out").await, [(event.to_string(), 1)]);
    // Two seats have come back for everybody: whoever takes them sells the event out again.
    ben.takes_up(&offered).await;
    holdfast.the_list_is_empty(event).await;
    let last = holdfast.customer().await.holds_seats(event, &["hall-A-3", "hall-A-4"]).await.expect(201);
    receiver.hears("event.sold_out", 2).await;
    assert_eq!(holdfast.logged("event.sold_out").await, [(event.to_string(), 2)], "{last}");
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_holds_and_releases_on_two_nodes_are_told_once_each() {
    let holdfast = Holdfast::that_calls_back().await;
    let second = holdfast.second_node().await;
    let receiver = Receiver::start().await;
    let hook =
        holdfast.organiser().listens(&receiver, &["hold.created", "hold.released", "event.sold_out"]).await;
    let secret = hook["secret"].as_str().expect("a secret").to_owned();
    let event = holdfast.small_hall(1000, &[100]).await;

    let mut clicks = JoinSet::new();
    for (number, buyer) in holdfast.crowd(100).await.into_iter().enumerate() {
        let (here, there) = if number % 2 == 0 {
            (buyer.clone(), buyer.at(&second))
        } else {
            (buyer.at(&second), buyer.clone())
        };
        clicks.spawn(async move {
            let seat = format!("hall-A-{}", number + 1);
            let hold = here.holds_seats(event, &[&seat]).await.expect(201);
            (hold, there)
        });
    }
    let holds = clicks.join_all().await;
    receiver.hears("event.sold_out", 1).await;
    let mut clicks = JoinSet::new();
    let mut ids = BTreeSet::new();
    for (hold, buyer) in holds {
        ids.insert(id(&hold).to_owned());
        clicks.spawn(async move { buyer.delete(&format!("/v1/holds/{}", id(&hold))).await.expect(204) });
    }
    clicks.join_all().await;

    for kind in ["hold.created", "hold.released"] {
        let told = eventually(&format!("all of {kind} arrived"), async || {
            let told: BTreeSet<_> =
                receiver.came_of(kind).iter().map(|one| id(one.object()).to_owned()).collect();
            (told.len() >= 100).then_some(told)
        })
        .await;
        assert_eq!(told, ids, "{kind}");
        let logged = holdfast.logged(kind).await;
        assert_eq!(logged.iter().map(|(hold, _)| hold.clone()).collect::<BTreeSet<_>>(), ids);
        assert!(logged.iter().all(|(_, times)| *times == 1), "{kind} was logged twice: {logged:?}");
    }
    assert_eq!(holdfast.logged("event.sold_out").await, [(event.to_string(), 1)]);
    assert!(receiver.came().iter().all(|one| one.is_signed_with(&secret)));
    eventually("Redis has forgotten the notes", async || {
        let left: u64 = holdfast.ask_redis(redis::cmd("XLEN").arg(Keys::of(event).diary())).await;
        (left == 0).then_some(())
    })
    .await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_dies_between_redis_and_postgres_loses_nothing_and_tells_nothing_twice() {
    let mut holdfast = Holdfast::that_calls_back().await;
    let receiver = Receiver::start().await;
    holdfast.organiser().listens(&receiver, &["hold.created"]).await;
    let event = holdfast.small_hall(1000, &[100]).await;
    let mut ids = BTreeSet::new();
    let mut clicks = JoinSet::new();
    for (number, buyer) in holdfast.crowd(100).await.into_iter().enumerate() {
        let seat = format!("hall-A-{}", number + 1);
        clicks.spawn(async move { buyer.holds_seats(event, &[&seat]).await.expect(201) });
        if number % 50 == 49 {
            while let Some(hold) = clicks.join_next().await {
                ids.insert(id(&hold.expect("an answer")).to_owned());
            }
            holdfast.dies_and_comes_back().await;
        }
    }
    eventually("all of it is logged", async || {
        (holdfast.logged("hold.created").await.len() == 100).then_some(())
    })
    .await;

    // What a crash after the commit and before the trimming leaves behind: the same notes once more.
    let mut notes: Vec<(String,)> = sqlx::query_as("select note from hook_events where event_id = $1")
        .bind(event)
        .fetch_all(&holdfast.app().pg)
        .await
        .expect("a query");
    // As numbers: the tenth note of a millisecond comes after its ninth.
    notes.sort_by_key(|(note,)| {
        let (at, _) = note.split_once(' ').expect("a moment and a hold");
        let (ms, number) = at.split_once('-').expect("an id of a stream");
        (ms.parse::<u64>().expect("a number"), number.parse::<u64>().expect("a number"))
    });
    let diary = Keys::of(event).diary();
    holdfast.redis_command(&["DEL", &diary]).await;
    for (note,) in &notes {
        let mut parts = note.split(' ');
        let (at, hold) = (parts.next().expect("a moment"), parts.next().expect("a hold"));
        let owner = uuid::Uuid::nil().to_string();
        let fields = ["XADD", &diary, at, "what", "created", "hold", hold, "owner", &owner, "ordinals", "0"];
        holdfast.redis_command(&fields).await;
    }
    eventually("they were read and forgotten", async || {
        let left: u64 = holdfast.ask_redis(redis::cmd("XLEN").arg(&diary)).await;
        (left == 0).then_some(())
    })
    .await;
    let logged = holdfast.logged("hold.created").await;
    assert_eq!(logged.iter().map(|(hold, _)| hold.clone()).collect::<BTreeSet<_>>(), ids);
    assert!(logged.iter().all(|(_, times)| *times == 1), "{logged:?}");
    eventually("every one has arrived", async || {
        let told: BTreeSet<_> =
            receiver.came_of("hold.created").iter().map(|one| id(one.object()).to_owned()).collect();
        (told == ids).then_some(())
    })
    .await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_decided_is_told_whenever_the_node_dies() {
    let mut holdfast = Holdfast::that_calls_back().await;
    let receiver = Receiver::start().await;
    receiver.answers(503);
    let hook = holdfast.organiser().listens(&receiver, &["order.confirmed"]).await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = ada.orders(event, &PAIR).await;
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    ada.sees(&order, "confirmed").await;
    holdfast.dies_and_comes_back().await;
    receiver.answers(200);
    receiver.hears_of("order.confirmed", &order).await;
    holdfast.organiser().sees_deliveries(&hook, "delivered", 1).await;
    assert_eq!(holdfast.logged("order.confirmed").await, [(id(&order).to_owned(), 1)]);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_hears_of_what_is_somebody_elses_and_an_administrator_hears_all() {
    let holdfast = Holdfast::that_calls_back().await;
    let (own, others, all) = (Receiver::start().await, Receiver::start().await, Receiver::start().await);
    let stranger = holdfast.another_organiser().await;
    let admin = holdfast.admin().await;
    let hook = holdfast.organiser().listens(&own, &["*"]).await;
    let foreign = stranger.listens(&others, &["*"]).await;
    assert_eq!(admin.listens(&all, &["*"]).await["hears_all"], true);
    let event = holdfast.theatre().await;
    let order = holdfast.sold(&holdfast.customer().await, event, &PAIR).await;
    let told = own.hears_of("order.confirmed", &order).await;
    all.hears_of("order.confirmed", &order).await;
    assert!(others.came().is_empty());

    // An endpoint of somebody else does not exist.
    let path = format!("/v1/admin/hooks/{}", id(&hook));
    let customer = holdfast.customer().await;
    for (method, rest) in [
        ("get", ""),
        ("patch", ""),
        ("delete", ""),
        ("post", "/secret"),
        ("post", "/ping"),
        ("get", "/deliveries"),
        ("post", "/replay"),
    ] {
        let answer = stranger.call(method, &format!("{path}{rest}"), json!({})).await;
        assert_eq!((answer.status, answer.code()), (404, "not_found"), "{method} {rest}");
        assert_eq!(customer.call(method, &format!("{path}{rest}"), json!({})).await.status, 403);
        assert_eq!(holdfast.anyone().call(method, &format!("{path}{rest}"), json!({})).await.status, 401);
    }
    let lists = |list: &Value| list["items"].as_array().map(Vec::len);
    assert_eq!(lists(&stranger.get("/v1/admin/hooks").await.expect(200)), Some(1));
    assert_eq!(lists(&admin.get("/v1/admin/hooks").await.expect(200)), Some(3));
    assert_eq!(lists(&stranger.get("/v1/admin/hook-events").await.expect(200)), Some(0));
    let log = holdfast.organiser().get("/v1/admin/hook-events?type=order.confirmed").await.expect(200);
    assert_eq!((lists(&log), &log["items"][0]["id"]), (Some(1), &told.body["id"]));
    // Nor does one get it told by knowing its id.
    let answer = stranger.replays(&foreign, json!({ "event_id": told.body["id"] })).await;
    assert_eq!((answer.status, answer.code()), (404, "not_found"));
    assert_eq!(
        stranger.replays(&foreign, json!({ "since": "2020-01-01T00:00:00Z" })).await.expect(200)["queued"],
        0
    );
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diary_is_kept_exactly_while_somebody_wants_it() {
    let holdfast = Holdfast::with(|config| {
        calls_back(config);
        config.reconcile_seconds = 1;
    })
    .await;
    let receiver = Receiver::start().await;
    let organiser = holdfast.organiser();
    let event = holdfast.theatre().await;
    let keeps = async |wanted: bool| {
        eventually(&format!("a diary is kept: {wanted}"), async || {
            let kept = holdfast.app().engine.keeps_diary(event).await.ok().flatten();
            (kept == Some(wanted)).then_some(())
        })
        .await;
    };
    keeps(false).await;
    let hook = organiser.listens(&receiver, &["order.confirmed"]).await;
    keeps(false).await;
    let path = format!("/v1/admin/hooks/{}", id(&hook));
    organiser.patch(&path, json!({ "events": ["hold.created", "order.confirmed"] })).await.expect(200);
    assert_eq!(holdfast.app().engine.keeps_diary(event).await.expect("Redis answers"), Some(true), "at once");

    // Neither an edit of the event nor the loss of Redis' memory forgets who listens.
    organiser.patch(&format!("/v1/admin/events/{event}"), json!({ "max_per_customer": 6 })).await.expect(200);
    keeps(true).await;
    holdfast.flush_redis().await;
    keeps(true).await;
    // And should it be wrong, it is put right.
    holdfast.app().engine.keep_diary(event, false).await.expect("Redis answers");
    keeps(true).await;

    organiser.patch(&path, json!({ "enabled": false })).await.expect(200);
    keeps(false).await;
    organiser.patch(&path, json!({ "enabled": true })).await.expect(200);
    keeps(true).await;
    let hold = holdfast.customer().await.holds_seats(event, &["stalls-C-1"]).await.expect(201);
    receiver.hears_of("hold.created", &hold).await;
    organiser.delete(&path).await.expect(204);
    keeps(false).await;
    holdfast.app().engine.keep_diary(event, true).await.expect("Redis answers");
    keeps(false).await;
    holdfast.every_invariant_holds().await;
}
