//! One node at work: it serves, its workers work, and it goes without leaving anything half done.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::app::App;
use crate::connections::{self, Bounds};
use crate::lanes::Lanes;
use crate::{http, workers};

/// Serves and works until `stop`; then finishes what is in flight, within its time.
pub fn serve(app: App, listener: TcpListener, stop: CancellationToken) -> JoinHandle<()> {
    tokio::spawn(async move {
        let loops_stop = CancellationToken::new();
        let loops = workers::start(&app, &loops_stop);
        let patience = Duration::from_secs(app.config.shutdown_seconds.into());
        let drain = Duration::from_secs(app.config.drain_seconds.into());
        let (leaving, closing) = (app.leaving.clone(), app.closing.clone());
        let pg = app.pg.clone();
        let (bounds, metrics) = (Bounds::of(&app.config), app.metrics.clone());
        let lanes = match Lanes::open() {
            Ok(lanes) => Arc::new(lanes),
            Err(error) => return tracing::error!(%error, "there are no threads to serve with"),
        };
        let router = http::router(app);
        let serving =
            connections::serve(listener, router, bounds, metrics, Arc::clone(&lanes), closing.clone());
        // However this ends, the server ends with it.
        let serving = AbortOnDropHandle::new(tokio::spawn(serving));
        let abort = serving.abort_handle();
        let deadline = async {
            stop.cancelled().await;
            // Readiness says no from here on. Whoever sends customers needs a moment to notice, and in that moment nobody
            // is turned away.
            leaving.cancel();
            tokio::time::sleep(drain).await;
            // Nobody is let in any more, and streams end, so that connections drain.
            closing.cancel();
            tokio::time::sleep(patience).await;
        };
        tokio::select! {
            served = serving => {
                if let Err(error) = served {
                    tracing::error!(%error, "the server ended");
                }
            }
            () = deadline => {
                abort.abort();
                tracing::warn!("requests were still in flight when time was up");
            }
        }
        closing.cancel();
        // What the last requests have committed is worked through before the workers go.
        loops_stop.cancel();
        if tokio::time::timeout(patience, loops.join_all()).await.is_err() {
            tracing::warn!("a worker was still busy when time was up; its lease ends by itself");
        }
        pg.close().await;
        // Only now: what was opened on them is used elsewhere, too.
        drop(lanes);
    })
}
