//! The service over HTTP: one file per resource on one frame.
//!
//! Handlers parse, call one function of the domain and shape the answer. Who may call is an extractor, what
//! went wrong is a [`problem::Problem`], and what every call shares is a layer of [`router`].

mod allowance;
pub mod extract;
pub mod idempotency;
mod intake;
mod json;
mod layers;
mod openapi;
pub mod problem;
pub mod request_id;
mod state;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use utoipa_axum::router::OpenApiRouter;

pub use self::state::AppState;

/// Every resource, with its documentation.
fn resources() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::base())
}

/// The whole service. Layers are listed from the handler outwards; each needs what stands below it.
pub fn router(app: AppState) -> Router {
    let (calls, api) = resources().split_for_parts();
    let _ = openapi::finish(&api);
    calls
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
