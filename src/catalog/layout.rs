//! Where seats are drawn when nobody has said: rows behind each other, sections in tiers that face the stage.
//!
//! One unit is the distance of two neighbours. The stage lies above, at negative y; x = 0 is its middle.

use super::form::{AreaForm, NewEvent, RowForm, SeatsForm, SectionForm};

/// Between two sections, and between a tier and the next.
const GAP: f32 = 3.0;
/// The width of an aisle beside the seats' own distance.
const AISLE: f32 = 1.0;

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    pub x: f32,
    pub y: f32,
    pub width: f32,
    pub height: f32,
}

/// Where each section and each area lies, in the order of the form.
#[derive(Debug)]
pub struct Layout {
    pub sections: Vec<Place>,
    pub areas: Vec<Place>,
}

/// Arranges sections in tiers, best in front and in the middle, and areas behind them.
pub fn arrange(form: &NewEvent) -> Layout {
    let sizes: Vec<_> = form.sections.iter().map(section_size).collect();
    let mut sections = Vec::with_capacity(sizes.len());
    let mut y = 0.0;
    for tier in sizes.chunks(tier_length(sizes.len())) {
        let width = tier.iter().map(|size| size.0).sum::<f32>() + GAP * as_f32(tier.len() - 1);
        let mut x = -width / 2.0;
        for &(width, height) in tier {
            sections.push(Place { x, y, width, height });
            x += width + GAP;
        }
        y += tier.iter().map(|size| size.1).fold(0.0, f32::max) + GAP;
    }
    for (place, section) in sections.iter_mut().zip(&form.sections) {
        if let (Some(x), Some(y)) = (section.x, section.y) {
            (place.x, place.y) = (near(x), near(y));
        }
    }
    let mut areas = Vec::with_capacity(form.areas.len());
    for area in &form.areas {
        let (width, height) = area_size(area);
        let (x, next) = (-width / 2.0, y + height + GAP);
        let place = match (area.x, area.y) {
            (Some(x), Some(y)) => Place { x: near(x), y: near(y), width, height },
            _ => Place { x, y, width, height },
        };
        areas.push(place);
        y = next;
    }
    Layout { sections, areas }
}

/// Few sections lie behind each other, as stalls and balcony do; many lie side by side, as blocks do.
fn tier_length(sections: usize) -> usize {
    match sections {
        0..=3 => 1,
        4..=8 => 2,
        9..=15 => 3,
        16..=32 => 5,
        more => more.div_ceil(6),
    }
}

fn section_size(section: &SectionForm) -> (f32, f32) {
    let width = section.rows.iter().map(row_width).fold(1.0, f32::max);
    (width, as_f32(section.rows.len()))
}

/// From the first seat to the last, aisles included.
pub fn row_width(row: &RowForm) -> f32 {
    let (seats, aisles) = match &row.seats {
        Some(SeatsForm::List(list)) => {
            let aisles = list.iter().filter(|seat| seat.aisle).count();
            (list.len() - aisles, aisles)
        }
        Some(SeatsForm::Count(count)) => (usize::try_from(*count).unwrap_or(0), 0),
        None => (row.count.and_then(|count| usize::try_from(count).ok()).unwrap_or(0), 0),
    };
    as_f32(seats.max(1)) + AISLE * as_f32(aisles + row.aisles_after.len())
}

/// An area's rectangle, twice as wide as deep, with room for everybody.
fn area_size(area: &AreaForm) -> (f32, f32) {
    let people = as_f32(usize::try_from(area.capacity).unwrap_or(1).min(super::MOST_PLACES as usize));
    let depth = (people / 2.0).sqrt().max(2.0).round();
    (depth * 2.0, depth)
}

/// Walks along a row: the x of each next seat.
#[derive(Debug)]
pub struct Walk {
    x: f32,
}

impl Walk {
    /// A row of this width in the middle of its section.
    pub fn centred(section: Place, row: &RowForm) -> Self {
        Self { x: section.x + (section.width - row_width(row)) / 2.0 }
    }

    pub fn from(x: f64) -> Self {
        Self { x: near(x) }
    }

    pub fn seat(&mut self) -> f32 {
        let x = self.x;
        self.x += 1.0;
        x
    }

    pub fn aisle(&mut self) {
        self.x += AISLE;
    }
}

/// Drawing needs no more than this; coordinates are checked to be small before.
#[expect(clippy::cast_possible_truncation, reason = "a coordinate on a drawing")]
pub fn near(value: f64) -> f32 {
    value as f32
}

#[expect(clippy::cast_precision_loss, reason = "a chart has far fewer seats than an f32 has integers")]
pub fn as_f32(count: usize) -> f32 {
    count as f32
}
