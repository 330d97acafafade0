//! `holdfast recover`: after Postgres was restored or replaced, everything that brings it back to what Stripe knows, at once
//! and with a report. A node does the same by itself, but over some periods, and says so only in its metrics.

use std::fmt;
use std::time::Duration;

use time::OffsetDateTime;

use crate::app::App;
use crate::orders::{OrdersError, Parked, Walked};
use crate::workers::audit;

/// More passes than any backlog needs whose work can be done.
const MOST_PASSES: usize = 100_000;

/// What was found, and what is left to a person.
#[derive(Debug)]
pub struct Recovery {
    pub pictures: usize,
    pub captures: Walked,
    pub refunds: Walked,
    pub open_orders: usize,
    pub parked: Vec<Parked>,
    pub audit: audit::Report,
}

impl Recovery {
    /// Whether nothing is left to do.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.parked.is_empty()
            && self.captures.failed + self.refunds.failed == 0
            && self.audit.breaches() == 0
    }
}

/// Asks Stripe about everything since that moment, or since the last walk, and builds every picture anew.
///
/// Safe to repeat, and beside nodes that run.
pub async fn run(app: &App, since: Option<OffsetDateTime>) -> Result<Recovery, OrdersError> {
    let desk = &app.desk;
    desk.skip_event_numbers().await?;
    desk.walk_again(since).await?;
    let captures = to_the_end(async || desk.reconcile_captures().await).await?;
    let refunds = to_the_end(async || desk.reconcile_refunds().await).await?;
    desk.look_at_open_orders_now().await?;
    let open_orders = until_nothing_is_due(async || desk.attend().await).await?;
    until_nothing_is_due(async || desk.work_inbox().await).await?;

    // Last, so that what was brought back is in them.
    let events = desk.events_on_sale().await?;
    desk.doubt(&events.iter().map(|event| event.id).collect::<Vec<_>>()).await?;
    for event in events.iter() {
        // A node that runs may have begun already.
        while !desk.rebuild(event.id).await? {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    until_nothing_is_due(async || desk.work_outbox().await).await?;
    Ok(Recovery {
        pictures: events.len(),
        captures,
        refunds,
        open_orders,
        parked: desk.parked_payments().await?,
        audit: audit::run(app).await?,
    })
}

async fn to_the_end(
    mut step: impl AsyncFnMut() -> Result<Walked, OrdersError>,
) -> Result<Walked, OrdersError> {
    let mut sum = Walked::default();
    for _ in 0..MOST_PASSES {
        let Walked { found, failed, unfinished } = step().await?;
        sum.found += found;
        sum.failed += failed;
        if !unfinished {
            break;
        }
    }
    Ok(sum)
}

async fn until_nothing_is_due(
    mut step: impl AsyncFnMut() -> Result<usize, OrdersError>,
) -> Result<usize, OrdersError> {
    let mut sum = 0;
    for _ in 0..MOST_PASSES {
        match step().await? {
            0 => break,
            done => sum += done,
        }
    }
    Ok(sum)
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:>6}  payments that Stripe had captured and Postgres did not know",
            self.captures.found
        )?;
        writeln!(f, "{:>6}  refunds that Stripe had made and Postgres did not know", self.refunds.found)?;
        writeln!(
            f,
            "{:>6}  of both could not be brought back: see the log",
            self.captures.failed + self.refunds.failed
        )?;
        writeln!(f, "{:>6}  open orders were looked at", self.open_orders)?;
        writeln!(f, "{:>6}  pictures were built anew", self.pictures)?;
        writeln!(f, "{:>6}  captured payments wait for a person", self.parked.len())?;
        for parked in &self.parked {
            let known = |id: Option<uuid::Uuid>| id.map_or_else(|| "unknown".to_owned(), |id| id.to_string());
            writeln!(
                f,
                "        {}  {} {} (minor units)  order {}  event {}  {}",
                parked.payment_intent,
                parked.amount,
                parked.currency,
                known(parked.order_id),
                parked.event_title.clone().unwrap_or_else(|| known(parked.event_id)),
                parked.reason,
            )?;
        }
        write!(f, "\n{}", self.audit)
    }
}
