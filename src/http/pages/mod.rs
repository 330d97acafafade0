//! The pages that people see, and the API's own page. Everything is in the binary; nothing is fetched from
//! anywhere else, which the answers' content policies also forbid. The one exception is Stripe's own script on
//! the page where an order is paid, which Stripe requires to be loaded from Stripe.

mod site;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::Value;
use utoipa_swagger_ui::{Config, SwaggerUi};

use self::site::{HTML, SCRIPT, Site};
use super::cache::{self, Tag};
use super::problem::{Code, Problem};
use crate::ids::EventId;

/// Our own pages: scripts, styles and calls of this service only.
const OWN_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// The page of an order where Stripe's own form takes the card: what Stripe asks to be allowed.
const STRIPE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self' https://js.stripe.com; style-src 'self'; img-src 'self' data:; \
     connect-src 'self' https://api.stripe.com; frame-src https://js.stripe.com https://hooks.stripe.com; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// Swagger UI styles itself inline and draws its icons from data addresses.
const DOCS_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     connect-src 'self'; font-src 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// Every page: its path and the module that makes it.
const PAGES: [(&str, &str); 17] = [
    ("/", "pages/events.js"),
    (EVENT_PAGE, "pages/event.js"),
    ("/checkout/{id}", "pages/checkout.js"),
    ("/orders", "pages/orders.js"),
    (ORDER_PAGE, "pages/order.js"),
    ("/organise", "pages/organise.js"),
    ("/organise/new", "pages/organise-new.js"),
    ("/organise/hooks", "pages/hooks.js"),
    ("/organise/{id}", "pages/sale.js"),
    ("/organise/{id}/edit", "pages/sale-edit.js"),
    ("/organise/{id}/seats", "pages/sale-seats.js"),
    ("/organise/{id}/orders", "pages/sale-orders.js"),
    ("/organise/{id}/waiting", "pages/sale-waiting.js"),
    ("/organise/{id}/door", "pages/door.js"),
    ("/organise/{id}/log", "pages/sale-log.js"),
    ("/admin/accounts", "pages/accounts.js"),
    ("/admin/log", "pages/admin-log.js"),
];

/// Where seats are chosen.
const EVENT_PAGE: &str = "/events/{id}";
/// Where an order is paid and seen.
const ORDER_PAGE: &str = "/orders/{id}";

/// The pages, and `document` as `/openapi.json` with its page at `/docs`.
///
/// `pays_at_stripe` says whether customers meet Stripe's own form: only then may its script be loaded.
pub fn router<S: Clone + Send + Sync + 'static>(document: &Value, pays_at_stripe: bool) -> Router<S> {
    let site = Arc::new(Site::read());
    let mut pages = Router::new();
    for (path, script) in PAGES {
        let policy = if pays_at_stripe && path == ORDER_PAGE { STRIPE_POLICY } else { OWN_POLICY };
        let frame = Bytes::from(site.page(script));
        let shown =
            match path {
                EVENT_PAGE => get(move |Path(id): Path<String>, asked: HeaderMap| async move {
                    event_page(&frame, &id, &asked)
                }),
                _ => page(HTML, frame, policy),
            };
        pages = pages.route(path, shown);
    }
    pages = pages
        // The address that other people's pages embed: it never changes, what it leads to does.
        .route("/web/seat-map.js", page(SCRIPT, site.embedded("map/seat-map.js").into(), OWN_POLICY))
        .route(
            "/web/{build}/{*file}",
            get(move |Path((build, name)): Path<(String, String)>| async move { file(&site, &build, &name) }),
        );
    let text = serde_json::to_vec(document).expect("a description is always JSON");
    let docs = SwaggerUi::new("/docs").config(Config::from("/openapi.json").try_it_out_enabled(true));
    pages
        .route("/openapi.json", page("application/json", text.into(), OWN_POLICY))
        .merge(Router::from(docs).layer(map_response(with_docs_policy)))
}

/// The page of an event, which has the browser fetch the chart while the scripts still load.
fn event_page(frame: &Bytes, id: &str, asked: &HeaderMap) -> Response {
    let Ok(id) = id.parse::<EventId>() else { return answer(asked, HTML, frame, &OWN_POLICY) };
    let hint =
        format!("  <link rel=\"preload\" as=\"fetch\" crossorigin href=\"/v1/events/{id}/seats\">\n</head>");
    let text = String::from_utf8_lossy(frame).replace("</head>", &hint);
    answer(asked, HTML, &text.into(), &OWN_POLICY)
}

/// A document that never changes while the node runs.
fn page<S: Clone + Send + Sync + 'static>(
    kind: &'static str,
    content: Bytes,
    policy: HeaderValue,
) -> axum::routing::MethodRouter<S> {
    get(move |asked: HeaderMap| async move { answer(&asked, kind, &content, &policy) })
}

/// Asked for again each time: after an upgrade nobody sees yesterday's page.
fn answer(asked: &HeaderMap, kind: &'static str, content: &Bytes, policy: &HeaderValue) -> Response {
    let full = || document(kind, content.clone(), policy.clone());
    let mut answer = cache::answer(asked, &Tag::of_content(content), cache::ASK_AGAIN, full);
    // Also with 304, whose headers replace those that the browser has kept.
    answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy.clone());
    answer
}

