//! Who is counted.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::Address;
use crate::ids::AccountId;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    Account(AccountId),
    Address(Address),
    /// An e-mail address that somebody tries to sign in with, whether it has an account or not.
    Email(Digest),
}

/// What stands in Redis for something that nobody shall read there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 16]);

impl Digest {
    pub fn of(text: &str) -> Self {
        let whole = Sha256::digest(text.as_bytes());
        Self(std::array::from_fn(|at| whole[at]))
    }
}

impl Subject {
    /// All spellings of an address that sign in to one account count as one. Postgres has a letter for each letter,
    /// Rust sometimes two: of those only the first counts.
    pub fn email(text: &str) -> Self {
        let lower = text.trim().chars().map(|letter| letter.to_lowercase().next().unwrap_or(letter));
        Self::Email(Digest::of(&lower.collect::<String>()))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&BASE64_URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(id) => write!(out, "account:{id}"),
            Self::Address(address) => write!(out, "address:{address}"),
            Self::Email(digest) => write!(out, "email:{digest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_same_however_it_is_written_and_is_not_written_down() {
        let ada = Subject::email("ada@example.com");
        assert_eq!(ada, Subject::email(" ADA@Example.com\n"));
        assert_eq!(Subject::email("i@example.com"), Subject::email("İ@example.com"));
        assert_ne!(ada, Subject::email("ada@example.org"));
        assert!(!ada.to_string().contains("ada"), "{ada}");
    }
}
