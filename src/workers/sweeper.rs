//! Frees the seats of expired holds on every event that is on sale and that nobody on this node watches, who would sweep it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::ids::EventId;
use crate::seats::Engine;
use crate::workers::wait;

/// How often each event is swept of which anybody holds anything. A freed seat is buyable within two seconds; readers, whose
/// watcher sweeps, see it within one.
const PERIOD: Duration = Duration::from_millis(400);
/// How often one is looked at of which nobody holds anything: as long as the shortest hold, which could not be due before.
const EMPTY: Duration = Duration::from_secs(1);
/// A watcher looks once a second where nothing is held. When it is later than this, it may have gone.
const ATTENDED: Duration = Duration::from_millis(1250);
/// Events swept side by side: those of a shard that is away take their time to say so.
const SIDE_BY_SIDE: usize = 64;

/// Sweeps until stopped.
pub async fn run(app: App, stop: CancellationToken) {
    let mut empty = HashMap::new();
    while !stop.is_cancelled() {
        match app.catalog.on_sale_lately().await {
            Ok(events) => sweep(&app.engine, events.iter().map(|event| event.id), &mut empty).await,
            Err(error) => tracing::debug!(%error, "no sweep while Postgres cannot say what is on sale"),
        }
        wait(PERIOD, None, &stop).await;
    }
}

/// One round. `empty` has the events of which nobody held anything, and since when.
async fn sweep(
    engine: &Engine,
    events: impl Iterator<Item = EventId>,
    empty: &mut HashMap<EventId, Instant>,
) {
    empty.retain(|_, since| since.elapsed() < EMPTY);
    let due = engine.unattended(events.filter(|event| !empty.contains_key(event)).collect(), ATTENDED);
    let mut swept = stream::iter(due)
        .map(async |event| (event, Instant::now(), engine.sweep_dry(event).await))
        .buffer_unordered(SIDE_BY_SIDE);
    while let Some((event, asked, held)) = swept.next().await {
        match held {
            Ok(true) => {}
            Ok(false) => {
                empty.insert(event, asked);
            }
            Err(error) => tracing::debug!(%error, event.id = %event, "a sweep is tried again"),
        }
    }
}
