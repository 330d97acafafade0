//! OpenAPI is generated from the code; this walks every documented path and holds it to its word.

use serde_json::{Value, json};

use crate::support::Holdfast;

/// A path with its parameters filled in with the id of nothing.
fn filled(path: &str) -> String {
    let mut text = path.to_owned();
    while let (Some(open), Some(close)) = (text.find('{'), text.find('}')) {
        text.replace_range(open..=close, "0190aaaa-0000-7000-8000-000000000000");
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_call_exists_and_answers_as_documented() {
    let holdfast = Holdfast::start().await;
    let document = holdfast.anyone().get("/openapi.json").await.expect(200);
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    let admin = holdfast.admin().await;

    let paths = document["paths"].as_object().expect("paths");
    assert!(paths.len() >= 25, "only {} paths are documented", paths.len());
    for (path, methods) in paths {
        for (method, call) in methods.as_object().expect("methods") {
            // The live stream never ends by itself and has a test of its own.
            if !["get", "post", "patch", "delete", "put"].contains(&method.as_str()) {
                continue;
            }
            for person in [&admin, &holdfast.anyone()] {
                let answer = person.call(method, &filled(path), json!({})).await;
                let documented = call["responses"].as_object().expect("responses");
                assert!(
                    documented.contains_key(&answer.status.to_string()),
                    "{method} {path} answers {}, which is not documented: {}",
                    answer.status,
                    answer.body
                );
                assert!(answer.status < 500, "{method} {path}: {}", answer.body);
                if answer.status >= 400 {
                    let code = answer.code();
                    assert!(is_documented(&document, code), "{code} is not in the table of codes");
                }
            }
        }
    }
}

fn is_documented(document: &Value, code: &str) -> bool {
    let codes = document["components"]["schemas"]["Code"]["enum"].as_array().expect("the table of codes");
    codes.iter().any(|known| known == code)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_the_contract_is_documented() {
    let holdfast = Holdfast::start().await;
    let document = holdfast.anyone().get("/openapi.json").await.expect(200);
    for (method, path) in [
        ("post", "/v1/auth/register"),
        ("post", "/v1/auth/login"),
        ("post", "/v1/auth/refresh"),
        ("post", "/v1/auth/logout"),
        ("get", "/v1/me"),
        ("get", "/v1/events"),
        ("get", "/v1/events/{id}"),
        ("get", "/v1/events/{id}/seats"),
        ("get", "/v1/events/{id}/availability"),
        ("get", "/v1/events/{id}/status"),
        ("get", "/v1/events/{id}/live"),
        ("post", "/v1/events/{id}/holds"),
        ("get", "/v1/holds/{id}"),
        ("delete", "/v1/holds/{id}"),
        ("post", "/v1/orders"),
        ("get", "/v1/orders"),
        ("get", "/v1/orders/{id}"),
        ("post", "/v1/orders/{id}/cancel"),
        ("post", "/v1/webhooks/stripe"),
        ("post", "/v1/admin/hooks"),
        ("get", "/v1/admin/hooks"),
        ("get", "/v1/admin/hooks/{id}"),
        ("patch", "/v1/admin/hooks/{id}"),
        ("delete", "/v1/admin/hooks/{id}"),
        ("post", "/v1/admin/hooks/{id}/secret"),
        ("post", "/v1/admin/hooks/{id}/ping"),
        ("get", "/v1/admin/hooks/{id}/deliveries"),
        ("post", "/v1/admin/hooks/{id}/replay"),
        ("get", "/v1/admin/hook-events"),
        ("post", "/v1/admin/accounts"),
        ("get", "/v1/admin/accounts"),
        ("post", "/v1/admin/events"),
        ("patch", "/v1/admin/events/{id}"),
        ("post", "/v1/admin/events/{id}/seats/block"),
        ("post", "/v1/admin/events/{id}/cancel"),
        ("post", "/v1/admin/events/{id}/seats/unblock"),
        ("get", "/v1/admin/events/{id}/orders"),
        ("get", "/v1/admin/events/{id}/report"),
        ("post", "/v1/admin/orders/{id}/refund"),
        ("get", "/healthz"),
        ("get", "/readyz"),
        ("get", "/metrics"),
    ] {
        assert!(document["paths"][path][method].is_object(), "{method} {path} is not documented");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_docs_page_loads_nothing_from_elsewhere() {
    let holdfast = Holdfast::start().await;
    let page = holdfast.anyone().get_text("/docs/").await;
    assert!(page.contains("swagger-ui"));
    assert!(!page.contains("http://") && !page.contains("https://"), "{page}");
}
