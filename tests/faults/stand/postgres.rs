//! Postgres with a standby that has every acknowledged commit, and the one address that leads to whoever is primary.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use holdfast::local::SERVICE_ROLE;
use holdfast::local::programs::{self, PostgresPrograms};
use holdfast::stores::{postgres, service_role};
use rustix::process::Signal;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::sync::OnceCell;

use super::process::{Process, unprivileged};
use super::proxy::Proxy;
use super::{Folder, Weather, ports};

const PATIENCE: Duration = Duration::from_secs(90);
/// As the standby calls itself, so that the primary can wait for it.
const STANDBY: &str = "standby";

/// A server and its data.
#[derive(Debug)]
struct Server {
    port: u16,
    data: PathBuf,
    process: Process,
}

/// All of Postgres.
#[derive(Debug)]
pub struct Database {
    servers: Vec<Server>,
    primary: usize,
    /// What nodes are told to connect to, as a floating address would be.
    pub wire: Proxy,
    programs: PostgresPrograms,
    folder: Folder,
    migrated: OnceCell<()>,
}

/// What a node that comes this way is told: it may do what a node may do in production, and no more.
pub fn nodes_url(way: impl std::fmt::Display, name: &str) -> String {
    format!("postgres://{SERVICE_ROLE}@{way}/{name}")
}

/// A database with the schema and nothing in it, to make others of.
const EMPTY_HOUSE: &str = "empty_house";

impl Server {
    fn url(&self, name: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }

