//! Passwords: argon2id, on threads of their own, so many at a time and no more.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use super::AccountsError;

/// 19 MiB, two passes, one lane: the least that OWASP's password storage cheat sheet recommends for argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// How long somebody waits for a thread. A flood of logins is told to come back instead of being queued.
const PATIENCE: Duration = Duration::from_millis(1200);

/// A password hash that no password has: the account of somebody who was given something and has never signed in.
pub const NO_PASSWORD: &str = "none";

/// Checked when there is no account, so that the answer takes as long as when there is one.
static NOBODYS: LazyLock<String> = LazyLock::new(|| {
    hash("nobody has this password").unwrap_or_else(|error| {
        tracing::error!(%error, "no password can be hashed");
        String::new()
    })
});

/// Hashes and checks passwords. Clones share the threads.
#[derive(Debug, Clone)]
pub struct Hasher {
    threads: Arc<Semaphore>,
}

impl Hasher {
    pub fn new(threads: usize) -> Self {
        Self { threads: Arc::new(Semaphore::new(threads)) }
    }

    pub async fn hash(&self, password: SecretString) -> Result<String, AccountsError> {
        self.run(move || hash(password.expose_secret())).await?
    }

    /// Whether this is the password behind the hash. Without a hash, or with one that nobody has a password for, the
    /// answer is no, after the same work.
    pub async fn matches(&self, password: SecretString, hash: Option<String>) -> Result<bool, AccountsError> {
        self.run(move || {
            let (hash, is_somebodys) = to_verify(hash);
            let parsed =
                PasswordHash::new(&hash).map_err(|error| AccountsError::Crypto(error.to_string()))?;
            let is_right = argon2()?.verify_password(password.expose_secret().as_bytes(), &parsed).is_ok();
            Ok(is_right && is_somebodys)
        })
        .await?
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AccountsError> {
        let thread = tokio::time::timeout(PATIENCE, Arc::clone(&self.threads).acquire_owned())
            .await
            .map_err(|_| AccountsError::Busy)?
            .map_err(|_| AccountsError::Busy)?;
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop(thread);
            done
        })
        .await
        .map_err(|panic| AccountsError::Crypto(panic.to_string()))
    }
}

/// The hash that a password is held against, whoever's it is, and whether that may end well.
fn to_verify(hash: Option<String>) -> (String, bool) {
    match hash {
        Some(hash) if hash != NO_PASSWORD => (hash, true),
        _ => (NOBODYS.clone(), false),
    }
}

fn argon2() -> Result<Argon2<'static>, AccountsError> {
    let params =
        Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|error| AccountsError::Crypto(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &str) -> Result<String, AccountsError> {
    let hashed = argon2()?.hash_password(password.as_bytes());
    hashed.map(|hash| hash.to_string()).map_err(|error| AccountsError::Crypto(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_matches() {
        let hasher = Hasher::new(1);
        let hash = hasher.hash(SecretString::from("four-quiet-words")).await.expect("hashed");
        let matches =
            async |text: &str, hash| hasher.matches(SecretString::from(text), hash).await.expect("checked");
        assert!(matches("four-quiet-words", Some(hash.clone())).await);
        assert!(!matches("four-quiet-word", Some(hash)).await);
        for nobody in [None, Some(NO_PASSWORD.to_owned())] {
            assert!(!matches("nobody has this password", nobody.clone()).await, "nobody signs in as nobody");
            assert!(!matches(NO_PASSWORD, nobody).await);
        }
    }

    /// OWASP's password storage cheat sheet: argon2id with at least 19 MiB and two passes, or 46 MiB and one.
    #[test]
    fn a_stored_hash_says_that_it_was_as_much_work_as_owasp_asks_for_and_salted() {
        let text = hash("four-quiet-words").expect("hashed");
        let stored = PasswordHash::new(&text).expect("in the usual form");
        let params = Params::try_from(&stored).expect("its parameters");
        let (memory, passes) = (params.m_cost(), params.t_cost());
        assert_eq!((stored.algorithm.as_str(), stored.version), ("argon2id", Some(19)));
        assert!((memory >= 19 * 1024 && passes >= 2) || (memory >= 46 * 1024 && passes >= 1), "{text}");
        assert!(params.p_cost() >= 1);
        assert!(stored.salt.is_some_and(|salt| salt.as_ref().len() >= 16), "{text}");
        assert!(stored.hash.is_some_and(|hash| hash.as_bytes().len() >= 32), "{text}");
        assert_ne!(text, hash("four-quiet-words").expect("hashed"), "a salt of its own each time");
    }

    #[test]
    fn an_address_without_an_account_or_a_password_is_as_much_work_as_any_other() {
        let somebodys = hash("four-quiet-words").expect("hashed");
        assert_eq!(to_verify(Some(somebodys.clone())), (somebodys.clone(), true));
        let work = |text: &str| {
            let parsed = PasswordHash::new(text).expect("in the usual form");
            let salt = parsed.salt.map(|salt| salt.as_ref().len());
            let output = parsed.hash.map(|hash| hash.as_bytes().len());
            (parsed.algorithm.to_string(), parsed.version, parsed.params.to_string(), salt, output)
        };
        for nobody in [None, Some(NO_PASSWORD.to_owned())] {
            let (instead, may_end_well) = to_verify(nobody);
            assert_eq!((work(&instead), may_end_well), (work(&somebodys), false));
        }
    }

    #[tokio::test]
    async fn a_flood_is_told_to_come_back() {
        let hasher = Hasher::new(1);
        let _busy = hasher.threads.acquire().await.expect("a thread");
        let answer = hasher.hash(SecretString::from("anything at all")).await;
        assert!(matches!(answer, Err(AccountsError::Busy)));
    }
}
