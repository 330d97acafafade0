//! Plays many cells side by side, and says what came of them.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, spawn_blocking};

use super::cell::{Cell, Outcome};
use super::stage::Stand;

/// Only cells whose name contains this are played: `HOLDFAST_CELLS=note_offer:after script/test crash_matrix`.
const ONLY: &str = "HOLDFAST_CELLS";

/// Where a cell plays.
pub enum Where {
    Shared(Arc<Stand>),
    /// Each on servers of its own, because it takes one away.
    Alone(fn() -> std::pin::Pin<Box<dyn Future<Output = Arc<Stand>> + Send>>),
}

struct Played {
    cell: Cell,
    took: Duration,
    outcome: Result<Outcome, String>,
    logs: Arc<OnceLock<PathBuf>>,
}

/// Plays all cells, so many at a time; fails with a line for each that went wrong.
pub async fn play(title: &str, stand: Where, mut cells: Vec<Cell>, at_a_time: usize) -> Vec<Outcome> {
    if let Ok(only) = std::env::var(ONLY) {
        cells.retain(|cell| cell.name().contains(&only));
    }
    // Whoever waits longest begins first, so that nobody is waited for at the end.
    cells.sort_by_key(|cell| std::cmp::Reverse(cell.wait()));
    let (began, count) = (Instant::now(), cells.len());
    let (slots, stand) = (Arc::new(Semaphore::new(at_a_time)), Arc::new(stand));
    let mut playing = JoinSet::new();
    for (number, cell) in (1..).zip(cells) {
        let (slots, stand) = (Arc::clone(&slots), Arc::clone(&stand));
        playing.spawn(async move {
            let _slot = slots.acquire_owned().await.expect("nobody closes it");
            let (began, logs) = (Instant::now(), Arc::new(OnceLock::new()));
            let stand = match &*stand {
                Where::Shared(stand) => Arc::clone(stand),
                Where::Alone(start) => start().await,
            };
            // A thread of its own, so that one that goes wrong takes nobody with it.
            let (runtime, seen) = (Handle::current(), Arc::clone(&logs));
            let playing = spawn_blocking(move || runtime.block_on(cell.play(stand, number, seen)));
            let played = playing.await;
            let outcome = played.map_err(|error| words_of(error.into_panic()));
            Played { cell, took: began.elapsed(), outcome, logs }
        });
    }
    let all = playing.join_all().await;
    let mut report = String::new();
    for Played { cell, took, outcome, logs } in &all {
        let name = cell.name();
        match outcome {
            Ok(Outcome { during, .. }) => println!("{:>6.1} s  {name}, {during}", took.as_secs_f64()),
            Err(error) => {
                let logs = logs.get().cloned().unwrap_or_default();
                let _ = writeln!(report, "{name} (see {}):\n    {error}\n", logs.display());
            }
        }
    }
    let failed = all.iter().filter(|played| played.outcome.is_err()).count();
    println!("{title}: {count} cells, {failed} failed, {:.0} s", began.elapsed().as_secs_f64());
    assert!(report.is_empty(), "{failed} of {count} cells of {title} went wrong:\n{report}");
    all.into_iter().filter_map(|played| played.outcome.ok()).collect()
}

fn words_of(panic: Box<dyn std::any::Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(other) => {
            other.downcast::<&str>().map_or_else(|_| "it panicked".to_owned(), |text| (*text).to_owned())
        }
    }
}
