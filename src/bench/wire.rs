//! One connection, kept open, over which one request goes at a time: little enough work that the house is measured, and not
//! whoever asks. A request is one write and its answer, as a rule, one read, which no client that can do more than that does.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use hyper::Method;
use hyper::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};

use super::line::{Answer, Line};

/// Longer than a house may take to say that it cannot answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longer than it takes to build a stadium, before anything is measured.
const TO_PREPARE: Duration = Duration::from_mins(1);
/// Of a narrow connection: the least that systems keep unread, and the least segment that all of them send.
const NARROW_BYTES: u32 = 4096;
const NARROW_SEGMENT: u32 = 536;

/// What says that a body is JSON.
pub fn json() -> (HeaderName, HeaderValue) {
    (CONTENT_TYPE, HeaderValue::from_static("application/json"))
}

/// What every browser sends along, whether or not the answer is worth packing.
pub fn as_browsers_do() -> (HeaderName, HeaderValue) {
    (ACCEPT_ENCODING, HeaderValue::from_static("gzip, deflate, br, zstd"))
}

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

/// A connection, opened anew when the other side has closed it.
#[derive(Debug)]
pub struct Wire {
    origin: Origin,
    token: Option<HeaderValue>,
    patience: Duration,
    open: Option<Line>,
    /// The request that is being written.
    words: Vec<u8>,
}

impl Wire {
    pub fn to(origin: &Origin) -> Self {
        Self { origin: origin.clone(), token: None, patience: PATIENCE, open: None, words: Vec::new() }
    }

    /// For what has to be there before anything is measured.
    pub fn to_prepare(origin: &Origin) -> Self {
        Self { patience: TO_PREPARE, ..Self::to(origin) }
    }

    /// Over which little can be on its way: a phone far from everything.
    pub async fn narrow(origin: &Origin) -> anyhow::Result<Self> {
        let place = tokio::net::lookup_host(&origin.host).await?.next();
        let place = place.with_context(|| format!("{} is nowhere", origin.host))?;
        let socket = if place.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_recv_buffer_size(NARROW_BYTES)?;
        // What the other side keeps for us grows with the segments that we take.
        socket2::SockRef::from(&socket).set_tcp_mss(NARROW_SEGMENT)?;
        let stream = socket.connect(place).await?;
        Ok(Self { open: Some(Line::over(stream)), ..Self::to(origin) })
    }

    /// The same as somebody who is signed in.
    pub fn with(mut self, token: &str) -> anyhow::Result<Self> {
        self.token = Some(bearer(token)?);
        Ok(self)
    }

    /// From here on somebody else asks over it, as behind a proxy.
    pub fn speaks_for(&mut self, bearer: &HeaderValue) {
        self.token = Some(bearer.clone());
    }

    pub async fn get(&mut self, path: &str) -> anyhow::Result<Answer> {
        self.ask(Method::GET, path, &[], Bytes::new()).await
    }

    pub async fn post(&mut self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.post_text(path, body.to_string()).await
    }

    /// The same with JSON that is written already.
    pub async fn post_text(&mut self, path: &str, body: String) -> anyhow::Result<Answer> {
        self.ask(Method::POST, path, &[json()], Bytes::from(body)).await
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
            let line = self.send(&method, path, headers, &body).await?;
            line.answer().await
        });
        let answer = answer.await.unwrap_or_else(|_| bail!("no answer within {patience:?}"));
        if answer.is_err() {
            // Whatever comes on it now is the answer to something else.
            self.open = None;
        }
        answer
    }

    /// An answer that has no end: its parts are read from what this is.
    pub async fn follow(mut self, path: &str) -> anyhow::Result<Line> {
        self.send(&Method::GET, path, &[], &[]).await?;
        let mut line = self.open.take().context("it was just asked")?;
        let status = line.head().await?.status;
        if status != 200 {
            bail!("{path}: {status}");
        }
        Ok(line)
    }

    async fn send(
        &mut self,
        method: &Method,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: &[u8],
    ) -> anyhow::Result<&mut Line> {
        let words = &mut self.words;
        words.clear();
        for part in [method.as_str(), " ", path, " HTTP/1.1\r\nhost: ", &self.origin.host, "\r\n"] {
            words.extend_from_slice(part.as_bytes());
        }
        let token = self.token.as_ref().map(|token| (&AUTHORIZATION, token));
        for (name, value) in token.into_iter().chain(headers.iter().map(|(name, value)| (name, value))) {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                words.extend_from_slice(part);
            }
        }
        if method != Method::GET {
            words.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
        }
        words.extend_from_slice(b"\r\n");
        words.extend_from_slice(body);

        let line = match self.open.take().filter(Line::is_open) {
            Some(line) => self.open.insert(line),
            None => self.open.insert(connect(&self.origin).await?),
        };
        line.say(&self.words).await?;
        Ok(line)
    }
}

/// What shows who somebody is, as each of their calls has it.
pub fn bearer(token: &str) -> anyhow::Result<HeaderValue> {
    Ok(HeaderValue::from_str(&format!("Bearer {token}"))?)
}

async fn connect(origin: &Origin) -> anyhow::Result<Line> {
    let stream =
        TcpStream::connect(&origin.host).await.with_context(|| format!("connecting to {}", origin.host))?;
    stream.set_nodelay(true)?;
    Ok(Line::over(stream))
}
