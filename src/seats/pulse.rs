//! How quickly holds are answered right now: what paces the waiting room.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What is older says nothing of now.
const MEMORY: Duration = Duration::from_secs(5);
/// Answers that are remembered.
const MOST: usize = 512;

/// The last answers: when, how long they took, and whether there was one.
#[derive(Debug, Default)]
pub struct Pulse {
    answers: Mutex<Vec<(Instant, Duration, bool)>>,
}

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beat {
    /// Of the last seconds' holds, all but one in twenty were quicker.
    pub slow: Duration,
    /// Some were not answered at all.
    pub outage: bool,
    /// Nobody has asked.
    pub quiet: bool,
}

impl Pulse {
    pub fn note(&self, took: Duration, answered: bool) {
        let mut answers = self.answers();
        if answers.len() >= MOST {
            // Half of them are enough to tell, and what is new counts most.
            answers.drain(..MOST / 2);
        }
        answers.push((Instant::now(), took, answered));
    }

    pub fn beat(&self) -> Beat {
        let mut answers = self.answers();
        answers.retain(|(at, ..)| at.elapsed() < MEMORY);
        let mut took: Vec<Duration> = answers.iter().map(|(_, took, _)| *took).collect();
        let outage = answers.iter().any(|(.., answered)| !answered);
        drop(answers);
        took.sort_unstable();
        let slow = took.get(took.len().saturating_sub(1) * 95 / 100).copied().unwrap_or_default();
        Beat { slow, outage, quiet: took.is_empty() }
    }

    fn answers(&self) -> MutexGuard<'_, Vec<(Instant, Duration, bool)>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_answer_in_twenty_is_not_yet_slow() {
        let pulse = Pulse::default();
        assert!(pulse.beat().quiet);
        for _ in 0..99 {
            pulse.note(Duration::from_millis(2), true);
        }
        pulse.note(Duration::from_secs(1), true);
        assert_eq!(pulse.beat(), Beat { slow: Duration::from_millis(2), outage: false, quiet: false });
        pulse.note(Duration::from_secs(1), false);
        assert!(pulse.beat().outage);
        for _ in 0..2000 {
            pulse.note(Duration::from_millis(3), true);
        }
        assert_eq!(pulse.beat().slow, Duration::from_millis(3));
    }
}
