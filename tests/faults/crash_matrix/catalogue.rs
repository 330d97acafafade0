//! The matrix is whole: each step stands in the code, and each row of the catalogue of crash points is a point of it.

use std::collections::BTreeSet;
use std::path::Path;

use holdfast::proof::Step;

use super::{SIDES, points};

/// Crash points of the catalogue of faults: C1 to C22.
const ROWS: std::ops::RangeInclusive<u8> = 1..=22;

#[test]
fn every_step_is_taken_somewhere_in_the_code() {
    let mut code = String::new();
    read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut code);
    // Lines may be broken anywhere.
    let code: String = code.split_whitespace().collect();
    for step in Step::ALL {
        let [short, long] = ["", "proof::"].map(|path| format!("proof::step({path}Step::{step:?},"));
        assert!(code.contains(&short) || code.contains(&long), "{step:?} is nowhere in the code");
    }
}

#[test]
fn every_row_of_the_catalogue_has_its_point() {
    let mut known: BTreeSet<u8> = Step::ALL
        .iter()
        .flat_map(|step| SIDES.iter().flat_map(|side| points::rows(*step, *side)))
        .copied()
        .collect();
    known.insert(points::GRACEFUL_STOP);
    assert!(ROWS.eq(known), "each row from C1 to C22 is a point of the matrix");
}

#[test]
fn every_step_but_the_migration_has_a_story() {
    for step in Step::ALL {
        assert_eq!(points::plans(step).is_empty(), step == Step::Migrate, "{step:?}");
    }
}

fn read_all(folder: &Path, code: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a folder").filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            read_all(&path, code);
        } else if path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("proof/mod.rs") {
            code.push_str(&std::fs::read_to_string(&path).expect("a file"));
        }
    }
}
