//! Keeps the live picture in Redis equal to Postgres: rebuilt when it is lost, compared when it may have drifted.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::catalog::Event;
use crate::orders::OrdersError;
use crate::workers::{LONGEST_PAUSE, wait};

/// How often each event's readiness marker is looked at: a lost picture stays closed for about this long.
const PERIOD: Duration = Duration::from_millis(400);

/// Rebuilds events whose marker is gone, and compares all of them when Redis is not the server it was.
pub async fn watch(app: App, stop: CancellationToken) {
    let mut server = None;
    let mut pause = PERIOD;
    while !stop.is_cancelled() {
        match look(&app, &mut server).await {
            Ok(()) => pause = PERIOD,
            Err(error) => {
                tracing::warn!(%error, "pictures cannot be looked at; trying again");
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        wait(pause, None, &stop).await;
    }
}

async fn look(app: &App, server: &mut Option<String>) -> Result<(), OrdersError> {
    let now = app.engine.server().await?;
    // Another process answers: it may have lost the last moments even when the marker lived.
    let changed = server.as_ref().is_some_and(|before| *before != now);
    let mut failed = None;
    for event in app.desk.events_on_sale().await? {
        // A part of a Cluster that is away keeps nobody from looking at the events of the others.
        if let Err(error) = look_at(app, &event, changed).await {
            failed = Some(error);
        }
    }
    match failed {
        Some(error) => Err(error),
        None => {
            *server = Some(now);
            Ok(())
        }
    }
}

async fn look_at(app: &App, event: &Event, changed: bool) -> Result<(), OrdersError> {
    if app.engine.epoch(event.id).await? != Some(event.epoch) {
        app.desk.rebuild(event.id).await?;
    } else if changed {
        app.desk.reconcile_picture(event.id).await?;
    }
    Ok(())
}

/// Compares every event's picture with its claims, once a period.
pub async fn reconcile(app: App, stop: CancellationToken) {
    let period = app.config.reconcile();
    while !stop.is_cancelled() {
        wait(period, None, &stop).await;
        let begun = Instant::now();
        let Ok(events) = app.desk.events_on_sale().await else { continue };
        for event in events {
            match app.desk.reconcile_picture(event.id).await {
                Ok(0) => {}
                Ok(seats) => tracing::warn!(event.id = %event.id, seats, "the picture had drifted"),
                Err(error) => tracing::debug!(%error, event.id = %event.id, "compared again next time"),
            }
            if stop.is_cancelled() {
                return;
            }
        }
        tracing::debug!(duration_ms = begun.elapsed().as_millis(), "pictures compared");
    }
}
