//! Buckets in a node's own memory, for calls that wait for nobody.
//!
//! Two generations: what is looked at moves to the young one, and once in a while the old one is dropped whole. A
//! generation lasts as long as the longest limit looks back, so that only empty buckets are dropped; unless there are
//! too many, and then those that nobody used for longest are forgotten.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::quota::{Level, Quota};
use super::settings::Class;
use super::subject::Subject;

/// Buckets of one generation: a node spends at most some 40 MiB on both.
const MOST: usize = 200_000;

/// A bucket that is less full than one part of so many is not told: that many nodes like this one are still within the
/// limit together, and most customers of a sale never get there.
const WORTH_TELLING: u64 = 4;

/// Whose bucket, of which class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name {
    pub class: Class,
    pub subject: Subject,
}

#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    /// Microseconds since the memory began.
    empty_at: u64,
    /// Calls that Redis has not heard of.
    untold: u32,
    /// Whether somebody is telling it.
    is_told: bool,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Name, Bucket>,
    old: HashMap<Name, Bucket>,
    turned_at: u64,
}

pub struct Memory {
    began: Instant,
    generations: Mutex<Generations>,
    lasts: u64,
}

/// What became of a call.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken {
    pub is_taken: bool,
    /// In the order in which they were asked for.
    pub levels: Vec<Level>,
}

impl Memory {
    pub fn new(longest: Duration) -> Self {
        let lasts = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
        Self { began: Instant::now(), generations: Mutex::default(), lasts }
    }

    /// Takes one call from all of these, or from none.
    pub fn take(&self, buckets: &[(Name, Quota)]) -> Taken {
        self.with(|generations, now| generations.take(buckets, now))
    }

    /// Counts a call that Redis shall hear of; true for whoever is to tell it, until [`Memory::untold`] says none. As long
    /// as a bucket is not worth a call nobody is, and what has drained from it meanwhile is not told any more.
    pub fn will_tell(&self, name: Name, quota: Quota) -> bool {
        self.with(|generations, now| {
            let bucket = generations.touch(name);
            let level = bucket.empty_at.saturating_sub(now);
            let in_it = u32::try_from(level.div_ceil(quota.drain().max(1))).unwrap_or(u32::MAX);
            bucket.untold = (bucket.untold + 1).min(in_it);
            level > quota.most() / WORTH_TELLING && !std::mem::replace(&mut bucket.is_told, true)
        })
    }

    /// How many calls there are to tell, which counts as telling them.
    pub fn untold(&self, name: Name) -> u32 {
        self.with(|generations, _| {
            let bucket = generations.touch(name);
            bucket.is_told = bucket.untold > 0;
            std::mem::take(&mut bucket.untold)
        })
    }

    /// What Redis has, with what all nodes told it. What it has not heard of yet comes on top.
    pub fn hear(&self, name: Name, quota: Quota, level: Level) {
        self.with(|generations, now| {
            let bucket = generations.touch(name);
            let untold = quota.drain() * u64::from(bucket.untold);
            // A Redis that forgot is no reason to forget, too.
            bucket.empty_at = bucket.empty_at.max(now + (level.0 + untold).min(quota.most()));
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut Generations, u64) -> T) -> T {
        let now = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        // Whoever panicked in here left numbers, and any number is a level.
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let dropped = generations.turn(now, self.lasts, MOST);
        let answer = act(&mut generations, now);
        drop(generations);
        // Outside the lock: it may be many.
        drop(dropped);
        answer
    }
}

impl Generations {
    fn turn(&mut self, now: u64, lasts: u64, most: usize) -> HashMap<Name, Bucket> {
        if now - self.turned_at < lasts && self.young.len() < most {
            return HashMap::new();
        }
        self.turned_at = now;
        let young = std::mem::take(&mut self.young);
        std::mem::replace(&mut self.old, young)
    }

    fn touch(&mut self, name: Name) -> &mut Bucket {
        let Self { young, old, .. } = self;
        young.entry(name).or_insert_with(|| old.remove(&name).unwrap_or_default())
    }

