//! The states of a PaymentIntent, and what moves it between them. Every move tells the events that Stripe would.

use super::failure::Failure;
use super::methods::{self, Behaviour, Method};
use super::objects::{Charge, ChargeStatus, Decline, Intent, Metadata, Origin, Outcome, Settles};
use super::params::Params;
use super::shapes;
use super::world::{World, fresh, now};
use crate::payments::IntentStatus;

const CREATE: &[&str] = &[
    "amount",
    "currency",
    "metadata",
    "payment_method_types",
    "allowed_payment_method_types",
    "automatic_payment_methods",
    "payment_method",
    "payment_method_data",
    "confirm",
    "description",
    "receipt_email",
    "return_url",
    "capture_method",
    "confirmation_method",
    "use_stripe_sdk",
];
const CONFIRM: &[&str] = &[
    "payment_method",
    "payment_method_data",
    "return_url",
    "receipt_email",
    "use_stripe_sdk",
    "off_session",
];
const UPDATE: &[&str] = &["amount", "metadata", "description", "receipt_email"];
const CANCEL: &[&str] = &["cancellation_reason"];

pub fn create(world: &mut World, params: &Params, origin: &Origin) -> Result<Intent, Failure> {
    params.only(CREATE)?;
    let amount = params.amount("amount")?.ok_or_else(|| Failure::missing_parameter("amount"))?;
    if world.faults.minimum_amount.is_some_and(|minimum| amount < minimum) {
        let message = "The amount is below the minimum for a payment.";
        return Err(Failure::bad_parameter_with("amount_too_small", "amount", message));
    }
    if params.get("capture_method").is_some_and(|method| !method.starts_with("automatic")) {
        return Err(Failure::bad_parameter("capture_method", "The sandbox captures automatically only."));
    }
    let currency = params.currency()?;
    let metadata = params.metadata_over(Metadata::new())?;
    let method = method_in(params)?;
    let confirm = params.flag("confirm")?;
    let id = fresh("pi");
    let intent = Intent {
        client_secret: format!("{id}_secret_{}", fresh("s").trim_start_matches("s_")),
        amount,
        received: 0,
        currency,
        status: match method {
            None => IntentStatus::RequiresPaymentMethod,
            Some(_) => IntentStatus::RequiresConfirmation,
        },
        created: now(),
        metadata,
        description: params.text("description"),
        receipt_email: params.text("receipt_email"),
        payment_method_types: types_in(params),
        payment_method: method.as_ref().map(|method| method.name.clone()),
        return_url: params.text("return_url"),
        last_error: None,
        latest_charge: None,
        canceled_at: None,
        cancellation_reason: None,
        settles: None,
        id,
    };
    world.put_intent(&intent);
    world.tell_intent("payment_intent.created", &intent, origin);
    if confirm { confirm_with(world, &intent.id, method, origin) } else { Ok(intent) }
}

pub fn update(world: &mut World, id: &str, params: &Params) -> Result<Intent, Failure> {
    params.only(UPDATE)?;
    let mut intent = find(world, id)?;
    if let Some(amount) = params.amount("amount")? {
        if !is_payable(intent.status) {
            return Err(unexpected(world, &intent, "update"));
        }
        intent.amount = amount;
    }
    intent.metadata = params.metadata_over(intent.metadata)?;
    intent.description = params.text("description").or(intent.description);
    intent.receipt_email = params.text("receipt_email").or(intent.receipt_email);
    world.put_intent(&intent);
    Ok(intent)
}

pub fn confirm(world: &mut World, id: &str, params: &Params, origin: &Origin) -> Result<Intent, Failure> {
    params.only(CONFIRM)?;
    let mut intent = find(world, id)?;
    let method = method_in(params)?;
    if let Some(return_url) = params.text("return_url") {
        intent.return_url = Some(return_url);
        world.put_intent(&intent);
    }
    confirm_with(world, id, method, origin)
}

/// Tries to pay with a method, or with the one that was attached before.
pub fn confirm_with(
    world: &mut World,
    id: &str,
    method: Option<Method>,
    origin: &Origin,
) -> Result<Intent, Failure> {
    let mut intent = find(world, id)?;
    if !is_payable(intent.status) {
        return Err(unexpected(world, &intent, "confirm"));
    }
    let attached = || intent.payment_method.as_deref().and_then(Method::named);
    let method = method.or_else(attached).ok_or_else(|| Failure::missing_parameter("payment_method"))?;
    intent.payment_method = Some(method.name);
    intent.last_error = None;
    intent.settles = None;
    match method.behaviour {
        // Model: Pay
        Behaviour::Pays => Ok(succeed(world, intent, origin)),
        // Model: Decline
        Behaviour::Declines(decline) => {
            let intent = fail(world, intent, decline.clone(), origin);
            let shape = shapes::intent(&intent, &world.base_url);
            Err(Failure::declined(&decline, intent.latest_charge.as_deref(), shape))
        }
        Behaviour::AsksOwner => {
            intent.status = IntentStatus::RequiresAction;
            world.put_intent(&intent);
            world.tell_intent("payment_intent.requires_action", &intent, origin);
            Ok(intent)
        }
        Behaviour::Delays(outcome) => {
            let at = world.faults.settle_at();
            intent.settles = outcome.map(|outcome| Settles { at, outcome });
            // Model: Delay
            Ok(wait_for_bank(world, intent, origin))
        }
    }
}

