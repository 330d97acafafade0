//! Migrations run while the old version sells: they wait for nobody's long transaction, can be killed and repeated, run twice
//! at once, and leave a node that knows nothing of them at work. A node that misses what it needs says what.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use holdfast::stores::{guards, migrate, postgres};
use serde_json::Value;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqlSafeStr as _};

use crate::support::rush::Rush;
use crate::support::{Holdfast, eventually};

const ROWS: [u32; 4] = [20; 4];
const PATIENCE: Duration = Duration::from_mins(1);

/// A version of tomorrow: what there is, and these.
fn tomorrow(steps: &[&str]) -> Migrator {
    let new = (9001..).zip(steps).map(|(version, sql)| {
        let sql = AssertSqlSafe((*sql).to_owned()).into_sql_str();
        let no_transaction = sql.as_str().starts_with("-- no-transaction");
        Migration::new(version, "of tomorrow".into(), MigrationType::Simple, sql, no_transaction)
    });
    Migrator::with_migrations(postgres::MIGRATIONS.iter().cloned().chain(new).collect())
}

async fn applied(url: &str) -> Vec<i64> {
    let mut db = PgConnection::connect(url).await.expect("a connection");
    let rows: Vec<(i64,)> = sqlx::query_as("select version from _sqlx_migrations order by version")
        .fetch_all(&mut db)
        .await
        .unwrap_or_default();
    rows.into_iter().map(|(version,)| version).collect()
}

async fn say(url: &str, statement: &str) {
    let mut db = PgConnection::connect(url).await.expect("a connection");
    for one in statement.split(';') {
        sqlx::query(AssertSqlSafe(one.to_owned())).execute(&mut db).await.expect("done");
    }
}

/// An empty database of one's own on this house's server.
async fn empty_database(holdfast: &Holdfast) -> String {
    let name = format!("empty_{}", uuid::Uuid::new_v4().simple());
    holdfast.stack().create_database(&name, None).await.expect("a database");
    holdfast.stack().database_url(&name)
}

