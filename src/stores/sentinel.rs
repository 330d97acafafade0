//! A Redis behind Sentinel: whoever is master now, found again when it stops being one.
//!
//! What finds it is done once for all who need it, and to its end also when all of them have lost patience: a machine that is so
//! busy that nobody is answered in time would otherwise be asked by everybody in turn, and never get done.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ErrorKind, Pipeline, RedisError, RedisFuture,
    ServerErrorKind, TlsMode, Value,
};

use super::redis::{ANSWER, CONNECT, late};

/// For all Sentinels together: the first ones that are asked may be frozen, and keep us for half a second each.
const PATIENCE: Duration = Duration::from_secs(3);

/// Clones share one connection to the master.
#[derive(Clone)]
pub struct Sentinel {
    // Its questions are asked one after another: `looking` and `opening` see to it that these are few.
    group: Arc<tokio::sync::Mutex<SentinelClient>>,
    looking: Errand<Client>,
    opening: Errand<(u64, MultiplexedConnection)>,
    checking: Errand<()>,
    current: Arc<Mutex<Current>>,
    db: i64,
}

/// The connection, and which one it is of those there have been.
#[derive(Default)]
struct Current {
    number: u64,
    connection: Option<MultiplexedConnection>,
    /// Whom it was opened to.
    master: Option<ConnectionAddr>,
}

/// What is done once for all who need it meanwhile, with an end of its own.
struct Errand<T>(Arc<Mutex<Option<Done<T>>>>);

type Done<T> = Shared<BoxFuture<'static, Result<T, RedisError>>>;

/// However an errand ends: whoever comes from then on wants to know how it is then.
struct Over<T>(Errand<T>);

impl<T> Drop for Over<T> {
    fn drop(&mut self) {
        *self.0.under_way() = None;
    }
}

impl<T> Clone for Errand<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Errand<T> {
    fn new() -> Self {
        Self(Arc::default())
    }

    fn under_way(&self) -> MutexGuard<'_, Option<Done<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone + Send + Sync + 'static> Errand<T> {
    /// Waits for what is under way, or for what is begun now, and not for longer than a caller can.
    async fn result(
        &self,
        late_because: &'static str,
        begin: impl Future<Output = Result<T, RedisError>> + Send + 'static,
    ) -> Result<T, RedisError> {
        let done = self.under_way().get_or_insert_with(|| self.begun(late_because, begin)).clone();
        tokio::time::timeout(CONNECT, done).await.unwrap_or_else(|_| Err(late(late_because)))
    }

    fn begun(
        &self,
        late_because: &'static str,
        errand: impl Future<Output = Result<T, RedisError>> + Send + 'static,
    ) -> Done<T> {
        let this = self.clone();
        let task = tokio::spawn(async move {
            // Not before it runs: a runtime that is ending drops it at once, under the lock that its end would take.
            let _over = Over(this);
            tokio::time::timeout(PATIENCE, errand).await.unwrap_or_else(|_| Err(late(late_because)))
        });
        let result = async move { task.await.unwrap_or_else(|_| Err(late("the node is ending"))) };
        result.boxed().shared()
    }
}

impl Sentinel {
    /// Reads `[user:password@]host:port,host:port/master[/db]`.
    pub(super) fn parse(text: &str, tls: bool) -> Result<Self, RedisError> {
        let unreadable = |why: &'static str| {
            RedisError::from((
                ErrorKind::InvalidClientConfig,
                "the address of Sentinel cannot be read",
                why.to_owned(),
            ))
        };
        let (login, text) = text.rsplit_once('@').map_or((None, text), |(login, rest)| (Some(login), rest));
        let mut parts = text.splitn(3, '/');
        let hosts = parts.next().unwrap_or_default();
        let master =
            parts.next().filter(|name| !name.is_empty()).ok_or_else(|| unreadable("it names no master"))?;
        let db = match parts.next().unwrap_or_default() {
            "" => 0,
            number => number.parse().map_err(|_| unreadable("its database is not a number"))?,
        };
        let addresses = hosts.split(',').map(|host| address(host, tls)).collect::<Option<Vec<_>>>();
        let addresses = addresses.ok_or_else(|| unreadable("a host is not host:port"))?;

