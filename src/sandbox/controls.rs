//! The sandbox's controls in process, for tests and for whoever runs it. The same ones are served under `/sandbox`.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::{Instant, sleep};

use super::WebhookTarget;
use super::failure::Failure;
use super::faults::Faults;
use super::intents;
use super::ledger::Ledger;
use super::lists;
use super::methods::Method;
use super::objects::{DeliveryState, Origin, Outcome};
use super::params::Params;
use super::refunds;
use super::webhooks::ReleaseOrder;
use super::world::{Entry, Shared};
use crate::payments::{IntentStatus, RefundStatus};

/// How often a wait looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// What was asked for is not possible in the state that things are in, or was declined.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct NotPossible {
    pub status: u16,
    pub message: String,
}

impl From<Failure> for NotPossible {
    fn from(failure: Failure) -> Self {
        Self { status: failure.status.as_u16(), message: failure.message().to_owned() }
    }
}

#[derive(Debug, Clone)]
pub struct Controls {
    shared: Arc<Shared>,
}

impl Controls {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// From now on webhooks go here, those that wait already included.
    pub fn set_webhook(&self, url: impl Into<String>, secret: SecretString) {
        let target = WebhookTarget { url: url.into(), secret };
        self.shared.change(|world| world.webhook = Some(target));
    }

    #[must_use]
    pub fn faults(&self) -> Faults {
        self.shared.look(|world| world.faults.clone())
    }

    /// Sets every switch: what `faults` leaves at its default is off.
    pub fn set_faults(&self, faults: Faults) {
        self.shared.change(|world| world.faults = faults);
    }

    /// Sets every switch off. What is held back stays so until it is released.
    pub fn clear_faults(&self) {
        self.set_faults(Faults::default());
    }

    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.shared.look(Ledger::of)
    }

    /// The page on which a person can pay, with the secret that opens it.
    #[must_use]
    pub fn pay_url(&self, intent: &str) -> Option<String> {
        self.shared.look(|world| {
            let intent = world.intents.get(intent)?;
            Some(format!("{}/pay/{}?client_secret={}", world.base_url, intent.id, intent.client_secret))
        })
    }

    /// Pays like a customer, with one of Stripe's test payment methods such as `pm_card_visa`.
    ///
    /// # Errors
    /// When it is declined, or not payable.
    pub fn pay(&self, intent: &str, method: &str) -> Result<IntentStatus, NotPossible> {
        let unknown = || Failure::no_such("PaymentMethod", method, "payment_method");
        let method = Method::named(method).ok_or_else(unknown)?;
        let paid = self
            .shared
            .change(|world| intents::confirm_with(world, intent, Some(method), &Origin::default()))?;
        Ok(paid.status)
    }

    /// Cancels like somebody at the dashboard.
    ///
    /// # Errors
    /// When it has paid, is about to, or is cancelled already.
    pub fn cancel(&self, intent: &str) -> Result<IntentStatus, NotPossible> {
        let nothing = Params::default();
        let cancelled =
            self.shared.change(|world| intents::cancel(world, intent, &nothing, &Origin::default()))?;
        Ok(cancelled.status)
    }

    /// Ends what is processing or waits for its owner's approval.
    ///
    /// # Errors
    /// When it is neither.
    pub fn settle(&self, intent: &str, outcome: Outcome) -> Result<IntentStatus, NotPossible> {
        let settled =
            self.shared.change(|world| intents::settle(world, intent, outcome, &Origin::default()))?;
        Ok(settled.status)
    }

    /// Ends a pending refund, or lets the bank send a succeeded one back.
    ///
    /// # Errors
    /// When it cannot end like that.
    pub fn settle_refund(&self, refund: &str, outcome: Outcome) -> Result<RefundStatus, NotPossible> {
        let settled =
            self.shared.change(|world| refunds::settle(world, refund, outcome, &Origin::default()))?;
        Ok(settled.status)
    }

    /// Lets held deliveries go, and says how many that were.
    pub fn release(&self, order: ReleaseOrder) -> usize {
        self.shared.change(|world| world.release(order))
    }

    /// Tells an event again. False when there is no such event.
    pub fn redeliver(&self, event: &str) -> bool {
        self.shared.change(|world| world.redeliver(event))
    }

    /// Forgets every answer kept under an idempotency key, as Stripe may after a day.
    pub fn forget_keys(&self) {
        self.shared.change(|world| world.put(Entry::ForgetAnswers));
    }

    /// An event as it is delivered, to send it to somebody by hand.
    #[must_use]
    pub fn event_body(&self, event: &str) -> Option<Vec<u8>> {
        let shape = self.shared.look(|world| Some(lists::event(world, world.events.get(event)?)))?;
        serde_json::to_vec(&shape).ok()
    }

    /// Waits until nothing is left to be told, held and dropped events aside. False when `within` was too short.
    pub async fn all_told(&self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        loop {
            let told = self.shared.look(|world| {
                let waiting = |it: &&super::Delivery| it.state == DeliveryState::Waiting;
                let left = world.deliveries.iter().filter(waiting).count();
                left <= world.held.len() && world.sending == 0
            });
            if told || Instant::now() >= deadline {
                return told;
            }
            sleep(LOOK_AGAIN).await;
        }
    }
}
