//! What HTTP itself costs on this machine: an axum handler that returns prepared bytes and does nothing else, in a process of its
//! own that is built as the house is, with the same allocator.
//!
//! It reads its answer from standard input, a head of lines and the body behind an empty one, says where it listens, and serves
//! it to whoever asks for anything.

#![expect(clippy::print_stdout, reason = "whoever started it reads there where it listens")]

use std::io::Read as _;

use anyhow::Context as _;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use axum::routing::get;
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use mimalloc::MiMalloc;
use tokio::net::TcpListener;

#[global_allocator]
static MEMORY: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut told = Vec::new();
    std::io::stdin().read_to_end(&mut told)?;
    // Kept for good: to hand it out counts nothing that two cores would fight for.
    let told: &'static [u8] = told.leak();
    let (headers, body) = read(told)?;
    let headers: &'static HeaderMap = Box::leak(Box::new(headers));
    let router = Router::new().fallback(get(async move || {
        let mut answer = Response::new(Body::from(body.clone()));
        answer.headers_mut().clone_from(headers);
        answer
    }));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    // As the house does: an answer is sent when it is there.
    Ok(axum::serve(listener.tap_io(|io| drop(io.set_nodelay(true))), router).await?)
}

fn read(told: &'static [u8]) -> anyhow::Result<(HeaderMap, Bytes)> {
    let end = told.windows(2).position(|two| two == b"\n\n").context("the head ends with an empty line")?;
    let mut headers = HeaderMap::new();
    for line in std::str::from_utf8(&told[..end])?.lines() {
        let (name, value) = line.split_once(": ").context("a name and a value")?;
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    Ok((headers, Bytes::from_static(&told[end + 2..])))
}
