//! Tells other systems: collects what Redis has noted, and sends a courier to every endpoint that is owed something.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::hooks::Hooks;
use crate::ids::HookId;
use crate::workers::{LONGEST_PAUSE, wait};

/// How often diaries are read and debts looked for.
const PERIOD: Duration = Duration::from_millis(250);
/// Endpoints that this node calls at a time: one that does not answer holds up nobody else.
const COURIERS: usize = 64;

/// Collects until stopped. Once in a while every event is looked at, so that a Redis that was away learns who listens.
pub async fn collect(app: App, stop: CancellationToken) {
    let mut everywhere = Instant::now();
    let mut pause = PERIOD;
    while !stop.is_cancelled() {
        let collected = if everywhere.elapsed() >= app.config.reconcile() {
            everywhere = Instant::now();
            app.hooks.collect_everywhere().await
        } else {
            app.hooks.collect().await
        };
        match collected {
            Ok(0) => pause = PERIOD,
            Ok(_) => {
                pause = PERIOD;
                continue;
            }
            Err(error) => {
                tracing::warn!(%error, "what Redis has noted is collected again");
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        wait(pause, None, &stop).await;
    }
}

/// Delivers until stopped; then couriers come home from their present try.
pub async fn deliver(app: App, stop: CancellationToken) {
    let mut couriers = JoinSet::new();
    let mut busy: HashMap<Id, HookId> = HashMap::new();
    let mut pause = PERIOD;
    while !stop.is_cancelled() {
        while let Some(home) = couriers.try_join_next_with_id() {
            let id = home.map_or_else(|panic| panic.id(), |(id, ())| id);
            busy.remove(&id);
        }
        let underway: Vec<_> = busy.values().copied().collect();
        match app.hooks.due(&underway, COURIERS - underway.len().min(COURIERS)).await {
            Ok(due) => {
                pause = PERIOD;
                for hook in due {
                    let courier = couriers.spawn(run_errands(app.hooks.clone(), hook, stop.clone()));
                    busy.insert(courier.id(), hook);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "deliveries are looked for again");
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        wait(pause, Some(app.hooks.bell()), &stop).await;
    }
    while couriers.join_next().await.is_some() {}
}

/// Goes to one endpoint until it is owed nothing that is due.
async fn run_errands(hooks: Hooks, hook: HookId, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match hooks.deliver(hook).await {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, hook.id = %hook, "its deliveries go on when their leases end");
                return;
            }
        }
    }
}
