//! Chromium itself: a process of its own that ends when this one does, however that ends.

use std::env;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Where Chromium says why it could not start.
const LOG: &str = "stderr";

/// Chromium reads commands from its descriptor 3 and writes to its descriptor 4. It ends when nobody holds the other
/// side of 3 any more, which the kernel sees to even when we are killed; the shell then removes what it wrote.
const START: &str = r#"folder=$1; shift
"$@" 3<&0 4>&1 </dev/null >"$folder/stderr" 2>&1 && rm -rf "$folder""#;

const FLAGS: [&str; 20] = [
    "--headless=new",
    "--remote-debugging-pipe",
    // In a container, and as root, Chromium cannot build its sandbox. It only sees pages of our own.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    // Nothing beyond this machine is asked for anything, not even for an address.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-features=Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider",
    "--no-first-run",
    "--no-default-browser-check",
    "--password-store=basic",
    // A page that is not in front lives as quickly as one that is.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
];

/// The shell around it, whose pipes are Chromium's, and the folder of both.
pub struct Chromium {
    pub shell: Child,
    pub folder: PathBuf,
}

/// Starts it in a folder that only this run uses.
pub fn start() -> Chromium {
    let folder = folder_of_this_run();
    let program = program().expect("Chromium is installed: run script/setup tests");
    let shell = Command::new("sh")
        .args(["-c", START, "sh"])
        .arg(&folder)
        .arg(program)
        .args(FLAGS)
        .arg(format!("--user-data-dir={}", folder.display()))
        .arg("about:blank")
        // There is no desktop to talk to, and nothing of the user's to read.
        .env("DBUS_SESSION_BUS_ADDRESS", "disabled:")
        .env("XDG_CONFIG_HOME", &folder)
        .env_remove("DISPLAY")
        .env_remove("http_proxy")
        .env_remove("all_proxy")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // Who interrupts the tests at a terminal does not interrupt Chromium's own farewell.
        .process_group(0)
        .spawn()
        .expect("a shell");
    Chromium { shell, folder }
}

fn program() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let folders: Vec<_> = env::split_paths(&path).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|file| file.is_file())
}

/// An empty folder. Those of runs that were killed together with their browser's shell go.
fn folder_of_this_run() -> PathBuf {
    let all = super::super::servers::folder().join("browsers");
    for run in fs::read_dir(&all).into_iter().flatten().flatten() {
        if !super::super::servers::belongs_to_the_living(&run.path()) {
            // Another run may be tidying up, too.
            let _ = fs::remove_dir_all(run.path());
        }
    }
    let own = all.join(std::process::id().to_string());
    let _ = fs::remove_dir_all(&own);
    fs::create_dir_all(&own).expect("a folder for Chromium");
    own
}

/// The end of what Chromium said.
pub fn last_words(folder: &Path) -> String {
    let log = fs::read_to_string(folder.join(LOG)).unwrap_or_default();
    let mut lines: Vec<_> = log.lines().rev().take(12).collect();
    lines.reverse();
    lines.join("\n")
}