async fn readiness(holdfast: &Holdfast) -> (u16, Value) {
    let answer = holdfast.anyone().get("/readyz").await;
    (answer.status, answer.body["checks"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_knows_nothing_of_it_sells_on_while_a_newer_schema_comes() {
    let holdfast = Arc::new(Holdfast::start().await);
    let second = holdfast.second_node().await;
    let event = holdfast.small_hall(4800, &ROWS).await;
    let nodes = [holdfast.url().to_owned(), second.url.clone()];
    let rush = Rush::starts(&holdfast, event, &ROWS, holdfast.crowd(100).await, &nodes);
    let url = holdfast.owner_url();
    // Statements that were prepared before must go on: each of these tables gets a column between others' uses of it.
    let tables = [
        "events",
        "orders",
        "order_seats",
        "seat_claims",
        "payments",
        "refunds",
        "tickets",
        "outbox",
        "stripe_events",
        "order_log",
        "hooks",
        "accounts",
        "waitlist",
        "offers",
        "idempotency_keys",
    ];
    let mut steps: Vec<String> = tables
        .iter()
        .map(|table| format!("alter table {table} add column of_tomorrow text not null default 'new'"))
        .collect();
    steps.push(
        "-- no-transaction\ncreate index concurrently if not exists of_tomorrow on orders (of_tomorrow)"
            .to_owned(),
    );
    for (number, _) in steps.iter().enumerate() {
        let some: Vec<&str> = steps[..=number].iter().map(String::as_str).collect();
        migrate::migrate_to(&tomorrow(&some), &url, PATIENCE).await.expect("it runs");
    }
    let ended = rush.ends().await;
    assert!(ended.iter().any(|order| order.paid && !order.called_off), "people bought all the while");
    // On every connection of the pool.
    for _ in 0..40 {
        holdfast.app().desk.events_on_sale().await.expect("what was prepared before still runs");
        holdfast.app().catalog.event(event).await.expect("what was prepared before still runs");
    }
    let (ready, _) = readiness(&holdfast).await;
    assert_eq!(ready, 200, "a newer schema is fine");
    let list = holdfast.organiser().get("/v1/admin/events").await;
    assert_eq!(list.status, 200, "{}", list.body);
    // Going back to the version of today changes nothing, and is no mistake.
    migrate::migrate(&url, PATIENCE).await.expect("there is nothing to do");
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_behind_a_migration_that_waits_for_a_long_transaction() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.small_hall(4800, &ROWS).await;
    let url = holdfast.owner_url();
    let mut long = PgConnection::connect(&url).await.expect("a connection");
    let mut report = long.begin().await.expect("a transaction");
    sqlx::query("select count(*) from orders").execute(&mut *report).await.expect("somebody counts");

    let migrating = {
        let url = url.clone();
        tokio::spawn(async move {
            migrate::migrate_to(
                &tomorrow(&["alter table orders add column of_tomorrow text"]),
                &url,
                PATIENCE,
            )
            .await
        })
    };
    eventually("the migration waits", async || {
        let (waits,): (i64,) = sqlx::query_as(
            "select count(*) from pg_stat_activity
              where application_name = 'holdfast migrate' and wait_event_type = 'Lock' and datname = current_database()",
        )
        .fetch_one(&holdfast.owner())
        .await
        .ok()?;
        (waits > 0).then_some(())
    })
    .await;
    // People go on buying while it still waits.
    let ada = holdfast.customer().await;
    let nodes = [holdfast.url().to_owned()];
    let patient = crate::support::rush::Patient::new(ada.clone(), &nodes);
    for seat in 1..=3 {
        let wish = serde_json::json!({ "seats": [format!("hall-A-{seat}")] });
        let hold = patient.post(&format!("/v1/events/{event}/holds"), wish).await.expect(201);
        let order =
            patient.post("/v1/orders", serde_json::json!({ "hold_id": hold["id"] })).await.expect(201);
        holdfast.pay(&order, crate::support::journeys::GOOD_CARD).await.expect(200);
        eventually("it is confirmed", async || {
            let now = patient.get(&format!("/v1/orders/{}", order["id"].as_str()?)).await.expect(200);
            (now["status"] == "confirmed").then_some(())
        })
        .await;
    }
    assert!(!migrating.is_finished(), "the report is not done yet");
    report.rollback().await.expect("it is done");
    migrating.await.expect("no panic").expect("the migration runs at last");
    assert!(applied(&url).await.contains(&9001));
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_never_given_up_ends_the_migration_and_changes_nothing() {
    let holdfast = Holdfast::start().await;
    let url = holdfast.owner_url();
    let mut long = PgConnection::connect(&url).await.expect("a connection");
    let mut report = long.begin().await.expect("a transaction");
    sqlx::query("select count(*) from orders").execute(&mut *report).await.expect("somebody counts");
    let steps = [
        "create table of_tomorrow (id integer)",
        "create table too (id integer); alter table orders add column too text",
    ];
    let refused = migrate::migrate_to(&tomorrow(&steps), &url, Duration::from_secs(1)).await;
    assert!(matches!(refused, Err(migrate::NotMigrated::Locked(_))), "{refused:?}");
    let now = applied(&url).await;
    assert!(now.contains(&9001) && !now.contains(&9002), "each is whole or not at all: {now:?}");
    drop(report);
    long.close().await.expect("closed");
    migrate::migrate_to(&tomorrow(&steps), &url, PATIENCE).await.expect("it goes on where it was");
    assert!(applied(&url).await.contains(&9002));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_migrate_at_once_and_some_that_are_killed_leave_one_whole_schema() {
    let holdfast = Holdfast::start().await;
    let url = empty_database(&holdfast).await;
    // Killed at any moment, again and again.
    for round in 0..8 {
        let mut migrating = Command::new(env!("CARGO_BIN_EXE_holdfast"))
            .arg("migrate")
            .env("DATABASE_URL", &url)
            .env("RUST_LOG", "error")
            .spawn()
            .expect("it starts");
        tokio::time::sleep(Duration::from_millis(20 + 15 * round)).await;
        let _ = migrating.kill();
        let _ = migrating.wait();
    }
    let at_once = (0..10).map(|_| migrate::migrate(&url, PATIENCE));
    for done in futures_util::future::join_all(at_once).await {
        done.expect("each finds it done, or does it");
    }
    let wanted: Vec<i64> = postgres::MIGRATIONS.iter().map(|migration| migration.version).collect();
    assert_eq!(applied(&url).await, wanted);
    let pg = postgres::pool(&url, 1).expect("an address");
    assert_eq!(guards::fallen(&pg).await.expect("an answer"), Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_whose_making_was_cut_short_is_made_again() {
    let holdfast = Holdfast::start().await;
    let url = holdfast.owner_url();
    say(&url, "create table things (name text); insert into things values ('twice'), ('twice')").await;
    let step =
        "-- no-transaction\ncreate unique index concurrently if not exists things_once on things (name)";
    migrate::migrate_to(&tomorrow(&[step]), &url, PATIENCE).await.expect_err("two are the same");
    say(&url, "delete from things where ctid in (select min(ctid) from things)").await;
    migrate::migrate_to(&tomorrow(&[step]), &url, PATIENCE).await.expect("it is made");
    let mut db = PgConnection::connect(&url).await.expect("a connection");
    let (valid,): (bool,) =
        sqlx::query_as("select indisvalid from pg_index where indexrelid = 'things_once'::regclass")
            .fetch_one(&mut db)
            .await
            .expect("it is there");
    assert!(valid, "an index that is there and guards nothing is worse than none");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_is_older_than_a_node_needs_is_named() {
    let holdfast = Holdfast::start().await;
    let url = holdfast.owner_url();
    assert_eq!(readiness(&holdfast).await.0, 200);
    say(&url, "delete from _sqlx_migrations where version = 13").await;
    let (status, checks) = readiness(&holdfast).await;
    assert_eq!((status, checks["migrations"].as_str()), (503, Some("0013 missing: run holdfast migrate")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_a_guard_is_not_ready_and_says_which_is_gone() {
    let holdfast = Holdfast::with(|config| config.reconcile_seconds = 1).await;
    let url = holdfast.owner_url();
    for (harm, name) in [
        ("drop index tickets_one_valid_per_seat", "tickets_one_valid_per_seat"),
        ("alter table seat_claims drop constraint seat_claims_pkey", "seat_claims_pkey"),
        // One of the same name that guards nothing.
        (
            "drop index payments_one_open; create index payments_one_open on payments (event_id, order_id)",
            "payments_one_open",
        ),
        (
            "alter table refunds drop constraint refunds_once_per_cause;
          alter table refunds add constraint refunds_once_per_cause unique (id, cause)",
            "refunds_once_per_cause",
        ),
        (
            "alter table order_log drop constraint moves_along_the_graph;
          alter table order_log add constraint moves_along_the_graph check (true) not valid",
            "moves_along_the_graph",
        ),
    ] {
        say(&url, harm).await;
        let (status, checks) = readiness(&holdfast).await;
        let said = checks["guards"].as_str().unwrap_or_default().to_owned();
        assert_eq!(status, 503, "{harm}");
        assert!(said.contains(name), "{harm}: {said}");
    }
    eventually("the audit raises an alarm", async || {
        let page = holdfast.anyone().get_text("/metrics").await;
        page.contains("holdfast_invariant_breaches{label=\"guards_stand\"} 5\n").then_some(())
    })
    .await;
    // Every guard is looked for.
    say(&url, "drop schema public cascade; create schema public").await;
    let pg = postgres::pool(&url, 1).expect("an address");
    assert_eq!(guards::fallen(&pg).await.expect("an answer").len(), guards::GUARDS.len());
}
