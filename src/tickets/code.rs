//! What a ticket's code says: `HF1.<payload>.<signature>`, described for others in `docs/tickets.md`.

use uuid::Uuid;

use super::letters;
use crate::ids::{Ordinal, TicketId};

/// Says what this is and how it is written; another way of writing gets another number.
const KIND: &str = "HF1";
/// 5 of the key's id, 4 of the event's number, 3 of the ordinal, 2 of the issue, 16 of the ticket's id.
const PAYLOAD: usize = 30;
/// Of an Ed25519 signature.
const SIGNATURE: usize = 64;
/// So many letters at a code's end are enough for a person to type: some 50 bits of the signature. An index of tickets and
/// the pages know this number, too.
const TYPED: usize = 12;

/// The first bytes of the digest of a public key, and the first letters of every payload that it signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub(super) [u8; 5]);

impl KeyId {
    #[must_use]
    pub fn text(self) -> String {
        letters::encode(&self.0)
    }
}

/// What is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The event's short number.
    pub event: i32,
    pub ordinal: Ordinal,
    /// Counts the codes of one ticket from 1: whoever moves gets the next, and only the last one opens a door.
    pub issue: u16,
    pub ticket: TicketId,
}

/// A code that has the right shape. Whether it is ours, only its signature says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shaped<'a> {
    pub key: KeyId,
    pub claim: Claim,
    /// The text up to the signature, which is what is signed.
    pub signed: &'a str,
    pub signature: [u8; SIGNATURE],
}

/// The part of a code that is signed.
pub(super) fn unsigned(key: KeyId, claim: &Claim) -> String {
    let mut payload = [0; PAYLOAD];
    payload[..5].copy_from_slice(&key.0);
    payload[5..9].copy_from_slice(&claim.event.to_be_bytes());
    payload[9..12].copy_from_slice(&claim.ordinal.to_be_bytes()[1..]);
    payload[12..14].copy_from_slice(&claim.issue.to_be_bytes());
    payload[14..].copy_from_slice(claim.ticket.0.as_bytes());
    format!("{KIND}.{}", letters::encode(&payload))
}

/// The whole code.
pub(super) fn with_signature(unsigned: &str, signature: &[u8]) -> String {
    format!("{unsigned}.{}", letters::encode(signature))
}

/// Reads a tidy text; `None` when it is not of this shape.
pub(super) fn read(text: &str) -> Option<Shaped<'_>> {
    let (signed, signature) = text.rsplit_once('.')?;
    let (kind, payload) = signed.split_once('.')?;
    if kind != KIND {
        return None;
    }
    let payload: [u8; PAYLOAD] = letters::decode(payload)?;
    let part = |from: usize, to: usize| payload.get(from..to);
    let ordinal = part(9, 12)?;
    Some(Shaped {
        key: KeyId(part(0, 5)?.try_into().ok()?),
        claim: Claim {
            event: i32::from_be_bytes(part(5, 9)?.try_into().ok()?),
            ordinal: u32::from_be_bytes([0, ordinal[0], ordinal[1], ordinal[2]]),
            issue: u16::from_be_bytes(part(12, 14)?.try_into().ok()?),
            ticket: TicketId(Uuid::from_slice(part(14, 30)?).ok()?),
        },
        signed,
        signature: letters::decode(signature)?,
    })
}

/// The end of a code in groups, as it is printed to be typed.
#[must_use]
pub fn to_be_typed(code: &str) -> String {
    let end = &code[code.len().saturating_sub(TYPED)..];
    let groups: Vec<_> = end.as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_what_it_was_told() {
        let claim = Claim {
            event: 4711,
            ordinal: 70_000,
            issue: 258,
            ticket: TicketId(Uuid::from_u128(1 << 127 | 5)),
        };
        let key = KeyId([1, 2, 3, 4, 5]);
        let text = with_signature(&unsigned(key, &claim), &[7; 64]);
        assert_eq!(text.len(), 156);
        let read = read(&text).expect("its own text");
        assert_eq!((read.key, read.claim, read.signature), (key, claim, [7; 64]));
        assert!(text[4..].starts_with(&key.text()), "the key is told by the first letters");
    }

    #[test]
    fn what_has_another_shape_is_no_code() {
        let good = with_signature(
            &unsigned(
                KeyId([0; 5]),
                &Claim { event: 1, ordinal: 0, issue: 1, ticket: TicketId(Uuid::nil()) },
            ),
            &[0; 64],
        );
        assert!(read(&good).is_some());
        for bad in
            ["", "HF1", "HF1..", &good[1..], &good[..155], &good.replace("HF1", "HF2"), &format!("{good}0")]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_typed_is_the_end() {
        assert_eq!(to_be_typed("HF1.X.ABCDEFGHJKMN"), "ABCD EFGH JKMN");
        assert_eq!(to_be_typed("ABC"), "ABC");
    }
}
