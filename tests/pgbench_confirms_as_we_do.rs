//! docs/performance.md has `pgbench` confirm payments beside us, with statements that are said to be ours: whoever changes how a
//! payment is confirmed changes `benches/performance/confirm.sql` as well, or is told here.

use std::collections::BTreeSet;

use crate::support::{Holdfast, eventually};

const PEER: &str = include_str!("../benches/performance/confirm.sql");

/// How the transaction that confirms can be told from all others.
const CONFIRMS: &str = "insert tickets";

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_costs_pgbench_the_statements_that_it_costs_us() {
    let holdfast = Holdfast::with_its_own_stack_and(|config| config.reconcile_seconds = 3600).await;
    let event = holdfast.theatre().await;
    holdfast.connects_anew_with(&["log_statement = 'all'"]).await;

    let ada = holdfast.customer().await;
    holdfast.sold(&ada, event, &["stalls-A-1"]).await;

    let (peers_before, peers_within, peers_after) = around_and_within(&peer());
    let said = eventually("the order's seats are shown, and nothing is owed any more", async || {
        let said = logged(&holdfast);
        let done: BTreeSet<&str> = said.iter().map(|(_, shape)| shape.as_str()).collect();
        done.contains("delete outbox").then_some(said)
    })
    .await;
    let (who, at) = said
        .iter()
        .enumerate()
        .rev()
        .find_map(|(at, (who, shape))| (shape == CONFIRMS).then_some((who, at)))
        .expect("it was confirmed");
    // What others said at the same time stands in between.
    let of_one = |(by, shape): &(String, String)| (by == who).then(|| shape.clone());
    let begun =
        said[..at].iter().rposition(|(by, shape)| by == who && shape == "begin").expect("it was begun");
    let within: Vec<String> =
        said[begun + 1..].iter().filter_map(of_one).take_while(|shape| shape != "commit").collect();
    assert_eq!(within, peers_within, "the transaction that confirms, and pgbench's");

    let all: BTreeSet<&String> = said.iter().map(|(_, shape)| shape).collect();
    let invented: Vec<&String> =
        peers_before.iter().chain(&peers_after).filter(|shape| !all.contains(shape)).collect();
    assert!(invented.is_empty(), "pgbench does what we do not: {invented:?}");
}

/// What pgbench says, without what it has to ask to know which order is next.
fn peer() -> Vec<String> {
    let shapes = PEER.lines().filter(|line| !line.starts_with("--") && !line.ends_with("\\gset"));
    shapes.filter(|line| !line.contains("from to_pay")).map(shape).collect()
}

fn around_and_within(shapes: &[String]) -> (Vec<String>, Vec<String>, Vec<String>) {
    let place = |word: &str| shapes.iter().position(|shape| shape == word).expect("one transaction");
    let (begin, commit) = (place("begin"), place("commit"));
    (shapes[..begin].to_vec(), shapes[begin + 1..commit].to_vec(), shapes[commit + 1..].to_vec())
}

/// What everybody has said to Postgres, as it came: by whom, and its shape.
fn logged(holdfast: &Holdfast) -> Vec<(String, String)> {
    let log = std::fs::read_to_string(holdfast.stack().dir().join("logs/postgres.log")).expect("a log");
    let mut said: Vec<(String, String)> = Vec::new();
    for line in log.lines() {
        if let Some(more) = line.strip_prefix('\t') {
            if let Some((_, words)) = said.last_mut() {
                words.push(' ');
                words.push_str(more);
            }
            continue;
        }
        let who = line.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(pid, _)| pid);
        let words = line.split_once("LOG:  execute ").and_then(|(_, rest)| rest.split_once(": "));
        let words =
            words.or_else(|| line.split_once("LOG:  statement").and_then(|(_, rest)| rest.split_once(": ")));
        // Whatever else is logged ends a statement, and is none.
        let words = words.map_or("", |(_, words)| words);
        said.push((who.unwrap_or_default().to_owned(), words.to_owned()));
    }
    // The driver asks once a connection what a type of ours is.
    let of_ours = |words: &str| !words.is_empty() && !words.contains("pg_catalog");
    said.into_iter().filter(|(_, words)| of_ours(words)).map(|(who, words)| (who, shape(&words))).collect()
}

/// What a statement does, and to which table first: "update orders".
fn shape(statement: &str) -> String {
    let words = statement.to_lowercase();
    let words: Vec<&str> = words
        .split(|letter: char| letter.is_whitespace() || "();,".contains(letter))
        .filter(|word| !word.is_empty())
        .collect();
    let verb = words.first().copied().unwrap_or_default();
    let after = match verb {
        "insert" => "into",
        "update" => "update",
        "select" | "delete" => "from",
        _ => return verb.to_owned(),
    };
    let table = words.iter().position(|word| *word == after).and_then(|at| words.get(at + 1));
    format!("{verb} {}", table.copied().unwrap_or("nothing"))
}

#[test]
fn a_statement_is_known_by_what_it_does_and_to_what() {
    for (statement, known) in [
        ("update orders set state = 'confirmed'", "update orders"),
        ("insert into letters (id) values ($1)", "insert letters"),
        ("select exists (select from hook_listeners where a = b)", "select hook_listeners"),
        ("DELETE\n  from outbox where id in (select id from outbox)", "delete outbox"),
        ("COMMIT;", "commit"),
    ] {
        assert_eq!(shape(statement), known);
    }
}
