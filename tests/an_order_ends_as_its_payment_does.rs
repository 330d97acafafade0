//! Every way through the protocol, end to end, asserted in Postgres, in Redis and in the sandbox's ledger.

use holdfast::config::PaymentFailed;
use serde_json::{Value, json};

use crate::support::journeys::{BAD_CARD, GOOD_CARD, SLOW_BANK, id};
use crate::support::{Client, Holdfast, eventually};

const PAIR: [&str; 2] = ["stalls-B-1", "stalls-B-2"];

#[tokio::test(flavor = "multi_thread")]
async fn paid_in_time_is_confirmed_with_tickets() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;

    let order = ada.orders(event, &PAIR).await;
    assert_eq!((order["status"].as_str(), order["amount"].as_i64()), (Some("awaiting_payment"), Some(9600)));
    assert_eq!(holdfast.claim(event, PAIR[0]).await.map(|claim| claim.0).as_deref(), Some("held"));
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    let order = ada.sees(&order, "confirmed").await;

    assert!(order["payment"].is_null(), "nothing is left to pay");
    let steps: Vec<_> =
        order["history"].as_array().expect("history").iter().map(|step| &step["to"]).collect();
    assert_eq!(steps, ["awaiting_payment", "confirmed"], "every move leaves its row");
    assert_eq!(holdfast.claim(event, PAIR[0]).await.map(|claim| claim.0).as_deref(), Some("sold"));
    ada.sees_seat(event, PAIR[1], "sold").await;
    let intent = holdfast.ledger_intent(&order).await;
    assert_eq!(
        (intent["status"].as_str(), intent["amount_received"].as_i64()),
        (Some("succeeded"), Some(9600))
    );
    assert_eq!(intent["metadata"]["order_id"], order["id"]);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn declined_is_failed_and_the_money_door_is_shut() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;

    let order = ada.orders(event, &PAIR).await;
    assert_eq!(holdfast.pay(&order, BAD_CARD).await.status, 402);
    ada.sees(&order, "failed").await;

    assert_eq!(holdfast.claim(event, PAIR[0]).await, None);
    assert_eq!(holdfast.flag(event, PAIR[0]).await, None);
    assert_eq!(holdfast.ledger_intent(&order).await["status"], "canceled");
    assert_eq!(holdfast.pay(&order, GOOD_CARD).await.status, 400, "a closed order cannot be paid");
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn declined_can_be_paid_again_where_the_house_keeps_orders() {
    let holdfast = Holdfast::with(|config| config.payment_failed = PaymentFailed::Keep).await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;

    let order = ada.orders(event, &PAIR).await;
    assert_eq!(holdfast.pay(&order, BAD_CARD).await.status, 402);
    holdfast.inbox_is_empty().await;
    assert_eq!(ada.order(&order).await["status"], "awaiting_payment");
    assert_eq!(ada.state_of(event, PAIR[0]).await, "held");

    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    ada.sees(&order, "confirmed").await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn called_off_before_paying_is_cancelled_at_once() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);

    let order = ada.orders(event, &PAIR).await;
    assert_eq!(ada.cancels(&order).await.expect(200)["status"], "cancelled");

    assert_eq!(ada.state_of(event, PAIR[0]).await, "free");
    assert_eq!(holdfast.ledger_intent(&order).await["status"], "canceled", "the money door is shut");
    ben.holds_seats(event, &PAIR).await.expect(201);
    assert_eq!(ada.cancels(&order).await.expect(200)["status"], "cancelled", "a repeat changes nothing");
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn letting_go_of_a_hold_at_checkout_calls_its_order_off() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;

    let order = ada.orders(event, &PAIR).await;
    let hold = order["hold_id"].as_str().expect("a hold");
    ada.delete(&format!("/v1/holds/{hold}")).await.expect(204);

    assert_eq!(ada.order(&order).await["status"], "cancelled");
    assert_eq!(ada.state_of(event, PAIR[0]).await, "free");
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn not_paid_in_time_is_expired_and_the_money_door_was_shut_first() {
    let holdfast = Holdfast::with(|config| {
        config.hold_seconds = 2;
        config.payment_seconds = 1;
    })
    .await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);

    let order = ada.orders(event, &PAIR).await;
    ada.sees(&order, "expired").await;

    assert_eq!(holdfast.ledger_intent(&order).await["status"], "canceled");
    ben.sees_seat(event, PAIR[0], "free").await;
    holdfast.sold(&ben, event, &PAIR).await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_seat_is_freed_while_stripe_cannot_say_that_the_money_door_is_shut() {
    let holdfast = Holdfast::with(|config| {
        config.hold_seconds = 2;
        config.payment_seconds = 1;
        config.grace_seconds = 30;
    })
    .await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);

    let order = ada.orders(event, &PAIR).await;
    holdfast.stripe_fails("cancel", 500).await;
    eventually("Stripe was asked again and again", async || {
        (holdfast.stripe_calls("cancel").await >= 6).then_some(())
    })
    .await;
    assert_eq!(ada.order(&order).await["status"], "closing");
    let refused = ben.holds_seats(event, &PAIR).await;
    assert_eq!(refused.body["seats"][0]["reason"], "held");

    holdfast.stripe_recovers().await;
    ada.sees(&order, "expired").await;
    ben.sees_seat(event, PAIR[0], "free").await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paid_while_closing_is_confirmed() {
    let holdfast = Holdfast::with(|config| {
        config.hold_seconds = 2;
        config.payment_seconds = 1;
    })
    .await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;

    holdfast.webhooks_are_lost().await;
    let order = ada.orders(event, &PAIR).await;
    holdfast.pay(&order, GOOD_CARD).await.expect(200);

    // Nobody tells us; at the deadline Stripe refuses to cancel what has succeeded.
    ada.sees(&order, "confirmed").await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_never_comes_is_made_up_for() {
    let holdfast = Holdfast::with(|config| config.reconcile_seconds = 1).await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;

    holdfast.webhooks_are_lost().await;
    let order = ada.orders(event, &PAIR).await;
    holdfast.pay(&order, GOOD_CARD).await.expect(200);

    ada.sees(&order, "confirmed").await;
    holdfast.every_invariant_holds().await;
}

/// An order that ended here while its PaymentIntent stayed open at Stripe, and was paid then.
async fn paid_too_late(holdfast: &Holdfast, end: &str, resold: bool) -> (Value, Client) {
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let order = ada.orders(event, &PAIR).await;
    holdfast.ends_unknown_to_stripe(&order, end).await;
    ben.sees_seat(event, PAIR[0], "free").await;
    if resold {
        holdfast.sold(&ben, event, &["stalls-B-2", "stalls-B-3"]).await;
    }
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    (order, ada)
}

#[tokio::test(flavor = "multi_thread")]
async fn paid_late_with_the_seats_still_free_is_confirmed() {
    for end in ["expired", "failed"] {
        let holdfast = Holdfast::start().await;
        let (order, ada) = paid_too_late(&holdfast, end, false).await;

        let order = ada.sees(&order, "confirmed").await;
        assert_eq!(order["tickets"].as_array().map(Vec::len), Some(2));
        holdfast.every_invariant_holds().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn paid_late_with_one_seat_resold_is_refunded_whole_and_once() {
    let holdfast = Holdfast::start().await;
    let (order, ada) = paid_too_late(&holdfast, "expired", true).await;
    // On a busy machine the refund may be through before the news are closed.
    let outcome = holdfast.comes_of(&order["payment"]["payment_intent"]).await;
    assert!(["refunding", "refunded"].contains(&outcome.as_str()), "nothing is kept: {outcome}");

    let order = ada.sees(&order, "refunded").await;
    let refunds = order["refunds"].as_array().expect("refunds");
    assert_eq!(refunds.len(), 1);
    assert_eq!(
        (refunds[0]["amount"].as_i64(), refunds[0]["cause"].as_str()),
        (Some(9600), Some("late_payment"))
    );
    assert_eq!(holdfast.ledger_intent(&order).await["amount_refunded"], 9600);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paid_late_while_somebody_holds_a_seat_is_refunded_and_the_holder_keeps_it() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let order = ada.orders(event, &PAIR).await;
    holdfast.ends_unknown_to_stripe(&order, "expired").await;
    ben.sees_seat(event, PAIR[0], "free").await;
    let hold = ben.holds_seats(event, &["stalls-B-2", "stalls-B-3"]).await.expect(201);
    holdfast.pay(&order, GOOD_CARD).await.expect(200);

    ada.sees(&order, "refunded").await;
    let order = ben.checks_out(&hold).await;
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    ben.sees(&order, "confirmed").await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paid_after_the_customer_called_it_off_is_refunded_once() {
    let holdfast = Holdfast::start().await;
    let (order, ada) = paid_too_late(&holdfast, "cancelled", false).await;

    let order = ada.sees(&order, "refunded").await;
    assert_eq!(order["refunds"].as_array().map(Vec::len), Some(1));
    let event: holdfast::ids::EventId = order["event_id"].as_str().expect("an id").parse().expect("an id");
    ada.sees_seat(event, PAIR[0], "free").await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn free_of_charge_is_confirmed_at_once() {
    let holdfast = Holdfast::start().await;
    let event = holdfast
        .event(json!({ "title": "Open day", "starts_at": "2031-01-01T10:00:00Z", "total_tickets": 5 }))
        .await;
    let ada = holdfast.customer().await;

    let hold = ada.holds(event, json!({ "areas": { "general": 2 } })).await.expect(201);
    let order = ada.checks_out(&hold).await;
    assert_eq!((order["status"].as_str(), order["amount"].as_i64()), (Some("confirmed"), Some(0)));
    assert_eq!(order["tickets"].as_array().map(Vec::len), Some(2));
    assert!(order["payment"].is_null());
    let status = ada.get(&format!("/v1/events/{event}/status")).await.expect(200);
    assert_eq!((status["held"].as_i64(), status["sold"].as_i64()), (Some(0), Some(2)), "sold at once");

    assert_eq!(ada.cancels(&order).await.expect(200)["status"], "cancelled");
    let status = ada.get(&format!("/v1/events/{event}/status")).await.expect(200);
    assert_eq!((status["available"].as_i64(), status["sold"].as_i64()), (Some(5), Some(0)));
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmed_order_that_is_called_off_gives_money_and_seats_back_once() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);

    let order = holdfast.sold(&ada, event, &PAIR).await;
    let mut clicks = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (ada, order) = (ada.clone(), order.clone());
        clicks.spawn(async move { ada.cancels(&order).await.status });
    }
    assert!(clicks.join_all().await.iter().all(|&status| status == 200));

    let order = ada.sees(&order, "refunded").await;
    assert_eq!(order["refunds"].as_array().map(Vec::len), Some(1));
    assert!(order["tickets"].as_array().expect("tickets").iter().all(|ticket| ticket["status"] == "void"));
    assert_eq!(holdfast.ledger_intent(&order).await["amount_refunded"], 9600);
    ben.sees_seat(event, PAIR[0], "free").await;
    holdfast.sold(&ben, event, &PAIR).await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delayed_payment_keeps_its_seats_until_the_bank_has_decided() {
    let holdfast = Holdfast::with(|config| {
        config.hold_seconds = 2;
        config.payment_seconds = 1;
        config.grace_seconds = 2;
        config.reconcile_seconds = 1;
    })
    .await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);

    let order = ada.orders(event, &PAIR).await;
    holdfast.pay(&order, SLOW_BANK).await.expect(200);
    ada.sees(&order, "closing").await;
    assert_eq!(ben.holds_seats(event, &PAIR).await.body["seats"][0]["reason"], "held");

    holdfast.bank_decides(&order, "succeeded").await;
    let order = ada.sees(&order, "confirmed").await;
    let steps: Vec<_> =
        order["history"].as_array().expect("history").iter().map(|step| &step["to"]).collect();
    assert_eq!(steps, ["awaiting_payment", "closing", "confirmed"], "it never gave its seats up");
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delayed_payment_that_the_bank_refuses_frees_the_seats() {
    let holdfast = Holdfast::with(|config| config.reconcile_seconds = 1).await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;

    let order = ada.orders(event, &PAIR).await;
    holdfast.pay(&order, SLOW_BANK).await.expect(200);
    holdfast.bank_decides(&order, "failed").await;

    ada.sees(&order, "failed").await;
    ada.sees_seat(event, PAIR[0], "free").await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_news_many_times_in_any_order_on_two_nodes_is_one_effect() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;

    let order = ada.orders(event, &PAIR).await;
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    holdfast.all_webhooks_again(&second, 3).await;
    ada.sees(&order, "confirmed").await;
    holdfast.all_webhooks_again(&second, 3).await;
    holdfast.inbox_is_empty().await;

    let order = ada.order(&order).await;
    assert_eq!(order["tickets"].as_array().map(Vec::len), Some(2));
    let (confirmations,): (i64,) =
        sqlx::query_as("select count(*) from order_log where order_id = $1::uuid and to_state = 'confirmed'")
            .bind(id(&order))
            .fetch_one(&holdfast.app().pg)
            .await
            .expect("a query");
    assert_eq!(confirmations, 1);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_amount_than_the_orders_is_never_confirmed() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;

    let order = ada.orders(event, &PAIR).await;
    holdfast.captures(&order, 100).await;
    // The worker may have been there first, and the money be back.
    let outcome = holdfast.comes_of(&order["payment"]["payment_intent"]).await;
    assert!(matches!(outcome.as_str(), "refunding" | "refunded"), "too little was paid: {outcome}");

    let order = ada.sees(&order, "refunded").await;
    assert_eq!(order["refunds"][0]["amount"], 100);
    ada.sees_seat(event, PAIR[0], "free").await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_stripe_takes_its_time_with_is_said_to_be_pending() {
    let holdfast = Holdfast::with(|config| config.reconcile_seconds = 1).await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;

    let order = holdfast.sold(&ada, event, &PAIR).await;
    holdfast.refunds_are_pending().await;
    ada.cancels(&order).await.expect(200);
    eventually("the refund is pending", async || {
        (ada.order(&order).await["refunds"][0]["status"] == "pending").then_some(())
    })
    .await;
    assert_eq!(ada.order(&order).await["status"], "refunding");

    holdfast.refund_ends(&order, "succeeded").await;
    ada.sees(&order, "refunded").await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organiser_gives_a_part_back_and_never_more_than_was_paid() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let (ada, organiser) = (holdfast.customer().await, holdfast.organiser());
    let order = holdfast.sold(&ada, event, &PAIR).await;
    let path = format!("/v1/admin/orders/{}/refund", id(&order));

    organiser.post(&path, json!({ "amount": 600, "reason": "cold hall" })).await.expect(200);
    let too_much = organiser.post(&path, json!({ "amount": 9001 })).await;
    assert_eq!((too_much.status, too_much.body["left"].as_i64()), (422, Some(9000)), "no more than is left");
    let half_way = ada.order(&order).await;
    assert_eq!(half_way["status"], "confirmed", "a part keeps the seats");

    organiser.post(&path, json!({})).await.expect(200);
    let order = ada.sees(&order, "refunded").await;
    assert_eq!(order["refunds"].as_array().map(Vec::len), Some(2));
    assert_eq!(holdfast.ledger_intent(&order).await["amount_refunded"], 9600);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_for_an_order_that_was_lost_is_parked_with_an_alarm() {
    let holdfast = Holdfast::with(|config| config.reconcile_seconds = 1).await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;

    holdfast.webhooks_are_lost().await;
    let order = ada.orders(event, &PAIR).await;
    holdfast.loses_all_trace_of(&order).await;
    holdfast.pay(&order, GOOD_CARD).await.expect(200);

    let alarm = eventually("the money is parked", async || {
        let page = holdfast.anyone().get_text("/metrics").await;
        page.lines().find(|line| *line == "holdfast_parked_payments 1").map(str::to_owned)
    })
    .await;
    assert!(!alarm.is_empty());
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn news_of_money_that_waits_for_a_person_is_not_tried_again_and_again() {
    let holdfast = Holdfast::with(|config| config.reconcile_seconds = 1).await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = ada.orders(event, &PAIR).await;
    holdfast.loses_all_trace_of(&order).await;
    holdfast.pay(&order, GOOD_CARD).await.expect(200);

    let news = eventually("its news are done with", async || {
        let news: Vec<(bool, Option<String>)> = sqlx::query_as(
            "select done_at is not null, outcome from stripe_events where type = 'payment_intent.succeeded'",
        )
        .fetch_all(&holdfast.app().pg)
        .await
        .expect("Postgres answers");
        news.first()?.0.then_some(news)
    })
    .await;
    assert_eq!(news, [(true, Some("parked".to_owned()))]);
    assert_eq!(holdfast.app().desk.parked_payments().await.expect("Postgres answers").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_event_gives_everybody_their_money_back_also_when_interrupted() {
    let mut holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let (ada, ben, eve) = (holdfast.customer().await, holdfast.customer().await, holdfast.customer().await);
    let paid = [
        holdfast.sold(&ada, event, &PAIR).await,
        holdfast.sold(&ada, event, &["stalls-A-1"]).await,
        holdfast.sold(&ada, event, &["stalls-A-2"]).await,
    ];
    let unpaid = ben.orders(event, &["stalls-C-1", "stalls-C-2"]).await;
    let hold = eve.holds_seats(event, &["stalls-D-1"]).await.expect(201);

    // Stripe cannot be asked while the event is cancelled, and the node dies meanwhile.
    holdfast.stripe_fails("all", 503).await;
    let path = format!("/v1/admin/events/{event}/cancel");
    let cancelled = holdfast.organiser().post(&path, json!({})).await.expect(200);
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(eve.holds_seats(event, &["stalls-D-2"]).await.code(), "sale_closed");
    assert_eq!(eve.post("/v1/orders", json!({ "hold_id": id(&hold) })).await.code(), "sale_closed");
    holdfast.dies_and_comes_back().await;
    holdfast.stripe_recovers().await;

    for order in &paid {
        let order = ada.sees(order, "refunded").await;
        assert_eq!(order["refunds"].as_array().map(Vec::len), Some(1));
    }
    ben.sees(&unpaid, "cancelled").await;
    holdfast.organiser().post(&path, json!({})).await.expect(200);
    let report = holdfast.organiser().get(&format!("/v1/admin/events/{event}/report")).await.expect(200);
    assert_eq!((report["revenue"].as_i64(), report["refunded"].as_i64()), (Some(0), Some(4 * 4800)));
    holdfast.every_invariant_holds().await;
}
