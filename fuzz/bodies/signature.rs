//! The signature of a webhook: only whoever has the secret can make one, for these bytes and this moment.

use holdfast::payments::signature::{SignatureError, TOLERANCE, sign, verify};
use secrecy::SecretString;

use super::edits;

const NOW: i64 = 1_900_000_000;

pub fn body(input: &[u8]) {
    let secrets = [SecretString::from("whsec_the_new_one"), SecretString::from("whsec_the_old_one")];
    let (header, body) = edits::first_line(input);
    let header = String::from_utf8_lossy(header);
    if verify(&header, body, &secrets, NOW, TOLERANCE).is_ok() {
        let time = header.split(',').find_map(|part| part.trim().strip_prefix("t=")).expect("a time");
        let at: i64 = time.parse().expect("a believed time is a number");
        assert!(NOW - at <= TOLERANCE, "a stale word was believed");
        let header = header.to_ascii_lowercase();
        let is_ours =
            |secret| sign(body, secret, at).split_once("v1=").is_some_and(|(_, mac)| header.contains(mac));
        assert!(secrets.iter().any(is_ours), "nobody has signed this: {header}");
    }

    let good = sign(body, &secrets[1], NOW);
    assert_eq!(verify(&good, body, &secrets, NOW, TOLERANCE), Ok(()));
    assert_eq!(verify(&good, body, &secrets, NOW + TOLERANCE + 1, TOLERANCE), Err(SignatureError::Stale));
    assert_eq!(verify(&good, body, &secrets[..1], NOW, TOLERANCE), Err(SignatureError::Mismatch));
    let both = format!("{good},{}", header.replace(['t', 'v'], "x"));
    assert_eq!(
        verify(&both, body, &secrets, NOW, TOLERANCE),
        Ok(()),
        "what else stands there changes nothing"
    );
    if let Some(changed) = edits::edited(&good, input) {
        // Capitals write the same bytes, spaces around a part are none of it, and so is what we do not know.
        let parts = |text: &str| {
            let parts = text.split(',').map(str::trim).map(str::to_ascii_lowercase);
            let mut parts: Vec<_> =
                parts.filter(|part| part.starts_with("t=") || part.starts_with("v1=")).collect();
            parts.sort();
            parts
        };
        if parts(&changed) != parts(&good) {
            let answer = verify(&changed, body, &secrets, NOW, TOLERANCE);
            assert!(answer.is_err(), "changed on its way: {good} -> {changed}");
        }
    }
    if !body.is_empty() {
        let mut other = body.to_vec();
        let at = input.len() % other.len();
        other[at] ^= 1 << (input[0] & 7);
        assert_eq!(verify(&good, &other, &secrets, NOW, TOLERANCE), Err(SignatureError::Mismatch));
    }
}
