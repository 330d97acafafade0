//! Not faster than Stripe allows.
//!
//! Stripe answers 429 to more than some 25 calls a second to one endpoint. A hot sale wants more for a moment, so
//! callers take turns, first come, first served, and who would wait too long is told at once instead of at the end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Hands out turns, evenly spaced.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    spacing: Duration,
    /// When the next turn is. Shared by every clone of the gateway; held for a few instructions.
    next: Arc<Mutex<Instant>>,
}

/// The queue is longer than the caller can wait.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Pace {
    pub fn per_second(turns: u32) -> Self {
        let spacing = Duration::from_secs(1) / turns.max(1);
        Self { spacing, next: Arc::new(Mutex::new(Instant::now())) }
    }

    /// Waits for the caller's turn, at most until `latest`. A caller that goes away leaves its turn unused.
    pub async fn turn(&self, latest: Instant) -> Result<(), TooLong> {
        let turn = self.take_a_turn(Instant::now(), latest)?;
        sleep_until(turn).await;
        Ok(())
    }

    fn take_a_turn(&self, now: Instant, latest: Instant) -> Result<Instant, TooLong> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = (*next).max(now);
        if turn > latest {
            return Err(TooLong);
        }
        *next = turn + self.spacing;
        Ok(turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn turns_are_evenly_spaced_and_in_order() {
        let pace = Pace::per_second(25);
        let start = Instant::now();
        let turns: Vec<_> =
            (0..50).filter_map(|_| pace.take_a_turn(start, start + 10 * SECOND).ok()).collect();
        assert_eq!(turns.len(), 50);
        assert!(turns.windows(2).all(|pair| pair[1] - pair[0] == SECOND / 25));
    }

    #[tokio::test]
    async fn who_would_wait_too_long_is_told_at_once_and_takes_no_turn() {
        let pace = Pace::per_second(1);
        let start = Instant::now();
        let patience = start + SECOND * 3 / 2;
        assert_eq!(pace.take_a_turn(start, patience), Ok(start));
        assert_eq!(pace.take_a_turn(start, patience), Ok(start + SECOND));
        assert_eq!(pace.take_a_turn(start, patience), Err(TooLong));
        assert_eq!(pace.take_a_turn(start, start + 2 * SECOND), Ok(start + 2 * SECOND), "no gap was left");
    }

    #[tokio::test]
    async fn quiet_times_save_up_no_burst() {
        let pace = Pace::per_second(10);
        let later = Instant::now() + 60 * SECOND;
        let turns: Vec<_> = (0..3).filter_map(|_| pace.take_a_turn(later, later + SECOND).ok()).collect();
        assert_eq!(turns, [later, later + SECOND / 10, later + SECOND / 5]);
    }
}
