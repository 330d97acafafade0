//! The connections of a node: how many there may be, and how long one may be kept without anything moving on it.
//!
//! Whoever writes a request's head letter by letter, keeps a connection and says nothing, or asks and never reads the answer
//! costs us memory and a descriptor and pays nothing. Each of these ends here; a body that never ends is `http::intake`'s.

mod handover;
mod patient;

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use self::handover::GoingOn;
pub use self::handover::{Handover, Wire};
use self::patient::Patient;
use crate::config::Config;
use crate::lanes::Lanes;
use crate::telemetry::Metrics;

/// When three quarters of the connections are taken, new ones have only so long to say what they want.
const HURRIED: Duration = Duration::from_secs(5);
/// After a failed `accept`, which fails again at once while descriptors are short.
const PAUSE: Duration = Duration::from_millis(200);

/// What connections may cost.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub connections: usize,
    /// For the head of a request, between two requests, and for anything of an answer to be taken.
    pub patience: Duration,
}

impl Bounds {
    /// What the settings say, as far as the system lets us: each connection is an open file, and so is much else.
    pub fn of(config: &Config) -> Self {
        const FOR_ALL_ELSE: u64 = 256;
        let files = may_open().saturating_sub(FOR_ALL_ELSE).max(FOR_ALL_ELSE);
        let connections =
            usize::try_from(u64::from(config.connections).min(files)).unwrap_or(usize::MAX >> 3);
        Self { connections, patience: Duration::from_secs(config.connection_seconds.into()) }
    }
}

/// How many files this process may have open, after it has asked for as many as it may ask for.
fn may_open() -> u64 {
    let now = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: now.maximum, ..now };
    let most = if setrlimit(Resource::Nofile, wanted).is_ok() { now.maximum } else { now.current };
    most.unwrap_or(u64::MAX)
}

/// Serves until `stop`; then takes no more connections, and ends when those that are open have been answered.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    metrics: Metrics,
    lanes: Arc<Lanes>,
    stop: CancellationToken,
) {
    let free = Arc::new(Semaphore::new(bounds.connections));
    let open = TaskTracker::new();
    loop {
        // Beyond the most, callers wait in the backlog: nothing of ours is spent on them.
        let next = async {
            let place = Arc::clone(&free).acquire_owned().await.ok()?;
            Some((listener.accept().await, place))
        };
        let (accepted, place) = tokio::select! {
            () = stop.cancelled() => break,
            Some(next) = next => next,
            else => break,
        };
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(cause) => {
                tracing::debug!(%cause, "a connection could not be taken");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let is_crowded = free.available_permits() < bounds.connections / 4;
        let patience = if is_crowded { bounds.patience.min(HURRIED) } else { bounds.patience };
        let (router, metrics, stop) = (router.clone(), metrics.clone(), stop.clone());
        let lane = lanes.place();
        let runtime = lane.runtime.clone();
        runtime.spawn(open.track_future(async move {
            metrics.connections.inc();
            match on_this_lane(stream) {
                Ok(stream) => {
                    // In a box of its own: who goes on by hand needs nothing of what HTTP needed.
                    let talk = Box::pin(talk(stream, from, router, patience, stop));
                    if let Some(going_on) = talk.await {
                        going_on.await;
                    }
                }
                Err(cause) => tracing::debug!(%cause, "a connection could not be kept"),
            }
            metrics.connections.dec();
            drop((place, lane));
        }));
    }
    drop(listener);
    open.close();
    open.wait().await;
}

/// A socket tells the runtime that it was made in when it has something; from here on that is this one.
fn on_this_lane(stream: TcpStream) -> io::Result<TcpStream> {
    TcpStream::from_std(stream.into_std()?)
}

/// Answers requests until the connection ends, or until somebody takes it over.
async fn talk(
    stream: TcpStream,
    from: SocketAddr,
    router: Router,
    patience: Duration,
    stop: CancellationToken,
) -> Option<GoingOn> {
    // Messages of a live stream are small, and must not wait for each other. Without it they are only later.
    let _ = stream.set_nodelay(true);
    let handover = Handover::default();
    let offered = handover.clone();
    let service = router.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(from));
        request.extensions_mut().insert(offered.clone());
        request.map(Body::new)
    });
    let service = service.map_err(|never: Infallible| match never {});
    let stream = TokioIo::new(Patient::new(stream, patience, handover.clone()));
    let mut http = http1::Builder::new();
    // Between two requests, too: a connection on which nothing is asked waits for a head.
    http.timer(TokioTimer::new()).header_read_timeout(patience);
    let mut http = http.serve_connection(stream, TowerToHyperService::new(service));
    let (mut stopping, mut is_leaving) = (pin!(stop.cancelled()), false);
    let ended = poll_fn(|cx| {
        if !is_leaving && stopping.as_mut().poll(cx).is_ready() {
            is_leaving = true;
            Pin::new(&mut http).graceful_shutdown();
        }
        match Pin::new(&mut http).poll(cx) {
            Poll::Ready(ended) => Poll::Ready(Some(ended)),
            Poll::Pending if handover.is_due() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    });
    match ended.await {
        Some(Ok(())) => None,
        Some(Err(cause)) => {
            tracing::debug!(%cause, "a connection ended early");
            None
        }
        None => {
            let parts = http.into_parts();
            let wire = Wire::new(parts.io.into_inner(), !parts.read_buf.is_empty());
            handover.take().map(|goes_on| goes_on(wire))
        }
    }
}
