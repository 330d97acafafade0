//! A house with years behind it: what people ask, and what the workers do for them, is found by an index, however much there is.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::journeys::id;
use crate::support::{Client, Holdfast, eventually};

/// What grows with every event, every order and every customer, for ever. Not the outbox: what is done leaves it.
const GROWS: [&str; 20] = [
    "accounts",
    "events",
    "orders",
    "order_seats",
    "order_log",
    "seat_claims",
    "tickets",
    "ticket_log",
    "payments",
    "refunds",
    "stripe_events",
    "letters",
    "refresh_tokens",
    "hook_events",
    "hook_deliveries",
    "waitlist",
    "waitlist_log",
    "offers",
    "trail",
    "idempotency_keys",
];

/// Years of a house, in one go.
const YEARS: &str = include_str!("support/years.sql");
/// Enough for Postgres to prefer an index wherever there is one that helps.
const MANY: &str =
    "select set_config('years.events', '2000', false), set_config('years.orders', '40000', false);";

/// Its questions are about everything, on purpose, and it rests in between for longer than they take.
const AUDIT: &str = include_str!("../src/workers/audit.rs");

/// From here on, whoever connects has every plan written to the server's log.
const PLANS: [&str; 4] = [
    "session_preload_libraries = 'auto_explain'",
    "auto_explain.log_min_duration = 0",
    "auto_explain.log_nested_statements = on",
    "auto_explain.log_format = 'json'",
];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_people_ask_reads_all_there_ever_was() {
    let holdfast = Holdfast::with_its_own_stack_and(|config| config.reconcile_seconds = 3600).await;
    let event = holdfast.theatre().await;
    let owner = holdfast.owner();
    let mut session = owner.acquire().await.expect("a connection");
    for statement in [MANY, YEARS].concat().trim().trim_end_matches(';').split(';') {
        let years = sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut *session);
        years.await.expect("years pass");
    }
    drop(session);
    holdfast.connects_anew_with(&PLANS).await;

    // One whose workers begin now, also those that rest for minutes.
    let second = holdfast.another_node(|_| {}).await;
    assert_eq!(holdfast.anyone().at(&second).get("/metrics").await.status, 200);

    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let order = holdfast.sold(&ada, event, &["stalls-A-1", "stalls-A-2"]).await;
    let other = ben.orders(event, &["stalls-B-1", "stalls-B-2"]).await;
    ben.cancels(&other).await.expect(200);
    looks_around(&holdfast, &ada, &event.to_string(), &order).await;
    ada.cancels(&order).await.expect(200);
    ada.sees(&order, "refunded").await;

    let plans = eventually("the plans are written", async || {
        let plans = plans_of(&holdfast);
        (plans.len() > 200).then_some(plans)
    })
    .await;
    let mut whole = BTreeSet::new();
    let of_people = |plan: &&Value| !AUDIT.contains(plan["Query Text"].as_str().unwrap_or_default());
    for plan in plans.iter().filter(of_people) {
        let mut tables = BTreeSet::new();
        read_whole(&plan["Plan"], &mut tables);
        for table in tables {
            whole.insert(format!("{table}, to answer {}", plan["Query Text"]));
        }
    }
    assert!(whole.is_empty(), "read from end to end:\n{}", whole.into_iter().collect::<Vec<_>>().join("\n"));
}

/// Every list and page of a customer and an organiser.
async fn looks_around(holdfast: &Holdfast, ada: &Client, event: &str, order: &Value) {
    let (organiser, admin) = (holdfast.organiser(), holdfast.admin().await);
    let ticket = order["tickets"][0]["id"].as_str().expect("a ticket").to_owned();
    let order = id(order);
    for path in [
        "/v1/events".to_owned(),
        format!("/v1/events/{event}"),
        format!("/v1/events/{event}/status"),
        "/v1/me".to_owned(),
        "/v1/orders".to_owned(),
        format!("/v1/orders/{order}"),
        format!("/v1/orders/{order}/event.ics"),
        "/v1/waitlist".to_owned(),
        format!("/v1/tickets/{ticket}/qr.svg"),
    ] {
        assert_eq!(ada.get(&path).await.status, 200, "{path}");
    }
    for path in [
        "/v1/admin/events".to_owned(),
        format!("/v1/admin/events/{event}/orders"),
        format!("/v1/admin/events/{event}/report"),
        format!("/v1/admin/events/{event}/log"),
        format!("/v1/admin/events/{event}/waitlist"),
        format!("/v1/admin/tickets/{ticket}/log"),
        "/v1/admin/hooks".to_owned(),
        "/v1/admin/hook-events".to_owned(),
        format!("/v1/admin/events/{event}/seats"),
        format!("/v1/admin/events/{event}/orders?q=ada"),
        format!("/v1/admin/events/{event}/orders.csv"),
        format!("/v1/admin/events/{event}/report.csv?by=day"),
    ] {
        assert_eq!(organiser.get(&path).await.status, 200, "{path}");
    }
    let account = holdfast.organiser_id();
    for path in [
        "/v1/admin/log".to_owned(),
        format!("/v1/admin/log?actor={account}"),
        "/v1/admin/accounts".to_owned(),
    ] {
        assert_eq!(admin.get(&path).await.status, 200, "{path}");
    }
}

/// The plans in the server's log, as JSON.
fn plans_of(holdfast: &Holdfast) -> Vec<Value> {
    let log = std::fs::read_to_string(holdfast.stack().dir().join("logs/postgres.log")).expect("a log");
    let blocks = log.split("  plan:\n").skip(1);
    let json = |block: &str| {
        let lines: Vec<&str> = block.lines().take_while(|line| line.starts_with('\t')).collect();
        serde_json::from_str(&lines.join("\n").replace('\t', " ")).ok()
    };
    blocks.filter_map(json).collect()
}

/// The growing tables that a plan reads from one end to the other.
fn read_whole(plan: &Value, tables: &mut BTreeSet<String>) {
    if plan["Node Type"].as_str().is_some_and(|node| node.contains("Seq Scan"))
        && let Some(table) = plan["Relation Name"].as_str().filter(|table| GROWS.contains(table))
    {
        tables.insert(table.to_owned());
    }
    for part in plan["Plans"].as_array().into_iter().flatten() {
        read_whole(part, tables);
    }
}

#[test]
fn a_plan_that_reads_a_table_whole_is_seen_wherever_it_does() {
    let scan = |table: &str| json!({ "Node Type": "Seq Scan", "Relation Name": table });
    let plan = json!({ "Node Type": "Limit", "Plans": [{ "Node Type": "Hash Join", "Plans": [scan("orders"), scan("hooks")] }] });
    let mut tables = BTreeSet::new();
    read_whole(&plan, &mut tables);
    assert_eq!(tables.into_iter().collect::<Vec<_>>(), ["orders"], "and what stays small is not minded");
}
