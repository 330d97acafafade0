//! What can be wrong with a wish about endpoints.

use crate::catalog::CatalogError;
use crate::seats::SeatsError;
use crate::stores::postgres::Outage;

#[derive(Debug, thiserror::Error)]
pub enum HooksError {
    #[error("there is no such endpoint, or no such event for it")]
    NotFound,
    #[error("{field} {message}")]
    Invalid { field: &'static str, message: String },
    #[error("one account may have {0} endpoints")]
    TooMany(usize),
    /// JWT_SECRET was changed since: the endpoint's secret must be replaced.
    #[error("the secret of an endpoint was sealed under another JWT_SECRET")]
    Sealed,
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Seats(#[from] SeatsError),
    #[error(transparent)]
    Outage(#[from] Outage),
}

impl HooksError {
    pub(super) fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { field, message: message.into() }
    }
}

impl From<sqlx::Error> for HooksError {
    fn from(error: sqlx::Error) -> Self {
        Self::Outage(error.into())
    }
}
