//! Redis or Postgres away: 503 with Retry-After within two seconds, nothing lost, and recovery without a restart.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::journeys::{GOOD_CARD, id};
use crate::support::{Answer, Holdfast, eventually};

const PAIR: [&str; 2] = ["stalls-C-1", "stalls-C-2"];

/// Every call answers within two seconds; one more is left for a machine that is busy with other tests.
const AT_MOST: Duration = Duration::from_secs(3);

async fn is_refused_in_time(what: &str, call: impl Future<Output = Answer>) {
    let begun = Instant::now();
    let answer = call.await;
    assert_eq!(answer.status, 503, "{what}: {}", answer.body);
    assert!(answer.header("retry-after").is_some(), "{what} says when to come back");
    assert!(begun.elapsed() < AT_MOST, "{what} took {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_holds_wait_and_money_still_confirms() {
    let holdfast = Holdfast::with_its_own_stack().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = ada.orders(event, &PAIR).await;

    holdfast.stack().kill_redis();
    is_refused_in_time("a hold", ada.holds_seats(event, &["stalls-D-1"])).await;
    assert_eq!(holdfast.anyone().get("/healthz").await.status, 200, "alive");
    assert_eq!(holdfast.anyone().get("/readyz").await.status, 503, "not able to sell");
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    ada.sees(&order, "confirmed").await;

    holdfast.stack().start_redis().await.expect("it starts");
    ada.sees_seat(event, PAIR[0], "sold").await;
    eventually("holds are granted again", async || {
        (ada.holds_seats(event, &["stalls-D-1"]).await.status == 201).then_some(())
    })
    .await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_comes_back_empty_sells_nothing_twice() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    holdfast.sold(&ada, event, &PAIR).await;
    let open = ada.orders(event, &["stalls-D-1", "stalls-D-2"]).await;

    holdfast.flush_redis().await;
    let answer = eventually("the event is open again", async || {
        let answer = ben.holds_seats(event, &PAIR).await;
        assert!([503, 409].contains(&answer.status), "{} {}", answer.status, answer.body);
        (answer.status == 409).then_some(answer)
    })
    .await;
    assert_eq!(answer.body["seats"][0]["reason"], "sold");
    let refused = ben.holds_seats(event, &["stalls-D-1"]).await;
    assert_eq!(refused.body["seats"][0]["reason"], "held", "what is at checkout is remembered");

    holdfast.pay(&open, GOOD_CARD).await.expect(200);
    ada.sees(&open, "confirmed").await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_redis_does_not_hang_anybody() {
    let holdfast = Holdfast::with_its_own_stack().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    ada.holds_seats(event, &["stalls-A-1"]).await.expect(201);

    holdfast.stack().freeze_redis();
    is_refused_in_time("a hold", ada.holds_seats(event, &PAIR)).await;
    holdfast.stack().thaw_redis();
    eventually("holds are granted again", async || {
        (ada.holds_seats(event, &["stalls-D-1"]).await.status == 201).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn seats_at_checkout_stay_held_although_redis_was_away_when_it_was_to_be_told() {
    let holdfast = Holdfast::with_its_own_stack_and(|config| {
        config.hold_seconds = 8;
        config.reconcile_seconds = 600;
    })
    .await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let hold = ada.holds_seats(event, &PAIR).await.expect(201);
    let begun = Instant::now();

    // The hold has been read and the claims are about to be taken when Redis stops.
    let mut lock = holdfast.app().pg.begin().await.expect("Postgres answers");
    sqlx::query("lock table seat_claims in access exclusive mode").execute(&mut *lock).await.expect("a lock");
    let wish = json!({ "hold_id": id(&hold) });
    let checkout = tokio::spawn(async move {
        let answer = ada.post("/v1/orders", wish).await;
        (ada, answer)
    });
    eventually("the checkout waits for the claims", async || {
        let (waits,): (bool,) = sqlx::query_as("select exists (select from pg_locks where not granted)")
            .fetch_one(&holdfast.app().pg)
            .await
            .expect("Postgres answers");
        waits.then_some(())
    })
    .await;
    holdfast.stack().freeze_redis();
    lock.rollback().await.expect("the lock is given up");
    let (ada, order) = checkout.await.expect("an answer");
    holdfast.stack().thaw_redis();
    let order = order.expect(201);
    assert!(begun.elapsed() < Duration::from_secs(7), "the hold's own time is not over");

    tokio::time::sleep(Duration::from_millis(8500).saturating_sub(begun.elapsed())).await;
    let refused = ben.holds_seats(event, &PAIR).await;
    assert_eq!(refused.body["seats"][0]["reason"], "held", "{}", refused.body);
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    ada.sees(&order, "confirmed").await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_postgres_checkouts_wait_and_webhooks_are_not_acknowledged() {
    let holdfast = Holdfast::with_its_own_stack().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = ada.orders(event, &PAIR).await;
    let hold = ada.holds_seats(event, &["stalls-D-1", "stalls-D-2"]).await.expect(201);

    holdfast.stack().kill_postgres();
    is_refused_in_time("a checkout", ada.post("/v1/orders", json!({ "hold_id": id(&hold) }))).await;
    is_refused_in_time("an order", ada.get(&format!("/v1/orders/{}", id(&order)))).await;
    is_refused_in_time(
        "a webhook",
        holdfast.signed_webhook(&json!({
            "id": "evt_outage", "object": "event", "type": "payment_intent.succeeded", "livemode": false,
            "data": { "object": { "id": "pi_1", "object": "payment_intent" } },
        })),
    )
    .await;
    holdfast.pay(&order, GOOD_CARD).await.expect(200);

    holdfast.stack().start_postgres().await.expect("it starts");
    ada.sees(&order, "confirmed").await;
    ada.checks_out(&hold).await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_stripe_a_checkout_waits_and_goes_on_as_the_same_order() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let hold = ada.holds_seats(event, &PAIR).await.expect(201);

    holdfast.stripe_fails("create", 503).await;
    let refused = ada.post("/v1/orders", json!({ "hold_id": id(&hold) })).await;
    assert_eq!((refused.status, refused.code()), (503, "unavailable"));
    holdfast.stripe_recovers().await;

    let order = ada.checks_out(&hold).await;
    assert_eq!(ada.get("/v1/orders").await.expect(200)["items"].as_array().map(Vec::len), Some(1));
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    ada.sees(&order, "confirmed").await;
    assert_eq!(holdfast.ledger_intents().await.len(), 1, "one PaymentIntent was made");
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_is_there_is_not_built_again_whoever_asks() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let hold = ada.holds_seats(event, &PAIR).await.expect(201);

    // Somebody looked before the picture was there and asks now.
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..20 {
        let desk = if number % 2 == 0 { holdfast.app().desk.clone() } else { second.app.desk.clone() };
        asking.spawn(async move { desk.rebuild(event).await.expect("the stores answer") });
    }
    asking.join_all().await;
    assert_eq!(ada.get(&format!("/v1/holds/{}", id(&hold))).await.expect(200)["status"], "held");
    ada.checks_out(&hold).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisers_list_comes_without_its_numbers_while_redis_is_frozen() {
    let holdfast = Holdfast::with_its_own_stack().await;
    for _ in 0..5 {
        holdfast.theatre().await;
    }
    holdfast.stack().freeze_redis();
    let list = holdfast.organiser().get("/v1/admin/events").await.expect(200);
    let items = list["items"].as_array().expect("items");
    assert_eq!(items.len(), 5);
    assert!(
        items.iter().all(|event| event["available"].is_null() && event["title"] == "The Tempest"),
        "{list}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_events_come_back_to_a_node_of_few_connections() {
    let holdfast = Holdfast::with(|config| config.database_connections = 4).await;
    let mut events = Vec::new();
    for _ in 0..20 {
        events.push(holdfast.theatre().await);
    }
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, events[7], &PAIR).await;
    holdfast.flush_redis().await;
    for event in &events {
        eventually("its picture is there again", async || {
            holdfast.app().engine.epoch(*event).await.ok().flatten()
        })
        .await;
    }
    assert_eq!(ada.order(&order).await["status"], "confirmed");
    assert_eq!(ada.state_of(events[7], PAIR[0]).await, "sold");
    holdfast.every_invariant_holds().await;
}
