//! An event for somebody's calendar (RFC 5545).

use std::fmt::Write as _;

use time::OffsetDateTime;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;

const UTC: StaticFormatDescription = format_description!("[year][month][day]T[hour][minute][second]Z");
/// The most bytes of a line, its end not counted.
const LINE: usize = 75;

/// What goes into a calendar.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Names it for ever: the same again replaces what is there.
    pub uid: String,
    pub title: String,
    pub place: String,
    pub text: String,
    pub url: String,
    pub starts_at: OffsetDateTime,
    /// `None` where nobody knows.
    pub ends_at: Option<OffsetDateTime>,
    /// Called off: a calendar that has it strikes it out.
    pub cancelled: bool,
    /// Grows with every version: a calendar keeps the highest.
    pub sequence: i64,
    pub made_at: OffsetDateTime,
}

/// The whole file.
#[must_use]
pub fn file(entry: &Entry) -> String {
    let moment = |at: OffsetDateTime| at.to_utc().format(UTC).unwrap_or_default();
    let mut file = String::new();
    let mut line = |name: &str, value: &str| fold(&mut file, &format!("{name}:{value}"));
    line("BEGIN", "VCALENDAR");
    line("VERSION", "2.0");
    line("PRODID", "-//Holdfast//Tickets//EN");
    line("CALSCALE", "GREGORIAN");
    line("METHOD", "PUBLISH");
    line("BEGIN", "VEVENT");
    line("UID", &escaped(&entry.uid));
    line("DTSTAMP", &moment(entry.made_at));
    line("SEQUENCE", &entry.sequence.max(0).to_string());
    line("STATUS", if entry.cancelled { "CANCELLED" } else { "CONFIRMED" });
    line("DTSTART", &moment(entry.starts_at));
    if let Some(end) = entry.ends_at {
        line("DTEND", &moment(end));
    }
    line("SUMMARY", &escaped(&entry.title));
    if !entry.place.is_empty() {
        line("LOCATION", &escaped(&entry.place));
    }
    line("DESCRIPTION", &escaped(&entry.text));
    line("URL", &entry.url);
    line("END", "VEVENT");
    line("END", "VCALENDAR");
    file
}

/// A text as a value: what would end it or begin another is written otherwise.
fn escaped(text: &str) -> String {
    text.replace("\r\n", "\n").chars().fold(String::new(), |mut value, letter| {
        match letter {
            '\\' | ';' | ',' => {
                let _ = write!(value, "\\{letter}");
            }
            '\n' => value.push_str("\\n"),
            other if other.is_control() => {}
            other => value.push(other),
        }
        value
    })
}

/// Writes one line, broken into pieces of 75 bytes at most, never inside a letter.
fn fold(file: &mut String, line: &str) {
    let mut room = LINE;
    for letter in line.chars() {
        if letter.len_utf8() > room {
            file.push_str("\r\n ");
            room = LINE - 1;
        }
        file.push(letter);
        room -= letter.len_utf8();
    }
    file.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn entry() -> Entry {
        Entry {
            uid: "order@tickets.example".to_owned(),
            title: "Ödipus; or, the King\\\nand more".to_owned(),
            place: "Harbour Theatre".to_owned(),
            text: "ä".repeat(100),
            url: "https://tickets.example/orders/1".to_owned(),
            starts_at: datetime!(2031-05-01 21:00 +02:00),
            ends_at: None,
            cancelled: false,
            sequence: 3,
            made_at: datetime!(2031-01-01 0:00 UTC),
        }
    }

    #[test]
    fn lines_are_short_end_as_they_must_and_say_what_they_said_when_put_together() {
        let file = file(&entry());
        assert!(file.ends_with("END:VCALENDAR\r\n"));
        assert!(file.split("\r\n").all(|line| line.len() <= 75 && !line.contains(['\r', '\n'])));
        let whole = file.replace("\r\n ", "");
        assert!(whole.contains(&format!("\r\nDESCRIPTION:{}\r\n", "ä".repeat(100))));
        assert!(whole.contains("\r\nSUMMARY:Ödipus\\; or\\, the King\\\\\\nand more\r\n"));
    }

    #[test]
    fn moments_are_in_utc_and_an_unknown_end_is_not_made_up() {
        let text = file(&entry());
        assert!(text.contains("DTSTART:20310501T190000Z\r\n"));
        assert!(!text.contains("DTEND"));
        let ended = Entry { ends_at: Some(datetime!(2031-05-01 22:30 UTC)), cancelled: true, ..entry() };
        let text = file(&ended);
        assert!(text.contains("DTEND:20310501T223000Z\r\n") && text.contains("STATUS:CANCELLED\r\n"));
    }
}
