//! The controls over HTTP, for people and for programs in other languages.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::controls::{Controls, NotPossible};
use super::faults::Faults;
use super::objects::Outcome;
use super::webhooks::ReleaseOrder;
use super::world::Shared;

type Answer = Result<axum::Json<Value>, NotPossible>;
type Body = Result<Bytes, BytesRejection>;
type Handle = State<Arc<Shared>>;

pub fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/sandbox/ledger", get(ledger))
        .route("/sandbox/faults", get(faults).post(set_faults).delete(clear_faults))
        .route("/sandbox/webhooks/release", post(release))
        .route("/sandbox/webhooks/target", post(set_target))
        .route("/sandbox/intents/{id}/pay", post(pay))
        .route("/sandbox/intents/{id}/settle", post(settle))
        .route("/sandbox/refunds/{id}/settle", post(settle_refund))
        .route("/sandbox/events/{id}/redeliver", post(redeliver))
        .route("/sandbox/keys/forget", post(forget_keys))
}

async fn ledger(State(shared): Handle) -> Answer {
    told(&Controls::new(shared).ledger())
}

async fn faults(State(shared): Handle) -> Answer {
    told(&Controls::new(shared).faults())
}

async fn set_faults(State(shared): Handle, body: Body) -> Answer {
    let controls = Controls::new(shared);
    controls.set_faults(read::<Faults>(body)?);
    told(&controls.faults())
}

async fn clear_faults(State(shared): Handle) -> Answer {
    let controls = Controls::new(shared);
    controls.clear_faults();
    told(&controls.faults())
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Release {
    order: ReleaseOrder,
}

async fn release(State(shared): Handle, body: Body) -> Answer {
    let Release { order } = read(body)?;
    told(&json!({ "released": Controls::new(shared).release(order) }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    url: String,
    secret: SecretString,
}

async fn set_target(State(shared): Handle, body: Body) -> Answer {
    let Target { url, secret } = read(body)?;
    Controls::new(shared).set_webhook(&url, secret);
    told(&json!({ "url": url }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pay {
    payment_method: String,
}

async fn pay(State(shared): Handle, Path(id): Path<String>, body: Body) -> Answer {
    let Pay { payment_method } = read(body)?;
    told(&json!({ "id": id, "status": Controls::new(shared).pay(&id, &payment_method)? }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settle {
    outcome: Outcome,
}

async fn settle(State(shared): Handle, Path(id): Path<String>, body: Body) -> Answer {
    let Settle { outcome } = read(body)?;
    told(&json!({ "id": id, "status": Controls::new(shared).settle(&id, outcome)? }))
}

async fn settle_refund(State(shared): Handle, Path(id): Path<String>, body: Body) -> Answer {
    let Settle { outcome } = read(body)?;
    told(&json!({ "id": id, "status": Controls::new(shared).settle_refund(&id, outcome)? }))
}

async fn redeliver(State(shared): Handle, Path(id): Path<String>) -> Answer {
    if Controls::new(shared).redeliver(&id) {
        told(&json!({ "id": id }))
    } else {
        Err(NotPossible { status: 404, message: format!("No such event: '{id}'") })
    }
}

async fn forget_keys(State(shared): Handle) -> Answer {
    Controls::new(shared).forget_keys();
    told(&json!({}))
}

fn told(value: &impl serde::Serialize) -> Answer {
    let bad = |error: serde_json::Error| NotPossible { status: 400, message: error.to_string() };
    serde_json::to_value(value).map(axum::Json).map_err(bad)
}

/// Reads a JSON document; nothing at all counts as an empty one.
fn read<T: DeserializeOwned>(body: Body) -> Result<T, NotPossible> {
    let body = body.map_err(|rejection| NotPossible {
        status: rejection.status().as_u16(),
        message: rejection.body_text(),
    })?;
    let document: &[u8] = if body.is_empty() { b"{}" } else { &body };
    serde_json::from_slice(document).map_err(|error| NotPossible { status: 400, message: error.to_string() })
}

impl IntoResponse for NotPossible {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        (status, axum::Json(json!({ "error": { "message": self.message } }))).into_response()
    }
}
