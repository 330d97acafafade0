//! A house that is open: one node or more, a sandbox, and the people who come.

use clap::Parser;
use holdfast::app::App;
use holdfast::catalog::NewEvent;
use holdfast::config::Config;
use holdfast::ids::{AccountId, EventId};
use holdfast::local::Stack;
use holdfast::sandbox::{self, Sandbox, SandboxSettings, WebhookTarget};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::client::Client;
use super::servers;

const JWT_SECRET: &str = "a-secret-for-tests-that-nobody-else-uses";
const WEBHOOK_SECRET: &str = "whsec_tests_sign_with_this_one";
const STRIPE_KEY: &str = "sk_test_of_the_harness";
const PUBLISHABLE_KEY: &str = "pk_test_of_the_harness";

/// One node that serves.
pub struct Node {
    pub app: App,
    pub url: String,
    stop: CancellationToken,
    served: JoinHandle<()>,
}

impl Node {
    async fn start(config: Config, listener: TcpListener) -> Self {
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let app = App::start(config).await.expect("a node");
        let stop = CancellationToken::new();
        let served = holdfast::node::serve(app.clone(), listener, stop.clone());
        Self { app, url, stop, served }
    }

    /// Closes politely: what is in flight is finished.
    pub fn close(self) -> impl Future<Output = ()> {
        let Self { stop, served, .. } = self;
        async move {
            stop.cancel();
            served.await.expect("the node ends");
        }
    }
}

/// Everything a test acts on.
pub struct Holdfast {
    stack: Stack,
    config: Config,
    node: Node,
    pub(super) sandbox: Sandbox,
    organiser: AccountId,
}

/// The settings as the command line would give them.
#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    config: Config,
}

