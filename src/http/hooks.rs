//! Endpoints of other systems that want to be told what happens.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::extract::{Json, Organiser, Path, Query};
use super::idempotency::Operation;
use super::pagination::{Page, Paged};
use super::problem::{Problem, ProblemBody};
use crate::accounts::Role;
use crate::hooks::{Hook, HookPatch, HookState, NewHook};
use crate::ids::{AccountId, HookEventId, HookId};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(add, list))
        .routes(routes!(show, change, remove))
        .routes(routes!(roll))
        .routes(routes!(ping))
}

/// Whose endpoints this organiser may act on; `None` is everybody's.
pub(super) fn whose(organiser: Organiser) -> Option<AccountId> {
    match organiser.0.role {
        Role::Admin => None,
        Role::Organiser | Role::Customer => Some(organiser.id()),
    }
}

/// Where and of what somebody wants to be told.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"url": "https://tickets.example/hooks", "events": ["order.confirmed", "event.sold_out"]}))]
struct AddHook {
    /// An https address that is not private.
    #[schema(max_length = 2000)]
    url: String,
    /// Types, or `*` for all: `hold.created`, `hold.expired`, `hold.released`, `order.confirmed`, `order.cancelled`,
    /// `order.refunded`, `waitlist.offered`, `event.sold_out`.
    #[schema(min_items = 1)]
    events: Vec<String>,
    /// For whoever wonders later.
    #[schema(max_length = 200)]
    description: Option<String>,
}

/// What is to change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeHook {
    #[schema(max_length = 2000)]
    url: Option<String>,
    #[schema(min_items = 1)]
    events: Option<Vec<String>>,
    #[schema(max_length = 200)]
    description: Option<String>,
    /// Enabled again, it goes on with what it is owed.
    enabled: Option<bool>,
}

/// An endpoint that is told what happens.
#[derive(Debug, Serialize, ToSchema)]
struct HookBody {
    id: HookId,
    /// Whose it is.
    account_id: AccountId,
    url: String,
    description: String,
    events: Vec<String>,
    /// Whether it hears of everybody's events: an administrator's does.
    hears_all: bool,
    status: HookState,
    /// Since when it has this status.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    since: OffsetDateTime,
    /// Why it is disabled.
    reason: Option<String>,
    /// Since when nothing but failures came of its deliveries.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    failing_since: Option<OffsetDateTime>,
    /// Until when the secret before this one also signs.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    old_secret_until: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    created_at: OffsetDateTime,
    /// What deliveries are signed with. Told once: when the endpoint is added, and when its secret is replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "whsec_…")]
    secret: Option<String>,
}

impl HookBody {
    fn of(hook: Hook) -> Self {
        let now = OffsetDateTime::now_utc();
        Self {
            id: hook.id,
            account_id: hook.account_id,
            url: hook.url,
            description: hook.description,
            events: hook.types,
            hears_all: hook.for_all,
            status: hook.state,
            since: hook.since,
            reason: hook.reason,
            failing_since: hook.failing_since,
            old_secret_until: hook.old_secret_until.filter(|until| *until > now),
            created_at: hook.created_at,
            secret: None,
        }
    }

    fn with_secret(hook: Hook, secret: &SecretString) -> Self {
        Self { secret: Some(secret.expose_secret().to_owned()), ..Self::of(hook) }
    }
}

/// Adds an endpoint.
///
/// It is told what happens at your events from now on; an administrator's hears of all events. The answer holds the secret
/// that deliveries are signed with: nobody is told it again.
#[utoipa::path(
    post, path = "/v1/admin/hooks", tag = "webhooks out", security(("bearer" = [])), request_body = AddHook,
    responses(
        (status = 201, description = "The endpoint, with its secret", body = HookBody,
         headers(("Location" = String, description = "The endpoint"))),
        (status = 409, description = "`too_many_hooks`, `still_running`", body = ProblemBody),
        (status = 422, description = "`invalid_request`, also for an address that leads to a private network", body = ProblemBody),
    ),
)]
async fn add(
    State(app): State<AppState>,
    organiser: Organiser,
    operation: Operation,
    Json(wish): Json<AddHook>,
) -> Result<Response, Problem> {
    let new = NewHook {
        id: HookId(operation.0),
        account: organiser.id(),
        for_all: organiser.0.role == Role::Admin,
        url: wish.url,
        description: wish.description.unwrap_or_default(),
        types: wish.events,
    };
    let (hook, secret) = app.hooks.add(new).await?;
    let location = [(header::LOCATION, format!("/v1/admin/hooks/{}", hook.id))];
    Ok((StatusCode::CREATED, location, Json(HookBody::with_secret(hook, &secret))).into_response())
}

