//! Promises that would not notice a broken guard prove nothing. So each guard is taken away in turn, and the promises
//! that `plants` names for it have to fail, with the complaint that says why.
//!
//! A guard is taken away in the environment of a process, so each turn is this very program, run once more for
//! those promises alone.

use std::collections::BTreeSet;
use std::env;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use holdfast::proof::{BUG, Bug};
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::plants::plant;
use crate::support::servers;

/// Programs at a time: the other tests want to go on.
const AT_A_TIME: usize = 3;

/// For one program, on a machine that is busy. Who waits inside gives up much earlier.
const LONGEST: Duration = Duration::from_mins(3);

/// How often a promise is asked again that has complained of something else.
const TRIES: usize = 3;

fn this_program() -> Command {
    let mut program = Command::new(env::current_exe().expect("this program has a path"));
    program.stdin(Stdio::null()).kill_on_drop(true);
    program
}

/// What the promises that should miss this guard say without it.
async fn without(bug: Bug) -> String {
    let promises = plant(bug).caught_by.iter().map(|catch| catch.promise);
    let run = this_program()
        .arg("--exact")
        .args(promises)
        .args(["--test-threads", "2"])
        .env(BUG, bug.name())
        .env(servers::LENT, servers::lend().await)
        .env("RUST_BACKTRACE", "0")
        .output();
    match tokio::time::timeout(LONGEST, run).await {
        Ok(done) => String::from_utf8_lossy(&done.expect("it starts").stdout).into_owned(),
        Err(_) => format!("it did not end within {LONGEST:?}"),
    }
}

/// What one promise has said: the part of the output that is under its name.
fn complaint_of<'o>(promise: &str, output: &'o str) -> &'o str {
    let (_, rest) = output.split_once(&format!("\n---- {promise} stdout ----\n")).unwrap_or_default();
    rest.split("\n---- ").next().unwrap_or_default()
}

/// Promises that did not notice, or noticed something else.
async fn missed(bug: Bug) -> Vec<String> {
    let output = without(bug).await;
    let mut missed = Vec::new();
    for catch in plant(bug).caught_by {
        let failed = output.contains(&format!("test {} ... FAILED", catch.promise));
        let said = complaint_of(catch.promise, &output);
        if !failed || !said.contains(catch.complaint) {
            let name = bug.name();
            missed.push(format!("{} did not notice {name}:\n{output}", catch.promise));
        }
    }
    missed
}

/// Those of the bugs that were missed while others were looked for at the same time.
async fn missed_at_first() -> Vec<Bug> {
    let turns = Arc::new(Semaphore::new(AT_A_TIME));
    let mut running = JoinSet::new();
    for bug in Bug::ALL {
        let turns = Arc::clone(&turns);
        running.spawn(async move {
            let _turn = turns.acquire().await.expect("it is never closed");
            (!missed(bug).await.is_empty()).then_some(bug)
        });
    }
    running.join_all().await.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_guard_the_promises_that_are_named_for_it_fail() {
    for bug in missed_at_first().await {
        // On a busy machine a promise may fail for want of time, which is another complaint: it is asked again, alone.
        let mut missing = missed(bug).await;
        for _ in 1..TRIES {
            if !missing.is_empty() {
                missing = missed(bug).await;
            }
        }
        assert!(missing.is_empty(), "{}", missing.join("\n"));
    }
}

#[tokio::test]
async fn every_promise_that_is_named_for_a_guard_is_one_of_ours() {
    let listed = this_program().args(["--list", "--format", "terse"]).output().await.expect("it lists");
    let listed = String::from_utf8(listed.stdout).expect("names are text");
    let ours: BTreeSet<_> = listed.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    for bug in Bug::ALL {
        let plant = plant(bug);
        assert!(!plant.caught_by.is_empty(), "nobody misses the guard of {}", bug.name());
        for catch in plant.caught_by {
            assert!(ours.contains(catch.promise), "there is no {}", catch.promise);
        }
    }
}

/// The table as the page should have it, line by line.
fn table() -> Vec<String> {
    let mut table = vec![
        "| planted | the guard | without it | missed by |".to_owned(),
        "| --- | --- | --- | --- |".to_owned(),
    ];
    for bug in Bug::ALL {
        let plant = plant(bug);
        let promises: Vec<_> = plant.caught_by.iter().map(|catch| format!("`{}`", catch.promise)).collect();
        let (name, promises) = (bug.name(), promises.join(", "));
        table.push(format!("| `{name}` | {} | {} | {promises} |", plant.guard, plant.without));
    }
    table
}

#[test]
fn the_page_says_which_promise_misses_which_guard() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reliability.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let (_, rest) = page.split_once("\n## Planted bugs\n").expect("the page has the section");
    let section = rest.split("\n## ").next().unwrap_or_default();
    let written: Vec<_> = section.lines().filter(|line| line.starts_with('|')).collect();
    let table = table();
    assert!(
        written == table,
        "docs/reliability.md should have this table of planted bugs:\n\n{}\n",
        table.join("\n")
    );
}

#[test]
fn a_complaint_is_read_under_its_own_name() {
    let output =
        "\nfailures:\n\n---- a::b stdout ----\nfirst\n\n---- a::bc stdout ----\nsecond\n\nfailures:\n";
    assert_eq!(complaint_of("a::b", output), "first\n");
    assert!(complaint_of("a::bc", output).starts_with("second"));
    assert_eq!(complaint_of("c", output), "");
}
