//! The states of an order and the only moves between them.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum OrderState {
    /// Its seats are claimed and it can be paid until `pay_by`.
    AwaitingPayment,
    /// The money door is being closed; its seats stay claimed until Stripe says that it is shut.
    Closing,
    /// Paid, or free; its seats are sold.
    Confirmed,
    /// The payment was declined and its seats are free.
    Failed,
    /// Called off by the customer or the organiser.
    Cancelled,
    /// Not paid in time.
    Expired,
    /// Money is on its way back.
    Refunding,
    /// All of the money went back.
    Refunded,
}

impl OrderState {
    pub const ALL: [Self; 8] = [
        Self::AwaitingPayment,
        Self::Closing,
        Self::Confirmed,
        Self::Failed,
        Self::Cancelled,
        Self::Expired,
        Self::Refunding,
        Self::Refunded,
    ];

    /// Can still become paid in the ordinary way.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::AwaitingPayment | Self::Closing)
    }

    /// The graph. The table of the log has the same as a constraint.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        use OrderState::{
            AwaitingPayment, Cancelled, Closing, Confirmed, Expired, Failed, Refunded, Refunding,
        };
        matches!(
            (self, next),
            (AwaitingPayment, Confirmed | Closing)
                | (Closing, Confirmed | Failed | Cancelled | Expired)
                | (Failed | Expired, Confirmed | Refunding)
                | (Cancelled, Refunding)
                | (Confirmed, Cancelled)
                | (Refunding, Refunded)
        )
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AwaitingPayment => "awaiting_payment",
            Self::Closing => "closing",
            Self::Confirmed => "confirmed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Refunding => "refunding",
            Self::Refunded => "refunded",
        }
    }
}

impl fmt::Display for OrderState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::OrderState;

    #[test]
    fn what_is_refunded_stays_refunded() {
        for next in OrderState::ALL {
            assert!(!OrderState::Refunded.may_become(next));
        }
    }

    #[test]
    fn nothing_becomes_itself() {
        for state in OrderState::ALL {
            assert!(!state.may_become(state), "{state} → {state}");
        }
    }

    #[test]
    fn seats_are_freed_only_behind_a_closed_money_door() {
        for end in [OrderState::Failed, OrderState::Cancelled, OrderState::Expired] {
            assert!(!OrderState::AwaitingPayment.may_become(end), "{end} must pass through closing");
        }
    }
}
