//! What handlers work with: one cheap handle each, taken one by one or all together.

use std::ops::Deref;
use std::sync::Arc;

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::crier::Criers;
use super::idempotency::Once;
use crate::accounts::Accounts;
use crate::app::App;
use crate::catalog::Catalog;
use crate::config::Config;
use crate::hooks::Hooks;
use crate::limits::Limits;
use crate::orders::Desk;
use crate::room::Rooms;
use crate::seal::Seal;
use crate::seats::{Engine, Pictures};
use crate::stores::redis::Redis;
use crate::telemetry::Metrics;
use crate::waitlist::Waitlist;

/// The node's handles, and what only HTTP needs, behind one pointer: each layer of each request takes a copy.
#[derive(Clone)]
pub struct AppState(Arc<Handles>);

pub struct Handles {
    pub config: Arc<Config>,
    pub pg: PgPool,
    pub redis: Redis,
    pub metrics: Metrics,
    pub accounts: Accounts,
    pub limits: Limits,
    pub catalog: Catalog,
    pub engine: Engine,
    pub pictures: Pictures,
    pub desk: Desk,
    pub waitlist: Waitlist,
    pub rooms: Rooms,
    pub hooks: Hooks,
    pub once: Once,
    pub criers: Criers,
    /// Cancelled when the node is told to go.
    pub leaving: CancellationToken,
}

impl Deref for AppState {
    type Target = Handles;

    fn deref(&self) -> &Handles {
        &self.0
    }
}

impl From<App> for AppState {
    fn from(app: App) -> Self {
        let secret = app.config.jwt_secret.as_ref().expect("a node does not start without JWT_SECRET");
        Self(Arc::new(Handles {
            once: Once::new(app.pg.clone(), Seal::new(secret)),
            criers: Criers::new(app.pictures.clone(), app.closing),
            config: app.config,
            pg: app.pg,
            redis: app.redis,
            metrics: app.metrics,
            accounts: app.accounts,
            limits: app.limits,
            catalog: app.catalog,
            engine: app.engine,
            pictures: app.pictures,
            desk: app.desk,
            waitlist: app.waitlist,
            rooms: app.rooms,
            hooks: app.hooks,
            leaving: app.leaving,
        }))
    }
}
