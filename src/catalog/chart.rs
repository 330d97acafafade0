//! A chart as a node uses it: ids to ordinals and back, runs of seats, and the drawing that everybody gets.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::OnceLock;

use super::document::{Category, Document, RowPart, SeatPart};
use super::drawing::{Drawing, draw};
use crate::ids::{EventId, Ordinal};
use crate::money::Currency;

/// What a chart takes in memory for each place that has a name of its own: its name and where it is, its id, which is looked up,
/// and its part of the drawing in two codings.
const BYTES_A_SEAT: usize = 170;
/// What it takes anyway.
const BYTES: usize = 4096;

/// One event's chart. It never changes, so it is read once and shared.
#[derive(Debug)]
pub struct Chart {
    event_id: EventId,
    event_number: i32,
    etag: String,
    document: Document,
    /// Ids of seats; those of standing places are computed.
    ordinals: HashMap<Box<str>, Ordinal>,
    /// Where each row begins, in ascending order, and which it is.
    rows: Vec<(Ordinal, usize, usize)>,
    /// The ordinals of each section, and of each category's seats in maximal runs.
    sections: Vec<Range<Ordinal>>,
    categories: Vec<Vec<Range<Ordinal>>>,
    drawing: OnceLock<Drawing>,
}

/// A place as people know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatInfo<'a> {
    pub id: Cow<'a, str>,
    pub section: &'a str,
    /// `None` where people stand.
    pub row: Option<&'a str>,
    pub seat: Option<Cow<'a, str>>,
    pub category: &'a str,
    pub price: i64,
}

/// A part with numbered seats.
#[derive(Debug, Clone, Copy)]
pub struct Section<'a> {
    pub key: &'a str,
    pub name: &'a str,
    pub category: &'a str,
    pub seats: u32,
}

/// A part where any place is as good as another.
#[derive(Debug, Clone, Copy)]
pub struct Area<'a> {
    pub key: &'a str,
    pub name: &'a str,
    pub category: &'a str,
    pub capacity: u32,
}

impl Chart {
    pub(super) fn new(event_id: EventId, event_number: i32, etag: String, document: Document) -> Self {
        let mut chart = Self {
            event_id,
            event_number,
            etag,
            ordinals: HashMap::new(),
            rows: Vec::new(),
            sections: Vec::new(),
            categories: vec![Vec::new(); document.categories.len()],
            document,
            drawing: OnceLock::new(),
        };
        chart.index();
        chart
    }

    fn index(&mut self) {
        for (s, section) in self.document.sections.iter().enumerate() {
            let mut all: Option<Range<Ordinal>> = None;
            for (r, row) in section.rows.iter().enumerate() {
                for seat in &row.seats {
                    let id = format!("{}-{}-{}", section.key, row.name, seat.name);
                    self.ordinals.insert(id.into(), seat.ordinal);
                    let category = usize::from(seat.category.unwrap_or(section.category));
                    let runs = &mut self.categories[category];
                    let this = seat.ordinal..seat.ordinal + 1;
                    all = Some(all.map_or(this.clone(), |all| all.start..this.end));
                    runs.push(this);
                }
                if let Some(first) = row.seats.first() {
                    self.rows.push((first.ordinal, s, r));
                }
            }
            self.sections.push(all.unwrap_or_default());
        }
        // Between two seats of one category there may be aisles, whose bits are always set; seats of another
        // category end a run.
        let mut owner = vec![None; self.document.size as usize];
        for (category, runs) in self.categories.iter().enumerate() {
            for run in runs {
                owner[run.start as usize] = Some(category);
            }
        }
        for (category, runs) in self.categories.iter_mut().enumerate() {
            let mut merged: Vec<Range<Ordinal>> = Vec::new();
            for run in runs.drain(..) {
                match merged.last_mut() {
                    Some(last)
                        if owner[last.end as usize..run.start as usize]
                            .iter()
                            .all(|between| between.is_none_or(|other| other == category)) =>
                    {
                        last.end = run.end;
                    }
                    _ => merged.push(run),
                }
            }
            *runs = merged;
        }
    }

