//! Removes what has served its time, in small bites, so that no table grows for ever.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgQueryResult;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::stores::postgres::Outage;
use crate::workers::wait;

const PERIOD: Duration = Duration::from_mins(5);

/// Rows removed in one statement: short locks, whatever has piled up.
const BITE: i64 = 1000;

/// Tidies up until stopped.
pub async fn repeat(app: App, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = step(&app.pg).await {
            tracing::debug!(%error, "tidied up next time");
        }
        wait(PERIOD, None, &stop).await;
    }
}

/// Answers that nobody may ask for again, tokens that nobody could use for a month, letters that ended long ago (what they
/// told of is over, so that it is not told again), and what other systems were told longer ago than a month.
async fn step(pg: &PgPool) -> Result<(), Outage> {
    loop {
        let answers = sqlx::query(
            "delete from idempotency_keys where (scope, key) in (
                    select scope, key from idempotency_keys where expires_at < now() limit $1)",
        )
        .bind(BITE)
        .execute(pg)
        .await?;
        let tokens = sqlx::query(
            "delete from refresh_tokens where id in (
                    select id from refresh_tokens where expires_at < now() - interval '30 days' limit $1)",
        )
        .bind(BITE)
        .execute(pg)
        .await?;
        let letters = sqlx::query(
            "delete from letters where id in (
                    select id from letters
                     where created_at < now() - interval '180 days' and (sent_at is not null or skipped_at is not null)
                     limit $1)",
        )
        .bind(BITE)
        .execute(pg)
        .await?;
        // With its deliveries, also those that a disabled endpoint would still be owed.
        let told = sqlx::query(
            "delete from hook_events where id in (
                    select id from hook_events where created_at < now() - interval '30 days' limit $1)",
        )
        .bind(BITE)
        .execute(pg)
        .await?;
        let removed = [answers, tokens, letters, told].iter().map(PgQueryResult::rows_affected).sum::<u64>();
        if removed == 0 {
            return Ok(());
        }
    }
}
