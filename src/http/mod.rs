//! The service over HTTP: one file per resource on one frame.
//!
//! Handlers parse, call one function of the domain and shape the answer. Who may call is an extractor, what
//! went wrong is a [`problem::Problem`], and what every call shares is a layer of [`router`].

mod admin_accounts;
mod admin_events;
mod admin_orders;
mod allowance;
mod auth;
mod availability;
mod cache;
mod errors;
mod events;
pub mod extract;
mod holds;
pub mod idempotency;
mod intake;
mod json;
mod layers;
mod live;
mod me;
mod openapi;
mod orders;
mod pages;
pub mod pagination;
pub mod problem;
pub mod request_id;
mod state;
mod system;
mod webhooks;
mod wish;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
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
        .merge(admin_orders::routes())
        .merge(system::routes())
}

/// The whole service. Layers are listed from the handler outwards; each needs what stands below it.
pub fn router(app: App) -> Router {
    let app = AppState::from(app);
    let (calls, api) = resources().split_for_parts();
    calls
        .merge(pages::router(&openapi::finish(&api)))
        .fallback(layers::not_found)
        .method_not_allowed_fallback(layers::method_not_allowed)
        // Intake has bounded the body already, route by route.
        .layer(DefaultBodyLimit::disable())
        .layer(CatchPanicLayer::custom(layers::panicked))
        // Inside the time budget: when time is up, the key is let go for the next try.
        .layer(from_fn_with_state(app.clone(), idempotency::remember))
        .layer(from_fn(intake::hurry))
        .layer(from_fn(intake::receive))
        .layer(from_fn_with_state(app.clone(), extract::identify))
        .layer(from_fn(layers::only_problems))
        .layer(CatchPanicLayer::custom(layers::panicked))
        .layer(CompressionLayer::new())
        .layer(from_fn(layers::careful))
        .layer(from_fn_with_state(app.clone(), layers::observe))
        .layer(from_fn(request_id::name))
        .with_state(app)
}
