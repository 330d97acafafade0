//! The calls that the protocol makes to Stripe, each keyed by our own ids and safe to repeat.

use std::collections::HashMap;

use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::Value;
use stripe_client_core::StripeRequest;
use stripe_core::payment_intent::{
    CancelPaymentIntent, CreatePaymentIntent, ListPaymentIntent, RetrievePaymentIntent,
};
use stripe_core::refund::{CreateRefund, ListRefund, RetrieveRefund};
use stripe_types::{Currency, RangeQueryTs};

use super::answers::{Intent, IntentStatus, Listed, Page, Refund};
use super::stripe::{Ask, Wire};
use super::{Misconfigured, PaymentsError};
use crate::ids::{EventId, OrderId, RefundId};
use crate::money::Money;
use crate::proof::{self, Bug};
use crate::telemetry::Metrics;

/// The most that Stripe puts on one page of a list.
const PAGE: i64 = 100;
/// Pages of refunds read for one PaymentIntent: far more refunds than one order can have causes.
const MOST_PAGES: usize = 10;
/// Keys under which one refund is asked for: failures that are stored are rare, and so many of them in a row are none.
const MOST_KEYS: usize = 10;
/// Tries to cancel what is seen open right after Stripe would not cancel it.
const CANCEL_TRIES: usize = 3;

/// How Stripe is reached.
#[derive(Debug, Clone)]
pub struct StripeSettings {
    /// Without a path: `https://api.stripe.com`, or the sandbox.
    pub api_url: String,
    pub secret_key: SecretString,
    /// PaymentIntents that this node opens a second, at most.
    pub creates_per_second: u32,
}

/// The wish to be paid for an order.
///
/// Everything in it goes to Stripe under one idempotency key, so a repeat must bring the same values. That holds
/// for `request_id` too: it is the request that placed the order, as stored with it, not the one that repeats.
#[derive(Debug, Clone)]
pub struct NewIntent {
    pub order: OrderId,
    pub event: EventId,
    /// 1 for the first; raised only when the one before can never take money.
    pub attempt: i32,
    pub amount: Money,
    pub request_id: String,
}

/// What came of closing the money door.
#[derive(Debug, Clone)]
pub enum Cancelled {
    /// It is cancelled, now or since earlier, and will never take money.
    Done(Intent),
    /// It was too late: this is how it stands, paid or on its way.
    Not(Intent),
}

/// Stripe, as far as Holdfast needs it. Clones share connections and pace.
#[derive(Debug, Clone)]
pub struct Gateway {
    wire: Wire,
}

impl Gateway {
    /// # Errors
    /// When no call could ever be made with these settings. Whether Stripe answers is not tried here.
    pub fn new(settings: &StripeSettings, metrics: Metrics) -> Result<Self, Misconfigured> {
        Ok(Self { wire: Wire::new(settings, metrics)? })
    }

    /// Opens the PaymentIntent of an order's attempt, or answers the one that is already open for it.
    pub async fn open(&self, new: &NewIntent) -> Result<Intent, PaymentsError> {
        let currency = match new.amount.currency.as_str().parse::<Currency>() {
            Ok(currency) => currency,
            Err(never) => match never {},
        };
        let mut request = CreatePaymentIntent::new(new.amount.minor, currency)
            .metadata(HashMap::from([
                ("order_id".to_owned(), new.order.to_string()),
                ("event_id".to_owned(), new.event.to_string()),
                ("request_id".to_owned(), new.request_id.clone()),
            ]))
            .build();
        // The typed request has only this parameter's newest name, which older versions of the API do not know.
        request.body.get_or_insert_default().push_str("&payment_method_types%5B0%5D=card");
        let once = if proof::planted(Bug::PaymentWithoutKey) { OrderId::new() } else { new.order };
        let key = format!("order:{once}:{}", new.attempt);
        self.wire.send(Ask::new("open", request).once(key).paced()).await
    }

    /// How a PaymentIntent stands now; `None` when Stripe does not know it.
    pub async fn intent(&self, id: &str) -> Result<Option<Intent>, PaymentsError> {
        let Some(id) = stripe_id(id) else { return Ok(None) };
        found(self.wire.send(Ask::new("intent", RetrievePaymentIntent::new(id).build())).await)
    }

    /// Closes the money door of a PaymentIntent, or says that it is too late.
    ///
    /// Carries no key: a stored refusal would be repeated even after the payment has failed, and cancelling twice
    /// is no harm.
    pub async fn cancel(&self, id: &str) -> Result<Cancelled, PaymentsError> {
        let known = stripe_id(id).ok_or_else(|| unknown("cancel", id))?;
        let mut last = IntentStatus::RequiresPaymentMethod;
        for _ in 0..CANCEL_TRIES {
            let request = CancelPaymentIntent::new(known).build();
            match self.wire.send::<Intent>(Ask::new("cancel", request)).await {
                Ok(intent) if intent.status == IntentStatus::Canceled => return Ok(Cancelled::Done(intent)),
                // A refusal or an odd answer settles nothing: only what Stripe says when asked does.
                Ok(_) | Err(PaymentsError::Refused { status: 400, .. }) => {}
                Err(error) => return Err(error),
            }
            let intent = self.intent(id).await?.ok_or_else(|| unknown("cancel", id))?;
            match intent.status {
                IntentStatus::Canceled => return Ok(Cancelled::Done(intent)),
                IntentStatus::Succeeded | IntentStatus::Processing => return Ok(Cancelled::Not(intent)),
                // Open again since, because a payment under way has failed: it can be cancelled now.
                IntentStatus::RequiresPaymentMethod
                | IntentStatus::RequiresConfirmation
                | IntentStatus::RequiresAction
                | IntentStatus::RequiresCapture => last = intent.status,
            }
        }
        Err(PaymentsError::Unexpected(last))
    }

