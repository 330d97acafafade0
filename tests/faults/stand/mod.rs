//! A stand: real servers of production's shape, real nodes as processes, and every wire between them in our hands.
//!
//! Redis alone, behind Sentinel, or as a Cluster of three with a replica each; Postgres with a streaming standby;
//! `holdfast serve` as often as wanted. Whatever can go wrong with a process or a wire can be done to each of them.

mod house;
mod node;
mod person;
mod ports;
mod postgres;
mod process;
mod proxy;
mod redis;
mod redis_harm;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

pub use self::house::{House, STRIPE_KEY, eventually};
pub use self::node::{Node, NodeSettings};
pub use self::person::{Answer, Person};
pub use self::postgres::{Database, nodes_url};
pub use self::proxy::{Proxy, Weather};
pub use self::redis::Memory;

/// How Redis is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topology {
    Single,
    /// A master, its replica, and three Sentinels that decide between them.
    Sentinel,
    /// Three masters that share the slots, and a replica of each.
    Cluster,
}

impl Topology {
    pub const ALL: [Self; 3] = [Self::Single, Self::Sentinel, Self::Cluster];

    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Sentinel => "sentinel",
            Self::Cluster => "cluster",
        }
    }
}

impl std::str::FromStr for Topology {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|topology| topology.name() == text)
            .ok_or_else(|| "one of single, sentinel, cluster".to_owned())
    }
}

/// A folder that goes with its last user, for the servers of one stand.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// One a user and process, where the unprivileged user of the servers may look, too.
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let user = rustix::process::geteuid().as_raw();
        let all = std::env::temp_dir().join(format!("holdfast-stands-{user}"));
        std::fs::create_dir_all(&all).expect("the folder for temporary files is writable");
        forget_the_dead(&all);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = all.join(format!("{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("a folder");
        Self(dir)
    }

    /// A folder in it that a server may write to.
    pub fn make(&self, name: &str) -> PathBuf {
        let dir = self.0.join(name);
        std::fs::create_dir_all(&dir).expect("a folder");
        // Postgres wants its data to be nobody else's.
        std::fs::set_permissions(&dir, Permissions::from_mode(0o700)).expect("a folder of ours");
        if let Some(who) = process::unprivileged() {
            std::os::unix::fs::chown(&dir, Some(who.uid), Some(who.gid)).expect("root gives folders away");
        }
        dir
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// Removes what runs that were killed, or failed, left behind: the last failure is kept until the next run.
fn forget_the_dead(all: &std::path::Path) {
    for entry in std::fs::read_dir(all).into_iter().flatten().filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name.split('-').next().unwrap_or_default();
        if pid.is_empty() || !std::path::Path::new("/proc").join(pid).exists() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
