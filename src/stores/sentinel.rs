//! A Redis behind Sentinel: whoever is master now, found again when it stops being one.

use std::sync::Arc;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ErrorKind, Pipeline, RedisError, RedisFuture,
    ServerErrorKind, TlsMode, Value,
};
use tokio::sync::Mutex;

use super::redis::{ANSWER, CONNECT, late};

/// Clones share one connection to the master.
#[derive(Clone)]
pub struct Sentinel {
    group: Arc<Mutex<SentinelClient>>,
    // A lock of tokio's, because whoever finds no connection opens one while the others wait for it.
    current: Arc<Mutex<Option<MultiplexedConnection>>>,
    db: i64,
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
        let group = Arc::new(Mutex::new(builder.build()?));
        Ok(Self { group, current: Arc::default(), db })
    }

    /// Asks the group who is master now.
    pub(super) async fn master(&self) -> Result<Client, RedisError> {
        let asked = async { self.group.lock().await.async_get_client().await };
        tokio::time::timeout(CONNECT, asked)
            .await
            .unwrap_or_else(|_| Err(late("no Sentinel answered in time")))
    }

    async fn connection(&self) -> Result<MultiplexedConnection, RedisError> {
        let mut current = self.current.lock().await;
        if let Some(connection) = current.as_ref() {
            return Ok(connection.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER));
        let opened = self.master().await?.get_multiplexed_async_connection_with_config(&config).await?;
        *current = Some(opened.clone());
        Ok(opened)
    }

    /// A master that is gone or was demoted is asked for anew by the next command.
    async fn note<T>(&self, answer: &Result<T, RedisError>) {
        let demoted = |error: &RedisError| {
            error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly) || error.is_io_error()
        };
        if answer.as_ref().is_err_and(demoted) {
            *self.current.lock().await = None;
        }
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
            let answer = self.connection().await?.req_packed_command(cmd).await;
            self.note(&answer).await;
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
            let answer = self.connection().await?.req_packed_commands(pipeline, offset, count).await;
            self.note(&answer).await;
            answer
        })
    }

    fn get_db(&self) -> i64 {
        self.db
    }
}
