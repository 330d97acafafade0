//! Compiling a form to ordinals: row by row, best row first, in physical order.
//!
//! Each row, each aisle inside a row and each standing area ends with an ordinal that is nobody's seat and whose
//! bit is always set. So neighbours are neighbouring bits and a free run never crosses an aisle.

use std::collections::{HashMap, HashSet};

use super::check::{self, Faults};
use super::document::{AreaPart, Category, Document, RowPart, SeatPart, SectionPart};
use super::form::{AreaForm, CategoryForm, NewEvent, RowForm, SeatForm, SeatsForm};
use super::layout::{self, Place, Walk};
use super::{Fault, MOST_PLACES};
use crate::ids::Ordinal;
use crate::money::Currency;

/// The key of the one area and the one category of the short form.
const GENERAL: &str = "general";

/// Compiles a form, or names everything that is wrong with it.
pub fn compile(form: &NewEvent) -> Result<Document, Vec<Fault>> {
    let mut faults = Faults::default();
    let long = lengthened(form, &mut faults);
    let form = long.as_ref().unwrap_or(form);
    check::event(form, &mut faults);
    check::places(form, &mut faults);
    is_of_a_size(form, &mut faults);
    if !faults.is_empty() {
        return Err(faults.into_list());
    }
    let document = lay_out(form);
    has_one_of_each(&document, &mut faults);
    if faults.is_empty() { Ok(document) } else { Err(faults.into_list()) }
}

/// The short form as the full one that it stands for.
fn lengthened(form: &NewEvent, faults: &mut Faults) -> Option<NewEvent> {
    let Some(capacity) = form.total_tickets else {
        if form.price.is_some() {
            faults.add("price", "belongs to the short form, beside total_tickets");
        }
        return None;
    };
    if !(form.categories.is_empty() && form.sections.is_empty() && form.areas.is_empty()) {
        faults.add("total_tickets", "is the short form, which has no categories, sections or areas");
        return None;
    }
    if !(1..=i64::from(MOST_PLACES)).contains(&capacity) {
        faults.add("total_tickets", format!("must be from 1 to {MOST_PLACES}"));
    }
    let mut long = form.clone();
    let name = Some("General admission".to_owned());
    let key = GENERAL.to_owned();
    let price = form.price.unwrap_or(0);
    long.categories.push(CategoryForm { key: key.clone(), name: name.clone(), price });
    let capacity = capacity.clamp(1, i64::from(MOST_PLACES));
    long.areas.push(AreaForm { category: key.clone(), key, name, capacity, x: None, y: None });
    Some(long)
}

/// Counts before anything is made, so that four billion places cost nothing to refuse.
fn is_of_a_size(form: &NewEvent, faults: &mut Faults) {
    let seats = |row: &RowForm| match (row.seats.as_ref(), row.count) {
        (Some(SeatsForm::List(list)), _) => list.iter().filter(|seat| !seat.aisle).count() as u64,
        (Some(&SeatsForm::Count(count)), _) | (None, Some(count)) => u64::try_from(count).unwrap_or(0),
        (None, None) => 0,
    };
    let rows = form.sections.iter().flat_map(|section| &section.rows);
    let standing = form.areas.iter().map(|area| u64::try_from(area.capacity).unwrap_or(0));
    let places = rows.map(seats).chain(standing).fold(0, u64::saturating_add);
    if form.sections.is_empty() && form.areas.is_empty() {
        faults.add("sections", "has neither sections nor areas, nor total_tickets");
    } else if places > MOST_PLACES.into() {
        faults.add("sections", format!("has {places} places together, more than {MOST_PLACES}"));
    }
}