    pub fn event_id(&self) -> EventId {
        self.event_id
    }

    /// The short number that a hold's id carries.
    pub fn event_number(&self) -> i32 {
        self.event_number
    }

    pub fn currency(&self) -> Currency {
        self.document.currency
    }

    /// How many ordinals there are, aisle bits included.
    pub fn size(&self) -> u32 {
        self.document.size
    }

    /// About what it takes in memory, with its drawing.
    pub(super) fn bytes(&self) -> usize {
        BYTES + self.ordinals.len() * BYTES_A_SEAT
    }

    /// How many places there are.
    pub fn seats(&self) -> u32 {
        self.document.places()
    }

    /// The ordinal of `stalls-A-12`, or of the standing place `floor-7`.
    pub fn ordinal(&self, id: &str) -> Option<Ordinal> {
        if let Some(&ordinal) = self.ordinals.get(id) {
            return Some(ordinal);
        }
        let (key, number) = id.rsplit_once('-')?;
        // One id a place: not `floor-07` beside `floor-7`.
        if number.starts_with(['0', '+']) {
            return None;
        }
        let number: u32 = number.parse().ok()?;
        let area = self.document.areas.iter().find(|area| area.key == key)?;
        (1..=area.capacity).contains(&number).then(|| area.first + number - 1)
    }