    async fn start(&mut self, programs: &PostgresPrograms) {
        // One that was killed leaves its pid behind, which may be somebody else's by now.
        let _ = std::fs::remove_file(self.data.join("postmaster.pid"));
        let mut command = Command::new(&programs.postgres);
        command.current_dir(&self.data).arg("-D").arg(&self.data);
        for setting in [
            format!("port={}", self.port),
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
            "max_connections=400".to_owned(),
            "shared_buffers=64MB".to_owned(),
            "wal_level=replica".to_owned(),
            "max_wal_size=256MB".to_owned(),
            "wal_keep_size=128MB".to_owned(),
            // A process that is killed loses nothing that the machine has; machines are not switched off here.
            "fsync=off".to_owned(),
            "wal_receiver_timeout=5s".to_owned(),
            "wal_sender_timeout=5s".to_owned(),
            "wal_retrieve_retry_interval=200ms".to_owned(),
        ] {
            command.arg("-c").arg(setting);
        }
        self.process.start(command, unprivileged());
        let began = Instant::now();
        while PgConnection::connect(&self.url("postgres")).await.is_err() {
            assert!(self.process.runs(), "Postgres ended:\n{}", self.process.last_words());
            assert!(began.elapsed() < PATIENCE, "Postgres does not answer:\n{}", self.process.last_words());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends it at once, with its children, as a crash of the whole server does.
    fn kill(&mut self) {
        self.process.signal(Signal::CONT);
        self.process.stop(Signal::QUIT);
    }
}

impl Database {
    /// A primary alone.
    pub async fn start() -> Self {
        let folder = Folder::new();
        let path = std::env::var_os("PATH");
        let programs = programs::postgres(path.as_deref()).expect("Postgres is installed").remove(0);
        let wire = Proxy::between(vec![]).await;
        let mut all = Self { servers: vec![], primary: 0, wire, programs, folder, migrated: OnceCell::new() };
        let server = all.new_server();
        all.run(
            &all.programs.initdb.clone(),
            &[
                "-D",
                server.data.to_str().expect("a plain name"),
                "-A",
                "trust",
                "-U",
                "postgres",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-instructions",
                "--no-sync",
            ],
        );
        all.servers.push(server);
        all.servers[0].start(&all.programs).await;
        let addr = all.address(0);
        all.wire.lead_to(vec![addr]).await;
        all
    }

    /// A primary and a standby.
    pub async fn start_with_standby() -> Self {
        let mut all = Self::start().await;
        all.add_standby().await;
        all
    }

    fn new_server(&self) -> Server {
        let port = ports::free();
        let data = self.folder.make(&format!("postgres-{port}"));
        let log = self.folder.path(&format!("postgres-{port}.log"));
        Server { port, data, process: Process::new(log, Signal::INT) }
    }

    fn address(&self, at: usize) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.servers[at].port))
    }

    /// Runs one of Postgres' own programs to its end, as the user whose data it is.
    fn run(&self, program: &Path, args: &[&str]) {
        use std::os::unix::process::CommandExt as _;
        let mut command = Command::new(program);
        command.args(args).current_dir(self.folder.make("work"));
        if let Some(who) = unprivileged() {
            command.uid(who.uid).gid(who.gid);
        }
        let done = command.output().expect("the program starts");
        assert!(done.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&done.stderr));
    }

    /// Copies the primary and follows it; from then on a commit is acknowledged when both have it.
    pub async fn add_standby(&mut self) {
        let mut standby = self.new_server();
        let primary = format!(
            "host=127.0.0.1 port={} user=postgres application_name={STANDBY}",
            self.servers[self.primary].port
        );
        let data = standby.data.to_str().expect("a plain name").to_owned();
        let program = self.programs.postgres.with_file_name("pg_basebackup");
        self.run(&program, &["-d", &primary, "-D", &data, "-R", "-X", "stream", "-c", "fast", "--no-sync"]);
        standby.start(&self.programs).await;
        self.servers.push(standby);
        let began = Instant::now();
        while !self.is_followed().await {
            assert!(began.elapsed() < PATIENCE, "the standby does not follow");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.wait_for_standby(true).await;
    }

    async fn primary(&self) -> PgConnection {
        let url = self.servers[self.primary].url("postgres");
        PgConnection::connect(&url).await.expect("the primary answers")
    }

    async fn is_followed(&self) -> bool {
        let mut db = self.primary().await;
        let (following,): (i64,) =
            sqlx::query_as("select count(*) from pg_stat_replication where state = 'streaming'")
                .fetch_one(&mut db)
                .await
                .expect("the primary answers");
        following > 0
    }

    async fn wait_for_standby(&self, waits: bool) {
        let mut db = self.primary().await;
        let set = if waits {
            "alter system set synchronous_standby_names = 'standby'"
        } else {
            "alter system set synchronous_standby_names = ''"
        };
        sqlx::query(set).execute(&mut db).await.expect("a setting");
        sqlx::query("select pg_reload_conf()").execute(&mut db).await.expect("it is read");
    }

    /// Where nodes find a database of this name.
    pub fn url(&self, name: &str) -> String {
        nodes_url(self.wire.addr, name)
    }

    /// The same without the wire.
    pub fn direct_nodes_url(&self, name: &str) -> String {
        nodes_url(self.primary_address(), name)
    }

    /// The same without the wire, for its owner and whoever looks on.
    pub fn direct_url(&self, name: &str) -> String {
        self.servers[self.primary].url(name)
    }

    /// A pool for whoever looks on past every wire, with more patience than a node may have.
    pub fn look_on(&self, name: &str, connections: u32) -> PgPool {
        let pool = PgPoolOptions::new().max_connections(connections).acquire_timeout(PATIENCE);
        pool.connect_lazy(&self.direct_url(name)).expect("an address")
    }

    /// Another wire to whoever is primary now.
    pub async fn another_wire(&self) -> Proxy {
        Proxy::to(self.address(self.primary)).await
    }

    /// Whether somebody follows who could take over.
    pub fn has_standby(&self) -> bool {
        self.primary + 1 < self.servers.len()
    }

    pub fn primary_address(&self) -> SocketAddr {
        self.address(self.primary)
    }

    pub async fn create(&self, name: &str, template: Option<&str>) {
        let mut db = self.primary().await;
        let create = match template {
            Some(template) => format!("create database \"{name}\" template \"{template}\""),
            None => format!("create database \"{name}\""),
        };
        sqlx::query(sqlx::AssertSqlSafe(create)).execute(&mut db).await.expect("a database");
    }

    /// A database with the schema: a copy, which takes a tenth of what the migrations take.
    pub async fn create_migrated(&self, name: &str) {
        self.migrated
            .get_or_init(async || {
                self.create(EMPTY_HOUSE, None).await;
                let pg = self.look_on(EMPTY_HOUSE, 1);
                postgres::MIGRATIONS.run(&pg).await.expect("the migrations run");
                let create = format!("create role {SERVICE_ROLE} login");
                sqlx::query(sqlx::AssertSqlSafe(create)).execute(&pg).await.expect("a role");
                service_role::grant(&pg, SERVICE_ROLE).await.expect("what a node needs");
                pg.close().await;
            })
            .await;
        self.create(name, Some(EMPTY_HOUSE)).await;
    }

    /// The primary crashes and comes back.
    pub async fn crash_and_restart(&mut self) {
        self.servers[self.primary].kill();
        self.servers[self.primary].start(&self.programs).await;
    }

    /// The primary's disk takes nothing more: nothing is written to any file, until it is started anew.
    pub fn fill_the_disk(&self) {
        // As the user whose processes these are, which not every root may do. New backends have it from their parent.
        for pid in self.servers[self.primary].process.family() {
            let pid = pid.as_raw_nonzero().to_string();
            self.run(Path::new("prlimit"), &["--pid", &pid, "--fsize=0"]);
        }
    }

    pub fn freeze_primary(&self) {
        self.servers[self.primary].process.signal(Signal::STOP);
    }

    pub fn thaw_primary(&self) {
        self.servers[self.primary].process.signal(Signal::CONT);
    }

    /// From now on the primary acknowledges what the standby does not have, as those do that wait for none.
    pub async fn standby_misses_the_rest(&self) {
        self.wait_for_standby(false).await;
        self.standby().process.signal(Signal::STOP);
        // What is in its socket already would still reach it.
        sqlx::query("select pg_terminate_backend(pid) from pg_stat_replication")
            .execute(&mut self.primary().await)
            .await
            .expect("the primary answers");
    }

    fn standby(&self) -> &Server {
        assert!(self.has_standby(), "there is a standby");
        &self.servers[self.servers.len() - 1]
    }

    /// The primary dies for good, the standby takes over, and the address leads to it. Nothing that was
    /// acknowledged is lost, unless it missed the rest. Another standby is not there until [`Database::add_standby`].
    pub async fn fail_over(&mut self) {
        let old = self.primary;
        self.servers[old].kill();
        self.standby().process.signal(Signal::CONT);
        self.primary = self.servers.len() - 1;
        let url = self.servers[self.primary].url("postgres");
        let mut db = PgConnection::connect(&url).await.expect("the standby answers");
        sqlx::query("select pg_promote()").execute(&mut db).await.expect("it is promoted");
        // Nobody follows the new primary yet, and it must not wait for nobody.
        self.wait_for_standby(false).await;
        let _ = std::fs::remove_dir_all(&self.servers[old].data);
        let addr = self.address(self.primary);
        self.wire.lead_to(vec![addr]).await;
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.wire.weather(Weather::CUT);
        for server in &mut self.servers {
            server.kill();
        }
    }
}
