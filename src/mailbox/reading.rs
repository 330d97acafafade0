//! A letter's source as people read it: its headers in words, its two forms, its files.
//!
//! It reads what mailers write; what it does not understand it shows as it came, and never fails.

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose};

/// Parts within parts that are still looked into.
const DEEPEST: usize = 8;

/// Forgiving: what is broken is shown as far as it goes.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A file that came with a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub name: String,
    pub kind: String,
    /// By which the HTML form may show it.
    pub content_id: Option<String>,
    pub content: Vec<u8>,
}

/// A letter as it is read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Read {
    pub headers: Vec<(String, String)>,
    pub subject: String,
    pub text: Option<String>,
    pub html: Option<String>,
    pub files: Vec<File>,
}

impl Read {
    /// The first header of this name, in words.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

/// Reads a letter.
#[must_use]
pub fn read(source: &[u8]) -> Read {
    let (headers, body) = split(source);
    let mut letter = Read::default();
    part(&headers, body, DEEPEST, &mut letter);
    let in_words = |(name, value): (String, String)| {
        let value = words(&value);
        (name, value)
    };
    letter.headers = headers.into_iter().map(in_words).collect();
    letter.subject = letter.header("subject").unwrap_or_default().to_owned();
    letter
}

fn part(headers: &[(String, String)], body: &[u8], deep: usize, letter: &mut Read) {
    let kind = find(headers, "content-type").unwrap_or("text/plain");
    let (name, parameters) = kind.split_once(';').unwrap_or((kind, ""));
    let name = name.trim().to_ascii_lowercase();
    if let (true, Some(boundary)) =
        (name.starts_with("multipart/") && deep > 0, parameter(parameters, "boundary"))
    {
        for inner in parts(body, &boundary) {
            let (headers, body) = split(inner);
            part(&headers, body, deep - 1, letter);
        }
        return;
    }
    let content = decoded(find(headers, "content-transfer-encoding").unwrap_or_default(), body);
    let disposition = find(headers, "content-disposition").unwrap_or_default();
    let is_file = disposition.trim().to_ascii_lowercase().starts_with("attachment");
    let text = || Some(String::from_utf8_lossy(&content).replace("\r\n", "\n"));
    match name.as_str() {
        "text/plain" if !is_file && letter.text.is_none() => letter.text = text(),
        "text/html" if !is_file && letter.html.is_none() => letter.html = text(),
        _ => letter.files.push(File {
            name: parameter(disposition, "filename")
                .or_else(|| parameter(parameters, "name"))
                .unwrap_or_else(|| "file".to_owned()),
            kind: kind.trim().to_owned(),
            content_id: find(headers, "content-id").map(|id| id.trim_matches(['<', '>', ' ']).to_owned()),
            content,
        }),
    }
}

/// Headers, with those that were folded made whole, and what follows the first empty line.
fn split(source: &[u8]) -> (Vec<(String, String)>, &[u8]) {
    let mut headers: Vec<(String, String)> = Vec::new();
    let mut rest = source;
    while !rest.is_empty() {
        let end = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |at| at + 1);
        let (line, after) = rest.split_at(end);
        rest = after;
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end_matches(['\r', '\n']);
        if line.is_empty() {
            break;
        }
        match (line.starts_with([' ', '\t']), headers.last_mut(), line.split_once(':')) {
            (true, Some((_, value)), _) => {
                value.push(' ');
                value.push_str(line.trim_start());
            }
            (false, _, Some((name, value))) => headers.push((name.to_owned(), value.trim().to_owned())),
            _ => {}
        }
    }
    (headers, rest)
}

