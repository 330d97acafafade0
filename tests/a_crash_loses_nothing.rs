//! The node dies between any two steps; another goes on, and every promise holds.

use serde_json::json;

use crate::support::journeys::{GOOD_CARD, id};
use crate::support::{Holdfast, eventually};

const PAIR: [&str; 2] = ["stalls-A-1", "stalls-A-2"];

#[tokio::test(flavor = "multi_thread")]
async fn after_the_hold() {
    let mut holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let hold = ada.holds_seats(event, &PAIR).await.expect(201);
    holdfast.dies_and_comes_back().await;
    let order = ada.checks_out(&hold).await;
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    ada.sees(&order, "confirmed").await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_reconciler_takes_a_hold_that_lives() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let hold = ada.holds_seats(event, &PAIR).await.expect(201);
    for _ in 0..2 {
        holdfast.app().desk.reconcile_picture(event).await.expect("the stores answer");
    }
    assert_eq!(ada.get(&format!("/v1/holds/{}", id(&hold))).await.expect(200)["seats"], hold["seats"]);
    assert_eq!(ada.state_of(event, PAIR[0]).await, "held");
    ada.checks_out(&hold).await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_claims_before_stripe_was_asked() {
    let mut holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let hold = ada.holds_seats(event, &PAIR).await.expect(201);
    holdfast.stripe_fails("create", 500).await;
    assert_eq!(ada.post("/v1/orders", json!({ "hold_id": id(&hold) })).await.status, 503);
    holdfast.dies_and_comes_back().await;
    holdfast.stripe_recovers().await;

    // The customer comes back: the same order goes on.
    let order = ada.checks_out(&hold).await;
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    ada.sees(&order, "confirmed").await;
    assert_eq!(holdfast.ledger_intents().await.len(), 1);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_claims_and_the_customer_never_comes_back() {
    let mut holdfast = Holdfast::with(|config| {
        config.hold_seconds = 2;
        config.payment_seconds = 1;
    })
    .await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let hold = ada.holds_seats(event, &PAIR).await.expect(201);
    // Stripe makes the PaymentIntent, and its answer is lost on the way.
    holdfast.stripe_answers_are_lost("create").await;
    assert_eq!(ada.post("/v1/orders", json!({ "hold_id": id(&hold) })).await.status, 503);
    holdfast.dies_and_comes_back().await;
    holdfast.stripe_recovers().await;

    ada.sees_seat(event, PAIR[0], "free").await;
    let orders = ada.get("/v1/orders").await.expect(200);
    assert_eq!(orders["items"][0]["status"], "expired");
    let intents = holdfast.ledger_intents().await;
    assert!(intents.iter().all(|intent| intent["status"] == "canceled"), "no door stays open: {intents:?}");
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_webhook_was_stored() {
    let mut holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = ada.orders(event, &PAIR).await;
    // Stripe cannot be asked, so the event waits in the inbox.
    holdfast.stripe_fails("retrieve", 503).await;
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    eventually("the event is stored", async || {
        let backlog = holdfast.app().desk.backlog().await.expect("Postgres answers");
        (backlog.inbox.depth > 0).then_some(())
    })
    .await;
    holdfast.dies_and_comes_back().await;
    holdfast.stripe_recovers().await;
    ada.sees(&order, "confirmed").await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_refund_was_decided_and_while_its_answer_is_lost() {
    let mut holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &PAIR).await;
    holdfast.stripe_answers_are_lost("refund").await;
    ada.cancels(&order).await.expect(200);
    eventually("Stripe has made the refund", async || {
        (holdfast.ledger_intent(&order).await["amount_refunded"] == 9600).then_some(())
    })
    .await;
    holdfast.dies_and_comes_back().await;
    holdfast.stripe_recovers().await;
    let order = ada.sees(&order, "refunded").await;
    assert_eq!(order["refunds"].as_array().map(Vec::len), Some(1));
    assert_eq!(holdfast.ledger_intent(&order).await["amount_refunded"], 9600, "once");
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_polite_stop_finishes_what_is_in_flight() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let hold = ada.holds_seats(event, &PAIR).await.expect(201);
    holdfast.stripe_is_slow(600).await;
    let there = ada.at(&second);
    let body = json!({ "hold_id": id(&hold) });
    let checkout = tokio::spawn(async move { there.post("/v1/orders", body).await });
    eventually("the checkout is under way", async || {
        let orders = ada.get("/v1/orders").await.expect(200);
        (orders["items"].as_array().map(Vec::len) == Some(1)).then_some(())
    })
    .await;
    second.close().await;
    let answer = checkout.await.expect("an answer");
    let order = answer.expect(201);
    assert!(order["payment"]["client_secret"].is_string());
    holdfast.stripe_recovers().await;
    holdfast.every_invariant_holds().await;
}
