//! Reads a QR code from its squares, as a scanner does once it has found them: no trick shared with what draws them.
//!
//! Only what tickets need: whole squares, letters of the small alphabet, error level M. What would be corrected is taken
//! as it is, since a drawing has no dirt on it.

use std::fmt::Write as _;

const ALPHABET: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

/// Of level M: codewords of correction a block, blocks of the shorter kind, their data, blocks with one more.
fn blocks(version: usize) -> (usize, usize, usize) {
    match version {
        1 => (1, 16, 0),
        2 => (1, 28, 0),
        3 => (1, 44, 0),
        4 => (2, 32, 0),
        5 => (2, 43, 0),
        6 => (4, 27, 0),
        7 => (4, 31, 0),
        8 => (2, 38, 2),
        9 => (3, 36, 2),
        10 => (4, 43, 1),
        _ => panic!("version {version} is too large for a ticket"),
    }
}

fn aligned_at(version: usize) -> Vec<usize> {
    match version {
        1 => vec![],
        2..=6 => vec![6, 4 * version + 10],
        _ => vec![6, 2 * version + 8, 4 * version + 10],
    }
}

/// Squares that carry no data.
fn is_functional(version: usize, row: usize, column: usize) -> bool {
    let side = 17 + 4 * version;
    let far = side - 9;
    let in_corner = |row: usize, column: usize| row < 9 && column < 9;
    let finder = in_corner(row, column) || (row < 9 && column > far) || (row > far && column < 9);
    let timing = row == 6 || column == 6;
    let near = |at: usize, middle: usize| at.abs_diff(middle) <= 2;
    let places = aligned_at(version);
    let alignment = places.iter().any(|&r| {
        places.iter().any(|&c| {
            let by_finder = (r == 6 && (c == 6 || c == side - 7)) || (r == side - 7 && c == 6);
            !by_finder && near(row, r) && near(column, c)
        })
    });
    let told = version >= 7
        && ((row < 6 && (side - 11..side - 8).contains(&column))
            || (column < 6 && (side - 11..side - 8).contains(&row)));
    finder || timing || alignment || told
}

fn mask(number: u8, row: usize, column: usize) -> bool {
    let (r, c) = (row, column);
    match number {
        0 => (r + c) % 2 == 0,
        1 => r % 2 == 0,
        2 => c % 3 == 0,
        3 => (r + c) % 3 == 0,
        4 => (r / 2 + c / 3) % 2 == 0,
        5 => r * c % 2 + r * c % 3 == 0,
        6 => (r * c % 2 + r * c % 3) % 2 == 0,
        _ => ((r + c) % 2 + r * c % 3) % 2 == 0,
    }
}

/// The text of a code whose squares are given row by row, without the white around them.
pub fn read(squares: &[Vec<bool>]) -> String {
    let side = squares.len();
    assert!(squares.iter().all(|row| row.len() == side), "it is square");
    let version = (side - 17) / 4;
    assert_eq!(17 + 4 * version, side, "a side of {side}");
    for (row, column) in [(0, 0), (0, side - 7), (side - 7, 0)] {
        assert!(squares[row][column] && !squares[row + 1][column + 1] && squares[row + 2][column + 2]);
    }
    // Five bits of level and mask, then their correction, all turned over by a fixed pattern.
    let told = (0..6).map(|column| squares[8][column]).take(5);
    let told = told.fold(0_u8, |bits, dark| bits << 1 | u8::from(dark)) ^ 0b10101;
    assert_eq!(told >> 3, 0, "level M");
    let number = told & 7;

    let mut bits = Vec::new();
    let mut up = true;
    for right in (1..side).rev().step_by(2).map(|at| if at <= 6 { at - 1 } else { at }) {
        for step in 0..side {
            let row = if up { side - 1 - step } else { step };
            for column in [right, right - 1] {
                if !is_functional(version, row, column) {
                    bits.push(squares[row][column] ^ mask(number, row, column));
                }
            }
        }
        up = !up;
    }
    let codewords: Vec<u8> = bits
        .chunks_exact(8)
        .map(|byte| byte.iter().fold(0, |value, &bit| value << 1 | u8::from(bit)))
        .collect();
    text(&in_order(&codewords, blocks(version)))
}

/// The blocks are dealt out like cards.
fn in_order(codewords: &[u8], (short, length, long): (usize, usize, usize)) -> Vec<u8> {
    let mut dealt = vec![Vec::new(); short + long];
    let mut cards = codewords.iter();
    for at in 0..=length {
        for (number, block) in dealt.iter_mut().enumerate() {
            if at < length || number >= short {
                block.extend(cards.next());
            }
        }
    }
    dealt.concat()
}

struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> usize {
        let bits = self.at..self.at + count;
        self.at += count;
        bits.fold(0, |value, at| value << 1 | usize::from(self.data[at / 8] >> (7 - at % 8) & 1))
    }
}

fn text(data: &[u8]) -> String {
    let mut bits = Bits { data, at: 0 };
    let wide = data.len() > 200; // from version 10 on, counts have more bits
    let mut text = String::new();
    while bits.at + 4 <= data.len() * 8 {
        match bits.take(4) {
            0 => break,
            1 => {
                let mut left = bits.take(if wide { 12 } else { 10 });
                while left > 0 {
                    let digits = left.min(3);
                    let value = bits.take([4, 7, 10][digits - 1]);
                    let _ = write!(text, "{value:0digits$}");
                    left -= digits;
                }
            }
            2 => {
                let mut left = bits.take(if wide { 11 } else { 9 });
                while left > 1 {
                    let pair = bits.take(11);
                    text.push(char::from(ALPHABET[pair / 45]));
                    text.push(char::from(ALPHABET[pair % 45]));
                    left -= 2;
                }
                if left == 1 {
                    text.push(char::from(ALPHABET[bits.take(6)]));
                }
            }
            4 => {
                for _ in 0..bits.take(if wide { 16 } else { 8 }) {
                    text.push(char::from(u8::try_from(bits.take(8)).expect("a byte")));
                }
            }
            other => panic!("a segment of kind {other}"),
        }
    }
    text
}
