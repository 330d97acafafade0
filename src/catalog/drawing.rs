//! The chart as everybody gets it: names and coordinates, and nothing of ordinals.

use bytes::Bytes;
use serde::Serialize;

use super::document::{Category, Document};
use crate::ids::EventId;
use crate::money::Currency;
use crate::packing::{self, Coding, Effort};

/// A drawing as it is kept: packed, since that is how nearly everybody wants it, and a stadium's takes megabytes otherwise.
#[derive(Debug)]
pub struct Drawing {
    gzip: Bytes,
    brotli: Bytes,
}

impl Drawing {
    pub(super) fn of(drawn: &[u8]) -> Self {
        Self {
            gzip: packing::gzip(drawn, Effort::Thorough),
            brotli: packing::brotli(drawn, Effort::Thorough),
        }
    }

    /// The JSON in this coding; unpacked for the few that take none.
    #[must_use]
    pub fn in_coding(&self, coding: Coding) -> Bytes {
        match coding {
            Coding::Plain => packing::gunzip(&self.gzip).into(),
            Coding::Gzip => self.gzip.clone(),
            Coding::Brotli => self.brotli.clone(),
        }
    }
}

/// The whole drawing as JSON.
pub fn draw(event_id: EventId, version: &str, chart: &Document) -> Vec<u8> {
    let key = |at: u16| chart.categories[usize::from(at)].key.as_str();
    let sections = (chart.sections.iter())
        .map(|section| DrawnSection {
            key: &section.key,
            name: &section.name,
            category: key(section.category),
            rows: (section.rows.iter())
                .map(|row| DrawnRow {
                    name: &row.name,
                    seats: (row.seats.iter())
                        .map(|seat| DrawnSeat {
                            id: format!("{}-{}-{}", section.key, row.name, seat.name),
                            name: &seat.name,
                            x: seat.x,
                            y: seat.y,
                            category: seat.category.map(key),
                            accessible: seat.accessible,
                        })
                        .collect(),
                })
                .collect(),
        })
        .collect();
    let areas = (chart.areas.iter())
        .map(|area| DrawnArea {
            key: &area.key,
            name: &area.name,
            category: key(area.category),
            capacity: area.capacity,
            x: area.x,
            y: area.y,
            width: area.width,
            height: area.height,
        })
        .collect();
    let drawing =
        Drawn { event_id, version, currency: chart.currency, categories: &chart.categories, sections, areas };
    serde_json::to_vec(&drawing).expect("a drawing is plain data")
}

/// The chart with coordinates: one unit is the distance of two neighbours, the stage is above.
#[derive(Serialize)]
struct Drawn<'a> {
    event_id: EventId,
    version: &'a str,
    currency: Currency,
    categories: &'a [Category],
    sections: Vec<DrawnSection<'a>>,
    areas: Vec<DrawnArea<'a>>,
}

#[derive(Serialize)]
struct DrawnSection<'a> {
    key: &'a str,
    name: &'a str,
    category: &'a str,
    rows: Vec<DrawnRow<'a>>,
}

#[derive(Serialize)]
struct DrawnRow<'a> {
    name: &'a str,
    seats: Vec<DrawnSeat<'a>>,
}

#[derive(Serialize)]
struct DrawnSeat<'a> {
    id: String,
    name: &'a str,
    x: f32,
    y: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    accessible: bool,
}

#[derive(Serialize)]
struct DrawnArea<'a> {
    key: &'a str,
    name: &'a str,
    category: &'a str,
    capacity: u32,
    x: f32,
    y: f32,
    width: f32,
    height: f32,
}
