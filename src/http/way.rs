//! The way of a request to its handler: who asks, whether they may, the whole body, the time there is, and what a repeat is
//! told. One layer, because each costs every request a copy of all that lies behind it.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{AppState, extract, idempotency, intake, layers, limit};

pub async fn lead(State(app): State<AppState>, request: Request, next: Next) -> Response {
    layers::only_problems(answer(&app, request, next).await)
}

async fn answer(app: &AppState, mut request: Request, next: Next) -> Response {
    extract::identify(app, &mut request);
    // Whoever calls too often is refused before anything is read, remembered or asked.
    let counted = match limit::count(app, &mut request).await {
        Ok(counted) => counted,
        Err(refusal) => return refusal,
    };
    let answer = match intake::receive(request).await {
        Ok(request) => {
            let time = intake::time_for(&request);
            // Inside the time budget: when time is up, the key is let go for the next try.
            intake::hurry(time, idempotency::remember(&app.once, request, next)).await
        }
        Err(problem) => problem.into_response(),
    };
    limit::told(counted, app, answer).await
}
