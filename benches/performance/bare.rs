//! An axum handler that does nothing but return bytes: what HTTP itself costs on this machine.

use std::net::SocketAddr;

use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::routing::get;
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// Serves this answer, headers and all, for as long as it is kept.
pub struct Bare {
    pub address: SocketAddr,
    _server: AbortOnDropHandle<()>,
}

impl Bare {
    /// The same answer as that of another address.
    pub async fn like(client: &reqwest::Client, url: &str, headers: &[(&str, &str)]) -> anyhow::Result<Self> {
        let asked = headers.iter().fold(client.get(url), |ask, (name, value)| ask.header(*name, *value));
        let answer = asked.send().await?.error_for_status()?;
        let mut kept = HeaderMap::new();
        for (name, value) in answer.headers() {
            // The server writes these itself.
            if !["content-length", "date", "transfer-encoding"].contains(&name.as_str()) {
                kept.insert(HeaderName::from(name), HeaderValue::from(value));
            }
        }
        let body: Bytes = answer.bytes().await?;
        let router = Router::new().fallback(get(async move || (kept.clone(), body.clone())));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(async move {
            let _ = axum::serve(
                axum::serve::ListenerExt::tap_io(listener, |io| drop(io.set_nodelay(true))),
                router,
            )
            .await;
        });
        Ok(Self { address, _server: AbortOnDropHandle::new(server) })
    }
}
