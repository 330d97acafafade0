//! The waiting room of an on-sale.

use axum::extract::State;
use axum::http::HeaderMap;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::extract::{Customer, Json, Path};
use super::problem::Problem;
use crate::ids::{AccountId, EventId};
use crate::room::Visit;
use crate::seats::{Stand, Via};

/// What the hold call brings along: the admission that this call has answered.
pub(super) const ADMISSION: &str = "admission";

/// Who is next looks every so many seconds.
const SOONEST: u64 = 2;
/// Whoever is far behind looks seldom: 100,000 people who look all the time would be a rush of their own.
const LATEST: u64 = 30;
const PEOPLE_PER_SECOND_OF_PATIENCE: u64 = 500;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(come))
}

/// How whoever asks for seats comes to them.
pub(super) fn via(app: &AppState, headers: &HeaderMap, event: EventId, customer: AccountId) -> Via {
    let word = headers.get(ADMISSION).and_then(|value| value.to_str().ok());
    match word {
        Some(word) if app.rooms.admits(word, event, customer) => Via::Admitted,
        _ => Via::Public,
    }
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Come {
    /// `place` of an earlier answer, if there was one: it counts even when the line was lost.
    place: Option<String>,
}

/// Where one stands in a waiting room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Standing {
    /// There is no waiting room: go on.
    None,
    /// The room opens at `opens_at`.
    Closed,
    /// The sale begins at `sale_starts_at`; then all who are here are shuffled.
    Early,
    /// It is your turn when `position` people have been let in.
    Waiting,
    /// Go on, with `admission` in the header `Admission` of the hold call.
    Admitted,
}

/// An answer of the waiting room.
#[derive(Debug, Serialize, ToSchema)]
struct RoomBody {
    status: Standing,
    /// 1 is next.
    position: Option<u64>,
    /// Everybody who has come so far.
    people: Option<u64>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    opens_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    sale_starts_at: Option<OffsetDateTime>,
    /// Lets you take seats until `admitted_until`.
    admission: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    admitted_until: Option<OffsetDateTime>,
    /// Your place, signed. Keep it and send it along.
    place: Option<String>,
    /// When to come and look again.
    look_again_seconds: u64,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    server_time: OffsetDateTime,
}

impl RoomBody {
    fn of(visit: &Visit) -> Self {
        let now = OffsetDateTime::now_utc();
        let text =
            |word: &Option<secrecy::SecretString>| word.as_ref().map(|word| word.expose_secret().to_owned());
        let mut body = Self {
            status: Standing::None,
            position: None,
            people: None,
            opens_at: None,
            sale_starts_at: None,
            admission: text(&visit.admission),
            admitted_until: None,
            place: text(&visit.place),
            look_again_seconds: SOONEST,
            server_time: now,
        };
        // A moment of Redis' clock as one of ours: only the difference counts.
        let at = |moment_ms: i64, now_ms: i64| now + Duration::milliseconds(moment_ms - now_ms);
        match visit.stand {
            Stand::NoRoom => {}
            Stand::Closed { opens_ms, now_ms } => {
                body.status = Standing::Closed;
                body.opens_at = Some(at(opens_ms, now_ms));
                body.look_again_seconds = until(opens_ms - now_ms);
            }
            Stand::Early { people, starts_ms, now_ms, .. } => {
                body.status = Standing::Early;
                body.people = Some(people);
                body.sale_starts_at = Some(at(starts_ms, now_ms));
                body.look_again_seconds = until(starts_ms - now_ms);
            }
            Stand::Waiting { position, people, .. } => {
                body.status = Standing::Waiting;
                body.position = Some(position);
                body.people = Some(people);
                body.look_again_seconds = (SOONEST + position / PEOPLE_PER_SECOND_OF_PATIENCE).min(LATEST);
            }
            Stand::Admitted { left, .. } => {
                body.status = Standing::Admitted;
                body.admitted_until = Some(now + left);
            }
        }
        body
    }
}

/// Seconds until a moment, and never longer than one should wait to look.
fn until(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0).div_ceil(1000).clamp(SOONEST, LATEST)
}

/// Comes to an event's waiting room, or looks where one stands.
///
/// A place belongs to the account: coming again, from wherever, changes nothing. Who comes before the sale begins is shuffled
/// with all others who did; who comes later stands behind them, first come, first served.
#[utoipa::path(
    post, path = "/v1/events/{id}/room", tag = "waiting room", security(("bearer" = [])),
    params(("id" = EventId, Path)), request_body = Come,
    responses((status = 200, description = "Where one stands", body = RoomBody)),
)]
async fn come(
    State(app): State<AppState>,
    customer: Customer,
    Path(event): Path<EventId>,
    Json(come): Json<Come>,
) -> Result<Json<RoomBody>, Problem> {
    app.catalog.chart(event).await?;
    let visit = app.rooms.visit(event, customer.id(), come.place.as_deref()).await?;
    Ok(Json(RoomBody::of(&visit)))
}
