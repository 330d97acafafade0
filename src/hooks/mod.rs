//! Outgoing webhooks: other systems are told what happens here.
//!
//! What is decided in Postgres is logged in the transaction that decides it; what Redis decides is noted in the script
//! that decides it, and collected into the same log. From there on couriers deliver, as often as it takes: every event is
//! logged once and arrives at least once, in no promised order.

mod address;
mod collect;
mod deliver;
mod endpoint;
mod error;
mod kind;
mod log;
mod payload;
mod ping;
mod secret;
mod tell;
#[doc(hidden)]
pub mod untrusted;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use sqlx::PgPool;
use tokio::sync::Notify;

use crate::catalog::Catalog;
use crate::config::Config;
use crate::seal::Seal;
use crate::seats::Engine;
use crate::telemetry::Metrics;

use self::address::Allowed;
use self::wire::Wire;

pub use self::address::Network;
pub use self::endpoint::{Hook, HookPatch, HookState, NewHook};
pub use self::error::HooksError;
pub use self::kind::{EVERY, Kind};
pub use self::log::{Delivery, DeliveryState, LoggedEvent, Replay, Replayed};
pub use self::payload::{Offered, of_offer};
pub use self::tell::{is_heard, tell, wants_seats};
pub use self::wire::Outcome;

/// How long a delivery is tried, and with what patience.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// For one answer.
    answer: Duration,
    /// Before the first repeat.
    pause: Duration,
    /// Before a delivery is parked.
    retry: Duration,
    /// Before an endpoint that only fails is disabled.
    disable: Duration,
}

/// Everything that tells other systems. Cheap to clone.
#[derive(Clone)]
pub struct Hooks {
    pg: PgPool,
    catalog: Catalog,
    seats: Engine,
    metrics: Metrics,
    seal: Seal,
    wire: Wire,
    patience: Patience,
    live_money: bool,
    /// Rung when something is owed that a courier of this node should not wait for its timer to see.
    bell: Arc<Notify>,
}

impl Hooks {
    /// # Errors
    /// When no client can be built on this machine.
    pub fn new(
        pg: PgPool,
        catalog: Catalog,
        seats: Engine,
        metrics: Metrics,
        config: &Config,
        secret: &SecretString,
    ) -> Result<Self, reqwest::Error> {
        let patience = Patience {
            answer: Duration::from_secs(config.hooks_timeout_seconds.into()),
            pause: Duration::from_millis(config.hooks_pause_ms.into()),
            retry: Duration::from_secs(config.hooks_retry_seconds.into()),
            disable: Duration::from_secs(config.hooks_disable_seconds.into()),
        };
        let allowed = Allowed { networks: config.hooks_allow.clone(), private: config.hooks_allow_private };
        Ok(Self {
            pg,
            catalog,
            seats,
            metrics,
            seal: Seal::of(secret, b"holdfast hooks"),
            wire: Wire::new(allowed, patience.answer)?,
            patience,
            live_money: config.moves_real_money(),
            bell: Arc::default(),
        })
    }

    #[must_use]
    pub fn bell(&self) -> &Notify {
        &self.bell
    }
}
