//! The audit trail of what organisers and administrators do: written in the transaction that does it, never changed.

use serde::Serialize;
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::ids::{AccountId, EventId};
use crate::stores::postgres::{Outage, within};

/// One deed.
#[derive(Debug, Clone)]
pub struct Deed<'a> {
    pub actor: AccountId,
    pub event: Option<EventId>,
    /// Two words, `seats blocked`, of a set that is as large as the list of such calls.
    pub action: &'a str,
    /// Whom or what it was done to, beside the event.
    pub subject: Option<Uuid>,
    pub detail: Value,
}

/// Writes a deed down.
///
/// # Errors
/// When Postgres cannot answer: then it is not done either.
pub async fn write(tx: &mut PgConnection, deed: &Deed<'_>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into trail (id, actor_id, event_id, action, subject_id, detail) values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(Uuid::now_v7())
    .bind(deed.actor)
    .bind(deed.event)
    .bind(deed.action)
    .bind(deed.subject)
    .bind(&deed.detail)
    .execute(tx)
    .await
    .map(drop)
}

/// One line of the audit log: a deed, a move of an order, or a move of a waiting party.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct Line {
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: OffsetDateTime,
    /// `deed`, `order` or `party`.
    pub kind: String,
    /// Names this line for ever.
    pub id: String,
    pub event_id: Option<EventId>,
    /// What was done, or where the order or party went: `confirmed`.
    pub action: String,
    /// Why.
    pub cause: Option<String>,
    /// Who: an account's id, or `stripe`, `clock`, `reconciler`.
    pub actor: String,
    pub actor_name: Option<String>,
    /// The order, the party, the account.
    pub subject_id: Option<Uuid>,
    /// Whose order or party it is, or whose account.
    pub subject_name: Option<String>,
    /// `null` for an event that is no more, and for accounts.
    pub event_title: Option<String>,
    #[schema(value_type = Object)]
    pub detail: Value,
}

/// Which lines, and after which one.
#[derive(Debug, Clone, Default)]
pub struct Which {
    /// Of one event; of all, and of accounts, when `None`.
    pub event: Option<EventId>,
    pub actor: Option<AccountId>,
    pub before: Option<(OffsetDateTime, String)>,
    pub limit: i64,
}

/// Reads the log, newest first.
///
/// # Errors
/// When Postgres cannot answer.
pub async fn read(pg: &PgPool, which: &Which) -> Result<Vec<Line>, Outage> {
    let (at, id) = which.before.clone().unzip();
    within(async {
        Ok(sqlx::query_as(
            "with lines as (
                 (select t.at, 'deed' as kind, t.id::text as id, t.event_id, t.action, t.detail ->> 'reason' as cause,
                         t.actor_id::text as actor, t.subject_id, t.detail
                    from trail t
                   where ($1::uuid is null or t.event_id = $1) and ($2::uuid is null or t.actor_id = $2)
                     and ($3::timestamptz is null or (t.at, t.id::text) < ($3, $4))
                   order by t.at desc, t.id desc limit $5)
                 union all
                 (select l.at, 'order', l.order_id || '/' || l.step, l.event_id, l.to_state, l.cause, l.actor,
                         l.order_id, '{}'::jsonb
                    from order_log l
                   where ($1::uuid is null or l.event_id = $1) and ($2::uuid is null or l.actor = $2::text)
                     and ($3::timestamptz is null or (l.at, l.order_id || '/' || l.step) < ($3, $4))
                   order by l.at desc, l.order_id || '/' || l.step desc limit $5)
                 union all
                 (select w.at, 'party', w.entry_id || '/' || w.step, w.event_id, w.to_state, w.cause, w.actor,
                         w.entry_id, '{}'::jsonb
                    from waitlist_log w
                   where ($1::uuid is null or w.event_id = $1) and ($2::uuid is null or w.actor = $2::text)
                     and ($3::timestamptz is null or (w.at, w.entry_id || '/' || w.step) < ($3, $4))
                   order by w.at desc, w.entry_id || '/' || w.step desc limit $5))
             select lines.*, a.name as actor_name, s.name as subject_name, e.title as event_title
               from lines
               left join accounts a on a.id = case when lines.actor ~ '^[0-9a-f-]{36}$' then lines.actor::uuid end
               left join events e on e.id = lines.event_id
               left join orders o on o.event_id = lines.event_id and o.id = lines.subject_id
               left join waitlist w on w.id = lines.subject_id
               left join accounts s on s.id = coalesce(o.account_id, w.account_id, lines.subject_id)
              order by at desc, id desc limit $5",
        )
        .bind(which.event)
        .bind(which.actor)
        .bind(at)
        .bind(id)
        .bind(which.limit)
        .fetch_all(pg)
        .await?)
    })
    .await
}
