//! What stands in a letter, before it is plain text or HTML: both are printed from one sheet, so both say the same.

use std::fmt::Write as _;

/// A letter's words.
#[derive(Debug, Clone, Default)]
pub struct Sheet {
    pub subject: String,
    pub greeting: String,
    /// What has happened, in a sentence or two.
    pub lead: Vec<String>,
    pub event: Option<EventLines>,
    pub places: Vec<PlaceLine>,
    /// What it comes to, with its name.
    pub sums: Vec<(&'static str, String)>,
    /// By when something must be done.
    pub deadline: Option<String>,
    pub link: Link,
    /// What is good to know besides.
    pub notes: Vec<String>,
    /// Who writes, and about what.
    pub foot: String,
}

#[derive(Debug, Clone)]
pub struct EventLines {
    pub title: String,
    pub venue: String,
    pub when: String,
}

#[derive(Debug, Clone)]
pub struct PlaceLine {
    pub name: String,
    pub price: Option<String>,
    /// What is shown at the door, with its name.
    pub code: Option<(&'static str, String)>,
}

#[derive(Debug, Clone, Default)]
pub struct Link {
    pub label: &'static str,
    pub url: String,
}

impl Sheet {
    /// For readers that show text alone, and for people who prefer them.
    #[must_use]
    pub fn plain(&self) -> String {
        let mut text = format!("{}\n", self.greeting);
        for line in &self.lead {
            let _ = write!(text, "\n{line}\n");
        }
        if let Some(event) = &self.event {
            text.push('\n');
            for line in [&event.title, &event.venue, &event.when] {
                if !line.is_empty() {
                    let _ = writeln!(text, "  {line}");
                }
            }
        }
        if !self.places.is_empty() {
            text.push('\n');
        }
        for place in &self.places {
            let price = place.price.as_ref().map(|price| format!(", {price}")).unwrap_or_default();
            let _ = writeln!(text, "  {}{price}", place.name);
            if let Some((name, code)) = &place.code {
                let _ = writeln!(text, "  {name}: {code}\n");
            }
        }
        if !self.sums.is_empty() && !text.ends_with("\n\n") {
            text.push('\n');
        }
        for (name, sum) in &self.sums {
            let _ = writeln!(text, "  {name}: {sum}");
        }
        if let Some(deadline) = &self.deadline {
            let _ = write!(text, "\n{deadline}\n");
        }
        let _ = write!(text, "\n{}:\n{}\n", self.link.label, self.link.url);
        for note in &self.notes {
            let _ = write!(text, "\n{note}\n");
        }
        // The sign by which readers know that the rest is no part of what is said.
        let _ = write!(text, "\n-- \n{}\n", self.foot);
        text
    }
}

/// Somebody's text as one line: what would break a line, or turn the reading direction of what follows, is a space.
#[must_use]
pub fn one_line(text: &str) -> String {
    let turns = |letter: char| matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}');
    let plain: String =
        text.chars().map(|letter| if letter.is_control() || turns(letter) { ' ' } else { letter }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A name as it may be said to whoever has the address. Anybody can register anybody's address under any name: one that
/// reads like a link would have us deliver it.
#[must_use]
pub fn addressed(name: &str) -> Option<String> {
    let name = one_line(name);
    let like_a_link = name.contains([':', '/', '\\', '@', '<', '>'])
        || name.to_lowercase().contains("www")
        || name.split_whitespace().any(|word| {
            let inside = word.trim_end_matches('.');
            inside
                .split_once('.')
                .is_some_and(|(_, rest)| rest.chars().filter(|c| c.is_alphabetic()).count() > 1)
        });
    (!name.is_empty() && !like_a_link).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebodys_text_stays_on_its_line() {
        assert_eq!(one_line("Ada\r\nBcc: eve@example.com"), "Ada Bcc: eve@example.com");
        assert_eq!(one_line("  a\u{0}b\u{2028}c\u{202e}d\u{85} "), "a b c d");
        assert_eq!(one_line("Zoë 🎭"), "Zoë 🎭");
    }

    #[test]
    fn a_name_is_said_and_an_advertisement_is_not() {
        for name in ["Ada", "J.R. Ewing", "Dr. Strange", "María José", "St. John's", "X Æ A-12"] {
            assert_eq!(addressed(name).as_deref(), Some(name));
        }
        for name in
            ["", " \n", "win at evil.example", "https://evil.example", "www evil", "<b>Ada</b>", "a@b.c"]
        {
            assert_eq!(addressed(name), None, "{name}");
        }
    }
}
