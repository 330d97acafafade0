//! Stripe tells things twice, late and in any order, keeps failures, and gives money back that comes back to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use holdfast::payments::{Gateway, PaymentsError, signature};
use holdfast::telemetry::Metrics;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use crate::payments_support::{SECRET_KEY, gateway};
use crate::support::journeys::{BAD_CARD, GOOD_CARD, id};
use crate::support::{Client, Holdfast, eventually, webhook_secret};

const PAIR: [&str; 2] = ["stalls-B-1", "stalls-B-2"];

/// Everything that Stripe has to say about the payment of an order.
async fn news_of(holdfast: &Holdfast, order: &Value) -> Vec<Value> {
    let intent = holdfast.ledger_intent(order).await["id"].clone();
    let list = holdfast.stripe().get("/v1/events?limit=100").await.expect(200);
    let about = |event: &Value| {
        let object = &event["data"]["object"];
        object["id"] == intent || object["payment_intent"] == intent
    };
    list["data"].as_array().expect("events").iter().filter(|event| about(event)).cloned().collect()
}

/// Every order of so many things.
fn orders_of(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![vec![]];
    }
    let shorter = orders_of(count - 1);
    let longer = shorter.iter().flat_map(|order| {
        (0..=order.len()).map(|at| {
            let mut order = order.clone();
            order.insert(at, count - 1);
            order
        })
    });
    longer.collect()
}

