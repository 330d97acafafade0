//! Ten thousand viewers of one event, and some who stop reading among others.

use anyhow::Context as _;
use serde_json::Value;

use crate::paired::{TURNS, paired};
use crate::report::Part;
use crate::stand::House;

const VIEWERS: u32 = 10_000;
/// Those who stop reading, among so many others, for so long.
const SLOW: &str = "100";
const AMONG: &str = "2000";
const SECONDS_SLOW: &str = "20";

pub async fn measure() -> anyhow::Result<Part> {
    let mut part = Part::new(
        "Watching",
        "`holdfast bench watch --viewers 10000 --rate 100`: ten thousand connections follow one event while a hundred seats a \
         second are held over HTTP, the crowd and its sockets on the same two cores as the node. The time is from the moment a seat \
         was asked for to the moment a viewer has the message in hand, of every twentieth viewer, who also says which of the seats \
         that were held it was told of, two seconds after the last; memory is the node's with all of them connected less what it was \
         before, divided by them. Then 2,000 viewers for twenty seconds in turns, with and without a hundred more who read nothing \
         for all of that time, over connections that keep little for them, and read on afterwards.",
    );
    ten_thousand(&mut part).await?;
    slow_ones(&mut part).await?;
    Ok(part)
}

async fn ten_thousand(part: &mut Part) -> anyhow::Result<()> {
    let (mut late, mut memory) = (Vec::new(), Vec::new());
    let (mut lost, mut due, mut told, mut by_snapshot) = (0, 0, 0, 0);
    for _ in 0..TURNS {
        let house = a_house().await?;
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
        late.push(p99(&figures)?);
        lost += noted(&figures, "viewers that lost the stream")?;
        due += noted(&figures, "changes that those who read were to be told of")?;
        told += noted(&figures, "changes that those who read were told of")?;
        by_snapshot += noted(&figures, "changes that those who read were told of by a snapshot")?;
        #[expect(clippy::cast_precision_loss, reason = "bytes of a process fit a float")]
        memory.push((most - before) as f64 / f64::from(VIEWERS) / 1000.0);
    }
    part.at_most("99 % of 10,000 viewers have a change within", 250.0, "ms", &late);
    part.at_most("memory of the node for each viewer", 20.0, "kB", &memory);
    part.row("viewers that lost their stream, in all turns", "0", &lost.to_string(), lost == 0);
    part.row(
        "changes that viewers were not told of, in all turns",
        "0",
        &format!("{} of {due} ({by_snapshot} told by a snapshot)", due - told),
        due == told && due > 0,
    );
    Ok(())
}

async fn slow_ones(part: &mut Part) -> anyhow::Result<()> {
    let house = a_house().await?;
    let told_late = std::cell::RefCell::new((0, 0, 0));
    let words =
        ["watch", "--viewers", AMONG, "--rate", "100", "--seconds", SECONDS_SLOW, "--connections", "8"];
    let found = paired(
        || async {
            let figures = house.bench(&[&words[..], &["--slow", SLOW]].concat()).await?;
            let mut all = told_late.borrow_mut();
            all.0 += noted(&figures, "viewers that stopped reading")?;
            all.1 += noted(&figures, "viewers that stopped reading, and were told everything afterwards")?;
            all.2 += noted(&figures, "changes that those who had stopped were told of by a snapshot")?;
            p99(&figures)
        },
        || async { p99(&house.bench(&words).await?) },
    )
    .await?;
    part.ratio_at_most(
        "99 % of the others have a change within, beside without slow viewers",
        1.25,
        "ms",
        &found,
    );
    let (slow, whole, by_snapshot) = told_late.into_inner();
    part.row(
        "slow viewers that knew everything once they read on, in all turns",
        "all",
        &format!("{whole} of {slow} ({by_snapshot} changes told by a snapshot)"),
        whole == slow && slow > 0,
    );
    Ok(())
}

/// What the first customers cost, passwords most of all, is no viewer's.
async fn a_house() -> anyhow::Result<House> {
    let house = House::with(&[("CONNECTIONS", "19000".to_owned())]).await?;
    house
        .bench(&["watch", "--viewers", "100", "--rate", "100", "--seconds", "2", "--connections", "8"])
        .await?;
    Ok(house)
}

fn p99(figures: &Value) -> anyhow::Result<f64> {
    let part = &figures["parts"]["from asking for a seat to a screen"];
    part["p99"].as_f64().context("there is a p99")
}

fn noted(figures: &Value, name: &str) -> anyhow::Result<u64> {
    figures["notes"][name].as_u64().with_context(|| format!("{name:?} is counted"))
}
