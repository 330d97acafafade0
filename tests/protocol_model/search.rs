//! Walks through every state of a world, nearest first, so that what it finds broken is found in the fewest steps.
//!
//! States are kept whole and compared whole: nothing is taken for seen because a fingerprint says so.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use super::state::Party;
use super::step::Step;

pub trait World {
    type State: Copy + Eq + Hash;

    fn first(&self) -> Self::State;
    fn moves(&self, state: &Self::State, out: &mut Vec<Move<Self::State>>);
    /// The promise that is broken here.
    fn breach(&self, state: &Self::State) -> Option<&'static str>;
    /// Whether all is done, and done well.
    fn is_settled(&self, state: &Self::State) -> bool;
}

pub struct Move<S> {
    pub step: Step,
    pub party: Party,
    /// Whether the service takes this step by itself: no fault, and nobody's whim.
    pub is_healthy: bool,
    pub next: S,
}

/// The shortest way to where a promise is broken.
#[derive(Debug)]
pub struct Counterexample {
    pub promise: &'static str,
    pub steps: Vec<(Step, Party)>,
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, after", self.promise)?;
        for (nth, (step, party)) in self.steps.iter().enumerate() {
            writeln!(
                f,
                "{:>4}  {step:?} ({})",
                nth + 1,
                ["Ada", "Ben", "Cleo", "the house"][usize::from(*party)]
            )?;
        }
        Ok(())
    }
}

/// What a whole walk has seen.
pub struct Seen {
    pub states: usize,
    pub moves: usize,
    /// The most steps that lie between the beginning and any state, taking the shortest way.
    pub depth: usize,
    pub settled: usize,
    /// How often each step was taken, by its place in [`Step::ALL`].
    pub fired: Vec<usize>,
}

const NEVER_SETTLES: &str = "the healthy steps alone never lead to where all is done and done well";

/// # Errors
/// With the shortest way to a broken promise, or to a state from which the healthy steps never settle.
pub fn search<W: World>(world: &W) -> Result<Seen, Counterexample> {
    let first = world.first();
    let mut known: HashMap<W::State, u32, BuildHasherDefault<Mixer>> = HashMap::default();
    let mut came: Vec<(u32, Step, Party)> = vec![(0, Step::ALL[0], 0)];
    let mut settled = vec![world.is_settled(&first)];
    let mut healthy: Vec<(u32, u32)> = Vec::new();
    let mut fired = vec![0; Step::ALL.len()];
    let (mut moves, mut depth) = (0, 0);
    known.insert(first, 0);

    let (mut frontier, mut out) = (vec![(first, 0_u32)], Vec::new());
    while !frontier.is_empty() {
        let mut further = Vec::new();
        for (state, id) in &frontier {
            world.moves(state, &mut out);
            moves += out.len();
            for Move { step, party, is_healthy, next } in out.drain(..) {
                fired[step as usize] += 1;
                let fresh = u32::try_from(known.len()).expect("fewer than four billion states");
                let to = *known.entry(next).or_insert(fresh);
                if to == fresh {
                    came.push((*id, step, party));
                    if let Some(promise) = world.breach(&next) {
                        return Err(Counterexample { promise, steps: way_to(to, &came) });
                    }
                    settled.push(world.is_settled(&next));
                    further.push((next, to));
                }
                if is_healthy {
                    healthy.push((*id, to));
                }
            }
        }
        depth += usize::from(!further.is_empty());
        frontier = further;
    }

    if let Some(stuck) = never_settles(&settled, &healthy) {
        return Err(Counterexample { promise: NEVER_SETTLES, steps: way_to(stuck, &came) });
    }
    let settled = settled.iter().filter(|is_settled| **is_settled).count();
    Ok(Seen { states: known.len(), moves, depth, settled, fired })
}

fn way_to(mut state: u32, came: &[(u32, Step, Party)]) -> Vec<(Step, Party)> {
    let mut steps = Vec::new();
    while state != 0 {
        let (from, step, party) = came[state as usize];
        steps.push((step, party));
        state = from;
    }
    steps.reverse();
    steps
}

/// The nearest state from which no healthy way leads to a settled one: found by walking all healthy steps backwards.
///
/// Where every state has such a way, every run in which no healthy step is put off for ever settles.
fn never_settles(settled: &[bool], healthy: &[(u32, u32)]) -> Option<u32> {
    let mut begins = vec![0_u32; settled.len() + 1];
    for (_, to) in healthy {
        begins[*to as usize + 1] += 1;
    }
    for at in 1..begins.len() {
        begins[at] += begins[at - 1];
    }
    let (mut filled, mut sources) = (begins.clone(), vec![0_u32; healthy.len()]);
    for (from, to) in healthy {
        sources[filled[*to as usize] as usize] = *from;
        filled[*to as usize] += 1;
    }
    let mut reached = settled.to_vec();
    let mut open: Vec<usize> = (0..settled.len()).filter(|at| settled[*at]).collect();
    while let Some(at) = open.pop() {
        for from in &sources[begins[at] as usize..begins[at + 1] as usize] {
            if !std::mem::replace(&mut reached[*from as usize], true) {
                open.push(*from as usize);
            }
        }
    }
    reached.iter().position(|reached| !reached).map(|at| u32::try_from(at).expect("an id"))
}

/// A hasher for many small fields, quick without an optimiser.
#[derive(Default)]
struct Mixer(u64);

impl Mixer {
    fn mix(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.mix(value.into());
    }

    fn write_usize(&mut self, value: usize) {
        self.mix(value as u64);
    }

    fn write_isize(&mut self, value: isize) {
        self.mix(value.cast_unsigned() as u64);
    }
}
