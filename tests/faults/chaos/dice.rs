//! Choices that a seed decides: the same on every machine and with every version of anything.

use std::time::Duration;

/// SplitMix64, which is as short as a good generator can be.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Of one actor in one round of a storm: what others do does not change its choices.
    pub fn of(seed: u64, round: u64, actor: u64) -> Self {
        let mut dice = Self(seed ^ round.rotate_left(20) ^ actor.rotate_left(40));
        dice.next();
        dice.next();
        dice
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// Less than `most`.
    pub fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(most.max(1)).expect("it fits")).expect("it fits")
    }

    pub fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    pub fn millis(&mut self, from: u64, to: u64) -> Duration {
        let span = usize::try_from(to - from).expect("it fits");
        Duration::from_millis(from + u64::try_from(self.below(span + 1)).expect("it fits"))
    }
}
