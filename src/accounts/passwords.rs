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

    /// Whether this is the password behind the hash. Without a hash the answer is no, after the same work.
    pub async fn matches(&self, password: SecretString, hash: Option<String>) -> Result<bool, AccountsError> {
        self.run(move || {
            let known = hash.is_some();
            let text = hash.unwrap_or_else(|| NOBODYS.clone());
            let parsed =
                PasswordHash::new(&text).map_err(|error| AccountsError::Crypto(error.to_string()))?;
            let right = argon2()?.verify_password(password.expose_secret().as_bytes(), &parsed).is_ok();
            Ok(right && known)
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
    async fn only_the_right_password_matches_and_the_hash_says_how_it_was_made() {
        let hasher = Hasher::new(1);
        let hash = hasher.hash(SecretString::from("four-quiet-words")).await.expect("hashed");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let matches =
            async |text: &str, hash| hasher.matches(SecretString::from(text), hash).await.expect("checked");
        assert!(matches("four-quiet-words", Some(hash.clone())).await);
        assert!(!matches("four-quiet-word", Some(hash)).await);
        assert!(!matches("nobody has this password", None).await, "nobody signs in as nobody");
    }

    #[tokio::test]
    async fn a_flood_is_told_to_come_back() {
        let hasher = Hasher::new(1);
        let _busy = hasher.threads.acquire().await.expect("a thread");
        let answer = hasher.hash(SecretString::from("anything at all")).await;
        assert!(matches!(answer, Err(AccountsError::Busy)));
    }
}
