//! Refuses whoever calls too often, and tells everybody how much is left.
//!
//! The table is here, the counting in [`crate::limits`]. Pages, webhooks and what operators look at are not limited: they
//! cost nothing, are signed, or are needed when everything else is not well.

use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::AppState;
use super::extract::Identity;
use super::intake::Spent;
use super::problem::{Code, Problem};
use super::visitor::Visitor;
use crate::limits::{Class, Refusal, Standing, Verdict, Who};

/// What the IETF's draft says, in one line for all limits.
const NOW: HeaderName = HeaderName::from_static("ratelimit");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What older clients read: of the limit that is nearest.
const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Whose limit a call counts against; `None` for what is not limited.
fn class_of(method: &Method, route: &str) -> Option<Class> {
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    match route {
        "/v1/webhooks/stripe" => None,
        // Whoever waits looks again and again, as often as they are told to.
        "/v1/events/{id}/room" => Some(Class::Browse),
        "/v1/auth/login" => Some(Class::Login),
        "/v1/auth/register" => Some(Class::Register),
        "/v1/auth/refresh" => Some(Class::Refresh),
        "/v1/events"
        | "/v1/events/{id}"
        | "/v1/events/{id}/seats"
        | "/v1/events/{id}/availability"
        | "/v1/events/{id}/status"
        | "/v1/events/{id}/live"
            if is_read =>
        {
            Some(Class::Browse)
        }
        "/v1/events/{id}/holds" | "/v1/holds/{id}" if !is_read => Some(Class::Hold),
        "/v1/orders" | "/v1/orders/{id}/cancel" if !is_read => Some(Class::Order),
        route if route.starts_with("/v1/admin/") => Some(Class::Admin),
        route if route.starts_with("/v1/") => Some(if is_read { Class::Read } else { Class::Change }),
        _ => None,
    }
}

/// A call that was let through, and how its limits stand.
pub struct Counted {
    class: Class,
    who: Who,
    standings: Vec<Standing>,
}

/// Counts a call of a limited class.
///
/// # Errors
/// The refusal, when there were too many.
pub async fn count(app: &AppState, request: &mut Request) -> Result<Option<Counted>, Response> {
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let Some(class) = class_of(request.method(), route) else { return Ok(None) };
    let visitor = Visitor::of(request, &app.config);
    request.extensions_mut().insert(visitor);
    let account = match request.extensions().get::<Identity>() {
        Some(Identity::Known(caller)) => Some(caller.id),
        Some(Identity::Anonymous | Identity::Doubtful) | None => None,
    };
    let who = Who { account, address: visitor.0 };

    let began = Instant::now();
    let verdict = app.limits.ask(class, who).await;
    request.extensions_mut().insert(Spent(began.elapsed()));
    match verdict {
        Verdict::Allowed(standings) => Ok(Some(Counted { class, who, standings })),
        Verdict::Open => Ok(None),
        Verdict::Refused(refusal) => {
            let mut answer = refused(&refusal).into_response();
            tell(&mut answer, &refusal.standings);
            Err(answer)
        }
        Verdict::Closed(cause) => Err(Problem::outage(cause).into_response()),
    }
}

/// Tells how the limits stand, and uncounts what they are not against.
pub async fn told(counted: Option<Counted>, app: &AppState, mut answer: Response) -> Response {
    let Some(Counted { class, who, standings }) = counted else { return answer };
    if class.counts_failures() && !answer.status().is_client_error() {
        app.limits.give_back(class, who).await;
    }
    tell(&mut answer, &standings);
    answer
}

/// Tells when to come back: in words, in a member for pages, and in `Retry-After`.
pub fn refused(refusal: &Refusal) -> Problem {
    let seconds = u32::try_from(whole(refusal.wait).max(1)).unwrap_or(u32::MAX);
    let words = if seconds == 1 { "second" } else { "seconds" };
    Code::TooManyRequests
        .detail(format!("Too many calls of this kind. Try again in {seconds} {words}."))
        .with("retry_after", seconds)
        .retry_after(seconds)
}

