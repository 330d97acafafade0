//! What can be wrong with waiting.

use crate::catalog::CatalogError;
use crate::ids::{EntryId, OrderId};
use crate::seats::SeatsError;
use crate::stores::postgres::Outage;

#[derive(Debug, thiserror::Error)]
pub enum WaitlistError {
    #[error("there is no such entry for this customer")]
    NotFound,
    #[error("the event has no waiting list, or it is closed")]
    Closed,
    #[error("this customer waits already, as {0}")]
    WaitsAlready(EntryId),
    /// A wish that no seat of the event can ever meet: the field, and what is wrong with it.
    #[error("{field} {message}")]
    Impossible { field: &'static str, message: String },
    #[error("the offer is being paid for as order {0}")]
    InCheckout(OrderId),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Seats(#[from] SeatsError),
    #[error(transparent)]
    Outage(#[from] Outage),
}

impl From<sqlx::Error> for WaitlistError {
    fn from(error: sqlx::Error) -> Self {
        Self::Outage(Outage::Failed(error))
    }
}