fn lay_out(form: &NewEvent) -> Document {
    let categories: HashMap<_, _> =
        (0_u16..).zip(&form.categories).map(|(at, category)| (category.key.as_str(), at)).collect();
    // Every reference was checked.
    let category = |key: &str| categories.get(key).copied().unwrap_or_default();
    let named = |name: &Option<String>, key: &str| {
        name.clone().filter(|name| !name.trim().is_empty()).unwrap_or_else(|| key.to_owned())
    };
    let places = layout::arrange(form);
    let mut next: Ordinal = 0;
    let mut sections = Vec::with_capacity(form.sections.len());
    for (section, &place) in form.sections.iter().zip(&places.sections) {
        let mut rows = Vec::with_capacity(section.rows.len());
        for (at, row) in section.rows.iter().enumerate() {
            let seats = compile_row(row, (place, at), &category, &mut next);
            rows.push(RowPart { name: row.name.0.clone(), seats });
        }
        sections.push(SectionPart {
            key: section.key.clone(),
            name: named(&section.name, &section.key),
            category: category(&section.category),
            rows,
        });
    }
    let mut areas = Vec::with_capacity(form.areas.len());
    for (area, place) in form.areas.iter().zip(places.areas) {
        let capacity = u32::try_from(area.capacity).unwrap_or(1);
        areas.push(AreaPart {
            key: area.key.clone(),
            name: named(&area.name, &area.key),
            category: category(&area.category),
            first: next,
            capacity,
            x: place.x,
            y: place.y,
            width: place.width,
            height: place.height,
        });
        next += capacity + 1;
    }
    Document {
        currency: currency(form),
        categories: (form.categories.iter())
            .map(|category| Category {
                key: category.key.clone(),
                name: named(&category.name, &category.key),
                price: category.price,
            })
            .collect(),
        sections,
        areas,
        size: next,
    }
}

/// The currency of a checked form.
fn currency(form: &NewEvent) -> Currency {
    let text = form.currency.as_deref().unwrap_or("eur");
    text.parse().unwrap_or_else(|_| "eur".parse().expect("eur is three letters"))
}

/// Gives a row's seats their ordinals and coordinates, and closes it.
fn compile_row(
    row: &RowForm,
    (section, at): (Place, usize),
    category: &impl Fn(&str) -> u16,
    next: &mut Ordinal,
) -> Vec<SeatPart> {
    let count = |count: i64| vec![SeatForm::default(); usize::try_from(count).unwrap_or(0)];
    let counted = match (row.seats.as_ref(), row.count) {
        (Some(SeatsForm::List(_)), _) | (None, None) => Vec::new(),
        (Some(&SeatsForm::Count(many)), _) | (None, Some(many)) => count(many),
    };
    let list = match &row.seats {
        Some(SeatsForm::List(list)) => list,
        _ => &counted,
    };
    let (mut walk, y) = match (row.x, row.y) {
        (Some(x), Some(y)) => (Walk::from(x), layout::near(y)),
        _ => (Walk::centred(section, row), section.y + layout::as_f32(at)),
    };
    let aisles: HashSet<_> = row.aisles_after.iter().copied().collect();
    let mut seats = Vec::with_capacity(list.len());
    let mut number: i64 = 0;
    for seat in list {
        if seat.aisle {
            walk.aisle();
            *next += 1;
            continue;
        }
        number += 1;
        let x = walk.seat();
        let (x, y) = match (seat.x, seat.y) {
            (Some(x), Some(y)) => (layout::near(x), layout::near(y)),
            _ => (x, y),
        };
        let name = seat.name.clone().unwrap_or_else(|| number.to_string());
        let category = seat.category.as_deref().map(category);
        let accessible = seat.accessible;
        seats.push(SeatPart { name: name.into(), ordinal: *next, x, y, category, accessible });
        *next += 1;
        if aisles.contains(&number) {
            walk.aisle();
            *next += 1;
        }
    }
    *next += 1;
    seats
}

/// Ids are made of keys and names with hyphens, so two seats may come to the same id by different ways.
fn has_one_of_each(document: &Document, faults: &mut Faults) {
    let mut seen = HashSet::new();
    let areas: HashMap<_, _> = document.areas.iter().map(|area| (area.key.as_str(), area.capacity)).collect();
    for (s, section) in document.sections.iter().enumerate() {
        for (r, row) in section.rows.iter().enumerate() {
            for (n, seat) in row.seats.iter().enumerate() {
                let id = format!("{}-{}-{}", section.key, row.name, seat.name);
                let is_place = id.rsplit_once('-').is_some_and(|(area, number)| {
                    let number = number.parse::<u32>().unwrap_or(0);
                    areas.get(area).is_some_and(|capacity| (1..=*capacity).contains(&number))
                });
                if is_place || seen.contains(&id) {
                    faults.add(
                        format!("sections[{s}].rows[{r}].seats[{n}]"),
                        format!("another place has the id {id:?}"),
                    );
                }
                seen.insert(id);
            }
        }
    }
}
