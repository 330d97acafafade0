//! The waiting list: parties in the order in which they came, and seats that are offered to them as they come free.
//!
//! An offer *is* a hold on named seats, made in one step out of what nobody has, so that the public never sees them
//! free. The order is kept by two things. The list is read under a lock that no joining party can overtake. And seats
//! are offered only while Redis knows of no *news*: as long as nothing came free, whoever could not be served before
//! still cannot be. Every move leaves a row that proves it.

mod agree;
mod entry;
mod error;
mod join;
mod leave;
mod offers;
mod read;
mod serve;
mod standing;
mod unwritten;
mod wish;

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::Notify;

use self::standing::Standings;
use crate::catalog::Catalog;
use crate::seats::Engine;
use crate::telemetry::Metrics;

pub use self::entry::{EntryState, Party};
pub use self::error::WaitlistError;
pub use self::join::Join;
pub use self::offers::{OpenOffer, open_offers, take_up};
pub use self::read::{Entry, Offer, Waiter};
pub use self::serve::Attention;
pub use self::standing::Standing;

/// The waiting lists of all events. Cheap to clone.
#[derive(Clone)]
pub struct Waitlist {
    pg: PgPool,
    catalog: Catalog,
    seats: Engine,
    metrics: Metrics,
    /// How long an offer lasts where its event does not say.
    offer: Duration,
    standings: Standings,
    /// Rung when a party has come, so that the worker of this node need not wait for its timer.
    bell: Arc<Notify>,
}

impl Waitlist {
    #[must_use]
    pub fn new(pg: PgPool, catalog: Catalog, seats: Engine, metrics: Metrics, offer: Duration) -> Self {
        Self { pg, catalog, seats, metrics, offer, standings: Standings::default(), bell: Arc::default() }
    }

    #[must_use]
    pub fn bell(&self) -> &Notify {
        &self.bell
    }
}
