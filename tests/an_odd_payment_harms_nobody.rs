//! Money that comes twice, from the wrong world, or for an order that is not whole; and money that goes back while
//! nobody hears that it does.

use serde_json::{Value, json};

use crate::support::journeys::{GOOD_CARD, SLOW_BANK, id};
use crate::support::{Holdfast, eventually};

const PAIR: [&str; 2] = ["stalls-B-1", "stalls-B-2"];

/// The causes of what was given back on this PaymentIntent, or is to be.
async fn refunds_of(holdfast: &Holdfast, intent: &Value) -> Vec<String> {
    let rows: Vec<(String,)> =
        sqlx::query_as("select cause from refunds where payment_intent = $1 order by 1")
            .bind(intent.as_str())
            .fetch_all(&holdfast.app().pg)
            .await
            .expect("a query");
    rows.into_iter().map(|(cause,)| cause).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_payment_of_an_order_goes_back_once_however_often_it_is_told() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = ada.orders(event, &PAIR).await;

    let other = holdfast.pays_by_another_intent(&order).await;
    assert_eq!(holdfast.comes_of(&other).await, "awaiting_payment", "it is not the order's own money");
    assert_eq!(ada.order(&order).await["status"], "awaiting_payment");
    let second_node = holdfast.second_node().await;
    holdfast.all_webhooks_again(&second_node, 1).await;
    // The same news under another id.
    let told = json!({
        "id": "evt_told_otherwise", "object": "event", "type": "payment_intent.succeeded", "livemode": false,
        "data": { "object": { "id": other, "object": "payment_intent" } },
    });
    holdfast.signed_webhook(&told).await.expect(200);
    holdfast.inbox_is_empty().await;
    assert_eq!(refunds_of(&holdfast, &other).await, ["not_the_orders_own"], "one cause, one refund");

    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    ada.sees(&order, "confirmed").await;
    holdfast.every_invariant_holds().await;
    let intents = holdfast.ledger_intents().await;
    let returned = |own: bool| -> Vec<&Value> {
        intents
            .iter()
            .filter(|intent| (intent["id"] == order["payment"]["payment_intent"]) == own)
            .map(|intent| &intent["amount_refunded"])
            .collect()
    };
    assert_eq!((returned(true), returned(false)), (vec![&json!(0)], vec![&json!(9600)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn real_money_is_no_news_to_a_house_that_plays() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    holdfast.webhooks_are_lost().await;
    let order = ada.orders(event, &PAIR).await;
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    let news = |id: &str, livemode: bool| {
        json!({
            "id": id, "object": "event", "type": "payment_intent.succeeded", "livemode": livemode,
            "data": { "object": { "id": order["payment"]["payment_intent"], "object": "payment_intent" } },
        })
    };

    let answer = holdfast.signed_webhook(&news("evt_of_real_money", true)).await.expect(200);
    assert_eq!(answer["outcome"], "foreign", "of the other kind of money");
    holdfast.inbox_is_empty().await;
    assert_eq!(ada.order(&order).await["status"], "awaiting_payment");

    let answer = holdfast.signed_webhook(&news("evt_of_play_money", false)).await.expect(200);
    assert_eq!(answer["outcome"], "accepted");
    ada.sees(&order, "confirmed").await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_lost_a_claim_is_not_confirmed_until_it_has_every_seat() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = ada.orders(event, &PAIR).await;
    let lost: (i32, time::OffsetDateTime) =
        sqlx::query_as("delete from seat_claims where ordinal = (select min(ordinal) from seat_claims) returning ordinal, until")
            .fetch_one(&holdfast.app().pg)
            .await
            .expect("it had two");

    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    let why = holdfast.comes_of(&order["payment"]["payment_intent"]).await;
    assert!(why.ends_with("not every seat is claimed"), "all of its seats or none, and not: {why}");
    assert_eq!(ada.order(&order).await["status"], "awaiting_payment");

    // A person puts it right; nothing else needs to be done.
    sqlx::query(
        "insert into seat_claims (event_id, ordinal, order_id, state, until) values ($1, $2, $3::uuid, 'held', $4)",
    )
    .bind(event)
    .bind(lost.0)
    .bind(id(&order))
    .bind(lost.1)
    .execute(&holdfast.app().pg)
    .await
    .expect("nobody else has it");
    let order = ada.sees(&order, "confirmed").await;
    assert_eq!(order["tickets"].as_array().map(Vec::len), Some(2));
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_goes_back_unheard_goes_back_once() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &PAIR).await;
    // Stripe does what it is asked, and neither its answer nor its webhook arrives.
    holdfast.stripe_is_not_heard("refund").await;
    let path = format!("/v1/admin/orders/{}/refund", id(&order));
    holdfast.organiser().post(&path, json!({ "amount": 600 })).await.expect(200);
    let is_owed = eventually("the outbox has tried it in vain", async || {
        let tries: Option<(i32,)> = sqlx::query_as("select attempts from outbox where kind = 'refund'")
            .fetch_optional(&holdfast.app().pg)
            .await
            .expect("a query");
        tries.map_or(Some(false), |(tries,)| (tries > 1).then_some(true))
    })
    .await;
    assert!(is_owed, "it is owed until it is known to be done");
    holdfast.stripe_recovers().await;
    eventually("it is known to be there", async || {
        let order = ada.order(&order).await;
        (order["refunds"][0]["status"] == "succeeded").then_some(())
    })
    .await;
    assert_eq!(
        holdfast.ledger_intent(&order).await["amount_refunded"],
        600,
        "however often it was asked for"
    );
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calling_off_does_not_overtake_a_payment_that_is_under_way() {
    let holdfast = Holdfast::with(|config| config.reconcile_seconds = 1).await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let order = ada.orders(event, &PAIR).await;
    holdfast.pay(&order, SLOW_BANK).await.expect(200);

    let called_off = ada.cancels(&order).await.expect(200);
    assert_eq!(called_off["status"], "closing", "the bank has not decided yet");
    assert_eq!(ben.holds_seats(event, &PAIR).await.body["seats"][0]["reason"], "held");
    holdfast.bank_decides(&order, "succeeded").await;
    let order = ada.sees(&order, "confirmed").await;
    assert_eq!(order["tickets"].as_array().map(Vec::len), Some(2));
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_back_before_anybody_heard_that_it_came_buys_nothing() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let order = ada.orders(event, &PAIR).await;
    holdfast.webhooks_are_lost().await;
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    // By somebody at Stripe's dashboard. The news of it overtake those of the payment.
    holdfast.gives_back_at_stripe(&order).await;
    let intent = &order["payment"]["payment_intent"];
    let news = |kind: &str, object: Value| {
        json!({
            "id": format!("evt_{kind}"), "object": "event", "type": kind, "livemode": false,
            "data": { "object": object },
        })
    };
    let charge = json!({ "id": "ch_of_the_payment", "object": "charge", "payment_intent": intent });
    holdfast.signed_webhook(&news("charge.refunded", charge)).await.expect(200);
    holdfast.inbox_is_empty().await;
    assert_eq!(refunds_of(&holdfast, intent).await.len(), 1, "it is known to have gone back");

    let payment = json!({ "id": intent, "object": "payment_intent" });
    holdfast.signed_webhook(&news("payment_intent.succeeded", payment)).await.expect(200);
    let ended = ada.sees(&order, "refunded").await;
    assert_eq!(ended["tickets"].as_array().map(Vec::len), Some(0), "{ended}");
    assert_eq!(refunds_of(&holdfast, intent).await.len(), 1, "and does not go back twice");
    assert_eq!(holdfast.letters_ended("order_refunded").await.len(), 1, "Ada is told once");
    assert!(
        holdfast.letters_ended("money_returned").await.is_empty(),
        "and not of a part before she is told of all"
    );
    holdfast.stripe_recovers().await;
    holdfast.sold(&ben, event, &PAIR).await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_another_node_is_writing_down_is_not_looked_past() {
    let holdfast = Holdfast::with(|config| config.reconcile_seconds = 600).await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    holdfast.webhooks_are_lost().await;
    let order = ada.orders(event, &PAIR).await;
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    holdfast.gives_back_at_stripe(&order).await;

    // Both walks have seen that it is not written down, and are about to write.
    let pg = &holdfast.owner();
    for statement in [
        "create function waits() returns trigger language plpgsql as $$
         begin perform pg_advisory_xact_lock_shared(77); return new; end $$",
        "create trigger waits before insert on refunds for each row when (new.cause like 'stripe:%')
         execute function waits()",
    ] {
        sqlx::query(statement).execute(pg).await.expect("a trigger");
    }
    let mut lock = pg.begin().await.expect("Postgres answers");
    sqlx::query("select pg_advisory_xact_lock(77)").execute(&mut *lock).await.expect("a lock");
    holdfast.app().desk.walk_again(None).await.expect("both walks are due");
    eventually("both are about to write", async || {
        let waiting = "select count(*) from pg_locks where not granted and locktype = 'advisory'";
        let (waits,): (i64,) = sqlx::query_as(waiting).fetch_one(pg).await.expect("Postgres answers");
        (waits == 2).then_some(())
    })
    .await;
    // Another node has written it down, and dies.
    let intent = order["payment"]["payment_intent"].as_str().expect("a payment");
    let list = holdfast.stripe().get(&format!("/v1/refunds?payment_intent={intent}")).await.expect(200);
    sqlx::query(
        "insert into refunds (id, event_id, order_id, payment_intent, amount, currency, cause, state, stripe_refund)
         select gen_random_uuid(), event_id, order_id, payment_intent, amount, currency, 'elsewhere', 'pending', $2
           from payments where payment_intent = $1",
    )
    .bind(intent)
    .bind(id(&list["data"][0]))
    .execute(pg)
    .await
    .expect("it is written");
    lock.rollback().await.expect("the lock is given up");

    let order = ada.sees(&order, "refunded").await;
    let moves: Vec<_> =
        order["history"].as_array().expect("a history").iter().map(|step| &step["to"]).collect();
    assert!(!moves.contains(&&json!("confirmed")), "money that is back buys nothing: {moves:?}");
    holdfast.every_invariant_holds().await;
}
