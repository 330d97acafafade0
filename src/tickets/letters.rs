//! Bytes as letters that nobody mistakes for each other: Crockford's base 32.
//!
//! Capitals and digits only, which a QR code stores in 5½ bits each instead of 8, and which can be read out.

/// No I, L, O or U.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// How many letters so many bytes take.
pub const fn length(bytes: usize) -> usize {
    (bytes * 8).div_ceil(5)
}

/// The highest bit first; what is missing in the last letter is zero.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(length(bytes.len()));
    let (mut buffer, mut bits) = (0_u32, 0);
    for &byte in bytes {
        buffer = buffer << 8 | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(letter(buffer >> bits));
        }
        buffer &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(letter(buffer << (5 - bits)));
    }
    text
}

fn letter(value: u32) -> char {
    char::from(LETTERS[(value & 31) as usize])
}

/// `None` for a letter that is not one of ours, a wrong length, or bits where none belong: one text for one value.
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != length(N) {
        return None;
    }
    let mut bytes = [0; N];
    let (mut buffer, mut bits, mut at) = (0_u32, 0, 0);
    for symbol in text.bytes() {
        let value = LETTERS.iter().position(|&letter| letter == symbol)?;
        buffer = buffer << 5 | u32::try_from(value).ok()?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes[at] = u8::try_from(buffer >> bits & 0xff).ok()?;
            at += 1;
            buffer &= (1 << bits) - 1;
        }
    }
    (buffer == 0).then_some(bytes)
}

/// What somebody typed or a scanner sent, as we write it: small letters, spaces, hyphens and look-alikes are forgiven.
pub fn tidy(text: &str) -> String {
    text.chars()
        .filter(|symbol| !symbol.is_whitespace() && *symbol != '-')
        .map(|symbol| match symbol.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_known() {
        assert_eq!(encode(b""), "");
        assert_eq!(encode(&[0xff]), "ZW");
        assert_eq!(encode(&[0, 1, 2, 3, 4]), "000G40R4");
        assert_eq!(decode::<5>("000G40R4"), Some([0, 1, 2, 3, 4]));
        assert_eq!(tidy(" hf1.io-l 0\n"), "HF1.1010");
    }

    #[test]
    fn one_value_has_one_text() {
        assert_eq!(decode::<1>("ZW"), Some([0xff]));
        for other in ["ZX", "zw", "Z", "ZW0", "ZU", "Z-"] {
            assert_eq!(decode::<1>(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(bytes: [u8; 30]) {
            prop_assert_eq!(decode::<30>(&encode(&bytes)), Some(bytes));
        }
    }
}
