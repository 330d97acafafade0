//! Remembered calls in Postgres, beside the effects they guard.

use sqlx::PgPool;
use uuid::Uuid;

use super::{Begun, Claim, Kept, StoreError};
use crate::proof::{self, Bug, Step};
use crate::seal::same;
use crate::stores::postgres::within;

#[derive(sqlx::FromRow)]
struct Earlier {
    fingerprint: Vec<u8>,
    resource_id: Uuid,
    answer: Option<Vec<u8>>,
}

/// Claims the key for this run of the call, or says what became of an earlier one.
pub(super) async fn begin(pool: &PgPool, claim: &Claim) -> Result<Begun, StoreError> {
    within(async {
        if let Some(resource) = proof::step(Step::BeginOnce, take(pool, claim)).await? {
            return Ok(Begun::Run(resource));
        }
        // Between the two statements the row may have been forgotten; the caller's repeat will find that out.
        let Some(earlier) = read(pool, claim).await? else { return Ok(Begun::StillRunning) };
        let is_other = !same(&earlier.fingerprint, &claim.fingerprint);
        Ok(if is_other && !proof::planted(Bug::OtherBodyAnswered) {
            Begun::Reused
        } else if let Some(sealed) = earlier.answer {
            Begun::Answered(Kept { resource: earlier.resource_id, sealed })
        } else {
            Begun::StillRunning
        })
    })
    .await
}

async fn take(pool: &PgPool, claim: &Claim) -> Result<Option<Uuid>, StoreError> {
    let row: Option<(Uuid,)> = sqlx::query_as(
        "insert into idempotency_keys as mine
                (scope, key, fingerprint, resource_id, runner, locked_until, expires_at)
         values ($1, $2, $3, $4, $5, now() + interval '30 seconds', now() + interval '24 hours')
         on conflict (scope, key) do update
            set fingerprint  = excluded.fingerprint,
                -- a repeat after a crash makes the same thing, not a second one
                resource_id  = case when mine.expires_at < now() then excluded.resource_id
                                    else mine.resource_id end,
                runner       = excluded.runner,
                locked_until = excluded.locked_until,
                status       = null,
                answer       = null,
                expires_at   = excluded.expires_at
          where mine.expires_at < now()
             or (mine.status is null and mine.fingerprint = excluded.fingerprint
                 and (mine.locked_until < now() or mine.runner = excluded.runner))
         returning resource_id",
    )
    .bind(claim.scope.as_str())
    .bind(claim.key.as_str())
    .bind(&claim.fingerprint)
    .bind(claim.fresh)
    .bind(claim.runner)
    .fetch_optional(pool)
    .await
    .map_err(StoreError::from)?;
    Ok(row.map(|(resource,)| resource))
}

async fn read(pool: &PgPool, claim: &Claim) -> Result<Option<Earlier>, StoreError> {
    sqlx::query_as(
        "select fingerprint, resource_id, answer from idempotency_keys where scope = $1 and key = $2",
    )
    .bind(claim.scope.as_str())
    .bind(claim.key.as_str())
    .fetch_optional(pool)
    .await
    .map_err(StoreError::from)
}

/// Keeps the answer. The first one stays, should two runs of the same call ever overlap.
pub(super) async fn keep(pool: &PgPool, claim: &Claim, status: u16, sealed: &[u8]) -> Result<(), StoreError> {
    within(async {
        sqlx::query(
            "update idempotency_keys set status = $3, answer = $4
              where scope = $1 and key = $2 and status is null",
        )
        .bind(claim.scope.as_str())
        .bind(claim.key.as_str())
        .bind(status.cast_signed())
        .bind(sealed)
        .execute(pool)
        .await
        .map_err(StoreError::from)?;
        Ok(())
    })
    .await
}

/// Lets the next repeat run at once, unless another run holds the key by now.
pub(super) async fn let_go(pool: &PgPool, claim: &Claim) -> Result<(), StoreError> {
    within(async {
        sqlx::query(
            "update idempotency_keys set locked_until = now() - interval '1 second'
              where scope = $1 and key = $2 and runner = $3 and status is null",
        )
        .bind(claim.scope.as_str())
        .bind(claim.key.as_str())
        .bind(claim.runner)
        .execute(pool)
        .await
        .map_err(StoreError::from)?;
        Ok(())
    })
    .await
}
