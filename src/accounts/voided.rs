//! Tokens that were signed before their account was disabled or got another role: they speak for nobody any more.
//!
//! An access token is checked without a store, so each node keeps the few accounts whose tokens of the last minutes are
//! void. It learns them from Postgres all the time, and of its own changes at once.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use time::OffsetDateTime;

use super::{Accounts, AccountsError};
use crate::ids::AccountId;
use crate::stores::postgres::within;

/// Accounts and the moment before which their tokens are void, in milliseconds since 1970. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Voided {
    known: Arc<RwLock<HashMap<AccountId, i64>>>,
}

impl Voided {
    pub fn is_void(&self, account: AccountId, signed_ms: i64) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&account).is_some_and(|before| signed_ms < *before)
    }

    pub fn add(&self, account: AccountId, before: OffsetDateTime) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(account, millis(before));
    }

    /// Adds what others did, which may be older than what this node did since, and forgets what has run out.
    fn merge(&self, accounts: impl Iterator<Item = (AccountId, i64)>, oldest_ms: i64) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, before| *before >= oldest_ms);
        for (account, before) in accounts {
            let latest = known.entry(account).or_insert(before);
            *latest = before.max(*latest);
        }
    }
}

impl Accounts {
    /// Learns whose tokens are void; says how many accounts that are. Called a few times a second by every node.
    pub async fn learn_voided(&self) -> Result<usize, AccountsError> {
        let rows: Vec<(AccountId, OffsetDateTime)> = within(async {
            Ok::<_, AccountsError>(
                sqlx::query_as(
                    // Older tokens have run out by themselves.
                    "select id, tokens_void_before from accounts
                      where tokens_void_before > now() - make_interval(secs => $1)",
                )
                .bind(f64::from(self.signer.seconds()) + 60.0)
                .fetch_all(&self.pg)
                .await?,
            )
        })
        .await?;
        let count = rows.len();
        let oldest =
            OffsetDateTime::now_utc() - time::Duration::seconds(i64::from(self.signer.seconds()) + 3600);
        self.voided.merge(rows.into_iter().map(|(id, before)| (id, millis(before))), millis(oldest));
        Ok(count)
    }
}

fn millis(moment: OffsetDateTime) -> i64 {
    i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}
