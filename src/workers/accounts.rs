//! Learns whose tokens are void: an account that is disabled at one node is out at every other within a moment.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::workers::wait;

const PERIOD: Duration = Duration::from_millis(250);

/// Learns until stopped. Without Postgres what is known stays known.
pub async fn learn(app: App, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = app.accounts.learn_voided().await {
            tracing::debug!(%error, "void tokens are learned next time");
        }
        wait(PERIOD, None, &stop).await;
    }
}
