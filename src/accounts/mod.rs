//! Accounts: who somebody is, and what they may do.
//!
//! Neither the words nor the time of an answer at login tell whether an address has an account.

mod manage;
mod passwords;
mod roles;
mod sessions;
mod store;
mod tokens;
#[doc(hidden)]
pub mod untrusted;
mod voided;

use secrecy::SecretString;
use sqlx::PgPool;
use time::{Duration, OffsetDateTime};

use self::passwords::Hasher;
use self::tokens::Signer;
use crate::config::Config;
use crate::ids::AccountId;
use crate::stores::postgres::Outage;

pub use self::manage::AccountChange;
pub use self::roles::Role;

/// Somebody who can sign in.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Account {
    pub id: AccountId,
    pub name: String,
    pub email: String,
    pub role: Role,
    pub created_at: OffsetDateTime,
    /// Since when it may not sign in.
    pub disabled_at: Option<OffsetDateTime>,
}

/// Who sends a request, as an access token proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    pub id: AccountId,
    pub role: Role,
}

/// What a client keeps after signing in.
#[derive(Debug)]
pub struct SignedIn {
    pub account: Account,
    pub access_token: SecretString,
    pub refresh_token: SecretString,
    /// Seconds that the access token lives.
    pub expires_in: u32,
}

/// An account to be made.
#[derive(Debug)]
pub struct NewAccount {
    /// Chosen before anything happens: a repeat after a crash finds the account that the first try made.
    pub id: AccountId,
    pub name: String,
    pub email: String,
    pub password: SecretString,
    pub role: Role,
}

/// One fault of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub field: &'static str,
    pub message: String,
}

#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    #[error("the form has {} faults: {}", .0.len(), .0.iter().map(|fault| format!("{} {}", fault.field, fault.message)).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<Fault>),
    #[error("this address has an account")]
    EmailTaken,
    #[error("address or password is wrong")]
    BadCredentials,
    #[error("this refresh token is not valid")]
    BadRefreshToken,
    #[error("there is no such account")]
    NotFound,
    #[error("nobody changes the role of their own account, or disables it")]
    Yourself,
    #[error("too many passwords are being checked")]
    Busy,
    /// Our own mistake: hashing or signing failed.
    #[error("cryptography failed: {0}")]
    Crypto(String),
    #[error(transparent)]
    Outage(#[from] Outage),
}

impl From<sqlx::Error> for AccountsError {
    fn from(error: sqlx::Error) -> Self {
        Self::Outage(Outage::Failed(error))
    }
}

/// The accounts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Accounts {
    pg: PgPool,
    hasher: Hasher,
    signer: Signer,
    voided: voided::Voided,
    refresh_life: Duration,
}

impl Accounts {
    #[must_use]
    pub fn new(pg: PgPool, config: &Config, secret: SecretString) -> Self {
        Self {
            pg,
            hasher: Hasher::new(config.hashing_threads),
            signer: Signer::new(secret, config.access_token_seconds),
            voided: voided::Voided::default(),
            refresh_life: Duration::days(config.refresh_token_days.into()),
        }
    }

    /// Who an access token speaks for. Touches no store; a token that is not ours, or too old, is nobody's.
    #[must_use]
    pub fn verify(&self, token: &str) -> Option<Caller> {
        let (caller, signed_ms) = self.signer.verify(token)?;
        (!self.voided.is_void(caller.id, signed_ms)).then_some(caller)
    }
}
