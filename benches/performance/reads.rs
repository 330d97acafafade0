//! The read path: the chart and what is taken of it, beside a handler that does nothing but return the same bytes; of a hall where
//! nothing moves, and of one that is being sold.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::bare::Bare;
use crate::paired::paired;
use crate::report::Part;
use crate::stand::{House, bench, rate_of};

const SECONDS: &str = "4";
/// How long a sale takes to begin: customers register, and readers' answers fill with seats.
const TO_BEGIN: Duration = Duration::from_secs(12);
const PLANES: (&str, &str) = ("what is taken, as planes", "application/octet-stream");
const JSON: (&str, &str) = ("what is taken, as JSON", "application/json");

pub async fn measure() -> anyhow::Result<Part> {
    let mut part = Part::new(
        "The read path",
        "`holdfast bench read` over 64 connections as fast as they have answers: of the node, which counts, limits and logs each \
         call; and of an axum handler (`axum::serve` on tokio's default threads) in a process of its own, built with the same \
         profile and allocator, that returns the same prepared bytes and headers and does nothing else \
         ([bare_handler.rs](../benches/performance/bare_handler.rs)). Answers are in brotli, as browsers take them. The first three \
         rows are of a hall of 10,000 seats where nothing moves: every answer is one that the node has ready. In the others \
         `holdfast bench hold` takes seats of the hall meanwhile, a hundred a second of 12,000 and a thousand a second of 75,000, so \
         that the node draws and packs a new answer for each version that readers meet; it goes on while the bare handler, which \
         returns the answer that the node gave when the row began, has its turn, on the same two cores.",
    );
    let house = House::open().await?;
    house.bench(&["map", "--seats", "10000", "--rate", "100", "--seconds", "1"]).await?;
    let id = hall_of(&house, 10_000).await?;
    for ((what, accept), path) in [
        (("the chart", "application/json"), format!("/v1/events/{id}/seats")),
        (PLANES, format!("/v1/events/{id}/availability")),
        (JSON, format!("/v1/events/{id}/availability")),
    ] {
        beside_bare(&mut part, &house, what, &path, accept).await?;
    }
    drop(house);
    while_seats_change(&mut part, 100, 120, &[PLANES, JSON]).await?;
    while_seats_change(&mut part, 1000, 75, &[PLANES]).await?;
    Ok(part)
}

/// Of a hall of which so many seats a second are taken, for longer than all of it is read.
async fn while_seats_change(
    part: &mut Part,
    rate: u32,
    seconds: u32,
    rows: &[(&str, &str)],
) -> anyhow::Result<()> {
    let house = House::open().await?;
    let (a_second, lasts) = (rate.to_string(), seconds.to_string());
    let words = ["hold", "--rate", &a_second, "--seconds", &lasts];
    let selling = async { rate_of(&house.bench(&words).await?, &["201"]) };
    let reading = async {
        tokio::time::sleep(TO_BEGIN).await;
        let id = hall_of(&house, rate * seconds).await?;
        for (what, accept) in rows {
            let what = format!("{what}, while {rate} seats a second change");
            beside_bare(part, &house, &what, &format!("/v1/events/{id}/availability"), accept).await?;
        }
        anyhow::Ok(Instant::now())
    };
    let sold = async {
        let sold = selling.await?;
        anyhow::Ok((sold, Instant::now()))
    };
    let ((held, ended), read) = tokio::try_join!(sold, reading)?;
    anyhow::ensure!(read <= ended, "the hall was sold before it had been read");
    println!("  meanwhile {held:.0} seats a second of {rate} were taken");
    Ok(())
}

async fn beside_bare(
    part: &mut Part,
    house: &House,
    what: &str,
    path: &str,
    accept: &str,
) -> anyhow::Result<()> {
    let ours = format!("{}{path}", house.url);
    let bare = Bare::like(&house.client, &ours, &[("accept", accept), ("accept-encoding", "br")]).await?;
    let theirs = format!("{}{path}", bare.url);
    let found = paired(|| reads(&ours, accept), || reads(&theirs, accept)).await?;
    part.ratio(&format!("{what}, requests a second beside a bare handler"), 0.7, &found);
    Ok(())
}

/// The only event that has so many seats.
async fn hall_of(house: &House, seats: u32) -> anyhow::Result<String> {
    let asked = house.client.get(format!("{}/v1/events?limit=100", house.url)).send().await?;
    let listed: Value = asked.error_for_status()?.json().await?;
    let hall = listed["items"].as_array().into_iter().flatten().find(|event| event["seats"] == json!(seats));
    Ok(hall.and_then(|event| event["id"].as_str()).context("the hall is on sale")?.to_owned())
}

async fn reads(url: &str, accept: &str) -> anyhow::Result<f64> {
    let words =
        ["read", url, "--accept", accept, "--accept-encoding", "br", "--rate", "max", "--seconds", SECONDS];
    rate_of(&bench(&words).await?, &["200"])
}
