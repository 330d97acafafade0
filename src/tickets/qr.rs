//! A code as squares: drawn as SVG, as PNG, or into a printed page.

use std::io::Write as _;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use qrcode::render::svg;
use qrcode::types::QrError;
use qrcode::{Color, QrCode};

/// Squares of white on every side, without which readers see no code.
const QUIET: usize = 4;
/// Dots of a PNG for each square: sharp on paper and on screens.
const DOTS: usize = 8;

/// A code as squares.
pub struct Qr(QrCode);

impl Qr {
    /// # Errors
    /// When the text is longer than any QR code.
    pub fn of(code: &str) -> Result<Self, QrError> {
        QrCode::new(code.as_bytes()).map(Self)
    }

    /// Squares on a side, without the white around them.
    #[must_use]
    pub fn side(&self) -> usize {
        self.0.width()
    }

    /// Dark squares that touch, row by row from the top: row, first column, how many.
    pub fn runs(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let (side, squares) = (self.side(), self.0.to_colors());
        (0..side).flat_map(move |row| {
            let line = &squares[row * side..][..side];
            let mut runs = Vec::new();
            let mut at = 0;
            for some in line.chunk_by(|left, right| left == right) {
                if some[0] == Color::Dark {
                    runs.push((row, at, some.len()));
                }
                at += some.len();
            }
            runs
        })
    }

    #[must_use]
    pub fn svg(&self) -> String {
        self.0.render::<svg::Color<'_>>().build()
    }

    /// One bit a dot, black on white (PNG, ISO/IEC 15948).
    #[must_use]
    pub fn png(&self) -> Vec<u8> {
        let dots = (self.side() + 2 * QUIET) * DOTS;
        let mut lines = vec![vec![0xff_u8; dots.div_ceil(8)]; dots];
        for (row, column, length) in self.runs() {
            for line in &mut lines[(row + QUIET) * DOTS..][..DOTS] {
                for dot in (column + QUIET) * DOTS..(column + QUIET + length) * DOTS {
                    line[dot / 8] &= !(0x80 >> (dot % 8));
                }
            }
        }
        let mut pixels = ZlibEncoder::new(Vec::new(), Compression::default());
        for line in &lines {
            // Each line says first how it is filtered: not at all.
            pixels
                .write_all(&[0])
                .and_then(|()| pixels.write_all(line))
                .expect("memory takes what is written");
        }
        let pixels = pixels.finish().expect("memory takes what is written");

        let side = u32::try_from(dots).unwrap_or(u32::MAX).to_be_bytes();
        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        // Width, height, one bit, grey, and the only ways there are to pack, filter and order.
        chunk(&mut png, *b"IHDR", &[&side[..], &side, &[1, 0, 0, 0, 0]].concat());
        chunk(&mut png, *b"IDAT", &pixels);
        chunk(&mut png, *b"IEND", &[]);
        png
    }
}

fn chunk(png: &mut Vec<u8>, kind: [u8; 4], content: &[u8]) {
    let mut sum = Crc::new();
    sum.update(&kind);
    sum.update(content);
    png.extend(u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes());
    png.extend(kind);
    png.extend(content);
    png.extend(sum.sum().to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_code_is_small_because_its_letters_are() {
        let code = format!("HF1.{}.{}", "Z".repeat(48), "Z".repeat(103));
        assert_eq!(Qr::of(&code).expect("a code").side(), 45);
        assert!(Qr::of(&code.to_lowercase()).expect("a code").side() > 50, "small letters take more");
    }

    #[test]
    fn runs_are_the_dark_squares() {
        let qr = Qr::of("HF1").expect("a code");
        let dark = qr.0.to_colors().iter().filter(|square| **square == Color::Dark).count();
        assert_eq!(qr.runs().map(|(.., length)| length).sum::<usize>(), dark);
        assert_eq!(qr.runs().next(), Some((0, 0, 7)), "the corner that every code has");
    }
}
