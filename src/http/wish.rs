//! What a customer asks to hold, read against the event's chart: every fault is named at once.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use serde::Deserialize;
use utoipa::ToSchema;

use super::problem::{Code, FieldFault, Problem};
use crate::catalog::Chart;
use crate::ids::{HoldId, Ordinal};
use crate::seats::Wish;

/// The most places of one hold.
const MOST: usize = 100;

/// Seats by id, standing places by number, or the best seats side by side.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"seats": ["stalls-A-12", "stalls-A-13"], "areas": {"floor": 2}}))]
pub struct HoldWish {
    /// Ids of seats, each once.
    #[serde(default)]
    #[schema(max_items = 100)]
    seats: Vec<String>,
    /// How many places of which standing area.
    #[serde(default)]
    areas: BTreeMap<String, u32>,
    /// Instead of naming them: the best seats that are side by side.
    best: Option<Best>,
    /// One's own hold to swap for this one.
    replaces: Option<HoldId>,
    /// What to do when there are not enough seats left.
    if_sold_out: Option<IfSoldOut>,
}

/// What to do when there are not enough seats left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IfSoldOut {
    JoinWaitlist,
}

/// What a wish comes to as one of a waiting party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waits {
    pub quantity: u32,
    pub section: Option<String>,
    pub category: Option<String>,
}

/// The best seats side by side, anywhere or only there.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Best {
    #[schema(minimum = 1, maximum = 100)]
    quantity: u32,
    section: Option<String>,
    category: Option<String>,
}

impl HoldWish {
    /// Seats and places by name.
    pub fn of_seats(seats: Vec<String>, areas: BTreeMap<String, u32>) -> Self {
        Self { seats, areas, ..Self::default() }
    }

    /// The hold to swap, which must be one of the same event: a swap happens in one step or not at all.
    pub fn replaces(&self, chart: &Chart) -> Result<Option<HoldId>, Problem> {
        match self.replaces {
            Some(hold) if hold.event_number() != chart.event_number() => {
                Err(Problem::invalid(vec![FieldFault::new("replaces", "is not a hold for this event")]))
            }
            replaces => Ok(replaces),
        }
    }

    /// The party to put on the waiting list when there are not enough seats left, if that is wished for.
    pub fn waits(&self) -> Option<Waits> {
        self.if_sold_out?;
        let named = self.seats.len() + self.areas.values().map(|&number| number as usize).sum::<usize>();
        Some(match &self.best {
            Some(best) => Waits {
                quantity: best.quantity,
                section: best.section.clone(),
                category: best.category.clone(),
            },
            None => {
                Waits { quantity: u32::try_from(named).unwrap_or(u32::MAX), section: None, category: None }
            }
        })
    }

    /// The wish in ordinals.
    pub fn read(&self, chart: &Chart) -> Result<Wish, Problem> {
        let mut faults = self.faults();
        let wish = match &self.best {
            Some(best) => best.read(chart, &mut faults),
            None => self.named(chart, &mut faults)?,
        };
        if faults.is_empty() { Ok(wish) } else { Err(Problem::invalid(faults)) }
    }

    fn faults(&self) -> Vec<FieldFault> {
        let mut faults = Vec::new();
        let names_some = !self.seats.is_empty() || !self.areas.is_empty();
        if names_some && self.best.is_some() {
            faults.push(FieldFault::new("best", "cannot be combined with seats or areas"));
        }
        if !names_some && self.best.is_none() {
            faults.push(FieldFault::new("seats", "one of seats, areas and best is required"));
        }
        let places = self.areas.values().map(|&number| number as usize);
        if places.fold(self.seats.len(), usize::saturating_add) > MOST {
            faults.push(FieldFault::new("seats", format!("a hold has at most {MOST} places")));
        }
        let mut seen = HashSet::new();
        for (index, seat) in self.seats.iter().enumerate().take(MOST) {
            if !seen.insert(seat) {
                faults.push(FieldFault::new(format!("seats[{index}]"), format!("{seat} is named twice")));
            }
        }
        faults
    }

    fn named(&self, chart: &Chart, faults: &mut Vec<FieldFault>) -> Result<Wish, Problem> {
        let (mut seats, mut places, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        for id in self.seats.iter().take(MOST) {
            match chart.ordinal(id) {
                Some(ordinal) if chart.is_standing(ordinal) => places.push(ordinal),
                Some(ordinal) => seats.push(ordinal),
                None => unknown.push(id),
            }
        }
        let mut areas = Vec::new();
        for (key, &number) in &self.areas {
            let field = || format!("areas.{key}");
            match chart.area(key) {
                None => faults.push(FieldFault::new(field(), "is no standing area of this event")),
                Some(_) if number == 0 => faults.push(FieldFault::new(field(), "must be more than 0")),
                Some(range) => areas.push((range, number)),
            }
        }
        // Faults of form are told first: who mends them asks again anyway.
        if faults.is_empty() && !unknown.is_empty() {
            return Err(Code::UnknownSeats.with("seats", unknown));
        }
        Ok(Wish::Wanted { seats, places, areas })
    }
}

impl Best {
    fn read(&self, chart: &Chart, faults: &mut Vec<FieldFault>) -> Wish {
        if self.quantity == 0 || self.quantity as usize > MOST {
            faults.push(FieldFault::new("best.quantity", format!("must be from 1 to {MOST}")));
        }
        let runs = chart.runs(self.section.as_deref(), self.category.as_deref());
        if runs.as_ref().is_none_or(Vec::is_empty)
            && let Some(area) = self.standing(chart)
        {
            // Where people stand, any places are the best.
            let areas = vec![(area, self.quantity)];
            return Wish::Wanted { seats: Vec::new(), places: Vec::new(), areas };
        }
        let runs = runs.unwrap_or_else(|| {
            faults.push(self.unknown_place(chart));
            Vec::new()
        });
        Wish::Best { runs, quantity: self.quantity }
    }

    /// The first standing area that the wish allows.
    fn standing(&self, chart: &Chart) -> Option<Range<Ordinal>> {
        let allowed = |wish: &Option<String>, key: &str| wish.as_deref().is_none_or(|wish| wish == key);
        let mut areas = chart.areas();
        let area =
            areas.find(|area| allowed(&self.section, area.key) && allowed(&self.category, area.category))?;
        chart.area(area.key)
    }

    /// Which of the two names the chart does not have.
    fn unknown_place(&self, chart: &Chart) -> FieldFault {
        if self.section.is_some() && chart.runs(self.section.as_deref(), None).is_none() {
            FieldFault::new("best.section", "is no section of this event")
        } else {
            FieldFault::new("best.category", "is no category of this event")
        }
    }
}
