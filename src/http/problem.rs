//! The one place where what went wrong becomes a status, a `code` and a sentence (RFC 9457).
//!
//! `Code` is closed: its table is the documentation, and nothing else names a status. A cause that is not the
//! client's business is logged here, once, and never sent.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $status:ident, $code:literal, $title:literal;)*) => {
        /// Every reason for which a call is refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ToSchema, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// All codes, for the documentation and its test.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            #[must_use]
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    /// `errors` names every field and its fault.
    InvalidRequest = UNPROCESSABLE_ENTITY, "invalid_request", "The request has faults";
    /// `seats` lists the ids that the event's chart does not have.
    UnknownSeats = UNPROCESSABLE_ENTITY, "unknown_seats", "These seats do not exist";
    /// The same key came with another body.
    IdempotencyKeyReused = UNPROCESSABLE_ENTITY, "idempotency_key_reused", "This Idempotency-Key was used for another request";
    MalformedJson = BAD_REQUEST, "malformed_json", "The body is not JSON";
    BadRequest = BAD_REQUEST, "bad_request", "The request cannot be read";
    /// The webhook is unsigned, wrongly signed or too old.
    BadSignature = BAD_REQUEST, "bad_signature", "The signature does not hold";
    NotAuthenticated = UNAUTHORIZED, "not_authenticated", "Sign in first";
    BadCredentials = UNAUTHORIZED, "bad_credentials", "Address or password is wrong";
    /// A refresh token that is unknown, expired, revoked or was used before.
    BadRefreshToken = UNAUTHORIZED, "bad_refresh_token", "This refresh token is not valid";
    Forbidden = FORBIDDEN, "forbidden", "Your role does not allow this";
    NotFound = NOT_FOUND, "not_found", "There is nothing here";
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method_not_allowed", "This path does not take that method";
    RequestTimeout = REQUEST_TIMEOUT, "request_timeout", "The request took too long to arrive";
    BodyTooLarge = PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large";
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "Send application/json";
    NotAcceptable = NOT_ACCEPTABLE, "not_acceptable", "No acceptable form of this exists";
    EmailTaken = CONFLICT, "email_taken", "This address has an account";
    /// `seats` says which and why: sold, blocked, held or orphan.
    SeatsUnavailable = CONFLICT, "seats_unavailable", "Not all of these seats can be had";
    /// `waitlist_open` says whether one can wait for seats.
    SoldOut = CONFLICT, "sold_out", "Not enough seats are left";
    /// `entry_id` names the live entry that the customer has.
    AlreadyWaiting = CONFLICT, "already_waiting", "You are on this waiting list already";
    /// The event has no waiting list, it is too near, or it is not on sale.
    WaitlistClosed = CONFLICT, "waitlist_closed", "The waiting list is not open";
    /// `limit` is the most that one customer may have.
    LimitExceeded = CONFLICT, "limit_exceeded", "That is more than one customer may have";
    SaleClosed = CONFLICT, "sale_closed", "The sale is not open";
    /// The event has a waiting room: send its `Admission` token, see `POST /v1/events/{id}/room`.
    NotAdmitted = FORBIDDEN, "not_admitted", "This sale is entered through its waiting room";
    /// A draft is not cancelled: nobody knows of it.
    NotPublished = CONFLICT, "not_published", "This event is not published yet";
    /// What was published, or called off, is not changed as a whole any more.
    NotADraft = CONFLICT, "not_a_draft", "This event is not a draft";
    /// The order is in a state that does not allow this; `order_status` says which.
    OrderState = CONFLICT, "order_state", "The order's state does not allow this";
    /// `checked_in_at` and `checked_in_by` say when and by whom.
    AlreadyCheckedIn = CONFLICT, "already_checked_in", "This ticket has let somebody in already";
    /// Its order was cancelled or refunded, or, with `moved`, it has another seat and a newer code.
    TicketVoid = CONFLICT, "ticket_void", "This ticket is not valid any more";
    NotCheckedIn = CONFLICT, "not_checked_in", "This ticket has let nobody in";
    /// `paid` is what the ticket cost, `price` what the other seat costs.
    PriceDiffers = CONFLICT, "price_differs", "That seat has another price";
    /// `event_title` says for which.
    WrongEvent = CONFLICT, "wrong_event", "This ticket is for another event";
    /// The provider will not take a payment for this order, now or later.
    PaymentRefused = CONFLICT, "payment_refused", "The payment provider refuses this order";
    /// `limit` is how many one account may have.
    TooManyHooks = CONFLICT, "too_many_hooks", "Remove an endpoint first";
    /// The first call with this key has not answered yet.
    StillRunning = CONFLICT, "still_running", "The first request with this Idempotency-Key is still running";
    HoldExpired = GONE, "hold_expired", "This hold has expired";
    TooManyRequests = TOO_MANY_REQUESTS, "too_many_requests", "Slow down";
    /// Redis, Postgres or Stripe cannot answer now. Nothing was lost; try again.
    Unavailable = SERVICE_UNAVAILABLE, "unavailable", "This cannot be answered right now";
    /// The event's picture is being rebuilt.
    EventNotReady = SERVICE_UNAVAILABLE, "event_not_ready", "The event is being prepared";
    Internal = INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side";
}

