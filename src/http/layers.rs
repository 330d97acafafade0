//! What happens around every request: it is logged and counted once, nothing it meets escapes the problem
//! format, and its answer tells browsers to be careful.

use std::any::Any;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, Response as HttpResponse, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::set_header::SetResponseHeaderLayer;
use tracing::Instrument;

use super::AppState;
use super::problem::{Code, Problem};
use super::request_id::{self, RequestId};
use crate::config::Origin;
use crate::telemetry::RequestLabels;

/// The outermost: the request has a name, is logged and counted once, and browsers are told to be careful with its answer.
pub async fn around(State(app): State<AppState>, mut request: Request, next: Next) -> Response {
    let id = request_id::name(&mut request);
    let mut answer = observe(&app, &id, request, next).await;
    be_careful(&mut answer);
    request_id::tell(&id, &mut answer);
    answer
}

/// Logs and counts a request under its route's template: never its query, its headers or its body.
async fn observe(app: &AppState, id: &RequestId, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = known_method(request.method().as_str());
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let request_id = id.as_str();
    let span = tracing::info_span!("request", request_id, method, route);
    let answer = next.run(request).instrument(span.clone()).await;

    let status = answer.status().as_u16();
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    span.in_scope(|| tracing::info!(request_id, method, route, status, duration_ms, "answered {status}"));
    app.metrics.requests.get_or_create(&RequestLabels { method, route, status }).inc();
    answer
}

/// A method's name if it is one of the usual: anybody can invent more, and each would be a new metric.
fn known_method(method: &str) -> &'static str {
    const USUAL: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    USUAL.into_iter().find(|usual| *usual == method).unwrap_or("OTHER")
}

/// A panic is our mistake: it ends one request, with a problem that says nothing of its cause.
#[expect(clippy::needless_pass_by_value, reason = "the signature is the layer's")]
pub fn panicked(cause: Box<dyn Any + Send>) -> HttpResponse<axum::body::Body> {
    let message = cause
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| cause.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a message");
    Problem::internal(format_args!("a handler panicked: {message}")).into_response()
}

pub async fn not_found() -> Problem {
    Code::NotFound.problem()
}

/// The router adds `Allow` to this.
pub async fn method_not_allowed() -> Problem {
    Code::MethodNotAllowed.problem()
}

/// Gives every refusal that some layer of ours did not shape the shape of all others.
pub fn only_problems(answer: Response) -> Response {
    let status = answer.status();
    let shaped = answer.headers().contains_key(header::CONTENT_TYPE) && !is_plain_text(&answer);
    if shaped || !(status.is_client_error() || status.is_server_error()) {
        return answer;
    }
    let code = match status {
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => Code::BodyTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMediaType,
        status if status.is_client_error() => Code::BadRequest,
        _ => Code::Internal,
    };
    let mut problem = code.problem().into_response();
    if let Some(allow) = answer.headers().get(header::ALLOW) {
        problem.headers_mut().insert(header::ALLOW, allow.clone());
    }
    problem
}

fn is_plain_text(answer: &Response) -> bool {
    let kind = answer.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(b"text/plain"))
}

/// Lets pages of other origins call, as the settings say. Nothing is sent by a browser on its own: no cookies.
///
/// `None` where no other origin is named: then nothing is said of them at all.
pub fn cross_origin(allowed: &[Origin]) -> Option<CorsLayer> {
    if allowed.is_empty() {
        return None;
    }
    let ones = allowed.iter().filter_map(|origin| match origin {
        Origin::One(origin) => Some(origin.clone()),
        Origin::Any => None,
    });
    let origins = if allowed.contains(&Origin::Any) {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(ones.collect::<Vec<_>>())
    };
    let layer = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::ACCEPT,
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_NONE_MATCH,
            HeaderName::from_static("admission"),
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("last-event-id"),
        ])
        .expose_headers([
            header::ETAG,
            header::LOCATION,
            header::RETRY_AFTER,
            HeaderName::from_static("holdfast-version"),
            HeaderName::from_static("idempotent-replayed"),
            HeaderName::from_static("ratelimit"),
            HeaderName::from_static("ratelimit-policy"),
            HeaderName::from_static("ratelimit-limit"),
            HeaderName::from_static("ratelimit-remaining"),
            HeaderName::from_static("ratelimit-reset"),
            HeaderName::from_static("x-request-id"),
        ])
        .max_age(Duration::from_hours(1));
    Some(layer)
}

