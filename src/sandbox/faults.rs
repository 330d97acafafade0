//! Switches: how the sandbox misbehaves on demand. All off means a Stripe on a good day.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

use super::objects::Outcome;
use super::world::{World, now, now_ms};

/// No switch delays anything longer, so that a typing error does not wedge a run.
const LONGEST_MS: u64 = 120_000;
/// Shuffled deliveries leave within this time, in an order of their own.
const SHUFFLE_MS: u64 = 300;
/// What settles by itself does so after this time unless a switch says otherwise.
const SETTLE_MS: u64 = 2_000;

/// Every switch. What a document does not mention is off.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Milliseconds before every API call takes effect.
    pub delay_ms: u64,
    /// Tried in order; the first that applies to a call decides it.
    pub calls: Vec<CallFault>,
    pub webhooks: WebhookFaults,
    pub refunds: RefundMode,
    /// Milliseconds until delayed payments and refunds settle by themselves. Default: 2,000 for those that do.
    pub settle_after_ms: Option<u64>,
    /// Stripe's limit for one endpoint; more calls in one second are answered 429.
    pub calls_per_second: Option<u32>,
    /// Stripe refuses amounts below about half a dollar; off unless set, in minor units of any currency.
    pub minimum_amount: Option<i64>,
    /// What chance decides is drawn from this, and each draw leaves the next here; without it, from the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookFaults {
    /// New events are never delivered.
    pub drop: bool,
    /// Extra copies of every delivery.
    pub duplicate: u32,
    /// New events leave in another order than they were made.
    pub shuffle: bool,
    /// New events wait until they are released.
    pub hold: bool,
    /// Milliseconds before the first attempt.
    pub delay_ms: u64,
}

/// How new refunds go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundMode {
    #[default]
    Succeed,
    /// Pending until told, or until `settle_after_ms` when it is set.
    Pending,
    /// Pending first, failed after `settle_after_ms`.
    FailLater,
}

/// A kind of call that a switch can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    All,
    Create,
    Update,
    Confirm,
    Cancel,
    Refund,
    Retrieve,
    List,
}

impl Endpoint {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Create => "create",
            Self::Update => "update",
            Self::Confirm => "confirm",
            Self::Cancel => "cancel",
            Self::Refund => "refund",
            Self::Retrieve => "retrieve",
            Self::List => "list",
        }
    }
}

/// What a caller sees instead of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum How {
    /// A 500 that is not stored: the same key may succeed.
    #[serde(rename = "500")]
    Broken,
    #[serde(rename = "429")]
    TooMany,
    #[serde(rename = "503")]
    Away,
    /// A 500 stored under the key, as Stripe does when a call fails half way.
    #[serde(rename = "stored_500")]
    Stored,
    /// The connection ends without an answer.
    #[serde(rename = "reset")]
    Reset,
    /// No answer for longer than anybody waits.
    #[serde(rename = "timeout")]
    Silence,
}

/// Whether the call takes effect before it fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    #[default]
    Before,
    After,
}

/// A failing kind of call: every one, the next few, or some by chance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallFault {
    pub on: Endpoint,
    pub how: How,
    #[serde(default)]
    pub when: When,
    /// Calls that are left to fail; without it there is no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
    /// Of 0 to 1; without it every call fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Seconds in the Retry-After header of a 429 or 503.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl CallFault {
    /// The next `count` calls of a kind fail before they take effect.
    #[must_use]
    pub fn next(count: u32, on: Endpoint, how: How) -> Self {
        Self { on, how, when: When::Before, next: Some(count), probability: None, retry_after: None }
    }

    /// The call happens, its answer does not arrive.
    #[must_use]
    pub fn after_the_effect(self) -> Self {
        Self { when: When::After, ..self }
    }
}

impl Faults {
    /// For one decision.
    pub(super) fn dice(&mut self) -> StdRng {
        let Some(seed) = self.seed else { return StdRng::from_rng(&mut rand::rng()) };
        let mut dice = StdRng::seed_from_u64(seed);
        self.seed = Some(dice.random());
        dice
    }

    /// Milliseconds before a new event is told.
    pub(super) fn wait_ms(&mut self) -> i64 {
        let shuffled = if self.webhooks.shuffle { self.dice().random_range(0..SHUFFLE_MS) } else { 0 };
        i64::try_from(self.webhooks.delay_ms.min(LONGEST_MS) + shuffled).unwrap_or_default()
    }

    pub(super) fn delay_ms(&self) -> u64 {
        self.delay_ms.min(LONGEST_MS)
    }

    /// When something that settles by itself does so, in Unix milliseconds.
    pub(super) fn settle_at(&self) -> i64 {
        let wait = self.settle_after_ms.unwrap_or(SETTLE_MS).min(LONGEST_MS);
        now_ms() + i64::try_from(wait).unwrap_or_default()
    }

    /// How a refund that is made now will end, when that is decided already.
    pub(super) fn refund_ends(&self) -> Option<Outcome> {
        match self.refunds {
            RefundMode::Succeed => None,
            RefundMode::Pending => self.settle_after_ms.map(|_| Outcome::Succeeded),
            RefundMode::FailLater => Some(Outcome::Failed),
        }
    }

    /// The switch that decides this call, counted down.
    pub(super) fn strike(&mut self, endpoint: Endpoint) -> Option<CallFault> {
        let applies =
            |fault: &CallFault| (fault.on == endpoint || fault.on == Endpoint::All) && fault.next != Some(0);
        if !self.calls.iter().any(applies) {
            return None;
        }
        let mut dice = self.dice();
        let struck = self.calls.iter().position(|fault| {
            applies(fault) && fault.probability.is_none_or(|chance| dice.random_bool(chance.clamp(0.0, 1.0)))
        })?;
        let fault = &mut self.calls[struck];
        let decided = fault.clone();
        if let Some(left) = &mut fault.next {
            *left -= 1;
            if *left == 0 {
                self.calls.remove(struck);
            }
        }
        Some(decided)
    }
}

impl World {
    /// Whether this call is within the limit for its endpoint, when one is set.
    pub(super) fn within_limit(&mut self, endpoint: Endpoint) -> bool {
        let Some(limit) = self.faults.calls_per_second else { return true };
        let second = now();
        let window = self.windows.entry(endpoint).or_insert((second, 0));
        if window.0 != second {
            *window = (second, 0);
        }
        window.1 += 1;
        window.1 <= limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_strikes_the_same_calls() {
        let strikes = |seed| {
            let half = CallFault {
                probability: Some(0.5),
                next: None,
                ..CallFault::next(1, Endpoint::All, How::Broken)
            };
            let mut faults = Faults { calls: vec![half], seed: Some(seed), ..Faults::default() };
            (0..64).map(|_| faults.strike(Endpoint::Create).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(strikes(7), strikes(7));
        assert_ne!(strikes(7), strikes(8));
    }
}
