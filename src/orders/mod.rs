//! Orders: the protocol between a hold, a payment and a sold seat.
//!
//! **Write the intent, commit, act, record.** Every effect outside Postgres follows a committed row that names
//! it, and every function here may be called again after a crash at any line. No transaction or lock is ever
//! open while Redis or Stripe is asked.

mod attend;
mod backlog;
mod blocks;
mod cancel;
mod captures;
mod checkout;
mod claims;
mod close;
mod comps;
mod confirm;
mod door;
mod effects;
mod error;
mod event_cancelled;
mod find;
mod found;
mod inbox;
mod lease;
mod letters;
mod log;
mod money_back;
mod moving;
mod papers;
mod parked;
mod payment;
mod picture;
mod read;
mod rebuild;
mod report;
mod settle;
mod state;
mod ticket_log;
mod told;
mod witness;

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::{Notify, Semaphore};

use crate::catalog::Catalog;
use crate::config::PaymentFailed;
use crate::payments::Gateway;
use crate::seats::Engine;
use crate::telemetry::Metrics;
use crate::tickets::TicketKeys;

pub use crate::orders::backlog::{Backlog, Queue};
pub use crate::orders::cancel::{Cancellation, GoodWill};
pub use crate::orders::captures::Walked;
pub use crate::orders::checkout::Checkout;
pub use crate::orders::comps::Comp;
pub use crate::orders::door::{Admission, DoorTicket, Scan};
pub use crate::orders::error::{OrdersError, RefusedSeat};
pub use crate::orders::find::{Search, Whose};
pub use crate::orders::inbox::Noted;
pub use crate::orders::log::{Actor, Because};
pub use crate::orders::moving::Move;
pub use crate::orders::papers::{Paper, calendar_of};
pub use crate::orders::parked::Parked;
pub use crate::orders::read::{
    Buyer, EventSummary, LogEntry, Order, OrderSeat, PaymentToMake, RefundView, Ticket,
};
pub use crate::orders::report::{SaleReport, SoldSeat};
pub use crate::orders::state::OrderState;
pub use crate::orders::ticket_log::TicketLogEntry;

/// The times of the protocol.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// How long a hold lasts where its event does not say.
    pub hold: Duration,
    /// What a checkout leaves to pay at least.
    pub payment: Duration,
    /// How long seats outlive the deadline a customer sees, so that the money door closes first.
    pub grace: Duration,
    /// How often Stripe is asked about an open order that no webhook speaks of.
    pub reconcile: Duration,
}

/// Everything that turns holds into sold seats and back. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    pg: PgPool,
    catalog: Catalog,
    seats: Engine,
    payments: Gateway,
    metrics: Metrics,
    tickets: TicketKeys,
    clock: Clock,
    payment_failed: PaymentFailed,
    live_money: bool,
    wake: Arc<Wake>,
    rebuilding: Arc<Semaphore>,
}

/// Rung when a row was committed that a worker of this node should not wait for its timer to see.
#[derive(Debug, Default)]
pub struct Wake {
    pub inbox: Notify,
    pub outbox: Notify,
}

impl Desk {
    #[must_use]
    pub fn new(
        pg: PgPool,
        catalog: Catalog,
        seats: Engine,
        payments: Gateway,
        metrics: Metrics,
        tickets: TicketKeys,
        rules: Rules,
    ) -> Self {
        let Rules { clock, payment_failed, live_money } = rules;
        let wake = Arc::default();
        // A rebuild has one connection for its lock and needs another one at times: were there as many rebuilds as
        // connections, each would wait for the others, and nobody would have one.
        let at_a_time = usize::try_from(pg.options().get_max_connections() / 4).unwrap_or(1).max(1);
        let rebuilding = Arc::new(Semaphore::new(at_a_time));
        Self {
            pg,
            catalog,
            seats,
            payments,
            metrics,
            tickets,
            clock,
            payment_failed,
            live_money,
            wake,
            rebuilding,
        }
    }

    /// What tickets are signed with.
    #[must_use]
    pub fn ticket_keys(&self) -> &TicketKeys {
        &self.tickets
    }

    /// Notes for the operator that a loop over this desk's work came through.
    pub fn came_through(&self, worker: &'static str) {
        self.metrics.came_through(worker);
    }

    #[must_use]
    pub fn wake(&self) -> &Wake {
        &self.wake
    }
}

/// How this house does business.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    pub clock: Clock,
    pub payment_failed: PaymentFailed,
    /// Whether the Stripe key moves real money; events of the other kind are not ours.
    pub live_money: bool,
}
