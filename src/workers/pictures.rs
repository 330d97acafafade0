//! Keeps the live picture in Redis equal to Postgres: rebuilt when it is lost, compared when it may have drifted.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::catalog::OnSale;
use crate::orders::OrdersError;
use crate::seats::Marker;
use crate::workers::{LONGEST_PAUSE, wait};

/// How often each event's readiness marker is looked at: a lost picture stays closed for about this long.
const PERIOD: Duration = Duration::from_millis(400);

/// Pictures rebuilt or compared side by side: those of a shard that is away take their time to say so.
const SIDE_BY_SIDE: usize = 16;

/// Which processes answered the last look: another Redis or another Postgres may have lost the last moments.
#[derive(Default)]
struct Servers {
    redis: Option<String>,
    postgres: Option<String>,
}

/// Rebuilds events whose marker is gone, and compares all of them when a store is not the server it was.
pub async fn watch(app: App, stop: CancellationToken) {
    let mut servers = Servers::default();
    let mut pause = PERIOD;
    while !stop.is_cancelled() {
        match look(&app, &mut servers).await {
            Ok(()) => pause = PERIOD,
            Err(error) => {
                tracing::warn!(%error, "pictures cannot be looked at; trying again");
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        wait(pause, None, &stop).await;
    }
}

async fn look(app: &App, servers: &mut Servers) -> Result<(), OrdersError> {
    let now =
        Servers { redis: Some(app.engine.server().await?), postgres: Some(app.desk.postgres_since().await?) };
    let other = |before: &Option<String>, now: &Option<String>| before.is_some() && before != now;
    let changed = other(&servers.redis, &now.redis) || other(&servers.postgres, &now.postgres);
    if changed {
        tracing::info!("a store was restarted or replaced: pictures are compared");
    }
    if changed || servers.redis.is_none() {
        // Before anything is built from a store that may have lost something. What is away fails below, too.
        app.desk.ask_witness().await?;
    }
    // Model: ReadWaits
    let events = app.desk.events_on_sale().await?;
    // Model: ReadWaiting
    let markers = app.engine.markers(&events.iter().map(|event| event.id).collect::<Vec<_>>()).await;
    let mut failed = None;
    let mut due = Vec::new();
    for (event, marker) in events.iter().zip(markers) {
        match marker {
            Ok(marker) if is_due(event, marker) || changed => due.push((event, marker)),
            Ok(_) => {}
            Err(error) => failed = Some(waits(event, error.into())),
        }
    }
    for some in due.chunks(SIDE_BY_SIDE) {
        // One event that cannot be rebuilt must not keep the others closed; nor a part of a Cluster that is away.
        let mended = join_all(some.iter().map(|(event, marker)| mend(app, event, *marker, changed))).await;
        for ((event, _), mended) in some.iter().zip(mended) {
            if let Err(error) = mended {
                failed = Some(waits(event, error));
            }
        }
    }
    if let Some(error) = failed {
        // What has not been compared yet is compared next time.
        return Err(error);
    }
    *servers = now;
    Ok(())
}

fn waits(event: &OnSale, error: OrdersError) -> OrdersError {
    tracing::warn!(%error, event.id = %event.id, "a picture waits for the next look");
    error
}

/// Whether Redis and Postgres say two things of an event.
fn is_due(event: &OnSale, marker: Marker) -> bool {
    marker.epoch != Some(event.epoch) || marker.keeps != event.waits
}

async fn mend(app: &App, event: &OnSale, marker: Marker, changed: bool) -> Result<(), OrdersError> {
    if marker.epoch != Some(event.epoch) {
        app.desk.rebuild(event.id).await?;
        // It brings the waiting list's word with it.
        return Ok(());
    }
    if changed {
        app.desk.reconcile_picture(event.id).await?;
    }
    if let Err(error) = app.waitlist.agree(event, marker.keeps).await {
        tracing::debug!(%error, event.id = %event.id, "a waiting list is compared again next time");
    }
    Ok(())
}

/// Compares every event's picture with its claims, once a period: one after another over the whole of it, so that nobody who
/// asks for a seat meanwhile stands in line behind all of them.
pub async fn reconcile(app: App, stop: CancellationToken) {
    let period = app.config.reconcile();
    while !stop.is_cancelled() {
        let begun = Instant::now();
        if let Err(error) = bear_witness(&app).await {
            tracing::debug!(%error, "the witness is asked again next time");
        }
        let Ok(events) = app.desk.events_on_sale().await else {
            wait(period, None, &stop).await;
            continue;
        };
        let apart = period / u32::try_from(events.len().max(1)).unwrap_or(u32::MAX);
        if events.is_empty() {
            wait(period, None, &stop).await;
        }
        let mut all = true;
        for event in events.iter() {
            wait(apart, None, &stop).await;
            if stop.is_cancelled() {
                return;
            }
            match app.desk.reconcile_picture(event.id).await {
                Ok(0) => {}
                Ok(seats) => tracing::warn!(event.id = %event.id, seats, "the picture had drifted"),
                Err(error) => {
                    all = false;
                    tracing::debug!(%error, event.id = %event.id, "compared again next time");
                }
            }
            if let Err(error) = app.waitlist.give_back_unwritten(event).await {
                tracing::debug!(%error, event.id = %event.id, "its offers are looked at next time");
            }
        }
        if all {
            app.metrics.came_through("pictures");
        }
        tracing::debug!(duration_ms = begun.elapsed().as_millis(), "pictures compared");
    }
}

/// Asked before it is raised: raising it would hide what was lost.
async fn bear_witness(app: &App) -> Result<(), OrdersError> {
    if app.desk.ask_witness().await?.unasked > 0 {
        return Ok(());
    }
    app.desk.raise_witness().await
}
