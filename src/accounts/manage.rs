//! What administrators do with accounts.

use serde_json::json;
use time::OffsetDateTime;

use super::passwords::NO_PASSWORD;
use super::sessions::end_all_families;
use super::store::{check_name, is_address};
use super::{Account, Accounts, AccountsError, Fault, Role};
use crate::ids::AccountId;
use crate::stores::postgres::within;
use crate::trail::{self, Deed};

/// What is to change of an account.
#[derive(Debug, Clone, Copy, Default)]
pub struct AccountChange {
    pub role: Option<Role>,
    pub disabled: Option<bool>,
}

impl Accounts {
    /// Gives an account another role, disables it or lets it in again. Its access tokens end with that: at once at this
    /// node, within the moment that [`Accounts::learn_voided`] takes at others. A disabled account's sign-ins end for good.
    ///
    /// # Errors
    /// [`AccountsError::Yourself`]: nobody takes the key from their own hand.
    pub async fn change(
        &self,
        id: AccountId,
        change: AccountChange,
        by: AccountId,
    ) -> Result<Account, AccountsError> {
        if id == by {
            return Err(AccountsError::Yourself);
        }
        let (account, before) = within(async {
            let mut tx = self.pg.begin().await?;
            let old: Option<(Role, bool)> =
                sqlx::query_as("select role, disabled_at is not null from accounts where id = $1 for update")
                    .bind(id)
                    .fetch_optional(&mut *tx)
                    .await?;
            let (role, disabled) = old.ok_or(AccountsError::NotFound)?;
            let (new_role, now_disabled) = (change.role.unwrap_or(role), change.disabled.unwrap_or(disabled));
            let account: Account = sqlx::query_as(
                "update accounts set role = $2,
                        disabled_at = case when $3 then coalesce(disabled_at, now()) end,
                        tokens_void_before = clock_timestamp()
                  where id = $1 returning id, name, email, role, created_at, disabled_at",
            )
            .bind(id)
            .bind(new_role)
            .bind(now_disabled)
            .fetch_one(&mut *tx)
            .await?;
            if now_disabled {
                end_all_families(&mut tx, id).await?;
            }
            for (is_new, action, detail) in [
                (new_role != role, "role changed", json!({ "from": role, "to": new_role })),
                (now_disabled && !disabled, "account disabled", json!({})),
                (!now_disabled && disabled, "account enabled", json!({})),
            ] {
                if is_new {
                    let deed = Deed { actor: by, event: None, action, subject: Some(id.0), detail };
                    trail::write(&mut tx, &deed).await?;
                }
            }
            let (before,): (OffsetDateTime,) =
                sqlx::query_as("select tokens_void_before from accounts where id = $1")
                    .bind(id)
                    .fetch_one(&mut *tx)
                    .await?;
            tx.commit().await?;
            Ok::<_, AccountsError>((account, before))
        })
        .await?;
        self.voided.add(id, before);
        Ok(account)
    }

    /// The account of somebody by their address; made if there is none, without a way to sign in.
    pub async fn guest(&self, name: &str, email: &str) -> Result<AccountId, AccountsError> {
        let (name, email) = (name.trim(), email.trim());
        let mut faults = Vec::new();
        check_name(name, &mut faults);
        if !is_address(email) {
            faults.push(Fault { field: "email", message: "is not an address".to_owned() });
        }
        if !faults.is_empty() {
            return Err(AccountsError::Invalid(faults));
        }
        within(async {
            sqlx::query(
                "insert into accounts (id, name, email, password_hash, role) values ($1, $2, $3, $4, 'customer')
                 on conflict ((lower(email))) do nothing",
            )
            .bind(AccountId::new())
            .bind(name)
            .bind(email)
            .bind(NO_PASSWORD)
            .execute(&self.pg)
            .await?;
            let (id,): (AccountId,) = sqlx::query_as("select id from accounts where lower(email) = lower($1)")
                .bind(email)
                .fetch_one(&self.pg)
                .await?;
            Ok(id)
        })
        .await
    }
}
