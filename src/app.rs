//! The handles that a node consists of, put together from its settings.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::accounts::Accounts;
use crate::catalog::Catalog;
use crate::config::{Config, Refused};
use crate::hooks::Hooks;
use crate::limits::Limits;
use crate::mail::{BadAddress, Postman};
use crate::orders::{Clock, Desk, Rules};
use crate::payments::{Gateway, StripeSettings};
use crate::room::Rooms;
use crate::seats::{Engine, Pictures, Timing};
use crate::stores::postgres;
use crate::stores::redis::Redis;
use crate::telemetry::Metrics;
use crate::tickets::TicketKeys;
use crate::waitlist::Waitlist;

/// Handles to everything that a node consists of. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub config: Arc<Config>,
    pub pg: PgPool,
    pub redis: Redis,
    pub metrics: Metrics,
    pub catalog: Catalog,
    pub engine: Engine,
    pub pictures: Pictures,
    pub accounts: Accounts,
    pub limits: Limits,
    pub desk: Desk,
    pub waitlist: Waitlist,
    pub rooms: Rooms,
    /// Carries letters; nobody does when mail is off.
    pub postman: Option<Postman>,
    pub hooks: Hooks,
    /// Cancelled when the node is told to go: readiness says no, and everything else is served as before.
    pub leaving: CancellationToken,
    /// Cancelled when it takes no more connections: streams end.
    pub closing: CancellationToken,
}

impl App {
    /// Puts a node together. Nothing needs to answer yet: a store that is away is an outage, not a failed start.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let secret = |value: &Option<SecretString>, name: &str| {
            value.clone().with_context(|| format!("{name} is not set"))
        };
        let database = secret(&config.database_url, "DATABASE_URL")?;
        let redis = secret(&config.redis_url, "REDIS_URL")?;
        let stripe_key = secret(&config.stripe_secret_key, "STRIPE_SECRET_KEY")?;
        let jwt_secret = secret(&config.jwt_secret, "JWT_SECRET")?;

        let pg = postgres::pool(database.expose_secret(), config.database_connections)
            .context("DATABASE_URL cannot be read")?;
        let redis = Redis::connect(redis.expose_secret()).await.context("REDIS_URL cannot be read")?;
        let metrics = Metrics::new();
        let timing = Timing { hold: config.hold(), payment: config.payment(), grace: config.grace() };
        let engine = Engine::new(redis.clone(), metrics.clone(), timing);
        let catalog = Catalog::new(pg.clone(), metrics.clone());
        let gateway = Gateway::new(
            &StripeSettings {
                api_url: config.stripe_api_url().to_owned(),
                secret_key: stripe_key,
                creates_per_second: config.stripe_creates_per_second,
            },
            metrics.clone(),
        )
        .context("STRIPE_API_URL cannot be used")?;
        let rules = Rules {
            clock: Clock {
                hold: config.hold(),
                payment: config.payment(),
                grace: config.grace(),
                reconcile: config.reconcile(),
            },
            payment_failed: config.payment_failed,
            live_money: config.moves_real_money(),
        };
        let waitlist =
            Waitlist::new(pg.clone(), catalog.clone(), engine.clone(), metrics.clone(), config.offer());
        let rooms = Rooms::new(engine.clone(), metrics.clone(), &jwt_secret, config.room_pass());
        let tickets = TicketKeys::new(config.ticket_key.as_ref(), &jwt_secret, &config.ticket_keys_old)?;
        let desk =
            Desk::new(pg.clone(), catalog.clone(), engine.clone(), gateway, metrics.clone(), tickets, rules);
        let hooks =
            Hooks::new(pg.clone(), catalog.clone(), engine.clone(), metrics.clone(), &config, &jwt_secret)
                .context("the client for webhooks")?;
        let accounts = Accounts::new(pg.clone(), &config, jwt_secret);
        let limits = Limits::new(
            config.rate_limits.clone(),
            Duration::from_millis(config.rate_limit_wait_ms.into()),
            redis.clone(),
            metrics.clone(),
        );
        let faults_of_mail =
            |faults: Vec<BadAddress>| Refused(faults.iter().map(ToString::to_string).collect());
        let postman = config.postman().map_err(faults_of_mail)?;
        if postman.as_ref().is_some_and(Postman::tells_its_password) {
            tracing::warn!("SMTP_URL sends its password in the open: use smtps:// or ?tls=required");
        }
        if config.payment_seconds > config.hold_seconds {
            tracing::warn!("PAYMENT_SECONDS is longer than HOLD_SECONDS: twice the hold is still the limit");
        }
        Ok(Self {
            pictures: Pictures::new(engine.clone()),
            config: Arc::new(config),
            pg,
            redis,
            metrics,
            catalog,
            engine,
            accounts,
            limits,
            desk,
            waitlist,
            rooms,
            postman,
            hooks,
            leaving: CancellationToken::new(),
            closing: CancellationToken::new(),
        })
    }
}
