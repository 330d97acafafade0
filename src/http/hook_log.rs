//! What other systems were told, and telling it again.

#![expect(unused_qualifications, reason = "in what the documentation macro makes of a query's type")]

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::extract::{Json, Organiser, Path, Query, invalid};
use super::hooks::whose;
use super::pagination::{Page, Paged};
use super::problem::{Problem, ProblemBody};
use crate::hooks::{Delivery, DeliveryState, Kind, LoggedEvent, Replay};
use crate::ids::{EventId, HookEventId, HookId};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(deliveries)).routes(routes!(replay)).routes(routes!(events))
}

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
struct HookEventBody {
    /// As in the delivery's body and its `Holdfast-Event-Id`.
    id: HookEventId,
    #[serde(rename = "type")]
    #[schema(example = "order.confirmed")]
    kind: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    created: OffsetDateTime,
    /// `{object}`: the hold, the order, the party or the event as it was then.
    data: Value,
}

impl HookEventBody {
    fn of(event: LoggedEvent) -> Self {
        let data = json!({ "object": event.data });
        Self { id: event.id, kind: event.kind, created: event.created_at, data }
    }
}

/// One delivery to an endpoint.
#[derive(Debug, Serialize, ToSchema)]
struct DeliveryBody {
    event: HookEventBody,
    /// 0 is the first; each replay is another.
    replay: i32,
    status: DeliveryState,
    /// Tries so far.
    attempts: i32,
    /// What the endpoint answered last.
    http_status: Option<i16>,
    /// Why the last try does not count.
    error: Option<String>,
    /// When it is tried next; null when it is not any more.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    due_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    tried_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    delivered_at: Option<OffsetDateTime>,
}

impl DeliveryBody {
    fn of(delivery: Delivery) -> Self {
        let waits = delivery.state == DeliveryState::Waiting;
        Self {
            event: HookEventBody::of(delivery.event),
            replay: delivery.replay,
            status: delivery.state,
            attempts: delivery.attempts,
            http_status: delivery.status,
            error: delivery.last_error,
            due_at: waits.then_some(delivery.due_at),
            tried_at: delivery.tried_at,
            delivered_at: delivery.delivered_at,
        }
    }
}

/// Which deliveries.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Only those that stand so.
    #[param(inline)]
    status: Option<DeliveryState>,
}

/// What an endpoint is owed and was told, newest event first.
#[utoipa::path(
    get, path = "/v1/admin/hooks/{id}/deliveries", tag = "webhooks out", security(("bearer" = [])),
    params(("id" = HookId, Path), Which, Page),
    responses((status = 200, description = "A page of deliveries", body = Paged<DeliveryBody>)),
)]
async fn deliveries(
    State(app): State<AppState>,
    organiser: Organiser,
    Path(id): Path<HookId>,
    Query(which): Query<Which>,
    Query(page): Query<Page>,
) -> Result<Json<Paged<DeliveryBody>>, Problem> {
    app.hooks.hook(whose(organiser), id).await?;
    let after = page.place(Delivery::read_place)?;
    let found = app.hooks.deliveries(id, which.status, after, page.limit_and_one()).await?;
    let paged = Paged::cut(found, &page, Delivery::place);
    Ok(Json(Paged { items: paged.items.into_iter().map(DeliveryBody::of).collect(), next: paged.next }))
}

/// What is to be told again: one event, or all of a time.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"since": "2031-05-01T18:00:00Z", "types": ["order.confirmed"]}))]
struct Again {
    /// One event, by the id that its delivery carried.
    event_id: Option<HookEventId>,
    /// All events from here on.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<OffsetDateTime>,
    /// And before here; until this moment where it is left out.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<OffsetDateTime>,
    /// Only these types; left out for those that the endpoint listens to.
    types: Option<Vec<String>>,
}

/// What a replay came to.
#[derive(Debug, Serialize, ToSchema)]
struct ReplayBody {
    /// How many events will be told again. One that still waits is not queued twice.
    queued: i64,
    /// The `since` of the next call, when there were more than one call queues; else null.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    next: Option<OffsetDateTime>,
}

impl Again {
    fn read(self) -> Result<Replay, Problem> {
        match (self.event_id, self.since) {
            (Some(_), Some(_)) => Err(invalid("since", "goes without event_id, or event_id without it")),
            (None, None) => Err(invalid("event_id", "is required, or since")),
            (Some(_), None) if self.until.is_some() || self.types.is_some() => {
                Err(invalid("event_id", "goes without until and types"))
            }
            (Some(event), None) => Ok(Replay::One(event)),
            (None, Some(since)) => {
                let types = self.types.map(|types| types.iter().map(|text| read_type(text)).collect());
                Ok(Replay::Since { since, until: self.until, types: types.transpose()? })
            }
        }
    }
}

fn read_type(text: &str) -> Result<Kind, Problem> {
    text.parse().map_err(|()| invalid("types", format!("does not know {text:?}")))
}

/// Tells an endpoint again what it was told, or missed.
///
/// A replay is another delivery of the same event, with the same id. The log reaches back 30 days.
#[utoipa::path(
    post, path = "/v1/admin/hooks/{id}/replay", tag = "webhooks out", security(("bearer" = [])),
    params(("id" = HookId, Path)), request_body = Again,
    responses(
        (status = 200, description = "What is queued again", body = ReplayBody),
        (status = 404, description = "`not_found`: no such endpoint of yours, or no such event for it", body = ProblemBody),
    ),
)]
async fn replay(
    State(app): State<AppState>,
    organiser: Organiser,
    Path(id): Path<HookId>,
    Json(wish): Json<Again>,
) -> Result<Json<ReplayBody>, Problem> {
    app.hooks.hook(whose(organiser), id).await?;
    let replayed = app.hooks.replay(whose(organiser), id, &wish.read()?).await?;
    Ok(Json(ReplayBody { queued: replayed.queued, next: replayed.next }))
}

/// Which events of the log.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct OfLog {
    /// Only this type.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Only what happened at this event.
    event_id: Option<EventId>,
}

/// What happened at your events, newest first; to administrators, at everybody's.
///
/// Only what somebody listened for is logged, for 30 days.
#[utoipa::path(
    get, path = "/v1/admin/hook-events", tag = "webhooks out", security(("bearer" = [])), params(OfLog, Page),
    responses((status = 200, description = "A page of the log", body = Paged<HookEventBody>)),
)]
async fn events(
    State(app): State<AppState>,
    organiser: Organiser,
    Query(which): Query<OfLog>,
    Query(page): Query<Page>,
) -> Result<Json<Paged<HookEventBody>>, Problem> {
    let kind = which.kind.as_deref().map(str::parse::<Kind>).transpose();
    let kind = kind.map_err(|()| invalid("type", "is not known"))?;
    let after = page.after()?.map(HookEventId);
    let found = app.hooks.events(whose(organiser), kind, which.event_id, after, page.limit_and_one()).await?;
    let items = found.into_iter().map(HookEventBody::of).collect();
    Ok(Json(Paged::cut(items, &page, |event: &HookEventBody| event.id)))
}