impl Code {
    #[must_use]
    pub fn problem(self) -> Problem {
        Problem { code: self, detail: None, extra: Map::new(), retry_after: self.default_retry() }
    }

    #[must_use]
    pub fn detail(self, detail: impl Into<String>) -> Problem {
        self.problem().with_detail(detail)
    }

    /// A problem with one more member, such as the seats that it is about.
    #[must_use]
    pub fn with(self, member: &'static str, value: impl Serialize) -> Problem {
        self.problem().with(member, value)
    }

    fn default_retry(self) -> Option<u32> {
        match self.status() {
            StatusCode::SERVICE_UNAVAILABLE => Some(1),
            _ if self == Self::StillRunning => Some(1),
            _ => None,
        }
    }
}

/// What every problem says of itself: no code has a member of one of these names.
const OWN: [&str; 5] = ["type", "title", "status", "code", "detail"];

/// One fault of one field, as `errors` of `invalid_request` lists them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldFault {
    /// Where: `sections[0].rows[2].name`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl FieldFault {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// A refused call.
#[derive(Debug)]
pub struct Problem {
    pub code: Code,
    detail: Option<String>,
    extra: Map<String, Value>,
    retry_after: Option<u32>,
}

/// The members of every `application/problem+json` answer; some codes add their own.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// Names the kind of problem, as `code` does, for generic clients.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: &'static str,
    pub status: u16,
    pub code: Code,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    #[serde(flatten)]
    #[schema(additional_properties, value_type = Object)]
    pub extra: Map<String, Value>,
}

impl Problem {
    /// Every fault of a request at once.
    #[must_use]
    pub fn invalid(faults: Vec<FieldFault>) -> Self {
        Code::InvalidRequest.with("errors", faults)
    }

    /// A store or Stripe cannot answer: logged with its cause, told as "come back".
    #[must_use]
    pub fn outage(cause: impl std::fmt::Display) -> Self {
        tracing::warn!(%cause, "answering 503: something we need cannot answer");
        Code::Unavailable.problem()
    }

    /// Our own mistake: logged with its cause, told as nothing more than that.
    #[must_use]
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "answering 500");
        Code::Internal.problem()
    }

    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    #[must_use]
    pub fn with(mut self, member: &'static str, value: impl Serialize) -> Self {
        debug_assert!(
            !OWN.contains(&member),
            "{member} would be there twice, and readers take one or the other"
        );
        let value = serde_json::to_value(value).unwrap_or(Value::Null);
        self.extra.insert(member.to_owned(), value);
        self
    }

    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.code.status();
        let body = ProblemBody {
            kind: format!("urn:holdfast:problem:{}", self.code.as_str()),
            title: self.code.title(),
            status: status.as_u16(),
            code: self.code,
            detail: self.detail,
            extra: self.extra,
        };
        let mut answer = (status, Json(body)).into_response();
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        answer
    }
}
