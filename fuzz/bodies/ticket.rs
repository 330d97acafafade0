//! Codes of tickets: one text for one claim, and only the key's owner can write it.

use std::sync::LazyLock;

use holdfast::ids::TicketId;
use holdfast::tickets::{Claim, TicketKeys, tidy};
use secrecy::SecretString;
use uuid::Uuid;

use super::edits;

static KEYS: LazyLock<TicketKeys> = LazyLock::new(|| {
    TicketKeys::new(None, &SecretString::from("a secret that all nodes share"), &[]).expect("a key")
});

pub fn body(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let written = tidy(&text);
    assert_eq!(tidy(&written), written, "tidying once is enough");
    if let Some(claim) = KEYS.read(&written) {
        assert_eq!(KEYS.sign(&claim), written, "one text for one claim");
    }
    let Some((bytes, edits)) = input.split_first_chunk::<25>() else { return };
    let number = |from: usize| u32::from_be_bytes([0, bytes[from], bytes[from + 1], bytes[from + 2]]);
    let claim = Claim {
        event: i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
        ordinal: number(4),
        issue: u16::from_be_bytes([bytes[7], bytes[8]]),
        ticket: TicketId(Uuid::from_slice(&bytes[9..25]).expect("sixteen bytes")),
    };
    let code = KEYS.sign(&claim);
    assert_eq!(KEYS.read(&code), Some(claim));
    let typed = code.to_ascii_lowercase().replace('0', "o").replace('1', "l -\t");
    assert_eq!(tidy(&typed), code, "as somebody may type it");
    if let Some(changed) = edits::edited(&code, edits) {
        assert_eq!(KEYS.read(&changed), None, "changed on its way");
    }
}
