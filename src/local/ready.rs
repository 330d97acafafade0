//! Waiting until a server answers, or has ended, or is too late.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use sqlx::Connection as _;

use super::server::Server;
use super::{StackError, lock};

/// A data folder of any size that we would make is replayed well within this.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long one question may go unanswered before it is asked again.
const ANSWER: Duration = Duration::from_secs(2);

/// Asks again until the server answers; says why when it ended instead.
pub async fn wait<F>(
    name: &'static str,
    log: &Path,
    server: &Mutex<Option<Server>>,
    answers: impl Fn() -> F,
) -> Result<(), StackError>
where
    F: Future<Output = bool>,
{
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        // One that takes the connection and never answers must not hold us up either.
        if tokio::time::timeout(ANSWER, answers()).await.unwrap_or(false) {
            return Ok(());
        }
        let ended = match &mut *lock(server) {
            Some(server) => server.ended().map_err(StackError::io("watching a server"))?.is_some(),
            None => true,
        };
        if ended {
            break;
        }
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
    Err(not_started(name, log))
}

/// The failure with the last lines of the log, which usually say it all.
pub fn not_started(server: &'static str, log: &Path) -> StackError {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    let tail = lines[lines.len().saturating_sub(8)..].join("\n");
    StackError::NotStarted { server, log: log.to_owned(), tail }
}

/// A Redis that is still loading its data answers, but not with PONG.
pub fn redis(socket: &Path) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(Duration::from_millis(200)))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)?;
        Ok(&answer == b"+PONG")
    };
    ask().unwrap_or(false)
}

pub async fn postgres(url: &str) -> bool {
    match sqlx::PgConnection::connect(url).await {
        Ok(connection) => connection.close().await.is_ok(),
        Err(_) => false,
    }
}
