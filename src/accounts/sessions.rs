//! Signed-in sessions: refresh tokens in Postgres, and how they end.
//!
//! A refresh token works once. The tokens that came of one sign-in, each of the one before, are a family: one that comes
//! a second time is in two hands, and ends it (RFC 9700, 4.14).
//!
//! Whoever makes or ends tokens holds the account's row meanwhile: a token that was being made when all were ended would
//! be one that nobody has ended.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rand::RngExt as _;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::store::fault_in_password;
use super::{Account, Accounts, AccountsError, Caller, SignedIn};
use crate::ids::AccountId;
use crate::stores::postgres::within;

impl Accounts {
    /// Trades a refresh token for a new pair. One that was used before is in two hands: its whole family is
    /// signed out.
    ///
    /// `operation` names the new token. The call that made it may come again, because its answer was lost: then it
    /// gets another secret for the same token, as long as nobody has used that.
    pub async fn refresh(&self, token: &SecretString, operation: Uuid) -> Result<SignedIn, AccountsError> {
        let (account, next) = within(async {
            let mut tx = self.pg.begin().await?;
            hold_account_of(&mut tx, token).await?.ok_or(AccountsError::BadRefreshToken)?;
            let found: Option<Stored> = sqlx::query_as(
                "select t.id, t.family, t.account_id, t.used_at is not null as used,
                        t.revoked_at is not null or t.expires_at <= now() or a.disabled_at is not null as dead
                   from refresh_tokens t join accounts a on a.id = t.account_id
                  where t.token_hash = $1",
            )
            .bind(hashed(token))
            .fetch_optional(&mut *tx)
            .await?;
            let Some(stored) = found else { return Err(AccountsError::BadRefreshToken) };
            let next = if stored.dead {
                None
            } else if stored.used {
                reissue(&mut tx, &stored, operation).await?
            } else {
                sqlx::query("update refresh_tokens set used_at = now() where id = $1")
                    .bind(stored.id)
                    .execute(&mut *tx)
                    .await?;
                Some(self.issue(&mut tx, operation, stored.account_id, stored.family).await?)
            };
            let Some(next) = next else {
                if stored.used {
                    end_family(&mut tx, stored.family).await?;
                    tx.commit().await?;
                    tracing::warn!(account.id = %stored.account_id, "a refresh token was used twice: family revoked");
                }
                return Err(AccountsError::BadRefreshToken);
            };
            let account = sqlx::query_as(
                "select id, name, email, role, created_at, disabled_at from accounts where id = $1",
            )
            .bind(stored.account_id)
            .fetch_one(&mut *tx)
            .await?;
            tx.commit().await?;
            Ok((account, next))
        })
        .await?;
        self.pair(account, next, None)
    }

    /// Ends the family of a refresh token. One that is unknown is signed out already.
    pub async fn logout(&self, token: &SecretString) -> Result<(), AccountsError> {
        within(async {
            let mut tx = self.pg.begin().await?;
            if hold_account_of(&mut tx, token).await?.is_some() {
                let family: Option<(Uuid,)> =
                    sqlx::query_as("select family from refresh_tokens where token_hash = $1")
                        .bind(hashed(token))
                        .fetch_optional(&mut *tx)
                        .await?;
                if let Some((family,)) = family {
                    end_family(&mut tx, family).await?;
                }
            }
            tx.commit().await?;
            Ok(())
        })
        .await
    }

    /// Ends every sign-in of the account that a refresh token belongs to, wherever that is, access tokens included.
    pub async fn logout_everywhere(&self, token: &SecretString) -> Result<(), AccountsError> {
        let ended = within(async {
            let mut tx = self.pg.begin().await?;
            let Some(account) = hold_account_of(&mut tx, token).await? else { return Ok(None) };
            let (before,): (OffsetDateTime,) = sqlx::query_as(
                "update accounts set tokens_void_before = clock_timestamp() where id = $1 returning tokens_void_before",
            )
            .bind(account)
            .fetch_one(&mut *tx)
            .await?;
            end_all_families(&mut tx, account).await?;
            tx.commit().await?;
            Ok::<_, AccountsError>(Some((account, before)))
        })
        .await?;
        if let Some((account, before)) = ended {
            self.voided.add(account, before);
        }
        Ok(())
    }

    /// Gives an account another password. All its sign-ins end, access tokens included; whoever changed it gets a new one.
    pub async fn change_password(
        &self,
        id: AccountId,
        current: &SecretString,
        new: &SecretString,
    ) -> Result<SignedIn, AccountsError> {
        if let Some(fault) = fault_in_password("new_password", new.expose_secret()) {
            return Err(AccountsError::Invalid(vec![fault]));
        }
        let found: Option<(String,)> = within(async {
            Ok::<_, AccountsError>(
                sqlx::query_as("select password_hash from accounts where id = $1 and disabled_at is null")
                    .bind(id)
                    .fetch_optional(&self.pg)
                    .await?,
            )
        })
        .await?;
        let (old,) = found.ok_or(AccountsError::NotFound)?;
        if !self.hasher.matches(current.clone(), Some(old.clone())).await? {
            return Err(AccountsError::BadCredentials);
        }
        let hash = self.hasher.hash(new.clone()).await?;
        let (account, token, before) = within(async {
            let mut tx = self.pg.begin().await?;
            // Of two who change it at once, the second one's password is no longer the current one.
            let changed: Option<(OffsetDateTime,)> = sqlx::query_as(
                "update accounts set password_hash = $3, tokens_void_before = clock_timestamp()
                  where id = $1 and password_hash = $2 and disabled_at is null returning tokens_void_before",
            )
            .bind(id)
            .bind(&old)
            .bind(hash)
            .fetch_optional(&mut *tx)
            .await?;
            let (before,) = changed.ok_or(AccountsError::BadCredentials)?;
            end_all_families(&mut tx, id).await?;
            let token = self.issue(&mut tx, Uuid::now_v7(), id, Uuid::now_v7()).await?;
            let account = sqlx::query_as(
                "select id, name, email, role, created_at, disabled_at from accounts where id = $1",
            )
            .bind(id)
            .fetch_one(&mut *tx)
            .await?;
            tx.commit().await?;
            Ok::<_, AccountsError>((account, token, before))
        })
        .await?;
        self.voided.add(id, before);
        self.pair(account, token, Some(before))
    }

