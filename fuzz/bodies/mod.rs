//! What holds for whatever somebody else may write: one body each, given bytes that nobody has looked at.
//!
//! A body fails by panicking. The fuzzer calls them with what it invents (`script/fuzz`), and the tests with every seed and
//! every input that has ever made one fail (`tests/what_others_write_is_read_without_trust.rs`).

mod address;
mod admission;
mod chart;
mod claims;
mod cursor;
mod edits;
mod feed;
mod key;
mod letter;
mod mail;
mod notice;
mod planes;
mod reply;
mod seat;
mod signature;
mod ticket;
mod token;

/// Fails when what it promises does not hold for these bytes.
pub type Body = fn(&[u8]);

/// Every target by its name, which is also the name of its seeds' folder.
#[allow(dead_code, reason = "each fuzzer calls one of them")]
pub const TARGETS: [(&str, Body); 15] = [
    ("access_token", token::body),
    ("admission", admission::body),
    ("chart", chart::body),
    ("cursor", cursor::body),
    ("feed", feed::body),
    ("hook_address", address::body),
    ("idempotency_key", key::body),
    ("letter", letter::body),
    ("mail", mail::body),
    ("notice", notice::body),
    ("planes", planes::body),
    ("reply", reply::body),
    ("seat_id", seat::body),
    ("signature", signature::body),
    ("ticket_code", ticket::body),
];

/// The body of a target.
///
/// # Panics
/// When there is none, and when what the body promises does not hold.
#[allow(dead_code, reason = "the tests walk the list")]
pub fn run(name: &str, input: &[u8]) {
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("there is no target {name}")).1(input);
}
