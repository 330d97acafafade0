//! What an audit compares against: every payment, charge, refund and delivery, and what they add up to.

use std::collections::BTreeMap;

use serde::Serialize;

use super::objects::{Charge, ChargeStatus, Delivery, DeliveryState, Metadata, Refund};
use super::world::World;
use crate::payments::{IntentStatus, RefundStatus};

#[derive(Debug, Clone, Default, Serialize)]
pub struct Ledger {
    /// In the order they were made, like everything here.
    pub intents: Vec<IntentLine>,
    pub charges: Vec<Charge>,
    pub refunds: Vec<Refund>,
    pub deliveries: Vec<Delivery>,
    pub delivered: usize,
    /// Not answered with 2xx yet, held back or on the way.
    pub undelivered: usize,
    /// By currency.
    pub sums: BTreeMap<String, Sums>,
    /// Calls by endpoint, refused ones included.
    pub calls: BTreeMap<String, u64>,
}

/// A PaymentIntent without its client secret.
#[derive(Debug, Clone, Serialize)]
pub struct IntentLine {
    pub id: String,
    pub order_id: Option<String>,
    pub status: IntentStatus,
    pub amount: i64,
    pub received: i64,
    /// Back or on its way back; failed refunds do not count.
    pub refunded: i64,
    pub currency: String,
    pub created: i64,
    pub metadata: Metadata,
    /// Tries to pay that were declined.
    pub declines: usize,
}

/// Minor units, and numbers of PaymentIntents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sums {
    pub intents: usize,
    /// Neither succeeded nor cancelled: these can still take money.
    pub payable: usize,
    pub succeeded: usize,
    pub canceled: usize,
    pub captured: i64,
    pub refunded: i64,
    /// The part of `refunded` that is not there yet.
    pub refunds_pending: i64,
}

impl Ledger {
    pub(super) fn of(world: &World) -> Self {
        let mut tries: BTreeMap<&str, (usize, i64)> = BTreeMap::new();
        for charge in world.charges.iter() {
            let (declines, refunded) = tries.entry(&charge.intent).or_default();
            *declines += usize::from(charge.status == ChargeStatus::Failed);
            *refunded += charge.refunded;
        }
        let mut ledger = Self {
            charges: world.charges.iter().cloned().collect(),
            refunds: world.refunds.iter().cloned().collect(),
            deliveries: world.deliveries.iter().cloned().collect(),
            calls: world.calls.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
            ..Self::default()
        };
        for intent in world.intents.iter() {
            let (declines, refunded) = tries.get(intent.id.as_str()).copied().unwrap_or_default();
            ledger.intents.push(IntentLine {
                id: intent.id.clone(),
                order_id: intent.metadata.get("order_id").cloned(),
                status: intent.status,
                amount: intent.amount,
                received: intent.received,
                refunded,
                currency: intent.currency.clone(),
                created: intent.created,
                metadata: intent.metadata.clone(),
                declines,
            });
        }
        ledger.add_up();
        ledger
    }

    /// The PaymentIntents that were opened for an order, oldest first.
    #[must_use]
    pub fn of_order(&self, order: &str) -> Vec<&IntentLine> {
        self.intents.iter().filter(|line| line.order_id.as_deref() == Some(order)).collect()
    }

    fn add_up(&mut self) {
        for line in &self.intents {
            let sums = self.sums.entry(line.currency.clone()).or_default();
            sums.intents += 1;
            match line.status {
                IntentStatus::Succeeded => sums.succeeded += 1,
                IntentStatus::Canceled => sums.canceled += 1,
                IntentStatus::RequiresPaymentMethod
                | IntentStatus::RequiresConfirmation
                | IntentStatus::RequiresAction
                | IntentStatus::Processing
                | IntentStatus::RequiresCapture => sums.payable += 1,
            }
            sums.captured += line.received;
            sums.refunded += line.refunded;
        }
        for refund in self.refunds.iter().filter(|refund| refund.status == RefundStatus::Pending) {
            self.sums.entry(refund.currency.clone()).or_default().refunds_pending += refund.amount;
        }
        let in_state = |state| self.deliveries.iter().filter(|it| it.state == state).count();
        self.delivered = in_state(DeliveryState::Delivered);
        self.undelivered = in_state(DeliveryState::Waiting);
    }
}
