//! A house on a stand: a database and a key space of its own, its own Stripe sandbox, its nodes, its people.

use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast::ids::AccountId;
use holdfast::sandbox::{self, Sandbox, SandboxSettings, WebhookTarget};
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::net::TcpListener;

use super::person::{Person, Places};
use super::{Database, Folder, Memory, Node, NodeSettings, Proxy};

const JWT_SECRET: &str = "a-secret-of-a-stand-that-nobody-else-uses-0123456789";
const WEBHOOK_SECRET: &str = "whsec_a_stand_signs_with_this_one";
pub const STRIPE_KEY: &str = "sk_test_of_the_stand";
const PUBLISHABLE_KEY: &str = "pk_test_of_the_stand";
/// The longest that anything may take once nothing is wrong any more, on a busy machine.
pub const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub struct House {
    pub name: String,
    pub sandbox: Sandbox,
    /// Where Stripe's webhooks go: to whichever node takes them.
    pub front: Proxy,
    pub settings: NodeSettings,
    pub organiser: AccountId,
    /// The nodes that people know of, to be asked in turn.
    pub places: Arc<Places>,
    pub folder: Folder,
}

/// What to wait for, asked until it is so.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
}

impl House {
    /// An empty house; `change` says what is not usual about its nodes.
    pub async fn open(
        name: &str,
        database: &Database,
        memory: &Memory,
        key_space: u32,
        change: impl FnOnce(NodeSettings) -> NodeSettings,
    ) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        database.create_migrated(name).await;
        let pg = database.look_on(name, 1);
        let organiser = AccountId::new();
        account(&pg, organiser, "organiser").await;
        pg.close().await;

