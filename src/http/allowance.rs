//! What each route may cost: how long its answer may take, how large its body may be, and where the answers
//! to its repeats are kept. One table, because three layers read it.

use std::time::Duration;

use axum::extract::{MatchedPath, Request};
use axum::http::Method;

/// Below the two seconds in which every call answers, with room for the way back.
const PROMPT: Duration = Duration::from_millis(1800);
/// Calls that wait for Stripe, or that compile and store a stadium.
const PATIENT: Duration = Duration::from_secs(20);

/// Draws a chart and changes nothing.
const PREVIEW: &str = "/v1/admin/charts/preview";

const ORDINARY_BODY: usize = 2 << 20;
/// A chart of 100,000 seats with coordinates is about half of this.
const CHART_BODY: usize = 32 << 20;

/// Where the answers of calls with an `Idempotency-Key` are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// The call changes nothing, or finds its own repeats.
    Nowhere,
    /// Beside the effect it guards.
    Postgres,
    /// In Redis, in the step that decides about the seats: the stampede of a sale must not reach Postgres.
    WithTheHold,
}

/// What one route may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// `None`: the answer is a stream that ends when its reader goes.
    pub time: Option<Duration>,
    /// Bytes.
    pub body: usize,
    pub memory: Memory,
}

impl Allowance {
    pub fn of(request: &Request) -> Self {
        let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
        Self::of_route(request.method(), route)
    }

    fn of_route(method: &Method, route: &str) -> Self {
        let time = match (method.as_str(), route) {
            ("GET", "/v1/events/{id}/live" | "/v1/admin/events/{id}/orders.csv") => None,
            (
                "POST" | "PUT" | "DELETE",
                "/v1/orders"
                | "/v1/orders/{id}/cancel"
                | "/v1/holds/{id}" // of an order: its payment is cancelled first
                | "/v1/admin/orders/{id}/refund"
                | "/v1/admin/hooks/{id}/ping" // waits for another system to answer
                | "/v1/admin/events"
                | "/v1/admin/events/{id}"
                | "/v1/admin/events/{id}/publish"
                | "/v1/admin/events/{id}/comps"
                | PREVIEW
                | "/v1/admin/events/{id}/cancel",
            )
            | ("GET", "/v1/orders/{id}/tickets.pdf") => Some(PATIENT), // a page for each of up to 2,000 seats
            _ => Some(PROMPT),
        };
        let body = match (method.as_str(), route) {
            ("POST", "/v1/admin/events" | PREVIEW) | ("PUT", "/v1/admin/events/{id}") => CHART_BODY,
            _ => ORDINARY_BODY,
        };
        let memory = match (method.as_str(), route) {
            // Stripe's events carry an id of their own, and the inbox keeps it.
            // Coming to a waiting room again changes nothing.
            // What is gone is gone, however often it is let go.
            (_, "/v1/webhooks/stripe" | "/v1/events/{id}/room" | PREVIEW) | ("DELETE", "/v1/holds/{id}") => {
                Memory::Nowhere
            }
            ("POST", "/v1/events/{id}/holds") => Memory::WithTheHold,
            ("POST" | "PATCH" | "PUT" | "DELETE", route) if route.starts_with("/v1/") => Memory::Postgres,
            _ => Memory::Nowhere,
        };
        Self { time, body, memory }
    }
}

/// The most that a caller who has not proved to be an organiser may send, wherever to.
pub fn body_of_a_stranger(allowed: usize) -> usize {
    allowed.min(ORDINARY_BODY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_are_remembered_where_they_are_and_other_changes_in_postgres() {
        let memory = |method, route| Allowance::of_route(&method, route).memory;
        assert_eq!(memory(Method::POST, "/v1/events/{id}/holds"), Memory::WithTheHold);
        assert_eq!(memory(Method::DELETE, "/v1/holds/{id}"), Memory::Nowhere);
        assert_eq!(memory(Method::POST, "/v1/orders"), Memory::Postgres);
        assert_eq!(memory(Method::PATCH, "/v1/admin/events/{id}"), Memory::Postgres);
        assert_eq!(memory(Method::POST, "/v1/webhooks/stripe"), Memory::Nowhere);
        assert_eq!(memory(Method::GET, "/v1/orders"), Memory::Nowhere);
    }

    #[test]
    fn only_a_stream_may_last_for_ever() {
        assert_eq!(Allowance::of_route(&Method::GET, "/v1/events/{id}/live").time, None);
        assert_eq!(Allowance::of_route(&Method::GET, "/v1/events/{id}").time, Some(PROMPT));
        assert_eq!(Allowance::of_route(&Method::POST, "/v1/orders").time, Some(PATIENT));
    }
}
