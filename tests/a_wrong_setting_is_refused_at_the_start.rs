//! A service that takes strangers' money does not begin with a setting that makes no sense: it says which, and why.

use clap::Parser;
use holdfast::config::Config;

#[derive(Debug, Parser)]
struct Settings {
    #[command(flatten)]
    config: Config,
}

/// Settings that production begins with.
const GOOD: [(&str, &str); 9] = [
    ("database-url", "postgres://holdfast@localhost/holdfast"),
    ("redis-url", "redis://localhost"),
    ("jwt-secret", "Kq3nT9vXw2LrZ8mB5cYd7fGhJ1pS4aEu"),
    ("stripe-secret-key", "sk_test_a_key"),
    ("stripe-publishable-key", "pk_test_a_key"),
    ("stripe-webhook-secret", "whsec_long_enough_for_it"),
    ("public-url", "https://tickets.example"),
    ("smtp-url", "smtps://mailer:secret@mail.example"),
    ("mail-from", "Tickets <no-reply@tickets.example>"),
];

/// What is said of these settings, with some of them changed; nothing when they are all right.
fn said_of(changes: &[(&str, Option<&str>)]) -> String {
    let mut settings: Vec<(&str, Option<&str>)> =
        GOOD.iter().map(|(name, value)| (*name, Some(*value))).collect();
    for change in changes {
        settings.retain(|(name, _)| *name != change.0);
        settings.push(*change);
    }
    let given = settings.iter().filter_map(|(name, value)| Some(format!("--{name}={}", (*value)?)));
    let parsed = Settings::try_parse_from(["holdfast".to_owned()].into_iter().chain(given));
    match parsed {
        Ok(settings) => settings
            .config
            .check_for_production()
            .err()
            .map(|refused| refused.to_string())
            .unwrap_or_default(),
        Err(refused) => refused.to_string(),
    }
}

#[test]
fn good_settings_are_taken_and_so_are_those_for_real_money() {
    assert_eq!(said_of(&[]), "");
    let live =
        [("stripe-secret-key", Some("sk_live_a_key")), ("stripe-publishable-key", Some("pk_live_a_key"))];
    assert_eq!(said_of(&live), "");
    assert_eq!(said_of(&[("stripe-publishable-key", None), ("smtp-url", None), ("mail-from", None)]), "");
    assert_eq!(
        said_of(&[("stripe-api-url", Some("http://127.0.0.1:8081"))]),
        "",
        "a double, with its own key"
    );
}

#[test]
fn each_wrong_setting_is_named_with_the_reason_and_never_with_its_secret() {
    let mut wrong: Vec<(&str, Option<&str>, &str)> = vec![
        ("database-url", None, "is not set"),
        ("redis-url", None, "is not set"),
        ("jwt-secret", None, "is not set"),
        ("jwt-secret", Some("short"), "is weak"),
        ("jwt-secret", Some("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), "is weak"),
        ("jwt-secret", Some("secretsecretsecretsecretsecretsecret"), "is weak"),
        ("ticket-key", Some("too-short-for-a-key"), "32"),
        ("ticket-keys-old", Some("no-key-of-before"), "TICKET_KEYS_OLD"),
        ("stripe-secret-key", None, "is not set"),
        ("stripe-secret-key", Some("pk_test_the_wrong_one"), "does not look like"),
        ("stripe-webhook-secret", None, "is not set"),
        ("stripe-webhook-secret", Some("whsec_short"), "is weak"),
        ("stripe-webhook-secret", Some("whsec_long_enough_for_it,short"), "is weak"),
        ("stripe-publishable-key", Some("pk_live_of_another_mode"), "another mode"),
        ("public-url", Some("tickets.example"), "http(s)"),
        ("smtp-url", Some("mail.example"), "SMTP_URL"),
        ("mail-from", None, "MAIL_FROM"),
        ("mail-from", Some("no sender"), "MAIL_FROM"),
        ("access-token-seconds", Some("86401"), "at most 86400"),
        ("hold-seconds", Some("-1"), "hold-seconds"),
        ("hold-seconds", Some("ten"), "hold-seconds"),
        ("hold-seconds", Some("99999999999"), "hold-seconds"),
        ("listen-addr", Some("nowhere"), "listen-addr"),
        ("rate-limits", Some("hold=plenty"), "rate-limits"),
        ("cors-origins", Some("shop.example"), "cors-origins"),
        ("trusted-proxies", Some("10.0.0.0/99"), "trusted-proxies"),
        ("hooks-allow", Some("everywhere"), "hooks-allow"),
        ("log-format", Some("xml"), "log-format"),
        ("payment-failed", Some("perhaps"), "payment-failed"),
    ];
    for name in [
        "hold-seconds",
        "payment-seconds",
        "offer-seconds",
        "room-pass-seconds",
        "room-people-per-second",
        "access-token-seconds",
        "refresh-token-days",
        "reconcile-seconds",
        "hooks-timeout-seconds",
        "hooks-pause-ms",
        "hooks-retry-seconds",
        "hooks-disable-seconds",
        "stripe-creates-per-second",
        "database-connections",
        "smtp-seconds",
        "hashing-threads",
    ] {
        wrong.push((name, Some("0"), "more than 0"));
    }
    let secrets = ["jwt-secret", "ticket-key", "stripe-secret-key", "stripe-webhook-secret", "smtp-url"];
    for (name, value, why) in wrong {
        let said = said_of(&[(name, value)]);
        let setting = name.to_uppercase().replace('-', "_");
        assert!(said.contains(&setting) || said.contains(&format!("--{name}")), "{name}={value:?}: {said:?}");
        assert!(said.contains(why), "{name}={value:?}: {said:?}");
        if let Some(value) = value.filter(|_| secrets.contains(&name)) {
            assert!(!said.contains(value), "{name} is repeated: {said}");
        }
    }
    let live_in_the_open = [
        ("stripe-secret-key", Some("sk_live_a_key")),
        ("stripe-publishable-key", Some("pk_live_a_key")),
        ("stripe-api-url", Some("http://stripe.example")),
    ];
    assert!(said_of(&live_in_the_open).contains("STRIPE_API_URL"));
}

#[test]
fn every_fault_is_named_at_once() {
    let said = said_of(&[("jwt-secret", None), ("hold-seconds", Some("0")), ("stripe-webhook-secret", None)]);
    for name in ["JWT_SECRET", "HOLD_SECONDS", "STRIPE_WEBHOOK_SECRET"] {
        assert!(said.contains(name), "{said}");
    }
}