        let front = Proxy::between(vec![]).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let settings = SandboxSettings {
            secret_key: SecretString::from(STRIPE_KEY),
            publishable_key: PUBLISHABLE_KEY.to_owned(),
            webhook: Some(WebhookTarget {
                url: format!("http://{}/v1/webhooks/stripe", front.addr),
                secret: SecretString::from(WEBHOOK_SECRET),
            }),
            journal: None,
            public_url: None,
        };
        let sandbox = sandbox::start(settings, listener).await.expect("a sandbox");
        let settings = NodeSettings::default()
            .with("DATABASE_URL", database.url(name))
            .with("DATABASE_CONNECTIONS", 8)
            .with("REDIS_URL", memory.url(key_space))
            .with("JWT_SECRET", JWT_SECRET)
            .with("STRIPE_SECRET_KEY", STRIPE_KEY)
            .with("STRIPE_WEBHOOK_SECRET", WEBHOOK_SECRET)
            .with("STRIPE_PUBLISHABLE_KEY", PUBLISHABLE_KEY)
            .with("STRIPE_API_URL", sandbox.url())
            .with("STRIPE_CREATES_PER_SECOND", 1000)
            .with("RATE_LIMITS", "off")
            .with("RECONCILE_SECONDS", 2)
            .with("SHUTDOWN_SECONDS", 10)
            // Nobody who sends customers looks at readiness here.
            .with("DRAIN_SECONDS", 0)
            .with("LOG_FORMAT", "json");
        Self {
            name: name.to_owned(),
            sandbox,
            front,
            settings: change(settings),
            organiser,
            places: Arc::default(),
            folder: Folder::new(),
        }
    }

    pub fn node(&self, name: &str) -> Node {
        Node::new(&self.folder, name, self.settings.clone())
    }

    /// From now on these nodes are known to people and to Stripe.
    pub async fn is_served_by(&self, nodes: &[&Node]) {
        self.places.set(nodes.iter().map(|node| node.url()).collect());
        self.front.lead_to(nodes.iter().map(|node| node.addr).collect()).await;
    }

    /// A look at the database past every wire.
    pub fn pg(&self, database: &Database) -> PgPool {
        database.look_on(&self.name, 2)
    }

    pub fn organiser(&self) -> Person {
        Person::new(token(self.organiser, "organiser"), Arc::clone(&self.places))
    }

    pub async fn customer(&self, pg: &PgPool) -> Person {
        let id = AccountId::new();
        account(pg, id, "customer").await;
        Person::new(token(id, "customer"), Arc::clone(&self.places))
    }

    /// An event that is on sale.
    pub async fn event(&self, form: Value) -> Value {
        let event = self.organiser().insists("POST", "/v1/admin/events", form).await;
        assert_eq!(event.status, 201, "{}", event.body);
        event.body
    }

    /// Rows of eight seats at 48.00 euros.
    pub async fn theatre(&self, rows: usize) -> Value {
        let rows: Vec<_> = (1..=rows).map(|row| json!({ "name": row.to_string(), "seats": 8 })).collect();
        self.event(json!({
            "title": "The Tempest", "venue": "Harbour Theatre", "starts_at": "2031-05-01T19:00:00Z",
            "currency": "eur", "orphan_rule": false,
            "categories": [{ "key": "gold", "name": "Stalls", "price": 4800 }],
            "sections": [{ "key": "stalls", "name": "Stalls", "category": "gold", "rows": rows }],
        }))
        .await
    }

    /// Pays at the sandbox as a customer's page does.
    pub fn pay(&self, order: &Value, method: &str) -> Result<(), String> {
        let intent = order["payment"]["payment_intent"].as_str().ok_or("the order cannot be paid")?;
        self.sandbox.controls().pay(intent, method).map(drop).map_err(|error| error.to_string())
    }

    /// Asks every invariant with the command that an operator has.
    pub async fn audit(&self, database: &Database, memory: &Memory, key_space: u32) -> Output {
        let mut command = self
            .settings
            .clone()
            .with("DATABASE_URL", database.direct_url(&self.name))
            .with("REDIS_URL", memory.url(key_space))
            .command(&["audit"]);
        tokio::task::spawn_blocking(move || command.output()).await.unwrap().expect("holdfast runs")
    }

    /// Every captured payment in the sandbox's ledger has exactly one home, and no door is open that should not be;
    /// answers what is otherwise.
    pub async fn homeless_money(&self, pg: &PgPool) -> Vec<String> {
        let mut homeless = Vec::new();
        for intent in self.sandbox.controls().ledger().intents {
            let (captured, refunded) = (intent.amount_received, intent.amount_refunded);
            let (confirmed, parked, order): (i64, i64, Option<String>) = sqlx::query_as(
                "select (select count(*) from payments p join orders o
                            on o.event_id = p.event_id and o.id = p.order_id
                          where p.payment_intent = $1 and o.state = 'confirmed'),
                        (select count(*) from parked_payments where payment_intent = $1 and resolved_at is null)
                        -- A part that could not be given back leaves the order as it is.
                        + (select count(*) from refunds r join orders o on o.event_id = r.event_id and o.id = r.order_id
                            where r.payment_intent = $1 and r.state = 'failed' and o.state <> 'confirmed'),
                        (select state from orders where id::text = $2)",
            )
            .bind(&intent.id)
            .bind(&intent.order_id)
            .fetch_one(pg)
            .await
            .expect("Postgres answers");
            let homes = confirmed + i64::from(refunded == captured) + parked.min(1);
            let line = format!(
                "{} of order {:?} ({order:?}): {:?}, captured {captured}, refunded {refunded}, \
                 {confirmed} confirmed, {parked} parked",
                intent.id, intent.order_id, intent.status
            );
            if refunded > captured || (captured > 0 && homes != 1) {
                homeless.push(line);
            } else if captured == 0 && is_payable(&intent) && order.as_deref() != Some("awaiting_payment") {
                homeless.push(format!("an open door: {line}"));
            }
        }
        homeless
    }
}

fn is_payable(intent: &sandbox::IntentLine) -> bool {
    use holdfast::payments::IntentStatus::{Canceled, Succeeded};
    !matches!(intent.status, Canceled | Succeeded)
}

async fn account(pg: &PgPool, id: AccountId, role: &str) {
    sqlx::query(
        "insert into accounts (id, name, email, password_hash, role) values ($1, $2, $3, 'none', $4)",
    )
    .bind(id)
    .bind(format!("A {role}"))
    .bind(format!("{id}@example.com"))
    .bind(role)
    .execute(pg)
    .await
    .expect("an account");
}

/// As the service itself would sign it.
fn token(id: AccountId, role: &str) -> String {
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let claims = json!({ "iss": "holdfast", "aud": "holdfast", "sub": id, "role": role, "iat": now,
                         "exp": now + 6 * 3600, "jti": uuid::Uuid::new_v4() });
    let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
    header.typ = Some("at+jwt".to_owned());
    let key = jsonwebtoken::EncodingKey::from_secret(JWT_SECRET.as_bytes());
    jsonwebtoken::encode(&header, &claims, &key).expect("signed")
}
