//! Ten thousand viewers of one event.

use anyhow::Context as _;

use crate::paired::TURNS;
use crate::report::Part;
use crate::stand::House;

const VIEWERS: u32 = 10_000;

pub async fn measure() -> anyhow::Result<Part> {
    let mut part = Part::new(
        "Watching",
        "`holdfast bench watch --viewers 10000 --rate 100`: ten thousand connections follow one event while a hundred seats a \
         second are held over HTTP, the crowd and its sockets on the same two cores as the node. The time is from the moment a seat \
         was asked for to the moment a viewer has the message in hand, of every twentieth viewer; memory is the node's with all of \
         them connected less what it was before, divided by them.",
    );
    let (mut late, mut memory, mut lost) = (Vec::new(), Vec::new(), 0);
    for _ in 0..TURNS {
        let house = House::with(&[("CONNECTIONS", "19000".to_owned())]).await?;
        // What the first customers cost, passwords most of all, is no viewer's.
        house
            .bench(&["watch", "--viewers", "100", "--rate", "100", "--seconds", "2", "--connections", "8"])
            .await?;
        let before = house.memory();
        let words = ["watch", "--viewers", "10000", "--rate", "100", "--seconds", "8", "--connections", "8"];
        let mut most = before;
        let watching = house.bench(&words);
        let mut watching = std::pin::pin!(watching);
        let figures = loop {
            tokio::select! {
                figures = &mut watching => break figures?,
                () = tokio::time::sleep(std::time::Duration::from_millis(200)) => most = most.max(house.memory()),
            }
        };
        let part = &figures["parts"]["from asking for a seat to a screen"];
        late.push(part["p99"].as_f64().context("there is a p99")?);
        lost +=
            figures["notes"]["viewers that lost the stream unread"].as_u64().context("they are counted")?;
        #[expect(clippy::cast_precision_loss, reason = "bytes of a process fit a float")]
        memory.push((most - before) as f64 / f64::from(VIEWERS) / 1000.0);
    }
    part.at_most("99 % of 10,000 viewers have a change within", 250.0, "ms", &late);
    part.at_most("memory of the node for each viewer", 20.0, "kB", &memory);
    part.row("viewers that lost their stream", "0", &lost.to_string(), lost == 0);
    Ok(part)
}
