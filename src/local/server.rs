//! One server that we started: it dies with us, whatever kills us.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};
use std::{io, thread};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, getpid, getppid, kill_process, set_parent_process_death_signal};

/// How long a server may take to stop politely before it is killed.
const POLITENESS: Duration = Duration::from_secs(5);

/// The unprivileged user that servers run as when we are root: Postgres refuses to be root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunAs {
    pub uid: u32,
    pub gid: u32,
}

impl RunAs {
    /// `None` when we are not root and servers run as ourselves.
    pub fn unprivileged() -> io::Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let accounts = std::fs::read_to_string("/etc/passwd")?;
        let find = |name: &str| {
            accounts.lines().find_map(|line| {
                let mut parts = line.split(':');
                (parts.next() == Some(name)).then_some(())?;
                let mut ids = parts.skip(1).map(str::parse);
                Some(Self { uid: ids.next()?.ok()?, gid: ids.next()?.ok()? })
            })
        };
        let found = find("postgres").or_else(|| find("nobody"));
        found.map(Some).ok_or_else(|| io::Error::other("neither user postgres nor user nobody exists"))
    }
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    polite: Signal,
}

impl Server {
    /// Starts a program that will get `at_our_death` when we end, however we end.
    ///
    /// It keeps its share of the folder's lock until it has ended itself: a start right after a kill waits for it,
    /// because two servers on the same data would ruin it.
    pub fn start(
        mut command: Command,
        run_as: Option<RunAs>,
        share: Option<File>,
        log: &Path,
        (polite, at_our_death): (Signal, Signal),
    ) -> io::Result<Self> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        if let Some(RunAs { uid, gid }) = run_as {
            command.gid(gid).uid(uid);
        }
        // Ctrl-C at a terminal is for us: the servers are needed until what is in flight is finished.
        command.process_group(0);
        let parent = getpid();
        #[expect(unsafe_code, reason = "tying a child's life to ours can only be said between fork and exec")]
        // SAFETY: the closure runs in the forked child, makes system calls that are async-signal-safe, and
        // allocates nothing.
        unsafe {
            command.pre_exec(move || {
                if let Some(share) = &share {
                    fcntl_setfd(share, FdFlags::empty())?;
                }
                set_parent_process_death_signal(Some(at_our_death))?;
                // We may have died before the line above: then nobody would ever send that signal.
                if getppid() == Some(parent) { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
            });
        }
        Ok(Self { child: on_the_keeper(move || command.spawn())?, polite })
    }

    /// Its process, which leads a group of its own.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    /// `Some` once the server has ended.
    pub fn ended(&mut self) -> io::Result<Option<std::process::ExitStatus>> {
        self.child.try_wait()
    }

    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid() {
            // It may have ended in this very moment, which is what most signals are for.
            let _ = kill_process(pid, signal);
        }
    }

    /// Asks politely, waits, and insists.
    pub fn stop(&mut self) {
        self.signal(self.polite);
        let deadline = Instant::now() + POLITENESS;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        self.kill();
    }

    /// Ends it like a power cut.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.stop();
        }
    }
}

type Job = Box<dyn FnOnce() + Send>;

/// Runs on a thread that never ends: the kernel counts the *thread* that started a child as its parent, and a
/// pool's thread that goes idle would take the servers with it.
fn on_the_keeper<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    static KEEPER: OnceLock<Sender<Job>> = OnceLock::new();
    let keeper = KEEPER.get_or_init(|| {
        let (jobs, inbox) = channel::<Job>();
        thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(move || inbox.into_iter().for_each(|job| job()))
            .expect("a thread can be started this early");
        jobs
    });
    let (done, answer) = channel();
    let job = move || {
        // Nobody waits for the answer only when the process is ending.
        let _ = done.send(work());
    };
    keeper.send(Box::new(job)).expect("the keeper never ends");
    answer.recv().expect("the keeper answers every job")
}
