//! Access tokens: only what we have signed, as an access token, speaks for anybody.

use std::sync::LazyLock;

use holdfast::accounts::untrusted::Tokens;
use holdfast::accounts::{Caller, Role};
use holdfast::ids::AccountId;
use secrecy::{ExposeSecret as _, SecretString};

use super::{claims, edits};

static TOKENS: LazyLock<Tokens> =
    LazyLock::new(|| Tokens::new(SecretString::from(claims::SECRET), 24 * 3600));

pub fn body(input: &[u8]) {
    if let Ok(text) = str::from_utf8(input) {
        assert_eq!(TOKENS.verify(text), None, "nobody has signed this");
    }
    let (header, rest) = edits::first_line(input);
    if let Some(caller) = TOKENS.verify(&claims::signed(header, rest)) {
        let claims = claims::says_what_ours_do(header, rest, "at+jwt");
        assert_eq!(claims["aud"], "holdfast");
        let whose: AccountId = claims["sub"].as_str().expect("a subject").parse().expect("an id");
        assert_eq!(caller.id, whose);
        let role = serde_json::to_value(caller.role).expect("a role");
        assert_eq!(claims["role"], role, "no role but the one that is written there");
    }
    let caller = Caller { id: AccountId::new(), role: Role::Customer };
    let token = TOKENS.sign(caller).expect("signed");
    assert_eq!(TOKENS.verify(token.expose_secret()), Some(caller));
    if let Some(changed) = edits::edited(token.expose_secret(), input) {
        assert_eq!(TOKENS.verify(&changed), None, "changed on its way");
    }
}
