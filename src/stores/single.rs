//! One Redis: a connection that comes back by itself, also from a Redis that would not let us in for a while.
//!
//! The library's connection finds a lost wire again, and keeps a refusal for good: a Redis that was still loading its data, or
//! had another password for a minute, would be an outage until the node starts anew. So a refusal is looked at.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, ServerErrorKind, Value};

use crate::lanes;

use super::redis::{ANSWER, CONNECT, PAUSE};

/// Clones share its connections: one for each lane, which wakes nobody else, and one for all that is on none.
#[derive(Clone)]
pub struct Single {
    client: Arc<Client>,
    // Never locked across an await.
    current: Arc<[RwLock<ConnectionManager>]>,
    is_looked_at: Arc<AtomicBool>,
    db: i64,
}

impl Single {
    /// Connects with the first command.
    pub fn new(client: Client) -> Result<Self, RedisError> {
        let managers = (0..=lanes::most()).map(|_| connection(&client)).collect::<Result<Vec<_>, _>>()?;
        let db = managers[0].get_db();
        let current = managers.into_iter().map(RwLock::new).collect();
        Ok(Self { client: Arc::new(client), current, is_looked_at: Arc::default(), db })
    }

    fn own(&self) -> &RwLock<ConnectionManager> {
        &self.current[lanes::here()]
    }

    fn current(&self) -> ConnectionManager {
        self.own().read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// After a refusal: whether the connection itself was refused, and then another one for the next command.
    fn look_at<T>(&self, answer: &Result<T, RedisError>) {
        let Err(error) = answer else { return };
        if !is_refusal(error) || self.is_looked_at.swap(true, Ordering::AcqRel) {
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            // One look at a time, and not at every refused command of a stampede.
            tokio::time::sleep(PAUSE).await;
            let mut manager = this.current();
            let ping: Result<Value, _> = redis::cmd("PING").query_async(&mut manager).await;
            if ping.as_ref().is_err_and(is_refusal)
                && let Ok(fresh) = connection(&this.client)
            {
                *this.own().write().unwrap_or_else(PoisonError::into_inner) = fresh;
            }
            this.is_looked_at.store(false, Ordering::Release);
        });
    }
}

/// No retries while connecting: a caller must hear of an outage before its patience ends, and the next command
/// tries again.
fn connection(client: &Client) -> Result<ConnectionManager, RedisError> {
    let config = ConnectionManagerConfig::new()
        .set_number_of_retries(0)
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(Some(ANSWER));
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}

/// Redis answered, and not with what was asked for. A script that it does not know yet is no refusal.
fn is_refusal(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(kind) => kind != ServerErrorKind::NoScript,
        ErrorKind::AuthenticationFailed | ErrorKind::Extension | ErrorKind::Client => true,
        _ => false,
    }
}

impl ConnectionLike for Single {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let answer = self.current().req_packed_command(cmd).await;
            self.look_at(&answer);
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
            let answer = self.current().req_packed_commands(pipeline, offset, count).await;
            self.look_at(&answer);
            answer
        })
    }

    fn get_db(&self) -> i64 {
        self.db
    }
}
