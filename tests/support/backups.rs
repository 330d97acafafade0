//! Backups as an operator makes them, with the programs that come with Postgres, and what it takes to go back to one.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use holdfast::local::Stack;
use holdfast::stores::postgres;
use sqlx::PgPool;

use super::{Holdfast, eventually};

/// A program of the Postgres that the stack runs, as its user: the data is that user's.
fn program(stack: &Stack, name: &str) -> Command {
    let running = std::fs::read_to_string(stack.dir().join("postgres/PG_VERSION")).expect("a cluster");
    let debian = Path::new("/usr/lib/postgresql").join(running.trim()).join("bin").join(name);
    let mut command = if debian.exists() { Command::new(debian) } else { Command::new(name) };
    let owner = stack.dir().metadata().expect("the stack's folder");
    command.uid(owner.uid()).gid(owner.gid()).current_dir(stack.dir());
    command.args(["-U", "postgres", "-h", &sockets(stack)]);
    command
}

fn sockets(stack: &Stack) -> String {
    stack.database_url("postgres").split("host=").nth(1).expect("a socket").to_owned()
}

fn run(command: &mut Command) {
    let done = command.output().expect("it runs");
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn own(stack: &Stack, path: &Path) {
    let owner = stack.dir().metadata().expect("the stack's folder");
    chown(path, Some(owner.uid()), Some(owner.gid())).expect("given to the servers' user");
}

fn append(path: &Path, lines: &str) {
    let before = std::fs::read_to_string(path).unwrap_or_default();
    std::fs::write(path, format!("{before}\n{lines}\n")).expect("written");
}

/// A base backup and the log that was kept since.
pub struct Archive {
    base: PathBuf,
    log: PathBuf,
}

impl Archive {
    /// Has Postgres keep its log from here on, which takes a restart, and takes a base backup.
    pub async fn begin(stack: &Stack) -> Self {
        let (base, log) = (stack.dir().join("logs/base"), stack.dir().join("logs/wal"));
        std::fs::create_dir(&log).expect("a folder");
        own(stack, &log);
        append(
            &stack.dir().join("postgres/postgresql.conf"),
            // A copy that was cut short must not look whole.
            &format!(
                "archive_mode = on\narchive_command = 'cp %p {0}/%f.part && mv {0}/%f.part {0}/%f'",
                log.display()
            ),
        );
        stack.kill_postgres();
        stack.start_postgres().await.expect("it starts");
        let mut backup = program(stack, "pg_basebackup");
        run(backup.args(["--checkpoint=fast", "--no-sync", "-X", "stream", "-D"]).arg(&base));
        Self { base, log }
    }

    /// Everything up to now is in the archive.
    pub async fn is_complete(&self, stack: &Stack) {
        let pg = postgres::pool(&stack.database_url("postgres"), 1).expect("an address");
        let (file,): (String,) = sqlx::query_as("select pg_walfile_name(pg_switch_wal())")
            .fetch_one(&pg)
            .await
            .expect("the log goes on in another file");
        eventually("the log is archived", async || self.log.join(&file).exists().then_some(())).await;
    }

    /// The machine is lost. Another Postgres takes its place, from the base backup and the log up to a moment.
    pub async fn is_restored(&self, stack: &Stack, until: &str) {
        stack.kill_postgres();
        let data = stack.dir().join("postgres");
        std::fs::remove_dir_all(&data).expect("the machine is lost");
        std::fs::rename(&self.base, &data).expect("the base backup is there");
        append(
            &data.join("postgresql.auto.conf"),
            &format!(
                "restore_command = 'cp {}/%f %p'\nrecovery_target_time = '{until}'\n\
                 recovery_target_action = 'promote'",
                self.log.display()
            ),
        );
        std::fs::write(data.join("recovery.signal"), "").expect("a wish to recover");
        own(stack, &data.join("recovery.signal"));
        stack.start_postgres().await.expect("it starts");
        let pg = postgres::pool(&stack.database_url("postgres"), 1).expect("an address");
        eventually("Postgres is there again", async || {
            let (recovering,): (bool,) =
                sqlx::query_as("select pg_is_in_recovery()").fetch_one(&pg).await.ok()?;
            (!recovering).then_some(())
        })
        .await;
    }
}

/// A dump of one database, to be put back under the same name.
pub struct Dump {
    file: PathBuf,
    database: String,
}

impl Dump {
    pub fn of(holdfast: &Holdfast) -> Self {
        let stack = holdfast.stack();
        let file = stack.dir().join("logs/holdfast.dump");
        let database = holdfast.database_name();
        run(program(stack, "pg_dump").args(["--format=custom", "--file"]).arg(&file).arg(&database));
        Self { file, database }
    }

    pub async fn is_restored(&self, stack: &Stack) {
        let pg: PgPool = postgres::pool(&stack.database_url("postgres"), 1).expect("an address");
        for statement in ["drop database", "create database"] {
            let force = if statement.starts_with("drop") { " with (force)" } else { "" };
            let statement = format!("{statement} \"{}\"{force}", self.database);
            sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&pg).await.expect("an empty database");
        }
        let mut restore = program(stack, "pg_restore");
        run(restore.args(["--exit-on-error", "--dbname", &self.database]).arg(&self.file));
    }
}

/// Postgres' own clock, for a moment to go back to.
pub async fn now_in(pg: &PgPool) -> String {
    let (now,): (String,) =
        sqlx::query_as("select clock_timestamp()::text").fetch_one(pg).await.expect("an answer");
    now
}
