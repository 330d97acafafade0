//! One connection, kept open, over which one request goes at a time: little enough work that the house is measured, and not
//! whoever asks.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// Longer than a house may take to say that it cannot answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longer than it takes to build a stadium, before anything is measured.
const TO_PREPARE: Duration = Duration::from_mins(1);

/// Where a house is: `http://127.0.0.1:8080`.
#[derive(Debug, Clone)]
pub struct Origin {
    host: String,
}

impl Origin {
    /// What stands before the path of an address.
    pub fn of(url: &str) -> anyhow::Result<Self> {
        let rest =
            url.strip_prefix("http://").with_context(|| format!("{url} does not begin with http://"))?;
        let host = rest.split('/').next().unwrap_or_default();
        if host.is_empty() {
            bail!("{url} names no host");
        }
        let host = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        Ok(Self { host })
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The status, and of a refusal its code.
    pub fn outcome(&self) -> String {
        let code = if self.status >= 400 { self.code() } else { None };
        code.map_or_else(|| self.status.to_string(), |code| format!("{} {code}", self.status))
    }

    /// Found without reading all of it: whoever asks this often must not be what is measured.
    fn code(&self) -> Option<&str> {
        const MEMBER: &str = "\"code\":\"";
        let body = std::str::from_utf8(&self.body).ok()?;
        let (_, rest) = body.split_once(MEMBER)?;
        rest.split('"').next()
    }

    /// The body of an answer without which there is nothing to measure.
    pub fn expect(self, status: u16, what: &str) -> anyhow::Result<Value> {
        if self.status != status {
            bail!("{what}: {} {}", self.status, String::from_utf8_lossy(&self.body));
        }
        Ok(self.json())
    }
}

/// A connection, opened anew when the other side has closed it.
#[derive(Debug)]
pub struct Wire {
    origin: Origin,
    token: Option<HeaderValue>,
    patience: Duration,
    open: Option<SendRequest<Full<Bytes>>>,
}

impl Wire {
    pub fn to(origin: &Origin) -> Self {
        Self { origin: origin.clone(), token: None, patience: PATIENCE, open: None }
    }

    /// For what has to be there before anything is measured.
    pub fn to_prepare(origin: &Origin) -> Self {
        Self { patience: TO_PREPARE, ..Self::to(origin) }
    }

    /// The same as somebody who is signed in.
    pub fn with(mut self, token: &str) -> anyhow::Result<Self> {
        self.token = Some(HeaderValue::from_str(&format!("Bearer {token}"))?);
        Ok(self)
    }

    pub async fn get(&mut self, path: &str) -> anyhow::Result<Answer> {
        self.ask(Method::GET, path, &[], Bytes::new()).await
    }

    pub async fn post(&mut self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.post_text(path, body.to_string()).await
    }

    /// The same with JSON that is written already.
    pub async fn post_text(&mut self, path: &str, body: String) -> anyhow::Result<Answer> {
        let json = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.ask(Method::POST, path, &[json], Bytes::from(body)).await
    }

    /// The same, again and again while the house says that it has too much to do: for what is not measured.
    pub async fn insist(&mut self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        let begun = Instant::now();
        loop {
            let answer = self.post(path, body).await?;
            if answer.status != 503 || begun.elapsed() > TO_PREPARE {
                return Ok(answer);
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    pub async fn ask(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
    ) -> anyhow::Result<Answer> {
        let patience = self.patience;
        let answer = tokio::time::timeout(patience, async {
            let response = self.send(method, path, headers, body).await?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
        });
        let answer = answer.await.unwrap_or_else(|_| bail!("no answer within {patience:?}"));
        if answer.is_err() {
            // Whatever comes on it now is the answer to something else.
            self.open = None;
        }
        answer
    }

    /// The beginning of an answer that has no end.
    pub async fn follow(mut self, path: &str) -> anyhow::Result<Response<Incoming>> {
        let response = self.send(Method::GET, path, &[], Bytes::new()).await?;
        if response.status() != 200 {
            bail!("{path}: {}", response.status());
        }
        Ok(response)
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
    ) -> anyhow::Result<Response<Incoming>> {
        let mut request = Request::builder().method(method).uri(path).header(HOST, &self.origin.host);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token);
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body))?;
        let wire = match self.open.as_mut().filter(|wire| !wire.is_closed()) {
            Some(_) => self.open.as_mut().context("it was there")?,
            None => self.open.insert(connect(&self.origin).await?),
        };
        wire.ready().await?;
        Ok(wire.send_request(request).await?)
    }
}

async fn connect(origin: &Origin) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream =
        TcpStream::connect(&origin.host).await.with_context(|| format!("connecting to {}", origin.host))?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}
