//! The wire to Stripe: one call is a few attempts under the same key, within a bound.
//!
//! A time-out means *unknown*, so silence is answered by the same call again. Never by another key: that could pay
//! twice. Our own client rather than the library's, whose retries invent keys of their own.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use stripe_client_core::{RequestBuilder, StripeMethod};
use tokio::time::{Instant, sleep, timeout};

use super::gateway::StripeSettings;
use super::pace::Pace;
use super::{Fault, Misconfigured, PaymentsError};
use crate::telemetry::Metrics;

/// The bound of a whole call: attempts, pauses and the wait for a turn.
const CALL: Duration = Duration::from_secs(10);
/// The bound of one attempt, so that a lost packet leaves time for another.
const ATTEMPT: Duration = Duration::from_secs(4);
const CONNECT: Duration = Duration::from_secs(2);
/// Less time than this is not worth an attempt.
const WORTH_TRYING: Duration = Duration::from_millis(250);
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Two hundred times what a full page of a list takes: more is no answer of Stripe's.
const LONGEST_ANSWER: usize = 8 << 20;
/// The shape of parameters and answers, whatever the account's own default has become since.
const VERSION: &str = "2025-03-31.basil";

#[derive(Debug, Clone)]
pub(super) struct Wire {
    http: Client,
    /// With `/v1`, without a slash at the end.
    base: String,
    key: SecretString,
    pace: Pace,
    metrics: Metrics,
}

/// One call: what to send, under which key.
pub(super) struct Ask {
    name: &'static str,
    request: RequestBuilder,
    key: Option<String>,
    paced: bool,
}

impl Ask {
    pub fn new(name: &'static str, request: RequestBuilder) -> Self {
        Self { name, request, key: None, paced: false }
    }

    /// Makes the call happen once, however often it is sent.
    pub fn once(self, key: String) -> Self {
        Self { key: Some(key), ..self }
    }

    pub fn paced(self) -> Self {
        Self { paced: true, ..self }
    }
}

/// What one attempt told.
enum Attempt {
    Answered(Vec<u8>),
    Final(PaymentsError),
    Again { fault: Fault, wait: Option<Duration> },
}

impl Wire {
    pub fn new(settings: &StripeSettings, metrics: Metrics) -> Result<Self, Misconfigured> {
        let url = Url::parse(&settings.api_url).map_err(|_| Misconfigured::Address)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Misconfigured::Address);
        }
        bearer(&settings.secret_key).ok_or(Misconfigured::Key)?;
        let mut client = Client::builder()
            // A redirect would carry the key somewhere that nobody configured.
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT)
            .user_agent(concat!("holdfast/", env!("CARGO_PKG_VERSION")));
        if is_this_machine(&url) {
            client = client.no_proxy();
        }
        Ok(Self {
            http: client.build().map_err(Misconfigured::Client)?,
            base: format!("{}/v1", settings.api_url.trim_end_matches('/')),
            key: settings.secret_key.clone(),
            pace: Pace::per_second(settings.creates_per_second),
            metrics,
        })
    }

    /// Makes the call and reads its answer.
    pub async fn send<T: DeserializeOwned>(&self, ask: Ask) -> Result<T, PaymentsError> {
        let answer = self.persist(&ask).await.and_then(|body| {
            serde_json::from_slice(&body).map_err(|error| unreadable(ask.name, &error.to_string()))
        });
        let outcome = match &answer {
            Ok(_) => "ok",
            Err(PaymentsError::Outage { fault: Fault::Key(status), .. }) => {
                tracing::error!(
                    status,
                    call = ask.name,
                    "Stripe does not accept STRIPE_SECRET_KEY: nothing can be paid"
                );
                "unauthorized"
            }
            Err(PaymentsError::Outage { .. } | PaymentsError::StoredFailure { .. }) => "outage",
            Err(
                PaymentsError::Refused { .. }
                | PaymentsError::Unreadable { .. }
                | PaymentsError::Unexpected(_),
            ) => "refused",
        };
        Metrics::count(&self.metrics.stripe_calls, outcome);
        answer
    }

    /// Attempt after attempt with the same key, until there is an answer or no time left for one.
    async fn persist(&self, ask: &Ask) -> Result<Vec<u8>, PaymentsError> {
        let deadline = Instant::now() + CALL;
        let outage = |fault, retry_after| PaymentsError::Outage { call: ask.name, retry_after, fault };
        for nth in 0.. {
            if ask.paced {
                let latest = deadline - WORTH_TRYING;
                self.pace.turn(latest).await.map_err(|_| outage(Fault::Queue, None))?;
            }
            let bound = ATTEMPT.min(deadline.saturating_duration_since(Instant::now()));
            let attempt = timeout(bound, self.attempt(ask)).await;
            let (fault, wait) = match attempt {
                Ok(Attempt::Answered(body)) => return Ok(body),
                Ok(Attempt::Final(error)) => return Err(error),
                Ok(Attempt::Again { fault, wait }) => (fault, wait),
                Err(_) => (Fault::TimedOut, None),
            };
            let pause = wait.unwrap_or_else(|| jittered(nth));
            if nth + 1 == ATTEMPTS || Instant::now() + pause + WORTH_TRYING > deadline {
                return Err(outage(fault, wait));
            }
            tracing::debug!(call = ask.name, %fault, ?pause, "asking Stripe again");
            sleep(pause).await;
        }
        Err(outage(Fault::TimedOut, None))
    }

    async fn attempt(&self, ask: &Ask) -> Attempt {
        let mut url = format!("{}{}", self.base, ask.request.path);
        if let Some(query) = ask.request.query.as_deref().filter(|query| !query.is_empty()) {
            url = format!("{url}?{query}");
        }
        let mut request = match ask.request.method {
            StripeMethod::Get => self.http.get(url),
            StripeMethod::Post => self.http.post(url),
            StripeMethod::Delete => self.http.delete(url),
        };
        if let Some(header) = bearer(&self.key) {
            request = request.header(AUTHORIZATION, header);
        }
        request = request.header("Stripe-Version", VERSION);
        if let Some(key) = &ask.key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = &ask.request.body {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body.clone());
        }
        match request.send().await {
            Ok(response) => judge(ask.name, response).await,
            Err(error) => broken(error),
        }
    }
}

