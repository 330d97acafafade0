//! The harness: one pair of real servers for the whole run, one database and one key space for each test.
//!
//! A test starts a node (or two), people act on it over HTTP, and the test looks at what they see and at what the
//! stores have. Nothing here sleeps to let things settle: `eventually` asks until it is so, within a bound.

pub mod backups;
pub mod browser;
mod client;
mod holdfast;
pub mod journeys;
mod money;
pub mod papers;
pub mod post;
pub mod qr;
pub mod receiver;
pub mod rush;
pub mod servers;
pub mod stadium;
pub mod visits;
pub mod waiting;

use std::time::{Duration, Instant};

use ::holdfast::proof::BUG;

pub use self::client::{Answer, Client};
pub use self::holdfast::{Holdfast, Node, webhook_secret};

/// The longest that anything may take, on a machine that is busy with all the other tests, and perhaps with much else: a bound
/// against waiting for ever, which says nothing of how quick anything is.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// Who runs without one of the guards is there to fail, and holds nobody up with it.
const PATIENCE_WITHOUT_A_GUARD: Duration = Duration::from_secs(10);

/// Asks until there is an answer; fails the test, saying what it waited for, when there is none in time.
pub async fn eventually<T>(what: &str, ask: impl AsyncFnMut() -> Option<T>) -> T {
    let is_whole = std::env::var_os(BUG).is_none();
    eventually_within(if is_whole { PATIENCE } else { PATIENCE_WITHOUT_A_GUARD }, what, ask).await
}

/// The same of what is much work.
pub async fn eventually_within<T>(
    patience: Duration,
    what: &str,
    mut ask: impl AsyncFnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {patience:?} in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
