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

/// How long a loop waits that has just come to an end of its work.
const IDLE: Duration = Duration::from_millis(250);

/// And one that has found nothing again and again: what another node left is found within it. Looking more often would keep
/// Postgres busy for nothing.
const LONGEST_IDLE: Duration = Duration::from_secs(1);

/// The longest pause of a loop that keeps failing: the end of an outage is noticed within it.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Starts every loop of a node. They end soon after `stop` is cancelled, each between two steps.
#[must_use]
pub fn start(app: &App, stop: &CancellationToken) -> JoinSet<()> {
    let desk = &app.desk;
    let mut loops = JoinSet::new();
    let inbox: Bell = Some(|wake| &wake.inbox);
    loops.spawn(repeat(
        "inbox",
        desk.clone(),
        inbox,
        stop.clone(),
        |desk| async move { desk.work_inbox().await },
    ));
    let outbox: Bell = Some(|wake| &wake.outbox);
    loops.spawn(repeat("outbox", desk.clone(), outbox, stop.clone(), |desk| async move {
        desk.work_outbox().await
    }));
    loops.spawn(repeat("open orders", desk.clone(), None, stop.clone(), |desk| async move {
        desk.attend().await
    }));
    loops.spawn(repeat("refunds", desk.clone(), None, stop.clone(), |desk| async move {
        desk.attend_refunds().await
    }));
    loops.spawn(repeat("cancelled events", desk.clone(), None, stop.clone(), |desk| async move {
        desk.call_off_cancelled_events().await
    }));
    loops.spawn(repeat("captured payments", desk.clone(), None, stop.clone(), |desk| async move {
        // What was settled is not there again: the next walk is the timer's, but one that was begun is gone on with.
        desk.reconcile_captures().await.map(|walked| walked.unfinished.into())
    }));
    loops.spawn(repeat("given back", desk.clone(), None, stop.clone(), |desk| async move {
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

/// What wakes a loop before its time.
type Bell = Option<fn(&Wake) -> &Notify>;

/// Repeats a step: at once while it finds work, at its bell or after a moment when it finds none, and with
/// growing pauses while it finds none or fails.
async fn repeat<S, W>(name: &'static str, desk: Desk, bell: Bell, stop: CancellationToken, next: S)
where
    S: Fn(Desk) -> W + Send,
    W: Future<Output = Result<usize, OrdersError>> + Send,
{
    let mut pause = IDLE;
    while !stop.is_cancelled() {
        let longest = match next(desk.clone()).await {
            Ok(done) => {
                desk.came_through(name);
                if done > 0 {
                    pause = IDLE;
                    continue;
                }
                LONGEST_IDLE
            }
            Err(error) => {
                tracing::warn!(%error, worker = name, "a step failed; trying again");
                LONGEST_PAUSE
            }
        };
        let is_rung = wait(pause, bell.map(|bell| bell(desk.wake())), &stop).await;
        pause = if is_rung { IDLE } else { (pause * 2).min(longest) };
    }
}

/// Waits for the time, the bell or the end, whichever is first; says whether it was the bell.
async fn wait(pause: Duration, bell: Option<&Notify>, stop: &CancellationToken) -> bool {
    let rung = async {
        match bell {
            Some(bell) => bell.notified().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = stop.cancelled() => false,
        () = tokio::time::sleep(pause) => false,
        () = rung => true,
    }
}
