//! What a node does without being asked: loops around steps that the domain offers.
//!
//! Each step is a function that can be called by hand, which is what tests do; a loop only adds the when. Steps
//! lease their rows, so any number of nodes may run all loops at once.

mod accounts;
pub mod audit;
mod hooks;
mod mailer;
mod pictures;
pub mod recover;
mod room;
mod sweeper;
mod tidy;
mod waitlist;

use std::future::Future;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::orders::{Desk, OrdersError, Wake};

/// How long a loop with nothing to do waits before it looks by itself: what other nodes left is found within it.
const IDLE: Duration = Duration::from_millis(250);

/// The same of a walk over Stripe's lists, which is due by the clock: looking more often would only keep Postgres busy.
const BETWEEN_WALKS: Duration = Duration::from_secs(1);

/// The longest pause of a loop that keeps failing: the end of an outage is noticed within it.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Starts every loop of a node. They end soon after `stop` is cancelled, each between two steps.
#[must_use]
pub fn start(app: &App, stop: &CancellationToken) -> JoinSet<()> {
    let desk = &app.desk;
    let mut loops = JoinSet::new();
    let rings = |bell: fn(&Wake) -> &Notify| Idle { pause: IDLE, bell: Some(bell) };
    let looks = |pause| Idle { pause, bell: None };
    let inbox = rings(|wake| &wake.inbox);
    loops.spawn(repeat(
        "inbox",
        desk.clone(),
        inbox,
        stop.clone(),
        |desk| async move { desk.work_inbox().await },
    ));
    let outbox = rings(|wake| &wake.outbox);
    loops.spawn(repeat("outbox", desk.clone(), outbox, stop.clone(), |desk| async move {
        desk.work_outbox().await
    }));
    loops.spawn(repeat("open orders", desk.clone(), looks(IDLE), stop.clone(), |desk| async move {
        desk.attend().await
    }));
    loops.spawn(repeat("refunds", desk.clone(), looks(IDLE), stop.clone(), |desk| async move {
        desk.attend_refunds().await
    }));
    loops.spawn(repeat("cancelled events", desk.clone(), looks(IDLE), stop.clone(), |desk| async move {
        desk.call_off_cancelled_events().await
    }));
    let walks = looks(BETWEEN_WALKS);
    loops.spawn(repeat("captured payments", desk.clone(), walks, stop.clone(), |desk| async move {
        // What was settled is not there again: the next walk is the timer's, but one that was begun is gone on with.
        desk.reconcile_captures().await.map(|walked| walked.unfinished.into())
    }));
    loops.spawn(repeat("given back", desk.clone(), walks, stop.clone(), |desk| async move {
        desk.reconcile_refunds().await.map(|walked| walked.unfinished.into())
    }));
    loops.spawn(accounts::learn(app.clone(), stop.clone()));
    loops.spawn(mailer::run(app.clone(), stop.clone()));
    loops.spawn(sweeper::run(app.clone(), stop.clone()));
    loops.spawn(room::run(app.clone(), stop.clone()));
    loops.spawn(waitlist::run(app.clone(), stop.clone()));
    loops.spawn(hooks::collect(app.clone(), stop.clone()));
    loops.spawn(hooks::deliver(app.clone(), stop.clone()));
    loops.spawn(pictures::watch(app.clone(), stop.clone()));
    loops.spawn(pictures::reconcile(app.clone(), stop.clone()));
    loops.spawn(audit::repeat(app.clone(), stop.clone()));
    loops.spawn(tidy::repeat(app.clone(), stop.clone()));
    loops
}

/// What a loop with nothing to do waits for.
#[derive(Clone, Copy)]
struct Idle {
    pause: Duration,
    bell: Option<fn(&Wake) -> &Notify>,
}

/// Repeats a step: at once while it finds work, at its bell or after a moment when it finds none, and with
/// growing pauses while it fails.
async fn repeat<S, W>(name: &'static str, desk: Desk, idle: Idle, stop: CancellationToken, next: S)
where
    S: Fn(Desk) -> W + Send,
    W: Future<Output = Result<usize, OrdersError>> + Send,
{
    let mut pause = idle.pause;
    while !stop.is_cancelled() {
        match next(desk.clone()).await {
            Ok(done) => {
                pause = idle.pause;
                desk.came_through(name);
                if done > 0 {
                    continue;
                }
            }
            Err(error) => {
                tracing::warn!(%error, worker = name, "a step failed; trying again");
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        wait(pause, idle.bell.map(|bell| bell(desk.wake())), &stop).await;
    }
}

/// Waits for the time, the bell or the end, whichever is first.
async fn wait(pause: Duration, bell: Option<&Notify>, stop: &CancellationToken) {
    let rung = async {
        match bell {
            Some(bell) => bell.notified().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(pause) => {}
        () = rung => {}
    }
}