/// Your endpoints, newest first; to administrators, everybody's.
#[utoipa::path(
    get, path = "/v1/admin/hooks", tag = "webhooks out", security(("bearer" = [])), params(Page),
    responses((status = 200, description = "A page of endpoints", body = Paged<HookBody>)),
)]
async fn list(
    State(app): State<AppState>,
    organiser: Organiser,
    Query(page): Query<Page>,
) -> Result<Json<Paged<HookBody>>, Problem> {
    let after = page.after()?.map(HookId);
    let hooks = app.hooks.list(whose(organiser), after, page.limit_and_one()).await?;
    let paged = Paged::cut(hooks, &page, |hook: &Hook| hook.id);
    Ok(Json(Paged { items: paged.items.into_iter().map(HookBody::of).collect(), next: paged.next }))
}

/// One endpoint.
#[utoipa::path(
    get, path = "/v1/admin/hooks/{id}", tag = "webhooks out", security(("bearer" = [])), params(("id" = HookId, Path)),
    responses((status = 200, description = "The endpoint", body = HookBody)),
)]
async fn show(
    State(app): State<AppState>,
    organiser: Organiser,
    Path(id): Path<HookId>,
) -> Result<Json<HookBody>, Problem> {
    Ok(Json(HookBody::of(app.hooks.hook(whose(organiser), id).await?)))
}

/// Changes an endpoint, disables it or enables it again.
///
/// While it is disabled nothing is queued for it. Enabled again, it goes on with what it was owed before.
#[utoipa::path(
    patch, path = "/v1/admin/hooks/{id}", tag = "webhooks out", security(("bearer" = [])),
    params(("id" = HookId, Path)), request_body = ChangeHook,
    responses((status = 200, description = "The endpoint as it is now", body = HookBody)),
)]
async fn change(
    State(app): State<AppState>,
    organiser: Organiser,
    Path(id): Path<HookId>,
    Json(wish): Json<ChangeHook>,
) -> Result<Json<HookBody>, Problem> {
    // Whose it is is looked at first: a stranger learns nothing from what is wrong with the wish.
    app.hooks.hook(whose(organiser), id).await?;
    let patch =
        HookPatch { url: wish.url, description: wish.description, types: wish.events, enabled: wish.enabled };
    Ok(Json(HookBody::of(app.hooks.change(whose(organiser), id, patch).await?)))
}

/// Removes an endpoint with everything that it is owed.
#[utoipa::path(
    delete, path = "/v1/admin/hooks/{id}", tag = "webhooks out", security(("bearer" = [])), params(("id" = HookId, Path)),
    responses((status = 204, description = "It is told nothing any more")),
)]
async fn remove(
    State(app): State<AppState>,
    organiser: Organiser,
    Path(id): Path<HookId>,
) -> Result<StatusCode, Problem> {
    app.hooks.remove(whose(organiser), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replaces an endpoint's secret.
///
/// For 24 hours the old one signs, too: deliveries then carry two `v1` signatures, and either may be checked.
#[utoipa::path(
    post, path = "/v1/admin/hooks/{id}/secret", tag = "webhooks out", security(("bearer" = [])),
    params(("id" = HookId, Path)),
    responses((status = 200, description = "The endpoint, with its new secret", body = HookBody)),
)]
async fn roll(
    State(app): State<AppState>,
    organiser: Organiser,
    operation: Operation,
    Path(id): Path<HookId>,
) -> Result<Json<HookBody>, Problem> {
    let (hook, secret) = app.hooks.roll(whose(organiser), id, operation.0).await?;
    Ok(Json(HookBody::with_secret(hook, &secret)))
}

/// What came of a ping.
#[derive(Debug, Serialize, ToSchema)]
struct Pong {
    /// The event that was sent.
    event_id: HookEventId,
    /// Whether it was answered with 2xx in time.
    delivered: bool,
    /// What was answered.
    http_status: Option<u16>,
    error: Option<String>,
    duration_ms: u64,
}

/// Sends a `ping` now, and says what came of it.
///
/// It is tried once, also where the endpoint is disabled, and changes nothing.
#[utoipa::path(
    post, path = "/v1/admin/hooks/{id}/ping", tag = "webhooks out", security(("bearer" = [])),
    params(("id" = HookId, Path)),
    responses((status = 200, description = "What came of it, good or bad", body = Pong)),
)]
async fn ping(
    State(app): State<AppState>,
    organiser: Organiser,
    operation: Operation,
    Path(id): Path<HookId>,
) -> Result<Json<Pong>, Problem> {
    let event = HookEventId(operation.0);
    let outcome = app.hooks.ping(whose(organiser), id, event).await?;
    Ok(Json(Pong {
        event_id: event,
        delivered: outcome.error.is_none(),
        http_status: outcome.status,
        error: outcome.error,
        duration_ms: u64::try_from(outcome.took.as_millis()).unwrap_or(u64::MAX),
    }))
}
