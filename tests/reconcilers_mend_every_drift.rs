//! Whatever drifts is put right without anybody asking, and counted: pictures and claims, rules, orders and Stripe, captured
//! money, refunds, the outbox. What rows show to be broken raises an alarm by itself.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use holdfast::ids::EventId;
use holdfast::telemetry::Label;
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use serde_json::json;

use crate::support::journeys::{GOOD_CARD, id};
use crate::support::rush::Rush;
use crate::support::{Holdfast, Node, eventually};

const PAIR: [&str; 2] = ["stalls-A-1", "stalls-A-2"];
const ROWS: [u32; 6] = [20; 6];

async fn quick() -> Holdfast {
    Holdfast::with(|config| config.reconcile_seconds = 1).await
}

/// How much of this kind was mended by one of the nodes.
fn mended(nodes: &[&holdfast::app::App], label: &'static str) -> u64 {
    nodes.iter().map(|app| app.metrics.reconciled.get_or_create(&Label { label }).get()).sum()
}

async fn is_mended(holdfast: &Holdfast, label: &'static str) {
    eventually(&format!("{label} are mended and counted"), async || {
        (mended(&[holdfast.app()], label) > 0).then_some(())
    })
    .await;
}

/// The names of an event's keys, as Redis has them now.
async fn keys_of(holdfast: &Holdfast, event: EventId) -> Vec<String> {
    eventually("Redis names its keys", async || {
        let mut redis = holdfast.app().redis.clone();
        redis::cmd("KEYS").arg(format!("*{event}*")).query_async(&mut redis).await.ok()
    })
    .await
}

/// Says something to Redis that does harm. On a busy machine its answer may be late: the harm is done.
async fn harm(holdfast: &Holdfast, words: &[&str]) {
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    let _ = command.query_async::<redis::Value>(&mut holdfast.app().redis.clone()).await;
}

async fn rush(holdfast: &Arc<Holdfast>, second: &Node, event: EventId) -> Rush {
    let nodes = [holdfast.url().to_owned(), second.url.clone()];
    Rush::starts(holdfast, event, &ROWS, holdfast.crowd(100).await, &nodes)
}

