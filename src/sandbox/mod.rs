//! A Stripe double on its own port, so that dev, tests and production run the same Stripe client.
//!
//! It keeps Stripe's contract where ours leans on it: idempotency keys, the states of a PaymentIntent, refunds that
//! never exceed what was captured, signed webhooks at least once. On top it has what Stripe has not: a page to pay
//! by hand, a ledger to audit against, and switches that make it slow, forgetful or rude.

mod api;
mod clock;
mod controls;
mod failure;
mod faults;
mod intents;
mod journal;
mod ledger;
mod lists;
mod methods;
mod objects;
mod once;
mod page;
mod params;
mod refunds;
mod reply;
mod shapes;
mod switchboard;
mod webhooks;
mod world;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use controls::{Controls, NotPossible};
pub use faults::{CallFault, Endpoint, Faults, How, RefundMode, WebhookFaults, When};
pub use ledger::{IntentLine, Ledger, Sums};
pub use objects::{Charge, ChargeStatus, Delivery, DeliveryState, Outcome, Refund};
pub use webhooks::ReleaseOrder;

use world::{Shared, World};

/// How long a stop waits for answers under way. Those that a switch holds back are cut off at once.
const LAST_ANSWERS: Duration = Duration::from_secs(3);

/// Where webhooks go, and the secret they are signed with.
#[derive(Debug, Clone)]
pub struct WebhookTarget {
    pub url: String,
    pub secret: SecretString,
}

/// The settings of a sandbox.
#[derive(Debug, Clone)]
pub struct SandboxSettings {
    /// May be set later: until then deliveries wait.
    pub webhook: Option<WebhookTarget>,
    pub secret_key: SecretString,
    pub publishable_key: String,
    /// Where the ledger outlives a restart; without it everything is forgotten.
    pub journal: Option<PathBuf>,
    /// How browsers reach the pay page. Default: the address that it listens on.
    pub public_url: Option<String>,
}

/// A running sandbox. It stops when this is dropped; [`Sandbox::stop`] also waits for it.
#[derive(Debug)]
pub struct Sandbox {
    addr: SocketAddr,
    controls: Controls,
    server: JoinHandle<io::Result<()>>,
    stopping: DropGuard,
}

/// Starts a sandbox on an open port.
///
/// # Errors
/// When the journal cannot be read or written, or the port is not open.
pub async fn start(settings: SandboxSettings, listener: TcpListener) -> io::Result<Sandbox> {
    let addr = listener.local_addr()?;
    let base_url = settings.public_url.clone().unwrap_or_else(|| format!("http://{addr}"));
    let world = World::open(&settings, base_url.trim_end_matches('/').to_owned())?;
    let stop = CancellationToken::new();
    let shared = Arc::new(Shared::new(world, stop.clone()));

    let app = Router::new()
        .merge(page::routes())
        .merge(switchboard::routes())
        .fallback(api::serve)
        .with_state(Arc::clone(&shared));
    let server = axum::serve(listener, app).with_graceful_shutdown(stop.clone().cancelled_owned());
    let server = tokio::spawn(async move { server.await });
    tokio::spawn(webhooks::deliver_for_ever(Arc::clone(&shared)));
    tokio::spawn(clock::settle_for_ever(Arc::clone(&shared)));
    Ok(Sandbox { addr, controls: Controls::new(shared), server, stopping: stop.drop_guard() })
}

impl Sandbox {
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What to give a Stripe client as its API's address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub fn controls(&self) -> &Controls {
        &self.controls
    }

    /// Finishes the answers under way, within a bound, and closes the port.
    pub async fn stop(mut self) {
        drop(self.stopping);
        if tokio::time::timeout(LAST_ANSWERS, &mut self.server).await.is_err() {
            self.server.abort();
        }
    }
}
