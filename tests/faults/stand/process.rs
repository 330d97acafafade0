//! A server that can be killed, frozen and started again.

use std::path::PathBuf;
use std::process::{Command, ExitStatus};

use holdfast::local::server::{RunAs, Server};
use rustix::process::{Pid, Signal, kill_process_group};

/// Who servers run as when we are root: Postgres refuses to be.
pub fn unprivileged() -> Option<RunAs> {
    RunAs::unprivileged().expect("a user for the servers")
}

/// How to start a server, and the one that runs, if it does.
#[derive(Debug)]
pub struct Process {
    pub log: PathBuf,
    polite: Signal,
    running: Option<Server>,
}

impl Process {
    pub fn new(log: PathBuf, polite: Signal) -> Self {
        Self { log, polite, running: None }
    }

    pub fn start(&mut self, command: Command, run_as: Option<RunAs>) {
        assert!(!self.runs(), "{} runs already", self.log.display());
        let signals = (self.polite, Signal::KILL);
        let server = Server::start(command, run_as, None, &self.log, signals).expect("the program starts");
        self.running = Some(server);
    }

    /// Whether it was started and has not ended, by itself or by us.
    pub fn runs(&mut self) -> bool {
        match &mut self.running {
            Some(server) => matches!(server.ended(), Ok(None)),
            None => false,
        }
    }

    /// How it ended, once it has by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.running.as_mut().and_then(|server| server.ended().ok().flatten())
    }

    /// Like a power cut, also when it is frozen.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.running.take() {
            server.kill();
        }
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(&mut self, polite: Signal) {
        if let Some(mut server) = self.running.take() {
            server.signal(polite);
            server.stop();
        }
    }

    /// A word to it and all of its children.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = self.running.as_ref().and_then(Server::pid) {
            let _ = kill_process_group(pid, signal);
        }
    }

    /// It and its children, while it runs.
    pub fn family(&self) -> Vec<Pid> {
        let Some(own) = self.running.as_ref().and_then(Server::pid) else { return vec![] };
        let number = own.as_raw_nonzero().to_string();
        let children = std::fs::read_to_string(format!("/proc/{number}/task/{number}/children"));
        let children = children.unwrap_or_default();
        let children = children.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?));
        [own].into_iter().chain(children).collect()
    }

    /// Whether every thread of it stands still, by a step that froze it or by us.
    pub fn is_frozen(&self) -> bool {
        let Some(pid) = self.running.as_ref().and_then(Server::pid) else { return false };
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
        // The name in parentheses may hold anything; the state comes behind it.
        stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
    }

    /// The end of what it has said.
    pub fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}
