//! What can go wrong between a hold and a sold seat.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::catalog::CatalogError;
use crate::ids::OrderId;
use crate::orders::state::OrderState;
use crate::payments::PaymentsError;
use crate::seats::{Reason, SeatsError};
use crate::stores::postgres::Outage;

/// A seat that cannot be had, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RefusedSeat {
    /// The seat's id, `stalls-A-12`.
    pub id: String,
    pub reason: Reason,
}

#[derive(Debug, thiserror::Error)]
pub enum OrdersError {
    #[error("there is no such order for this customer")]
    NotFound,
    #[error("there is no such hold for this customer")]
    NoSuchHold,
    #[error("the hold has expired")]
    HoldExpired,
    #[error("{} of the seats went to somebody else", .0.len())]
    SeatsTaken(Vec<RefusedSeat>),
    #[error("the event is not on sale")]
    SaleClosed,
    #[error("an order costs more than {} minor units", crate::money::MOST)]
    TooExpensive,
    #[error("an order that is {0} does not allow this")]
    State(OrderState),
    #[error("the event has started: its orders can no longer be cancelled")]
    TooLateToCancel,
    #[error("the refund would exceed what was captured; {left} is left")]
    RefundTooLarge { left: i64 },
    #[error("the ticket has let somebody in already")]
    AlreadyCheckedIn { at: OffsetDateTime, by: String },
    #[error("the ticket's order was called off")]
    TicketVoid,
    #[error("the ticket was moved to another seat and has a newer code")]
    TicketMoved,
    #[error("the ticket has let nobody in")]
    NotCheckedIn,
    #[error("the event has no seat {0}")]
    UnknownSeat(String),
    #[error("the ticket cost {paid} and the seat costs {price}")]
    PriceDiffers { paid: i64, price: i64 },
    #[error("the payment provider refuses this order: {0}")]
    PaymentRefused(String),
    /// A guard: our own code asked for a move that the graph does not have. Nothing was changed.
    #[error("order {order} cannot go from {from} to {to}")]
    NoSuchMove { order: OrderId, from: OrderState, to: OrderState },
    /// A guard: a row says something that cannot be. Nothing was changed.
    #[error("order {order}: {what}")]
    Inconsistent { order: OrderId, what: &'static str },
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Seats(#[from] SeatsError),
    #[error(transparent)]
    Payments(#[from] PaymentsError),
    #[error(transparent)]
    Outage(#[from] Outage),
}

impl From<sqlx::Error> for OrdersError {
    fn from(error: sqlx::Error) -> Self {
        Self::Outage(Outage::Failed(error))
    }
}

impl OrdersError {
    /// Nobody said no: something could not answer, and asking again is right.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Outage(_) => true,
            Self::Seats(error) => matches!(
                error,
                SeatsError::Redis(_)
                    | SeatsError::NotReady(_)
                    | SeatsError::Unsettled(_)
                    | SeatsError::Superseded
            ),
            Self::Payments(error) => {
                matches!(error, PaymentsError::Outage { .. } | PaymentsError::StoredFailure { .. })
            }
            Self::Catalog(error) => matches!(error, CatalogError::Outage(_)),
            _ => false,
        }
    }
}
