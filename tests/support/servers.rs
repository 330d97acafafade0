//! The servers of the run, started by the first test that needs them and gone with the process.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use holdfast::local::{Stack, StackSettings};
use tokio::sync::OnceCell;

/// The database that each test's own is a copy of.
const TEMPLATE: &str = "holdfast_template";

/// What a program that a test starts is lent: the first of the numbers that nobody else uses, and the stack's folder.
pub const LENT: &str = "HOLDFAST_TESTS_LENT";

/// Numbers that are lent at a time: one for each house that the program opens.
const NUMBERS_LENT: u32 = 32;

/// The stack that all tests share, also with those of the program that has started this one.
pub async fn shared() -> &'static Stack {
    static STACK: OnceCell<Stack> = OnceCell::const_new();
    STACK
        .get_or_init(|| async {
            if let Some((_, dir)) = lent() {
                return Stack::running(Some(&dir)).expect("it runs");
            }
            forget_the_dead();
            start(false).await
        })
        .await
}

/// The shared stack, in the words of [`LENT`]: for a program that need not start servers of its own.
pub async fn lend() -> String {
    let dir = shared().await.dir().to_str().expect("a plain name");
    format!("{}:{dir}", numbers().fetch_add(NUMBERS_LENT, Ordering::Relaxed))
}

fn lent() -> Option<(u32, PathBuf)> {
    let lent = std::env::var(LENT).ok()?;
    let (first, dir) = lent.split_once(':').expect("a number and a folder");
    Some((first.parse().expect("a number"), PathBuf::from(dir)))
}

/// Houses are numbered, so that each has a database and a key space of its own.
fn numbers() -> &'static AtomicU32 {
    static NUMBERS: LazyLock<AtomicU32> =
        LazyLock::new(|| AtomicU32::new(lent().map_or(1, |(first, _)| first)));
    &NUMBERS
}

/// A stack of one's own, for a test that kills or freezes servers.
///
/// What is not durable is quicker, and forgets at a kill what it had acknowledged.
pub async fn start(durable: bool) -> Stack {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let settings = StackSettings {
        dir: Some(folder().join(format!("{}-{number}", std::process::id()))),
        fresh: true,
        redis: true,
        postgres: true,
        durable,
    };
    let stack = Stack::start(&settings).await.expect("the servers start");
    stack.create_database(TEMPLATE, None).await.expect("a database");
    stack.prepare_database(TEMPLATE).await.expect("the migrations run");
    stack
}

/// One a user, so that who tested first keeps nobody else from testing.
pub fn folder() -> PathBuf {
    let user = rustix::process::geteuid().as_raw();
    std::env::temp_dir().join(format!("holdfast-tests-{user}"))
}

/// Removes what earlier runs, which may have been killed, left behind.
fn forget_the_dead() {
    let Ok(runs) = std::fs::read_dir(folder()) else { return };
    for run in runs.filter_map(Result::ok).map(|entry| entry.path()) {
        if !belongs_to_the_living(&run) {
            // Another run may be tidying up, too.
            let _ = Stack::remove(&run);
        }
    }
}

pub fn belongs_to_the_living(run: &Path) -> bool {
    let name = run.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let pid = name.split('-').next().unwrap_or_default();
    !pid.is_empty() && Path::new("/proc").join(pid).exists()
}

/// A database of one's own: its address for a node, which is not its owner.
pub async fn database(stack: &Stack) -> String {
    let name = format!("test_{}", numbers().fetch_add(1, Ordering::Relaxed));
    stack.create_database(&name, Some(TEMPLATE)).await.expect("a database");
    stack.service_url(&name)
}

/// A key space of one's own.
pub fn key_space(stack: &Stack) -> String {
    stack.redis_url(numbers().fetch_add(1, Ordering::Relaxed))
}
