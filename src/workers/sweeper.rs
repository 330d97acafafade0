//! Frees the seats of expired holds on every event that is on sale and that nobody on this node watches, who would sweep it.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::ids::EventId;
use crate::seats::Engine;
use crate::workers::wait;

/// How often it is asked which events have rested. A freed seat is buyable within two seconds; readers, whose watcher sweeps, see
/// it within one.
const PERIOD: Duration = Duration::from_millis(200);
/// Events swept side by side: those of a shard that is away take their time to say so.
const SIDE_BY_SIDE: usize = 64;

/// Sweeps until stopped.
pub async fn run(app: App, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match app.catalog.on_sale_lately().await {
            Ok(events) => sweep(&app.engine, events.iter().map(|event| event.id).collect()).await,
            Err(error) => tracing::debug!(%error, "no sweep while Postgres cannot say what is on sale"),
        }
        wait(PERIOD, None, &stop).await;
    }
}

async fn sweep(engine: &Engine, events: Vec<EventId>) {
    let mut swept = stream::iter(engine.unattended(events))
        .map(async |event| (event, engine.sweep_unattended(event).await))
        .buffer_unordered(SIDE_BY_SIDE);
    while let Some((event, swept)) = swept.next().await {
        if let Err(error) = swept {
            tracing::debug!(%error, event.id = %event, "a sweep is tried again");
        }
    }
}
