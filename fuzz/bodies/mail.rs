//! Letters of ours: whoever may register can be written to, and nobody's words become a header.

use std::collections::BTreeSet;

use holdfast::accounts::untrusted::is_address;
use holdfast::mail::untrusted::source;
use holdfast::mailbox::read;

const HEADERS: [&str; 8] =
    ["Auto-Submitted", "Content-Type", "Date", "From", "MIME-Version", "Message-ID", "Subject", "To"];

/// A name, an address, a subject and a sentence, with U+001F between them: so each may have any other character.
pub fn body(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut parts = text.splitn(4, '\u{1f}');
    let mut part = || parts.next().unwrap_or_default();
    let (name, address, subject, lead) = (part(), part(), part(), part());
    let address = if is_address(address) { address } else { "ada@example.com" };
    let source = source(name, address, subject, lead);
    let letter = read(
        &source.unwrap_or_else(|why| panic!("{address:?} may register and cannot be written to: {why}")),
    );

    let known: BTreeSet<_> = HEADERS.map(str::to_ascii_lowercase).into();
    let mut found = BTreeSet::new();
    for (name, _) in &letter.headers {
        assert!(found.insert(name.to_ascii_lowercase()), "{name} is there twice");
    }
    assert_eq!(found, known, "headers that nobody of ours has written");
    let to = letter.header("to").expect("somebody it is for");
    assert!(to.chars().filter(|letter| *letter == '<').count() <= 1, "to more than one: {to}");
    let said = lead.split(['\r', '\n']).next().unwrap_or_default();
    assert!(letter.text.expect("words").contains(said), "{said:?} got lost");
}
