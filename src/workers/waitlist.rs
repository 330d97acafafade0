//! Serves the waiting lists: ends offers that nobody answered, makes the next ones, takes up those that cost nothing.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::ids::OrderId;
use crate::orders::{Checkout, OrdersError};
use crate::waitlist::{Attention, WaitlistError};
use crate::workers::{LONGEST_PAUSE, wait};

/// How often every list is looked at: a freed seat is offered well within two seconds.
const PERIOD: Duration = Duration::from_millis(250);

/// Serves until stopped.
pub async fn run(app: App, stop: CancellationToken) {
    let mut attention = Attention::default();
    let mut pause = PERIOD;
    while !stop.is_cancelled() {
        match step(&app, &mut attention).await {
            Ok(()) => pause = PERIOD,
            Err(error) => {
                tracing::warn!(%error, "the waiting lists are served again");
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        wait(pause, Some(app.waitlist.bell()), &stop).await;
    }
}

async fn step(app: &App, attention: &mut Attention) -> Result<(), WaitlistError> {
    app.waitlist.lapse_offers().await?;
    app.waitlist.serve(attention).await?;
    // Where nothing is to be paid there is nothing to wait for. A crash before this line only means: next time.
    for (hold, customer) in app.waitlist.free_offers().await? {
        let checkout =
            Checkout { customer, hold, order: OrderId::new(), request_id: "waiting list".to_owned() };
        match app.desk.checkout(&checkout).await {
            Ok(_) | Err(OrdersError::HoldExpired | OrdersError::SaleClosed) => {}
            Err(error) => tracing::warn!(%error, hold.id = %hold, "a free offer is taken up next time"),
        }
    }
    Ok(())
}
