//! The log: what was told to whom, and telling it again.

use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::endpoint::with_secret;
use super::kind::Kind;
use super::{Hooks, HooksError};
use crate::ids::{AccountId, EventId, HookEventId, HookId};
use crate::stores::postgres::within;

/// Events that one call queues again.
const MOST: i64 = 5000;

/// Where a delivery stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, sqlx::Type, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum DeliveryState {
    /// It will be tried, or tried again, at `due_at`.
    Waiting,
    Delivered,
    /// It was tried for long enough; a replay tries it again.
    Parked,
}

/// Something that happened, as the log has it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct LoggedEvent {
    #[sqlx(rename = "hook_event_id")]
    pub id: HookEventId,
    #[sqlx(rename = "type")]
    pub kind: String,
    pub data: Value,
    pub created_at: OffsetDateTime,
}

/// What an endpoint is owed, or was told.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Delivery {
    #[sqlx(flatten)]
    pub event: LoggedEvent,
    pub replay: i32,
    pub attempts: i32,
    pub state: DeliveryState,
    pub status: Option<i16>,
    pub last_error: Option<String>,
    pub due_at: OffsetDateTime,
    pub tried_at: Option<OffsetDateTime>,
    pub delivered_at: Option<OffsetDateTime>,
}

impl Delivery {
    /// Where it stands in its endpoint's list, for a cursor.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}.{}", self.event.id, self.replay)
    }

    /// What [`Delivery::place`] has written.
    #[must_use]
    pub fn read_place(place: &str) -> Option<(HookEventId, i32)> {
        let (event, replay) = place.split_once('.')?;
        Some((event.parse().ok()?, replay.parse().ok()?))
    }
}

/// Which events are to be told again.
#[derive(Debug, Clone)]
pub enum Replay {
    One(HookEventId),
    /// Those from `since` on and before `until`, of these types, or of those that the endpoint listens to.
    Since {
        since: OffsetDateTime,
        until: Option<OffsetDateTime>,
        types: Option<Vec<Kind>>,
    },
}

/// What a replay came to.
#[derive(Debug, Clone, Copy)]
pub struct Replayed {
    /// Events that will be told again. One that waits already is not queued twice.
    pub queued: i64,
    /// Where to go on, when there were more than one call queues.
    pub next: Option<OffsetDateTime>,
}

impl Hooks {
    /// What an endpoint is owed and was told, newest event first.
    pub async fn deliveries(
        &self,
        hook: HookId,
        state: Option<DeliveryState>,
        after: Option<(HookEventId, i32)>,
        limit: i64,
    ) -> Result<Vec<Delivery>, HooksError> {
        let (event, replay) = after.unzip();
        within(async {
            Ok(sqlx::query_as(
                "select * from (
                     select d.hook_event_id, d.replay, d.attempts, d.status, d.last_error, d.due_at, d.tried_at,
                            d.delivered_at, e.type, e.data, e.created_at,
                            case when d.delivered_at is not null then 'delivered'
                                 when d.parked_at is not null then 'parked' else 'waiting' end as state
                       from hook_deliveries d join hook_events e on e.id = d.hook_event_id
                      where d.hook_id = $1) as told
                  where ($2::text is null or state = $2)
                    and ($3::uuid is null or (hook_event_id, replay) < ($3, $4))
                  order by hook_event_id desc, replay desc limit $5",
            )
            .bind(hook)
            .bind(state)
            .bind(event)
            .bind(replay)
            .bind(limit)
            .fetch_all(&self.pg)
            .await?)
        })
        .await
    }

    /// What happened at one's own events, or at everybody's, newest first.
    pub async fn events(
        &self,
        whose: Option<AccountId>,
        kind: Option<Kind>,
        event: Option<EventId>,
        after: Option<HookEventId>,
        limit: i64,
    ) -> Result<Vec<LoggedEvent>, HooksError> {
        within(async {
            Ok(sqlx::query_as(
                "select l.id as hook_event_id, l.type, l.data, l.created_at
                   from hook_events l join events e on e.id = l.event_id
                  where ($1::uuid is null or e.organiser_id = $1) and ($2::text is null or l.type = $2)
                    and ($3::uuid is null or l.event_id = $3) and ($4::uuid is null or l.id < $4)
                  order by l.id desc limit $5",
            )
            .bind(whose)
            .bind(kind.map(Kind::as_str))
            .bind(event)
            .bind(after)
            .bind(limit)
            .fetch_all(&self.pg)
            .await?)
        })
        .await
    }

    /// Owes an endpoint again what it was told, or missed. Only what happened at events that it may hear of.
    pub async fn replay(
        &self,
        whose: Option<AccountId>,
        hook: HookId,
        what: &Replay,
    ) -> Result<Replayed, HooksError> {
        let replayed = within::<_, HooksError>(async {
            let mut tx = self.pg.begin().await?;
            let types = with_secret(&mut tx, whose, hook).await?.hook.types;
            let replayed = match what {
                Replay::One(event) => one_again(&mut tx, hook, *event).await?,
                Replay::Since { since, until, types: wanted } => {
                    let types = wanted
                        .as_ref()
                        .map_or(types, |wanted| wanted.iter().map(|kind| kind.as_str().to_owned()).collect());
                    all_again(&mut tx, hook, *since, *until, &types).await?
                }
            };
            tx.commit().await?;
            Ok(replayed)
        })
        .await?;
        self.bell.notify_one();
        Ok(replayed)
    }
}

