//! Every setting, once: a flag, an environment variable, a default and the reason for it.

mod origin;
mod production;

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use secrecy::{ExposeSecret, SecretString};

pub use self::origin::Origin;
pub use self::production::Refused;

use crate::hooks::Network;
use crate::limits;
use crate::mail::{BadAddress, Postman};

/// What happens to an order when its payment is declined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PaymentFailed {
    /// The payment is cancelled and the seats are free at once.
    Release,
    /// The order stays payable until its deadline.
    Keep,
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

    /// Connections of this node, as far as the system lets it have them; more wait to be taken.
    #[arg(long, env = "CONNECTIONS", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub connections: u32,

    /// Seconds for the head of a request, between two requests, and for a piece of an answer to be taken; then the
    /// connection ends. Longer than proxies keep theirs, which is a minute: or one asks when we have just hung up.
    #[arg(long, env = "CONNECTION_SECONDS", default_value_t = 75, value_parser = clap::value_parser!(u32).range(1..))]
    pub connection_seconds: u32,

    /// How log lines are written.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormat,

    /// Seconds between saying at /readyz that this node goes and taking no more connections: as long as whoever stands before
    /// it needs to notice. Until then it serves as ever.
    #[arg(long, env = "DRAIN_SECONDS", default_value_t = 5)]
    pub drain_seconds: u32,

    /// Seconds that a shutdown waits for requests in flight.
    #[arg(long, env = "SHUTDOWN_SECONDS", default_value_t = 20)]
    pub shutdown_seconds: u32,
}

impl Config {
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
