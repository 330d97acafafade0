//! How much there can be: what an event takes in memory at three sizes, and five hundred of them at once.

use std::sync::Mutex;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::paired::{median, paired, range};
use crate::report::{Part, Table};
use crate::stand::{House, bench, rate_of};

/// Events of each size.
const SIZES: [(u32, u32); 3] = [(1_000, 100), (10_000, 30), (100_000, 6)];
const AT_ONCE: u32 = 500;

pub async fn measure() -> anyhow::Result<Part> {
    let mut part = Part::new(
        "How much there can be",
        "Events of three sizes are put on sale at a fresh house, and each is looked at, so that the node keeps its chart, its \
         drawing in two codings and its picture; what the node and Redis have in memory is read before and after, once. Then houses take \
         turns, five each, freshly opened: one with one event of 1,000 seats, and one with five hundred, all looked at and read in \
         turn as fast as there are answers; and after it one with five hundred that are all sold from in turn, by `holdfast bench \
         hold --events 500 --rate 1000`. The medians of the five turns are given.",
    );
    let mut table = Table {
        title: "Memory for each event on sale and watched:".to_owned(),
        head: ["seats", "events", "node, kB each", "Redis, kB each", "node, bytes a seat"]
            .map(str::to_owned)
            .to_vec(),
        rows: Vec::new(),
    };
    for (seats, events) in SIZES {
        let house = House::open().await?;
        let (node, redis) = (house.memory(), used(&house).await?);
        for number in 0..events {
            look(&house, &put_on_sale(&house, seats, number).await?).await?;
        }
        // What is packed for readers is packed when they first come.
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        let each = |now: u64, before: u64| now.saturating_sub(before) / u64::from(events);
        let (node, redis) = (each(house.memory(), node), each(used(&house).await?, redis));
        println!("  {seats} seats: {} kB in the node, {} kB in Redis", node / 1000, redis / 1000);
        let row = [u64::from(seats), events.into(), node / 1000, redis / 1000, node / u64::from(seats)];
        table.rows.push(row.iter().map(ToString::to_string).collect());
    }
    part.tables.push(table);

    let holds = Mutex::new(Vec::new());
    let turns = paired(|| among(&holds), || reads(1)).await?;
    let (ratio, (least, most)) = (turns.ratio(), range(&turns.ratios()));
    part.row(
        "events are read as quickly among 500 that are live as one alone",
        "≥ 0.8 ×",
        &format!(
            "**{ratio:.2}** ({least:.2} to {most:.2}; {:.0} beside {:.0} a second)",
            median(&turns.ours),
            median(&turns.theirs)
        ),
        ratio >= 0.8,
    );
    let holds = holds.into_inner().map_err(|_| anyhow::anyhow!("a turn panicked"))?;
    let (p99, (least, most)) = (median(&holds), range(&holds));
    part.row(
        "p99 of 1,000 holds a second of 500 events that are live",
        "≤ 10 ms",
        &format!("**{p99:.1}** ({least:.1} to {most:.1}) ms"),
        p99 <= 10.0,
    );
    Ok(part)
}

/// One turn of five hundred: answers a second. What holds took is kept beside it.
async fn among(holds: &Mutex<Vec<f64>>) -> anyhow::Result<f64> {
    let found = reads(AT_ONCE).await?;
    let p99 = p99_of_holds().await?;
    println!("  p99 of holds among {AT_ONCE}: {p99:.1} ms");
    holds.lock().map_err(|_| anyhow::anyhow!("a turn panicked"))?.push(p99);
    Ok(found)
}

/// So many events at a house of their own, all of them read in turn: answers a second.
async fn reads(events: u32) -> anyhow::Result<f64> {
    let house = House::open().await?;
    let mut addresses = Vec::new();
    for number in 0..events {
        let event = put_on_sale(&house, 1_000, number).await?;
        look(&house, &event).await?;
        addresses.push(format!("{}/v1/events/{event}/availability", house.url));
    }
    let mut words = vec!["read", "--accept-encoding", "br", "--rate", "max", "--seconds", "3"];
    words.extend(addresses.iter().map(String::as_str));
    rate_of(&bench(&words).await?, &["200"])
}

/// Milliseconds.
async fn p99_of_holds() -> anyhow::Result<f64> {
    let (house, events) = (House::open().await?, AT_ONCE.to_string());
    let held = house.bench(&["hold", "--events", &events, "--rate", "1000", "--seconds", "5"]).await?;
    held["latency"]["p99"].as_f64().context("there is a p99")
}

/// What Redis has given to keys and clients, in bytes.
async fn used(house: &House) -> anyhow::Result<u64> {
    let mut redis = house.redis().await?;
    let page: String = redis::cmd("INFO").arg("memory").query_async(&mut redis).await?;
    let used = page.lines().find_map(|line| line.strip_prefix("used_memory:"));
    Ok(used.context("Redis says what it uses")?.trim().parse()?)
}

async fn put_on_sale(house: &House, seats: u32, number: u32) -> anyhow::Result<String> {
    let rows = |section: u32| -> Vec<Value> {
        let left = (seats - section * 5_000).min(5_000);
        (0..left.div_ceil(100)).map(|row| json!({ "name": row.to_string(), "seats": 100 })).collect()
    };
    let sections: Vec<Value> = (0..seats.div_ceil(5_000))
        .map(|section| json!({ "key": format!("s{section}"), "category": "all", "rows": rows(section) }))
        .collect();
    let event = json!({
        "title": format!("Evening {number}"), "starts_at": "2031-05-01T19:00:00Z", "currency": "eur",
        "categories": [{ "key": "all", "name": "All seats", "price": 4800 }], "sections": sections,
    });
    let made = house
        .client
        .post(format!("{}/v1/admin/events", house.url))
        .bearer_auth(&house.organiser)
        .json(&event)
        .send()
        .await?;
    if made.status() != 201 {
        bail!("putting an event on sale: {} {}", made.status(), made.text().await?);
    }
    Ok(made.json::<Value>().await?["id"].as_str().context("it has an id")?.to_owned())
}

/// As a browser does.
async fn look(house: &House, event: &str) -> anyhow::Result<()> {
    for what in ["seats", "availability"] {
        let asked = house.client.get(format!("{}/v1/events/{event}/{what}", house.url));
        asked.header("accept-encoding", "br").send().await?.error_for_status()?;
    }
    Ok(())
}
