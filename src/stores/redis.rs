//! Redis: one node, a Sentinel group or a Cluster behind one cheap handle, every wait bounded.
//!
//! Nothing connects before the first command, so a Redis that is away is an outage and not a failed start.
//! A command that times out may still run later: callers ask again with something that makes it safe.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterConfig;
use redis::cluster_async::ClusterConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, IntoConnectionInfo, Pipeline, RedisError,
    RedisFuture, ServerErrorKind, Value,
};

use super::cluster::Cluster;
use super::sentinel::Sentinel;
use super::single::Single;

/// To open a connection. With one answer and one repeat it stays below two seconds.
pub(super) const CONNECT: Duration = Duration::from_millis(500);
/// For one answer.
pub(super) const ANSWER: Duration = Duration::from_millis(700);
/// Before a repeat: long enough for a connection to come back or a slot to move, short beside a caller's patience.
pub(crate) const PAUSE: Duration = Duration::from_millis(40);
/// The longest that a command on a [`Blocking`] connection may ask Redis to wait.
pub const LONGEST_BLOCK: Duration = Duration::from_secs(1);
/// A blocking command that is this late will not be answered: the server is frozen or the wire is cut.
const BLOCKED_ANSWER: Duration = Duration::from_millis(2500);

/// The way to Redis. Clones share its connections.
#[derive(Clone)]
pub struct Redis {
    wire: Wire,
    // Every call takes a clone of its own, and only needs the wire.
    plan: Arc<Plan>,
}

/// A connection of one's own, for a command that waits in Redis, such as `XREAD BLOCK`, which would hold
/// up everybody else on a shared one. It does not reconnect: its owner opens another.
pub enum Blocking {
    Node(MultiplexedConnection),
    Cluster(Box<ClusterConnection>),
}

#[derive(Clone)]
enum Wire {
    Single(Single),
    Sentinel(Sentinel),
    Cluster(Cluster),
}

/// What an address means, kept to open connections of one's own.
enum Plan {
    Single(Box<Client>),
    Sentinel(Sentinel),
    Cluster(Cluster),
}

