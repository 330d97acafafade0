//! Money is integers in minor units with its currency; never a float.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The most that one order may cost: Stripe's own limit of eight digits.
pub const MOST: i64 = 99_999_999;

/// A three-letter ISO 4217 code in lower case, as Stripe spells it. Capitals are accepted and lowered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

/// Text that is not three letters.
#[derive(Debug, thiserror::Error)]
#[error("a currency is three letters, like eur")]
pub struct NotACurrency;

impl Currency {
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only ASCII letters are ever stored")
    }
}

impl FromStr for Currency {
    type Err = NotACurrency;

    fn from_str(text: &str) -> Result<Self, NotACurrency> {
        let bytes: [u8; 3] = text.as_bytes().try_into().map_err(|_| NotACurrency)?;
        if !bytes.iter().all(u8::is_ascii_alphabetic) {
            return Err(NotACurrency);
        }
        Ok(Self(bytes.map(|byte| byte.to_ascii_lowercase())))
    }
}

impl TryFrom<String> for Currency {
    type Error = NotACurrency;

    fn try_from(text: String) -> Result<Self, NotACurrency> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount in its currency's smallest unit: 1250 is 12.50 in `eur` and 1,250 in `jpy`.
///
/// Amounts of two currencies do not add; `checked_add` answers `None` rather than converting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Money {
    pub minor: i64,
    pub currency: Currency,
}

impl Money {
    #[must_use]
    pub fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        if self.currency != other.currency {
            return None;
        }
        let minor = self.minor.checked_add(other.minor)?;
        Some(Self { minor, ..self })
    }

    #[must_use]
    pub fn is_zero(self) -> bool {
        self.minor == 0
    }
}

/// Decimals of a currency as Stripe counts its smallest unit: most have two, some none or three. Not always those of ISO 4217:
/// the króna has none there and two here, the ariary two there and none here.
#[must_use]
pub fn decimals(currency: &str) -> u32 {
    match currency.to_ascii_lowercase().as_str() {
        "bif" | "clp" | "djf" | "gnf" | "jpy" | "kmf" | "krw" | "mga" | "pyg" | "rwf" | "ugx" | "vnd"
        | "vuv" | "xaf" | "xof" | "xpf" => 0,
        "bhd" | "jod" | "kwd" | "omr" | "tnd" => 3,
        _ => 2,
    }
}

/// What an amount must be a multiple of for Stripe to take it: cards know no thousandths, and no part of a króna.
#[must_use]
pub fn step(currency: &str) -> i64 {
    match (decimals(currency), currency.to_ascii_lowercase().as_str()) {
        (_, "isk") => 100,
        (3, _) => 10,
        _ => 1,
    }
}

/// Minor units as people write them, with the decimals of their currency.
#[must_use]
pub fn written(minor: i64, currency: &str) -> String {
    let decimals = decimals(currency);
    let unit = 10_i64.pow(decimals);
    let name = currency.to_uppercase();
    let (whole, part) = (minor / unit, minor % unit);
    match usize::try_from(decimals) {
        Ok(width @ 1..) => format!("{whole}.{part:0width$} {name}"),
        _ => format!("{whole} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_currency_is_three_letters_in_lower_case() {
        assert_eq!("EUR".parse::<Currency>().expect("letters").as_str(), "eur");
        for bad in ["", "eu", "euro", "e1r", "€"] {
            assert!(bad.parse::<Currency>().is_err(), "{bad} is no currency");
        }
    }

    #[test]
    fn two_currencies_do_not_add() {
        let euro = Money::new(5, "eur".parse().expect("letters"));
        let yen = Money::new(5, "jpy".parse().expect("letters"));
        assert_eq!(euro.checked_add(yen), None);
        assert_eq!(euro.checked_add(euro).map(|sum| sum.minor), Some(10));
    }

    #[test]
    fn amounts_are_written_with_the_decimals_of_their_currency() {
        assert_eq!(written(1250, "eur"), "12.50 EUR");
        assert_eq!(written(5, "usd"), "0.05 USD");
        assert_eq!(written(1250, "jpy"), "1250 JPY");
        assert_eq!(written(1250, "kwd"), "1.250 KWD");
    }
}