    fn take(&mut self, buckets: &[(Name, Quota)], now: u64) -> Taken {
        let mut levels: Vec<_> =
            buckets.iter().map(|(name, _)| Level(self.touch(*name).empty_at.saturating_sub(now))).collect();
        let is_taken = buckets.iter().zip(&levels).all(|((_, quota), level)| quota.fits(*level, 1));
        if is_taken {
            for ((name, quota), level) in buckets.iter().zip(&mut levels) {
                level.0 += quota.drain();
                self.touch(*name).empty_at = now + level.0;
            }
        }
        Taken { is_taken, levels }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AccountId;
    use crate::limits::Address;

    const SECOND: u64 = 1_000_000;

    fn of_account() -> Name {
        Name { class: Class::Hold, subject: Subject::Account(AccountId::new()) }
    }

    fn of_address() -> Name {
        Name { class: Class::Hold, subject: Subject::Address(Address::of([192, 0, 2, 1].into())) }
    }

    fn quota(text: &str) -> Quota {
        text.parse().expect(text)
    }

    #[test]
    fn what_is_refused_by_one_is_taken_from_none() {
        let mut generations = Generations::default();
        let (account, address) = ((of_account(), quota("1/10s")), (of_address(), quota("5/10s")));
        assert!(generations.take(&[account, address], 0).is_taken);
        let refused = generations.take(&[account, address], SECOND);
        assert_eq!(
            refused,
            Taken { is_taken: false, levels: vec![Level(9 * SECOND), Level(SECOND)] },
            "the address lost nothing by it"
        );
        assert!(generations.take(&[account, address], 10 * SECOND).is_taken, "who waited may go on");
    }

    #[test]
    fn a_bucket_that_is_used_outlives_generations_and_one_that_is_not_is_forgotten() {
        let mut generations = Generations::default();
        let (used, unused) = (of_account(), of_account());
        let limit = quota("2/10s");
        generations.take(&[(used, limit), (unused, limit)], 0);
        for turn in 1..4 {
            generations.turn(turn * 10 * SECOND, 10 * SECOND, 100);
            generations.take(&[(used, limit)], turn * 10 * SECOND);
        }
        let known = |name| generations.young.contains_key(&name) || generations.old.contains_key(&name);
        assert!(known(used) && !known(unused));
    }

    #[test]
    fn there_are_never_more_than_two_generations_may_hold() {
        let mut generations = Generations::default();
        for _ in 0..1000 {
            generations.turn(0, SECOND, 10);
            generations.take(&[(of_account(), quota("2/10s"))], 0);
        }
        assert!(generations.young.len() + generations.old.len() <= 20);
    }

    #[test]
    fn a_bucket_that_is_hardly_used_is_told_nobody() {
        let memory = Memory::new(Duration::from_secs(10));
        let (name, limit) = (of_account(), quota("100/10s"));
        for call in 1..=30 {
            memory.take(&[(name, limit)]);
            assert_eq!(memory.will_tell(name, limit), call == 26, "call {call}");
        }
        assert_eq!(memory.untold(name), 30, "then all that is still in it");
    }

    #[test]
    fn one_tells_for_all_and_what_other_nodes_let_through_counts() {
        let memory = Memory::new(Duration::from_secs(10));
        let (name, limit) = (of_account(), quota("3/10s"));
        assert!(memory.take(&[(name, limit)]).is_taken);
        assert!(memory.take(&[(name, limit)]).is_taken);
        let will_tell = || memory.will_tell(name, limit);
        assert!(will_tell() && !will_tell(), "the second call is told by the first");
        assert_eq!((memory.untold(name), memory.untold(name)), (2, 0));
        assert!(will_tell(), "it was told, and may be again");

        memory.hear(name, limit, Level(limit.most()));
        assert!(!memory.take(&[(name, limit)]).is_taken);
        memory.hear(name, limit, Level(0));
        assert!(!memory.take(&[(name, limit)]).is_taken, "a Redis that forgot changes nothing");
    }
}