async fn tells(holdfast: &Holdfast, news: &[Value]) {
    for event in news {
        assert_eq!(holdfast.signed_webhook(event).await.status, 200);
        // One is thought about before the next is told, or the last would always win.
        holdfast.inbox_is_empty().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn news_of_one_payment_in_every_order_ends_the_same() {
    let holdfast =
        Holdfast::with(|config| config.payment_failed = holdfast::config::PaymentFailed::Keep).await;
    holdfast.webhooks_are_lost().await;
    let event = holdfast.small_hall(1000, &[12, 12]).await;
    let ada = holdfast.customer().await;
    for (number, turn) in orders_of(4).into_iter().enumerate() {
        let seat = format!("hall-{}-{}", ["A", "B"][number % 2], number / 2 + 1);
        let order = ada.orders(event, &[&seat]).await;
        // Declined first, then paid; and in some of them given back, before any of it is told.
        assert_eq!(holdfast.pay(&order, BAD_CARD).await.status, 402);
        holdfast.pay(&order, GOOD_CARD).await.expect(200);
        let news = news_of(&holdfast, &order).await;
        assert!(news.len() >= 4, "{news:?}");
        // The four that say most, in this turn's order, and the others behind them.
        let says = |event: &Value| match event["type"].as_str().expect("a type") {
            "payment_intent.payment_failed" | "payment_intent.succeeded" => 0,
            "charge.failed" | "charge.succeeded" => 1,
            _ => 2,
        };
        let mut sorted = news;
        sorted.sort_by_key(says);
        let shuffled: Vec<_> = turn.iter().map(|&at| sorted[at].clone()).collect();
        tells(&holdfast, &shuffled).await;
        tells(&holdfast, &sorted[4..]).await;
        let order = ada.sees(&order, "confirmed").await;
        let steps: Vec<_> =
            order["history"].as_array().expect("history").iter().map(|step| &step["to"]).collect();
        assert_eq!(steps, ["awaiting_payment", "confirmed"], "{turn:?}");

        if number % 6 == 0 {
            // The refund is told before what it gives back, and everything once more.
            ada.cancels(&order).await.expect(200);
            ada.sees(&order, "refunded").await;
            let mut all = news_of(&holdfast, &order).await;
            all.reverse();
            tells(&holdfast, &all).await;
            assert_eq!(ada.order(&order).await["status"], "refunded");
            assert_eq!(holdfast.ledger_intent(&order).await["amount_refunded"], 1000);
        }
    }
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn news_that_comes_three_days_late_still_counts() {
    let holdfast = Holdfast::start().await;
    holdfast.webhooks_are_lost().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let in_time = ada.orders(event, &PAIR).await;
    let too_late = ada.orders(event, &["stalls-C-1"]).await;
    holdfast.pay(&in_time, GOOD_CARD).await.expect(200);
    holdfast.pay(&too_late, GOOD_CARD).await.expect(200);
    holdfast.ends_unknown_to_stripe(&too_late, "expired").await;
    ben.sees_seat(event, "stalls-C-1", "free").await;
    holdfast.sold(&ben, event, &["stalls-C-1"]).await;
    for order in [&in_time, &too_late] {
        for mut event in news_of(&holdfast, order).await {
            event["created"] = json!(event["created"].as_i64().expect("a moment") - 3 * 24 * 3600);
            assert_eq!(holdfast.signed_webhook(&event).await.status, 200);
        }
    }
    ada.sees(&in_time, "confirmed").await;
    ada.sees(&too_late, "refunded").await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_waits_for_postgres_is_told_again_and_counts_once() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = ada.orders(event, &PAIR).await;
    let mut lock = holdfast.app().pg.begin().await.expect("a transaction");
    sqlx::query("lock table stripe_events in access exclusive mode")
        .execute(&mut *lock)
        .await
        .expect("a lock");
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    eventually("Stripe was not answered in time", async || {
        let page = holdfast.anyone().get_text("/metrics").await;
        let refused = r#"route="/v1/webhooks/stripe",status="503""#;
        page.lines().any(|line| line.contains(refused)).then_some(())
    })
    .await;
    assert_eq!(ada.state_of(event, PAIR[0]).await, "held");
    lock.rollback().await.expect("the lock is given back");
    let order = ada.sees(&order, "confirmed").await;
    let confirmed = |step: &&Value| step["to"] == "confirmed";
    assert_eq!(order["history"].as_array().expect("history").iter().filter(confirmed).count(), 1);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_webhooks_at_once_are_answered_while_holds_go_on() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let order = ada.orders(event, &PAIR).await;
    let intent = order["payment"]["payment_intent"].clone();

    let quiet = Arc::new(AtomicBool::new(false));
    let shopping = tokio::spawn({
        let (ben, quiet) = (ben.clone(), Arc::clone(&quiet));
        async move {
            let mut held = 0;
            while !quiet.load(Ordering::Relaxed) {
                let hold = ben.holds_seats(event, &["stalls-D-1"]).await;
                assert!(matches!(hold.status, 201 | 409 | 503), "{}", hold.body);
                if hold.status == 201 {
                    held += 1;
                    ben.delete(&format!("/v1/holds/{}", id(&hold.body))).await;
                }
            }
            held
        }
    });
    let mut burst = JoinSet::new();
    for lane in 0..50 {
        let stripe = Client::new(if lane % 2 == 0 { holdfast.url() } else { &second.url }, None);
        let intent = intent.clone();
        burst.spawn(async move {
            for number in 0..20 {
                let event = json!({
                    "id": format!("evt_burst_{lane}_{number}"), "object": "event", "livemode": false,
                    "type": "payment_intent.processing", "data": { "object": { "id": intent, "object": "payment_intent" } },
                });
                let body = serde_json::to_vec(&event).expect("JSON");
                // As Stripe does: what is not acknowledged is told again.
                loop {
                    let now = time::OffsetDateTime::now_utc().unix_timestamp();
                    let header = signature::sign(&body, &webhook_secret(), now);
                    let request = stripe.request(reqwest::Method::POST, "/v1/webhooks/stripe");
                    let request = request.header("Stripe-Signature", header).body(body.clone());
                    let answer = stripe.send(request.header("Content-Type", "application/json")).await;
                    match answer.status {
                        200 => break,
                        503 => {}
                        other => panic!("{other}: {}", answer.body),
                    }
                }
            }
        });
    }
    burst.join_all().await;
    quiet.store(true, Ordering::Relaxed);
    assert!(shopping.await.expect("no panic") > 0, "somebody could hold a seat meanwhile");

    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    ada.sees(&order, "confirmed").await;
    for _ in 0..3 {
        let backlog = holdfast.app().desk.backlog().await.expect("Postgres answers");
        if backlog.inbox.depth == 0 {
            break;
        }
        // A thousand are a while's work on a busy machine; what counts is that they become fewer.
        let before = backlog.inbox.depth;
        eventually("the inbox empties", async || {
            let now = holdfast.app().desk.backlog().await.expect("Postgres answers").inbox.depth;
            (now == 0 || now < before / 2).then_some(())
        })
        .await;
    }
    let (kept,): (i64,) = sqlx::query_as("select count(*) from stripe_events where id like 'evt_burst%'")
        .fetch_one(&holdfast.app().pg)
        .await
        .expect("a count");
    assert_eq!(kept, 1000);
    holdfast.every_invariant_holds().await;
}

async fn stripe_does(holdfast: &Holdfast, faults: Value) {
    holdfast.stripe().post("/sandbox/faults", faults).await.expect(200);
}

/// PaymentIntents of the ledger that somebody with their secret could still pay.
async fn open_doors(holdfast: &Holdfast) -> Vec<Value> {
    let closed = |status: &Value| status == "canceled" || status == "succeeded";
    holdfast.ledger_intents().await.into_iter().filter(|intent| !closed(&intent["status"])).collect()
}

/// Until the order's own door is the only one that is open.
async fn one_door_stays(holdfast: &Holdfast, order: &Value) {
    let own = &order["payment"]["payment_intent"];
    eventually("the doors that nobody knows of are shut", async || {
        let open = open_doors(holdfast).await;
        assert!(open.iter().any(|intent| intent["id"] == *own), "the order's own stays open");
        (open.len() == 1).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_stripe_keeps_is_got_past_with_one_door_open() {
    for when in ["before", "after"] {
        let holdfast = Holdfast::with(|config| config.reconcile_seconds = 1).await;
        let event = holdfast.theatre().await;
        let ada = holdfast.customer().await;
        let hold = ada.holds_seats(event, &PAIR).await.expect(201);
        let fault = json!({ "on": "create", "how": "stored_500", "when": when, "next": 1 });
        stripe_does(&holdfast, json!({ "calls": [fault] })).await;
        let order = eventually("the checkout goes on under another key", async || {
            let answer = ada.post("/v1/orders", json!({ "hold_id": id(&hold) })).await;
            assert!(matches!(answer.status, 201 | 503), "{}", answer.body);
            (answer.status == 201).then_some(answer.body)
        })
        .await;
        one_door_stays(&holdfast, &order).await;
        holdfast.pay(&order, GOOD_CARD).await.expect(200);
        ada.sees(&order, "confirmed").await;
        holdfast.every_invariant_holds().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_stripe_knows_with_other_words_leaves_no_door_open() {
    let holdfast = Holdfast::with(|config| config.reconcile_seconds = 1).await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let hold = ada.holds_seats(event, &PAIR).await.expect(201);
    // The payment is opened and nobody hears of it; the next version of this service asks in other words.
    holdfast.stripe_answers_are_lost("create").await;
    assert_eq!(ada.post("/v1/orders", json!({ "hold_id": id(&hold) })).await.status, 503);
    sqlx::query("update orders set request_id = 'other words'")
        .execute(&holdfast.app().pg)
        .await
        .expect("a change");
    holdfast.stripe_recovers().await;

    let order = eventually("the order can be paid all the same", async || {
        let answer = ada.post("/v1/orders", json!({ "hold_id": id(&hold) })).await;
        assert!(matches!(answer.status, 201 | 503), "{}", answer.body);
        (answer.status == 201).then_some(answer.body)
    })
    .await;
    one_door_stays(&holdfast, &order).await;
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    ada.sees(&order, "confirmed").await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_fails_in_the_end_is_a_persons_and_the_seat_its_next_owners() {
    let holdfast = Holdfast::with(|config| config.reconcile_seconds = 1).await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let first = holdfast.sold(&ada, event, &PAIR).await;
    holdfast.refunds_are_pending().await;
    ada.cancels(&first).await.expect(200);
    ben.sees_seat(event, PAIR[0], "free").await;
    let next = holdfast.sold(&ben, event, &PAIR).await;

    eventually("the refund is on its way", async || {
        (ada.order(&first).await["refunds"][0]["status"] == "pending").then_some(())
    })
    .await;
    holdfast.refund_ends(&first, "failed").await;
    let owed = eventually("the refund has failed", async || {
        let order = ada.order(&first).await;
        (order["refunds"][0]["status"] == "failed").then_some(order)
    })
    .await;
    assert_eq!(owed["status"], "refunding", "never called refunded before it is");
    assert_eq!(ben.order(&next).await["status"], "confirmed");
    assert_eq!(ben.state_of(event, PAIR[0]).await, "sold");
    // A person is asked.
    holdfast.metrics_say(&["holdfast_parked_payments 1"]).await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_given_back_at_once_never_exceed_what_was_paid() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &PAIR).await;
    let path = format!("/v1/admin/orders/{}/refund", id(&order));
    let mut racing = JoinSet::new();
    for number in 0..100_i64 {
        let desk = if number % 2 == 0 { holdfast.organiser() } else { holdfast.organiser().at(&second) };
        let path = path.clone();
        let (amount, key) = (100 + number * 7 % 150, format!("part-{number}"));
        racing.spawn(async move {
            loop {
                let answer =
                    desk.post_once(&path, &key, json!({ "amount": amount, "reason": "cold hall" })).await;
                match (answer.status, answer.code()) {
                    (200, _) => return amount,
                    (422 | 409, code) if code != "still_running" => return 0,
                    (503 | 409, _) => {}
                    other => panic!("{other:?}: {}", answer.body),
                }
            }
        });
    }
    let given: i64 = racing.join_all().await.into_iter().sum();
    assert!((9600 - 250..=9600).contains(&given), "as much as fits: {given}");
    eventually("all of it is back", async || {
        (holdfast.ledger_intent(&order).await["amount_refunded"] == given).then_some(())
    })
    .await;
    let now = ada.order(&order).await;
    let sum: i64 = now["refunds"]
        .as_array()
        .expect("refunds")
        .iter()
        .filter_map(|refund| refund["amount"].as_i64())
        .sum();
    assert_eq!(sum, given);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_keeps_the_price_it_was_made_at() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let first = holdfast.sold(&ada, event, &PAIR).await;
    // Nobody can do this by a call. An operator can, and a node that starts then sells at the new price.
    let (document,): (Vec<u8>,) = sqlx::query_as("select document from charts where event_id = $1")
        .bind(event)
        .fetch_one(&holdfast.app().pg)
        .await
        .expect("a chart");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&document[..]), &mut text).expect("JSON");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, text.replace("4800", "5500").as_bytes()).expect("memory");
    sqlx::query("update charts set document = $2 where event_id = $1")
        .bind(event)
        .bind(packed.finish().expect("memory"))
        .execute(&holdfast.app().pg)
        .await
        .expect("a change");
    let second = holdfast.second_node().await;
    let hold = ben.at(&second).holds_seats(event, &["stalls-C-1"]).await.expect(201);
    let next = ben.at(&second).checks_out(&hold).await;
    assert_eq!(next["amount"], 5500);
    holdfast.pay(&next, GOOD_CARD).await.expect(200);
    ben.sees(&next, "confirmed").await;

    let there = ada.at(&second);
    assert_eq!(there.order(&first).await["amount"], 9600);
    there.cancels(&first).await.expect(200);
    let first = there.sees(&first, "refunded").await;
    assert_eq!(first["refunds"][0]["amount"], 9600);
    let report = holdfast.organiser().get(&format!("/v1/admin/events/{event}/report")).await.expect(200);
    assert_eq!((report["revenue"].as_i64(), report["refunded"].as_i64()), (Some(5500), Some(9600)));
    holdfast.every_invariant_holds().await;
}

/// Somebody at Stripe's address who answers every call like this, however long that takes.
async fn in_place_of_stripe<F: Future<Output = ()> + Send>(
    answer: impl Fn(TcpStream) -> F + Send + 'static,
) -> (Gateway, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let serving = tokio::spawn(async move {
        while let Ok((mut wire, _)) = listener.accept().await {
            // The question fits into one read; what it says does not matter.
            let _ = wire.read(&mut [0; 4096]).await;
            answer(wire).await;
        }
    });
    (gateway(&url, SECRET_KEY, 1000, Metrics::new()), AbortOnDropHandle::new(serving))
}

#[tokio::test]
async fn a_redirect_takes_our_key_nowhere() {
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    elsewhere.set_nonblocking(true).expect("it can be asked");
    let there = elsewhere.local_addr().expect("an address");
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let (stripe, _serving) = in_place_of_stripe(move |mut wire| async move {
            let head = format!("HTTP/1.1 {status}\r\nlocation: http://{there}/v1/payment_intents/pi_1\r\n");
            let rest = "content-length: 0\r\nconnection: close\r\n\r\n";
            let _ = wire.write_all(format!("{head}{rest}").as_bytes()).await;
        })
        .await;
        let answer = stripe.intent("pi_1").await;
        let told = status[..3].parse::<u16>().expect("a number");
        assert!(
            matches!(&answer, Err(PaymentsError::Refused { status, .. }) if *status == told),
            "{answer:?}"
        );
        // Whoever follows has been there before it answers.
        let came = elsewhere.accept().map(|(_, from)| from);
        assert!(came.is_err(), "{status}: {came:?}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    let sent = Arc::new(AtomicUsize::new(0));
    let (counted, part) = (Arc::clone(&sent), format!("10000\r\n{}\r\n", " ".repeat(0x1_0000)));
    let (stripe, _serving) = in_place_of_stripe(move |mut wire| {
        let (sent, part) = (Arc::clone(&counted), part.clone());
        async move {
            let head =
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
            let mut going = wire.write_all(head.as_bytes()).await;
            while going.is_ok() {
                going = wire.write_all(part.as_bytes()).await;
                sent.fetch_add(part.len(), Ordering::SeqCst);
            }
        }
    })
    .await;
    let answer = stripe.intent("pi_1").await;
    assert!(matches!(&answer, Err(PaymentsError::Unreadable { .. })), "{answer:?}");
    // Eight megabytes, and what the kernel has in its hands at both ends.
    let sent = sent.load(Ordering::SeqCst);
    assert!((8 << 20..32 << 20).contains(&sent), "{sent} bytes were taken");
}
