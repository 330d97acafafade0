//! A mailbox for everybody: an SMTP server on loopback whose letters land on a page that a person can open.
//!
//! Dev, tests and production send with the same code; only the address differs. On top it has what a real server does not
//! offer: switches that make it refuse, put off, hang and forget.

mod behaviour;
mod page;
mod reading;
mod shelf;
mod smtp;
mod view;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use behaviour::{Behaviour, How};
pub use reading::{File, Read, read};
pub use shelf::{Letter, Shelf};

/// How long a stop waits for pages under way.
const LAST_PAGES: Duration = Duration::from_secs(2);

/// A running mailbox. It stops when this is dropped; [`Mailbox::stop`] also waits for it.
#[derive(Debug)]
pub struct Mailbox {
    smtp: SocketAddr,
    web: SocketAddr,
    shelf: Arc<Shelf>,
    server: JoinHandle<io::Result<()>>,
    stopping: DropGuard,
}

/// Starts a mailbox on two open ports: one for letters, one for people. With a journal it remembers between runs.
///
/// # Errors
/// When the journal cannot be used, or a port is not open.
pub async fn start(smtp: TcpListener, web: TcpListener, journal: Option<PathBuf>) -> io::Result<Mailbox> {
    let (smtp_addr, web_addr) = (smtp.local_addr()?, web.local_addr()?);
    let shelf = tokio::task::spawn_blocking(move || Shelf::open(journal.as_deref())).await??;
    let shelf = Arc::new(shelf);
    let stop = CancellationToken::new();
    tokio::spawn(smtp::serve(smtp, Arc::clone(&shelf), stop.clone()));
    let pages = axum::serve(web, page::routes(Arc::clone(&shelf)))
        .with_graceful_shutdown(stop.clone().cancelled_owned());
    let server = tokio::spawn(async move { pages.await });
    Ok(Mailbox { smtp: smtp_addr, web: web_addr, shelf, server, stopping: stop.drop_guard() })
}

impl Mailbox {
    /// What to give a node as its SMTP_URL.
    #[must_use]
    pub fn smtp_url(&self) -> String {
        format!("smtp://{}", self.smtp)
    }

    /// Where the page is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.web)
    }

    /// Its letters and its switches.
    #[must_use]
    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// Closes both ports.
    pub async fn stop(mut self) {
        drop(self.stopping);
        if tokio::time::timeout(LAST_PAGES, &mut self.server).await.is_err() {
            self.server.abort();
        }
    }
}