impl Redis {
    /// Reads the address; connects with the first command.
    ///
    /// `redis://`, `rediss://`, `redis+unix:///path?db=3` (or `unix://`),
    /// `redis+sentinel://host:port,host:port/master/db` and `redis+cluster://host:port,host:port`. The last two
    /// take `user:password@` before the hosts, and an `s` (`rediss+cluster://`) for TLS.
    ///
    /// # Errors
    /// When the address cannot be read. Never because Redis is away.
    #[expect(clippy::unused_async, reason = "the connections belong to the runtime that the caller is in")]
    pub async fn connect(url: &str) -> Result<Self, RedisError> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| unreadable("it has no scheme"))?;
        match scheme {
            "redis+cluster" => Self::cluster(rest, "redis"),
            "rediss+cluster" => Self::cluster(rest, "rediss"),
            "redis+sentinel" | "rediss+sentinel" => Self::sentinel(rest, scheme.starts_with("rediss")),
            _ => Self::single(url),
        }
    }

    fn single(url: &str) -> Result<Self, RedisError> {
        let client = Client::open(url)?;
        let wire = Wire::Single(Single::new(client.clone())?);
        Ok(Self { wire, plan: Arc::new(Plan::Single(Box::new(client))) })
    }

    fn sentinel(rest: &str, tls: bool) -> Result<Self, RedisError> {
        let sentinel = Sentinel::parse(rest, tls)?;
        Ok(Self { wire: Wire::Sentinel(sentinel.clone()), plan: Arc::new(Plan::Sentinel(sentinel)) })
    }

    fn cluster(rest: &str, scheme: &str) -> Result<Self, RedisError> {
        let (login, hosts) = rest.rsplit_once('@').map_or(("", rest), |(login, hosts)| (login, hosts));
        let at = if login.is_empty() { String::new() } else { format!("{login}@") };
        let nodes = hosts
            .trim_end_matches('/')
            .split(',')
            .map(|host| format!("{scheme}://{at}{host}").into_connection_info())
            .collect::<Result<Vec<_>, _>>()?;
        let client = redis::cluster::ClusterClientBuilder::new(nodes)
            .connection_timeout(CONNECT)
            .response_timeout(ANSWER)
            .retries(3)
            .min_retry_wait(20)
            .max_retry_wait(200)
            .build()?;
        let cluster = Cluster::new(client);
        Ok(Self { wire: Wire::Cluster(cluster.clone()), plan: Arc::new(Plan::Cluster(cluster)) })
    }

    /// Opens a connection of one's own for commands that wait up to [`LONGEST_BLOCK`].
    ///
    /// # Errors
    /// When Redis cannot be reached.
    pub async fn dedicated(&self) -> Result<Blocking, RedisError> {
        let opened = async {
            match &*self.plan {
                Plan::Single(client) => Self::node(client).await,
                Plan::Sentinel(sentinel) => Self::node(&sentinel.master().await?).await,
                Plan::Cluster(cluster) => {
                    let config = ClusterConfig::new()
                        .set_connection_timeout(CONNECT)
                        .set_response_timeout(BLOCKED_ANSWER);
                    let connection = cluster.client().get_async_connection_with_config(config).await?;
                    Ok(Blocking::Cluster(Box::new(connection)))
                }
            }
        };
        tokio::time::timeout(CONNECT * 2, opened).await.unwrap_or_else(|_| Err(late("no connection in time")))
    }

    async fn node(client: &Client) -> Result<Blocking, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(BLOCKED_ANSWER));
        client.get_multiplexed_async_connection_with_config(&config).await.map(Blocking::Node)
    }

    /// Asks what changes nothing, and once more when the answer is unknown.
    ///
    /// # Errors
    /// When Redis cannot be reached or says no.
    pub async fn read<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        let mut redis = self.clone();
        match command.query_async(&mut redis).await {
            Err(error) if is_unknown(&error) => {
                tokio::time::sleep(PAUSE).await;
                command.query_async(&mut redis).await
            }
            answer => answer,
        }
    }

    /// The identities of the processes that answer, sorted; another set means that a node restarted or that
    /// a replica took over, and that writes may be lost.
    ///
    /// # Errors
    /// When Redis cannot be reached.
    pub async fn run_id(&self) -> Result<Vec<String>, RedisError> {
        if let Plan::Sentinel(sentinel) = &*self.plan {
            sentinel.leave_whoever_was().await;
        }
        let mut info = redis::cmd("INFO");
        info.arg("server");
        let pages = match self.read(&info).await {
            // One of its nodes is away. Who is master of what, the others know; it changes when a replica takes over.
            Err(_) if matches!(*self.plan, Plan::Cluster(_)) => {
                let nodes: String = self.read(redis::cmd("CLUSTER").arg("NODES")).await?;
                return Ok(masters_in(&nodes));
            }
            pages => pages?,
        };
        let mut ids: Vec<String> = match pages {
            // A Cluster answers for each of its nodes, replicas too: their restarts only cost one more look.
            Value::Map(nodes) => nodes.iter().filter_map(|(_, page)| run_id_in(page)).collect(),
            page => run_id_in(&page).into_iter().collect(),
        };
        ids.sort_unstable();
        Ok(ids)
    }
}

/// Whether a command may or may not have run, or a node only asks for patience: what is safe to repeat is asked
/// once more after a [`PAUSE`]. The first command after an outage still meets the lost connection.
pub(crate) fn is_unknown(error: &RedisError) -> bool {
    use ServerErrorKind::{Ask, BusyLoading, ClusterDown, MasterDown, Moved, ReadOnly, TryAgain};
    match error.kind() {
        ErrorKind::Server(kind) => {
            matches!(kind, Ask | BusyLoading | ClusterDown | MasterDown | Moved | ReadOnly | TryAgain)
        }
        ErrorKind::ClusterConnectionNotFound => true,
        _ => error.is_io_error() || error.is_timeout() || error.is_connection_dropped(),
    }
}

