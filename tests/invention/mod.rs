//! Inventing what nobody has thought of, so that it can be invented once more: all chance comes from one number, which
//! `HOLDFAST_SEED` sets and every run prints.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// Pieces at which readers have stumbled before.
const WORDS: [&[u8]; 24] = [
    b"\0",
    b"\r\n",
    b"\n",
    b"{",
    b"}",
    b"%00",
    b"%0d%0a",
    b"..",
    b"../",
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b"null",
    b"-1",
    b"0",
    b"9007199254740993",
    b"18446744073709551616",
    b"1e999",
    b"NaN",
    b"\xff",
    b"\xe2\x80\xae",
    b"\xd1\x95",
    b"\xf0\x9f\x8e\xad",
    b"'",
];

pub struct Inventor {
    seed: u64,
    chance: StdRng,
}

impl Inventor {
    /// `what` keeps tests apart that are given one seed.
    pub fn new(what: &str) -> Self {
        let set = std::env::var("HOLDFAST_SEED").ok();
        let seed: u64 =
            set.map_or_else(rand::random, |text| text.parse().expect("HOLDFAST_SEED is a number"));
        println!("{what}: HOLDFAST_SEED={seed}");
        let own = what.bytes().fold(seed, |own, byte| own.rotate_left(7) ^ u64::from(byte));
        Self { seed, chance: StdRng::seed_from_u64(own) }
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.chance.random_range(0..bound.max(1))
    }

    /// Once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    pub fn number(&mut self) -> u64 {
        self.chance.random()
    }

    /// One of the seeds with a few changes, or two of them grown together.
    pub fn changed(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = self.one_of(seeds).clone();
        if self.once_in(6) {
            let other = self.one_of(seeds).clone();
            input.truncate(self.below(input.len() + 1));
            input.extend_from_slice(&other[self.below(other.len() + 1)..]);
        }
        for _ in 0..=self.below(6) {
            self.change(&mut input);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        let to = (at + 1 + self.below(8)).min(input.len());
        match self.below(7) {
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 if at < input.len() => input[at] = self.chance.random(),
            2 => drop(input.drain(at..to.max(at))),
            3 if at < to => {
                let piece = input[at..to].to_vec();
                let times = 1 + self.below(20);
                input.splice(at..at, piece.repeat(times));
            }
            4 => {
                let word = *self.one_of(&WORDS);
                input.splice(at..at, word.iter().copied());
            }
            5 if at < to => {
                let word = *self.one_of(&WORDS);
                input.splice(at..to, word.iter().copied());
            }
            _ => input.truncate(at),
        }
    }
}
