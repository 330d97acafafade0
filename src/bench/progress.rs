//! A line on the terminal that says how far things are, for as long as they go on. Where nobody looks it says nothing.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

const EACH: Duration = Duration::from_secs(1);

/// Ends with its line.
#[derive(Debug)]
pub struct Progress(Option<AbortOnDropHandle<()>>);

impl Progress {
    /// Says this, once a second.
    pub fn saying(mut line: impl FnMut() -> String + Send + 'static) -> Self {
        let shows = async move {
            loop {
                tokio::time::sleep(EACH).await;
                eprint!("\r\x1b[K  {}", line());
                let _ = std::io::stderr().flush();
            }
        };
        Self(std::io::stderr().is_terminal().then(|| AbortOnDropHandle::new(tokio::spawn(shows))))
    }

    /// So many of all; whoever does one adds it to what comes back beside it.
    pub fn towards(all: u64, what: &'static str) -> (Self, Arc<AtomicU64>) {
        let done = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&done);
        (Self::saying(move || format!("{:>9} of {all} {what}", count.load(Ordering::Relaxed))), done)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.0.take().is_some() {
            eprint!("\r\x1b[K");
        }
    }
}
