//! The embedded stack: a private Redis and a private Postgres for one folder, from the installed programs.
//!
//! They listen on unix sockets only, keep their data between runs, and die with us, even when we are killed. The
//! same supervisor starts `holdfast dev` and every test run.

mod folder;
pub mod programs;
mod ready;
mod secrets;
pub mod server;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{env, fs, io};

use rustix::process::Signal;
use sqlx::Connection as _;

use self::folder::Folder;
use self::server::{RunAs, Server};
use crate::stores::{migrate, postgres, service_role};

pub use self::programs::Missing;
pub use self::secrets::Secrets;

/// What nodes are in an embedded Postgres: somebody who is not its owner, as in production.
pub const SERVICE_ROLE: &str = "holdfast_service";

/// Nobody has a lock for long in a database that is only just opened.
const MIGRATION_PATIENCE: Duration = Duration::from_secs(30);

/// What to start, and where.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "four settings that have nothing to do with each other")]
pub struct StackSettings {
    /// Where data is kept. `None` chooses a folder that belongs to the current one.
    pub dir: Option<PathBuf>,
    /// Empties the folder first.
    pub fresh: bool,
    /// Whether to start Redis.
    pub redis: bool,
    /// Whether to start Postgres.
    pub postgres: bool,
    /// Whether data must survive a power cut. Tests, whose data lives as long as they do, need not wait for disks.
    pub durable: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum StackError {
    #[error(transparent)]
    Missing(#[from] Missing),
    #[error("another holdfast runs on {0}: stop it, or name another folder with --data (HOLDFAST_DATA)")]
    InUse(PathBuf),
    #[error("{0} is not a folder of holdfast's: it is not touched")]
    NotOurs(PathBuf),
    #[error(
        "the user that runs the servers cannot reach {0}: name another folder with --data (HOLDFAST_DATA)"
    )]
    OutOfReach(PathBuf),
    #[error(
        "the data in {0} is of Postgres {1}, which is not installed: install it, or start over with --fresh"
    )]
    OtherVersion(PathBuf, String),
    #[error("no holdfast runs on {0}")]
    NotRunning(PathBuf),
    #[error("{server} did not start; the end of its log {log}:\n{tail}", log = .log.display())]
    NotStarted { server: &'static str, log: PathBuf, tail: String },
    #[error("{what}")]
    Io {
        what: String,
        #[source]
        source: io::Error,
    },
    #[error("the embedded Postgres")]
    Database(#[from] sqlx::Error),
    #[error("bringing the database up to date")]
    Migrations(#[from] migrate::NotMigrated),
    #[error(transparent)]
    Grants(#[from] service_role::GrantError),
}

impl StackError {
    fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        |source| Self::Io { what, source }
    }
}

/// The running stack. Cheap to clone; the servers stop with [`Stack::stop`] or with the last clone.
#[derive(Debug, Clone)]
pub struct Stack(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    // Only ever locked for the moment of a start or a stop, never across an await.
    redis: Mutex<Option<Server>>,
    postgres: Mutex<Option<Server>>,
    run_as: Option<RunAs>,
    durable: bool,
    // Last, because fields are dropped in this order: the servers must have ended before the folder is let go.
    folder: Folder,
}

impl Stack {
    /// Starts what was asked for and waits until it answers.
    pub async fn start(settings: &StackSettings) -> Result<Self, StackError> {
        let run_as = RunAs::unprivileged().map_err(StackError::io("finding a user for the servers"))?;
        let folder = Folder::open(settings, run_as)?;
        let stack = Self(Arc::new(Inner {
            folder,
            run_as,
            durable: settings.durable,
            redis: Mutex::default(),
            postgres: Mutex::default(),
        }));
        // Both at once: the slower one is the whole wait.
        let (redis, postgres) =
            tokio::join!(async { if settings.redis { stack.start_redis().await } else { Ok(()) } }, async {
                if settings.postgres { stack.start_postgres().await } else { Ok(()) }
            },);
        redis.and(postgres)?;
        Ok(stack)
    }

    /// The stack that another process runs on this folder, to be used beside it.
    pub fn running(dir: Option<&Path>) -> Result<Self, StackError> {
        let run_as = RunAs::unprivileged().map_err(StackError::io("finding a user for the servers"))?;
        let folder = Folder::of_a_running_stack(dir, run_as)?;
        Ok(Self(Arc::new(Inner {
            folder,
            run_as,
            durable: true,
            redis: Mutex::default(),
            postgres: Mutex::default(),
        })))
    }

    /// Removes the folder of a stack that nobody uses, data and all.
    pub fn remove(dir: &Path) -> Result<(), StackError> {
        Folder::remove(dir)
    }

    /// Starts Redis, unless it runs.
    pub async fn start_redis(&self) -> Result<(), StackError> {
        let folder = &self.0.folder;
        let data = folder.make("redis", self.0.run_as)?;
        let mut command = Command::new(programs::redis(env::var_os("PATH").as_deref())?);
        command.current_dir(&data).args(["--port", "0", "--unixsocketperm", "700", "--daemonize", "no"]);
        command.arg("--unixsocket").arg(folder.redis_socket()).arg("--dir").arg(&data);
        command.args(["--databases", "4096", "--maxmemory-policy", "noeviction", "--save", ""]);
        command.args(["--appendonly", if self.0.durable { "yes" } else { "no" }]);
        let log = folder.log("redis");
        let server = self.spawn(command, &log, (Signal::TERM, Signal::TERM))?;
        *lock(&self.0.redis) = Some(server);
        let socket = folder.redis_socket();
        ready::wait("redis-server", &log, &self.0.redis, || std::future::ready(ready::redis(&socket))).await
    }

    /// Starts Postgres, unless it runs; makes its cluster first where there is none.
    pub async fn start_postgres(&self) -> Result<(), StackError> {
        let folder = &self.0.folder;
        let data = folder.path("postgres");
        let version = fs::read_to_string(data.join("PG_VERSION")).ok();
        let installed = programs::postgres(env::var_os("PATH").as_deref())?;
        let programs = match version.as_deref().map(str::trim) {
            None => &installed[0],
            Some(version) => installed
                .iter()
                .find(|programs| programs.major_version().as_deref() == Some(version))
                .ok_or_else(|| StackError::OtherVersion(folder.dir().to_owned(), version.to_owned()))?,
        };
        if version.is_none() {
            self.init_postgres(&programs.initdb, &data).await?;
        }
        let mut command = Command::new(&programs.postgres);
        command.current_dir(&data).arg("-D").arg(&data).arg("-k").arg(folder.sockets());
        command.args(["-c", "listen_addresses=", "-c", "max_connections=600", "-c", "shared_buffers=64MB"]);
        if !self.0.durable {
            command.args(["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]);
        }
        let log = folder.log("postgres");
        let server = self.spawn(command, &log, (Signal::INT, Signal::QUIT))?;
        *lock(&self.0.postgres) = Some(server);
        let url = self.database_url("postgres");
        ready::wait("postgres", &log, &self.0.postgres, || ready::postgres(&url)).await
    }

    /// Makes the cluster aside and moves it into place, so that one cut short is never taken for whole.
    async fn init_postgres(&self, initdb: &Path, data: &Path) -> Result<(), StackError> {
        let aside = self.0.folder.path("postgres.new");
        if aside.exists() {
            fs::remove_dir_all(&aside).map_err(StackError::io("clearing an unfinished cluster"))?;
        }
        let log = self.0.folder.log("initdb");
        let mut command = Command::new(initdb);
        command.current_dir(self.0.folder.dir()).arg("-D").arg(&aside);
        command.args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-instructions"]);
        // It would wait for the disk file by file; the whole is brought there below, while the server starts.
        command.arg("--no-sync");
        let mut server = self.spawn(command, &log, (Signal::TERM, Signal::KILL))?;
        let status = tokio::task::spawn_blocking(move || {
            loop {
                match server.ended() {
                    Ok(None) => std::thread::sleep(Duration::from_millis(2)),
                    ended => return ended,
                }
            }
        })
        .await
        .unwrap_or_else(|panic| Err(io::Error::other(panic)))
        .map_err(StackError::io("waiting for initdb"))?;
        if !status.is_some_and(|status| status.success()) {
            return Err(ready::not_started("initdb", &log));
        }
        fs::rename(&aside, data).map_err(StackError::io("moving the new cluster into place"))?;
        if self.0.durable {
            let cluster = fs::File::open(data).map_err(StackError::io("opening the new cluster"))?;
            tokio::task::spawn_blocking(move || rustix::fs::syncfs(cluster));
        }
        Ok(())
    }

    fn spawn(&self, command: Command, log: &Path, signals: (Signal, Signal)) -> Result<Server, StackError> {
        let what = format!("starting {}", command.get_program().display());
        let share = self.0.folder.share().map_err(StackError::io("sharing the folder's lock"))?;
        Server::start(command, self.0.run_as, share, log, signals).map_err(StackError::io(what))
    }

    /// Where the data is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.0.folder.dir()
    }

    /// Secrets that belong to the data.
    pub fn secrets(&self) -> Result<Secrets, StackError> {
        secrets::of(self.dir()).map_err(StackError::io("reading the secrets"))
    }

    #[must_use]
    pub fn redis_url(&self, database: u32) -> String {
        format!("redis+unix://{}?db={database}", self.0.folder.redis_socket().display())
    }

    /// A database's address for its owner.
    #[must_use]
    pub fn database_url(&self, name: &str) -> String {
        self.database_url_of("postgres", name)
    }

    /// A database's address for a node.
    #[must_use]
    pub fn service_url(&self, name: &str) -> String {
        self.database_url_of(SERVICE_ROLE, name)
    }

    fn database_url_of(&self, role: &str, name: &str) -> String {
        format!("postgres://{role}@localhost/{name}?host={}", self.0.folder.sockets().display())
    }

    /// Brings a database up to date, and lets nodes work in it.
    pub async fn prepare_database(&self, name: &str) -> Result<(), StackError> {
        migrate::migrate(&self.database_url(name), MIGRATION_PATIENCE).await?;
        let db = postgres::pool(&self.database_url(name), 2)?;
        let create = format!("create role {SERVICE_ROLE} login");
        match sqlx::query(sqlx::AssertSqlSafe(create)).execute(&db).await {
            // It is there: roles are the whole server's, and data of before is used again.
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42710") => {}
            done => {
                done?;
            }
        }
        service_role::grant(&db, SERVICE_ROLE).await?;
        db.close().await;
        Ok(())
    }

    /// Creates a database, empty or as a copy of another, unless it is there.
    pub async fn create_database(&self, name: &str, template: Option<&str>) -> Result<(), StackError> {
        let mut db = sqlx::PgConnection::connect(&self.database_url("postgres")).await?;
        let create = match template {
            Some(template) => format!("create database \"{name}\" template \"{template}\""),
            None => format!("create database \"{name}\""),
        };
        match sqlx::query(sqlx::AssertSqlSafe(create)).execute(&mut db).await {
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P04") => {}
            done => {
                done?;
            }
        }
        db.close().await?;
        Ok(())
    }

    /// Stops both servers politely.
    pub async fn stop(self) {
        let stopping = tokio::task::spawn_blocking(move || {
            for server in [&self.0.postgres, &self.0.redis] {
                if let Some(mut server) = lock(server).take() {
                    server.stop();
                }
            }
        });
        if let Err(panic) = stopping.await {
            tracing::error!(%panic, "the servers could not be stopped");
        }
    }

    /// Ends Redis like a power cut.
    pub fn kill_redis(&self) {
        if let Some(mut server) = lock(&self.0.redis).take() {
            server.kill();
        }
    }

    /// Ends Postgres like a power cut: the postmaster's children notice that it is gone and go, too.
    pub fn kill_postgres(&self) {
        if let Some(mut server) = lock(&self.0.postgres).take() {
            server.signal(Signal::QUIT);
            server.stop();
        }
    }

    /// Stops the clock for Redis: it neither answers nor hangs up.
    pub fn freeze_redis(&self) {
        self.signal_redis(Signal::STOP);
    }

    pub fn thaw_redis(&self) {
        self.signal_redis(Signal::CONT);
    }

    fn signal_redis(&self, signal: Signal) {
        if let Some(server) = &*lock(&self.0.redis) {
            server.signal(signal);
        }
    }
}

/// A start that panicked leaves a server or none: both are fine to look at.
fn lock(server: &Mutex<Option<Server>>) -> std::sync::MutexGuard<'_, Option<Server>> {
    server.lock().unwrap_or_else(PoisonError::into_inner)
}
