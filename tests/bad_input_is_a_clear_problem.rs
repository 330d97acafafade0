//! No input of any size or shape makes a 500, a hang or a half-done thing: every fault is a problem with its code.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::journeys::id;
use crate::support::{Answer, Holdfast};

fn is_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code()), (status, code), "{}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.body["status"], status);
    assert!(answer.body["title"].is_string() && answer.body["type"].is_string());
}

fn faulty_fields(answer: &Answer) -> Vec<String> {
    let faults = answer.body["errors"].as_array().expect("faults are listed");
    faults.iter().map(|fault| fault["field"].as_str().expect("a field").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_methods_and_types_are_problems() {
    let holdfast = Holdfast::start().await;
    let ada = holdfast.customer().await;
    is_problem(&ada.get("/v1/nothing").await, 404, "not_found");
    is_problem(&ada.get("/v1/orders/not-an-id").await, 404, "not_found");
    let wrong = ada.delete("/v1/events").await;
    is_problem(&wrong, 405, "method_not_allowed");
    assert!(wrong.header("allow").is_some_and(|allowed| allowed.contains("GET")));
    is_problem(
        &ada.post_raw("/v1/orders", "text/plain", b"{}".to_vec()).await,
        415,
        "unsupported_media_type",
    );
    is_problem(&ada.post_raw("/v1/orders", "application/json", b"{".to_vec()).await, 400, "malformed_json");
    is_problem(
        &ada.post_raw("/v1/orders", "application/json", vec![0xff, 0xfe]).await,
        400,
        "malformed_json",
    );
    let deep = "[".repeat(100_000);
    is_problem(&ada.post_raw("/v1/orders", "application/json", deep.into()).await, 422, "invalid_request");
    let list = b"[\"0190aaaa-0000-7000-8000-000000000000\"]".to_vec();
    is_problem(&ada.post_raw("/v1/orders", "application/json", list).await, 422, "invalid_request");
    let nul = b"{\"hold_id\":\"\\u0000\"}".to_vec();
    is_problem(&ada.post_raw("/v1/orders", "application/json", nul).await, 400, "malformed_json");
    let huge = format!("{{\"hold_id\":\"{}\"}}", "x".repeat(3 << 20));
    is_problem(&ada.post_raw("/v1/orders", "application/json", huge.into()).await, 413, "body_too_large");
    let answer = ada.post("/v1/orders", json!({ "hold_id": "x", "price": 1 })).await;
    is_problem(&answer, 422, "invalid_request");
    assert!(!faulty_fields(&answer).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_that_makes_no_sense_holds_nothing() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let many: Vec<_> = (0..5000).map(|seat| format!("stalls-A-{seat}")).collect();
    for (wish, code) in [
        (json!({}), "invalid_request"),
        (json!({ "seats": [] }), "invalid_request"),
        (json!({ "seats": ["stalls-A-1", "stalls-A-1"] }), "invalid_request"),
        (json!({ "seats": "stalls-A-1" }), "invalid_request"),
        (json!({ "seats": many }), "invalid_request"),
        (json!({ "seats": ["stalls-Z-1", "stalls-A-1"] }), "unknown_seats"),
        (json!({ "seats": ["}{", "stalls-A-1\r\n", "stalls-A-01", ""] }), "unknown_seats"),
        (json!({ "areas": { "nowhere": 1 } }), "invalid_request"),
        (json!({ "areas": { "nowhere": -1 } }), "invalid_request"),
        (json!({ "best": { "quantity": 0 } }), "invalid_request"),
        (json!({ "best": { "quantity": 9_007_199_254_740_993_i64 } }), "invalid_request"),
        (json!({ "best": { "quantity": 2, "section": "nowhere" } }), "invalid_request"),
        (json!({ "best": { "quantity": 2.5 } }), "invalid_request"),
        (json!({ "seats": ["stalls-A-1"], "price": 1 }), "invalid_request"),
    ] {
        let answer = ada.holds(event, wish.clone()).await;
        assert_eq!((answer.status, answer.code()), (422, code), "{wish}: {}", answer.body);
    }
    let unknown = ada.holds_seats(event, &["stalls-Z-1", "stalls-A-1"]).await;
    assert_eq!(unknown.body["seats"], json!(["stalls-Z-1"]));
    let status = ada.get(&format!("/v1/events/{event}/status")).await.expect(200);
    assert_eq!(status["held"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_with_faults_is_refused_with_every_one_named() {
    let holdfast = Holdfast::start().await;
    let organiser = holdfast.organiser();
    let answer = organiser
        .post(
            "/v1/admin/events",
            json!({
                "title": " ", "starts_at": "2031-01-01T20:00:00Z", "ends_at": "2030-01-01T20:00:00Z",
                "currency": "euros", "max_per_customer": 0,
                "categories": [{ "key": "a", "name": "A", "price": -1 }, { "key": "a", "name": "A", "price": 1 }],
                "sections": [
                    { "key": "s", "name": "S", "category": "ghost", "rows": [
                        { "name": "A", "seats": ["1", "1"] }, { "name": "A", "seats": 3 }] },
                    { "key": "s", "name": "S", "category": "a", "rows": [] },
                ],
                "areas": [{ "key": "pit", "name": "Pit", "category": "a", "capacity": 4_000_000_000_u32 }],
            }),
        )
        .await;
    is_problem(&answer, 422, "invalid_request");
    let named = faulty_fields(&answer).join(" ");
    for part in ["title", "price", "category", "capacity", "categories[1]", "sections[1]", "rows[1]"] {
        assert!(named.contains(part), "{part} is not named in {named}");
    }
    let events = organiser.get("/v1/events").await.expect(200);
    assert!(events["items"].as_array().expect("a page").is_empty(), "nothing was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_that_are_unsigned_stale_or_changed_do_nothing() {
    let holdfast = Holdfast::start().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = ada.orders(event, &["stalls-A-1", "stalls-A-2"]).await;
    let body = json!({
        "id": "evt_forged", "object": "event", "type": "payment_intent.succeeded", "livemode": false,
        "data": { "object": { "id": order["payment"]["payment_intent"], "object": "payment_intent",
                              "status": "succeeded", "metadata": { "order_id": order["id"] } } },
    });
    let text = serde_json::to_vec(&body).expect("JSON");
    let secret = crate::support::webhook_secret();
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let signed = |secret, at| holdfast::payments::signature::sign(&text, secret, at);
    let stranger = secrecy::SecretString::from("whsec_somebody_elses_secret");
    for (why, header) in [
        ("no header", String::new()),
        ("another secret", signed(&stranger, now)),
        ("stale", signed(&secret, now - 301)),
        ("only an old scheme", signed(&secret, now).replace("v1=", "v0=")),
        ("junk", "t=,v1=,,=".to_owned()),
    ] {
        let answer = holdfast.webhook(&text, &header).await;
        assert_eq!((answer.status, answer.code()), (400, "bad_signature"), "{why}");
    }
    let mut changed = text.clone();
    *changed.last_mut().expect("a byte") = b' ';
    assert_eq!(holdfast.webhook(&changed, &signed(&secret, now)).await.status, 400);

    // Even a well-signed lie changes nothing: Stripe is asked.
    assert_eq!(holdfast.webhook(&text, &signed(&secret, now)).await.status, 200);
    holdfast.inbox_is_empty().await;
    assert_eq!(ada.order(&order).await["status"], "awaiting_payment");
    let kept: (i64,) = sqlx::query_as("select count(*) from stripe_events where id = 'evt_forged'")
        .fetch_one(&holdfast.app().pg)
        .await
        .expect("a query");
    assert_eq!(kept.0, 1);
    for junk in [&b"[]"[..], b"{}", b"nothing", b"{\"id\":1}", b"\xff"] {
        let header = holdfast::payments::signature::sign(junk, &secret, now);
        assert_eq!(holdfast.webhook(junk, &header).await.status, 400, "{junk:?}");
    }
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_holds_and_closed_sales_say_so() {
    let holdfast = Holdfast::with(|config| {
        config.hold_seconds = 1;
        config.payment_seconds = 1;
    })
    .await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let hold = ada.holds_seats(event, &["stalls-A-1", "stalls-A-2"]).await.expect(201);
    ada.sees_seat(event, "stalls-A-1", "free").await;
    let answer = ada.post("/v1/orders", json!({ "hold_id": id(&hold) })).await;
    is_problem(&answer, 410, "hold_expired");
    let nothing = json!({ "hold_id": "0190aaaa-0000-7000-8000-000000000000" });
    is_problem(&ada.post("/v1/orders", nothing).await, 404, "not_found");

    let later: Value = json!({
        "title": "Later", "starts_at": "2031-01-01T20:00:00Z", "total_tickets": 5,
        "sale_starts_at": "2030-12-01T20:00:00Z",
    });
    let event = holdfast.event(later).await;
    is_problem(&ada.holds(event, json!({ "areas": { "general": 1 } })).await, 409, "sale_closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_orphans_are_named() {
    let holdfast = Holdfast::start().await;
    let event = holdfast
        .event(json!({
            "title": "Small", "starts_at": "2031-01-01T20:00:00Z", "currency": "eur", "max_per_customer": 3,
            "categories": [{ "key": "a", "name": "A", "price": 1000 }],
            "sections": [{ "key": "s", "name": "S", "category": "a", "rows": [{ "name": "A", "seats": 8 }] }],
        }))
        .await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let orphan = ada.holds_seats(event, &["s-A-2", "s-A-3"]).await;
    assert_eq!(orphan.code(), "seats_unavailable");
    assert!(orphan.body["seats"].as_array().expect("seats").iter().any(|seat| seat["reason"] == "orphan"));

    let first = ada.holds_seats(event, &["s-A-1", "s-A-2"]).await.expect(201);
    let over = ada.holds_seats(event, &["s-A-3", "s-A-4"]).await;
    is_problem(&over, 409, "limit_exceeded");
    let swapped =
        ada.holds(event, json!({ "seats": ["s-A-1", "s-A-2", "s-A-3"], "replaces": id(&first) })).await;
    swapped.expect(201);
    ben.holds(event, json!({ "best": { "quantity": 2 } })).await.expect(201);
}

/// As a program does that sends all it has before it listens.
#[tokio::test(flavor = "multi_thread")]
async fn who_sends_too_much_is_told_so_and_not_hung_up_on() {
    let holdfast = Holdfast::start().await;
    let node = holdfast.url().trim_start_matches("http://").to_owned();
    let sends = move |megabytes: usize| {
        let mut line = TcpStream::connect(&node).expect("somebody listens");
        let length = megabytes << 20;
        write!(
            line,
            "POST /v1/auth/register HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n\
             Connection: close\r\nContent-Length: {length}\r\n\r\n"
        )
        .expect("the head is taken");
        line.write_all(&vec![b' '; length]).expect("everything is taken");
        let mut answer = String::new();
        line.read_to_string(&mut answer).expect("an answer");
        answer
    };
    let answers =
        tokio::task::spawn_blocking(move || (0..40).map(|at| sends(3 + at % 9)).collect::<Vec<_>>());
    for answer in answers.await.expect("it ran") {
        assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("body_too_large"), "{answer}");
    }
}
