//! What has to be said before strangers' money is taken: missing and weak settings, named all at once.

use secrecy::{ExposeSecret as _, SecretString};

use super::Config;
use crate::tickets::TicketKeys;

/// A day. Access tokens are checked without a store, so they had better end by themselves.
const LONGEST_ACCESS: u32 = 86_400;

/// Settings that make it unsafe to open for business; each line names one.
#[derive(Debug, thiserror::Error)]
#[error("these settings are missing or too weak:\n{}", .0.join("\n"))]
pub struct Refused(pub Vec<String>);

impl Config {
    /// Everything that production refuses to start with, named at once rather than one a start.
    ///
    /// # Errors
    /// When any secret is missing or weak, or a duration makes no sense.
    pub fn check_for_production(&self) -> Result<(), Refused> {
        let mut faults = self.faults_in_durations();
        let secret = |value: &Option<SecretString>| {
            value.as_ref().map(|text| text.expose_secret().to_owned()).unwrap_or_default()
        };
        let mut require = |name: &str, bad: bool, why: &str| {
            if bad {
                faults.push(format!("  {name}: {why}"));
            }
        };
        require("DATABASE_URL", self.database_url.is_none(), "is not set");
        require("REDIS_URL", self.redis_url.is_none(), "is not set");

        let jwt = secret(&self.jwt_secret);
        require("JWT_SECRET", jwt.is_empty(), "is not set");
        require("JWT_SECRET", !jwt.is_empty() && is_weak(&jwt), "is weak: use 32 or more random bytes");

        let shared = SecretString::from(jwt);
        if let Err(fault) = TicketKeys::new(self.ticket_key.as_ref(), &shared, &self.ticket_keys_old) {
            require(fault.setting(), true, fault.why());
        }

        let key = secret(&self.stripe_secret_key);
        require("STRIPE_SECRET_KEY", key.is_empty(), "is not set");
        require(
            "STRIPE_SECRET_KEY",
            !(key.is_empty() || key.starts_with("sk_") || key.starts_with("rk_")),
            "does not look like a Stripe key (sk_… or rk_…)",
        );

        require(
            "STRIPE_PUBLISHABLE_KEY",
            self.stripe_publishable_key.as_deref().is_some_and(|public| is_live(public) != is_live(&key))
                && !key.is_empty(),
            "is of another mode than STRIPE_SECRET_KEY: one is for tests, the other for real money",
        );
        require(
            "STRIPE_API_URL",
            is_live(&key) && !self.stripe_api_url().starts_with("https://"),
            "would carry a key for real money where others can read it: use https://",
        );
        require(
            "PUBLIC_URL",
            !["http://", "https://"].iter().any(|scheme| self.public_url().starts_with(scheme)),
            "must be an http(s) address",
        );

        let hooks = secret(&self.stripe_webhook_secret);
        require("STRIPE_WEBHOOK_SECRET", hooks.is_empty(), "is not set: no webhook could be trusted");
        require(
            "STRIPE_WEBHOOK_SECRET",
            !hooks.is_empty() && hooks.split(',').any(|one| one.trim().len() < 16),
            "is weak: each secret needs 16 characters or more",
        );
        let mail_faults = self.postman().err().unwrap_or_default();
        faults.extend(mail_faults.into_iter().map(|fault| format!("  {fault}")));
        if faults.is_empty() { Ok(()) } else { Err(Refused(faults)) }
    }

    fn faults_in_durations(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (name, value) in [
            ("HOLD_SECONDS", self.hold_seconds),
            ("PAYMENT_SECONDS", self.payment_seconds),
            ("OFFER_SECONDS", self.offer_seconds),
            ("ROOM_PASS_SECONDS", self.room_pass_seconds),
            ("ROOM_PEOPLE_PER_SECOND", self.room_people_per_second),
            ("ACCESS_TOKEN_SECONDS", self.access_token_seconds),
            ("REFRESH_TOKEN_DAYS", self.refresh_token_days),
            ("RECONCILE_SECONDS", self.reconcile_seconds),
            ("HOOKS_TIMEOUT_SECONDS", self.hooks_timeout_seconds),
            ("HOOKS_PAUSE_MS", self.hooks_pause_ms),
            ("HOOKS_RETRY_SECONDS", self.hooks_retry_seconds),
            ("HOOKS_DISABLE_SECONDS", self.hooks_disable_seconds),
            ("STRIPE_CREATES_PER_SECOND", self.stripe_creates_per_second),
            ("DATABASE_CONNECTIONS", self.database_connections),
            ("SMTP_SECONDS", self.smtp_seconds),
        ] {
            if value == 0 {
                faults.push(format!("  {name}: must be more than 0"));
            }
        }
        if self.hashing_threads == 0 {
            faults.push("  HASHING_THREADS: must be more than 0".to_owned());
        }
        if self.access_token_seconds > LONGEST_ACCESS {
            let why = format!(
                "must be at most {LONGEST_ACCESS}: whoever finds an old token could use it for that long"
            );
            faults.push(format!("  ACCESS_TOKEN_SECONDS: {why}"));
        }
        faults
    }
}

fn is_live(key: &str) -> bool {
    key.contains("_live_")
}

/// Too short, or with so few different characters that it was typed rather than drawn.
fn is_weak(secret: &str) -> bool {
    let different = secret.bytes().collect::<std::collections::HashSet<_>>().len();
    secret.len() < 32 || different < 10
}
