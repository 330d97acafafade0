//! A confirmed order as an entry for the customer's calendar, in the format that they all read (RFC 5545).

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::mail::envelope::Attachment;
use crate::mail::news::{Booking, Shop};
use crate::mail::sheet::one_line;

const STAMP: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]T[hour][minute][second]Z");

/// A line may have this many bytes; longer ones go on in the next, behind a space.
const LONGEST_LINE: usize = 75;

/// What is attached to the letter with the tickets.
pub fn ticket_files(booking: &Booking, shop: &Shop, now: OffsetDateTime) -> Vec<Attachment> {
    vec![Attachment {
        name: "event.ics".to_owned(),
        kind: "text/calendar; charset=utf-8; method=PUBLISH",
        content: entry(booking, shop, now).into_bytes(),
    }]
}

fn entry(booking: &Booking, shop: &Shop, now: OffsetDateTime) -> String {
    let places: Vec<_> = booking.places.iter().map(|place| place.name.as_str()).collect();
    let url = shop.order(booking.order);
    let mut text = String::new();
    let mut say = |line: &str| fold(&mut text, line);
    say("BEGIN:VCALENDAR");
    say("VERSION:2.0");
    say("PRODID:-//Holdfast//Tickets//EN");
    say("METHOD:PUBLISH");
    say("BEGIN:VEVENT");
    say(&format!("UID:{}@holdfast", booking.order));
    say(&format!("DTSTAMP:{}", stamp(now)));
    say(&format!("DTSTART:{}", stamp(booking.starts_at)));
    if let Some(ends_at) = booking.ends_at {
        say(&format!("DTEND:{}", stamp(ends_at)));
    }
    say(&format!("SUMMARY:{}", value(&booking.title)));
    if !booking.venue.is_empty() {
        say(&format!("LOCATION:{}", value(&booking.venue)));
    }
    say(&format!("DESCRIPTION:{}", value(&places.join("; "))));
    say(&format!("URL:{url}"));
    say("END:VEVENT");
    say("END:VCALENDAR");
    text
}

fn stamp(at: OffsetDateTime) -> String {
    at.to_offset(time::UtcOffset::UTC).format(STAMP).unwrap_or_default()
}

/// Somebody's text as a value: it can end neither its line nor the entry.
fn value(text: &str) -> String {
    one_line(text).replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,")
}

fn fold(text: &mut String, line: &str) {
    let mut length = 0;
    for letter in line.chars() {
        if length + letter.len_utf8() > LONGEST_LINE {
            text.push_str("\r\n ");
            length = 1;
        }
        text.push(letter);
        length += letter.len_utf8();
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::OrderId;
    use crate::mail::news::{Place, Returned};

    #[test]
    fn a_title_can_neither_end_its_line_nor_run_over_it() {
        let at = OffsetDateTime::from_unix_timestamp(1_935_428_400).expect("a moment");
        let booking = Booking {
            order: OrderId::new(),
            title: format!("A, b; c\\d\r\nDTSTART:19700101T000000Z {}", "ü".repeat(100)),
            venue: String::new(),
            starts_at: at,
            ends_at: None,
            places: vec![Place { name: "Stalls, row A, seat 1".to_owned(), price: 1, code: None }],
            amount: 1,
            currency: "eur".to_owned(),
            pay_by: at,
            returned: Returned::default(),
            paid_too_late: false,
        };
        let files = ticket_files(&booking, &Shop { url: "https://tickets.example".to_owned() }, at);
        let text = String::from_utf8(files[0].content.clone()).expect("text");
        assert!(text.lines().all(|line| line.len() <= LONGEST_LINE), "{text}");
        let whole = text.replace("\r\n ", "");
        assert_eq!(whole.matches("\r\nDTSTART:").count(), 1);
        assert!(whole.contains("\r\nDTSTART:20310501T190000Z\r\n"), "{whole}");
        assert!(whole.contains("SUMMARY:A\\, b\\; c\\\\d DTSTART:19700101T000000Z üü"), "{whole}");
        assert!(whole.contains("DESCRIPTION:Stalls\\, row A\\, seat 1\r\n"), "{whole}");
        assert!(!whole.contains("DTEND") && !whole.contains("LOCATION"));
    }
}
