//! Bringing the database up to date beside nodes that serve: no statement waits long for a lock, because everybody else
//! would wait behind it.

use std::time::{Duration, Instant};

use rand::RngExt as _;
use sqlx::Connection as _;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};

use super::postgres::MIGRATIONS;
use crate::proof::{self, Step};

/// How long a statement waits for its lock. Whoever comes after it waits as well, and customers wait two seconds at most.
const LOCK: &str = "700ms";

/// Between two tries, so that those who waited behind us get through.
const PAUSE: Duration = Duration::from_millis(800);

#[derive(Debug, thiserror::Error)]
pub enum NotMigrated {
    #[error(
        "somebody kept a table locked for {0:?}: nothing was half done, try again when fewer transactions are long"
    )]
    Locked(Duration),
    #[error(transparent)]
    Failed(#[from] MigrateError),
    #[error("Postgres cannot be reached")]
    Away(#[from] sqlx::Error),
}

/// Applies what is missing, each migration whole or not at all, for at most this long.
///
/// Any number may be at it at once, and one that was killed is repeated: what it had done is done, and the migration that it
/// was in never was. A database that is newer than this build is left as it is.
///
/// # Errors
/// When a migration fails, or when time is up because somebody keeps a lock.
pub async fn migrate(url: &str, patience: Duration) -> Result<(), NotMigrated> {
    migrate_to(&MIGRATIONS, url, patience).await
}

/// The same with other migrations.
///
/// # Errors
/// See [`migrate`].
pub async fn migrate_to(migrations: &Migrator, url: &str, patience: Duration) -> Result<(), NotMigrated> {
    let options: PgConnectOptions = url.parse()?;
    let options = options.application_name("holdfast migrate").options([
        ("lock_timeout", LOCK),
        // An index over every order takes its time, which is nobody's.
        ("statement_timeout", "0"),
        ("idle_in_transaction_session_timeout", "60000"),
    ]);
    let migrations = with_newer_allowed(migrations);
    let began = Instant::now();
    loop {
        let mut db = PgConnection::connect_with(&options).await?;
        let done = async {
            drop_unfinished_indexes(&mut db).await?;
            for migration in migrations.iter() {
                let one = migrations.run_direct(Some(migration.version), &mut db, false);
                proof::step(Step::Migrate, one).await?;
            }
            Ok(())
        }
        .await;
        // With the connection goes the lock that keeps two from migrating at once.
        let _ = db.close().await;
        match done {
            Err(error) if waits_for_a_lock(&error) => {
                if began.elapsed() >= patience {
                    return Err(NotMigrated::Locked(patience));
                }
                tracing::info!("a migration waits for its lock; trying again");
                let pause = PAUSE.mul_f64(rand::rng().random_range(0.5..1.5));
                tokio::time::sleep(pause).await;
            }
            done => return Ok(done?),
        }
    }
}

/// What is in the database and not in this build came with a newer one, which may have been rolled back.
fn with_newer_allowed(migrations: &Migrator) -> Migrator {
    let mut migrations = Migrator::with_migrations(migrations.iter().cloned().collect());
    migrations.set_ignore_missing(true);
    migrations
}

/// An index that was made beside running nodes and cut short is there, and is used for nothing: it is made again.
async fn drop_unfinished_indexes(db: &mut PgConnection) -> Result<(), MigrateError> {
    let unfinished: Vec<(String,)> = sqlx::query_as(
        "select format('%I.%I', n.nspname, c.relname)
           from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
          where not i.indisvalid and n.nspname = current_schema()
            and not exists (select from pg_stat_progress_create_index p where p.index_relid = i.indexrelid)",
    )
    .fetch_all(&mut *db)
    .await?;
    for (index,) in unfinished {
        tracing::warn!(index, "its making was cut short: it is made again");
        let drop = format!("drop index concurrently if exists {index}");
        sqlx::query(sqlx::AssertSqlSafe(drop)).execute(&mut *db).await?;
    }
    Ok(())
}

/// Somebody has a lock that we need, on a table or as another migrator; or had it, and we were chosen to give way.
fn waits_for_a_lock(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else {
        return false;
    };
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some("55P03" | "40P01"))
}
