//! A whole visit, from the map to somebody else's screen.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};

use crate::paired::{TURNS, median};
use crate::report::{Part, Table};
use crate::stand::House;

pub async fn measure() -> anyhow::Result<Part> {
    let mut part = Part::new(
        "A whole visit",
        "`holdfast bench journey --rate 20 --seconds 15`: twenty customers a second look at the map, hold a seat, order it, pay at \
         the sandbox, which works on the same two cores, and ask every 100 ms whether their order is confirmed; somebody else's \
         screen shows the seat sold. Open loop; each figure is the median of five runs. Nothing of it is compared with anything, and \
         nothing was wanted of it: it says how long a visit is here, and which step of it.",
    );
    let house = House::with(&[("STRIPE_CREATES_PER_SECOND", "1000".to_owned())]).await?;
    let mut found: BTreeMap<String, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    let mut visits = 0;
    for turn in 0..TURNS {
        let figures = house.bench(&["journey", "--rate", "20", "--seconds", "15"]).await?;
        let outcomes = figures["outcomes"].as_object().context("there are outcomes")?;
        ensure!(
            outcomes.keys().all(|outcome| outcome == "confirmed"),
            "not all were confirmed: {outcomes:?}"
        );
        visits += figures["answered"].as_u64().context("they are counted")?;
        let parts = figures["parts"].as_object().context("there are parts")?.iter();
        for (name, spans) in
            parts.map(|(name, spans)| (name.as_str(), spans)).chain([("in all", &figures["latency"])])
        {
            let (half, most) = found.entry(name.to_owned()).or_default();
            half.push(spans["p50"].as_f64().context("there is a median")?);
            most.push(spans["p99"].as_f64().context("there is a p99")?);
        }
        println!("  turn {}: {:.1} ms in all", turn + 1, figures["latency"]["p50"]);
    }
    part.tables.push(Table {
        title: format!("Milliseconds, of {visits} visits in five runs:"),
        head: ["step", "the median", "99 %"].map(str::to_owned).to_vec(),
        rows: found
            .iter()
            .map(|(name, (half, most))| {
                vec![name.clone(), format!("{:.1}", median(half)), format!("{:.1}", median(most))]
            })
            .collect(),
    });
    Ok(part)
}
