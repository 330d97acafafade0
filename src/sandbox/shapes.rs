//! Objects as Stripe writes them: with every field that Stripe always sends, so that a strict client reads them.

use serde_json::{Value, json};

use super::objects::{Charge, ChargeStatus, Decline, Event, Intent, Refund};
use crate::payments::{IntentStatus, RefundStatus};

/// The version whose shapes these are.
pub const API_VERSION: &str = "2025-03-31.basil";

/// Fields that Stripe always sends and that are always empty here: customers, transfers, shipping and the like.
const INTENT_NULLS: &[&str] = &[
    "application",
    "application_fee_amount",
    "automatic_payment_methods",
    "customer",
    "on_behalf_of",
    "payment_method_configuration_details",
    "processing",
    "review",
    "setup_future_usage",
    "shipping",
    "source",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_data",
    "transfer_group",
];

const CHARGE_NULLS: &[&str] = &[
    "application",
    "application_fee",
    "application_fee_amount",
    "balance_transaction",
    "customer",
    "description",
    "destination",
    "dispute",
    "failure_balance_transaction",
    "on_behalf_of",
    "order",
    "payment_method_details",
    "receipt_email",
    "receipt_number",
    "receipt_url",
    "review",
    "shipping",
    "source",
    "source_transfer",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_data",
    "transfer_group",
];

const REFUND_NULLS: &[&str] = &[
    "balance_transaction",
    "destination_details",
    "receipt_number",
    "source_transfer_reversal",
    "transfer_reversal",
];

pub fn intent(intent: &Intent, base_url: &str) -> Value {
    let known = json!({
        "id": intent.id,
        "object": "payment_intent",
        "amount": intent.amount,
        "amount_capturable": 0,
        "amount_details": { "tip": {} },
        "amount_received": intent.received,
        "canceled_at": intent.canceled_at,
        "cancellation_reason": intent.cancellation_reason,
        "capture_method": "automatic",
        "client_secret": intent.client_secret,
        "confirmation_method": "automatic",
        "created": intent.created,
        "currency": intent.currency,
        "description": intent.description,
        "last_payment_error": intent.last_error.as_ref().map(|decline| last_error(intent, decline)),
        "latest_charge": intent.latest_charge,
        "livemode": false,
        "metadata": intent.metadata,
        "next_action": next_action(intent, base_url),
        "payment_method": intent.payment_method,
        "payment_method_options": {},
        "payment_method_types": intent.payment_method_types,
        "receipt_email": intent.receipt_email,
        "status": intent.status,
    });
    with_nulls(known, INTENT_NULLS)
}

fn last_error(intent: &Intent, decline: &Decline) -> Value {
    json!({
        "type": if decline.decline_code.is_some() { "card_error" } else { "invalid_request_error" },
        "code": decline.code,
        "decline_code": decline.decline_code,
        "message": decline.message,
        "charge": intent.latest_charge,
    })
}

fn next_action(intent: &Intent, base_url: &str) -> Option<Value> {
    (intent.status == IntentStatus::RequiresAction).then(|| {
        let url = format!("{base_url}/pay/{}?client_secret={}", intent.id, intent.client_secret);
        json!({
            "type": "redirect_to_url",
            "redirect_to_url": { "url": url, "return_url": intent.return_url },
        })
    })
}

pub fn charge(charge: &Charge) -> Value {
    let succeeded = charge.status == ChargeStatus::Succeeded;
    let known = json!({
        "id": charge.id,
        "object": "charge",
        "amount": charge.amount,
        "amount_captured": if succeeded { charge.amount } else { 0 },
        "amount_refunded": charge.refunded,
        "billing_details": { "address": null, "email": null, "name": null, "phone": null, "tax_id": null },
        "calculated_statement_descriptor": "HOLDFAST SANDBOX",
        "captured": succeeded,
        "created": charge.created,
        "currency": charge.currency,
        "disputed": false,
        "failure_code": charge.decline.as_ref().map(|decline| &decline.code),
        "failure_message": charge.decline.as_ref().map(|decline| &decline.message),
        "fraud_details": {},
        "livemode": false,
        "metadata": charge.metadata,
        "outcome": outcome(charge),
        "paid": succeeded,
        "payment_intent": charge.intent,
        "payment_method": charge.payment_method,
        "radar_options": {},
        "refunded": succeeded && charge.refunded == charge.amount,
        "status": charge.status,
    });
    with_nulls(known, CHARGE_NULLS)
}

fn outcome(charge: &Charge) -> Option<Value> {
    let (network, kind, seller_message) = match charge.status {
        ChargeStatus::Pending => return None,
        ChargeStatus::Succeeded => ("approved_by_network", "authorized", "Payment complete."),
        ChargeStatus::Failed => ("declined_by_network", "issuer_declined", "The bank declined the payment."),
    };
    let decline = charge.decline.as_ref();
    Some(json!({
        "advice_code": null,
        "network_advice_code": null,
        "network_decline_code": null,
        "network_status": network,
        "reason": decline.map(|decline| decline.decline_code.as_ref().unwrap_or(&decline.code)),
        "risk_level": "normal",
        "risk_score": 20,
        "rule": null,
        "seller_message": seller_message,
        "type": kind,
    }))
}

pub fn refund(refund: &Refund) -> Value {
    let known = json!({
        "id": refund.id,
        "object": "refund",
        "amount": refund.amount,
        "charge": refund.charge,
        "created": refund.created,
        "currency": refund.currency,
        "failure_reason": refund.failure_reason,
        "metadata": refund.metadata,
        "payment_intent": refund.intent,
        "pending_reason": (refund.status == RefundStatus::Pending).then_some("processing"),
        "reason": refund.reason,
        "status": refund.status,
    });
    with_nulls(known, REFUND_NULLS)
}

/// `pending` says how many webhooks of this event are not delivered yet.
pub fn event(event: &Event, pending: u32) -> Value {
    json!({
        "id": event.id,
        "object": "event",
        "api_version": API_VERSION,
        "created": event.created,
        "data": { "object": event.object },
        "livemode": false,
        "pending_webhooks": pending,
        "request": { "id": event.origin.request, "idempotency_key": event.origin.key },
        "type": event.kind,
    })
}

fn with_nulls(mut object: Value, nulls: &[&str]) -> Value {
    for name in nulls {
        object[*name] = Value::Null;
    }
    object
}
