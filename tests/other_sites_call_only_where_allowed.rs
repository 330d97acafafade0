//! Pages of other sites may call this service if the operator has named them, and not otherwise.

use clap::Parser;
use holdfast::config::Config;
use reqwest::Method;
use reqwest::header::{
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, HeaderValue, ORIGIN, VARY,
};

use crate::support::{Answer, Client, Holdfast};

const SHOP: &str = "https://shop.example";
const STRANGER: &str = "https://elsewhere.example";

async fn house(origins: &str) -> Holdfast {
    let origins = origins.split(',').map(|origin| origin.parse().expect("an origin")).collect();
    Holdfast::with(|config| config.cors_origins = origins).await
}

/// What a browser asks before it sends a page's request.
async fn preflight(anyone: &Client, origin: &str) -> Answer {
    let request = anyone
        .request(Method::OPTIONS, "/v1/orders")
        .header(ORIGIN, origin)
        .header(ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(ACCESS_CONTROL_REQUEST_HEADERS, "authorization,content-type,idempotency-key");
    anyone.send(request).await
}

async fn get(anyone: &Client, path: &str, origin: &str) -> Answer {
    anyone.send(anyone.request(Method::GET, path).header(ORIGIN, origin)).await
}

fn allowed(answer: &Answer) -> Option<&str> {
    answer.header("access-control-allow-origin")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_site_may_call_and_read_what_is_answered() {
    let holdfast = house("https://shop.example, http://127.0.0.1:5173").await;
    let anyone = holdfast.anyone();

    let asked = preflight(&anyone, SHOP).await;
    assert_eq!((asked.status, allowed(&asked)), (200, Some(SHOP)));
    for (name, parts) in [
        ("access-control-allow-methods", "GET POST PATCH DELETE"),
        (
            "access-control-allow-headers",
            "authorization content-type idempotency-key last-event-id if-none-match accept",
        ),
    ] {
        let told = asked.header(name).expect(name);
        assert!(parts.split(' ').all(|part| told.contains(part)), "{name}: {told}");
    }
    assert_eq!(asked.header("access-control-max-age"), Some("3600"));
    assert_eq!(asked.header("access-control-allow-credentials"), None);

    for path in ["/v1/events", "/v1/orders", "/web/seat-map.js", "/nowhere"] {
        let answer = get(&anyone, path, SHOP).await;
        assert_eq!(allowed(&answer), Some(SHOP), "{path} answers {}", answer.status);
        let exposed = answer.header("access-control-expose-headers").expect("names");
        for name in [
            "etag",
            "location",
            "retry-after",
            "holdfast-version",
            "idempotent-replayed",
            "x-request-id",
            "ratelimit",
            "ratelimit-policy",
            "ratelimit-limit",
            "ratelimit-remaining",
            "ratelimit-reset",
        ] {
            assert!(exposed.contains(name), "{exposed}");
        }
        let varies = |vary: &HeaderValue| vary.to_str().is_ok_and(|vary| vary.contains("origin"));
        assert!(answer.headers.get_all(VARY).iter().any(varies), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_told_nothing() {
    let holdfast = house(SHOP).await;
    let anyone = holdfast.anyone();
    for origin in [STRANGER, "https://shop.example.evil", "http://shop.example", "null"] {
        assert_eq!(allowed(&preflight(&anyone, origin).await), None, "{origin}");
        assert_eq!(allowed(&get(&anyone, "/v1/events", origin).await), None, "{origin}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unless_told_otherwise_there_are_no_other_sites() {
    let holdfast = Holdfast::start().await;
    let anyone = holdfast.anyone();
    let asked = preflight(&anyone, SHOP).await;
    assert_eq!((asked.status, allowed(&asked)), (405, None));
    assert_eq!(allowed(&get(&anyone, "/v1/events", SHOP).await), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_star_is_everybody_without_cookies() {
    let holdfast = house("*").await;
    let asked = preflight(&holdfast.anyone(), STRANGER).await;
    assert_eq!((asked.status, allowed(&asked)), (200, Some("*")));
    let ada = holdfast.customer().await;
    let request = ada.request(Method::GET, "/v1/me").header(ORIGIN, STRANGER);
    let signed_in = request.try_clone().and_then(|request| request.build().ok());
    assert!(signed_in.is_some_and(|request| request.headers().contains_key(AUTHORIZATION)));
    let answer = ada.send(request).await;
    assert_eq!((answer.status, allowed(&answer)), (200, Some("*")));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
}

#[derive(Debug, Parser)]
struct Settings {
    #[command(flatten)]
    config: Config,
}

#[test]
fn what_is_no_origin_is_refused_at_the_start() {
    for bad in ["shop.example", "https://shop.example/"] {
        let refused = Settings::try_parse_from(["holdfast", "--cors-origins", bad]).expect_err(bad);
        let told = refused.to_string();
        assert!(told.contains("--cors-origins") && told.contains(bad), "{told}");
    }
    let good = Settings::try_parse_from(["holdfast", "--cors-origins", SHOP]).expect("an origin");
    assert_eq!(good.config.cors_origins, [SHOP.parse().expect("an origin")]);
}
