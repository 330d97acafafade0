//! What reads an organiser's form and a stored chart, as tests reach it from outside of this crate. Nothing of the service
//! calls this.

use super::chart::Chart;
use super::compile::compile;
use super::document::Document;
use super::form::NewEvent;
use super::{Fault, drawing};
use crate::ids::EventId;

/// A compiled chart, as it is stored.
pub struct Compiled(Document);

impl Compiled {
    pub fn of(form: &NewEvent) -> Result<Self, Vec<Fault>> {
        compile(form).map(Self)
    }

    pub fn stored(&self) -> std::io::Result<Vec<u8>> {
        self.0.pack()
    }

    pub fn read(stored: &[u8]) -> std::io::Result<Self> {
        Document::unpack(stored).map(Self)
    }

    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// The index of the category of each numbered seat, in the order of the form.
    #[must_use]
    pub fn categories_of_seats(&self) -> Vec<u16> {
        let seats = |section: &super::document::SectionPart| {
            let own = section.category;
            let rows = section.rows.iter().flat_map(|row| &row.seats);
            rows.map(move |seat| seat.category.unwrap_or(own)).collect::<Vec<_>>()
        };
        self.0.sections.iter().flat_map(seats).collect()
    }

    #[must_use]
    pub fn drawn(&self) -> Vec<u8> {
        drawing::draw(EventId::from(uuid::Uuid::nil()), "test", &self.0)
    }

    #[must_use]
    pub fn chart(self) -> Chart {
        Chart::new(EventId::from(uuid::Uuid::nil()), 1, "test".to_owned(), self.0)
    }
}
