//! A hundred thousand seats, sold, at checkout, blocked and offered, are lost from Redis while a hundred people buy on two
//! nodes: one node builds the picture anew, exactly, and every checkout goes on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use holdfast::seats::SeatState;

use crate::support::rush::Rush;
use crate::support::stadium::ROWS;
use crate::support::{Holdfast, eventually_within};

/// A build without optimisation on a busy machine takes its time over a hundred thousand rows.
const LONG: Duration = Duration::from_mins(5);

#[tokio::test(flavor = "multi_thread")]
async fn the_picture_is_exact_again_and_no_checkout_is_lost() {
    // What is compared and audited by the clock has tests of its own, and reads a hundred thousand rows each time.
    let holdfast = Arc::new(Holdfast::with(|config| config.reconcile_seconds = 600).await);
    let event = holdfast.stadium().await;
    let second = holdfast.second_node().await;
    second.app.catalog.chart(event).await.expect("a chart");
    let nodes = [holdfast.url().to_owned(), second.url.clone()];
    let rush = Rush::starts(&holdfast, event, &ROWS, holdfast.crowd(100).await, &nodes);
    let rebuilds = || holdfast.app().metrics.rebuilds.get() + second.app.metrics.rebuilds.get();

    let epoch = async || holdfast.app().engine.epoch(event).await.ok().flatten();
    for round in 1..=2 {
        let (before, built) = (epoch().await.expect("a picture"), rebuilds());
        eventually_within(LONG, "somebody is at checkout", async || {
            let (open,): (i64,) =
                sqlx::query_as("select count(*) from orders where state = 'awaiting_payment' and amount > 0")
                    .fetch_one(&holdfast.app().pg)
                    .await
                    .ok()?;
            (open > 0).then_some(())
        })
        .await;
        holdfast.flush_redis().await;
        eventually_within(LONG, "it is on sale again", async || (epoch().await? > before).then_some(()))
            .await;
        eventually_within(LONG, "whoever built it is done", async || (rebuilds() > built).then_some(()))
            .await;
        assert_eq!(rebuilds(), built + 1, "round {round}: one of the two nodes built it");
    }
    let ended = rush.ends().await;
    assert!(ended.iter().any(|order| order.paid && !order.called_off), "people bought all the while");

    // Every order has told the picture. What is left of holds that nobody checked out runs out by itself.
    holdfast.every_invariant_holds().await;
    let chart = holdfast.app().catalog.chart(event).await.expect("a chart");
    let (flags, owners) = holdfast.seats_by_postgres(event).await;
    let all: Vec<u32> = (0..chart.size()).filter(|&at| chart.seat(at).is_some()).collect();
    let held_by_nobody = eventually_within(LONG, "each seat says what Postgres says", async || {
        let seen = holdfast.app().engine.flags(event, &all).await.ok()?;
        let planes = holdfast.app().engine.snapshot(event).await.ok()?;
        let mut holds = 0;
        for (&at, seen) in all.iter().zip(seen) {
            let wanted = flags.get(&at);
            let state = match wanted.map(String::as_str) {
                None => SeatState::Free,
                Some("blocked") => SeatState::Blocked,
                Some(text) if text.starts_with("sold:") => SeatState::Sold,
                Some(_) => SeatState::Held,
            };
            if wanted.is_none() && seen.is_some() && planes.state(at) == SeatState::Held {
                holds += 1;
                continue;
            }
            if seen.as_ref() != wanted || planes.state(at) != state {
                return None;
            }
        }
        Some(holds)
    })
    .await;
    let counted: BTreeMap<String, i64> =
        holdfast.ask_redis(redis::cmd("HGETALL").arg(format!("owners:{{{event}}}"))).await;
    let in_hand: i64 = counted.values().sum::<i64>() - owners.values().sum::<i64>();
    assert_eq!(in_hand, held_by_nobody, "what is counted is what is claimed and what is only held");
    assert!(owners.iter().all(|(owner, seats)| counted.get(owner).is_some_and(|has| has >= seats)));
}
