//! The service over HTTP: one file per resource on one frame.
//!
//! Handlers parse, call one function of the domain and shape the answer. Who may call is an extractor, what
//! went wrong is a [`problem::Problem`], and what every call shares is a layer of [`router`].

mod admin_accounts;
mod admin_comps;
mod admin_events;
mod admin_exports;
mod admin_log;
mod admin_orders;
mod admin_seats;
mod allowance;
mod auth;
mod availability;
mod cache;
mod coding;
mod crier;
mod door;
mod errors;
mod events;
pub mod extract;
mod holds;
mod hook_log;
mod hooks;
pub mod idempotency;
mod intake;
mod json;
mod layers;
mod limit;
mod live;
mod me;
mod openapi;
mod orders;
mod pages;
pub mod pagination;
mod pieces;
pub mod problem;
pub mod request_id;
mod room;
mod state;
mod system;
mod tickets;
#[doc(hidden)]
pub mod untrusted;
mod visitor;
mod waitlist;
mod way;
mod webhooks;
mod wish;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, Predicate, SizeAbove};
use utoipa_axum::router::OpenApiRouter;

pub use self::state::AppState;
use crate::app::App;

/// Every resource, with its documentation.
fn resources() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::base())
        .merge(auth::routes())
        .merge(me::routes())
        .merge(events::routes())
        .merge(availability::routes())
        .merge(live::routes())
        .merge(holds::routes())
        .merge(orders::routes())
        .merge(webhooks::routes())
        .merge(admin_accounts::routes())
        .merge(admin_events::routes())
        .merge(admin_seats::routes())
        .merge(admin_orders::routes())
        .merge(admin_comps::routes())
        .merge(admin_exports::routes())
        .merge(admin_log::routes())
        .merge(tickets::routes())
        .merge(waitlist::routes())
        .merge(room::routes())
        .merge(door::routes())
        .merge(hooks::routes())
        .merge(hook_log::routes())
        .merge(system::routes())
}

/// The whole service. Layers are listed from outside to the handler; each needs what stands above it.
pub fn router(app: App) -> Router {
    let app = AppState::from(app);
    let other_sites = layers::cross_origin(&app.config.cors_origins);
    let only_by_tls = layers::only_by_tls(&app.config.public_url());
    let pays_at_stripe = app.config.stripe_publishable_key.is_some() && app.config.pay_page_url.is_none();
    let (calls, api) = resources().split_for_parts();
    let service = calls
        .merge(pages::router(&openapi::finish(&api), pays_at_stripe))
        .fallback(layers::not_found)
        .method_not_allowed_fallback(layers::method_not_allowed)
        // Intake has bounded the body already, route by route.
        .layer(DefaultBodyLimit::disable())
        .layer(
            ServiceBuilder::new()
                .layer(from_fn_with_state(app.clone(), layers::around))
                .layer(CompressionLayer::new().compress_when(worth_packing()))
                .layer(CatchPanicLayer::custom(layers::panicked))
                .layer(from_fn_with_state(app.clone(), way::lead))
                .layer(CatchPanicLayer::custom(layers::panicked)),
        )
        .with_state(app);
    let service = match other_sites {
        // What it answers by itself is an answer, too.
        Some(layer) => service.layer(layer).layer(map_response(async |mut answer: Response| {
            layers::be_careful(&mut answer);
            answer
        })),
        None => service,
    };
    match only_by_tls {
        Some(layer) => service.layer(layer),
        None => service,
    }
}

/// What goes into a packet or two is there no sooner for being packed, and a hold or its refusal would cost the node twice as much.
fn worth_packing() -> impl Predicate {
    DefaultPredicate::new().and(SizeAbove::new(2048))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::HashSet;

    /// Every call of the API: its method, its path and what is written of it.
    fn calls() -> Vec<(String, String, Value)> {
        let document = openapi::finish(resources().get_openapi());
        let mut calls = Vec::new();
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, call) in item.as_object().expect("calls") {
                calls.push((method.clone(), path.clone(), call.clone()));
            }
        }
        calls
    }

    #[test]
    fn every_call_is_described_once_and_whole() {
        let mut ids = HashSet::new();
        for (method, path, call) in calls() {
            let name = format!("{method} {path}");
            assert!(call["summary"].is_string(), "{name} says nothing");
            assert!(call["tags"].is_array(), "{name} belongs nowhere");
            assert!(ids.insert(call["operationId"].clone()), "{name} shares its id {}", call["operationId"]);
            let mut parameters = HashSet::new();
            for parameter in call["parameters"].as_array().into_iter().flatten() {
                let is_new = parameters.insert((parameter["in"].to_string(), parameter["name"].to_string()));
                assert!(is_new, "{name} has {} twice", parameter["name"]);
            }
            for (status, answer) in call["responses"].as_object().expect("answers") {
                let is_problem =
                    answer["$ref"].is_string() || answer["content"]["application/problem+json"].is_object();
                assert!(
                    !status.starts_with(['4', '5']) || is_problem,
                    "{name} {status} is no problem document"
                );
            }
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Object(members) => {
                    found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                    members.values().for_each(|member| references(member, found));
                }
                Value::Array(items) => items.iter().for_each(|item| references(item, found)),
                _ => {}
            }
        }
        let document = openapi::finish(resources().get_openapi());
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            let pointer = reference.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
    }

    #[test]
    fn who_must_sign_in_is_written_down() {
        let public = [
            "/v1/auth/register",
            "/v1/auth/login",
            "/v1/auth/refresh",
            "/v1/auth/logout",
            "/v1/events",
            "/v1/events/{id}",
            "/v1/events/{id}/seats",
            "/v1/events/{id}/availability",
            "/v1/events/{id}/status",
            "/v1/events/{id}/live",
            "/v1/tickets/keys",
            "/v1/webhooks/stripe",
        ];
        for (method, path, call) in calls().iter().filter(|(_, path, _)| path.starts_with("/v1/")) {
            let is_public = public.contains(&path.as_str());
            assert_eq!(call["security"].is_null(), is_public, "{method} {path}");
            assert!(is_public || call["responses"]["401"].is_object(), "{method} {path}");
        }
    }
}
