//! The letters that are owed, in Postgres: leased by whoever sends them, ended once.
//!
//! A lease is longer than the longest sending, so that two nodes do not send one letter. What a node that died was about
//! to send is sent by another when its lease ends.

use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::ids::{AccountId, EventId};
use crate::mail::Occasion;
use crate::stores::postgres::{Outage, within};
use crate::telemetry::Metrics;

/// Letters that are marked in one statement when mail is off: short locks, whatever has piled up.
const BITE: i64 = 1000;

/// A letter that this node has leased.
#[derive(Debug, Clone)]
pub struct Due {
    pub id: Uuid,
    /// As the row names it, also when this version cannot read it.
    pub name: String,
    pub occasion: Option<Occasion>,
    pub to: AccountId,
    pub event: Option<EventId>,
    pub attempts: i32,
    /// Postgres' time, by which deadlines are judged.
    pub now: OffsetDateTime,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    occasion: String,
    subject: Uuid,
    account_id: AccountId,
    event_id: Option<EventId>,
    payload: serde_json::Value,
    attempts: i32,
    now: OffsetDateTime,
}

/// Leases what is due for so many seconds, oldest first.
pub async fn take(pg: &PgPool, most: i64, seconds: f64) -> Result<Vec<Due>, Outage> {
    let rows: Vec<Row> = within(async {
        Ok::<_, Outage>(
            sqlx::query_as(
                "update letters set attempts = attempts + 1, due_at = now() + make_interval(secs => $2)
                  where id in (select id from letters
                                where sent_at is null and skipped_at is null and parked_at is null
                                  and due_at <= now()
                                order by due_at limit $1 for update skip locked)
                  returning id, occasion, subject, account_id, event_id, payload, attempts, now() as now",
            )
            .bind(most)
            .bind(seconds)
            .fetch_all(pg)
            .await?,
        )
    })
    .await?;
    let read = |row: Row| Due {
        occasion: Occasion::read(&row.occasion, row.subject, &row.payload),
        id: row.id,
        name: row.occasion,
        to: row.account_id,
        event: row.event_id,
        attempts: row.attempts,
        now: row.now,
    };
    Ok(rows.into_iter().map(read).collect())
}

/// The server has taken it: from here on it is never sent again.
pub async fn sent(pg: &PgPool, letter: &Due) -> Result<(), Outage> {
    within(async {
        sqlx::query(
            "update letters set sent_at = now(), parked_at = null, last_error = null
              where id = $1 and sent_at is null and skipped_at is null",
        )
        .bind(letter.id)
        .execute(pg)
        .await?;
        Ok(())
    })
    .await
}

/// There is nothing to be told any more.
pub async fn skip(pg: &PgPool, letter: &Due, why: &str) -> Result<(), Outage> {
    give_up(pg, letter, why, "skipped").await
}

/// It cannot be delivered: a person must look.
pub async fn park(pg: &PgPool, letter: &Due, why: &str) -> Result<(), Outage> {
    give_up(pg, letter, why, "parked").await
}

async fn give_up(pg: &PgPool, letter: &Due, why: &str, how: &str) -> Result<(), Outage> {
    within(async {
        sqlx::query(
            "update letters
                set skipped_at = case $4 when 'skipped' then now() else skipped_at end,
                    parked_at = case $4 when 'parked' then now() else parked_at end,
                    last_error = $3
              where id = $1 and attempts = $2 and sent_at is null",
        )
        .bind(letter.id)
        .bind(letter.attempts)
        .bind(why)
        .bind(how)
        .execute(pg)
        .await?;
        Ok(())
    })
    .await
}

/// It is tried again after so many seconds.
pub async fn postpone(pg: &PgPool, letter: &Due, why: &str, seconds: f64) -> Result<(), Outage> {
    again(pg, letter, why, seconds, 0).await
}

/// As [`postpone`], and not counted as a try: an outage says nothing about the letter.
pub async fn wait_for_the_server(pg: &PgPool, letter: &Due, why: &str, seconds: f64) -> Result<(), Outage> {
    again(pg, letter, why, seconds, 1).await
}

async fn again(pg: &PgPool, letter: &Due, why: &str, seconds: f64, uncounted: i32) -> Result<(), Outage> {
    within(async {
        // Whoever leased it since then has counted on, and decides.
        sqlx::query(
            "update letters set due_at = now() + make_interval(secs => $4), last_error = $3, attempts = attempts - $5
              where id = $1 and attempts = $2 and sent_at is null",
        )
        .bind(letter.id)
        .bind(letter.attempts)
        .bind(why)
        .bind(seconds)
        .bind(uncounted)
        .execute(pg)
        .await?;
        Ok(())
    })
    .await
}

/// Mail is off: what is owed is marked so, some at a time. Says how many there were.
pub async fn skip_all(pg: &PgPool, why: &str) -> Result<u64, Outage> {
    within(async {
        let skipped = sqlx::query(
            "update letters set skipped_at = now(), last_error = $1
              where id in (select id from letters
                            where sent_at is null and skipped_at is null and parked_at is null
                              and due_at <= now()
                            limit $2 for update skip locked)",
        )
        .bind(why)
        .bind(BITE)
        .execute(pg)
        .await?;
        Ok(skipped.rows_affected())
    })
    .await
}

/// Counts what waits, and shows it in the metrics.
pub async fn count(pg: &PgPool, metrics: &Metrics) -> Result<(), Outage> {
    let (depth, age_seconds, parked): (i64, i64, i64) = within(async {
        Ok::<_, Outage>(
            sqlx::query_as(
                "select count(*), coalesce(extract(epoch from now() - min(created_at)), 0)::bigint,
                        (select count(*) from letters where parked_at is not null)
                   from letters where sent_at is null and skipped_at is null and parked_at is null",
            )
            .fetch_one(pg)
            .await?,
        )
    })
    .await?;
    metrics.letters_depth.set(depth);
    metrics.letters_age_seconds.set(age_seconds);
    metrics.letters_parked.set(parked);
    Ok(())
}
