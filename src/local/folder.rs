//! The folder of a stack: ours by a marker, used by one process at a time, reachable by its servers.

use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::{env, io};

use rustix::fs::{FlockOperation, flock};

use super::server::RunAs;
use super::{StackError, StackSettings};

/// Written into every folder that is ours: what has none is never emptied.
const MARKER: &str = "holdfast-stack";

/// What `fresh` removes; anything else in the folder is somebody else's.
const OURS: [&str; 6] = ["redis", "postgres", "postgres.new", "secrets", "sandbox.journal", "logs"];

#[derive(Debug)]
pub struct Folder {
    dir: PathBuf,
    sockets: PathBuf,
    /// Held for as long as we live; the kernel lets go of it, however we end.
    _lock: Option<File>,
}

impl Folder {
    /// Opens the folder for us alone.
    pub fn open(settings: &StackSettings, run_as: Option<RunAs>) -> Result<Self, StackError> {
        let dir = chosen(settings.dir.as_deref(), run_as)?;
        make_private(&dir, run_as)?;
        // As one path, so that two ways to write it are one folder and one lock.
        let dir = dir.canonicalize().map_err(StackError::io(format!("opening {}", dir.display())))?;
        claim(&dir)?;
        let lock = lock(&dir)?.ok_or_else(|| StackError::InUse(dir.clone()))?;
        if settings.fresh {
            empty(&dir)?;
        }
        let sockets = socket_folder(&dir);
        make_private(&sockets, run_as)?;
        make_private(&dir.join("logs"), run_as)?;
        Ok(Self { dir, sockets, _lock: Some(lock) })
    }

    /// The folder of a stack that runs already.
    pub fn of_a_running_stack(dir: Option<&Path>, run_as: Option<RunAs>) -> Result<Self, StackError> {
        let dir = chosen(dir, run_as)?;
        let dir = dir.canonicalize().map_err(|_| StackError::NotRunning(dir))?;
        let free = dir.join(MARKER).exists() && lock(&dir)?.is_some();
        if free || !dir.join(MARKER).exists() {
            return Err(StackError::NotRunning(dir));
        }
        Ok(Self { sockets: socket_folder(&dir), dir, _lock: None })
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub fn make(&self, name: &str, run_as: Option<RunAs>) -> Result<PathBuf, StackError> {
        let path = self.path(name);
        make_private(&path, run_as)?;
        Ok(path)
    }

    pub fn log(&self, server: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{server}.log"))
    }

    pub fn sockets(&self) -> &Path {
        &self.sockets
    }

    pub fn redis_socket(&self) -> PathBuf {
        self.sockets.join("redis.sock")
    }
}

/// A folder of the current one, where the servers can reach it; else one of the system's, named after it.
fn chosen(given: Option<&Path>, run_as: Option<RunAs>) -> Result<PathBuf, StackError> {
    if let Some(dir) = given {
        return Ok(dir.to_owned());
    }
    let here = env::current_dir().map_err(StackError::io("finding the current folder"))?;
    if run_as.is_none() || everybody_may_pass(&here) {
        return Ok(here.join(".holdfast"));
    }
    Ok(Path::new("/var/lib/holdfast").join(name_of(&here)))
}

/// As root the servers are somebody else, who cannot pass through a folder like root's home.
fn everybody_may_pass(dir: &Path) -> bool {
    dir.ancestors().all(|part| part.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o001 != 0))
}

fn name_of(dir: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    dir.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// The path of a socket may have 107 bytes, and a folder of data may lie deeper than that.
fn socket_folder(dir: &Path) -> PathBuf {
    let user = rustix::process::geteuid().as_raw();
    Path::new("/tmp").join(format!("holdfast-{user}-{}", name_of(dir)))
}

/// Makes a folder that only its user may enter, and refuses one that somebody else has put there.
fn make_private(dir: &Path, run_as: Option<RunAs>) -> Result<(), StackError> {
    let what = || format!("making {}", dir.display());
    if let Some(parent) = dir.parent() {
        fs::create_dir_all(parent).map_err(StackError::io(what()))?;
    }
    match fs::DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(StackError::io(what())(error));
        }
        _ => {}
    }
    let us = rustix::process::geteuid().as_raw();
    let owner = fs::symlink_metadata(dir).map_err(StackError::io(what()))?;
    let expected = run_as.map_or(us, |user| user.uid);
    if !owner.is_dir() || (owner.uid() != us && owner.uid() != expected) {
        return Err(StackError::NotOurs(dir.to_owned()));
    }
    if let Some(RunAs { uid, gid }) = run_as {
        chown(dir, Some(uid), Some(gid)).map_err(StackError::io(what()))?;
    }
    Ok(())
}

/// Marks an empty folder as ours; one with other things in it and no mark is not.
fn claim(dir: &Path) -> Result<(), StackError> {
    let marker = dir.join(MARKER);
    if marker.exists() {
        return Ok(());
    }
    let mut things = fs::read_dir(dir).map_err(StackError::io(format!("reading {}", dir.display())))?;
    if things.next().is_some() {
        return Err(StackError::NotOurs(dir.to_owned()));
    }
    fs::write(&marker, "Data of holdfast's embedded Redis and Postgres. `holdfast dev --fresh` empties it.\n")
        .map_err(StackError::io(format!("marking {}", dir.display())))
}

/// `None` when somebody else has it.
fn lock(dir: &Path) -> Result<Option<File>, StackError> {
    let path = dir.join(MARKER);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .map_err(StackError::io(format!("opening {}", path.display())))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(StackError::io(format!("locking {}", path.display()))(error.into())),
    }
}

fn empty(dir: &Path) -> Result<(), StackError> {
    for name in OURS {
        let path = dir.join(name);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StackError::io(format!("emptying {}", path.display()))(error));
            }
            _ => {}
        }
    }
    Ok(())
}