fn find<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// A parameter behind a header's value, with or without quotes.
fn parameter(text: &str, name: &str) -> Option<String> {
    text.split(';').find_map(|pair| {
        let (known, value) = pair.split_once('=')?;
        known.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// What stands between the lines of a boundary.
fn parts<'b>(body: &'b [u8], boundary: &str) -> Vec<&'b [u8]> {
    let mark = format!("--{boundary}");
    let (mut found, mut begin, mut at) = (Vec::new(), None, 0);
    for line in body.split_inclusive(|&byte| byte == b'\n') {
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end();
        if text == mark || text == format!("{mark}--") {
            if let Some(begin) = begin {
                let inner: &[u8] = &body[begin..at];
                // The line's end before a boundary belongs to the boundary.
                let inner = inner.strip_suffix(b"\n").unwrap_or(inner);
                found.push(inner.strip_suffix(b"\r").unwrap_or(inner));
            }
            begin = (text == mark).then_some(at + line.len());
        }
        at += line.len();
    }
    found
}

fn decoded(encoding: &str, body: &[u8]) -> Vec<u8> {
    match encoding.trim().to_ascii_lowercase().as_str() {
        "base64" => {
            let letters: Vec<u8> = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
            BASE64.decode(&letters).unwrap_or(letters)
        }
        "quoted-printable" => quoted_printable::decode(body, quoted_printable::ParseMode::Robust)
            .unwrap_or_else(|_| body.to_vec()),
        _ => body.to_vec(),
    }
}

/// A header's value with its encoded words decoded (RFC 2047).
fn words(value: &str) -> String {
    let (mut text, mut rest, mut was_word) = (String::new(), value, false);
    while let Some(at) = rest.find("=?") {
        let (before, candidate) = rest.split_at(at);
        let Some((word, after)) = word(candidate) else {
            text.push_str(&rest[..at + 2]);
            rest = &rest[at + 2..];
            was_word = false;
            continue;
        };
        // Space between two encoded words only separates them.
        if !(was_word && before.trim().is_empty()) {
            text.push_str(before);
        }
        text.push_str(&word);
        (rest, was_word) = (after, true);
    }
    text + rest
}

/// `=?utf-8?b?…?=` or `=?utf-8?q?…?=`, and what follows.
fn word(text: &str) -> Option<(String, &str)> {
    let (charset, rest) = text.strip_prefix("=?")?.split_once('?')?;
    let (encoding, rest) = rest.split_once('?')?;
    let (content, after) = rest.split_once("?=")?;
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    let bytes = match encoding {
        "b" | "B" => general_purpose::STANDARD.decode(content).ok()?,
        "q" | "Q" => {
            // Written out, because space at an end would be taken for none.
            let spaced = content.replace('_', "=20");
            quoted_printable::decode(spaced, quoted_printable::ParseMode::Robust).ok()?
        }
        _ => return None,
    };
    Some((String::from_utf8_lossy(&bytes).into_owned(), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_with_two_forms_and_a_file_is_read_whole() {
        let source = "From: =?utf-8?b?WsO2ZQ==?= <a@b.c>\r\nSubject: =?utf-8?q?one_?=\r\n =?utf-8?q?t=C3=BCo?= =? and\r\n three\r\n\
            Content-Type: multipart/mixed; boundary=\"out\"\r\n\r\npreamble\r\n--out\r\n\
            Content-Type: multipart/alternative; boundary=in\r\n\r\n--in\r\nContent-Type: text/plain; charset=utf-8\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\nf=C3=BCr =\r\ndich\r\n--in\r\nContent-Type: text/html\r\n\
            Content-Transfer-Encoding: base64\r\n\r\nPGI+\r\nZjwvYj4=\r\n--in--\r\n--out\r\n\
            Content-Type: text/calendar; charset=utf-8\r\nContent-Disposition: attachment; filename=\"event.ics\"\r\n\r\n\
            BEGIN\r\n--out--\r\n";
        let letter = read(source.as_bytes());
        assert_eq!(letter.header("FROM"), Some("Zöe <a@b.c>"));
        assert_eq!(letter.subject, "one tüo =? and three");
        assert_eq!(letter.text.as_deref(), Some("für dich"));
        assert_eq!(letter.html.as_deref(), Some("<b>f</b>"));
        assert_eq!(letter.files.len(), 1);
        assert_eq!(
            (letter.files[0].name.as_str(), letter.files[0].content.as_slice()),
            ("event.ics", &b"BEGIN"[..])
        );
    }

    #[test]
    fn what_is_no_letter_is_shown_as_it_came() {
        for source in
            ["", "hello", "\r\n\r\nhello", "Content-Type: multipart/mixed\r\n\r\nhello", "=?utf-8?b?%%?=: x"]
        {
            let _ = read(source.as_bytes());
        }
        assert_eq!(read(b"\r\nhello").text.as_deref(), Some("hello"));
        let broken = read(b"Content-Transfer-Encoding: base64\r\n\r\n%%%");
        assert_eq!(broken.text.as_deref(), Some("%%%"));
    }
}
