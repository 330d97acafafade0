//! What ends by itself: delayed payments and pending refunds, also after a restart.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::objects::Origin;
use super::world::{Shared, World, now_ms};
use super::{intents, refunds};

/// An hour, for a clock with nothing to do: it is woken by the next change anyway.
const NOTHING_TO_DO: Duration = Duration::from_secs(3600);

pub async fn settle_for_ever(shared: Arc<Shared>) {
    loop {
        let next = shared.look(|world| world.settling.first().map(|(at, _)| *at));
        let wait = next.map_or(NOTHING_TO_DO, |at| {
            Duration::from_millis(u64::try_from(at - now_ms()).unwrap_or_default())
        });
        if wait.is_zero() {
            shared.change(settle_due);
            continue;
        }
        tokio::select! {
            () = sleep(wait) => {}
            () = shared.settling.notified() => {}
            () = shared.stop.cancelled() => return,
        }
    }
}

fn settle_due(world: &mut World) {
    let now = now_ms();
    while let Some((at, id)) = world.settling.first().cloned().filter(|(at, _)| *at <= now) {
        world.settling.remove(&(at, id.clone()));
        let intent = world.intents.get(&id).and_then(|intent| intent.settles);
        let refund = world.refunds.get(&id).and_then(|refund| refund.settles);
        // Whoever was settled by hand, or anew for later, has left a time behind that no longer counts.
        let result = match (intent, refund) {
            (Some(settles), _) if settles.at == at => {
                intents::settle(world, &id, settles.outcome, &Origin::default()).map(drop)
            }
            (_, Some(settles)) if settles.at == at => {
                refunds::settle(world, &id, settles.outcome, &Origin::default()).map(drop)
            }
            _ => Ok(()),
        };
        if let Err(failure) = result {
            tracing::debug!(id, reason = failure.message(), "nothing was left to settle");
        }
    }
}