/// A part of the pages, under the name of the build that it belongs to: kept for ever, since the next build has
/// another name. Somebody who still has yesterday's page gets today's part, which is not to be kept as yesterday's.
fn file(site: &Site, build: &str, name: &str) -> Result<Response, Problem> {
    let file = site.file(name).ok_or_else(|| Code::NotFound.problem())?;
    let keep = if build == site.build() { cache::FOR_EVER } else { "no-store" };
    let keep = [(header::CACHE_CONTROL, HeaderValue::from_static(keep))];
    Ok((keep, document(file.kind, file.content.clone(), OWN_POLICY)).into_response())
}

fn document(kind: &'static str, content: Bytes, policy: HeaderValue) -> Response {
    let headers =
        [(header::CONTENT_TYPE, HeaderValue::from_static(kind)), (header::CONTENT_SECURITY_POLICY, policy)];
    (headers, content).into_response()
}

async fn with_docs_policy(mut answer: Response) -> Response {
    answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, DOCS_POLICY);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use axum::http::{Request, StatusCode};
    use serde_json::json;
    use tower::ServiceExt;

    async fn get_page(path: &str) -> (Response<()>, String) {
        let pages: Router = router(&json!({"openapi": "3.1.0"}), false);
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let (parts, body) = pages.oneshot(request).await.expect("an answer").into_parts();
        let text = to_bytes(body, usize::MAX).await.expect("a body");
        (Response::from_parts(parts, ()), String::from_utf8_lossy(&text).into_owned())
    }

    /// Where a page's own tags load something from.
    fn loaded(page: &str) -> Vec<&str> {
        let after = |attribute| page.split(attribute).skip(1).filter_map(|rest| rest.split('"').next());
        after("src=\"").chain(after("<link rel=\"stylesheet\" type=\"text/css\" href=\"")).collect()
    }

    #[tokio::test]
    async fn the_api_page_needs_nothing_from_outside() {
        let (answer, page) = get_page("/docs/").await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()[header::CONTENT_SECURITY_POLICY], DOCS_POLICY);
        let parts = loaded(&page);
        assert!(!parts.is_empty());
        for part in parts {
            assert!(!part.contains("//"), "{part} is somebody else's");
            let (answer, _) = get_page(&format!("/docs/{}", part.trim_start_matches("./"))).await;
            assert_eq!(answer.status(), StatusCode::OK, "{part}");
        }
        let (_, script) = get_page("/docs/swagger-initializer.js").await;
        assert!(script.contains("/openapi.json"));
    }

    #[tokio::test]
    async fn every_page_and_all_it_names_are_there() {
        for (path, _) in PAGES {
            let (answer, page) = get_page(&path.replace("{id}", "7")).await;
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
            assert_eq!(answer.headers()[header::CONTENT_SECURITY_POLICY], OWN_POLICY);
            assert!(!page.contains("{{"), "a blank of {path} is not filled");
            assert!(
                !page.contains("style=\"") && !page.contains("onclick"),
                "the policy forbids what is inline"
            );
            let named: Vec<_> = page.split('"').filter(|text| text.starts_with("/web/")).collect();
            assert!(named.len() > 5, "{path} names {named:?}");
            for name in named {
                let (answer, _) = get_page(name).await;
                assert_eq!(answer.status(), StatusCode::OK, "{path} names {name}");
                assert_eq!(answer.headers()[header::CACHE_CONTROL], cache::FOR_EVER);
            }
        }
    }

    #[tokio::test]
    async fn a_page_that_is_still_the_same_keeps_its_policy() {
        let pages: Router = router(&json!({}), false);
        let ask = |tag: &str| Request::get("/").header(header::IF_NONE_MATCH, tag).body(Body::empty());
        let full = pages.clone().oneshot(ask("\"other\"").expect("a request")).await.expect("an answer");
        let tag = full.headers()[header::ETAG].to_str().expect("text");
        let known = pages.oneshot(ask(tag).expect("a request")).await.expect("an answer");
        assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(known.headers()[header::CONTENT_SECURITY_POLICY], OWN_POLICY);
    }

    #[tokio::test]
    async fn a_part_of_another_build_is_not_kept() {
        let (answer, text) = get_page("/web/0-0/text.js").await;
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
        assert!(text.contains("export"));
        let (answer, _) = get_page("/web/0-0/nothing.js").await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn only_the_page_of_an_order_may_load_stripes_script_and_only_when_stripe_takes_the_money() {
        let pages: Router = router(&json!({}), true);
        for (path, allowed) in [("/orders/7", true), ("/orders", false), ("/checkout/7", false), ("/", false)]
        {
            let request = Request::get(path).body(Body::empty()).expect("a request");
            let answer = pages.clone().oneshot(request).await.expect("an answer");
            let policy = answer.headers()[header::CONTENT_SECURITY_POLICY].to_str().expect("text");
            assert_eq!(policy.contains("stripe.com"), allowed, "{path}");
        }
    }
}
