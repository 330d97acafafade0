//! Every answer, of whatever kind, tells browsers what they may do with it; none says what it runs on, and none sets a cookie:
//! who sends a request is in its `Authorization` header, which no other site's page can make a browser add.

use std::collections::BTreeSet;

use holdfast::ids::EventId;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::support::journeys::id;
use crate::support::{Client, Holdfast};

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// What holds for every answer there is.
fn is_careful(what: &str, headers: &HeaderMap) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        assert_eq!(text(headers, name), value, "{what}: {name}");
    }
    let policy = text(headers, "content-security-policy");
    assert!(
        policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{what}: {policy}"
    );
    assert!(!policy.contains("unsafe-eval") && !policy.contains('*'), "{what}: {policy}");
    for (name, value) in policy.split(';').filter_map(|part| part.trim().split_once(' ')) {
        assert!(name != "script-src" || !value.contains("unsafe-inline"), "{what}: {policy}");
    }
    for name in ["server", "x-powered-by", "via", "x-aspnet-version"] {
        assert!(!headers.contains_key(name), "{what}: {name} says what it runs on");
    }
    assert!(!headers.contains_key("set-cookie"), "{what} sets a cookie");
    assert!(!text(headers, "cache-control").is_empty(), "{what} does not say how long it may be kept");
    for (name, value) in headers {
        let value = value.to_str().unwrap_or_default();
        assert!(!value.contains(env!("CARGO_PKG_VERSION")), "{what}: {name} says {value}");
    }
}

async fn headers(person: &Client, method: Method, path: &str) -> (u16, HeaderMap) {
    let answer = person.request(method, path).send().await.expect("an answer");
    (answer.status().as_u16(), answer.headers().clone())
}

async fn of_a_stream(person: &Client, path: &str) -> (u16, HeaderMap) {
    let mut answer = person.request(Method::GET, path).send().await.expect("an answer");
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    answer.chunk().await.expect("it begins").expect("a piece");
    (status, headers)
}

struct House {
    holdfast: Holdfast,
    ada: Client,
    event: EventId,
    order: Value,
}

