//! The audit log: who did what, and what became of orders and waiting parties.

#![expect(unused_qualifications, reason = "in what the documentation macro makes of a query's type")]

use axum::extract::State;
use serde::Deserialize;
use time::OffsetDateTime;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::AppState;
use crate::http::admin_events::own_event;
use crate::http::extract::{Admin, Json, Organiser, Path, Query};
use crate::http::pagination::{Page, Paged};
use crate::http::problem::{Problem, ProblemBody};
use crate::ids::{AccountId, EventId};
use crate::stores::postgres::moment;
use crate::trail::{self, Line, Which};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(of_event)).routes(routes!(of_all))
}

/// Whose deeds.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Whose {
    /// An account's id.
    actor: Option<AccountId>,
}

async fn page_of(
    app: &AppState,
    event: Option<EventId>,
    whose: &Whose,
    page: &Page,
) -> Result<Json<Paged<Line>>, Problem> {
    let before = page.place(read_place)?;
    let which = Which { event, actor: whose.actor, before, limit: page.limit_and_one() };
    Ok(Json(Paged::cut(trail::read(&app.pg, &which).await?, page, place)))
}

/// Where a line stands in the log.
fn place(line: &Line) -> String {
    format!("{}.{}", line.at.unix_timestamp_nanos() / 1000, line.id)
}

fn read_place(place: &str) -> Option<(OffsetDateTime, String)> {
    let (micros, id) = place.split_once('.')?;
    Some((moment(micros)?, id.to_owned()))
}

/// What happened at an own event, newest first.
#[utoipa::path(
    get, path = "/v1/admin/events/{id}/log", tag = "admin", security(("bearer" = [])),
    params(("id" = EventId, Path), Whose, Page),
    responses(
        (status = 200, description = "A page of the log", body = Paged<Line>),
        (status = 404, description = "`not_found`: no such event of yours", body = ProblemBody),
    ),
)]
async fn of_event(
    State(app): State<AppState>,
    organiser: Organiser,
    Path(id): Path<EventId>,
    Query(whose): Query<Whose>,
    Query(page): Query<Page>,
) -> Result<Json<Paged<Line>>, Problem> {
    let event = own_event(&app, &organiser, id).await?;
    page_of(&app, Some(event.id), &whose, &page).await
}

/// What happened anywhere, accounts included, newest first.
#[utoipa::path(
    get, path = "/v1/admin/log", tag = "admin", security(("bearer" = [])), params(Whose, Page),
    responses((status = 200, description = "A page of the log", body = Paged<Line>)),
)]
async fn of_all(
    State(app): State<AppState>,
    _: Admin,
    Query(whose): Query<Whose>,
    Query(page): Query<Page>,
) -> Result<Json<Paged<Line>>, Problem> {
    page_of(&app, None, &whose, &page).await
}
