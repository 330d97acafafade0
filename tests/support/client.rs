//! Somebody at a browser: sends requests, reads answers.

use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, HeaderMap};
use serde_json::Value;

use super::PATIENCE;

/// A person, signed in or not.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    pub async fn of(response: reqwest::Response) -> Self {
        Self::whole(response).await.expect("a whole body")
    }

    /// Nothing when the connection broke half way.
    pub async fn whole(response: reqwest::Response) -> Option<Self> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.ok()?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Some(Self { status, headers, body })
    }

    /// The body of an answer that must have this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// The `code` of a problem; empty when it is none.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// Whether somebody was too busy to answer, which says nothing of what was asked.
    pub fn is_put_off(&self) -> bool {
        self.status == 503 || self.code() == "still_running"
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Client {
    pub fn new(base: impl Into<String>, token: Option<String>) -> Self {
        Self { http: reqwest::Client::new(), base: base.into(), token }
    }

    /// What shows who this is.
    pub fn token(&self) -> &str {
        self.token.as_deref().expect("signed in")
    }

    /// The same person at another node.
    pub fn at(&self, node: &super::Node) -> Self {
        self.at_url(&node.url)
    }

    pub fn at_url(&self, url: &str) -> Self {
        Self { base: url.to_owned(), ..self.clone() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(reqwest::Method::GET, path)).await
    }

    pub async fn get_text(&self, path: &str) -> String {
        let response = self.request(reqwest::Method::GET, path).send().await.expect("an answer");
        response.text().await.expect("text")
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(reqwest::Method::DELETE, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(reqwest::Method::POST, path).json(&body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(reqwest::Method::PATCH, path).json(&body)).await
    }

    /// With an Idempotency-Key.
    pub async fn post_once(&self, path: &str, key: &str, body: Value) -> Answer {
        let request = self.request(reqwest::Method::POST, path).header("Idempotency-Key", key).json(&body);
        self.send(request).await
    }

    /// With an Idempotency-Key, as a page asks that must get through: again under the same key until it is answered.
    pub async fn insists(&self, path: &str, key: &str, body: Value) -> Answer {
        let request = self.request(reqwest::Method::POST, path).header("Idempotency-Key", key).json(&body);
        self.patiently(request).await
    }

    /// The same under a key of its own.
    pub async fn gets_through(&self, path: &str, body: Value) -> Answer {
        self.insists(path, &uuid::Uuid::new_v4().to_string(), body).await
    }

    /// Looks until it is shown.
    pub async fn finds(&self, path: &str) -> Answer {
        self.patiently(self.request(reqwest::Method::GET, path)).await
    }

    pub async fn post_raw(&self, path: &str, kind: &str, body: Vec<u8>) -> Answer {
        let request = self.request(reqwest::Method::POST, path).header("Content-Type", kind).body(body);
        self.send(request).await
    }

    pub async fn post_form(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.send(self.request(reqwest::Method::POST, path).form(form)).await
    }

    pub async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        let method = method.to_uppercase().parse().expect("a method");
        let mut request = self.request(method, path);
        if method_has_body(&request) {
            request = request.json(&body);
        }
        self.send(request).await
    }

    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        }
    }

    /// Asks for what may be asked for twice until somebody has time to answer.
    pub async fn patiently(&self, request: reqwest::RequestBuilder) -> Answer {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.send(request.try_clone().expect("it can be sent again")).await;
            if !answer.is_put_off() || Instant::now() > deadline {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        Answer::of(request.send().await.expect("an answer")).await
    }
}

fn method_has_body(request: &reqwest::RequestBuilder) -> bool {
    let request = request.try_clone().and_then(|request| request.build().ok());
    request.is_some_and(|request| {
        matches!(*request.method(), reqwest::Method::POST | reqwest::Method::PATCH | reqwest::Method::PUT)
    })
}
