//! How many people a second a node lets in: more while holds are quick, half as many as soon as they are not.

use std::time::Duration;

use crate::seats::Beat;

/// Holds that are quicker than this leave room for more people.
const QUICK: Duration = Duration::from_millis(25);
/// From here on there are too many.
const SLOW: Duration = Duration::from_millis(100);
const FIRST: f64 = 20.0;
const LEAST: f64 = 1.0;

/// The pace of one node: it grows by a tenth a step and is halved at a sign of trouble.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    people_per_second: f64,
    most: f64,
}

impl Pace {
    #[must_use]
    pub fn new(most: u32) -> Self {
        let most = f64::from(most.max(1));
        Self { people_per_second: FIRST.min(most), most }
    }

    #[must_use]
    pub fn people_per_second(&self) -> f64 {
        self.people_per_second
    }

    /// Takes the next step.
    pub fn follow(&mut self, beat: Beat) {
        let factor = if beat.outage || beat.slow > SLOW {
            0.5
        } else if beat.slow < QUICK {
            1.1
        } else {
            1.0
        };
        self.people_per_second = (self.people_per_second * factor).clamp(LEAST, self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beat(ms: u64, outage: bool) -> Beat {
        Beat { slow: Duration::from_millis(ms), outage, quiet: false }
    }

    #[test]
    fn the_pace_grows_slowly_and_falls_fast() {
        let mut pace = Pace::new(200);
        for _ in 0..100 {
            pace.follow(beat(2, false));
        }
        assert!((pace.people_per_second() - 200.0).abs() < 1e-9, "it stops at its most");
        pace.follow(beat(50, false));
        assert!((pace.people_per_second() - 200.0).abs() < 1e-9, "neither quick nor slow: as it is");
        pace.follow(beat(150, false));
        assert!((pace.people_per_second() - 100.0).abs() < 1e-9);
        for _ in 0..20 {
            pace.follow(beat(2, true));
        }
        assert!((pace.people_per_second() - 1.0).abs() < 1e-9, "never nobody");
    }
}
