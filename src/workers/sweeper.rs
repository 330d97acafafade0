//! Frees the seats of expired holds on every event that is on sale, watched or not.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::ids::EventId;
use crate::seats::{Engine, SeatsError};
use crate::workers::wait;

/// How often each event is swept. A freed seat is buyable within two seconds; readers see it within one.
const PERIOD: Duration = Duration::from_millis(400);

/// Sweeps until stopped.
pub async fn run(app: App, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match app.desk.events_on_sale().await {
            Ok(events) => {
                for event in events {
                    if let Err(error) = sweep_dry(&app.engine, event.id).await {
                        tracing::debug!(%error, event.id = %event.id, "a sweep is tried again");
                    }
                    if stop.is_cancelled() {
                        return;
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "no sweep while Postgres cannot say what is on sale"),
        }
        wait(PERIOD, None, &stop).await;
    }
}

/// Sweeps an event until nothing is due.
async fn sweep_dry(engine: &Engine, event: EventId) -> Result<(), SeatsError> {
    while engine.is_anything_held(event).await? && engine.sweep(event).await?.more {}
    Ok(())
}