async fn one_again(tx: &mut PgConnection, hook: HookId, event: HookEventId) -> Result<Replayed, HooksError> {
    let found: Option<(HookEventId,)> = sqlx::query_as(
        "select e.id from hook_events e join hook_listeners l on l.event_id = e.event_id
          where e.id = $2 and l.hook_id = $1",
    )
    .bind(hook)
    .bind(event)
    .fetch_optional(&mut *tx)
    .await?;
    let (event,) = found.ok_or(HooksError::NotFound)?;
    Ok(Replayed { queued: queue(tx, hook, &[event]).await?, next: None })
}

async fn all_again(
    tx: &mut PgConnection,
    hook: HookId,
    since: OffsetDateTime,
    until: Option<OffsetDateTime>,
    types: &[String],
) -> Result<Replayed, HooksError> {
    let mut found: Vec<(HookEventId, OffsetDateTime)> = sqlx::query_as(
        "select e.id, e.created_at from hook_events e join hook_listeners l on l.event_id = e.event_id
          where l.hook_id = $1 and e.created_at >= $2 and e.created_at < coalesce($3, 'infinity')
            and ('*' = any ($4) or e.type = any ($4))
          order by e.created_at, e.id limit $5",
    )
    .bind(hook)
    .bind(since)
    .bind(until)
    .bind(types)
    .bind(MOST + 1)
    .fetch_all(&mut *tx)
    .await?;
    // The one too many is where the next call begins.
    let most = usize::try_from(MOST).unwrap_or(usize::MAX);
    let next = found.get(most).map(|(_, at)| *at);
    found.truncate(most);
    let events: Vec<_> = found.into_iter().map(|(event, _)| event).collect();
    Ok(Replayed { queued: queue(tx, hook, &events).await?, next })
}

/// Each of these once more, unless it waits already: the index says so, however many ask at once.
async fn queue(tx: &mut PgConnection, hook: HookId, events: &[HookEventId]) -> Result<i64, HooksError> {
    let queued = sqlx::query(
        "insert into hook_deliveries (hook_id, hook_event_id, replay)
         select $1, e.id, coalesce((select max(d.replay) + 1 from hook_deliveries d
                                     where d.hook_id = $1 and d.hook_event_id = e.id), 0)
           from unnest($2::uuid[]) as e (id)
         on conflict do nothing",
    )
    .bind(hook)
    .bind(events.iter().map(|event| event.0).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(i64::try_from(queued.rows_affected()).unwrap_or(i64::MAX))
}
