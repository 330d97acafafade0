//! Accounts in Postgres. No transaction is open while a password is hashed.

use secrecy::{ExposeSecret, SecretString};

use super::{Account, Accounts, AccountsError, Fault, NewAccount, Role, SignedIn};
use crate::ids::AccountId;
use crate::mail::{self, Occasion, can_be_written_to};
use crate::stores::postgres::{constraint, within};

const LONGEST_NAME: usize = 100;
const LONGEST_EMAIL: usize = 254;
/// Eight characters or more, as NIST SP 800-63B asks; the upper bound keeps hashing's input small.
const PASSWORD_BYTES: std::ops::RangeInclusive<usize> = 8..=256;

impl Accounts {
    /// Makes a customer's account and signs in to it.
    pub async fn register(
        &self,
        id: AccountId,
        name: &str,
        email: &str,
        password: &SecretString,
    ) -> Result<SignedIn, AccountsError> {
        let new = NewAccount {
            id,
            name: name.to_owned(),
            email: email.to_owned(),
            password: password.clone(),
            role: Role::Customer,
        };
        let account = self.make(new, true).await?;
        self.signed_in(account, None).await
    }

    /// Makes an account. The same id with the same address again answers with the account it made before.
    pub async fn create(&self, new: NewAccount) -> Result<Account, AccountsError> {
        self.make(new, false).await
    }

    /// Whoever registers is welcomed by mail; whose account was made for them hears of it from whoever made it.
    async fn make(&self, new: NewAccount, welcome: bool) -> Result<Account, AccountsError> {
        let (name, email) = (new.name.trim(), new.email.trim());
        check(name, email, new.password.expose_secret())?;
        let hash = self.hasher.hash(new.password).await?;
        within(async {
            let mut tx = self.pg.begin().await?;
            let made: Result<Option<Account>, _> = sqlx::query_as(
                "insert into accounts (id, name, email, password_hash, role) values ($1, $2, $3, $4, $5)
                 on conflict (id) do nothing
                 returning id, name, email, role, created_at, disabled_at",
            )
            .bind(new.id)
            .bind(name)
            .bind(email)
            .bind(hash)
            .bind(new.role)
            .fetch_optional(&mut *tx)
            .await;
            match made {
                Ok(Some(account)) => {
                    if welcome {
                        mail::owe(&mut tx, account.id, None, &Occasion::Registered).await?;
                    }
                    tx.commit().await?;
                    Ok(account)
                }
                Ok(None) => {
                    tx.rollback().await?;
                    let before = self.find(new.id).await?;
                    let same = before.email.eq_ignore_ascii_case(email);
                    if same { Ok(before) } else { Err(AccountsError::EmailTaken) }
                }
                Err(error) if constraint(&error) == Some("accounts_email") => Err(AccountsError::EmailTaken),
                Err(error) => Err(error.into()),
            }
        })
        .await
    }

    /// Signs in. An unknown address, a disabled account and a wrong password take the same time and answer the
    /// same.
    pub async fn login(&self, email: &str, password: &SecretString) -> Result<SignedIn, AccountsError> {
        let found: Option<(AccountId, String)> = within(async {
            Ok::<_, AccountsError>(
                sqlx::query_as(
                    "select id, password_hash from accounts where lower(email) = lower($1) and disabled_at is null",
                )
                .bind(email.trim())
                .fetch_optional(&self.pg)
                .await?,
            )
        })
        .await?;
        let (id, hash) = found.unzip();
        let is_right = self.hasher.matches(password.clone(), hash.clone()).await?;
        match id {
            Some(id) if is_right => {
                let account = self.account(id).await?;
                self.signed_in(account, hash.as_deref()).await
            }
            _ => Err(AccountsError::BadCredentials),
        }
    }

    /// An account that may sign in.
    pub async fn account(&self, id: AccountId) -> Result<Account, AccountsError> {
        within(self.find(id)).await
    }

    /// A page of accounts by id, newest first, whose name or address contains the text.
    pub async fn list(
        &self,
        search: Option<&str>,
        after: Option<AccountId>,
        limit: i64,
    ) -> Result<Vec<Account>, AccountsError> {
        within(async {
            Ok(sqlx::query_as(
                "select id, name, email, role, created_at, disabled_at from accounts
                  where ($1::text is null or strpos(lower(name || ' ' || email), lower($1)) > 0)
                    and ($2::uuid is null or id < $2)
                  order by id desc limit $3",
            )
            .bind(search)
            .bind(after)
            .bind(limit)
            .fetch_all(&self.pg)
            .await?)
        })
        .await
    }

    async fn find(&self, id: AccountId) -> Result<Account, AccountsError> {
        sqlx::query_as(
            "select id, name, email, role, created_at, disabled_at from accounts where id = $1 and disabled_at is null",
        )
        .bind(id)
        .fetch_optional(&self.pg)
        .await?
        .ok_or(AccountsError::NotFound)
    }
}

fn check(name: &str, email: &str, password: &str) -> Result<(), AccountsError> {
    let mut faults = Vec::new();
    check_name(name, &mut faults);
    if !is_address(email) {
        faults.push(Fault { field: "email", message: "is not an address".to_owned() });
    }
    faults.extend(fault_in_password("password", password));
    if faults.is_empty() { Ok(()) } else { Err(AccountsError::Invalid(faults)) }
}

pub(super) fn fault_in_password(field: &'static str, password: &str) -> Option<Fault> {
    let (least, most) = (PASSWORD_BYTES.start(), PASSWORD_BYTES.end());
    let message = || format!("must have {least} to {most} bytes");
    (!PASSWORD_BYTES.contains(&password.len())).then(|| Fault { field, message: message() })
}

pub(super) fn check_name(name: &str, faults: &mut Vec<Fault>) {
    let message = if name.is_empty() {
        "is empty".to_owned()
    } else if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        format!("must be at most {LONGEST_NAME} characters on one line")
    } else {
        return;
    };
    faults.push(Fault { field: "name", message });
}

/// Something before one @ and a dotted name behind it. Whether it exists, only a mail can tell.
pub(super) fn is_address(email: &str) -> bool {
    let plain = email.chars().all(|letter| !letter.is_control() && !letter.is_whitespace());
    let Some((local, domain)) = email.rsplit_once('@') else { return false };
    let labels =
        domain.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'));
    plain
        && email.len() <= LONGEST_EMAIL
        && !local.is_empty()
        && !local.contains('@')
        && labels
        && domain.contains('.')
        && can_be_written_to(email)
}

#[cfg(test)]
mod tests {
    use super::is_address;

    #[test]
    fn addresses_are_told_from_what_is_none() {
        for good in ["a@b.c", "first.last+tag@mail.example.org", "ü@exämple.de"] {
            assert!(is_address(good), "{good}");
        }
        for bad in
            ["", "a", "@b.c", "a@", "a@b", "a@@b.c", "a b@c.d", "a@b..c", "a@-b.c", "a@b.c\n", "a\0@b.c"]
        {
            assert!(!is_address(bad), "{bad:?}");
        }
        for mute in ["(a)b@x.y", ".a@x.y", "a..b@x.y", "a,b@x.y", "a@[127.0.0.1]"] {
            assert!(!is_address(mute), "{mute:?} has no letter ever reach it");
        }
    }
}
