//! Endpoints: added, changed and removed by whose they are.

use std::time::Duration;

use secrecy::SecretString;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::kind::{EVERY, Kind};
use super::{Hooks, HooksError, secret};
use crate::ids::{AccountId, HookId};
use crate::stores::postgres::within;

/// The most endpoints of one account.
const MOST: usize = 16;
/// The longest description.
const LONGEST_DESCRIPTION: usize = 200;
/// How long a replaced secret still signs, beside the new one.
const OLD_SECRET: Duration = Duration::from_hours(24);

/// Whether an endpoint is told anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum HookState {
    Enabled,
    Disabled,
}

/// An endpoint, without its secret.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Hook {
    pub id: HookId,
    pub account_id: AccountId,
    pub url: String,
    pub description: String,
    pub types: Vec<String>,
    /// Hears the events of every organiser.
    pub for_all: bool,
    pub state: HookState,
    /// Since when it is in this state, and why it is disabled.
    pub since: OffsetDateTime,
    pub reason: Option<String>,
    pub failing_since: Option<OffsetDateTime>,
    pub old_secret_until: Option<OffsetDateTime>,
    pub created_at: OffsetDateTime,
}

/// The columns of a [`Hook`], by name: a migration may add others while nodes run.
macro_rules! hook_columns {
    () => {
        "id, account_id, url, description, types, for_all, state, since, reason, failing_since, old_secret_until,
         created_at"
    };
}

/// An endpoint to add.
#[derive(Debug)]
pub struct NewHook {
    pub id: HookId,
    pub account: AccountId,
    /// An administrator's.
    pub for_all: bool,
    pub url: String,
    pub description: String,
    pub types: Vec<String>,
}

/// What is to change.
#[derive(Debug, Default)]
pub struct HookPatch {
    pub url: Option<String>,
    pub description: Option<String>,
    pub types: Option<Vec<String>>,
    pub enabled: Option<bool>,
}

impl Hooks {
    /// Adds an endpoint and answers with its secret, which nobody is told again. The same id again answers the same.
    pub async fn add(&self, new: NewHook) -> Result<(Hook, SecretString), HooksError> {
        let types = read_types(&new.types)?;
        let description = read_description(&new.description)?;
        let url = self.wire.check(&new.url).await?;
        let sealed = secret::close(&self.seal, new.id, &secret::draw());
        let added = within::<_, HooksError>(async {
            let mut tx = self.pg.begin().await?;
            // One at a time, so that two who add at once do not both take the last place.
            sqlx::query("select from accounts where id = $1 for no key update")
                .bind(new.account)
                .execute(&mut *tx)
                .await?;
            sqlx::query(
                "insert into hooks (id, account_id, for_all, url, description, types, secret)
                 values ($1, $2, $3, $4, $5, $6, $7) on conflict (id) do nothing",
            )
            .bind(new.id)
            .bind(new.account)
            .bind(new.for_all)
            .bind(url.as_str())
            .bind(description)
            .bind(types)
            .bind(sealed)
            .execute(&mut *tx)
            .await?;
            let (has,): (i64,) = sqlx::query_as("select count(*) from hooks where account_id = $1")
                .bind(new.account)
                .fetch_one(&mut *tx)
                .await?;
            if usize::try_from(has).is_ok_and(|has| has > MOST) {
                return Err(HooksError::TooMany(MOST));
            }
            let added = with_secret(&mut tx, Some(new.account), new.id).await?;
            tx.commit().await?;
            Ok(added)
        })
        .await?;
        let secret = secret::open(&self.seal, added.hook.id, &added.secret)?;
        self.switch_soon(&added.hook).await;
        Ok((added.hook, secret))
    }

    /// One's own endpoints, or everybody's, newest first, after the given one.
    pub async fn list(
        &self,
        whose: Option<AccountId>,
        after: Option<HookId>,
        limit: i64,
    ) -> Result<Vec<Hook>, HooksError> {
        within(async {
            Ok(sqlx::query_as(concat!(
                "select ",
                hook_columns!(),
                " from hooks where ($1::uuid is null or account_id = $1) and ($2::uuid is null or id < $2)
                  order by id desc limit $3"
            ))
            .bind(whose)
            .bind(after)
            .bind(limit)
            .fetch_all(&self.pg)
            .await?)
        })
        .await
    }

    /// One endpoint. Somebody else's does not exist.
    pub async fn hook(&self, whose: Option<AccountId>, id: HookId) -> Result<Hook, HooksError> {
        within(async {
            let mut db = self.pg.acquire().await?;
            Ok(with_secret(&mut db, whose, id).await?.hook)
        })
        .await
    }

