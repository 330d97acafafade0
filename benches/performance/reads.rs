//! The read path: the chart and what is taken of it, beside a handler that does nothing but return the same bytes.

use serde_json::json;

use crate::bare::Bare;
use crate::paired::paired;
use crate::report::Part;
use crate::stand::{House, bench, rate_of};

const SECONDS: &str = "4";

pub async fn measure() -> anyhow::Result<Part> {
    let mut part = Part::new(
        "The read path",
        "`holdfast bench read` over 64 connections as fast as they have answers: of the node, which counts, limits and logs each \
         call; and of an axum handler in a process of its own that returns the same bytes with the same headers and does nothing \
         else. The hall has 10,000 seats; answers are in brotli, as browsers take them.",
    );
    let house = House::open().await?;
    house.bench(&["map", "--seats", "10000", "--rate", "100", "--seconds", "1"]).await?;
    let listed: serde_json::Value =
        house.client.get(format!("{}/v1/events?limit=100", house.url)).send().await?.json().await?;
    let hall = listed["items"].as_array().into_iter().flatten().find(|event| event["seats"] == json!(10_000));
    let id =
        hall.and_then(|event| event["id"].as_str()).ok_or_else(|| anyhow::anyhow!("the hall is on sale"))?;

    let planes = "application/octet-stream";
    for (what, path, accept) in [
        ("the chart", format!("/v1/events/{id}/seats"), "application/json"),
        ("what is taken, as planes", format!("/v1/events/{id}/availability"), planes),
        ("what is taken, as JSON", format!("/v1/events/{id}/availability"), "application/json"),
    ] {
        let ours = format!("{}{path}", house.url);
        let bare = Bare::like(&house.client, &ours, &[("accept", accept), ("accept-encoding", "br")]).await?;
        let theirs = format!("http://{}{path}", bare.address);
        let found = paired(|| reads(&ours, accept), || reads(&theirs, accept)).await?;
        part.ratio(&format!("{what}, requests a second beside a bare handler"), 0.7, &found);
    }
    Ok(part)
}

async fn reads(url: &str, accept: &str) -> anyhow::Result<f64> {
    let words =
        ["read", url, "--accept", accept, "--accept-encoding", "br", "--rate", "max", "--seconds", SECONDS];
    rate_of(&bench(&words).await?, &["200"])
}
