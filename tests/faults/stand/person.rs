//! Somebody at a browser who knows several nodes and does not give up at the first trouble.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use serde_json::Value;
use uuid::Uuid;

/// How long one request may take before its answer is taken for lost.
const ANSWER: Duration = Duration::from_secs(12);
/// How long somebody insists.
const PATIENCE: Duration = Duration::from_mins(1);

/// The nodes that people know of.
#[derive(Debug, Default)]
pub struct Places {
    urls: RwLock<Vec<String>>,
    turn: AtomicUsize,
    /// Answers of 500 that anybody has got: no trouble of a node's surroundings excuses one.
    mistakes: Mutex<Vec<String>>,
}

impl Places {
    pub fn set(&self, urls: Vec<String>) {
        *self.urls.write().expect("nobody panics with the lock") = urls;
    }

    /// Which answers of 500 there were since this was asked last.
    pub fn mistakes(&self) -> Vec<String> {
        std::mem::take(&mut *self.mistakes.lock().expect("nobody panics with the lock"))
    }

    fn next(&self) -> String {
        let urls = self.urls.read().expect("nobody panics with the lock");
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        urls.get(turn % urls.len().max(1)).cloned().unwrap_or_default()
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
    /// Whether the same was asked before, without an answer that stays: it may have been done then.
    pub is_later: bool,
}

impl Answer {
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// Whether asking again under the same key may go better.
    pub fn is_passing(&self) -> bool {
        self.status == 429 || self.status >= 500 || self.code() == "still_running"
    }
}

#[derive(Debug, Clone)]
pub struct Person {
    token: String,
    places: Arc<Places>,
    http: reqwest::Client,
}

impl Person {
    pub fn new(token: String, places: Arc<Places>) -> Self {
        Self { token, places, http: reqwest::Client::new() }
    }

    /// One request to one node; nothing when no answer came, and then what happened is unknown.
    pub async fn asks(&self, method: &str, path: &str, body: Option<&Value>, key: Uuid) -> Option<Answer> {
        let method: reqwest::Method = method.parse().expect("a method");
        let mut request = self
            .http
            .request(method.clone(), format!("{}{path}", self.places.next()))
            .timeout(ANSWER)
            .bearer_auth(&self.token);
        if method != reqwest::Method::GET {
            request = request.header("Idempotency-Key", key.to_string());
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let text = response.text().await.ok()?;
        if status == 500 {
            let mistake = format!("{method} {path} was answered with 500: {text}");
            self.places.mistakes.lock().expect("nobody panics with the lock").push(mistake);
        }
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Some(Answer { status, body, is_later: false })
    }

    /// Asks under one key, node after node, until there is an answer that stays. When time is up, the last refusal
    /// for now; or nothing, when the last answer was lost.
    pub async fn persists(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        within: Duration,
    ) -> Option<Answer> {
        let (key, began) = (Uuid::now_v7(), Instant::now());
        let mut is_later = false;
        loop {
            let answer = self.asks(method, path, body, key).await;
            let answer = answer.map(|answer| Answer { is_later, ..answer });
            is_later = true;
            if answer.as_ref().is_some_and(|answer| !answer.is_passing()) || began.elapsed() > within {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(rand::random_range(40..200))).await;
        }
    }

    /// The same, for whoever cannot go on without an answer.
    pub async fn insists(&self, method: &str, path: &str, body: impl Into<Option<Value>>) -> Answer {
        let body = body.into();
        let answer = self.persists(method, path, body.as_ref(), PATIENCE).await;
        answer.unwrap_or_else(|| panic!("no answer to {method} {path}"))
    }
}
