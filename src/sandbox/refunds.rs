//! Money that goes back: never more than came in, and not always at once.

use super::failure::Failure;
use super::faults::RefundMode;
use super::objects::{Charge, ChargeStatus, Metadata, Origin, Outcome, Refund, Settles};
use super::params::Params;
use super::shapes;
use super::world::{World, fresh, now};
use crate::payments::RefundStatus;

const CREATE: &[&str] = &["payment_intent", "charge", "amount", "reason", "metadata"];

pub fn create(world: &mut World, params: &Params, origin: &Origin) -> Result<Refund, Failure> {
    params.only(CREATE)?;
    let asked = params.amount("amount")?;
    let metadata = params.metadata_over(Metadata::new())?;
    let reason = params.text("reason");
    let reasons = ["duplicate", "fraudulent", "requested_by_customer"];
    if reason.as_deref().is_some_and(|reason| !reasons.contains(&reason)) {
        return Err(Failure::bad_parameter("reason", "Invalid reason."));
    }
    let mut charge = paid_charge(world, params)?;
    let left = charge.amount - charge.refunded;
    if left == 0 {
        return Err(Failure::charge_already_refunded(&charge.id));
    }
    let amount = asked.unwrap_or(left);
    if amount > left {
        return Err(Failure::refund_too_large(amount, left));
    }
    let at = world.faults.settle_at();
    let refund = Refund {
        id: fresh("re"),
        charge: charge.id.clone(),
        intent: charge.intent.clone(),
        amount,
        currency: charge.currency.clone(),
        status: match world.faults.refunds {
            RefundMode::Succeed => RefundStatus::Succeeded,
            RefundMode::Pending | RefundMode::FailLater => RefundStatus::Pending,
        },
        created: now(),
        metadata,
        reason,
        failure_reason: None,
        settles: world.faults.refund_ends().map(|outcome| Settles { at, outcome }),
    };
    charge.refunded += amount;
    world.put_charge(&charge);
    world.put_refund(&refund);
    world.tell("refund.created", shapes::refund(&refund), origin);
    world.tell("charge.refunded", shapes::charge(&charge), origin);
    Ok(refund)
}

/// Ends a pending refund, or lets the bank send a succeeded one back.
pub fn settle(world: &mut World, id: &str, outcome: Outcome, origin: &Origin) -> Result<Refund, Failure> {
    let mut refund = world.refunds.get(id).cloned().ok_or_else(|| Failure::not_found("refund", id))?;
    let may_end = match refund.status {
        RefundStatus::Pending | RefundStatus::RequiresAction => true,
        RefundStatus::Succeeded => outcome == Outcome::Failed,
        RefundStatus::Failed | RefundStatus::Canceled => false,
    };
    if !may_end {
        return Err(Failure::bad_parameter("outcome", "The refund has ended already."));
    }
    refund.settles = None;
    match outcome {
        Outcome::Succeeded => refund.status = RefundStatus::Succeeded,
        Outcome::Failed => {
            refund.status = RefundStatus::Failed;
            refund.failure_reason = Some("expired_or_canceled_card".to_owned());
            if let Some(mut charge) = world.charges.get(&refund.charge).cloned() {
                charge.refunded -= refund.amount;
                world.put_charge(&charge);
            }
        }
    }
    world.put_refund(&refund);
    world.tell("refund.updated", shapes::refund(&refund), origin);
    world.tell("charge.refund.updated", shapes::refund(&refund), origin);
    if outcome == Outcome::Failed {
        world.tell("refund.failed", shapes::refund(&refund), origin);
    }
    Ok(refund)
}

fn paid_charge(world: &World, params: &Params) -> Result<Charge, Failure> {
    let charge = if let Some(intent) = params.text("payment_intent") {
        let found = world.intents.get(&intent);
        let found = found.ok_or_else(|| Failure::no_such("payment_intent", &intent, "payment_intent"))?;
        let latest = found.latest_charge.as_deref().and_then(|id| world.charges.get(id));
        latest.ok_or_else(|| Failure::nothing_to_refund(&intent))?
    } else {
        let id = params.text("charge").ok_or_else(|| Failure::missing_parameter("payment_intent"))?;
        world.charges.get(&id).ok_or_else(|| Failure::no_such("charge", &id, "charge"))?
    };
    if charge.status != ChargeStatus::Succeeded {
        return Err(Failure::nothing_to_refund(&charge.intent));
    }
    Ok(charge.clone())
}