    /// Sends `amount` (minor units) of a captured payment back, once for this refund id.
    ///
    /// A failure that Stripe has stored under a key is answered for a day, whatever happens meanwhile. Then what it has made is
    /// looked at, and when that is nothing, it is asked again under the next key: of all keys only the last is not decided.
    ///
    /// Stripe may forget keys after a day. Who retries later than that looks with [`Self::refund_made`] first.
    pub async fn refund(
        &self,
        refund: RefundId,
        intent: &str,
        amount: i64,
        mut metadata: HashMap<String, String>,
    ) -> Result<Refund, PaymentsError> {
        metadata.insert("refund_id".to_owned(), refund.to_string());
        let request = CreateRefund::new().payment_intent(intent).amount(amount).metadata(metadata);
        let once = if proof::planted(Bug::RefundWithoutKey) { RefundId::new() } else { refund };
        let mut key = format!("refund:{once}");
        for next in 2..=MOST_KEYS {
            match self.wire.send(Ask::new("refund", request.build()).once(key)).await {
                Err(PaymentsError::StoredFailure { .. }) => {}
                answer => return answer,
            }
            if let Some(made) = self.refund_made(refund, intent).await? {
                return Ok(made);
            }
            key = format!("refund:{once}:{next}");
        }
        self.wire.send(Ask::new("refund", request.build()).once(key)).await
    }

    /// Stripe's refund for our refund id, if it was ever made.
    pub async fn refund_made(&self, refund: RefundId, intent: &str) -> Result<Option<Refund>, PaymentsError> {
        let ours = refund.to_string();
        let all = self.refunds_of(intent).await?;
        Ok(all.into_iter().find(|made| made.metadata.get("refund_id") == Some(&ours)))
    }

    /// Every refund of a payment, newest first, whoever made it.
    pub async fn refunds_of(&self, intent: &str) -> Result<Vec<Refund>, PaymentsError> {
        let mut refunds = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut list = ListRefund::new().payment_intent(intent).limit(PAGE);
            if let Some(last) = &after {
                list = list.starting_after(last);
            }
            let page: Page = self.wire.send(Ask::new("refunds_of", list.build())).await?;
            after = page.data.last().and_then(|last| last["id"].as_str()).map(str::to_owned);
            // Unlike the list of payments this one decides how much may still go back: all of it, or an error.
            for entry in page.data {
                refunds.push(read("refunds_of", entry)?);
            }
            if !page.has_more || after.is_none() {
                break;
            }
        }
        Ok(refunds)
    }

    /// How a refund stands now, by Stripe's id; `None` when Stripe does not know it.
    pub async fn refund_by_id(&self, id: &str) -> Result<Option<Refund>, PaymentsError> {
        let Some(id) = stripe_id(id) else { return Ok(None) };
        found(self.wire.send(Ask::new("refund_by_id", RetrieveRefund::new(id).build())).await)
    }

    /// A page of the PaymentIntents created since a Unix second, newest first, going on after an id.
    ///
    /// An entry in a shape that we cannot read is logged and left out.
    pub async fn recent_intents(
        &self,
        since: i64,
        starting_after: Option<&str>,
    ) -> Result<Listed<Intent>, PaymentsError> {
        let mut list = ListPaymentIntent::new().created(RangeQueryTs::gte(since)).limit(PAGE);
        if let Some(last) = starting_after {
            list = list.starting_after(last);
        }
        let page: Page = self.wire.send(Ask::new("recent_intents", list.build())).await?;
        Ok(Listed::of("recent_intents", page))
    }

    /// A page of the refunds made since a Unix second, in the same way.
    pub async fn recent_refunds(
        &self,
        since: i64,
        starting_after: Option<&str>,
    ) -> Result<Listed<Refund>, PaymentsError> {
        let mut list = ListRefund::new().created(RangeQueryTs::gte(since)).limit(PAGE);
        if let Some(last) = starting_after {
            list = list.starting_after(last);
        }
        let page: Page = self.wire.send(Ask::new("recent_refunds", list.build())).await?;
        Ok(Listed::of("recent_refunds", page))
    }
}

/// An id goes into the path of a call, so nothing that could change the path may be in it.
fn stripe_id(text: &str) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    ((1..=255).contains(&text.len()) && text.bytes().all(plain)).then_some(text)
}

fn unknown(call: &'static str, id: &str) -> PaymentsError {
    let message = format!("there is no PaymentIntent {id:?}");
    PaymentsError::Refused { call, status: 404, code: "resource_missing".to_owned(), message }
}

fn found<T>(answer: Result<T, PaymentsError>) -> Result<Option<T>, PaymentsError> {
    match answer {
        Ok(object) => Ok(Some(object)),
        Err(PaymentsError::Refused { status: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn read<T: DeserializeOwned>(call: &'static str, entry: Value) -> Result<T, PaymentsError> {
    serde_json::from_value(entry)
        .map_err(|error| PaymentsError::Unreadable { call, detail: error.to_string() })
}
