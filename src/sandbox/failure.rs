//! Stripe's errors, in Stripe's shape.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::objects::{Decline, Intent};

/// A call that does not do what it was asked for.
#[derive(Debug, Clone)]
pub struct Failure {
    pub status: StatusCode,
    /// Whether the call got far enough that its key keeps this answer.
    pub stored: bool,
    pub retry_after: Option<u64>,
    error: Value,
}

impl Failure {
    fn new(status: StatusCode, kind: &str, code: Option<&str>, message: String) -> Self {
        let mut error = json!({ "type": kind, "message": message });
        if let Some(code) = code {
            error["code"] = json!(code);
            error["doc_url"] =
                json!(format!("https://docs.stripe.com/error-codes#{}", code.replace('_', "-")));
        }
        Self { status, stored: false, retry_after: None, error }
    }

    fn invalid(code: Option<&str>, message: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", code, message)
    }

    pub fn body(&self) -> Value {
        json!({ "error": self.error })
    }

    /// What a person may read of it.
    pub fn message(&self) -> &str {
        self.error["message"].as_str().unwrap_or_default()
    }

    /// The effect, or the refusal that it was, belongs to the call's key from here on.
    fn stored(self) -> Self {
        Self { stored: true, ..self }
    }

    fn about(mut self, param: &str) -> Self {
        self.error["param"] = json!(param);
        self
    }

    pub fn unauthorized(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_request_error", None, message.to_owned())
    }

    pub fn unknown_url(method: &str, path: &str) -> Self {
        let message = format!("Unrecognized request URL ({method}: {path}).");
        Self::new(StatusCode::NOT_FOUND, "invalid_request_error", None, message)
    }

    pub fn too_large() -> Self {
        let message = "The request body is too large.".to_owned();
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request_error", None, message)
    }

    pub fn unknown_parameter(name: &str) -> Self {
        Self::invalid(Some("parameter_unknown"), format!("Received unknown parameter: {name}")).about(name)
    }

    pub fn missing_parameter(name: &str) -> Self {
        Self::invalid(Some("parameter_missing"), format!("Missing required param: {name}.")).about(name)
    }

    pub fn bad_parameter(name: &str, message: &str) -> Self {
        Self::invalid(None, message.to_owned()).about(name)
    }

    pub fn bad_parameter_with(code: &str, name: &str, message: &str) -> Self {
        Self::invalid(Some(code), message.to_owned()).about(name)
    }

    /// The object that the URL names does not exist.
    pub fn not_found(what: &str, id: &str) -> Self {
        let message = format!("No such {what}: '{id}'");
        Self::new(StatusCode::NOT_FOUND, "invalid_request_error", Some("resource_missing"), message)
            .about("id")
    }

    /// The object that a parameter names does not exist.
    pub fn no_such(what: &str, id: &str, param: &str) -> Self {
        Self::invalid(Some("resource_missing"), format!("No such {what}: '{id}'")).about(param)
    }

    pub fn wrong_client_secret() -> Self {
        let message =
            "The client_secret provided does not match the client_secret associated with the PaymentIntent.";
        Self::invalid(Some("payment_intent_invalid_parameter"), message.to_owned()).about("client_secret")
    }

    /// The PaymentIntent is past what was asked for.
    pub fn unexpected_state(intent: &Intent, shape: Value, verb: &str) -> Self {
        let message = format!(
            "You cannot {verb} this PaymentIntent because it has a status of {}.",
            intent.status.as_str()
        );
        let mut failure = Self::invalid(Some("payment_intent_unexpected_state"), message);
        failure.error["payment_intent"] = shape;
        failure.stored()
    }

    pub fn declined(decline: &Decline, charge: Option<&str>, shape: Value) -> Self {
        let mut failure = Self::new(
            StatusCode::PAYMENT_REQUIRED,
            "card_error",
            Some(&decline.code),
            decline.message.clone(),
        );
        failure.error["decline_code"] = json!(decline.decline_code);
        failure.error["charge"] = json!(charge);
        failure.error["payment_intent"] = shape;
        failure.stored()
    }

    pub fn charge_already_refunded(charge: &str) -> Self {
        let message = format!("Charge {charge} has already been refunded.");
        Self::invalid(Some("charge_already_refunded"), message).stored()
    }

    pub fn refund_too_large(asked: i64, left: i64) -> Self {
        let message = format!("Refund amount ({asked}) is greater than unrefunded amount on charge ({left})");
        Self::invalid(None, message).about("amount").stored()
    }

    pub fn nothing_to_refund(intent: &str) -> Self {
        let message = format!("The PaymentIntent {intent} does not have a successful charge to refund.");
        Self::invalid(None, message).about("payment_intent").stored()
    }

    pub fn key_reused(key: &str) -> Self {
        let message = format!(
            "Keys for idempotent requests can only be used with the same parameters they were first used with. \
             Try using a key other than '{key}' if you meant to execute a different request."
        );
        Self::new(StatusCode::BAD_REQUEST, "idempotency_error", None, message)
    }

    pub fn key_in_use(key: &str) -> Self {
        let message = format!(
            "There is currently another in-progress request using this Idempotent Key (that probably means you \
             submitted twice, and the other request is still going through): {key}. Please try again later."
        );
        Self::new(StatusCode::CONFLICT, "idempotency_error", Some("idempotency_key_in_use"), message)
    }

    pub fn too_many(retry_after: Option<u64>) -> Self {
        let message = "Request rate limit exceeded. Learn more about rate limits in Stripe's documentation.";
        let status = StatusCode::TOO_MANY_REQUESTS;
        let failure = Self::new(status, "invalid_request_error", Some("rate_limit"), message.to_owned());
        Self { retry_after, ..failure }
    }

    /// A failure of Stripe's own: what a switch asked for, never what a request caused.
    pub fn outage(status: StatusCode, retry_after: Option<u64>) -> Self {
        let message = "An unknown error occurred.".to_owned();
        Self { retry_after, ..Self::new(status, "api_error", None, message) }
    }

    pub fn stored_outage() -> Self {
        Self::outage(StatusCode::INTERNAL_SERVER_ERROR, None).stored()
    }
}
