//! Writing down that something happened, in the transaction of the decision itself: told if and only if it was decided.

use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::kind::Kind;
use crate::ids::{EventId, HookEventId};

/// Something that happened.
#[derive(Debug, Clone)]
pub(super) struct News {
    pub kind: Kind,
    pub data: Value,
    /// The note in Redis' diary that says so, and when it was made.
    pub note: Option<(String, OffsetDateTime)>,
}

/// Whether anybody would hear of this, so that what is to be told need not be looked up for nobody.
///
/// # Errors
/// When Postgres cannot answer.
pub async fn is_heard(tx: &mut PgConnection, event: EventId, kind: Kind) -> Result<bool, sqlx::Error> {
    let (heard,): (bool,) = sqlx::query_as(
        "select exists (select from hook_listeners where event_id = $1 and types && array[$2, '*'])",
    )
    .bind(event)
    .bind(kind.as_str())
    .fetch_one(tx)
    .await?;
    Ok(heard)
}

/// Whether Redis has to keep a diary of this event's seats.
///
/// # Errors
/// When Postgres cannot answer.
pub async fn wants_seats(db: &mut PgConnection, event: EventId) -> Result<bool, sqlx::Error> {
    let (wanted,): (bool,) = sqlx::query_as(
        "select exists (select from hook_listeners where event_id = $1 and state = 'enabled' and types && $2)",
    )
    .bind(event)
    .bind(Kind::of_seats().as_slice())
    .fetch_one(db)
    .await?;
    Ok(wanted)
}

/// Logs what happened and owes it to whoever listens. Where nobody does, nothing is written.
///
/// # Errors
/// When Postgres cannot answer.
pub async fn tell(tx: &mut PgConnection, event: EventId, kind: Kind, data: Value) -> Result<(), sqlx::Error> {
    tell_all(tx, event, &[News { kind, data, note: None }]).await.map(drop)
}

/// The same for many at once. Answers how many were new.
///
/// An endpoint that is disabled is owed nothing, but what it would have heard is logged, for a replay.
pub(super) async fn tell_all(
    tx: &mut PgConnection,
    event: EventId,
    news: &[News],
) -> Result<i64, sqlx::Error> {
    let ids: Vec<_> = news.iter().map(|_| HookEventId::new().0).collect();
    let kinds: Vec<_> = news.iter().map(|one| one.kind.as_str()).collect();
    let data: Vec<_> = news.iter().map(|one| one.data.to_string()).collect();
    let notes: Vec<_> = news.iter().map(|one| one.note.as_ref().map(|(note, _)| note.as_str())).collect();
    let moments: Vec<_> = news.iter().map(|one| one.note.as_ref().map(|(_, at)| *at)).collect();
    let (new,): (i64,) = sqlx::query_as(
        "with told as (
             select * from unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
                 as t (id, type, data, note, at)
         ), logged as (
             insert into hook_events (id, event_id, type, data, note, created_at)
             select id, $1, type, data::jsonb, note, coalesce(at, now()) from told
              where exists (select from hook_listeners l where l.event_id = $1 and l.types && array[told.type, '*'])
             on conflict on constraint hook_events_once_per_note do nothing
             returning id, type
         ), owed as (
             insert into hook_deliveries (hook_id, hook_event_id)
             select l.hook_id, logged.id from logged
               join hook_listeners l on l.event_id = $1 and l.state = 'enabled' and l.types && array[logged.type, '*']
         )
         select count(*) from logged",
    )
    .bind(event)
    .bind(ids)
    .bind(kinds)
    .bind(data)
    .bind(notes)
    .bind(moments)
    .fetch_one(tx)
    .await?;
    Ok(new)
}
