//! Form parameters with Stripe's brackets: `metadata[order_id]=…`, `payment_method_types[]=…`, `created[gte]=…`.

use super::failure::Failure;
use super::objects::Metadata;
use crate::money::{Currency, MOST};

/// Stripe's limits for metadata.
const MOST_METADATA: usize = 50;
const LONGEST_METADATA_KEY: usize = 40;
const LONGEST_METADATA_VALUE: usize = 500;
/// More parameters than any call has; the rest would only cost time.
const MOST_PARAMS: usize = 500;

#[derive(Debug, Clone, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    pub fn parse(form: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(form).take(MOST_PARAMS);
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    pub fn and(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }

    /// The last value under exactly this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// An optional text; empty means absent, as Stripe unsets with it.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).filter(|value| !value.is_empty()).map(str::to_owned)
    }

    pub fn int(&self, name: &str) -> Result<Option<i64>, Failure> {
        let Some(text) = self.get(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            Failure::bad_parameter_with(
                "parameter_invalid_integer",
                name,
                &format!("Invalid integer: {}", shown(text)),
            )
        })
    }

    pub fn flag(&self, name: &str) -> Result<bool, Failure> {
        match self.get(name) {
            None | Some("" | "false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(Failure::bad_parameter(name, &format!("Invalid boolean: {}", shown(other)))),
        }
    }

    /// A list, written `name[]`, `name[0]` or, with one entry, `name`.
    pub fn list(&self, name: &str) -> Vec<String> {
        let in_list = |found: &str| {
            found == name
                || inside(found, name).is_some_and(|at| at.bytes().all(|byte| byte.is_ascii_digit()))
        };
        self.0.iter().filter(|(found, _)| in_list(found)).map(|(_, value)| value.clone()).collect()
    }

    /// Minor units, more than none and at most Stripe's eight digits.
    pub fn amount(&self, name: &str) -> Result<Option<i64>, Failure> {
        let Some(amount) = self.int(name)? else { return Ok(None) };
        if amount < 1 {
            let message = "This value must be greater than or equal to 1.";
            return Err(Failure::bad_parameter_with("parameter_invalid_integer", name, message));
        }
        if amount > MOST {
            let message = "Amount must be no more than 99999999.";
            return Err(Failure::bad_parameter_with("amount_too_large", name, message));
        }
        Ok(Some(amount))
    }

    pub fn currency(&self) -> Result<String, Failure> {
        let text = self.get("currency").ok_or_else(|| Failure::missing_parameter("currency"))?;
        text.parse::<Currency>()
            .map(String::from)
            .map_err(|_| Failure::bad_parameter("currency", &format!("Invalid currency: {}.", shown(text))))
    }

    /// The metadata given here, laid over what was there; an empty value removes its key.
    pub fn metadata_over(&self, mut metadata: Metadata) -> Result<Metadata, Failure> {
        for (name, value) in &self.0 {
            let Some(key) = inside(name, "metadata") else { continue };
            if key.is_empty() || key.chars().count() > LONGEST_METADATA_KEY || key.contains(['[', ']']) {
                let message = "Metadata keys have 1 to 40 characters and no square brackets.";
                return Err(Failure::bad_parameter("metadata", message));
            }
            if value.chars().count() > LONGEST_METADATA_VALUE {
                let message = "Metadata values can have up to 500 characters.";
                return Err(Failure::bad_parameter("metadata", message));
            }
            if value.is_empty() {
                metadata.remove(key);
            } else {
                metadata.insert(key.to_owned(), value.clone());
            }
        }
        if metadata.len() > MOST_METADATA {
            return Err(Failure::bad_parameter("metadata", "Metadata can have up to 50 keys."));
        }
        Ok(metadata)
    }

    /// Refuses what the call does not have, as Stripe does: a typing error must not go unnoticed.
    pub fn only(&self, known: &[&str]) -> Result<(), Failure> {
        let root = |name: &str| name.split('[').next().unwrap_or_default().to_owned();
        let always = ["expand", "key", "client_secret"];
        let unknown = self.0.iter().map(|(name, _)| root(name)).find(|name| {
            let name = name.as_str();
            !known.contains(&name) && !always.contains(&name)
        });
        unknown.map_or(Ok(()), |name| Err(Failure::unknown_parameter(shown(&name))))
    }

    /// The same parameters in the same spelling, whatever their order.
    pub fn fingerprint(&self) -> String {
        let mut pairs: Vec<_> = self.0.iter().collect();
        pairs.sort();
        form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
    }
}

/// What is between the brackets of `name[…]`.
fn inside<'n>(found: &'n str, name: &str) -> Option<&'n str> {
    found.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')
}

/// As much of somebody's input as an error repeats.
fn shown(text: &str) -> &str {
    let end = text.char_indices().nth(60).map_or(text.len(), |(at, _)| at);
    &text[..end]
}