/// Told to browsers with every answer that does not say otherwise: pages name what they need themselves.
const CAREFUL: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
];

/// Tells browsers to come by TLS alone from now on, if customers reach us so: somebody between us could otherwise lead
/// their next visit elsewhere. For this name only, since others below it may not be ours.
///
/// `None` where they do not: browsers would not listen, and whoever tries it out on http:// could not any more.
pub fn only_by_tls(public_url: &str) -> Option<SetResponseHeaderLayer<HeaderValue>> {
    let a_year = HeaderValue::from_static("max-age=31536000");
    let is_tls = public_url.starts_with("https://");
    is_tls.then(|| SetResponseHeaderLayer::overriding(header::STRICT_TRANSPORT_SECURITY, a_year))
}

/// What changes or is somebody's own is never kept by a cache, unless its handler knows better.
pub fn be_careful(answer: &mut Response) {
    let headers = answer.headers_mut();
    for (name, value) in CAREFUL {
        headers.entry(name).or_insert(value);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::middleware::map_response;
    use axum::routing::get;
    use serde_json::Value;
    use tower::ServiceExt;
    use tower_http::catch_panic::CatchPanicLayer;

    async fn breaks() -> &'static str {
        panic!("seat 7 is on fire")
    }

    async fn ask(method: Method, path: &str) -> (Response<()>, Value) {
        let service = Router::new()
            .route("/here", get(|| async { "here" }))
            .route("/breaks", get(breaks))
            .route("/bare", get(|| async { (StatusCode::PAYLOAD_TOO_LARGE, "length limit exceeded") }))
            .fallback(not_found)
            .method_not_allowed_fallback(method_not_allowed)
            .layer(map_response(async |answer: Response| only_problems(answer)))
            .layer(CatchPanicLayer::custom(panicked))
            .layer(map_response(async |mut answer: Response| {
                be_careful(&mut answer);
                answer
            }));
        let request = Request::builder().method(method).uri(path).body(Body::empty()).expect("a request");
        let (parts, body) = service.oneshot(request).await.expect("an answer").into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("a body");
        (Response::from_parts(parts, ()), serde_json::from_slice(&body).unwrap_or_default())
    }

    #[tokio::test]
    async fn a_path_that_leads_nowhere_is_a_problem() {
        let (answer, problem) = ask(Method::GET, "/nowhere").await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(problem["code"], "not_found");
    }

    #[tokio::test]
    async fn a_wrong_method_is_told_the_right_ones() {
        let (answer, problem) = ask(Method::POST, "/here").await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.headers()[header::ALLOW], "GET,HEAD");
        assert_eq!(problem["code"], "method_not_allowed");
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_that_keeps_its_cause_to_itself() {
        let (answer, problem) = ask(Method::GET, "/breaks").await;
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(problem["code"], "internal");
        assert!(!problem.to_string().contains("fire"), "{problem}");
    }

    #[tokio::test]
    async fn a_refusal_of_the_framework_gets_our_shape() {
        let (answer, problem) = ask(Method::GET, "/bare").await;
        assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(problem["code"], "body_too_large");
    }

    #[tokio::test]
    async fn every_answer_tells_browsers_to_be_careful() {
        for path in ["/here", "/nowhere", "/breaks"] {
            let (answer, _) = ask(Method::GET, path).await;
            for (name, value) in CAREFUL {
                assert_eq!(answer.headers()[&name], value, "{path}");
            }
            assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store", "{path}");
        }
    }

    #[test]
    fn an_invented_method_is_no_new_metric() {
        assert_eq!(known_method("PATCH"), "PATCH");
        assert_eq!(known_method("BREW"), "OTHER");
    }
}
