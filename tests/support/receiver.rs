//! Another system that wants to be told: it takes webhooks on loopback, checks who signed them, and misbehaves on demand.

use std::sync::atomic::{AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use holdfast::payments::signature;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::journeys::id;
use super::{Client, Holdfast, eventually};

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Arrival {
    pub headers: HeaderMap,
    pub bytes: Bytes,
    pub body: Value,
    pub at: i64,
}

impl Arrival {
    pub fn kind(&self) -> &str {
        self.body["type"].as_str().expect("it has a type")
    }

    pub fn object(&self) -> &Value {
        &self.body["data"]["object"]
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Whether it was signed with this secret.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let secrets = [SecretString::from(secret)];
        signature::verify(self.header("Holdfast-Signature"), &self.bytes, &secrets, self.at, 300).is_ok()
    }
}

#[derive(Debug, Default)]
struct Inside {
    came: Mutex<Vec<Arrival>>,
    status: AtomicU16,
    delay_ms: AtomicU64,
    now: AtomicUsize,
    most: AtomicUsize,
}

/// The other system.
#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    inside: Arc<Inside>,
    _server: Arc<AbortOnDropHandle<()>>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hooks", listener.local_addr().expect("an address"));
        let inside = Arc::new(Inside { status: AtomicU16::new(200), ..Inside::default() });
        let service = Router::new().fallback(take).with_state(Arc::clone(&inside));
        let server = tokio::spawn(async move { axum::serve(listener, service).await.expect("it serves") });
        Self { url, inside, _server: Arc::new(AbortOnDropHandle::new(server)) }
    }

    /// What it answers from now on.
    pub fn answers(&self, status: u16) {
        self.inside.status.store(status, Ordering::SeqCst);
    }

    /// How long it thinks about each.
    pub fn takes(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).expect("short");
        self.inside.delay_ms.store(millis, Ordering::SeqCst);
    }

    pub fn came(&self) -> Vec<Arrival> {
        self.inside.came.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn came_of(&self, kind: &str) -> Vec<Arrival> {
        self.came().into_iter().filter(|one| one.kind() == kind).collect()
    }

    /// The most requests that it had at one time.
    pub fn most_at_a_time(&self) -> usize {
        self.inside.most.load(Ordering::SeqCst)
    }

    /// Waits for so many of a kind.
    pub async fn hears(&self, kind: &str, count: usize) -> Vec<Arrival> {
        eventually(&format!("{count} of {kind} arrived"), async || {
            let came = self.came_of(kind);
            (came.len() >= count).then_some(came)
        })
        .await
    }

    /// Waits for one that is about this thing.
    pub async fn hears_of(&self, kind: &str, thing: &Value) -> Arrival {
        eventually(&format!("{kind} of {} arrived", id(thing)), async || {
            self.came_of(kind).into_iter().find(|one| one.object()["id"] == thing["id"])
        })
        .await
    }
}

async fn take(State(inside): State<Arc<Inside>>, headers: HeaderMap, bytes: Bytes) -> Response {
    let now = inside.now.fetch_add(1, Ordering::SeqCst) + 1;
    inside.most.fetch_max(now, Ordering::SeqCst);
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    let at = time::OffsetDateTime::now_utc().unix_timestamp();
    inside.came.lock().unwrap_or_else(PoisonError::into_inner).push(Arrival { headers, bytes, body, at });
    tokio::time::sleep(Duration::from_millis(inside.delay_ms.load(Ordering::SeqCst))).await;
    inside.now.fetch_sub(1, Ordering::SeqCst);
    let status = StatusCode::from_u16(inside.status.load(Ordering::SeqCst)).expect("a status");
    // Whoever follows a redirect comes back here, and is counted.
    if status.is_redirection() {
        return (status, [(header::LOCATION, "/elsewhere")]).into_response();
    }
    (status, "thank you").into_response()
}

impl Client {
    /// Adds an endpoint for these types; the answer holds its secret.
    pub async fn listens(&self, receiver: &Receiver, types: &[&str]) -> Value {
        self.post("/v1/admin/hooks", json!({ "url": receiver.url, "events": types })).await.expect(201)
    }

    pub async fn hook(&self, hook: &Value) -> Value {
        self.get(&format!("/v1/admin/hooks/{}", id(hook))).await.expect(200)
    }

    /// What an endpoint was told, newest first.
    pub async fn deliveries(&self, hook: &Value, query: &str) -> Vec<Value> {
        let path = format!("/v1/admin/hooks/{}/deliveries?limit=100&{query}", id(hook));
        self.get(&path).await.expect(200)["items"].as_array().expect("items").clone()
    }

    /// Waits until so many deliveries to an endpoint stand so.
    pub async fn sees_deliveries(&self, hook: &Value, status: &str, count: usize) -> Vec<Value> {
        eventually(&format!("{count} deliveries are {status}"), async || {
            let found = self.deliveries(hook, &format!("status={status}")).await;
            (found.len() >= count).then_some(found)
        })
        .await
    }

    pub async fn replays(&self, hook: &Value, wish: Value) -> super::Answer {
        self.post(&format!("/v1/admin/hooks/{}/replay", id(hook)), wish).await
    }
}

impl Holdfast {
    /// A house that may call this machine, and tries again soon.
    pub async fn that_calls_back() -> Self {
        Self::with(calls_back).await
    }

    /// An endpoint has failed for two hours: waits until it fails, and moves the beginning back.
    pub async fn fails_for_two_hours(&self, hook: &Value) {
        eventually("it fails, and has for two hours", async || {
            let aged = sqlx::query(
                "update hooks set failing_since = now() - interval '2 hours' where id = $1::uuid and failures > 0",
            )
            .bind(id(hook))
            .execute(&self.app().pg)
            .await
            .expect("a change");
            (aged.rows_affected() == 1).then_some(())
        })
        .await;
    }

    /// How often each thing was logged, by type: its type and id, and the number of events.
    pub async fn logged(&self, kind: &str) -> Vec<(String, i64)> {
        sqlx::query_as("select data->>'id', count(*) from hook_events where type = $1 group by 1 order by 1")
            .bind(kind)
            .fetch_all(&self.app().pg)
            .await
            .expect("a query")
    }
}

/// Settings with which webhooks reach this machine and are tried again at once.
pub fn calls_back(config: &mut holdfast::config::Config) {
    config.hooks_allow_private = true;
    config.hooks_pause_ms = 20;
    config.hooks_timeout_seconds = 2;
}
