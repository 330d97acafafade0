//! Finds every fault of a form, so that an organiser mends it once and not fault by fault.

use std::collections::HashSet;
use std::hash::Hash;

use time::OffsetDateTime;

use super::Fault;
use super::form::{EventPatch, NewEvent, RowForm, SeatsForm};
use crate::money::{Currency, MOST, step};

/// A form with more faults than this has one cause, and naming ten thousand would not help to find it.
const MOST_FAULTS: usize = 100;

/// The longest title, name of a section, and so on; in characters.
const LONGEST_TEXT: usize = 200;
const LONGEST_DESCRIPTION: usize = 10_000;
/// The longest part of a seat's id; in characters.
const LONGEST_KEY: usize = 40;
/// No house has so many prices. A chart counts them in sixteen bits: with one more than that, seats would get another's.
const MOST_CATEGORIES: usize = 1000;
const LONGEST_HOLD_SECONDS: i64 = 24 * 60 * 60;
const LONGEST_OFFER_SECONDS: i64 = 7 * 24 * 60 * 60;
const LONGEST_ROOM_MINUTES: i64 = 24 * 60;
const LONGEST_CUTOFF_SECONDS: i64 = 365 * 24 * 60 * 60;

/// Collects faults.
#[derive(Debug, Default)]
pub struct Faults {
    found: Vec<Fault>,
    unnamed: usize,
}

