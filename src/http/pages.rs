//! The pages that people see, and the API's own page. Everything is in the binary; nothing is fetched from
//! anywhere else, which the answers' content policies also forbid.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::Value;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::cache::{self, Tag};

/// Our own pages: scripts, styles and calls of this service only.
const OWN_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// Swagger UI styles itself inline and draws its icons from data addresses.
const DOCS_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     connect-src 'self'; font-src 'self'; base-uri 'none'; frame-ancestors 'none'",
);

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Path, media type and text of every file of our pages.
const FILES: [(&str, &str, &str); 4] = [
    ("/", HTML, include_str!("../../web/index.html")),
    ("/web/style.css", CSS, include_str!("../../web/style.css")),
    ("/web/landing.js", SCRIPT, include_str!("../../web/landing.js")),
    ("/web/icon.svg", SVG, include_str!("../../web/icon.svg")),
];

/// The pages, and `document` as `/openapi.json` with its page at `/docs`.
pub fn router<S: Clone + Send + Sync + 'static>(document: &Value) -> Router<S> {
    let mut pages = Router::new();
    for (path, kind, text) in FILES {
        let file = File::new(kind, text.into(), OWN_POLICY);
        pages = pages.route(path, get(move |headers: HeaderMap| async move { file.answer(&headers) }));
    }
    let text = serde_json::to_vec(document).expect("a description is always JSON");
    let file = File::new("application/json", text.into(), OWN_POLICY);
    let docs = SwaggerUi::new("/docs").config(Config::from("/openapi.json").try_it_out_enabled(true));
    pages
        .route("/openapi.json", get(move |headers: HeaderMap| async move { file.answer(&headers) }))
        .merge(Router::from(docs).layer(map_response(with_docs_policy)))
}

#[derive(Clone)]
struct File {
    kind: &'static str,
    content: Bytes,
    tag: Arc<Tag>,
    policy: HeaderValue,
}

impl File {
    fn new(kind: &'static str, content: Bytes, policy: HeaderValue) -> Self {
        let tag = Arc::new(Tag::of_content(&content));
        Self { kind, content, tag, policy }
    }

    fn answer(&self, asked: &HeaderMap) -> Response {
        // Asked again each time: after an upgrade nobody runs yesterday's script on today's API.
        cache::answer(asked, &self.tag, cache::ASK_AGAIN, || {
            let headers = [
                (header::CONTENT_TYPE, HeaderValue::from_static(self.kind)),
                (header::CONTENT_SECURITY_POLICY, self.policy.clone()),
            ];
            (headers, self.content.clone()).into_response()
        })
    }
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
        let pages: Router = router(&json!({"openapi": "3.1.0"}));
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
    async fn the_landing_page_and_all_it_names_are_there() {
        let (answer, page) = get_page("/").await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()[header::CONTENT_SECURITY_POLICY], OWN_POLICY);
        for (path, kind, _) in FILES {
            let (answer, _) = get_page(path).await;
            assert_eq!(answer.headers()[header::CONTENT_TYPE], kind);
            assert!(path == "/" || page.contains(path), "nothing uses {path}");
        }
        assert!(!page.contains("style=\"") && !page.contains("onclick"), "the policy forbids what is inline");
    }
}
