//! The catalogue of faults in docs/faults.md: every number once, and every test that it names is there.

use std::collections::BTreeMap;
use std::path::Path;

use crate::security_is_written_down::is_test;

const FAULTS: u32 = 132;

/// The text of every Rust file below a folder.
fn sources(folder: &Path, into: &mut String) {
    let entries = std::fs::read_dir(folder).expect("a folder of the repository");
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        if path.is_dir() && !path.ends_with("node_modules") {
            sources(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            into.push_str(&std::fs::read_to_string(&path).expect("a file"));
        }
    }
}

/// The rows of the catalogue: what stands in front, and the tests that are named last.
fn rows(page: &str) -> Vec<(&str, Vec<&str>)> {
    let lines = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| |"));
    lines
        .filter(|line| !line.starts_with("| ---"))
        .map(|line| {
            let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
            assert_eq!(cells.len(), 4, "{line}");
            assert!(cells.iter().all(|cell| !cell.is_empty()), "{line}");
            let tests = cells[3].split(',').map(|name| {
                let name = name.trim();
                name.strip_prefix('`')
                    .and_then(|name| name.strip_suffix('`'))
                    .unwrap_or_else(|| panic!("{name}: {line}"))
            });
            (cells[0], tests.collect())
        })
        .collect()
}

#[test]
fn every_fault_is_in_the_catalogue_once_with_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/faults.md")).expect("the catalogue");
    let mut code = String::new();
    for folder in ["src", "tests"] {
        sources(&root.join(folder), &mut code);
    }
    let mut numbers = BTreeMap::new();
    let mut missing = Vec::new();
    for (number, tests) in rows(&page) {
        if let Ok(number) = number.parse::<u32>() {
            *numbers.entry(number).or_insert(0) += 1;
        }
        for test in tests.into_iter().filter(|test| !is_test(&code, test)) {
            missing.push(format!("{number}: {test}"));
        }
    }
    let expected: BTreeMap<u32, i32> = (1..=FAULTS).map(|number| (number, 1)).collect();
    assert_eq!(numbers, expected);
    assert!(missing.is_empty(), "tests that do not exist:\n{}", missing.join("\n"));
}
