//! What reads a caller's words, as tests reach it from outside of this crate. Nothing of the service calls this.

use secrecy::SecretString;

use super::tokens::Signer;
use super::{AccountsError, Caller, store};

/// Signs and checks access tokens, as [`super::Accounts`] does.
pub struct Tokens(Signer);

impl Tokens {
    #[must_use]
    pub fn new(secret: SecretString, seconds: u32) -> Self {
        Self(Signer::new(secret, seconds))
    }

    pub fn sign(&self, caller: Caller) -> Result<SecretString, AccountsError> {
        self.0.sign(caller, None)
    }

    #[must_use]
    pub fn verify(&self, token: &str) -> Option<Caller> {
        self.0.verify(token).map(|(caller, _)| caller)
    }
}

/// Whether somebody may register under this address.
#[must_use]
pub fn is_address(email: &str) -> bool {
    store::is_address(email)
}
