//! What a party wishes for, in the chart's terms.

use super::WaitlistError;
use crate::catalog::Chart;
use crate::seats::Places;

/// Who wishes for the same can be served by the same seats, so one that was asked in vain speaks for all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Wish {
    pub quantity: u32,
    pub section: Option<String>,
    pub category: Option<String>,
    pub max_price: Option<i64>,
}

impl Wish {
    /// Where such a party may sit or stand, best first. A wish that leads nowhere says which word of it does.
    pub fn places(&self, chart: &Chart) -> Result<Vec<Places>, WaitlistError> {
        let impossible =
            |field, message: &str| WaitlistError::Impossible { field, message: message.to_owned() };
        if let Some(section) = &self.section
            && chart.sections().all(|known| known.key != section)
            && chart.area(section).is_none()
        {
            return Err(impossible("section", "is no section of this event"));
        }
        let categories: Vec<_> = (chart.categories().iter())
            .filter(|known| self.category.as_ref().is_none_or(|category| *category == known.key))
            .collect();
        if categories.is_empty() {
            return Err(impossible("category", "is no category of this event"));
        }
        let affordable = |key: &str| {
            categories
                .iter()
                .any(|known| known.key == key && self.max_price.is_none_or(|most| known.price <= most))
        };
        let runs = chart.runs_where(self.section.as_deref(), affordable);
        let mut places = Vec::new();
        if runs.iter().any(|run| run.end - run.start >= self.quantity) {
            places.push(Places::Seats(runs));
        }
        let here = |key: &str| self.section.as_deref().is_none_or(|section| section == key);
        for area in chart.areas().filter(|area| here(area.key) && affordable(area.category)) {
            if let Some(range) = chart.area(area.key).filter(|_| area.capacity >= self.quantity) {
                places.push(Places::Standing(range));
            }
        }
        match places.is_empty() {
            false => Ok(places),
            true if self.max_price.is_some() && !categories.iter().any(|known| affordable(&known.key)) => {
                Err(impossible("max_price", "is less than anything there costs"))
            }
            true => Err(impossible("quantity", "is more than there is room for side by side")),
        }
    }
}
