//! Postgres: one pool a node, every wait bounded.

use std::future::Future;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Executor as _, PgConnection, PgPool};
use time::OffsetDateTime;

/// Every migration, compiled in, so that one binary is a whole installation.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// The longest that one piece of work in Postgres may take before the caller is told to come back.
///
/// With the time to reach Redis it stays below the two seconds in which every call answers.
pub const PATIENCE: Duration = Duration::from_millis(1500);

/// The longest that work over a whole event may take. A stadium's claims are read in well below a second; but a machine that
/// is short of everything must not be told for ever that it is late.
const LENGTH: Duration = Duration::from_mins(1);

/// Lets the statements of a transaction that reads a whole event run for as long as [`at_length`] waits.
///
/// # Errors
/// When Postgres cannot answer.
pub async fn take_time(tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("select set_config('statement_timeout', '60000', true)").execute(tx).await?;
    Ok(())
}

/// Opens the pool. Nothing is connected yet: a database that is away is an outage, not a failed start.
///
/// # Errors
/// When the address cannot be read.
pub fn pool(url: &str, connections: u32) -> Result<PgPool, sqlx::Error> {
    let options: PgConnectOptions = url.parse()?;
    let options = options.application_name("holdfast").options([
        // A statement that outlives its caller would keep locks that nobody is waiting for.
        ("statement_timeout", "10000"),
        ("lock_timeout", "1200"),
        // A node that freezes inside a transaction must not keep its seats locked.
        ("idle_in_transaction_session_timeout", "10000"),
        // Or every connection that comes back without a transaction would say so.
        ("client_min_messages", "error"),
    ]);
    Ok(PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        .after_release(|connection, _| Box::pin(come_back_clean(connection)))
        .connect_lazy_with(options))
}

/// Ends what a connection comes back with. Work that is late is dropped where it stands, and a `begin` that is dropped
/// before its answer has come leaves a transaction that nobody knows of: whatever the next borrower wrote would be
/// acknowledged, and gone when the server ends that transaction.
async fn come_back_clean(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    connection.execute("rollback").await?;
    Ok(true)
}

/// Work in Postgres did not end in time, or could not.
#[derive(Debug, thiserror::Error)]
pub enum Outage {
    #[error("postgres did not answer within {PATIENCE:?}")]
    Late,
    #[error("postgres: {0}")]
    Failed(#[from] sqlx::Error),
}

/// Runs one piece of work, a query or a whole transaction, for at most [`PATIENCE`].
///
/// Dropping the work rolls an open transaction back, so being late leaves nothing half done, with one
/// exception that every caller must be ready for: a `commit` whose answer did not arrive may have happened.
///
/// # Errors
/// [`Outage::Late`] when time is up.
pub fn within<T, E: From<Outage>>(
    work: impl Future<Output = Result<T, E>>,
) -> impl Future<Output = Result<T, E>> {
    bounded(PATIENCE, work)
}

/// Runs a piece of background work that reads a whole event, for which nobody waits at a browser.
///
/// # Errors
/// [`Outage::Late`] when time is up.
pub fn at_length<T, E: From<Outage>>(
    work: impl Future<Output = Result<T, E>>,
) -> impl Future<Output = Result<T, E>> {
    bounded(LENGTH, work)
}

/// In a box of its own from the beginning: what the driver of Postgres keeps for one query is 30 kB, and every caller would
/// have room for it in its own state, and copy it about, also where Postgres is asked once in a thousand calls.
fn bounded<T, E: From<Outage>>(
    patience: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> impl Future<Output = Result<T, E>> {
    let work = Box::pin(tokio::time::timeout(patience, work));
    async { work.await.unwrap_or_else(|_| Err(Outage::Late.into())) }
}

/// The name of the constraint that refused a write, if that is what happened: constraints are vocabulary.
#[must_use]
pub fn constraint(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error().and_then(sqlx::error::DatabaseError::constraint)
}

/// The moment that a place in a list names by its microseconds since 1970; `None` for one that no row of ours has, and that
/// may be earlier than all that Postgres can be asked about.
#[must_use]
pub fn moment(micros: &str) -> Option<OffsetDateTime> {
    let nanos = micros.parse::<i128>().ok()?.checked_mul(1000)?;
    OffsetDateTime::from_unix_timestamp_nanos(nanos).ok().filter(|moment| moment.year() >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_one_that_a_row_can_have() {
        let now = OffsetDateTime::from_unix_timestamp(1_934_737_200).expect("a moment");
        assert_eq!(moment("1934737200000000"), Some(now));
        // 4713 years before ours Postgres' time begins; ours, as this crate has it, ten thousand years.
        for none in ["", "x", "-377705116800000000", "99999999999999999999999", "1e9"] {
            assert_eq!(moment(none), None, "{none}");
        }
    }
}