    /// A new family, for whoever has shown the password behind the hash, if it is still theirs.
    pub(super) async fn signed_in(
        &self,
        account: Account,
        hash: Option<&str>,
    ) -> Result<SignedIn, AccountsError> {
        let token = within(async {
            let mut tx = self.pg.begin().await?;
            let held: Option<(AccountId,)> = sqlx::query_as(
                "select id from accounts
                  where id = $1 and disabled_at is null and ($2::text is null or password_hash = $2)
                    for no key update",
            )
            .bind(account.id)
            .bind(hash)
            .fetch_optional(&mut *tx)
            .await?;
            held.ok_or(AccountsError::BadCredentials)?;
            let token = self.issue(&mut tx, Uuid::now_v7(), account.id, Uuid::now_v7()).await?;
            tx.commit().await?;
            Ok::<_, AccountsError>(token)
        })
        .await?;
        self.pair(account, token, None)
    }

    async fn issue(
        &self,
        db: &mut PgConnection,
        id: Uuid,
        account: AccountId,
        family: Uuid,
    ) -> Result<SecretString, AccountsError> {
        let token = draw();
        sqlx::query(
            "insert into refresh_tokens (id, family, account_id, token_hash, expires_at) values ($1, $2, $3, $4, $5)",
        )
        .bind(id)
        .bind(family)
        .bind(account)
        .bind(hashed(&token))
        .bind(OffsetDateTime::now_utc() + self.refresh_life)
        .execute(db)
        .await?;
        Ok(token)
    }

    /// `voided`: a moment before which this account's tokens are void, which may be ahead of this node's clock.
    fn pair(
        &self,
        account: Account,
        refresh_token: SecretString,
        voided: Option<OffsetDateTime>,
    ) -> Result<SignedIn, AccountsError> {
        let caller = Caller { id: account.id, role: account.role };
        let access_token = self.signer.sign(caller, voided)?;
        Ok(SignedIn { account, access_token, refresh_token, expires_in: self.signer.seconds() })
    }
}

#[derive(Debug, sqlx::FromRow)]
struct Stored {
    id: Uuid,
    family: Uuid,
    account_id: AccountId,
    used: bool,
    dead: bool,
}

/// Keeps everybody else from making or ending tokens of the account that a token belongs to, until the transaction ends.
async fn hold_account_of(
    db: &mut PgConnection,
    token: &SecretString,
) -> Result<Option<AccountId>, AccountsError> {
    let held: Option<(AccountId,)> = sqlx::query_as(
        "select id from accounts where id = (select account_id from refresh_tokens where token_hash = $1)
            for no key update",
    )
    .bind(hashed(token))
    .fetch_optional(db)
    .await?;
    Ok(held.map(|(account,)| account))
}

/// Another secret for the token that this operation made of the stored one; `None` when it made none, or somebody has
/// used it. There is one secret at a time: the answer that was lost is worth nothing to whoever finds it.
async fn reissue(
    db: &mut PgConnection,
    stored: &Stored,
    operation: Uuid,
) -> Result<Option<SecretString>, AccountsError> {
    let token = draw();
    let renewed = sqlx::query(
        "update refresh_tokens set token_hash = $3
          where id = $1 and family = $2 and used_at is null and revoked_at is null and expires_at > now()",
    )
    .bind(operation)
    .bind(stored.family)
    .bind(hashed(&token))
    .execute(db)
    .await?;
    Ok((renewed.rows_affected() == 1).then_some(token))
}

async fn end_family(db: &mut PgConnection, family: Uuid) -> Result<(), AccountsError> {
    sqlx::query("update refresh_tokens set revoked_at = now() where family = $1 and revoked_at is null")
        .bind(family)
        .execute(db)
        .await?;
    Ok(())
}

pub(super) async fn end_all_families(db: &mut PgConnection, account: AccountId) -> Result<(), sqlx::Error> {
    sqlx::query("update refresh_tokens set revoked_at = now() where account_id = $1 and revoked_at is null")
        .bind(account)
        .execute(db)
        .await?;
    Ok(())
}

fn draw() -> SecretString {
    SecretString::from(BASE64_URL_SAFE_NO_PAD.encode(rand::rng().random::<[u8; 32]>()))
}

/// 256 random bits need no slow hash: nobody can guess what is behind it.
fn hashed(token: &SecretString) -> Vec<u8> {
    Sha256::digest(token.expose_secret().as_bytes()).to_vec()
}
