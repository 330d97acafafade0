//! Text for the fonts that every reader of PDF has: their letters (WinAnsi) and how wide they are.

/// What is at 0x80 to 0x9F: a gap is a code without a letter.
const UPPER: &str = "€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ";

/// Letters that the fonts do not have, with the nearest that they do.
const NEAREST: [(&str, char); 37] = [
    ("ĀĂĄ", 'A'),
    ("āăą", 'a'),
    ("ĆĈĊČ", 'C'),
    ("ćĉċč", 'c'),
    ("ĎĐ", 'D'),
    ("ďđ", 'd'),
    ("ĒĔĖĘĚ", 'E'),
    ("ēĕėęě", 'e'),
    ("ĜĞĠĢ", 'G'),
    ("ĝğġģ", 'g'),
    ("ĤĦ", 'H'),
    ("ĥħ", 'h'),
    ("ĨĪĬĮİ", 'I'),
    ("ĩīĭįı", 'i'),
    ("Ĵ", 'J'),
    ("ĵ", 'j'),
    ("Ķ", 'K'),
    ("ķ", 'k'),
    ("ĹĻĽĿŁ", 'L'),
    ("ĺļľŀł", 'l'),
    ("ŃŅŇ", 'N'),
    ("ńņň", 'n'),
    ("ŌŎŐ", 'O'),
    ("ōŏő", 'o'),
    ("ŔŖŘ", 'R'),
    ("ŕŗř", 'r'),
    ("ŚŜŞȘ", 'S'),
    ("śŝşș", 's'),
    ("ŢŤŦȚ", 'T'),
    ("ţťŧț", 't'),
    ("ŨŪŬŮŰŲ", 'U'),
    ("ũūŭůűų", 'u'),
    ("Ŵ", 'W'),
    ("ŵ", 'w'),
    ("Ŷ", 'Y'),
    ("ŷ", 'y'),
    ("ŹŻ", 'Z'),
];

/// Helvetica's widths from the space to the tilde, in thousandths of the size.
#[rustfmt::skip]
const WIDTHS: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

/// The bytes of a text. A letter that the fonts do not have becomes the nearest, else a question mark: never nothing.
pub fn bytes(text: &str) -> Vec<u8> {
    text.chars().filter(|letter| !letter.is_control()).map(byte).collect()
}

fn byte(letter: char) -> u8 {
    match letter {
        ' '..='~' => u8::try_from(letter).unwrap_or(b'?'),
        '\u{a0}'..='\u{ff}' => u8::try_from(u32::from(letter)).unwrap_or(b'?'),
        _ => above(letter).or_else(|| nearest(letter)).unwrap_or(b'?'),
    }
}

fn above(letter: char) -> Option<u8> {
    let at = UPPER.chars().position(|other| other == letter)?;
    u8::try_from(0x80 + at).ok()
}

fn nearest(letter: char) -> Option<u8> {
    if "źż".contains(letter) {
        return Some(b'z');
    }
    let (_, plain) = NEAREST.iter().find(|(letters, _)| letters.contains(letter))?;
    u8::try_from(*plain).ok()
}

/// How wide bytes are at a size of 1, or a little less than that: lines end early rather than late.
pub fn width(bytes: &[u8]) -> f32 {
    let thousandths: u32 = bytes.iter().map(|&byte| u32::from(width_of(byte))).sum();
    f32::from(u16::try_from(thousandths).unwrap_or(u16::MAX)) / 1000.0
}

fn width_of(byte: u8) -> u16 {
    match byte {
        b' '..=b'~' => WIDTHS[usize::from(byte - b' ')],
        0xc6 | 0x8c | 0x85 | 0x89 | 0x97 | 0x99 => 1000,
        0xe6 | 0x9c => 944,
        0xc0..=0xde => 778,
        _ => 611,
    }
}

/// Breaks a text into lines of at most so much width at a size of 1, between words where it can.
pub fn lines(text: &str, most: f32) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = vec![Vec::new()];
    for word in bytes(text).split(|&byte| byte == b' ').filter(|word| !word.is_empty()) {
        let line = lines.last_mut().expect("there is always one");
        let gap = usize::from(!line.is_empty());
        let longer = [&line[..], &b" "[..gap], word].concat();
        if width(&longer) <= most {
            *line = longer;
            continue;
        }
        if line.is_empty() {
            lines.pop();
        }
        // A word that is wider than the page is broken where it must.
        let mut rest = Vec::new();
        for &byte in word {
            if width(&[&rest[..], &[byte]].concat()) > most {
                lines.push(std::mem::take(&mut rest));
            }
            rest.push(byte);
        }
        lines.push(rest);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_western_europe_stay_and_others_are_shown_somehow() {
        assert_eq!(bytes("Zoë 5 €"), b"Zo\xeb 5 \x80");
        assert_eq!(bytes("„Łódź“ – Dvořák"), b"\x84L\xf3dz\x93 \x96 Dvor\xe1k");
        assert_eq!(bytes("東京\n7"), b"??7");
        assert_eq!(UPPER.chars().count(), 32);
    }

    #[test]
    fn a_line_is_never_wider_than_its_page() {
        let text = format!("A long title of {} and more words", "W".repeat(90));
        let lines = lines(&text, 20.0);
        assert!(lines.len() > 3);
        assert!(lines.iter().all(|line| width(line) <= 20.0 && !line.is_empty()));
        let whole: Vec<u8> = lines.concat().into_iter().filter(|byte| *byte != b' ').collect();
        assert_eq!(whole, bytes(&text.replace(' ', "")));
    }
}
