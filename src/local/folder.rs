//! The folder of a stack: ours by a marker, used by one process at a time, reachable by its servers.

use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{env, io};

use rustix::fs::{FlockOperation, flock};
use sha2::{Digest as _, Sha256};

use super::server::RunAs;
use super::{StackError, StackSettings};

/// Written into every folder that is ours: what has none is never emptied.
const MARKER: &str = "holdfast-stack";

/// Where root keeps the data of folders that the servers cannot reach.
const SYSTEM: &str = "/var/lib/holdfast";

/// How long the servers of a run that was just killed may take to end before their folder counts as in use; and a child of
/// ours that is about to become another program, and has all our files until then.
const LAST_BREATH: Duration = Duration::from_secs(3);

/// What `fresh` removes; anything else in the folder is somebody else's.
const OURS: [&str; 7] =
    ["redis", "postgres", "postgres.new", "secrets", "sandbox.journal", "mailbox.journal", "logs"];

#[derive(Debug)]
pub struct Folder {
    dir: PathBuf,
    sockets: PathBuf,
    /// Held by us and by every server that we start: the kernel lets go of it when the last of them has ended,
    /// however that happens. `None` beside a stack that another process runs.
    lock: Option<File>,
}

impl Folder {
    /// Opens the folder for us alone.
    pub fn open(settings: &StackSettings, run_as: Option<RunAs>) -> Result<Self, StackError> {
        let dir = chosen(settings.dir.as_deref(), run_as)?;
        make_private(&dir, run_as)?;
        // As one path, so that two ways to write it are one folder and one lock.
        let dir = dir.canonicalize().map_err(StackError::io(format!("opening {}", dir.display())))?;
        if run_as.is_some_and(|user| !may_pass(&dir, user)) {
            return Err(StackError::OutOfReach(dir));
        }
        claim(&dir)?;
        let lock = lock_within(LAST_BREATH, &dir)?.ok_or_else(|| StackError::InUse(dir.clone()))?;
        if settings.fresh {
            empty(&dir)?;
        }
        let sockets = socket_folder(&dir);
        make_private(&sockets, run_as)?;
        make_private(&dir.join("logs"), run_as)?;
        Ok(Self { dir, sockets, lock: Some(lock) })
    }

    /// Removes a folder of ours that nobody uses, and all that belongs to it.
    pub fn remove(dir: &Path) -> Result<(), StackError> {
        let what = || format!("removing {}", dir.display());
        let dir = dir.canonicalize().map_err(StackError::io(what()))?;
        if !dir.join(MARKER).exists() {
            return Err(StackError::NotOurs(dir));
        }
        let lock = lock_within(LAST_BREATH, &dir)?.ok_or_else(|| StackError::InUse(dir.clone()))?;
        empty(&dir)?;
        fs::remove_file(dir.join(MARKER)).map_err(StackError::io(what()))?;
        // Somebody else's things may lie in it, too: those stay.
        let _ = fs::remove_dir(&dir);
        drop(Self { sockets: socket_folder(&dir), dir, lock: Some(lock) });
        Ok(())
    }

    /// The folder of a stack that runs already.
    pub fn of_a_running_stack(dir: Option<&Path>, run_as: Option<RunAs>) -> Result<Self, StackError> {
        let dir = chosen(dir, run_as)?;
        let dir = dir.canonicalize().map_err(|_| StackError::NotRunning(dir))?;
        let free = dir.join(MARKER).exists() && lock(&dir)?.is_some();
        if free || !dir.join(MARKER).exists() {
            return Err(StackError::NotRunning(dir));
        }
        Ok(Self { sockets: socket_folder(&dir), dir, lock: None })
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

    /// A share in the lock, for a server to keep until it ends.
    pub fn share(&self) -> io::Result<Option<File>> {
        self.lock.as_ref().map(File::try_clone).transpose()
    }
}

impl Drop for Folder {
    /// The sockets lie where everybody's temporary files are, and would be left there for ever.
    fn drop(&mut self) {
        if self.lock.is_some() {
            let _ = fs::remove_dir_all(&self.sockets);
        }
    }
}

/// A folder of the current one, where the servers can reach it; else one of the system's, named after it.
fn chosen(given: Option<&Path>, run_as: Option<RunAs>) -> Result<PathBuf, StackError> {
    if let Some(dir) = given {
        return Ok(dir.to_owned());
    }
    let here = env::current_dir().map_err(StackError::io("finding the current folder"))?;
    if run_as.is_none_or(|user| may_pass(&here, user)) {
        return Ok(here.join(".holdfast"));
    }
    if !Path::new(SYSTEM).exists() {
        let made = fs::create_dir_all(SYSTEM);
        // Whatever root's umask is: the servers must get through it.
        made.and_then(|()| fs::set_permissions(SYSTEM, Permissions::from_mode(0o755)))
            .map_err(StackError::io(format!("making {SYSTEM}")))?;
    }
    Ok(Path::new(SYSTEM).join(name_of(&here)))
}

/// As root the servers are somebody else, who cannot pass through a folder like root's home.
fn may_pass(dir: &Path, user: RunAs) -> bool {
    dir.ancestors().all(|part| {
        part.metadata().is_ok_and(|meta| {
            let execute = match () {
                () if meta.uid() == user.uid => 0o100,
                () if meta.gid() == user.gid => 0o010,
                () => 0o001,
            };
            meta.permissions().mode() & execute != 0
        })
    })
}

/// The same for every build of ours, because data is found by it.
fn name_of(dir: &Path) -> String {
    let digest = Sha256::digest(dir.as_os_str().as_bytes());
    let short = digest.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    format!("{short:016x}")
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
    // Another start may mark it in this very moment: the lock then decides between us.
    if things.any(|thing| thing.is_ok_and(|thing| thing.file_name() != MARKER)) {
        return Err(StackError::NotOurs(dir.to_owned()));
    }
    fs::write(&marker, "Data of holdfast's embedded Redis and Postgres. `holdfast dev --fresh` empties it.\n")
        .map_err(StackError::io(format!("marking {}", dir.display())))
}

/// `None` when somebody else still has it when time is up.
fn lock_within(patience: Duration, dir: &Path) -> Result<Option<File>, StackError> {
    let deadline = Instant::now() + patience;
    loop {
        let lock = lock(dir)?;
        if lock.is_some() || Instant::now() >= deadline {
            return Ok(lock);
        }
        sleep(Duration::from_millis(5));
    }
}

/// `None` when somebody else has it.
fn lock(dir: &Path) -> Result<Option<File>, StackError> {
    let path = dir.join(MARKER);
    let failed = |error: io::Error| StackError::io(format!("locking {}", path.display()))(error);
    let file = OpenOptions::new().read(true).write(true).open(&path).map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
        Err(error) => return Err(failed(error.into())),
    }
    // Whoever had it may have removed it before letting go: a lock on a file that is gone keeps nobody out.
    let (ours, there) = (file.metadata().map_err(failed)?, path.metadata().map_err(failed)?);
    Ok((ours.ino() == there.ino()).then_some(file))
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