impl Faults {
    pub fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        if self.found.len() < MOST_FAULTS {
            self.found.push(Fault { field: field.into(), message: message.into() });
        } else {
            self.unnamed += 1;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub fn into_list(mut self) -> Vec<Fault> {
        if self.unnamed > 0 {
            let message = format!("and {} more faults", self.unnamed);
            self.found.push(Fault { field: ".".to_owned(), message });
        }
        self.found
    }

    fn text(&mut self, field: &str, text: &str, longest: usize) {
        if text.chars().count() > longest {
            self.add(field, format!("has more than {longest} characters"));
        }
        if text.chars().any(|letter| letter.is_control() && letter != '\n') {
            self.add(field, "has control characters");
        }
    }

    /// A part of a seat's id: nothing that needs quoting anywhere, least of all in a key of Redis.
    fn key(&mut self, field: &str, key: &str) {
        let fits = |letter: char| letter.is_alphanumeric() || "_.-+'/".contains(letter);
        if key.is_empty() {
            self.add(field, "is empty");
        } else if key.chars().count() > LONGEST_KEY {
            self.add(field, format!("has more than {LONGEST_KEY} characters"));
        } else if !key.chars().all(fits) || key.starts_with('-') || key.ends_with('-') {
            self.add(field, "may have letters, digits and _ . - + ' / and no hyphen at its ends");
        }
    }

    fn number(&mut self, field: &str, value: Option<i64>, least: i64, most: i64) {
        if let Some(value) = value
            && !(least..=most).contains(&value)
        {
            self.add(field, format!("must be from {least} to {most}"));
        }
    }

    fn unique<T: Hash + Eq>(&mut self, seen: &mut HashSet<T>, field: &str, value: T) {
        if !seen.insert(value) {
            self.add(field, "is there twice");
        }
    }
}

/// Everything about the event but its places.
pub fn event(form: &NewEvent, faults: &mut Faults) {
    title(&form.title, faults);
    faults.text("description", form.description.as_deref().unwrap_or_default(), LONGEST_DESCRIPTION);
    faults.text("venue", form.venue.as_deref().unwrap_or_default(), LONGEST_TEXT);
    moments(form.starts_at, form.ends_at, (form.sale_starts_at, form.sale_ends_at), faults);
    if form.currency.as_ref().is_some_and(|text| text.parse::<Currency>().is_err()) {
        faults.add("currency", "must be three letters, like eur");
    }
    faults.number("max_per_customer", form.max_per_customer, 1, 1_000_000);
    faults.number("hold_seconds", form.hold_seconds, 1, LONGEST_HOLD_SECONDS);
    faults.number("offer_seconds", form.offer_seconds, 1, LONGEST_OFFER_SECONDS);
    faults.number("waitlist_cutoff_seconds", form.waitlist_cutoff_seconds, 0, LONGEST_CUTOFF_SECONDS);
    faults.number("room_minutes", form.room_minutes, 0, LONGEST_ROOM_MINUTES);
    faults.number("price", form.price, 0, MOST);
    payable("price", form.price.unwrap_or(0), form, faults);
}

/// A price that Stripe would refuse is refused before anybody has chosen a seat for it.
fn payable(field: &str, price: i64, form: &NewEvent, faults: &mut Faults) {
    let step = step(form.currency.as_deref().unwrap_or_default());
    if price % step != 0 {
        faults.add(field, format!("must be a multiple of {step} in this currency"));
    }
}

fn title(title: &str, faults: &mut Faults) {
    if title.trim().is_empty() {
        faults.add("title", "is empty");
    }
    faults.text("title", title, LONGEST_TEXT);
}

type Window = (Option<OffsetDateTime>, Option<OffsetDateTime>);

fn moments(starts: OffsetDateTime, ends: Option<OffsetDateTime>, sale: Window, faults: &mut Faults) {
    for (field, moment) in
        [("starts_at", Some(starts)), ("ends_at", ends), ("sale_starts_at", sale.0), ("sale_ends_at", sale.1)]
    {
        if moment.is_some_and(|moment| !(1970..=9000).contains(&moment.year())) {
            faults.add(field, "must be a year from 1970 to 9000");
        }
    }
    if ends.is_some_and(|ends| ends < starts) {
        faults.add("ends_at", "must not be before starts_at");
    }
    if let (Some(opens), Some(closes)) = sale
        && closes <= opens
    {
        faults.add("sale_ends_at", "must be after sale_starts_at");
    }
}

/// An edited event as it would be.
pub fn patch(patch: &EventPatch, now: &super::Event, faults: &mut Faults) {
    if let Some(new) = &patch.title {
        title(new, faults);
    }
    faults.text("description", patch.description.as_deref().unwrap_or_default(), LONGEST_DESCRIPTION);
    faults.text("venue", patch.venue.as_deref().unwrap_or_default(), LONGEST_TEXT);
    let sale =
        (patch.sale_starts_at.unwrap_or(now.sale_starts_at), patch.sale_ends_at.unwrap_or(now.sale_ends_at));
    let starts = patch.starts_at.unwrap_or(now.starts_at);
    moments(starts, patch.ends_at.unwrap_or(now.ends_at), sale, faults);
    faults.number("max_per_customer", patch.max_per_customer.flatten(), 1, 1_000_000);
    faults.number("offer_seconds", patch.offer_seconds.flatten(), 1, LONGEST_OFFER_SECONDS);
    faults.number("room_minutes", patch.room_minutes.flatten(), 0, LONGEST_ROOM_MINUTES);
    faults.number("waitlist_cutoff_seconds", patch.waitlist_cutoff_seconds, 0, LONGEST_CUTOFF_SECONDS);
}

/// Keys, names, prices and references of the places. How many there are is the compiler's business.
pub fn places(form: &NewEvent, faults: &mut Faults) {
    if form.categories.len() > MOST_CATEGORIES {
        faults.add("categories", format!("has more than {MOST_CATEGORIES}"));
    }
    let mut categories = HashSet::new();
    for (at, category) in form.categories.iter().enumerate() {
        let field = format!("categories[{at}]");
        faults.key(&format!("{field}.key"), &category.key);
        faults.unique(&mut categories, &format!("{field}.key"), category.key.as_str());
        faults.text(&format!("{field}.name"), category.name.as_deref().unwrap_or_default(), LONGEST_TEXT);
        faults.number(&format!("{field}.price"), Some(category.price), 0, MOST);
        payable(&format!("{field}.price"), category.price, form, faults);
    }
    let known = |field: String, category: &str, faults: &mut Faults| {
        if !categories.contains(category) {
            faults.add(field, format!("there is no category {category:?}"));
        }
    };
    let mut parts = HashSet::new();
    for (at, section) in form.sections.iter().enumerate() {
        let field = format!("sections[{at}]");
        faults.key(&format!("{field}.key"), &section.key);
        faults.unique(&mut parts, &format!("{field}.key"), section.key.as_str());
        faults.text(&format!("{field}.name"), section.name.as_deref().unwrap_or_default(), LONGEST_TEXT);
        known(format!("{field}.category"), &section.category, faults);
        coordinates(&field, section.x, section.y, faults);
        if section.rows.is_empty() {
            faults.add(format!("{field}.rows"), "has no row");
        }
        let mut names = HashSet::new();
        for (at, row) in section.rows.iter().enumerate() {
            let field = format!("{field}.rows[{at}]");
            faults.key(&format!("{field}.name"), &row.name.0);
            faults.unique(&mut names, &format!("{field}.name"), row.name.0.as_str());
            coordinates(&field, row.x, row.y, faults);
            seats(&field, row, &known, faults);
        }
    }
    for (at, area) in form.areas.iter().enumerate() {
        let field = format!("areas[{at}]");
        faults.key(&format!("{field}.key"), &area.key);
        faults.unique(&mut parts, &format!("{field}.key"), area.key.as_str());
        faults.text(&format!("{field}.name"), area.name.as_deref().unwrap_or_default(), LONGEST_TEXT);
        known(format!("{field}.category"), &area.category, faults);
        coordinates(&field, area.x, area.y, faults);
        faults.number(&format!("{field}.capacity"), Some(area.capacity), 1, super::MOST_PLACES.into());
    }
}

fn seats(field: &str, row: &RowForm, known: &impl Fn(String, &str, &mut Faults), faults: &mut Faults) {
    let most = super::MOST_PLACES.into();
    let count = match (&row.seats, row.count) {
        (Some(_), Some(_)) => return faults.add(format!("{field}.count"), "is given beside seats"),
        (None, None) => return faults.add(format!("{field}.seats"), "is missing"),
        (None, Some(count)) => {
            faults.number(&format!("{field}.count"), Some(count), 1, most);
            count
        }
        (Some(SeatsForm::Count(count)), None) => {
            faults.number(&format!("{field}.seats"), Some(*count), 1, most);
            *count
        }
        (Some(SeatsForm::List(list)), None) => {
            let mut count = 0;
            for (at, seat) in list.iter().enumerate() {
                if seat.aisle {
                    continue;
                }
                count += 1;
                let field = || format!("{field}.seats[{at}]");
                if let Some(name) = &seat.name {
                    faults.key(&format!("{}.name", field()), name);
                }
                if let Some(category) = &seat.category {
                    known(format!("{}.category", field()), category, faults);
                }
                if seat.x.is_some() || seat.y.is_some() {
                    coordinates(&field(), seat.x, seat.y, faults);
                }
            }
            if count == 0 {
                faults.add(format!("{field}.seats"), "has no seat");
            }
            count
        }
    };
    for (at, &after) in row.aisles_after.iter().enumerate() {
        faults.number(&format!("{field}.aisles_after[{at}]"), Some(after), 1, count.max(1));
    }
}

fn coordinates(field: &str, x: Option<f64>, y: Option<f64>, faults: &mut Faults) {
    let is_far = |at: Option<f64>| at.is_some_and(|at| !at.is_finite() || at.abs() > 1_000_000.0);
    if x.is_some() != y.is_some() {
        faults.add(field, "has one of x and y and not the other");
    }
    if is_far(x) || is_far(y) {
        faults.add(field, "lies beyond a million seats from the origin");
    }
}