/// What an answer's status and headers say about asking again.
async fn judge(call: &'static str, response: Response) -> Attempt {
    let status = response.status();
    let headers = response.headers().clone();
    let body = match read_all(response).await {
        Ok(Some(body)) => body,
        Ok(None) => return Attempt::Final(unreadable(call, "it is too long")),
        // The effect has happened, the answer is lost: the same key brings it again.
        Err(error) => return broken(error),
    };
    if status.is_success() {
        return Attempt::Answered(body);
    }
    if status.is_server_error() && header_is(&headers, "idempotent-replayed", "true") {
        return Attempt::Final(PaymentsError::StoredFailure { call, status: status.as_u16() });
    }
    if is_passing(status) {
        return Attempt::Again { fault: Fault::Status(status.as_u16()), wait: retry_after(&headers) };
    }
    if matches!(status.as_u16(), 401 | 403) {
        // Not this call is refused, but we are: whatever it was about stays as it is, and is asked again later.
        let fault = Fault::Key(status.as_u16());
        return Attempt::Final(PaymentsError::Outage { call, retry_after: None, fault });
    }
    Attempt::Final(refusal(call, status, &body))
}

/// Stripe's own list of what is worth asking again: 409 says that the first call under the key still runs.
fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 409 | 424 | 429 | 500..)
}

/// Reads up to the longest answer; `None` when there is more.
async fn read_all(mut response: Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

#[derive(Default, Deserialize)]
struct Complaint {
    #[serde(default)]
    error: Detail,
}

#[derive(Default, Deserialize)]
struct Detail {
    code: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    message: Option<String>,
}

fn refusal(call: &'static str, status: StatusCode, body: &[u8]) -> PaymentsError {
    let Complaint { error } = serde_json::from_slice(body).unwrap_or_default();
    PaymentsError::Refused {
        call,
        status: status.as_u16(),
        code: error.code.or(error.kind).unwrap_or_default(),
        message: error.message.unwrap_or_default(),
    }
}

fn unreadable(call: &'static str, detail: &str) -> PaymentsError {
    PaymentsError::Unreadable { call, detail: detail.to_owned() }
}

fn broken(error: reqwest::Error) -> Attempt {
    let fault = if error.is_timeout() { Fault::TimedOut } else { Fault::Connection(error.without_url()) };
    Attempt::Again { fault, wait: None }
}

/// Doubling, and anywhere in the upper half of it, so that nodes do not come back together.
fn jittered(nth: u32) -> Duration {
    let pause = FIRST_PAUSE.saturating_mul(1 << nth.min(10)).min(LONGEST_PAUSE);
    pause.mul_f64(rand::random_range(0.5..1.0))
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn header_is(headers: &HeaderMap, name: &str, value: &str) -> bool {
    headers.get(name).is_some_and(|found| found.as_bytes().eq_ignore_ascii_case(value.as_bytes()))
}

fn bearer(key: &SecretString) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret())).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// A proxy that is configured for the outside world has no business between us and the sandbox.
fn is_this_machine(url: &Url) -> bool {
    url.host_str().is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]"))
}
