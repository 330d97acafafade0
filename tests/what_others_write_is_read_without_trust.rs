//! Whatever bytes somebody writes where we read, what we promise of reading them holds: forms of events, news of Stripe's and
//! their signatures, tokens, codes, ids, cursors, addresses, letters, and what Redis answers.
//!
//! `script/fuzz` looks for inputs that break a promise; here are all that it has found, all seeds, and some thousand changes
//! of them that are other ones at every run. `HOLDFAST_SEED` repeats a run.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::invention::Inventor;

#[path = "../fuzz/bodies/mod.rs"]
mod bodies;

/// For all targets together, in a build without optimisation.
const TIME: Duration = Duration::from_secs(20);
const MOST_CASES: usize = 4000;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn seeds(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = fuzz().join("seeds").join(target);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    files.into_iter().map(|file| (file.clone(), std::fs::read(file).expect("a seed"))).collect()
}

/// Runs a body, and answers how it broke if it did; what it said itself stands above.
fn broken(target: &str, body: bodies::Body, input: &[u8], from: &str) -> Option<String> {
    catch_unwind(AssertUnwindSafe(|| body(input))).err()?;
    let file = std::env::temp_dir().join(format!("holdfast-{target}-broken"));
    std::fs::write(&file, input).expect("a file");
    Some(format!("{target} broke at {from}; the input is in {}: {}", file.display(), input.escape_ascii()))
}

#[test]
fn every_seed_and_all_that_was_ever_found_is_read_as_promised() {
    let mut all = Vec::new();
    for (target, body) in bodies::TARGETS {
        let seeds = seeds(target);
        assert!(seeds.len() >= 3, "{target} has {} seeds", seeds.len());
        all.extend(
            seeds.iter().filter_map(|(file, input)| broken(target, body, input, &file.display().to_string())),
        );
    }
    assert!(all.is_empty(), "{all:#?}");
}

#[test]
fn what_nobody_has_thought_of_is_read_as_promised() {
    let mut inventor = Inventor::new("what_others_write");
    let mut all = Vec::new();
    let share = TIME / u32::try_from(bodies::TARGETS.len()).expect("few");
    for (target, body) in bodies::TARGETS {
        let seeds: Vec<_> = seeds(target).into_iter().map(|(_, input)| input).collect();
        let begun = Instant::now();
        for case in 0..MOST_CASES {
            if begun.elapsed() > share {
                break;
            }
            let input = inventor.changed(&seeds);
            let from = format!("case {case} of HOLDFAST_SEED={}", inventor.seed());
            if let Some(told) = broken(target, body, &input, &from) {
                all.push(told);
                break;
            }
        }
    }
    assert!(all.is_empty(), "{all:#?}");
}

#[test]
fn every_target_can_be_fuzzed() {
    let manifest = std::fs::read_to_string(fuzz().join("Cargo.toml")).expect("a manifest");
    let names: BTreeSet<_> = bodies::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let in_folder = |folder: &str| -> BTreeSet<String> {
        let files = std::fs::read_dir(fuzz().join(folder)).expect("a folder");
        let stem = |path: PathBuf| path.file_stem().expect("a name").to_string_lossy().into_owned();
        files.map(|file| stem(file.expect("a file").path())).collect()
    };
    assert_eq!(in_folder("targets"), names);
    assert_eq!(in_folder("seeds"), names);
    for name in &names {
        assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"targets/{name}.rs\"")), "{name}");
        let target = std::fs::read_to_string(fuzz().join(format!("targets/{name}.rs"))).expect("a target");
        assert!(target.contains(&format!("bodies::run(\"{name}\", input)")), "{name} runs something else");
    }
    assert!(in_folder("words").is_subset(&names), "words for no target");
}