fn run_id_in(page: &Value) -> Option<String> {
    let text: String = redis::from_redis_value_ref(page).ok()?;
    text.lines().find_map(|line| line.strip_prefix("run_id:")).map(|id| id.trim().to_owned())
}

/// Each master with its configuration epoch and its slots, in a fixed order.
fn masters_in(nodes: &str) -> Vec<String> {
    let mut masters: Vec<String> = nodes
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .filter(|words| words.len() > 8 && words[2].contains("master"))
        .map(|words| format!("{} {} {}", words[0], words[6], words[8..].join(" ")))
        .collect();
    masters.sort_unstable();
    masters
}

fn unreadable(why: &'static str) -> RedisError {
    RedisError::from((ErrorKind::InvalidClientConfig, "the address of Redis cannot be read", why.to_owned()))
}

pub(crate) fn late(why: &'static str) -> RedisError {
    RedisError::from(std::io::Error::new(std::io::ErrorKind::TimedOut, why))
}

impl ConnectionLike for Redis {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match &mut self.wire {
            Wire::Single(wire) => wire.req_packed_command(cmd),
            Wire::Sentinel(wire) => wire.req_packed_command(cmd),
            Wire::Cluster(wire) => wire.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match &mut self.wire {
            Wire::Single(wire) => wire.req_packed_commands(pipeline, offset, count),
            Wire::Sentinel(wire) => wire.req_packed_commands(pipeline, offset, count),
            Wire::Cluster(wire) => wire.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match &self.wire {
            Wire::Single(wire) => wire.get_db(),
            Wire::Sentinel(wire) => wire.get_db(),
            Wire::Cluster(wire) => wire.get_db(),
        }
    }
}

impl ConnectionLike for Blocking {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Node(wire) => wire.req_packed_command(cmd),
            Self::Cluster(wire) => wire.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Node(wire) => wire.req_packed_commands(pipeline, offset, count),
            Self::Cluster(wire) => wire.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Node(wire) => wire.get_db(),
            Self::Cluster(wire) => wire.get_db(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_answer_is_asked_for_again_and_a_refusal_is_not() {
        assert!(is_unknown(&late("no answer")));
        assert!(is_unknown(&RedisError::from((ErrorKind::Server(ServerErrorKind::ReadOnly), "demoted"))));
        assert!(!is_unknown(&RedisError::from((ErrorKind::Server(ServerErrorKind::NoPerm), "no"))));
    }

    #[tokio::test]
    async fn every_documented_address_is_read_without_a_server() {
        for url in [
            "redis://127.0.0.1:1/3",
            "redis+unix:///nowhere/redis.sock?db=3",
            "unix:///nowhere/redis.sock",
            "redis+sentinel://127.0.0.1:1,127.0.0.1:2/main/4",
            "redis+sentinel://user:word@127.0.0.1:1/main",
            "redis+cluster://127.0.0.1:1,127.0.0.1:2",
            "redis+cluster://user:word@127.0.0.1:1,127.0.0.1:2",
        ] {
            assert!(Redis::connect(url).await.is_ok(), "{url}");
        }
    }

    #[tokio::test]
    async fn an_address_that_means_nothing_is_refused() {
        for url in [
            "",
            "localhost",
            "http://localhost",
            "redis+sentinel://host",
            "redis+sentinel://h/m/x",
            "redis+cluster://",
        ] {
            assert!(Redis::connect(url).await.is_err(), "{url}");
        }
    }

    #[tokio::test]
    async fn a_redis_that_is_away_is_an_error_within_two_seconds() {
        for url in ["redis://127.0.0.1:1", "redis+sentinel://127.0.0.1:1/main", "redis+cluster://127.0.0.1:1"]
        {
            let mut redis = Redis::connect(url).await.expect("the address is readable");
            let asked = std::time::Instant::now();
            let answer: Result<String, _> = redis::cmd("PING").query_async(&mut redis).await;
            assert!(answer.is_err(), "{url}");
            assert!(redis.dedicated().await.is_err(), "{url}");
            assert!(asked.elapsed() < Duration::from_secs(2), "{url} took {:?}", asked.elapsed());
        }
    }
}
