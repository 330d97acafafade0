//! What handlers work with: one cheap handle each, taken one by one.

use std::sync::Arc;

use axum::extract::FromRef;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::idempotency::Once;
use crate::accounts::Accounts;
use crate::catalog::Catalog;
use crate::config::Config;
use crate::seats::{Engine, Pictures};
use crate::stores::redis::Redis;
use crate::telemetry::Metrics;

/// Everything that a handler may ask for.
#[derive(Clone, FromRef)]
pub struct AppState {
    pub config: Arc<Config>,
    pub pg: PgPool,
    pub redis: Redis,
    pub metrics: Metrics,
    pub accounts: Accounts,
    pub catalog: Catalog,
    pub engine: Engine,
    pub pictures: Pictures,
    pub once: Once,
    /// Cancelled when the node goes down: streams end, so that the shutdown need not wait for their readers.
    pub shutdown: CancellationToken,
}