async fn house() -> House {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    House { holdfast, ada, event, order }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_scripts_streams_files_and_refusals_are_all_careful() {
    let House { holdfast, ada, event, order } = Box::pin(house()).await;
    let anyone = holdfast.anyone();
    let page = anyone.get_text("/").await;
    let script = page.split("\"/web/").nth(1).and_then(|rest| rest.split('"').next()).expect("a script");
    let mut seen = BTreeSet::new();
    for path in [
        "/".to_owned(),
        "/orders".to_owned(),
        format!("/events/{event}"),
        format!("/orders/{}", id(&order)),
        "/admin/accounts".to_owned(),
        format!("/web/{script}"),
        "/web/seat-map.js".to_owned(),
        "/web/nowhere/none.js".to_owned(),
        "/docs/".to_owned(),
        "/docs/swagger-ui-bundle.js".to_owned(),
        "/docs".to_owned(),
        "/openapi.json".to_owned(),
        "/healthz".to_owned(),
        "/readyz".to_owned(),
        "/metrics".to_owned(),
        "/v1/events".to_owned(),
        format!("/v1/events/{event}/seats"),
        format!("/v1/events/{event}/availability"),
        "/v1/events?cursor=nonsense".to_owned(),
        "/v1/me".to_owned(),
        "/nowhere".to_owned(),
        "/.git/config".to_owned(),
        "/web/../Cargo.toml".to_owned(),
        "/web/x/..%2f..%2fCargo.toml".to_owned(),
    ] {
        for method in [Method::GET, Method::HEAD, Method::DELETE, Method::OPTIONS, Method::TRACE] {
            let (status, headers) = headers(&anyone, method.clone(), &path).await;
            is_careful(&format!("{method} {path} ({status})"), &headers);
            assert!(status < 500, "{method} {path} answers {status}");
            seen.insert(status);
        }
    }
    assert!([200, 401, 404, 405, 422].iter().all(|status| seen.contains(status)), "{seen:?}");

    let known = anyone.get(&format!("/v1/events/{event}/seats")).await;
    let tag = known.header("etag").expect("a tag").to_owned();
    let again =
        anyone.request(Method::GET, &format!("/v1/events/{event}/seats")).header("If-None-Match", tag);
    let again = anyone.send(again).await;
    assert_eq!(again.status, 304);
    is_careful("304", &again.headers);
    let (status, streamed) = of_a_stream(&anyone, &format!("/v1/events/{event}/live")).await;
    assert_eq!((status, text(&streamed, "content-type")), (200, "text/event-stream"));
    is_careful("a stream", &streamed);
    for (why, kind, body, status) in [
        ("no JSON", "application/json", b"{".to_vec(), 400),
        ("another kind", "text/plain", b"{}".to_vec(), 415),
        ("too large", "application/json", vec![b' '; (2 << 20) + 1], 413),
    ] {
        let answer = ada.post_raw("/v1/orders", kind, body).await;
        assert_eq!(answer.status, status, "{why}: {}", answer.body);
        is_careful(why, &answer.headers);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_call_is_careful_and_what_is_somebodys_own_is_kept_by_nobody() {
    let House { holdfast, ada, event, order } = Box::pin(house()).await;
    let document = holdfast.anyone().get("/openapi.json").await.expect(200);
    let admin = holdfast.admin().await;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, call) in methods.as_object().expect("methods") {
            if path.ends_with("/live") {
                continue;
            }
            let there = path.replace("{id}", "0190aaaa-0000-7000-8000-000000000000");
            for person in [&admin, &holdfast.anyone()] {
                let answer = person.call(method, &there, json!({})).await;
                is_careful(&format!("{method} {path} ({})", answer.status), &answer.headers);
                if !call["security"].is_null() || answer.status >= 400 {
                    assert!(text(&answer.headers, "cache-control").contains("no-store"), "{method} {path}");
                }
            }
        }
    }
    // The same of what is there.
    let ticket = id(&order["tickets"][0]).to_owned();
    for (person, path) in [
        (&ada, "/v1/me".to_owned()),
        (&ada, "/v1/orders".to_owned()),
        (&ada, format!("/v1/orders/{}", id(&order))),
        (&ada, format!("/v1/orders/{}/event.ics", id(&order))),
        (&ada, format!("/v1/orders/{}/tickets.pdf", id(&order))),
        (&ada, format!("/v1/tickets/{ticket}/qr.svg")),
        (&ada, format!("/v1/tickets/{ticket}/qr.png")),
        (&ada, format!("/v1/tickets/{ticket}/ticket.pdf")),
        (&ada, "/v1/waitlist".to_owned()),
        (&holdfast.organiser(), "/v1/admin/events".to_owned()),
        (&holdfast.organiser(), format!("/v1/admin/events/{event}/orders.csv")),
        (&holdfast.organiser(), format!("/v1/admin/events/{event}/report.csv?by=section")),
        (&holdfast.organiser(), format!("/v1/admin/events/{event}/log")),
        (&admin, "/v1/admin/accounts".to_owned()),
    ] {
        let (status, headers) = headers(person, Method::GET, &path).await;
        assert_eq!(status, 200, "{path}");
        is_careful(&path, &headers);
        assert!(
            text(&headers, "cache-control").contains("no-store"),
            "{path}: {}",
            text(&headers, "cache-control")
        );
    }
    let form = json!({ "name": "Ada", "email": "ada@example.com", "password": "four-quiet-words" });
    let tokens = holdfast.anyone().post("/v1/auth/register", form).await;
    assert_eq!(
        (tokens.status, tokens.header("cache-control")),
        (201, Some("no-store")),
        "RFC 9700, 6749 5.1"
    );
    is_careful("tokens", &tokens.headers);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_is_never_read_so_no_other_site_can_act_for_somebody() {
    let holdfast = Holdfast::start().await;
    let ada = holdfast.customer().await;
    let anyone = holdfast.anyone();
    for name in ["token", "session", "access_token", "Authorization", "holdfast.session", "jwt"] {
        let request =
            anyone.request(Method::GET, "/v1/me").header("Cookie", format!("{name}={}", ada.token()));
        assert_eq!(anyone.send(request).await.code(), "not_authenticated", "{name}");
    }
    // Nor is a token in an address, where it would be kept and passed on.
    for name in ["token", "access_token", "authorization"] {
        let answer = anyone.get(&format!("/v1/me?{name}={}", ada.token())).await;
        assert_eq!(answer.code(), "not_authenticated", "{name}");
    }
    // What a form of another site's page could send is no JSON, and is not taken for it.
    for kind in ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"] {
        let answer = ada
            .post_raw("/v1/orders", kind, br#"{"hold_id":"0190aaaa-0000-7000-8000-000000000000"}"#.to_vec())
            .await;
        assert_eq!(answer.status, 415, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_are_told_to_come_by_tls_alone_where_customers_do() {
    let plain = Holdfast::start().await;
    let (_, headers_of_plain) = headers(&plain.anyone(), Method::GET, "/").await;
    assert_eq!(text(&headers_of_plain, "strict-transport-security"), "");
    let holdfast = Holdfast::with(|config| {
        config.public_url = Some("https://tickets.example".to_owned());
        config.cors_origins = vec!["https://shop.example".parse().expect("an origin")];
    })
    .await;
    for path in ["/", "/v1/events", "/v1/me", "/nowhere", "/healthz"] {
        let (status, headers) = headers(&holdfast.anyone(), Method::GET, path).await;
        assert_eq!(text(&headers, "strict-transport-security"), "max-age=31536000", "{path} ({status})");
        is_careful(path, &headers);
    }
    let asked = holdfast
        .anyone()
        .request(Method::OPTIONS, "/v1/orders")
        .header("Origin", "https://shop.example")
        .header("Access-Control-Request-Method", "POST");
    let asked = holdfast.anyone().send(asked).await;
    assert_eq!(asked.header("access-control-allow-origin"), Some("https://shop.example"));
    is_careful("a preflight", &asked.headers);
    assert_eq!(asked.header("strict-transport-security"), Some("max-age=31536000"));
}
