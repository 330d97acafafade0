//! The matrix is whole: each step stands in the code, and each row of the catalogue of crash points is a point of it.

use std::collections::BTreeSet;
use std::path::Path;

use holdfast::proof::Step;

use super::pairs::PAIRS;
use super::{Extent, SIDES, points};

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

/// What docs/crash-matrix.md says of how many cells there are, kept true.
#[test]
fn the_page_says_how_many_cells_are_played() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/crash-matrix.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let counted = |extent: Extent| {
        [
            extent.with_a_redis_alone(),
            Extent::with_replicas(),
            Extent::with_replicas(),
            extent.redis_is_lost(),
            extent.postgres_crashes(),
            extent.wakes_up_late(),
            extent.is_asked_to_end(),
        ]
        .map(|cells| cells.len())
    };
    let (usual, whole) = (counted(Extent::Usual), counted(Extent::Whole));
    let kinds = [
        "dies, Redis alone",
        "dies, behind Sentinel",
        "dies, on a Cluster",
        "Redis is lost, Redis alone",
        "Postgres crashes, Redis alone",
        "wakes up late, Redis alone",
        "is asked to end, Redis alone",
    ];
    let mut rows: Vec<_> = kinds
        .iter()
        .zip(usual.iter().zip(whole))
        .map(|(kind, (usual, whole))| (*kind, *usual, whole))
        .collect();
    rows.push(("dies twice, Redis alone", PAIRS, PAIRS));
    let all = rows.iter().fold((0, 0), |all, row| (all.0 + row.1, all.1 + row.2));
    rows.push(("all", all.0, all.1));
    let steps = format!("{} steps", Step::ALL.len() - 1);
    let mut missing: Vec<_> = rows
        .iter()
        .map(|(kind, usual, whole)| format!("| {kind} | {usual} | {whole} |"))
        .filter(|row| !page.contains(row.as_str()))
        .collect();
    if !page.contains(&steps) {
        missing.push(steps);
    }
    assert!(missing.is_empty(), "docs/crash-matrix.md does not say:\n{}", missing.join("\n"));
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
