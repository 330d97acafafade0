//! Plays many cells side by side, and says what came of them.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, spawn_blocking};

use super::A_CORE;
use super::cell::{Cell, Disaster, Outcome};
use super::stage::Stand;

/// Only cells whose name contains this are played, or one of these between commas:
/// `HOLDFAST_CELLS=note_offer:after,lapse_offer script/test crash_matrix`.
const ONLY: &str = "HOLDFAST_CELLS";

/// How often a story is told anew that passed its point by, as it can where a step hurries on because a busy machine let it wait.
const TELLINGS: u32 = 2;

struct Played {
    cell: Cell,
    took: Duration,
    outcome: Result<Outcome, String>,
    logs: Arc<OnceLock<PathBuf>>,
}

/// Plays all cells, some at a time; fails with a line for each that went wrong.
pub async fn play(title: &str, stand: &Arc<Stand>, mut cells: Vec<Cell>) -> Vec<Outcome> {
    if let Ok(only) = std::env::var(ONLY) {
        cells.retain(|cell| only.split(',').any(|one| cell.name().contains(one)));
    }
    // Whoever waits longest begins first, so that nobody is waited for at the end.
    cells.sort_by_key(|cell| std::cmp::Reverse(cell.wait()));
    let (began, count) = (Instant::now(), cells.len());
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let slots = Arc::new(Semaphore::new(cores * A_CORE));
    let mut playing = JoinSet::new();
    // Each house has a number of its own, one that is opened once more, too.
    let numbers = Arc::new(AtomicU32::new(1));
    for cell in cells {
        let (slots, stand, numbers) = (Arc::clone(&slots), Arc::clone(stand), Arc::clone(&numbers));
        playing.spawn(async move {
            let _slot = slots.acquire_owned().await.expect("nobody closes it");
            let (began, mut tellings) = (Instant::now(), 1..=TELLINGS);
            let (outcome, logs) = loop {
                let number = numbers.fetch_add(1, Ordering::Relaxed);
                let (outcome, logs) = tell(cell, &stand, number).await;
                match outcome {
                    Ok(Some(outcome)) => break (Ok(outcome), logs),
                    Ok(None) if tellings.next().is_some() => println!("        passed by  {}", cell.name()),
                    Ok(None) => break (Err(format!("{} was never reached", cell.stop())), logs),
                    Err(error) => break (Err(error), logs),
                }
            };
            Played { cell, took: began.elapsed(), outcome, logs }
        });
    }
    let mut all = Vec::new();
    let mut report = String::new();
    while let Some(played) = playing.join_next().await {
        let Played { cell, took, outcome, logs } = played.expect("what went wrong was caught");
        let (name, took) = (cell.name(), took.as_secs_f64());
        match &outcome {
            Ok(Outcome { during, .. }) => println!("{took:>6.1} s  {name}, {during}"),
            Err(error) => {
                let logs = logs.get().cloned().unwrap_or_default();
                println!("{took:>6.1} s  FAILED  {name}");
                let _ = writeln!(report, "{name} (see {}):\n    {error}\n", logs.display());
            }
        }
        all.push(outcome);
    }
    let failed = all.iter().filter(|outcome| outcome.is_err()).count();
    println!("{title}: {count} cells, {failed} failed, {:.0} s", began.elapsed().as_secs_f64());
    assert!(report.is_empty(), "{failed} of {count} cells of {title} went wrong:\n{report}");
    all.into_iter().filter_map(Result::ok).collect()
}

/// Tells a cell's story once. On a thread of its own, so that one that goes wrong takes nobody with it.
async fn tell(
    cell: Cell,
    stand: &Arc<Stand>,
    number: u32,
) -> (Result<Option<Outcome>, String>, Arc<OnceLock<PathBuf>>) {
    let logs = Arc::new(OnceLock::new());
    let stand = match cell.disaster {
        Disaster::RedisIsLost => stand.with_own_redis().await,
        _ => Arc::clone(stand),
    };
    let (runtime, seen) = (Handle::current(), Arc::clone(&logs));
    let told = spawn_blocking(move || runtime.block_on(cell.play(stand, number, seen))).await;
    (told.map_err(|error| words_of(error.into_panic())), logs)
}

fn words_of(panic: Box<dyn std::any::Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(other) => {
            other.downcast::<&str>().map_or_else(|_| "it panicked".to_owned(), |text| (*text).to_owned())
        }
    }
}