    /// Changes an endpoint. One that is enabled again goes on with what it is owed, as if it had just been queued.
    pub async fn change(
        &self,
        whose: Option<AccountId>,
        id: HookId,
        patch: HookPatch,
    ) -> Result<Hook, HooksError> {
        let types = patch.types.as_deref().map(read_types).transpose()?;
        let description = patch.description.as_deref().map(read_description).transpose()?;
        let url = match &patch.url {
            Some(url) => Some(self.wire.check(url).await?.to_string()),
            None => None,
        };
        let hook = within::<_, HooksError>(async {
            let mut tx = self.pg.begin().await?;
            let changed: Option<Hook> = sqlx::query_as(
                concat!("update hooks set url = coalesce($3, url), description = coalesce($4, description),
                        types = coalesce($5, types), state = coalesce($6, state),
                        since = case when state is distinct from coalesce($6, state) then now() else since end,
                        reason = case when coalesce($6, state) = 'enabled' then null
                                      else coalesce(reason, 'by hand') end,
                        failures = case when $6 = 'enabled' then 0 else failures end,
                        failing_since = case when $6 = 'enabled' then null else failing_since end
                  where id = $2 and ($1::uuid is null or account_id = $1) returning ", hook_columns!()),
            )
            .bind(whose)
            .bind(id)
            .bind(url)
            .bind(description)
            .bind(types)
            .bind(patch.enabled.map(|on| if on { "enabled" } else { "disabled" }))
            .fetch_optional(&mut *tx)
            .await?;
            let hook = changed.ok_or(HooksError::NotFound)?;
            if patch.enabled == Some(true) {
                sqlx::query(
                    "update hook_deliveries set attempts = 0, trying_since = now(), due_at = now()
                      where hook_id = $1 and delivered_at is null and parked_at is null",
                )
                .bind(id)
                .execute(&mut *tx)
                .await?;
            }
            tx.commit().await?;
            Ok(hook)
        })
        .await?;
        self.switch_soon(&hook).await;
        self.bell.notify_one();
        Ok(hook)
    }

    /// Removes an endpoint with what it was owed.
    pub async fn remove(&self, whose: Option<AccountId>, id: HookId) -> Result<(), HooksError> {
        let hook = within::<_, HooksError>(async {
            let mut tx = self.pg.begin().await?;
            let removed: Option<Hook> = sqlx::query_as(concat!(
                "delete from hooks where id = $2 and ($1::uuid is null or account_id = $1) returning ",
                hook_columns!()
            ))
            .bind(whose)
            .bind(id)
            .fetch_optional(&mut *tx)
            .await?;
            let hook = removed.ok_or(HooksError::NotFound)?;
            sqlx::query("delete from hook_deliveries where hook_id = $1").bind(id).execute(&mut *tx).await?;
            tx.commit().await?;
            Ok(hook)
        })
        .await?;
        self.switch_soon(&hook).await;
        Ok(())
    }

    /// Replaces an endpoint's secret; the old one also signs for a day. The same `call` again replaces nothing.
    pub async fn roll(
        &self,
        whose: Option<AccountId>,
        id: HookId,
        call: Uuid,
    ) -> Result<(Hook, SecretString), HooksError> {
        let sealed = secret::close(&self.seal, id, &secret::draw());
        let rolled = within::<_, HooksError>(async {
            let mut tx = self.pg.begin().await?;
            sqlx::query(
                "update hooks set secret = $3, old_secret = secret,
                        old_secret_until = now() + make_interval(secs => $4), rolled_by = $5
                  where id = $2 and ($1::uuid is null or account_id = $1) and rolled_by is distinct from $5",
            )
            .bind(whose)
            .bind(id)
            .bind(sealed)
            .bind(OLD_SECRET.as_secs_f64())
            .bind(call)
            .execute(&mut *tx)
            .await?;
            let rolled = with_secret(&mut tx, whose, id).await?;
            tx.commit().await?;
            Ok(rolled)
        })
        .await?;
        let secret = secret::open(&self.seal, id, &rolled.secret)?;
        Ok((rolled.hook, secret))
    }
}

/// An endpoint with what signs for it, sealed.
#[derive(sqlx::FromRow)]
pub(super) struct Signing {
    #[sqlx(flatten)]
    pub hook: Hook,
    pub secret: Vec<u8>,
    /// While it still signs.
    old_secret: Option<Vec<u8>>,
}

impl Signing {
    /// The secrets that are valid now.
    pub fn secrets(&self, hooks: &Hooks) -> Result<Vec<SecretString>, HooksError> {
        let mut secrets = vec![secret::open(&hooks.seal, self.hook.id, &self.secret)?];
        // One that cannot be opened any more would not be missed for long.
        let old = self.old_secret.as_ref().and_then(|old| secret::open(&hooks.seal, self.hook.id, old).ok());
        secrets.extend(old);
        Ok(secrets)
    }
}

pub(super) async fn with_secret(
    db: &mut PgConnection,
    whose: Option<AccountId>,
    id: HookId,
) -> Result<Signing, HooksError> {
    sqlx::query_as(
        "select id, account_id, url, description, types, for_all, state, since, reason, failing_since, created_at,
                secret, case when old_secret_until > now() then old_secret end as old_secret,
                case when old_secret_until > now() then old_secret_until end as old_secret_until
           from hooks where id = $2 and ($1::uuid is null or account_id = $1)",
    )
    .bind(whose)
    .bind(id)
    .fetch_optional(db)
    .await?
    .ok_or(HooksError::NotFound)
}

/// Every type once; with `*` there is nothing else to ask for.
fn read_types(types: &[String]) -> Result<Vec<String>, HooksError> {
    let invalid = |message: String| HooksError::Invalid { field: "events", message };
    if types.is_empty() {
        return Err(invalid("is empty: name at least one type, or *".to_owned()));
    }
    if let Some(strange) = types.iter().find(|text| *text != EVERY && text.parse::<Kind>().is_err()) {
        let known: Vec<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        return Err(invalid(format!("does not know {strange:?}; known: *, {}", known.join(", "))));
    }
    if types.iter().any(|text| text == EVERY) {
        return Ok(vec![EVERY.to_owned()]);
    }
    let wanted =
        Kind::ALL.iter().map(|kind| kind.as_str()).filter(|kind| types.iter().any(|one| one == kind));
    Ok(wanted.map(str::to_owned).collect())
}

fn read_description(text: &str) -> Result<&str, HooksError> {
    let text = text.trim();
    if text.chars().count() > LONGEST_DESCRIPTION {
        return Err(HooksError::invalid("description", format!("is longer than {LONGEST_DESCRIPTION}")));
    }
    Ok(text)
}
