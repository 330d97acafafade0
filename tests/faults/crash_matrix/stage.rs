//! Where a cell plays: a house of its own, its people, its mailbox and the other system that it tells.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use holdfast::mailbox::{self, Mailbox};
use holdfast::stores::redis::Redis;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio::sync::RwLock;
use uuid::Uuid;

use super::ears::Ears;
use crate::stand::{Answer, Database, House, Memory, NodeSettings, Person, Topology};

/// The longest that anything may take. A node that died in the middle of a call keeps its key locked for half a minute,
/// and a letter for a minute; one may die after the other.
pub const PATIENCE: Duration = Duration::from_mins(4);

/// The servers that cells share, or that one cell has for itself to lose.
pub struct Stand {
    pub topology: Topology,
    pub memory: Arc<RwLock<Memory>>,
    pub database: Arc<RwLock<Database>>,
}

impl Stand {
    pub async fn start(topology: Topology) -> Arc<Self> {
        let (memory, database) = tokio::join!(Memory::start(topology), Database::start());
        Arc::new(Self {
            topology,
            memory: Arc::new(RwLock::new(memory)),
            database: Arc::new(RwLock::new(database)),
        })
    }

    /// The same Postgres and a Redis of its own, to be lost.
    pub async fn with_own_redis(&self) -> Arc<Self> {
        let memory = Arc::new(RwLock::new(Memory::start(self.topology).await));
        Arc::new(Self { topology: self.topology, memory, database: Arc::clone(&self.database) })
    }
}

/// A call as it was answered: the same call must be answered like this for ever.
pub struct Said {
    pub who: Person,
    pub key: Uuid,
    pub method: &'static str,
    pub path: String,
    pub body: Option<Value>,
    pub answer: Answer,
}

pub struct Stage {
    pub house: House,
    pub stand: Arc<Stand>,
    /// Keeps houses apart in Redis.
    pub number: u32,
    pub pg: PgPool,
    pub redis: Redis,
    pub post: Mailbox,
    pub ears: Ears,
    /// Redis is lost in this cell: a hold that had not reached checkout may be gone.
    pub forgets: bool,
    people: Mutex<Vec<Person>>,
    /// With which act the node begins to mind where it is to stop.
    arms_with: &'static str,
    act: Mutex<&'static str>,
    said: Mutex<Vec<Said>>,
}

impl Stage {
    pub async fn open(
        stand: &Arc<Stand>,
        name: &str,
        number: u32,
        (forgets, arms_with): (bool, &'static str),
        change: impl FnOnce(NodeSettings) -> NodeSettings,
    ) -> Self {
        let (smtp, web) = (a_port().await, a_port().await);
        let post = mailbox::start(smtp, web, None).await.expect("a mailbox");
        let ears = Ears::open().await;
        let (memory, database) = (stand.memory.read().await, stand.database.read().await);
        let house = House::open(name, &database, &memory, number, |settings| {
            let settings = settings
                .with("SMTP_URL", post.smtp_url())
                .with("MAIL_FROM", "Holdfast <no-reply@holdfast.test>")
                // How long these two may take is how long a node that died keeps what it had begun to tell.
                .with("SMTP_SECONDS", 1)
                .with("HOOKS_TIMEOUT_SECONDS", 1)
                .with("HOOKS_PAUSE_MS", 100)
                .with("HOOKS_ALLOW_PRIVATE", true)
                // Each pass asks every question of the audit; nothing here waits for more than the next one.
                .with("RECONCILE_SECONDS", 3)
                .with("DATABASE_CONNECTIONS", 6)
                // No wire is cut here, and each that is in our hands costs us every byte that passes.
                .with("DATABASE_URL", database.direct_nodes_url(name));
            change(match stand.topology {
                Topology::Single => {
                    settings.with("REDIS_URL", format!("{}/{number}", memory.instances[0].address()))
                }
                Topology::Sentinel | Topology::Cluster => settings,
            })
        })
        .await;
        let pg = house.pg(&database);
        let mut people = Vec::new();
        for _ in 0..3 {
            people.push(house.customer(&pg).await);
        }
        let redis = Redis::connect(&memory.url(number)).await.expect("an address");
        drop((memory, database));
        Self {
            house,
            stand: Arc::clone(stand),
            number,
            pg,
            redis,
            post,
            ears,
            forgets,
            people: Mutex::new(people),
            arms_with,
            act: Mutex::new("nothing yet"),
            said: Mutex::default(),
        }
    }

    /// Where the nodes' logs are.
    pub fn logs(&self) -> PathBuf {
        self.house.folder.path("")
    }

    /// The file that makes a node mind where it is to stop.
    pub fn arm(&self) -> PathBuf {
        self.house.folder.path("armed")
    }

    /// What the people of the story are about to do.
    pub fn act(&self, act: &'static str) {
        if act == self.arms_with {
            std::fs::write(self.arm(), []).expect("a file");
        }
        *self.act.lock().expect("nobody panics with the lock") = act;
    }

    pub fn now(&self) -> &'static str {
        *self.act.lock().expect("nobody panics with the lock")
    }

