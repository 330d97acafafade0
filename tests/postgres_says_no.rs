//! Postgres answers, and the answer is no: a deadlock, a lock, no connection to be had, nothing but reading.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinSet;

use crate::support::journeys::{GOOD_CARD, id};
use crate::support::{Answer, Holdfast, eventually};

const PAIR: [&str; 2] = ["stalls-A-1", "stalls-A-2"];
/// Two seconds, and one more for a machine that is busy with other tests.
const AT_MOST: Duration = Duration::from_secs(3);

async fn is_an_outage_in_time(what: &str, call: impl Future<Output = Answer>) {
    let begun = Instant::now();
    let answer = call.await;
    assert_eq!((answer.status, answer.code()), (503, "unavailable"), "{what}: {}", answer.body);
    assert!(answer.header("retry-after").is_some(), "{what} says when to come back");
    assert!(begun.elapsed() < AT_MOST, "{what} took {:?}", begun.elapsed());
}

/// A session of somebody else's in the house's own database.
async fn a_session(holdfast: &Holdfast) -> PgConnection {
    PgConnection::connect(&holdfast.owner_url()).await.expect("Postgres answers")
}

async fn says(session: &mut PgConnection, words: &str) {
    #[expect(
        clippy::disallowed_methods,
        reason = "several statements in one breath, as an operator types them"
    )]
    sqlx::raw_sql(sqlx::AssertSqlSafe(words.to_owned())).execute(session).await.expect(words);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_rolls_back_whole_and_the_repeat_goes_on() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let hold = ada.holds_seats(event, &PAIR).await.expect(201);
    let mut other = a_session(&holdfast).await;
    // The other one has the second seat's row and will want the first's; whoever looks for deadlocks first gives way,
    // and the other one is in no hurry.
    says(&mut other, "begin; set local deadlock_timeout = '20s'; set local lock_timeout = 0").await;
    let claims = |ordinal: i32| {
        sqlx::query("insert into seat_claims (event_id, ordinal, state) values ($1, $2, 'blocked')")
            .bind(event)
            .bind(ordinal)
    };
    claims(1).execute(&mut other).await.expect("a row");
    let checkout = tokio::spawn({
        let (ada, body) = (ada.clone(), json!({ "hold_id": id(&hold) }));
        async move { ada.post_once("/v1/orders", "in-a-ring", body).await }
    });
    eventually("the checkout waits for the second seat", async || {
        let (waits,): (bool,) = sqlx::query_as(
            "select exists (select from pg_stat_activity where datname = current_database()
                             and wait_event_type = 'Lock' and query like '%insert into seat_claims%')",
        )
        .fetch_one(&holdfast.app().pg)
        .await
        .expect("what the server does");
        waits.then_some(())
    })
    .await;
    // Comes through only because the checkout has given the first seat back.
    claims(0).execute(&mut other).await.expect("the checkout gave way");
    let refused = checkout.await.expect("an answer");
    assert_eq!((refused.status, refused.code()), (503, "unavailable"), "{}", refused.body);
    says(&mut other, "rollback").await;
    assert!(ada.get("/v1/orders").await.expect(200)["items"].as_array().expect("a page").is_empty());

    let order = eventually("the same call goes on", async || {
        let answer = ada.post_once("/v1/orders", "in-a-ring", json!({ "hold_id": id(&hold) })).await;
        (answer.status == 201).then_some(answer.body)
    })
    .await;
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    ada.sees(&order, "confirmed").await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_somebody_keeps_is_an_outage_in_time() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let order = ada.orders(event, &PAIR).await;
    let hold = ben.holds_seats(event, &["stalls-B-1"]).await.expect(201);
    let mut other = a_session(&holdfast).await;
    says(&mut other, "begin; lock table orders in access exclusive mode").await;

    is_an_outage_in_time("a checkout", ben.post("/v1/orders", json!({ "hold_id": id(&hold) }))).await;
    is_an_outage_in_time("an order", ben.get(&format!("/v1/orders/{}", id(&order)))).await;
    // What needs no order goes on, and money is taken note of.
    ben.holds_seats(event, &["stalls-C-1"]).await.expect(201);
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    says(&mut other, "rollback").await;

    ada.sees(&order, "confirmed").await;
    ben.checks_out(&hold).await;
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_callers_and_two_connections_still_confirm_money() {
    let holdfast = Holdfast::with(|config| config.database_connections = 2).await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = ada.orders(event, &PAIR).await;
    let quiet = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for caller in holdfast.crowd(200).await {
        let quiet = Arc::clone(&quiet);
        callers.spawn(async move {
            let mut answers = 0;
            while !quiet.load(Ordering::Relaxed) {
                let answer = caller.get("/v1/orders").await;
                assert!(matches!(answer.status, 200 | 503), "{}", answer.body);
                assert!(answer.status == 200 || answer.header("retry-after").is_some());
                answers += 1;
            }
            answers
        });
    }
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    eventually("the order is confirmed in the middle of it", async || {
        let now = ada.get(&format!("/v1/orders/{}", id(&order))).await;
        (now.body["status"] == "confirmed").then_some(())
    })
    .await;
    quiet.store(true, Ordering::Relaxed);
    assert!(callers.join_all().await.into_iter().all(|answers| answers > 0), "everybody was answered");
    holdfast.every_invariant_holds().await;
}

/// Ends every connection that the node has.
async fn hang_up(session: &mut PgConnection) {
    says(
        session,
        "select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and application_name = 'holdfast'",
    )
    .await;
}

