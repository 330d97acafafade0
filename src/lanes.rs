//! Lanes: threads that each answer connections of their own, from the first byte to the last.
//!
//! A hold is a request, a script and an answer, each so short that waking another thread for it costs as much as it does. On a
//! lane nobody else is woken: the connection, the handler and the way to Redis are one thread's, and so is what a handler sets
//! going. The node's workers stay on the runtime that it was started in.

use std::cell::Cell;
use std::io;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

thread_local! {
    /// Nought wherever no lane is.
    static HERE: Cell<usize> = const { Cell::new(0) };
}

/// The number of the lane that asks, from one; nought elsewhere. For what is better not shared by threads.
pub fn here() -> usize {
    HERE.get()
}

/// How many lanes a node has: one for each core. Asked once: the answer is read from files, and may be another later, when
/// there is a place for each lane already.
pub fn most() -> usize {
    static CORES: LazyLock<usize> =
        LazyLock::new(|| std::thread::available_parallelism().map_or(1, NonZero::get));
    *CORES
}

/// The lanes of one node. What still runs on them ends when they are dropped.
#[derive(Debug)]
pub struct Lanes {
    lanes: Vec<Lane>,
    end: CancellationToken,
}

#[derive(Debug)]
struct Lane {
    runtime: Handle,
    open: Arc<AtomicUsize>,
}

/// A place on a lane, kept as long as there is something on it.
#[derive(Debug)]
pub struct Place {
    open: Arc<AtomicUsize>,
    pub runtime: Handle,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lanes {
    /// Opens a lane for each core.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn open() -> io::Result<Self> {
        // Made first: lanes that were opened before one that could not be end with it.
        let mut lanes = Self { lanes: Vec::new(), end: CancellationToken::new() };
        for number in 1..=most() {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let (handle, end) = (runtime.handle().clone(), lanes.end.clone());
            std::thread::Builder::new().name(format!("lane-{number}")).spawn(move || {
                HERE.set(number);
                runtime.block_on(end.cancelled());
                // Nobody waits for a thread that hashes a password.
                runtime.shutdown_background();
            })?;
            lanes.lanes.push(Lane { runtime: handle, open: Arc::default() });
        }
        Ok(lanes)
    }

    /// A place on the lane that has the least to do.
    pub fn place(&self) -> Place {
        let emptiest = self.lanes.iter().min_by_key(|lane| lane.open.load(Ordering::Relaxed));
        let lane = emptiest.expect("there is a core");
        lane.open.fetch_add(1, Ordering::Relaxed);
        Place { open: Arc::clone(&lane.open), runtime: lane.runtime.clone() }
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_comes_is_spread_over_the_lanes_and_stays_on_its_own() {
        let lanes = Lanes::open().expect("threads");
        let mut seen = Vec::new();
        let places: Vec<_> = (0..3 * most()).map(|_| lanes.place()).collect();
        for place in &places {
            let number = async {
                let before = here();
                tokio::task::yield_now().await;
                assert_eq!(here(), before);
                before
            };
            seen.push(place.runtime.spawn(number).await.expect("no panic"));
        }
        for number in 1..=most() {
            assert_eq!(seen.iter().filter(|seen| **seen == number).count(), 3, "{seen:?}");
        }
        drop(places);
        assert!(lanes.lanes.iter().all(|lane| lane.open.load(Ordering::Relaxed) == 0));
        assert_eq!(here(), 0, "this is none");
    }

    #[tokio::test]
    async fn what_is_on_a_lane_ends_with_it() {
        let lanes = Lanes::open().expect("threads");
        let (held, dropped) = tokio::sync::oneshot::channel::<()>();
        lanes.place().runtime.spawn(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        drop(lanes);
        assert!(dropped.await.is_err(), "nobody sends anything");
    }
}
