//! Stripe's webhooks: verified over the raw body, stored, answered. What they mean is a worker's business.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use time::OffsetDateTime;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::AppState;
use crate::http::extract::Json;
use crate::http::problem::{Code, Problem};
use crate::payments::{Notice, signature};
use crate::proof::{self, Bug};
use crate::telemetry::Metrics;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(stripe))
}

/// Takes an event from Stripe.
///
/// The `Stripe-Signature` must be fresh and made with one of our secrets. The event is stored before this answers,
/// so Stripe may forget it; the same event again answers 200 and changes nothing.
#[utoipa::path(post, path = "/v1/webhooks/stripe", tag = "webhooks", request_body = Value,
    params(("Stripe-Signature" = String, Header, description = "`t=…,v1=…` over the raw body")),
    responses(
        (status = 200, description = "Stored, or known already", body = Value),
        (status = 400, description = "`bad_signature`, or a signed body that is no event", body = super::problem::ProblemBody),
    ))]
async fn stripe(
    State(app): State<AppState>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let header = headers.get("stripe-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let verified = signature::verify(header, &body, &secrets(&app), now, signature::TOLERANCE);
    if let Err(error) = verified
        && !proof::planted(Bug::SignatureNotChecked)
    {
        Metrics::count(&app.metrics.webhooks, "unsigned");
        tracing::warn!(%error, "a webhook is refused");
        return Err(Code::BadSignature.problem());
    }
    let notice = Notice::parse(&body).map_err(|error| Code::BadRequest.detail(error.to_string()))?;
    let noted = app.desk.note(&notice).await?;
    Ok(Json(json!({ "received": true, "outcome": noted.as_str() })))
}

fn secrets(app: &AppState) -> Vec<SecretString> {
    let all = app.config.stripe_webhook_secret.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default();
    all.split(',').map(str::trim).filter(|one| !one.is_empty()).map(SecretString::from).collect()
}