    /// Somebody who has an account since before anything can go wrong.
    pub fn customer(&self) -> Person {
        let next = self.people.lock().expect("nobody panics with the lock").pop();
        next.expect("no story has more people")
    }

    /// Asks under one key, node after node, until there is an answer that stays.
    pub async fn call(
        &self,
        who: &Person,
        method: &'static str,
        path: &str,
        body: impl Into<Option<Value>>,
    ) -> Answer {
        let (key, body) = (Uuid::now_v7(), body.into());
        let answer = self.answer(who, method, path, body.as_ref(), key).await;
        let path = path.to_owned();
        let said = Said { who: who.clone(), key, method, path, body, answer: answer.clone() };
        self.said.lock().expect("nobody panics with the lock").push(said);
        answer
    }

    /// The answer that stays to a call under this key.
    pub async fn answer(
        &self,
        who: &Person,
        method: &str,
        path: &str,
        body: Option<&Value>,
        key: Uuid,
    ) -> Answer {
        let began = Instant::now();
        loop {
            let answer = who.asks(method, path, body, key).await;
            match answer {
                Some(answer) if !answer.is_passing() => return answer,
                other => assert!(
                    began.elapsed() < PATIENCE,
                    "{method} {path} has no answer after {PATIENCE:?}, the last was {other:?}"
                ),
            }
            tokio::time::sleep(Duration::from_millis(rand::random_range(100..300))).await;
        }
    }

    /// Asks until a node does not answer any more, and never comes back to hear what became of it.
    pub async fn call_once(&self, who: &Person, method: &str, path: &str, body: Value) -> Option<Answer> {
        let key = Uuid::now_v7();
        loop {
            let answer = who.asks(method, path, Some(&body), key).await?;
            if !answer.is_passing() {
                return Some(answer);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub async fn get(&self, who: &Person, path: &str) -> Value {
        let answer = self.answer(who, "GET", path, None, Uuid::now_v7()).await;
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.body);
        answer.body
    }

    /// Where somebody gets their letters.
    pub async fn address_of(&self, who: &Person) -> String {
        let me = self.get(who, "/v1/me").await;
        me["email"].as_str().expect("an address").to_owned()
    }

    pub fn all_said(&self) -> Vec<Said> {
        std::mem::take(&mut *self.said.lock().expect("nobody panics with the lock"))
    }

    /// The organiser's other system hears of everything from now on.
    pub async fn is_listened_to(&self) {
        self.act("another system subscribes");
        let wish = json!({ "url": self.ears.url, "events": ["*"] });
        let hook = self.call(&self.house.organiser(), "POST", "/v1/admin/hooks", wish).await;
        assert_eq!(hook.status, 201, "{}", hook.body);
    }

    /// A number out of Postgres; nothing while it is away.
    pub async fn count(&self, question: &'static str) -> Option<i64> {
        sqlx::query_as(question).fetch_one(&self.pg).await.ok().map(|(count,): (i64,)| count)
    }
}

/// Asks until there is an answer.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn a_port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a port")
}
