//! Events and charts: what is sold, compiled once to ordinals and never changed.

mod chart;
mod check;
mod compile;
mod document;
mod draft;
mod drawing;
mod event;
mod form;
mod layout;
mod on_sale;
mod prepared;
mod shelf;
mod store;
#[cfg(test)]
mod tests;
#[doc(hidden)]
pub mod untrusted;

use std::fmt;

pub use self::chart::{Area, Chart, SeatInfo, Section};
pub use self::document::Category;
pub use self::drawing::Drawing;
pub use self::event::{Event, EventState};
pub use self::form::{
    AreaForm, CategoryForm, EventPatch, NewEvent, RowForm, SeatForm, SeatsForm, SectionForm,
};
pub use self::on_sale::OnSale;
pub use self::store::Catalog;

use crate::stores::postgres::Outage;

/// The most places of one chart. The largest stadium on earth has fewer.
pub const MOST_PLACES: u32 = 200_000;

/// One fault of a form: where it is and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// `sections[0].rows[2].name`
    pub field: String,
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error("there is no such event")]
    NotFound,
    #[error("the event is published: its chart has been promised")]
    NotADraft,
    #[error("the form has {} faults", .0.len())]
    Invalid(Vec<Fault>),
    /// A stored chart that this version cannot read. Nothing is guessed from it.
    #[error("the stored chart of event {0} cannot be read: {1}")]
    Unreadable(crate::ids::EventId, String),
    #[error(transparent)]
    Outage(#[from] Outage),
}

impl From<sqlx::Error> for CatalogError {
    fn from(error: sqlx::Error) -> Self {
        Self::Outage(Outage::Failed(error))
    }
}