        let mut builder = SentinelClientBuilder::new(addresses, master, SentinelServerType::Master)?
            .set_client_to_redis_db(db);
        if tls {
            builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
        }
        if let Some((user, password)) = login.map(|login| login.split_once(':').unwrap_or(("", login))) {
            if !user.is_empty() {
                builder = builder.set_client_to_redis_username(user);
            }
            builder = builder.set_client_to_redis_password(password);
        }
        let group = Arc::new(tokio::sync::Mutex::new(builder.build()?));
        Ok(Self {
            group,
            looking: Errand::new(),
            opening: Errand::new(),
            checking: Errand::new(),
            current: Arc::default(),
            db,
        })
    }

    /// Asks the group who is master now.
    pub(super) async fn master(&self) -> Result<Client, RedisError> {
        let group = Arc::clone(&self.group);
        let asked = async move { group.lock().await.async_get_client().await };
        self.looking.result("no Sentinel answered in time", asked).await
    }

    /// The connection and its number.
    async fn connection(&self) -> Result<(u64, MultiplexedConnection), RedisError> {
        if let Some(open) = self.open() {
            return Ok(open);
        }
        let this = self.clone();
        let opened = async move {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(CONNECT))
                .set_response_timeout(Some(ANSWER));
            let master = this.group.lock().await.async_get_client().await?;
            let opened = master.get_multiplexed_async_connection_with_config(&config).await?;
            let mut current = this.current();
            current.number += 1;
            current.connection = Some(opened.clone());
            current.master = Some(master.get_connection_info().addr().clone());
            Ok((current.number, opened))
        };
        self.opening.result("no master was found in time", opened).await
    }

    fn open(&self) -> Option<(u64, MultiplexedConnection)> {
        let current = self.current();
        current.connection.clone().map(|connection| (current.number, connection))
    }

    /// A master that is gone or was demoted is asked for anew by the next command, unless another was found since: of hundreds
    /// of commands that were under way on the old one, each is late in a moment of its own.
    fn note<T>(&self, number: u64, answer: &Result<T, RedisError>) {
        let demoted = |error: &RedisError| {
            error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly) || error.is_io_error()
        };
        if answer.as_ref().is_err_and(demoted) {
            let mut current = self.current();
            if current.number == number {
                current.connection = None;
            }
        }
    }

    /// Leaves whoever was master if the group names another by now. It lets its callers stay, and until the group reaches it, it
    /// takes itself for the master too: what is read there is old, and what is written there will be lost.
    pub(super) async fn leave_whoever_was(&self) {
        let this = self.clone();
        let checked = async move {
            let number = this.current().number;
            let named = this.group.lock().await.async_get_client().await?;
            let mut current = this.current();
            if current.number == number && current.master.as_ref() != Some(named.get_connection_info().addr())
            {
                current.connection = None;
            }
            Ok(())
        };
        // Whoever cannot be asked names nobody else.
        let _ = self.checking.result("no Sentinel answered in time", checked).await;
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn address(host: &str, tls: bool) -> Option<ConnectionAddr> {
    let (host, port) = host.rsplit_once(':').unwrap_or((host, "26379"));
    let (host, port) = (host.to_owned(), port.parse().ok()?);
    if host.is_empty() {
        return None;
    }
    Some(if tls {
        ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host, port)
    })
}

impl ConnectionLike for Sentinel {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let (number, mut connection) = self.connection().await?;
            let answer = connection.req_packed_command(cmd).await;
            self.note(number, &answer);
            answer
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let (number, mut connection) = self.connection().await?;
            let answer = connection.req_packed_commands(pipeline, offset, count).await;
            self.note(number, &answer);
            answer
        })
    }

    fn get_db(&self) -> i64 {
        self.db
    }
}
