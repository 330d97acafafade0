//! A Redis Cluster: one connection to all of its nodes, and another in its place should it get stuck.
//!
//! The library's connection finds moved slots, new masters and lost wires again by itself. After a storm of failovers it was
//! once seen to answer nothing any more, for as long as its node ran, while the Cluster had long been well. So when nothing
//! at all is answered for a while, another one is tried, and takes over if it is answered.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use redis::aio::ConnectionLike;
use redis::cluster::{ClusterClient, ClusterConfig};
use redis::cluster_async::ClusterConnection;
use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, Value};

use super::redis::CONNECT;

/// Nothing at all was answered for so long: a failover is over by then, and so are the library's own attempts.
const SILENCE: Duration = Duration::from_secs(3);

/// Clones share one connection.
#[derive(Clone)]
pub struct Cluster {
    client: Arc<ClusterClient>,
    // Never locked across an await.
    current: Arc<RwLock<ClusterConnection>>,
    heard: Arc<Heard>,
    is_looked_at: Arc<AtomicBool>,
}

impl Cluster {
    /// Connects with the first command.
    pub fn new(client: ClusterClient) -> Self {
        let current = client.get_pending_async_connection_with_config(ClusterConfig::new());
        Self {
            client: Arc::new(client),
            current: Arc::new(RwLock::new(current)),
            heard: Arc::new(Heard::now()),
            is_looked_at: Arc::default(),
        }
    }

    pub(super) fn client(&self) -> &ClusterClient {
        &self.client
    }

    fn current(&self) -> ClusterConnection {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note<T>(&self, answer: &Result<T, RedisError>) {
        if is_of_a_server(answer) {
            self.heard.notes();
        } else if self.heard.silence() > SILENCE && !self.is_looked_at.swap(true, Ordering::AcqRel) {
            let this = self.clone();
            tokio::spawn(async move {
                this.tries_another().await;
                this.is_looked_at.store(false, Ordering::Release);
            });
        }
    }

    /// One that is answered at once shows that the Cluster is there, and that ours would have been as well.
    async fn tries_another(&self) {
        let another = async {
            let config = ClusterConfig::new().set_connection_timeout(CONNECT);
            let mut another = self.client.get_async_connection_with_config(config).await?;
            redis::cmd("PING").query_async::<Value>(&mut another).await?;
            Ok::<_, RedisError>(another)
        };
        match tokio::time::timeout(CONNECT * 2, another).await {
            // Whoever was only late has been answered by now.
            Ok(Ok(another)) if self.heard.silence() > SILENCE => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = another;
                self.heard.notes();
                tracing::warn!("the connection to the Cluster had got stuck, and is replaced");
            }
            Ok(Ok(_)) => {}
            _ => tokio::time::sleep(CONNECT).await,
        }
    }
}

/// Whether a server has said this, be it a refusal, and not the library in its place.
fn is_of_a_server<T>(answer: &Result<T, RedisError>) -> bool {
    answer
        .as_ref()
        .map_or_else(|error| matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension), |_| true)
}

/// When something was heard last.
struct Heard {
    began: Instant,
    millis: AtomicU64,
}

impl Heard {
    fn now() -> Self {
        Self { began: Instant::now(), millis: AtomicU64::new(0) }
    }

    fn since_the_beginning(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn notes(&self) {
        self.millis.store(self.since_the_beginning(), Ordering::Relaxed);
    }

    fn silence(&self) -> Duration {
        Duration::from_millis(self.since_the_beginning().saturating_sub(self.millis.load(Ordering::Relaxed)))
    }
}

impl ConnectionLike for Cluster {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let answer = self.current().req_packed_command(cmd).await;
            self.note(&answer);
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
            self.note(&answer);
            answer
        })
    }

    fn get_db(&self) -> i64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    fn client(port: u16) -> ClusterClient {
        let builder = redis::cluster::ClusterClientBuilder::new(vec![format!("redis://127.0.0.1:{port}")]);
        let timed = builder.connection_timeout(CONNECT).response_timeout(Duration::from_millis(300));
        timed.retries(1).min_retry_wait(10).max_retry_wait(20).build().expect("an address")
    }

    /// A Cluster of one, as far as a connection asks about it.
    async fn answers(door: TcpListener) {
        let port = door.local_addr().expect("an address").port();
        let slots = format!("*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:{port}\r\n");
        while let Ok((mut caller, _)) = door.accept().await {
            let slots = slots.clone();
            tokio::spawn(async move {
                let mut asked = vec![0; 4096];
                while let Ok(length @ 1..) = caller.read(&mut asked).await {
                    let said = String::from_utf8_lossy(&asked[..length]).to_uppercase();
                    // Each command is an array, and begins as one.
                    for command in said.split('*').skip(1) {
                        let answer = if command.contains("SLOTS") { slots.as_str() } else { "+OK\r\n" };
                        if caller.write_all(answer.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                }
            });
        }
    }

    #[tokio::test]
    async fn a_connection_that_answers_nobody_is_replaced_by_one_that_is_answered() {
        let (well, silent) = (TcpListener::bind("127.0.0.1:0").await, TcpListener::bind("127.0.0.1:0").await);
        let (well, silent) = (well.expect("a port"), silent.expect("a port"));
        let port = |door: &TcpListener| door.local_addr().expect("an address").port();
        let mut cluster = Cluster::new(client(port(&well)));
        // As good as stuck: nobody is behind that door.
        *cluster.current.write().expect("nobody panicked") =
            client(port(&silent)).get_pending_async_connection_with_config(ClusterConfig::new());
        tokio::spawn(answers(well));
        let ping = redis::cmd("PING");
        let begun = Instant::now();
        while ping.query_async::<Value>(&mut cluster).await.is_err() {
            assert!(begun.elapsed() < SILENCE * 5, "it stays stuck");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(begun.elapsed() > SILENCE, "one that is only late is left alone");
    }
}
