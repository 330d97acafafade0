//! Opens the doors of waiting rooms, a few people at a time, as fast as this node can serve them.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::room::Pace;
use crate::seats::SeatsError;
use crate::workers::wait;

const PERIOD: Duration = Duration::from_millis(250);

/// Lets people in until stopped.
pub async fn run(app: App, stop: CancellationToken) {
    let mut pace = Pace::new(app.config.room_people_per_second);
    while !stop.is_cancelled() {
        pace.follow(app.engine.pulse());
        let mut waiting = 0;
        if let Ok(events) = app.catalog.on_sale_lately().await {
            for event in events.iter().filter(|event| event.has_room) {
                match app.rooms.open_the_door(event.id, pace.people_per_second()).await {
                    Ok(let_in) => waiting += let_in.map_or(0, |let_in| let_in.waiting),
                    Err(SeatsError::NotReady(_)) => {}
                    Err(error) => tracing::debug!(%error, event.id = %event.id, "the door opens next time"),
                }
            }
        }
        app.metrics.room_waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        wait(PERIOD, None, &stop).await;
    }
}
