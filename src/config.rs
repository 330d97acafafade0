//! Every setting, once: a flag, an environment variable, a default and the reason for it.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use axum::http::HeaderValue;
use clap::{Args, ValueEnum};
use secrecy::{ExposeSecret, SecretString};

use crate::hooks::Network;
use crate::limits;
use crate::mail::{BadAddress, Postman};
use crate::tickets::TicketKeys;

/// What happens to an order when its payment is declined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PaymentFailed {
    /// The payment is cancelled and the seats are free at once.
    Release,
    /// The order stays payable until its deadline.
    Keep,
}

/// Somebody's pages, as browsers name where they come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Any,
    One(HeaderValue),
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text == "*" {
            return Ok(Self::Any);
        }
        let refused =
            || format!("{text} is no origin: write https://host or https://host:port, and nothing behind it");
        let url = reqwest::Url::parse(text).map_err(|_| refused())?;
        // A browser sends an origin just as it is written here, or it is not the same.
        let is_whole = matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text;
        let value = HeaderValue::from_str(text).map_err(|_| refused())?;
        if is_whole { Ok(Self::One(value)) } else { Err(refused()) }
    }
}

/// The header in which a proxy says whom it speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ForwardedHeader {
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people at a terminal.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// The settings of one Holdfast node.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Where the HTTP server listens.
    #[arg(long, env = "LISTEN_ADDR", default_value = "127.0.0.1:8080")]
    pub listen_addr: SocketAddr,

    /// The address under which customers reach this service; used in links. Default: http://LISTEN_ADDR.
    #[arg(long, env = "PUBLIC_URL")]
    pub public_url: Option<String>,

    /// Origins whose pages may call this service, comma-separated: https://tickets.example. `*` allows all, which
    /// is safe for what it allows: no cookie is ever read, and a token must be sent on purpose.
    #[arg(long, env = "CORS_ORIGINS", value_delimiter = ',')]
    pub cors_origins: Vec<Origin>,

    /// How often somebody may call: `default`, `classic` (100 calls in 15 minutes, by address) or `off`, and what is to be
    /// otherwise: default,hold=40/10s,login.address=off. docs/limits.md has every class.
    #[arg(long, env = "RATE_LIMITS", default_value = "default")]
    pub rate_limits: limits::Settings,

    /// Milliseconds that a call waits for Redis to count it: what an outage of Redis may add to one that goes on
    /// without it. Redis answers in one or two.
    #[arg(long, env = "RATE_LIMIT_WAIT_MS", default_value_t = 250)]
    pub rate_limit_wait_ms: u32,

    /// Proxies before this service, comma-separated networks: 10.0.0.0/8,2001:db8::1. Only they are believed when they
    /// say whom they speak for; from anybody else, that header could say anything.
    #[arg(long, env = "TRUSTED_PROXIES", value_delimiter = ',')]
    pub trusted_proxies: Vec<limits::Network>,

    /// The one header that these proxies write it into. The other one they may pass on as a stranger wrote it.
    #[arg(long, env = "FORWARDED_HEADER", value_enum, default_value = "x-forwarded-for")]
    pub forwarded_header: ForwardedHeader,

    /// Postgres: postgres://user:password@host/database.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<SecretString>,

    /// Postgres connections of this node. Checkouts wait for one at most as long as an answer may take.
    #[arg(long, env = "DATABASE_CONNECTIONS", default_value_t = 16)]
    pub database_connections: u32,

    /// Redis: redis://, rediss://, redis+unix://, redis+sentinel://a,b/master or redis+cluster://a,b,c.
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<SecretString>,

    /// Signs access tokens and seals stored answers; at least 32 bytes.
    #[arg(long, env = "JWT_SECRET", hide_env_values = true)]
    pub jwt_secret: Option<SecretString>,

    /// Signs the codes of tickets: 32 random bytes in base64. Default: a key derived from `JWT_SECRET`, which then
    /// changes with it.
    #[arg(long, env = "TICKET_KEY", hide_env_values = true)]
    pub ticket_key: Option<SecretString>,

    /// Public keys that tickets were signed with before, comma-separated: published, so that doors know those tickets.
    #[arg(long, env = "TICKET_KEYS_OLD", value_delimiter = ',')]
    pub ticket_keys_old: Vec<String>,

    /// Seconds that an access token lives. It cannot be revoked, so it is short.
    #[arg(long, env = "ACCESS_TOKEN_SECONDS", default_value_t = 900)]
    pub access_token_seconds: u32,

    /// Days that a refresh token lives when it is not used.
    #[arg(long, env = "REFRESH_TOKEN_DAYS", default_value_t = 30)]
    pub refresh_token_days: u32,

    /// Password hashes computed at a time; each takes 19 MiB and a core for a moment.
    #[arg(long, env = "HASHING_THREADS", default_value_t = 2)]
    pub hashing_threads: usize,

    /// Stripe's secret key.
    #[arg(long, env = "STRIPE_SECRET_KEY", hide_env_values = true)]
    pub stripe_secret_key: Option<SecretString>,

    /// Stripe's webhook signing secrets, comma-separated: both old and new are accepted while rotating.
    #[arg(long, env = "STRIPE_WEBHOOK_SECRET", hide_env_values = true)]
    pub stripe_webhook_secret: Option<SecretString>,

    /// Stripe's publishable key, handed to the paying page.
    #[arg(long, env = "STRIPE_PUBLISHABLE_KEY")]
    pub stripe_publishable_key: Option<String>,

    /// Where Stripe's API is. Default: https://api.stripe.com; in `dev`, the sandbox.
    #[arg(long, env = "STRIPE_API_URL")]
    pub stripe_api_url: Option<String>,

    /// PaymentIntents opened a second: Stripe's default limit for one endpoint.
    #[arg(long, env = "STRIPE_CREATES_PER_SECOND", default_value_t = 25)]
    pub stripe_creates_per_second: u32,

    /// A page where a PaymentIntent can be paid by hand; the sandbox has one, Stripe does not.
    #[arg(long, env = "PAY_PAGE_URL")]
    pub pay_page_url: Option<String>,

    /// Seconds that a hold lasts from the moment its seats are taken.
    #[arg(long, env = "HOLD_SECONDS", default_value_t = 600)]
    pub hold_seconds: u32,

    /// Seconds that a checkout leaves to pay, within twice `HOLD_SECONDS` of the first seat.
    #[arg(long, env = "PAYMENT_SECONDS", default_value_t = 300)]
    pub payment_seconds: u32,

    /// Seconds that seats outlive the deadline a customer sees, so that the money door closes first.
    #[arg(long, env = "GRACE_SECONDS", default_value_t = 60)]
    pub grace_seconds: u32,

    /// Seconds that seats are held for a party of the waiting list to take up, where its event does not say.
    #[arg(long, env = "OFFER_SECONDS", default_value_t = 1800)]
    pub offer_seconds: u32,

    /// Seconds that whoever is let in from a waiting room may take seats.
    #[arg(long, env = "ROOM_PASS_SECONDS", default_value_t = 900)]
    pub room_pass_seconds: u32,

    /// The most people a second that a node lets in from waiting rooms; it lets in fewer while holds are slow.
    #[arg(long, env = "ROOM_PEOPLE_PER_SECOND", default_value_t = 500)]
    pub room_people_per_second: u32,

    /// What a declined payment does to its order.
    #[arg(long, env = "PAYMENT_FAILED", value_enum, default_value = "release")]
    pub payment_failed: PaymentFailed,

    /// Seconds between two passes of the reconcilers (picture, payments, refunds, audit).
    #[arg(long, env = "RECONCILE_SECONDS", default_value_t = 30)]
    pub reconcile_seconds: u32,

    /// The server that letters go to: smtp://user:password@host:port?tls=required, or smtps://… Not set: mail is off, and
    /// letters are marked as skipped; in `dev`, the mailbox.
    #[arg(long, env = "SMTP_URL", hide_env_values = true)]
    pub smtp_url: Option<SecretString>,

    /// Who letters are from: "Tickets <no-reply@tickets.example>". Needed with SMTP_URL, since servers refuse strangers.
    #[arg(long, env = "MAIL_FROM")]
    pub mail_from: Option<String>,

    /// Seconds that the SMTP server may take to let us in, and again to take a letter. It holds up nothing but letters.
    #[arg(long, env = "SMTP_SECONDS", default_value_t = 20)]
    pub smtp_seconds: u32,
    /// Networks that webhooks may be sent to although they are private, comma-separated: 10.1.0.0/16,192.168.7.7/32.
    #[arg(long, env = "HOOKS_ALLOW", value_delimiter = ',')]
    pub hooks_allow: Vec<Network>,

    /// Lets webhooks go to any address, private ones too, and without TLS. For development: whoever may add an
    /// endpoint could otherwise have this service call its neighbours.
    #[arg(long, env = "HOOKS_ALLOW_PRIVATE", num_args = 0..=1, require_equals = true, default_value_t = false,
          default_missing_value = "true", action = clap::ArgAction::Set)]
    pub hooks_allow_private: bool,

    /// Seconds that another system has to answer a webhook.
    #[arg(long, env = "HOOKS_TIMEOUT_SECONDS", default_value_t = 10)]
    pub hooks_timeout_seconds: u32,

    /// Milliseconds before a webhook is tried again; each pause is twice the one before, up to six hours.
    #[arg(long, env = "HOOKS_PAUSE_MS", default_value_t = 5000)]
    pub hooks_pause_ms: u32,

    /// Seconds for which a webhook is tried before it is parked: three days, as long as a weekend.
    #[arg(long, env = "HOOKS_RETRY_SECONDS", default_value_t = 259_200)]
    pub hooks_retry_seconds: u32,

    /// Seconds of nothing but failures, and at least twenty of them, after which an endpoint is disabled.
    #[arg(long, env = "HOOKS_DISABLE_SECONDS", default_value_t = 259_200)]
    pub hooks_disable_seconds: u32,

    /// How log lines are written.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormat,

    /// Seconds that a shutdown waits for requests in flight.
    #[arg(long, env = "SHUTDOWN_SECONDS", default_value_t = 20)]
    pub shutdown_seconds: u32,
}

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

    /// Who carries letters; nobody when mail is off.
    ///
    /// # Errors
    /// When SMTP_URL names no server, and when MAIL_FROM names no sender.
    pub fn postman(&self) -> Result<Option<Postman>, Vec<BadAddress>> {
        let Some(server) = &self.smtp_url else { return Ok(None) };
        let from = self.mail_from.as_deref().unwrap_or_default();
        let patience = Duration::from_secs(self.smtp_seconds.into());
        Postman::new(server.expose_secret(), from, patience).map(Some)
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
        faults
    }

    #[must_use]
    pub fn public_url(&self) -> String {
        self.public_url.clone().unwrap_or_else(|| format!("http://{}", self.listen_addr))
    }

    /// Whether Stripe's key moves real money.
    #[must_use]
    pub fn moves_real_money(&self) -> bool {
        self.stripe_secret_key.as_ref().is_some_and(|key| key.expose_secret().contains("_live_"))
    }

    #[must_use]
    pub fn stripe_api_url(&self) -> &str {
        self.stripe_api_url.as_deref().unwrap_or("https://api.stripe.com")
    }

    #[must_use]
    pub fn hold(&self) -> Duration {
        Duration::from_secs(self.hold_seconds.into())
    }

    #[must_use]
    pub fn payment(&self) -> Duration {
        Duration::from_secs(self.payment_seconds.into())
    }

    #[must_use]
    pub fn room_pass(&self) -> Duration {
        Duration::from_secs(self.room_pass_seconds.into())
    }

    #[must_use]
    pub fn offer(&self) -> Duration {
        Duration::from_secs(self.offer_seconds.into())
    }

    #[must_use]
    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.grace_seconds.into())
    }

    #[must_use]
    pub fn reconcile(&self) -> Duration {
        Duration::from_secs(self.reconcile_seconds.into())
    }
}

/// Too short, or with so few different characters that it was typed rather than drawn.
fn is_weak(secret: &str) -> bool {
    let different = secret.bytes().collect::<std::collections::HashSet<_>>().len();
    secret.len() < 32 || different < 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_and_a_host_and_nothing_else() {
        assert_eq!("*".parse(), Ok(Origin::Any));
        for good in ["https://tickets.example", "http://127.0.0.1:8081"] {
            assert_eq!(good.parse(), Ok(Origin::One(HeaderValue::from_static(good))));
        }
        for bad in [
            "tickets.example",
            "https://tickets.example/",
            "https://tickets.example/shop",
            "ftp://a",
            "",
            "null",
        ] {
            assert!(bad.parse::<Origin>().is_err_and(|why| why.contains("is no origin")), "{bad}");
        }
    }
}
