//! Request ids that lead from a click to the money, metrics that count what happened, and a node that says whether it
//! can sell.

use serde_json::{Value, json};

use crate::support::journeys::{BAD_CARD, id};
use crate::support::{Holdfast, eventually};

const PAIR: [&str; 2] = ["stalls-A-1", "stalls-A-2"];

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_leads_from_the_click_to_stripe_and_the_audit_trail() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let hold = ada.holds_seats(event, &PAIR).await.expect(201);
    let request = ada
        .request(reqwest::Method::POST, "/v1/orders")
        .header("X-Request-Id", "click-4711")
        .json(&json!({ "hold_id": id(&hold) }));
    let answer = ada.send(request).await;
    assert_eq!(answer.header("x-request-id"), Some("click-4711"));
    let order = answer.expect(201);
    assert_eq!(holdfast.ledger_intent(&order).await["metadata"]["request_id"], "click-4711");
    let (logged,): (String,) =
        sqlx::query_as("select request_id from order_log where order_id = $1::uuid and step = 1")
            .bind(id(&order))
            .fetch_one(&holdfast.app().pg)
            .await
            .expect("a query");
    assert_eq!(logged, "click-4711");

    let request = ada.request(reqwest::Method::GET, "/v1/me").header("X-Request-Id", "two words; and more");
    let answer = ada.send(request).await;
    let own = answer.header("x-request-id").expect("an id");
    assert!(uuid::Uuid::try_parse(own).is_ok(), "an id that could not stand in a log is replaced: {own}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_count_what_happened() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    holdfast.sold(&ada, event, &PAIR).await;
    assert_eq!(ben.holds_seats(event, &PAIR).await.status, 409);
    let order = ben.orders(event, &["stalls-B-1"]).await;
    assert_eq!(holdfast.pay(&order, BAD_CARD).await.status, 402);
    ben.sees(&order, "failed").await;
    holdfast.webhook(b"{}", "t=1,v1=00").await;
    holdfast.every_invariant_holds().await;

    let page = holdfast.anyone().get_text("/metrics").await;
    let value = |name: &str| -> u64 {
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is not in\n{page}")).parse().expect("a number")
    };
    assert_eq!(value("holdfast_holds_total{label=\"held\"}"), 2);
    assert_eq!(value("holdfast_holds_total{label=\"seats_unavailable\"}"), 1);
    assert_eq!(value("holdfast_hold_seconds_count"), 3);
    assert_eq!(value("holdfast_confirm_seconds_count"), 1);
    assert_eq!(value("holdfast_orders_total{label=\"confirmed\"}"), 1);
    assert_eq!(value("holdfast_orders_total{label=\"failed\"}"), 1);
    assert_eq!(value("holdfast_webhooks_total{label=\"unsigned\"}"), 1);
    assert!(value("holdfast_webhooks_total{label=\"accepted\"}") >= 2);
    for zero in [
        "inbox_depth",
        "inbox_parked",
        "outbox_depth",
        "outbox_parked",
        "parked_payments",
        "orders_to_call_off",
    ] {
        assert_eq!(value(&format!("holdfast_{zero}")), 0, "{zero}");
    }
    assert_eq!(value("holdfast_invariant_breaches{label=\"seat_sold_once\"}"), 0);
    assert!(value("holdfast_rebuilds_total") >= 1);
    assert!(page.ends_with("# EOF\n"), "it is whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_would_evict_holds_is_not_ready() {
    let holdfast = Holdfast::with_its_own_stack().await;
    holdfast.anyone().get("/readyz").await.expect(200);
    holdfast.redis_command(&["CONFIG", "SET", "maxmemory-policy", "volatile-lru"]).await;
    eventually("the node says that it cannot sell", async || {
        (holdfast.anyone().get("/readyz").await.status == 503).then_some(())
    })
    .await;
    holdfast.anyone().get("/healthz").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn junk_of_any_shape_on_every_call_is_a_problem_and_never_a_fault_of_ours() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let document = holdfast.anyone().get("/openapi.json").await.expect(200);
    let admin = holdfast.admin().await;
    let deep = (0..200).fold(Value::Null, |inner, _| json!({ "a": [inner] }));
    let junk = [
        Value::Null,
        json!(0),
        json!("text"),
        json!([]),
        json!({ "seats": {}, "areas": [], "best": 7, "replaces": true, "hold_id": [] }),
        json!({ "email": 1, "password": null, "name": {}, "role": "root", "refresh_token": -1 }),
        json!({ "title": "x".repeat(100_000), "starts_at": "0000-00-00T00:00:00Z", "total_tickets": -1 }),
        json!({ "title": "\u{202e}\u{0}", "starts_at": "9999-12-31T23:59:59Z", "total_tickets": 1e300 }),
        json!({ "amount": i64::MIN, "reason": "\n", "seats": ["🪑", "..", "}{", "%s"] }),
        deep,
    ];
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let path = path.replace("{id}", &event.to_string());
        for method in ["post", "patch", "put"] {
            if methods.get(method).is_none() {
                continue;
            }
            for body in &junk {
                let answer = admin.call(method, &path, body.clone()).await;
                assert!(answer.status < 500, "{method} {path} {}: {}", answer.status, answer.body);
                assert!(
                    answer.status < 300 || !answer.code().is_empty(),
                    "{method} {path}: {} is no problem document",
                    answer.body
                );
            }
        }
    }
    for path in ["/v1/events?limit=0", "/v1/events?limit=x", "/v1/events?cursor=%00", "/v1/events?cursor=%ff"]
    {
        let answer = admin.get(path).await;
        assert!((400..500).contains(&answer.status) && !answer.code().is_empty(), "{path}: {}", answer.body);
    }
    holdfast.every_invariant_holds().await;
}
