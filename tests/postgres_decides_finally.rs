//! Redis may lie: it may have lost a sale, or a hold, or be split in two. The claim refuses, before money moves.

use serde_json::json;

use crate::support::journeys::{GOOD_CARD, id};
use crate::support::{Client, Holdfast, eventually};

const PAIR: [&str; 2] = ["stalls-A-1", "stalls-A-2"];

/// A house that compares its pictures so seldom that what Redis forgot stays forgotten until somebody wants it.
async fn house() -> Holdfast {
    Holdfast::with(|config| config.reconcile_seconds = 600).await
}

/// Redis forgets that these seats are anybody's.
async fn redis_forgets(holdfast: &Holdfast, event: holdfast::ids::EventId, seats: &[&str]) {
    let chart = holdfast.app().catalog.chart(event).await.expect("a chart");
    for seat in seats {
        let ordinal = chart.ordinal(seat).expect("a seat").to_string();
        holdfast.redis_command(&["DEL", &format!("isTaken:{{{event}}}:{ordinal}")]).await;
        for plane in ["taken", "sold"] {
            holdfast.redis_command(&["SETBIT", &format!("{plane}:{{{event}}}"), &ordinal, "0"]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sold_seat_that_redis_forgot_is_refused_at_checkout_and_shown_as_sold_again() {
    let holdfast = house().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    holdfast.sold(&ada, event, &PAIR).await;
    // Postgres knows first: what Redis has not heard it cannot forget.
    ada.sees_seat(event, PAIR[1], "sold").await;
    redis_forgets(&holdfast, event, &PAIR).await;

    let hold = ben.holds_seats(event, &["stalls-A-2", "stalls-A-3"]).await.expect(201);
    let refused = ben.post("/v1/orders", json!({ "hold_id": id(&hold) })).await;
    assert_eq!((refused.status, refused.code()), (409, "seats_unavailable"), "it was sold");
    assert_eq!(refused.body["seats"], json!([{ "id": "stalls-A-2", "reason": "sold" }]));

    ben.sees_seat(event, "stalls-A-2", "sold").await;
    ben.sees_seat(event, "stalls-A-3", "free").await;
    assert_eq!(holdfast.ledger_intents().await.len(), 1, "nobody was asked to pay for it");
    assert!(ben.get("/v1/orders").await.expect(200)["items"].as_array().expect("a page").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seat_that_somebody_is_paying_for_is_refused_to_everybody_else() {
    let holdfast = house().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let order = ada.orders(event, &PAIR).await;
    redis_forgets(&holdfast, event, &PAIR).await;

    let hold = ben.holds_seats(event, &PAIR).await.expect(201);
    let refused = ben.post("/v1/orders", json!({ "hold_id": id(&hold) })).await;
    let first = json!({ "id": "stalls-A-1", "reason": "held" });
    assert_eq!(refused.body["seats"][0], first, "somebody is paying for it");

    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    ada.sees(&order, "confirmed").await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn past_its_time_a_seat_is_nobody_elses_while_its_order_may_still_be_paid() {
    let holdfast = Holdfast::with(|config| {
        config.hold_seconds = 2;
        config.payment_seconds = 1;
        config.grace_seconds = 1;
    })
    .await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    // Its time passes, and Stripe cannot say that no money will come.
    holdfast.stripe_fails("cancel", 500).await;
    let order = ada.orders(event, &PAIR).await;
    eventually("the claims are past their time", async || {
        let (past,): (bool,) = sqlx::query_as("select bool_and(until < now()) from seat_claims")
            .fetch_one(&holdfast.app().pg)
            .await
            .expect("a query");
        past.then_some(())
    })
    .await;
    redis_forgets(&holdfast, event, &PAIR).await;

    let hold = ben.holds_seats(event, &PAIR).await.expect(201);
    let refused = ben.post("/v1/orders", json!({ "hold_id": id(&hold) })).await;
    assert_eq!((refused.status, refused.code()), (409, "seats_unavailable"), "it may still be paid");
    assert_eq!(ada.order(&order).await["status"], "closing");
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    holdfast.stripe_recovers().await;
    ada.sees(&order, "confirmed").await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_hold_the_same_seat_in_a_redis_gone_mad_one_can_pay() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let event = holdfast.theatre().await;
    let mut holders: Vec<(Client, serde_json::Value)> = Vec::new();
    for buyer in holdfast.crowd(20).await {
        let hold = buyer.holds_seats(event, &PAIR).await.expect(201);
        redis_forgets(&holdfast, event, &PAIR).await;
        holders.push((buyer, hold));
    }
    // Every one of them has a hold; make each look alive again, and let all check out at once.
    let mut checkouts = tokio::task::JoinSet::new();
    for (number, (buyer, hold)) in holders.into_iter().enumerate() {
        let buyer = if number % 2 == 0 { buyer } else { buyer.at(&second) };
        let body = json!({ "hold_id": id(&hold) });
        for ordinal in 0..2 {
            let flag = format!("isTaken:{{{event}}}:{ordinal}");
            holdfast.redis_command(&["SET", &flag, id(&hold), "PX", "60000"]).await;
        }
        checkouts.spawn(async move {
            let answer = buyer.post("/v1/orders", body).await;
            (answer, buyer)
        });
    }
    let mut orders = Vec::new();
    for (answer, buyer) in checkouts.join_all().await {
        match answer.status {
            201 => orders.push((answer.body, buyer)),
            409 | 410 => {}
            other => panic!("an answer of {other}: {}", answer.body),
        }
    }
    assert_eq!(orders.len(), 1, "one order for one pair of seats");
    let (order, buyer) = orders.remove(0);
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    buyer.sees(&order, "confirmed").await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_has_not_come_to_checkout_outlives_every_comparison() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let hold = ada.holds_seats(event, &["stalls-A-1"]).await.expect(201);
    let flag = holdfast.flag(event, "stalls-A-1").await;
    assert_eq!(flag.as_deref(), Some(id(&hold)));
    assert_eq!(holdfast.app().desk.reconcile_picture(event).await.expect("compared"), 0);
    assert_eq!(holdfast.flag(event, "stalls-A-1").await, flag);
    ada.checks_out(&hold).await;
    holdfast.every_invariant_holds().await;
}

/// A node can die between the claims and the flags, and a Redis can be away in that moment: then they end with the hold.
async fn breaks_off(holdfast: &Holdfast, event: holdfast::ids::EventId, ada: &Client) -> serde_json::Value {
    let hold = ada.holds_seats(event, &PAIR).await.expect(201);
    holdfast.stripe_fails("create", 503).await;
    assert_eq!(ada.post("/v1/orders", json!({ "hold_id": id(&hold) })).await.status, 503);
    for ordinal in 0..2 {
        holdfast.redis_command(&["DEL", &format!("isTaken:{{{event}}}:{ordinal}")]).await;
    }
    holdfast.stripe_recovers().await;
    hold
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_that_is_repeated_has_its_seats_held_for_as_long_as_it_may_be_paid() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let hold = breaks_off(&holdfast, event, &ada).await;

    let order = ada.checks_out(&hold).await;
    let refused = ben.holds_seats(event, &PAIR).await;
    assert_eq!((refused.status, refused.code()), (409, "seats_unavailable"), "{}", refused.body);
    assert_eq!(ben.state_of(event, PAIR[0]).await, "held");
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    ada.sees(&order, "confirmed").await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_that_nobody_repeats_has_its_seats_held_all_the_same() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    breaks_off(&holdfast, event, &ada).await;
    eventually("the payment is opened without her", async || {
        let orders = ada.get("/v1/orders").await.expect(200);
        orders["items"][0]["payment"]["client_secret"].as_str().map(drop)
    })
    .await;
    let refused = ben.holds_seats(event, &PAIR).await;
    assert_eq!((refused.status, refused.code()), (409, "seats_unavailable"), "{}", refused.body);
    holdfast.every_invariant_holds().await;
}