async fn checks(holdfast: &Holdfast) -> serde_json::Value {
    eventually("the node says that it cannot sell", async || {
        let answer = holdfast.anyone().get("/readyz").await;
        (answer.status == 503).then(|| answer.body["checks"].clone())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_may_only_be_read_is_not_ready_and_sells_nothing() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let order = ada.orders(event, &PAIR).await;
    let hold = ben.holds_seats(event, &["stalls-B-1"]).await.expect(201);
    let mut other = a_session(&holdfast).await;
    let (name,): (String,) =
        sqlx::query_as("select current_database()").fetch_one(&mut other).await.expect("a name");

    // As a standby is, or a primary that was replaced and is kept for looking at.
    says(&mut other, &format!("alter database \"{name}\" set default_transaction_read_only = on")).await;
    hang_up(&mut other).await;
    assert_eq!(checks(&holdfast).await["postgres"], "may only be read");
    is_an_outage_in_time("a checkout", ben.post("/v1/orders", json!({ "hold_id": id(&hold) }))).await;
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    assert_eq!(ada.order(&order).await["status"], "awaiting_payment", "what was true is still read");

    says(
        &mut other,
        &format!("set default_transaction_read_only = off; alter database \"{name}\" reset all"),
    )
    .await;
    hang_up(&mut other).await;
    ada.sees(&order, "confirmed").await;
    ben.checks_out(&hold).await;
    holdfast.anyone().get("/readyz").await.expect(200);
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_connection_to_be_had_it_is_an_outage_that_ends_by_itself() {
    let holdfast = Holdfast::start().await;
    let clerk = format!("clerk_{}", uuid::Uuid::new_v4().simple());
    let mut other = a_session(&holdfast).await;
    says(&mut other, &format!("create role {clerk} login in role postgres")).await;
    let url = holdfast.owner_url().replacen("postgres://postgres@", &format!("postgres://{clerk}@"), 1);
    let node = holdfast.another_node(|config| config.database_url = Some(SecretString::from(url))).await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await.at(&node);
    let hold = ada.holds_seats(event, &PAIR).await.expect(201);

    // Others have all of them: whoever connects is told that there are too many.
    says(&mut other, &format!("alter role {clerk} connection limit 0")).await;
    says(
        &mut other,
        &format!("select pg_terminate_backend(pid) from pg_stat_activity where usename = '{clerk}'"),
    )
    .await;
    is_an_outage_in_time("a checkout", ada.post("/v1/orders", json!({ "hold_id": id(&hold) }))).await;
    let ready = ada.get("/readyz").await;
    assert_eq!(
        (ready.status, &ready.body["checks"]["postgres"]),
        (503, &json!("does not answer")),
        "{}",
        ready.body
    );

    says(&mut other, &format!("alter role {clerk} connection limit -1")).await;
    let order = eventually("it sells again", async || {
        let answer = ada.post("/v1/orders", json!({ "hold_id": id(&hold) })).await;
        (answer.status == 201).then_some(answer.body)
    })
    .await;
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    ada.sees(&order, "confirmed").await;
    holdfast.every_invariant_holds().await;
    node.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_of_a_frozen_node_is_ended() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = ada.orders(event, &PAIR).await;
    // A node takes the order's lock and then nothing more is heard of it.
    let mut frozen = holdfast.app().pg.begin().await.expect("a transaction");
    let (pid,): (i32,) = sqlx::query_as("select pg_backend_pid() from orders where id = $1::uuid for update")
        .bind(id(&order))
        .fetch_one(&mut *frozen)
        .await
        .expect("a lock");
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    ada.sees(&order, "confirmed").await;
    let (lives,): (bool,) = sqlx::query_as("select exists (select from pg_stat_activity where pid = $1)")
        .bind(pid)
        .fetch_one(&holdfast.app().pg)
        .await
        .expect("what the server does");
    assert!(!lives, "its connection was ended");
    assert!(frozen.commit().await.is_err(), "whoever thaws has lost it");
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_makes_no_sense_is_parked_and_holds_up_nobody() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = ada.orders(event, &PAIR).await;
    for number in 0..40 {
        // An effect of a version to come, one of an order that is not there, and money of an order that nobody has.
        sqlx::query(
            "insert into outbox (event_id, order_id, kind, attempts) values ($1, gen_random_uuid(), $2, $3)",
        )
        .bind(event)
        .bind(if number % 2 == 0 { "something_new" } else { "show" })
        .bind(if number < 4 { 19 } else { 0 })
        .execute(&holdfast.app().pg)
        .await
        .expect("a row");
    }
    sqlx::query(
        "insert into stripe_events (id, type, object_id, order_id, attempts)
         select 'evt_nonsense', 'refund.updated', 're_nobody_knows', null, 9",
    )
    .execute(&holdfast.app().pg)
    .await
    .expect("a row");
    holdfast.pay(&order, GOOD_CARD).await.expect(200);
    ada.sees(&order, "confirmed").await;
    ada.sees_seat(event, PAIR[0], "sold").await;
    // The alarm rises for what was given up, and the others go on to be tried, each later than before.
    eventually("four are parked", async || {
        let backlog = holdfast.app().desk.backlog().await.expect("Postgres answers");
        (backlog.outbox.parked == 4).then_some(())
    })
    .await;
    holdfast.metrics_say(&["holdfast_outbox_parked 4"]).await;
    let next = holdfast.sold(&ada, event, &["stalls-C-1"]).await;
    assert_eq!(next["status"], "confirmed");
    sqlx::query("delete from outbox where attempts > 0")
        .execute(&holdfast.app().pg)
        .await
        .expect("a person looked");
    holdfast.every_invariant_holds().await;
}