impl Holdfast {
    /// An open house with the usual settings.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// An open house with other settings.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::open(servers::shared().await.clone(), change).await
    }

    /// An open house whose servers may be killed without harm to other tests.
    pub async fn with_its_own_stack() -> Self {
        Self::with_its_own_stack_and(|_| {}).await
    }

    pub async fn with_its_own_stack_and(change: impl FnOnce(&mut Config)) -> Self {
        Self::open(servers::start(true).await, change).await
    }

    async fn open(stack: Stack, change: impl FnOnce(&mut Config)) -> Self {
        install_tls();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let money = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let settings = SandboxSettings {
            secret_key: SecretString::from(STRIPE_KEY),
            publishable_key: PUBLISHABLE_KEY.to_owned(),
            webhook: Some(WebhookTarget {
                url: format!("http://{address}/v1/webhooks/stripe"),
                secret: SecretString::from(WEBHOOK_SECRET),
            }),
            journal: None,
            public_url: None,
        };
        let sandbox = sandbox::start(settings, money).await.expect("a sandbox");

        let mut config = Settings::parse_from(["holdfast"]).config;
        config.listen_addr = address;
        config.database_url = Some(SecretString::from(servers::database(&stack).await));
        config.redis_url = Some(SecretString::from(servers::key_space(&stack)));
        config.database_connections = 8;
        config.jwt_secret = Some(SecretString::from(JWT_SECRET));
        config.stripe_secret_key = Some(SecretString::from(STRIPE_KEY));
        config.stripe_webhook_secret = Some(SecretString::from(WEBHOOK_SECRET));
        config.stripe_publishable_key = Some(PUBLISHABLE_KEY.to_owned());
        config.stripe_api_url = Some(sandbox.url());
        config.stripe_creates_per_second = 1000;
        // A test's customers are many and quick, and all of them are this machine. Limits have tests of their own.
        config.rate_limits = "off".parse().expect("a setting");
        // Nobody stands before a test's nodes.
        config.drain_seconds = 0;
        change(&mut config);

        let node = Node::start(config.clone(), listener).await;
        let organiser = AccountId::new();
        let house = Self { stack, config, node, sandbox, organiser };
        house.account(organiser, "organiser").await;
        house
    }

    pub fn app(&self) -> &App {
        &self.node.app
    }

    pub fn url(&self) -> &str {
        &self.node.url
    }

    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// The settings of the first node.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Another node on the same stores.
    pub async fn second_node(&self) -> Node {
        self.another_node(|_| {}).await
    }

    /// Another node on the same stores, with other settings.
    pub async fn another_node(&self, change: impl FnOnce(&mut Config)) -> Node {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut config = self.config.clone();
        change(&mut config);
        config.listen_addr = listener.local_addr().expect("an address");
        Node::start(config, listener).await
    }

    /// The node dies in the middle of whatever it does, and another starts in its place.
    pub async fn dies_and_comes_back(&mut self) {
        self.while_it_is_down(async |_| {}).await;
    }

    /// The node dies, something happens to what it stands on, and another starts in its place.
    pub async fn while_it_is_down(&mut self, what: impl AsyncFnOnce(&Stack)) {
        self.node.served.abort();
        let _ = (&mut self.node.served).await;
        what(&self.stack).await;
        let listener = super::eventually("the port is free again", async || {
            TcpListener::bind(self.config.listen_addr).await.ok()
        })
        .await;
        self.node = Node::start(self.config.clone(), listener).await;
    }

    /// Somebody who is not signed in.
    pub fn anyone(&self) -> Client {
        Client::new(self.url(), None)
    }

    pub async fn customer(&self) -> Client {
        self.person("customer").await
    }

    pub async fn admin(&self) -> Client {
        self.person("admin").await
    }

    /// The organiser of every event that [`Holdfast::event`] makes.
    pub fn organiser(&self) -> Client {
        Client::new(self.url(), Some(token(self.organiser, "organiser")))
    }

    /// The id of the same organiser's account.
    pub fn organiser_id(&self) -> AccountId {
        self.organiser
    }

    /// An organiser of nothing yet.
    pub async fn another_organiser(&self) -> Client {
        self.person("organiser").await
    }

    /// Many customers at once. Their accounts are written directly: hashing passwords is not what is tested.
    pub async fn crowd(&self, size: usize) -> Vec<Client> {
        let mut crowd = Vec::with_capacity(size);
        for _ in 0..size {
            crowd.push(self.customer().await);
        }
        crowd
    }

    async fn person(&self, role: &str) -> Client {
        let id = AccountId::new();
        self.account(id, role).await;
        Client::new(self.url(), Some(token(id, role)))
    }

    async fn account(&self, id: AccountId, role: &str) {
        sqlx::query(
            "insert into accounts (id, name, email, password_hash, role) values ($1, $2, $3, 'none', $4)",
        )
        .bind(id)
        .bind(format!("A {role}"))
        .bind(format!("{id}@example.com"))
        .bind(role)
        .execute(&self.app().pg)
        .await
        .expect("an account");
    }

    /// An event that is on sale.
    pub async fn event(&self, form: Value) -> EventId {
        let form: NewEvent = serde_json::from_value(form).expect("a form");
        let event = EventId::new();
        // A busy machine may take longer than a customer would wait: the same id again is the same event.
        super::eventually("an event", async || {
            self.app().catalog.create(event, self.organiser, form.clone()).await.ok()
        })
        .await;
        super::eventually("it opens", async || self.app().desk.open(event).await.ok()).await;
        event
    }

    /// Four rows of eight seats at 48.00 euros.
    pub async fn theatre(&self) -> EventId {
        let rows: Vec<_> =
            ["A", "B", "C", "D"].iter().map(|row| json!({ "name": row, "seats": 8 })).collect();
        self.event(json!({
            "title": "The Tempest", "venue": "Harbour Theatre", "starts_at": "2031-05-01T19:00:00Z",
            "currency": "eur", "orphan_rule": false,
            "categories": [{ "key": "gold", "name": "Stalls", "price": 4800 }],
            "sections": [{ "key": "stalls", "name": "Stalls", "category": "gold", "rows": rows }],
        }))
        .await
    }

    /// Where this house's database and key space are.
    pub fn addresses(&self) -> (String, String) {
        let text = |secret: &Option<SecretString>| secret.as_ref().expect("set").expose_secret().to_owned();
        (text(&self.config.database_url), text(&self.config.redis_url))
    }

    /// What a process of its own needs to serve this house.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let (database, redis) = self.addresses();
        vec![
            ("DATABASE_URL", database),
            ("REDIS_URL", redis),
            ("JWT_SECRET", JWT_SECRET.to_owned()),
            ("STRIPE_SECRET_KEY", STRIPE_KEY.to_owned()),
            ("STRIPE_PUBLISHABLE_KEY", PUBLISHABLE_KEY.to_owned()),
            ("STRIPE_WEBHOOK_SECRET", WEBHOOK_SECRET.to_owned()),
            ("STRIPE_API_URL", self.sandbox.url()),
            ("RATE_LIMITS", "off".to_owned()),
            ("RECONCILE_SECONDS", self.config.reconcile_seconds.to_string()),
        ]
    }

    pub(super) fn stripe_key(&self) -> String {
        self.config.stripe_secret_key.as_ref().expect("a key").expose_secret().to_owned()
    }

    pub fn database_name(&self) -> String {
        let (url, _) = self.addresses();
        url.split('/').nth(3).and_then(|rest| rest.split('?').next()).expect("a name").to_owned()
    }

    /// Has Postgres do these things for whoever connects from here on, and its node connect anew.
    pub async fn connects_anew_with(&self, settings: &[&str]) {
        let owner = self.owner();
        for setting in settings {
            let set = format!("alter database \"{}\" set {setting}", self.database_name());
            sqlx::query(sqlx::AssertSqlSafe(set)).execute(&owner).await.expect("it is set");
        }
        sqlx::query(
            "select pg_terminate_backend(pid) from pg_stat_activity
              where datname = current_database() and pid <> pg_backend_pid()",
        )
        .execute(&owner)
        .await
        .expect("connections end");
        super::eventually("the node has new connections", async || {
            (self.anyone().get("/readyz").await.status == 200).then_some(())
        })
        .await;
    }

    /// A copy of this house's database, to do harm to.
    pub async fn in_a_copy_of_the_database(&self, harm: impl AsyncFnOnce(sqlx::PgPool)) {
        let name = self.database_name();
        let copy = format!("{name}_copy_{}", uuid::Uuid::new_v4().simple());
        // A database is copied while nobody is connected: its workers lose a connection and come back.
        super::eventually("the database is copied", async || {
            sqlx::query("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1")
                .bind(&name)
                .execute(&self.maintenance())
                .await
                .expect("connections end");
            self.stack.create_database(&copy, Some(&name)).await.ok()
        })
        .await;
        let pg = holdfast::stores::postgres::pool(&self.stack.database_url(&copy), 2).expect("an address");
        harm(pg).await;
    }

    /// This house's database as its owner, who may do the harm that no node can.
    pub fn owner(&self) -> sqlx::PgPool {
        holdfast::stores::postgres::pool(&self.owner_url(), 2).expect("an address")
    }

    /// Where its owner finds it.
    pub fn owner_url(&self) -> String {
        self.stack.database_url(&self.database_name())
    }

    fn maintenance(&self) -> sqlx::PgPool {
        holdfast::stores::postgres::pool(&self.stack.database_url("postgres"), 1).expect("an address")
    }

    /// Says something to this house's Redis.
    pub async fn redis_command(&self, words: &[&str]) {
        let mut redis = self.app().redis.clone();
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(word);
        }
        command.query_async::<redis::Value>(&mut redis).await.expect("Redis answers");
    }

    pub async fn flush_redis(&self) {
        self.redis_command(&["FLUSHDB"]).await;
    }
}

/// What webhooks are signed with.
pub fn webhook_secret() -> SecretString {
    SecretString::from(WEBHOOK_SECRET)
}

/// As the service itself would sign it.
fn token(id: AccountId, role: &str) -> String {
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let claims = json!({ "iss": "holdfast", "aud": "holdfast", "sub": id, "role": role, "iat": now,
                         "exp": now + 3600, "jti": uuid::Uuid::new_v4() });
    let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
    header.typ = Some("at+jwt".to_owned());
    let key = jsonwebtoken::EncodingKey::from_secret(JWT_SECRET.as_bytes());
    jsonwebtoken::encode(&header, &claims, &key).expect("signed")
}

/// Once for the process, as `main` does.
fn install_tls() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