/// Seconds, rounded up: who comes back then is not refused again.
fn whole(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

fn tell(answer: &mut Response, standings: &[Standing]) {
    let least_left = |one: &&Standing| {
        let left = u64::from(one.quota.left(one.level));
        // Of two limits that have as many left in proportion, the tighter one is nearer.
        (left * 1_000_000 / u64::from(one.quota.calls), one.quota.calls)
    };
    let Some(nearest) = standings.iter().min_by_key(least_left) else { return };
    if is_for_everybody(answer.headers()) {
        return;
    }
    // A login refused for its account has said when to come back, which is not what is left to its address.
    let is_refused_inside =
        answer.status() == StatusCode::TOO_MANY_REQUESTS && nearest.quota.left(nearest.level) > 0;
    let headers = answer.headers_mut();
    let mut say = |name, text: String| {
        headers.insert(name, HeaderValue::from_str(&text).expect("names and numbers are plain"));
    };
    let policy =
        |one: &Standing| format!("\"{}\";q={};w={}", name(one), one.quota.calls, one.quota.span.as_secs());
    say(POLICY, list(standings, policy));
    if is_refused_inside {
        return;
    }
    say(
        NOW,
        list(standings, |one| {
            let (left, reset) = (one.quota.left(one.level), one.quota.reset(one.level));
            format!("\"{}\";r={left};t={}", name(one), whole(reset))
        }),
    );
    say(LIMIT, nearest.quota.calls.to_string());
    say(REMAINING, nearest.quota.left(nearest.level).to_string());
    say(RESET, whole(nearest.quota.reset(nearest.level)).to_string());
}

fn list(standings: &[Standing], one: impl Fn(&Standing) -> String) -> String {
    standings.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn name(one: &Standing) -> String {
    format!("{}{}", one.class, if one.is_of_address { "-address" } else { "" })
}

/// What a cache may give to others says nothing of the one who asked.
fn is_for_everybody(headers: &HeaderMap) -> bool {
    let keep = headers.get(header::CACHE_CONTROL).and_then(|value| value.to_str().ok());
    keep.is_some_and(|keep| keep.contains("public"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Level;

    #[test]
    fn every_call_has_its_class_and_some_have_none() {
        for (method, route, class) in [
            ("GET", "/v1/events/{id}/availability", Some(Class::Browse)),
            ("HEAD", "/v1/events", Some(Class::Browse)),
            ("POST", "/v1/events/{id}/holds", Some(Class::Hold)),
            ("DELETE", "/v1/holds/{id}", Some(Class::Hold)),
            ("GET", "/v1/holds/{id}", Some(Class::Read)),
            ("GET", "/v1/orders", Some(Class::Read)),
            ("POST", "/v1/orders", Some(Class::Order)),
            ("POST", "/v1/orders/{id}/cancel", Some(Class::Order)),
            ("POST", "/v1/auth/login", Some(Class::Login)),
            ("POST", "/v1/auth/logout", Some(Class::Change)),
            ("GET", "/v1/admin/events", Some(Class::Admin)),
            ("POST", "/v1/webhooks/stripe", None),
            ("GET", "/healthz", None),
            ("GET", "/metrics", None),
            ("GET", "/events/{id}", None),
            ("GET", "", None),
        ] {
            assert_eq!(class_of(&method.parse().expect("a method"), route), class, "{method} {route}");
        }
    }

    fn standing(quota: &str, used: u32, is_of_address: bool) -> Standing {
        let quota: crate::limits::Quota = quota.parse().expect("a limit");
        let level = Level(quota.drain() * u64::from(used));
        Standing { class: Class::Hold, is_of_address, quota, level }
    }

    fn told(answer: Response, standings: &[Standing]) -> HeaderMap {
        let mut answer = answer;
        tell(&mut answer, standings);
        answer.headers().clone()
    }

    #[test]
    fn everybody_is_told_what_is_left_of_the_nearest_limit() {
        let headers = told(
            StatusCode::OK.into_response(),
            &[standing("20/10s", 1, false), standing("600/60s", 300, true)],
        );
        assert_eq!(headers[POLICY], "\"hold\";q=20;w=10, \"hold-address\";q=600;w=60");
        assert_eq!(headers[NOW], "\"hold\";r=19;t=1, \"hold-address\";r=300;t=30");
        assert_eq!(
            (&headers[LIMIT], &headers[REMAINING], &headers[RESET]),
            (
                &HeaderValue::from_static("600"),
                &HeaderValue::from_static("300"),
                &HeaderValue::from_static("30")
            )
        );
    }

    #[test]
    fn nothing_is_told_where_there_is_no_limit_or_a_cache_may_keep_it() {
        assert!(told(StatusCode::OK.into_response(), &[]).is_empty());
        let public = [(header::CACHE_CONTROL, "public, max-age=60")].into_response();
        assert!(!told(public, &[standing("20/10s", 1, false)]).contains_key(NOW));
    }

    #[test]
    fn whoever_comes_back_as_told_is_let_in() {
        let full = standing("3/10s", 3, false);
        let problem = refused(&Refusal { standings: vec![full], wait: full.quota.wait(full.level) });
        let answer = problem.into_response();
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.headers()[header::RETRY_AFTER], "4", "3.3 seconds, rounded up");
    }
}
