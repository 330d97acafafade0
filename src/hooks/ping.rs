//! A ping: whether an endpoint can be reached, told at once to whoever asks.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::endpoint::{Signing, with_secret};
use super::kind::Kind;
use super::payload::{self, Envelope};
use super::{Hooks, HooksError, Outcome};
use crate::ids::{AccountId, HookEventId, HookId};
use crate::stores::postgres::within;

impl Hooks {
    /// Sends a ping and says what came of it; also to an endpoint that is disabled. It is tried once, and says nothing of
    /// how the endpoint does otherwise.
    pub async fn ping(
        &self,
        whose: Option<AccountId>,
        hook: HookId,
        id: HookEventId,
    ) -> Result<Outcome, HooksError> {
        let object = payload::of_ping();
        let (signing, created): (Signing, OffsetDateTime) = within::<_, HooksError>(async {
            let mut tx = self.pg.begin().await?;
            let signing = with_secret(&mut tx, whose, hook).await?;
            let created = write_down(&mut tx, hook, id, &object).await?;
            tx.commit().await?;
            Ok((signing, created))
        })
        .await?;
        let envelope = Envelope::new(id, Kind::Ping.as_str().to_owned(), created, self.live_money, &object);
        let outcome = match signing.secrets(self) {
            Ok(secrets) => self.wire.send(&signing.hook.url, &envelope, &secrets).await,
            Err(error) => Outcome::failed(error.to_string()),
        };
        within::<_, HooksError>(async {
            sqlx::query(
                "update hook_deliveries set status = $3, last_error = $4,
                        delivered_at = case when $4::text is null then now() end,
                        parked_at = case when $4::text is not null then now() end
                  where hook_id = $1 and hook_event_id = $2",
            )
            .bind(hook)
            .bind(id)
            .bind(outcome.status.map(u16::cast_signed))
            .bind(outcome.error.as_deref())
            .execute(&self.pg)
            .await?;
            Ok(())
        })
        .await?;
        Ok(outcome)
    }
}

/// Parked from the start, so that no courier takes it: if this node dies now, nobody waits for the outcome any more.
async fn write_down(
    tx: &mut PgConnection,
    hook: HookId,
    id: HookEventId,
    object: &serde_json::Value,
) -> Result<OffsetDateTime, HooksError> {
    sqlx::query("insert into hook_events (id, type, data) values ($1, $2, $3) on conflict (id) do nothing")
        .bind(id)
        .bind(Kind::Ping.as_str())
        .bind(object)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "insert into hook_deliveries (hook_id, hook_event_id, attempts, tried_at, parked_at, last_error)
         values ($1, $2, 1, now(), now(), 'not known')
         on conflict do nothing",
    )
    .bind(hook)
    .bind(id)
    .execute(&mut *tx)
    .await?;
    let (created,): (OffsetDateTime,) =
        sqlx::query_as("select created_at from hook_events where id = $1").bind(id).fetch_one(tx).await?;
    Ok(created)
}