/// Stripe cancels whatever has not paid and is not about to.
pub fn cancel(world: &mut World, id: &str, params: &Params, origin: &Origin) -> Result<Intent, Failure> {
    params.only(CANCEL)?;
    let reason = params.text("cancellation_reason");
    let reasons = ["duplicate", "fraudulent", "requested_by_customer", "abandoned"];
    if reason.as_deref().is_some_and(|reason| !reasons.contains(&reason)) {
        return Err(Failure::bad_parameter("cancellation_reason", "Invalid cancellation_reason."));
    }
    let mut intent = find(world, id)?;
    if !is_payable(intent.status) && intent.status != IntentStatus::RequiresCapture {
        return Err(unexpected(world, &intent, "cancel"));
    }
    intent.status = IntentStatus::Canceled;
    intent.canceled_at = Some(now());
    intent.cancellation_reason = reason;
    world.put_intent(&intent);
    world.tell_intent("payment_intent.canceled", &intent, origin);
    Ok(intent)
}

/// Ends what waits for a bank or for the owner of the card.
pub fn settle(world: &mut World, id: &str, outcome: Outcome, origin: &Origin) -> Result<Intent, Failure> {
    let mut intent = find(world, id)?;
    intent.settles = None;
    let waits_for_owner = intent.status == IntentStatus::RequiresAction;
    if !waits_for_owner && intent.status != IntentStatus::Processing {
        return Err(unexpected(world, &intent, "settle"));
    }
    Ok(match outcome {
        // Model: BankPays
        Outcome::Succeeded => succeed(world, intent, origin),
        Outcome::Failed if waits_for_owner => fail(world, intent, methods::not_approved(), origin),
        // Model: BankRefuses
        Outcome::Failed => fail(world, intent, methods::came_back(), origin),
    })
}

pub fn find(world: &World, id: &str) -> Result<Intent, Failure> {
    world.intents.get(id).cloned().ok_or_else(|| Failure::not_found("payment_intent", id))
}

/// No try to pay is under way or through.
fn is_payable(status: IntentStatus) -> bool {
    match status {
        IntentStatus::RequiresPaymentMethod
        | IntentStatus::RequiresConfirmation
        | IntentStatus::RequiresAction => true,
        IntentStatus::Processing
        | IntentStatus::RequiresCapture
        | IntentStatus::Succeeded
        | IntentStatus::Canceled => false,
    }
}

fn unexpected(world: &World, intent: &Intent, verb: &str) -> Failure {
    Failure::unexpected_state(intent, shapes::intent(intent, &world.base_url), verb)
}

fn succeed(world: &mut World, mut intent: Intent, origin: &Origin) -> Intent {
    let charge = charge_of(world, &intent, ChargeStatus::Succeeded, None);
    intent.status = IntentStatus::Succeeded;
    intent.received = intent.amount;
    intent.latest_charge = Some(charge.id.clone());
    world.put_charge(&charge);
    world.put_intent(&intent);
    world.tell("charge.succeeded", shapes::charge(&charge), origin);
    world.tell_intent("payment_intent.succeeded", &intent, origin);
    intent
}

fn fail(world: &mut World, mut intent: Intent, decline: Decline, origin: &Origin) -> Intent {
    let charge = charge_of(world, &intent, ChargeStatus::Failed, Some(decline.clone()));
    intent.status = IntentStatus::RequiresPaymentMethod;
    intent.last_error = Some(decline);
    intent.latest_charge = Some(charge.id.clone());
    intent.payment_method = None;
    world.put_charge(&charge);
    world.put_intent(&intent);
    world.tell("charge.failed", shapes::charge(&charge), origin);
    world.tell_intent("payment_intent.payment_failed", &intent, origin);
    intent
}

fn wait_for_bank(world: &mut World, mut intent: Intent, origin: &Origin) -> Intent {
    let charge = charge_of(world, &intent, ChargeStatus::Pending, None);
    intent.status = IntentStatus::Processing;
    intent.latest_charge = Some(charge.id.clone());
    world.put_charge(&charge);
    world.put_intent(&intent);
    world.tell("charge.pending", shapes::charge(&charge), origin);
    world.tell_intent("payment_intent.processing", &intent, origin);
    intent
}

/// The charge of this try: the one that is pending already, or a new one.
fn charge_of(world: &World, intent: &Intent, status: ChargeStatus, decline: Option<Decline>) -> Charge {
    let latest = intent.latest_charge.as_deref().and_then(|id| world.charges.get(id));
    let pending = latest.filter(|charge| charge.status == ChargeStatus::Pending);
    let charge = pending.cloned().unwrap_or_else(|| Charge {
        id: fresh("ch"),
        intent: intent.id.clone(),
        amount: intent.amount,
        refunded: 0,
        currency: intent.currency.clone(),
        status,
        created: now(),
        payment_method: intent.payment_method.clone().unwrap_or_default(),
        metadata: intent.metadata.clone(),
        decline: None,
    });
    Charge { status, decline, ..charge }
}

fn method_in(params: &Params) -> Result<Option<Method>, Failure> {
    if let Some(name) = params.text("payment_method") {
        let unknown = || Failure::no_such("PaymentMethod", &name, "payment_method");
        return Method::named(&name).ok_or_else(unknown).map(Some);
    }
    Ok(params.get("payment_method_data[card][number]").map(Method::numbered))
}

fn types_in(params: &Params) -> Vec<String> {
    let mut types = params.list("payment_method_types");
    types.extend(params.list("allowed_payment_method_types"));
    if types.is_empty() { vec!["card".to_owned()] } else { types }
}
