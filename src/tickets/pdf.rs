//! Tickets on paper: a page each, with fonts that every reader has and a code of vector squares.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use pdf_writer::{Content, Filter, Finish as _, Name, Pdf, Rect, Ref, Str, TextStr};
use qrcode::types::QrError;
use time::OffsetDateTime;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;

use super::code::to_be_typed;
use super::latin;
use super::qr::Qr;
use crate::money;

/// A5, in points.
const WIDTH: f32 = 420.0;
const HEIGHT: f32 = 595.0;
const MARGIN: f32 = 36.0;
/// The code's side, 6 centimetres: read by a telephone at arm's length.
const CODE: f32 = 170.0;

const PLAIN: Name = Name(b"F1");
const BOLD: Name = Name(b"F2");
const FIXED: Name = Name(b"F3");
/// Bold letters are wider than those that widths are known of.
const BOLDER: f32 = 1.1;

/// UTC, because an event does not say which town's clock it goes by.
const WHEN: StaticFormatDescription = format_description!(
    "[weekday repr:short] [day padding:none] [month repr:short] [year], [hour]:[minute] UTC"
);

/// What is printed of a ticket.
#[derive(Debug, Clone)]
pub struct Print {
    pub event: String,
    pub venue: String,
    pub starts_at: OffsetDateTime,
    pub section: String,
    /// `None` where people stand.
    pub row: Option<String>,
    pub seat: Option<String>,
    pub category: String,
    pub price: i64,
    pub currency: String,
    /// Who bought it.
    pub holder: String,
    pub order: String,
    pub code: String,
}

/// All of them as one document.
///
/// # Errors
/// When a code is longer than any QR code.
pub fn pages(tickets: &[Print]) -> Result<Vec<u8>, QrError> {
    let mut pdf = Pdf::new();
    let mut last = 0;
    let mut next = || {
        last += 1;
        Ref::new(last)
    };
    let (catalog, tree, info) = (next(), next(), next());
    let fonts = [(PLAIN, b"Helvetica".as_slice()), (BOLD, b"Helvetica-Bold"), (FIXED, b"Courier")]
        .map(|(name, base)| (name, base, next()));
    let sheets: Vec<_> = tickets.iter().map(|ticket| (next(), next(), ticket)).collect();

    pdf.catalog(catalog).pages(tree).lang(TextStr("en"));
    let title = tickets.first().map_or("", |ticket| ticket.event.as_str());
    pdf.document_info(info).title(TextStr(title)).creator(TextStr("Holdfast"));
    let count = i32::try_from(sheets.len()).unwrap_or(i32::MAX);
    pdf.pages(tree).kids(sheets.iter().map(|(page, ..)| *page)).count(count);
    for (_, base, font) in &fonts {
        pdf.type1_font(*font).base_font(Name(base)).encoding_predefined(Name(b"WinAnsiEncoding"));
    }
    for (page, content, ticket) in sheets {
        let mut sheet = pdf.page(page);
        sheet.media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT)).parent(tree).contents(content);
        let mut resources = sheet.resources();
        let mut named = resources.fonts();
        for (name, _, font) in &fonts {
            named.pair(*name, *font);
        }
        named.finish();
        resources.finish();
        sheet.finish();
        pdf.stream(content, &packed(&drawn(ticket)?)).filter(Filter::FlateDecode);
    }
    Ok(pdf.finish())
}

fn packed(content: &[u8]) -> Vec<u8> {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::default());
    packer.write_all(content).and_then(|()| packer.finish()).expect("memory takes what is written")
}

/// One page, from the top down.
fn drawn(ticket: &Print) -> Result<Vec<u8>, QrError> {
    let mut page = Writing { content: Content::new(), y: HEIGHT - MARGIN };
    page.says(BOLD, 22.0, &ticket.event);
    page.y -= 6.0;
    page.says(PLAIN, 12.0, &ticket.starts_at.to_utc().format(WHEN).unwrap_or_default());
    page.says(PLAIN, 12.0, &ticket.venue);
    page.y -= 10.0;
    page.says(BOLD, 16.0, &place(ticket));
    page.says(
        PLAIN,
        12.0,
        &format!("{}, {}", ticket.category, money::written(ticket.price, &ticket.currency)),
    );
    page.y -= 10.0;
    page.says(PLAIN, 10.0, &ticket.holder);
    page.says(PLAIN, 9.0, &format!("Order {}", ticket.order));
    // From the bottom up, so that a long title pushes words and never the code.
    page.squares(&Qr::of(&ticket.code)?, (WIDTH - CODE) / 2.0, 120.0);
    page.y = 104.0;
    page.says(BOLD, 13.0, &format!("To type: {}", to_be_typed(&ticket.code)));
    let letters: Vec<_> = ticket.code.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    for line in letters {
        page.says(FIXED, 8.0, &line);
    }
    Ok(page.content.finish().into_vec())
}

fn place(ticket: &Print) -> String {
    match (&ticket.row, &ticket.seat) {
        (Some(row), Some(seat)) => format!("{}, row {row}, seat {seat}", ticket.section),
        _ => format!("{}, standing", ticket.section),
    }
}

struct Writing {
    content: Content,
    /// Where the last line stands.
    y: f32,
}

impl Writing {
    fn says(&mut self, font: Name<'static>, size: f32, text: &str) {
        let size_of_widths = if font == BOLD { size * BOLDER } else { size };
        // Courier's letters are all as wide as this, and its lines are broken already.
        let most = if font == FIXED { f32::MAX } else { (WIDTH - 2.0 * MARGIN) / size_of_widths };
        for line in latin::lines(text, most).iter().take(4).filter(|line| !line.is_empty()) {
            self.y -= size * 1.3;
            self.content.begin_text().set_font(font, size).next_line(MARGIN, self.y);
            self.content.show(Str(line)).end_text();
        }
    }

    fn squares(&mut self, qr: &Qr, x: f32, y: f32) {
        let side = f32::from(u16::try_from(qr.side()).unwrap_or(u16::MAX));
        let scale = CODE / side;
        self.content.save_state().transform([scale, 0.0, 0.0, scale, x, y]);
        for (row, column, length) in qr.runs() {
            let number = |value: usize| f32::from(u16::try_from(value).unwrap_or(u16::MAX));
            // Rows are counted from the top, points from the bottom.
            self.content.rect(number(column), side - 1.0 - number(row), number(length), 1.0);
        }
        self.content.fill_nonzero().restore_state();
    }
}
