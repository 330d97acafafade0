//! `holdfast serve` as a process of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::process::Process;
use super::{Folder, ports};

/// The longest that a node may take to be ready on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// What a node is told, by the names of its environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeSettings(BTreeMap<String, String>);

impl NodeSettings {
    /// What every node needs; `secrets` and addresses are added by whoever knows them.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.0.insert(name.to_owned(), value.to_string());
        self
    }

    /// A command of `holdfast` with these settings and nothing else from our own environment.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
        command.args(args).env_clear().envs(&self.0);
        command
    }
}

/// A node at an address that it keeps over restarts.
#[derive(Debug)]
pub struct Node {
    pub name: String,
    pub addr: SocketAddr,
    pub settings: NodeSettings,
    process: Process,
}

impl Node {
    pub fn new(folder: &Folder, name: &str, settings: NodeSettings) -> Self {
        let addr = SocketAddr::from(([127, 0, 0, 1], ports::free()));
        let settings = settings.with("LISTEN_ADDR", addr);
        let process = Process::new(folder.path(&format!("{name}.log")), Signal::TERM);
        Self { name: name.to_owned(), addr, settings, process }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Starts it without waiting for anything.
    pub fn launch(&mut self) {
        let command = self.settings.command(&["serve"]);
        self.process.start(command, None);
    }

    /// Starts it and waits until it can sell.
    pub async fn start(&mut self) {
        self.launch();
        self.is_ready().await;
    }

    pub async fn is_ready(&mut self) {
        let began = Instant::now();
        let http = reqwest::Client::new();
        loop {
            let asked =
                http.get(format!("{}/readyz", self.url())).timeout(Duration::from_secs(2)).send().await;
            if asked.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            assert!(self.runs(), "{} ended:\n{}", self.name, self.process.last_words());
            assert!(began.elapsed() < PATIENCE, "{} is not ready:\n{}", self.name, self.process.last_words());
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    pub fn runs(&mut self) -> bool {
        self.process.runs()
    }

    /// How it ended, once it has without our doing.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.ended()
    }

    pub fn is_frozen(&self) -> bool {
        self.process.is_frozen()
    }

    pub fn kill(&mut self) {
        self.process.kill();
    }

    pub fn freeze(&self) {
        self.process.signal(Signal::STOP);
    }

    pub fn thaw(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Asks it to end as a supervisor does, and waits until it has.
    pub fn stop(&mut self) {
        self.process.stop(Signal::TERM);
    }

    /// A supervisor's polite word, without waiting for what comes of it.
    pub fn is_asked_to_end(&self) {
        self.process.signal(Signal::TERM);
    }

    pub fn last_words(&self) -> String {
        self.process.last_words()
    }

    /// All that it has said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.process.log).unwrap_or_default()
    }
}
