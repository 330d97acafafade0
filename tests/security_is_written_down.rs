//! `docs/security.md` promises line by line, and each line names the tests that hold it: they are there, and they are tests.

use std::collections::BTreeSet;
use std::path::Path;

/// One line of a table: what it is about, and the tests that it names.
struct Line {
    about: String,
    tests: Vec<(String, String)>,
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).ok()
}

fn lines() -> Vec<Line> {
    let page = read("docs/security.md").expect("the page");
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---"));
    let lines = rows.filter(|row| !row.ends_with("| held by |")).map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let held_by = cells.last().expect("a cell");
        let tests = held_by.split('`').skip(1).step_by(2).map(|name| {
            let (place, test) = name.split_once("::").unwrap_or_else(|| panic!("{name} names no test"));
            let is_file = Path::new(place).extension().is_some_and(|kind| kind == "rs");
            (if is_file { place.to_owned() } else { format!("tests/{place}.rs") }, test.to_owned())
        });
        Line { about: cells[0].to_owned(), tests: tests.collect() }
    });
    lines.collect()
}

/// Whether a text has a test of this name: a function that is marked as one, right above or with its settings between.
pub fn is_test(text: &str, name: &str) -> bool {
    let all: Vec<&str> = text.lines().map(str::trim).collect();
    all.iter().enumerate().any(|(number, line)| {
        let is_it = ["fn ", "async fn "].iter().any(|kind| {
            line.strip_prefix(kind)
                .and_then(|rest| rest.strip_prefix(name))
                .is_some_and(|rest| rest.starts_with('('))
        });
        let mut above =
            all[..number].iter().rev().take_while(|line| line.starts_with('#') || line.starts_with("//"));
        is_it && above.any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    })
}

#[test]
fn every_line_is_held_by_tests_that_are_there() {
    let modules = read("tests/main.rs").expect("the list of promises");
    let lines = lines();
    assert!(lines.len() > 35, "only {} lines", lines.len());
    for Line { about, tests } in &lines {
        assert!(!tests.is_empty(), "{about} is held by nothing");
        for (file, name) in tests {
            let text = read(file).unwrap_or_else(|| panic!("{about}: there is no {file}"));
            assert!(is_test(&text, name), "{about}: {file} has no test {name}");
            if let Some(module) = file.strip_prefix("tests/").and_then(|name| name.strip_suffix(".rs")) {
                assert!(modules.contains(&format!("mod {module};")), "{about}: {file} is not run");
            }
        }
    }
}

#[test]
fn every_item_of_the_top_ten_and_every_theme_has_a_line() {
    let about: BTreeSet<String> = lines().into_iter().map(|line| line.about).collect();
    for number in 1..=10 {
        assert!(about.contains(&format!("API{number}")), "API{number} has no line");
    }
    for theme in [
        "algorithm",
        "purpose",
        "rotation",
        "a lost answer",
        "the end",
        "argon2",
        "who has an account",
        "floods",
        "headers",
        "caches",
        "HSTS",
        "CORS",
        "CSRF",
        "addresses",
        "names",
        "redirects, proxies",
        "secrets in logs",
        "comparisons",
        "database role",
        "dependencies",
        "unsafe",
        "settings",
        "ids",
        "tickets",
    ] {
        assert!(about.contains(theme), "{theme} has no line");
    }
}