#[tokio::test(flavor = "multi_thread")]
async fn seats_that_somebody_changed_at_random_are_what_postgres_says_again() {
    let holdfast = Arc::new(quick().await);
    let second = holdfast.another_node(|config| config.reconcile_seconds = 1).await;
    let event = holdfast.small_hall(4800, &ROWS).await;
    let rush = rush(&holdfast, &second, event).await;
    let size = holdfast.app().catalog.chart(event).await.expect("a chart").size();
    for _ in 0..60 {
        let (ordinal, plane, bit, what) = {
            let mut dice = rand::rng();
            let plane = *["taken", "sold", "blocked"].choose(&mut dice).expect("one");
            (dice.random_range(0..size), plane, dice.random_range(0..2), dice.random_range(0..4))
        };
        let flag = format!("isTaken:{{{event}}}:{ordinal}");
        match what {
            0 => harm(&holdfast, &["DEL", &flag]).await,
            1 => harm(&holdfast, &["SET", &flag, "sold:0190aaaa-0000-7000-8000-000000000000"]).await,
            2 => harm(&holdfast, &["SET", &flag, "blocked"]).await,
            _ => {}
        }
        let (ordinal, bit) = (ordinal.to_string(), bit.to_string());
        harm(&holdfast, &["SETBIT", &format!("{plane}:{{{event}}}"), &ordinal, &bit]).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!rush.ends().await.is_empty(), "people bought all the while");
    assert!(mended(&[holdfast.app(), &second.app], "seats") > 0);
    eventually("nothing differs", async || (holdfast.app().desk.drift(event).await.ok()? == 0).then_some(()))
        .await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_lost_by_the_third_are_back_with_the_marker_and_without() {
    let holdfast = Arc::new(quick().await);
    let second = holdfast.another_node(|config| config.reconcile_seconds = 1).await;
    let event = holdfast.small_hall(4800, &ROWS).await;
    let rush = rush(&holdfast, &second, event).await;
    let meta = format!("meta:{{{event}}}");
    for round in 0..6 {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let mut lost: Vec<String> = {
            let keys = keys_of(&holdfast, event).await;
            let mut dice = rand::rng();
            keys.into_iter().filter(|_| dice.random_range(0..10) < 3).collect()
        };
        lost.retain(|key| *key != meta);
        if round % 2 == 0 {
            lost.push(meta.clone());
        } else {
            // Each of these is what no comparison of seats brings back.
            lost.push(format!("{}:{{{event}}}", ["taken", "sold", "owners"][round / 2]));
        }
        let words: Vec<&str> = ["DEL"].into_iter().chain(lost.iter().map(String::as_str)).collect();
        harm(&holdfast, &words).await;
    }
    assert!(!rush.ends().await.is_empty(), "people bought all the while");
    eventually("nothing differs", async || (holdfast.app().desk.drift(event).await.ok()? == 0).then_some(()))
        .await;
    holdfast.every_invariant_holds().await;
    what_customers_have_is_counted_rightly(&holdfast, event).await;
}

/// Redis' counts for the limit of each customer are those of the claims, where nobody only holds.
async fn what_customers_have_is_counted_rightly(holdfast: &Holdfast, event: EventId) {
    let rows: Vec<(uuid::Uuid, i64)> = sqlx::query_as(
        "select o.account_id, count(*) from seat_claims c join orders o on o.event_id = c.event_id and o.id = c.order_id
          where c.event_id = $1 group by 1",
    )
    .bind(event)
    .fetch_all(&holdfast.app().pg)
    .await
    .expect("a query");
    let wanted: std::collections::BTreeMap<String, i64> =
        rows.into_iter().map(|(owner, seats)| (owner.to_string(), seats)).collect();
    eventually("each customer's seats are counted", async || {
        let mut counted: std::collections::BTreeMap<String, i64> =
            holdfast.ask_redis(redis::cmd("HGETALL").arg(format!("owners:{{{event}}}"))).await;
        counted.remove("nobody");
        (counted == wanted).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_that_are_lost_are_made_anew_also_when_somebody_was_counted_since() {
    let holdfast = quick().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    holdfast.sold(&ada, event, &["stalls-A-1", "stalls-A-2"]).await;
    holdfast.redis_command(&["DEL", &format!("owners:{{{event}}}")]).await;
    // Before anybody has looked: this makes the key anew.
    holdfast.sold(&ben, event, &["stalls-B-1", "stalls-B-2"]).await;
    what_customers_have_is_counted_rightly(&holdfast, event).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plane_that_is_lost_while_the_marker_lives_closes_the_rows_again() {
    let holdfast = quick().await;
    let event = holdfast.theatre().await;
    let before = holdfast.app().engine.snapshot(event).await.expect("a picture");
    holdfast.redis_command(&["DEL", &format!("taken:{{{event}}}")]).await;
    is_mended(&holdfast, "pictures").await;
    let after = eventually("it is built anew", async || {
        let now = holdfast.app().engine.snapshot(event).await.ok()?;
        (now.epoch > before.epoch).then_some(now)
    })
    .await;
    assert_eq!((after.taken, after.sold), (before.taken, before.sold), "aisles and all");
}

#[tokio::test(flavor = "multi_thread")]
async fn seats_that_redis_holds_for_an_order_that_is_over_come_free() {
    let holdfast = quick().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = ada.orders(event, &["stalls-A-1", "stalls-A-2"]).await;
    ada.cancels(&order).await.expect(200);
    ada.sees_seat(event, "stalls-A-1", "free").await;
    // As a replica that took over before it heard of the end.
    let chart = holdfast.app().catalog.chart(event).await.expect("a chart");
    let seats: Vec<_> =
        ["stalls-A-1", "stalls-A-2"].iter().map(|seat| chart.ordinal(seat).expect("a seat")).collect();
    let text = |name: &str| order[name].as_str().expect("an id").to_owned();
    let (hold, order) = (text("hold_id").parse().expect("a hold"), text("id").parse().expect("an order"));
    let owner =
        ada.get("/v1/me").await.expect(200)["id"].as_str().expect("an id").parse().expect("an account");
    let minutes = Duration::from_mins(10);
    let engine = &holdfast.app().engine;
    engine.claim(event, order, hold, owner, &seats, minutes).await.expect("they are held");
    ada.sees_seat(event, "stalls-A-1", "held").await;
    ada.sees_seat(event, "stalls-A-1", "free").await;
    ada.sees_seat(event, "stalls-A-2", "free").await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_redis_was_never_told_are_told() {
    let holdfast = quick().await;
    let event = holdfast.theatre().await;
    // The node that edited the event died before it told Redis.
    sqlx::query("update events set sale_ends_at = now() - interval '1 minute' where id = $1")
        .bind(event)
        .execute(&holdfast.app().pg)
        .await
        .expect("edited");
    let ada = holdfast.customer().await;
    is_mended(&holdfast, "rules").await;
    assert_eq!(ada.holds_seats(event, &PAIR).await.code(), "sale_closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_no_webhook_speaks_of_is_asked_about() {
    let holdfast = quick().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = ada.orders(event, &PAIR).await;
    holdfast.webhooks_are_lost().await;
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    ada.sees(&order, "confirmed").await;
    eventually("it is counted, by whoever asked first", async || {
        (mended(&[holdfast.app()], "orders") + mended(&[holdfast.app()], "captures") > 0).then_some(())
    })
    .await;

    // Stripe's list is of payments: what was called off there is heard of by asking about the order.
    let order = ada.orders(event, &["stalls-B-1"]).await;
    let before = mended(&[holdfast.app()], "orders");
    let intent = order["payment"]["payment_intent"].as_str().expect("a payment");
    holdfast.stripe().post_form(&format!("/v1/payment_intents/{intent}/cancel"), &[]).await.expect(200);
    ada.sees(&order, "cancelled").await;
    eventually("it is counted", async || (mended(&[holdfast.app()], "orders") > before).then_some(())).await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_was_captured_before_many_other_payments_is_found_all_the_same() {
    let holdfast = Holdfast::with(|config| config.reconcile_seconds = 3).await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    holdfast.webhooks_are_lost().await;
    let order = ada.orders(event, &PAIR).await;
    // More than one step of the walk, and all of it newer.
    let stripe = holdfast.stripe();
    let form = [("amount", "100"), ("currency", "eur"), ("payment_method_types[0]", "card")];
    for _ in 0..13 {
        let made = (0..50).map(|_| stripe.post_form("/v1/payment_intents", &form));
        for answer in futures_util::future::join_all(made).await {
            answer.expect(200);
        }
    }
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    holdfast.loses_all_trace_of(&order).await;
    is_mended(&holdfast, "captures").await;
    let parked = holdfast.app().desk.parked_payments().await.expect("Postgres answers");
    assert_eq!(parked[0].order_id.expect("known to Stripe").to_string(), id(&order));
    let page = holdfast.anyone().get_text("/metrics").await;
    assert!(page.contains("holdfast_parked_payments 1\n"), "a person is told");
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_nobody_sends_is_sent() {
    let mut holdfast = quick().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &PAIR).await;
    holdfast.stripe_fails("refund", 503).await;
    ada.cancels(&order).await.expect(200);
    let (database, _) = holdfast.addresses();
    // Nobody is in the middle of sending it.
    holdfast
        .while_it_is_down(async |_| {
            let pg = holdfast::stores::postgres::pool(&database, 1).expect("an address");
            for statement in
                ["delete from outbox where kind = 'refund'", "update refunds set check_at = now()"]
            {
                sqlx::query(statement).execute(&pg).await.expect("the harm is done");
            }
        })
        .await;
    holdfast.stripe_recovers().await;
    is_mended(&holdfast, "refunds").await;
    ada.sees(&order, "refunded").await;
    assert_eq!(holdfast.ledger_intent(&order).await["amount_refunded"], 9600, "once");
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_was_pending_and_one_that_was_made_elsewhere_are_heard_of() {
    let holdfast = quick().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let (hers, his) =
        (holdfast.sold(&ada, event, &PAIR).await, holdfast.sold(&ben, event, &["stalls-B-1"]).await);
    holdfast.refunds_are_pending_and_webhooks_lost().await;
    ada.cancels(&hers).await.expect(200);
    ada.sees(&hers, "refunding").await;
    eventually("the refund is at Stripe", async || {
        let (pending,): (i64,) = sqlx::query_as("select count(*) from refunds where state = 'pending'")
            .fetch_one(&holdfast.app().pg)
            .await
            .ok()?;
        (pending == 1).then_some(())
    })
    .await;
    let before = mended(&[holdfast.app()], "refunds");
    holdfast.pending_refunds_arrive(&hers).await;
    sqlx::query("update refunds set check_at = now()").execute(&holdfast.app().pg).await.expect("its moment");
    ada.sees(&hers, "refunded").await;

    holdfast.stripe_recovers().await;
    holdfast.webhooks_are_lost().await;
    holdfast.gives_back_at_stripe(&his).await;
    ben.sees(&his, "refunded").await;
    ben.sees_seat(event, "stalls-B-1", "free").await;
    eventually("both are counted", async || {
        (mended(&[holdfast.app()], "refunds") > before + 1).then_some(())
    })
    .await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_effect_whose_node_died_is_done_and_its_age_is_seen_until_then() {
    let holdfast = quick().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &PAIR).await;
    ada.sees_seat(event, PAIR[0], "sold").await;
    // Leased by somebody who is gone, for some seconds more.
    sqlx::query(
        "insert into outbox (event_id, order_id, kind, attempts, created_at, due_at)
         select event_id, id, 'show', 1, now() - interval '16 minutes', now() + interval '3 seconds'
           from orders where id = $1::uuid",
    )
    .bind(id(&order))
    .execute(&holdfast.app().pg)
    .await
    .expect("a row");
    let page = holdfast.anyone().get_text("/metrics").await;
    let age =
        page.lines().find_map(|line| line.strip_prefix("holdfast_outbox_age_seconds ")).expect("a gauge");
    assert!(age.parse::<u64>().expect("a number") >= 900, "{age}");
    eventually("the audit raises an alarm", async || {
        let page = holdfast.anyone().get_text("/metrics").await;
        page.contains("holdfast_invariant_breaches{label=\"debts_are_paid\"} 1\n").then_some(())
    })
    .await;
    is_mended(&holdfast, "effects").await;
    eventually("the alarm ends", async || {
        let page = holdfast.anyone().get_text("/metrics").await;
        page.contains("holdfast_invariant_breaches{label=\"debts_are_paid\"} 0\n").then_some(())
    })
    .await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_promise_raises_its_alarm_on_a_node_that_nobody_asks() {
    let holdfast = quick().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &PAIR).await;
    for harm in [
        "update payments set captured = 1 where order_id = $1::uuid",
        "delete from tickets where order_id = $1::uuid",
        "update order_seats set price = price + 1 where order_id = $1::uuid",
        "delete from order_log where order_id = $1::uuid and step = 2",
    ] {
        sqlx::query(harm).bind(id(&order)).execute(&holdfast.owner()).await.expect("the harm is done");
    }
    let wanted: HashSet<&str> =
        ["confirmed_is_paid", "all_seats_or_none", "priced_as_shown", "moves_are_logged"].into();
    eventually("each raises its own alarm", async || {
        let page = holdfast.anyone().get_text("/metrics").await;
        wanted
            .iter()
            .all(|name| {
                let line = format!("holdfast_invariant_breaches{{label=\"{name}\"}} ");
                page.lines().any(|it| it.strip_prefix(&line).is_some_and(|count| count != "0"))
            })
            .then_some(())
    })
    .await;
    // And one can see that somebody looks.
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    for worker in
        ["audit", "pictures", "open orders", "captured payments", "given back", "refunds", "outbox", "inbox"]
    {
        let at = eventually(&format!("{worker} came through"), async || {
            let at = holdfast.app().metrics.reconciled_at.get_or_create(&Label { label: worker }).get();
            (at > 0).then_some(at)
        })
        .await;
        assert!((now - at).abs() < 40, "{worker}: {at}");
    }
    let page = holdfast.anyone().get_text("/metrics").await;
    assert!(page.contains("holdfast_reconciled_at_seconds{label=\"audit\"}"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_restored_from_an_old_copy_is_built_anew_whether_its_epoch_is_over_or_not() {
    let holdfast = Holdfast::with_its_own_stack_and(|config| config.reconcile_seconds = 1).await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let kept = holdfast.sold(&ada, event, &["stalls-A-1", "stalls-A-2"]).await;
    let given_up = holdfast.sold(&ada, event, &["stalls-B-1", "stalls-B-2"]).await;
    let epoch = async || holdfast.app().engine.epoch(event).await.ok().flatten();
    let witness = async || holdfast.app().engine.witness(event).await.ok().flatten().unwrap_or(0);
    for raise_epoch in [false, true] {
        let (copied, spoke) = (epoch().await, witness().await);
        let (data, copy) = (holdfast.stack().dir().join("redis"), holdfast.stack().dir().join("logs/redis"));
        holdfast.stack().kill_redis();
        replace(&copy, &data);
        holdfast.stack().start_redis().await.expect("it starts");

        let seat = if raise_epoch { "stalls-D-1" } else { "stalls-C-1" };
        if !raise_epoch {
            ada.cancels(&given_up).await.expect(200);
            ada.sees(&given_up, "refunded").await;
        }
        eventually("the event is open", async || (epoch().await >= copied).then_some(())).await;
        let since = holdfast.sold(&ben, event, &[seat]).await;
        if raise_epoch {
            holdfast.app().desk.doubt(&[event]).await.expect("doubted");
            eventually("it is rebuilt", async || (epoch().await > copied).then_some(())).await;
        }
        eventually("time passes", async || (witness().await > spoke + 2).then_some(())).await;
        let last = epoch().await;

        holdfast.stack().kill_redis();
        replace(&data, &copy);
        holdfast.stack().start_redis().await.expect("it starts");
        eventually("it is refused and built anew", async || (epoch().await > last).then_some(())).await;
        for (seat, state) in [(seat, "sold"), ("stalls-A-1", "sold"), ("stalls-B-1", "free")] {
            ben.sees_seat(event, seat, state).await;
        }
        assert_eq!(holdfast.flag(event, seat).await, Some(format!("sold:{}", id(&since))));
        assert_eq!(holdfast.flag(event, "stalls-A-1").await, Some(format!("sold:{}", id(&kept))));
        what_customers_have_is_counted_rightly(&holdfast, event).await;
    }
    let redis = holdfast.app().metrics.went_back.get_or_create(&Label { label: "redis" }).get();
    assert!(redis > 0, "an old copy of the same epoch is known by its witness");
    let hold = ada.holds(event, json!({ "best": { "quantity": 2 } })).await;
    assert_eq!(hold.status, 201, "{}", hold.body);
    holdfast.every_invariant_holds().await;
}

/// A folder becomes what another is, owners and all.
fn replace(folder: &std::path::Path, from: &std::path::Path) {
    let _ = std::fs::remove_dir_all(folder);
    let done = std::process::Command::new("cp").arg("-a").arg(from).arg(folder).status().expect("cp runs");
    assert!(done.success());
}
