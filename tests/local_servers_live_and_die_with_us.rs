//! The embedded stack, in the moments that are easy to get wrong: a start right after a kill, a terminal's Ctrl-C,
//! a server that does not listen, folders that the servers cannot reach, and what is left behind.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use holdfast::local::{Stack, StackError, StackSettings};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::eventually;

fn settings(dir: &Path) -> StackSettings {
    StackSettings { dir: Some(dir.to_owned()), fresh: false, redis: true, postgres: true, durable: false }
}

/// A folder of our own that the servers' user can pass through, gone at the end of the test.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("holdfast-local-{}", uuid::Uuid::new_v4().simple()));
        fs::create_dir(&dir).expect("a folder");
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).expect("it is ours");
        Self(dir)
    }

    fn data(&self) -> PathBuf {
        self.0.join("data")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Nobody, unless the test has failed.
        for server in working_in(&self.0) {
            signal(server.id, Signal::KILL);
        }
        let _ = Stack::remove(&self.data());
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A `holdfast dev` in a process of its own, up to the moment at which it is open.
struct Dev(Child);

impl Dev {
    fn start(dir: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_holdfast"))
            .args(["dev", "--listen-addr", "127.0.0.1:0", "--data"])
            .arg(dir)
            .env_remove("DATABASE_URL")
            .env_remove("REDIS_URL")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut said = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut errors = child.stderr.take().expect("a pipe");
        let mut line = String::new();
        while !line.contains("Holdfast is open") {
            line.clear();
            if said.read_line(&mut line).expect("text") == 0 {
                let mut why = String::new();
                errors.read_to_string(&mut why).expect("text");
                panic!("it ended before it opened: {why}");
            }
        }
        // What is said later must not fill the pipes and block it.
        std::thread::spawn(move || said.lines().for_each(drop));
        std::thread::spawn(move || BufReader::new(errors).lines().for_each(drop));
        Self(child)
    }

    /// Like a power cut, and gone when this returns.
    fn kill(&mut self) {
        self.0.kill().expect("it runs");
        self.0.wait().expect("it ends");
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process as `/proc` shows it.
#[derive(Debug, PartialEq, Eq)]
struct Process {
    id: i32,
    name: String,
    group: i32,
}

/// Every process that works in this folder, which is what a stack's servers do.
fn working_in(dir: &Path) -> Vec<Process> {
    let processes = fs::read_dir("/proc").expect("proc").filter_map(Result::ok).map(|entry| entry.path());
    processes
        .filter(|process| fs::read_link(process.join("cwd")).is_ok_and(|folder| folder.starts_with(dir)))
        .filter_map(|process| {
            let id = process.file_name()?.to_str()?.parse().ok()?;
            let stat = fs::read_to_string(process.join("stat")).ok()?;
            // pid (name) state parent group …; a name may hold anything but ends with the last bracket.
            let (head, tail) = stat.rsplit_once(") ")?;
            let (_, name) = head.split_once('(')?;
            let group = tail.split(' ').nth(2)?.parse().ok()?;
            Some(Process { id, name: name.to_owned(), group })
        })
        .collect()
}

/// To a process that may have ended since it was seen: workers of Postgres come and go.
fn signal(process: i32, signal: Signal) {
    let _ = kill_process(Pid::from_raw(process).expect("a process"), signal);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_right_after_a_kill_waits_for_the_servers_of_the_dead() {
    let place = Place::new();
    let mut dev = Dev::start(&place.data());
    for _ in 0..4 {
        let redis = working_in(&place.0).into_iter().find(|server| server.name == "redis-server");
        let redis = redis.expect("Redis runs").id;
        // Redis ends late, so that it is surely still there when the next run starts.
        signal(redis, Signal::STOP);
        let late = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(200));
            // The kernel may have woken it already, because nobody was left who could.
            signal(redis, Signal::CONT);
        });
        dev.kill();
        dev = Dev::start(&place.data());
        late.join().expect("it was woken");
        assert!(
            working_in(&place.0).iter().all(|server| server.id != redis),
            "two servers had the same data at the same time"
        );
        assert_eq!(working_in(&place.0).iter().filter(|server| server.name == "redis-server").count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_dies_with_us_too() {
    let place = Place::new();
    let mut dev = Dev::start(&place.data());
    for server in working_in(&place.0) {
        signal(server.id, Signal::STOP);
    }
    dev.kill();
    eventually("nobody is left", async || working_in(&place.0).is_empty().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminals_signals_are_for_us_and_not_for_our_servers() {
    let place = Place::new();
    let stack = Stack::start(&settings(&place.data())).await.expect("it starts");
    let servers = working_in(&place.0);
    assert!(servers.iter().any(|server| server.name == "redis-server"), "{servers:?}");
    assert!(servers.iter().any(|server| server.name == "postgres"), "{servers:?}");
    let ours = rustix::process::getpgrp().as_raw_nonzero().get();
    assert!(servers.iter().all(|server| server.group != ours), "{servers:?} are not in {ours}");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_one_stack_has_a_folder_and_the_other_is_told() {
    let place = Place::new();
    let first = Stack::start(&settings(&place.data())).await.expect("it starts");
    let second = Stack::start(&settings(&place.data())).await.expect_err("the folder is in use");
    assert!(matches!(second, StackError::InUse(_)), "{second}");
    assert!(matches!(Stack::remove(&place.data()), Err(StackError::InUse(_))));
    first.stop().await;
    Stack::start(&settings(&place.data())).await.expect("it is free again").stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_where_everybodys_temporary_files_are() {
    let place = Place::new();
    let stack = Stack::start(&settings(&place.data())).await.expect("it starts");
    let url = stack.redis_url(0);
    let (_, rest) = url.split_once("://").expect("a URL");
    let socket = Path::new(rest.split_once('?').expect("a database").0);
    assert!(socket.exists());
    let longest = socket.with_file_name(".s.PGSQL.5432.lock");
    assert!(longest.as_os_str().len() < 108, "{} is too long", longest.display());
    stack.stop().await;
    assert!(!socket.parent().expect("a folder").exists());

    fs::write(place.data().join("thesis.txt"), "ten years of work").expect("written");
    Stack::remove(&place.data()).expect("nobody uses it");
    let left: Vec<_> = fs::read_dir(place.data()).expect("a folder").filter_map(Result::ok).collect();
    assert_eq!(left.len(), 1, "all but somebody else's things are gone: {left:?}");
    assert!(matches!(Stack::remove(&place.data()), Err(StackError::NotOurs(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn data_of_a_postgres_that_is_not_installed_is_named_and_not_touched() {
    let place = Place::new();
    let stack = Stack::start(&settings(&place.data())).await.expect("it starts");
    stack.stop().await;
    let version = place.data().join("postgres/PG_VERSION");
    fs::write(&version, "9999\n").expect("written");
    let refused = Stack::start(&settings(&place.data())).await.expect_err("there is no such Postgres");
    assert!(refused.to_string().contains("Postgres 9999, which is not installed"), "{refused}");
    assert_eq!(fs::read_to_string(&version).expect("it is there"), "9999\n");
    let fresh = StackSettings { fresh: true, ..settings(&place.data()) };
    Stack::start(&fresh).await.expect("it starts over").stop().await;
}

/// Root's servers are another user's. Anybody else's are their own, and reach what they reach.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_the_servers_cannot_reach_is_named() {
    let place = Place::new();
    let hidden = place.0.join("hidden");
    fs::create_dir(&hidden).expect("a folder");
    fs::set_permissions(&hidden, fs::Permissions::from_mode(0o700)).expect("it is ours");
    let started = Stack::start(&settings(&hidden.join("data"))).await;
    if rustix::process::geteuid().is_root() {
        let refused = started.expect_err("postgres cannot pass");
        assert!(refused.to_string().contains("cannot reach"), "{refused}");
        assert!(refused.to_string().contains("--data"), "{refused}");
    } else {
        started.expect("it is ours").stop().await;
    }
}
