//! How long a stadium is closed when Redis has lost everything: a hundred thousand seats from Postgres into an empty Redis.
//! `script/bench rebuild` runs it; figures are of this machine at this moment.

#![expect(clippy::print_stdout, reason = "a program for its authors, which prints what it found")]

#[path = "../../tests/support/mod.rs"]
#[allow(dead_code, unreachable_pub, reason = "the tests use the rest of it")]
mod support;

use std::time::{Duration, Instant};

use support::Holdfast;
use support::stadium::SEATS;

const ROUNDS: usize = 7;
const TARGET: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() {
    let holdfast = Holdfast::with_its_own_stack().await;
    let event = holdfast.stadium().await;
    let (claims,): (i64,) = sqlx::query_as("select count(*) from seat_claims")
        .fetch_one(&holdfast.app().pg)
        .await
        .expect("a query");
    let engine = &holdfast.app().engine;
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        let before = engine.epoch(event).await.expect("Redis answers");
        let begun = Instant::now();
        holdfast.flush_redis().await;
        // As customers see it: from the loss to the marker, with the time in which nobody has noticed yet.
        while engine.epoch(event).await.ok().flatten().is_none_or(|epoch| Some(epoch) <= before) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        took.push(begun.elapsed());
        // The comparison that follows is not waited for by anybody, but must not be in the next round.
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    took.sort_unstable();
    let median = took[ROUNDS / 2];
    println!("{SEATS} seats, {claims} claims, from the loss to the marker, {ROUNDS} rounds:");
    println!("  median {median:?}, best {:?}, worst {:?}", took[0], took[ROUNDS - 1]);
    let whole = holdfast.anyone().get_text("/metrics").await;
    let value = |name: &str| -> f64 {
        let line = whole.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
    };
    let (sum, count) = (value("holdfast_rebuild_seconds_sum"), value("holdfast_rebuild_seconds_count"));
    println!("  the rebuild itself: {:.2} s on average", sum / count);
    assert!(median < TARGET, "the target is {TARGET:?}");
}