    /// What people call an ordinal; `None` for an aisle, and beyond the chart.
    pub fn seat(&self, ordinal: Ordinal) -> Option<SeatInfo<'_>> {
        self.numbered(ordinal).or_else(|| self.standing(ordinal))
    }

    fn numbered(&self, ordinal: Ordinal) -> Option<SeatInfo<'_>> {
        let at = self.rows.partition_point(|(first, ..)| *first <= ordinal).checked_sub(1)?;
        let (_, s, r) = self.rows[at];
        let section = &self.document.sections[s];
        let row: &RowPart = &section.rows[r];
        let n = row.seats.binary_search_by_key(&ordinal, |seat| seat.ordinal).ok()?;
        let seat: &SeatPart = &row.seats[n];
        let category = self.category(seat.category.unwrap_or(section.category));
        Some(SeatInfo {
            id: Cow::Owned(format!("{}-{}-{}", section.key, row.name, seat.name)),
            section: &section.key,
            row: Some(&row.name),
            seat: Some(Cow::Borrowed(&seat.name)),
            category: &category.key,
            price: category.price,
        })
    }

    fn standing(&self, ordinal: Ordinal) -> Option<SeatInfo<'_>> {
        let area = (self.document.areas.iter())
            .find(|area| (area.first..area.first + area.capacity).contains(&ordinal))?;
        let category = self.category(area.category);
        Some(SeatInfo {
            id: Cow::Owned(format!("{}-{}", area.key, ordinal - area.first + 1)),
            section: &area.key,
            row: None,
            seat: None,
            category: &category.key,
            price: category.price,
        })
    }

    fn category(&self, at: u16) -> &Category {
        &self.document.categories[usize::from(at)]
    }

    /// Whether people stand there: any free place will do, and none is chosen by name.
    pub fn is_standing(&self, ordinal: Ordinal) -> bool {
        self.document.areas.first().is_some_and(|area| ordinal >= area.first)
    }

    /// The places of a standing area.
    pub fn area(&self, key: &str) -> Option<Range<Ordinal>> {
        let area = self.document.areas.iter().find(|area| area.key == key)?;
        Some(area.first..area.first + area.capacity)
    }

    /// Where seats of a wish may lie, best first. `None` when there is no such section or category.
    pub fn runs(&self, section: Option<&str>, category: Option<&str>) -> Option<Vec<Range<Ordinal>>> {
        let within = match section {
            None => 0..self.document.size,
            Some(key) => {
                let at = self.document.sections.iter().position(|section| section.key == key)?;
                self.sections[at].clone()
            }
        };
        let runs = if let Some(key) = category {
            let at = self.document.categories.iter().position(|category| category.key == key)?;
            self.categories[at].clone()
        } else {
            let end = self.sections.last().map_or(0, |last| last.end);
            std::iter::once(0..end).collect()
        };
        let cut = |run: Range<Ordinal>| run.start.max(within.start)..run.end.min(within.end);
        Some(runs.into_iter().map(cut).filter(|run| !run.is_empty()).collect())
    }

    /// Where seats of some categories lie, in ascending order, within a section or anywhere.
    pub fn runs_where(&self, section: Option<&str>, category: impl Fn(&str) -> bool) -> Vec<Range<Ordinal>> {
        let within = match section {
            None => 0..self.document.size,
            Some(key) => match self.document.sections.iter().position(|section| section.key == key) {
                Some(at) => self.sections[at].clone(),
                None => return Vec::new(),
            },
        };
        let chosen =
            self.document.categories.iter().zip(&self.categories).filter(|(known, _)| category(&known.key));
        let mut runs: Vec<_> = chosen
            .flat_map(|(_, runs)| runs)
            .map(|run| run.start.max(within.start)..run.end.min(within.end))
            .filter(|run| !run.is_empty())
            .collect();
        runs.sort_unstable_by_key(|run| run.start);
        runs.dedup_by(|next, last| {
            // Nothing lies between the two, so one may sit across them.
            let touches = last.end == next.start;
            if touches {
                last.end = next.end;
            }
            touches
        });
        runs
    }

    /// The plane in which every ordinal that is nobody's place is set, in Redis' bit order (bit 0 is the highest of
    /// byte 0), with the padding of the last byte set as well.
    pub fn aisle_plane(&self) -> Vec<u8> {
        let mut plane = vec![0xff; (self.document.size as usize).div_ceil(8)];
        let mut clear = |ordinal: Ordinal| plane[ordinal as usize / 8] &= !(0x80 >> (ordinal % 8));
        self.ordinals.values().for_each(|&ordinal| clear(ordinal));
        for area in &self.document.areas {
            (area.first..area.first + area.capacity).for_each(&mut clear);
        }
        plane
    }

    pub fn categories(&self) -> &[Category] {
        &self.document.categories
    }

    pub fn sections(&self) -> impl Iterator<Item = Section<'_>> {
        self.document.sections.iter().map(|section| Section {
            key: &section.key,
            name: &section.name,
            category: &self.category(section.category).key,
            seats: section.rows.iter().map(|row| u32::try_from(row.seats.len()).unwrap_or(u32::MAX)).sum(),
        })
    }

    /// What people call a section or an area; its key where nobody has said.
    pub fn part_name<'a>(&'a self, key: &'a str) -> &'a str {
        let sections = self.document.sections.iter().map(|section| (&section.key, &section.name));
        let areas = self.document.areas.iter().map(|area| (&area.key, &area.name));
        sections.chain(areas).find(|(known, _)| *known == key).map_or(key, |(_, name)| name)
    }

    pub fn areas(&self) -> impl Iterator<Item = Area<'_>> {
        self.document.areas.iter().map(|area| Area {
            key: &area.key,
            name: &area.name,
            category: &self.category(area.category).key,
            capacity: area.capacity,
        })
    }

    /// Names this chart for ever: its event's id and a digest of its document.
    pub fn etag(&self) -> &str {
        &self.etag
    }

    /// The drawing that everybody gets, made once.
    pub fn drawing(&self) -> &Drawing {
        self.drawing.get_or_init(|| Drawing::of(&self.draw()))
    }

    /// The same as JSON, made for this one reader.
    pub fn draw(&self) -> Vec<u8> {
        draw(self.event_id, &self.etag, &self.document)
    }
}
