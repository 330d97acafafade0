//! Another system that is told what happens.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::{Json, Router};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

type Heard = Arc<Mutex<Vec<Value>>>;

pub struct Ears {
    pub url: String,
    heard: Heard,
    _server: AbortOnDropHandle<()>,
}

impl Ears {
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/told", listener.local_addr().expect("an address"));
        let heard = Heard::default();
        let service = Router::new().fallback(hear).with_state(Arc::clone(&heard));
        let server = tokio::spawn(async move { axum::serve(listener, service).await.expect("it serves") });
        Self { url, heard, _server: AbortOnDropHandle::new(server) }
    }

    /// Whether this was told of the thing with this id, at least once.
    pub fn heard(&self, kind: &str, id: &str) -> bool {
        let heard = self.heard.lock().expect("nobody panics with the lock");
        heard.iter().any(|told| told["type"] == kind && told["data"]["object"]["id"] == id)
    }
}

async fn hear(State(heard): State<Heard>, Json(told): Json<Value>) {
    heard.lock().expect("nobody panics with the lock").push(told);
}
