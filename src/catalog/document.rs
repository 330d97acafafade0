//! The stored form of a chart. Ordinals are part of it, never computed again: every claim in Postgres and every
//! bit in Redis points at them, so a later compiler must not move a seat.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use crate::ids::Ordinal;
use crate::money::Currency;

/// The shape that this code writes and reads.
pub const VERSION: i32 = 1;

/// A price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Category {
    pub key: String,
    pub name: String,
    /// In the currency's smallest unit.
    pub price: i64,
}

/// A compiled chart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    pub currency: Currency,
    pub categories: Vec<Category>,
    pub sections: Vec<SectionPart>,
    pub areas: Vec<AreaPart>,
    /// How many ordinals there are, aisle bits included.
    pub size: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SectionPart {
    pub key: String,
    pub name: String,
    /// Index into `categories`.
    pub category: u16,
    pub rows: Vec<RowPart>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowPart {
    pub name: String,
    pub seats: Vec<SeatPart>,
}

/// Short names: there are a hundred thousand of these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeatPart {
    #[serde(rename = "n")]
    pub name: Box<str>,
    #[serde(rename = "o")]
    pub ordinal: Ordinal,
    pub x: f32,
    pub y: f32,
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub category: Option<u16>,
    #[serde(rename = "a", default, skip_serializing_if = "std::ops::Not::not")]
    pub accessible: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AreaPart {
    pub key: String,
    pub name: String,
    pub category: u16,
    pub first: Ordinal,
    pub capacity: u32,
    pub x: f32,
    pub y: f32,
    pub width: f32,
    pub height: f32,
}

impl Document {
    /// How many seats and standing places there are.
    pub fn places(&self) -> u32 {
        let rows = self.sections.iter().flat_map(|section| &section.rows);
        let seats: usize = rows.map(|row| row.seats.len()).sum();
        let standing: u32 = self.areas.iter().map(|area| area.capacity).sum();
        u32::try_from(seats).unwrap_or(u32::MAX).saturating_add(standing)
    }

    pub fn pack(&self) -> std::io::Result<Vec<u8>> {
        // In one piece: each write costs the packer the clearing of a whole buffer.
        let text = serde_json::to_vec(self)?;
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(&text)?;
        packer.finish()
    }

    pub fn unpack(bytes: &[u8]) -> std::io::Result<Self> {
        let mut text = Vec::new();
        GzDecoder::new(bytes).read_to_end(&mut text)?;
        Ok(serde_json::from_slice(&text)?)
    }
}
