//! A whole on-sale through a waiting room, until nothing is left.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde_json::Value;

use crate::paired::{TURNS, median};
use crate::report::{Part, Table};
use crate::stand::House;

/// Twice as many people as can have seats.
const CUSTOMERS: &str = "500";
const SEATS: &str = "500";

/// What five sales of one kind came to.
#[derive(Debug, Default)]
struct Sales {
    seconds: Vec<f64>,
    hold_p99: Vec<f64>,
    correlation: Vec<f64>,
    displacement: Vec<f64>,
    most: u64,
    passed_over: u64,
    sold_out: usize,
    ends: BTreeMap<String, u64>,
}

pub async fn measure() -> anyhow::Result<Part> {
    let mut part = Part::new(
        "An on-sale",
        "`holdfast bench rush --customers 500 --seats 500`: five hundred people who want two seats each come to a waiting room \
         before the sale begins, are let in at the pace that the house sets itself, hold the best seats and order them, until \
         everything is sold; in one kind of sale the seats are free and booked at once, in the other they are paid at the sandbox. \
         The two take turns, five each; figures are medians. People look every two seconds whether it is their turn, so those who \
         are let in within the same two seconds learn of it in any order.",
    );
    let house = House::with(&[("STRIPE_CREATES_PER_SECOND", "1000".to_owned())]).await?;
    let mut kinds = [("free", &[][..], Sales::default()), ("paid", &["--pay"], Sales::default())];
    for turn in 0..TURNS {
        for at in 0..kinds.len() {
            let (name, more, sales) = &mut kinds[(at + turn) % 2];
            let words = [&["rush", "--customers", CUSTOMERS, "--seats", SEATS], *more].concat();
            sales.add(&house.bench(&words).await?)?;
            println!("  turn {}: {name}, {:?} s", turn + 1, sales.seconds.last());
        }
    }
    let mut table = Table {
        title: "Each kind:".to_owned(),
        head: [
            "seats are",
            "seconds until the last is booked",
            "p99 of a hold (ms)",
            "rank correlation of line and entry",
            "places between them, on average",
            "at most",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: Vec::new(),
    };
    let mut ends = Table {
        title: "How it ended for people, in all turns:".to_owned(),
        head: ["seats are", "it ended with", "people"].map(str::to_owned).to_vec(),
        rows: Vec::new(),
    };
    for (name, _, sales) in &kinds {
        part.row(
            &format!("sales that were sold out, {name}"),
            "all",
            &format!("{} of {TURNS}", sales.sold_out),
            sales.sold_out == TURNS,
        );
        part.row(
            &format!("people who stood in front of somebody who was let in, and never were, {name}"),
            "0",
            &sales.passed_over.to_string(),
            sales.passed_over == 0,
        );
        table.rows.push(vec![
            (*name).to_owned(),
            format!("{:.1}", median(&sales.seconds)),
            format!("{:.1}", median(&sales.hold_p99)),
            format!("{:.3}", median(&sales.correlation)),
            format!("{:.1}", median(&sales.displacement)),
            sales.most.to_string(),
        ]);
        for (end, people) in &sales.ends {
            ends.rows.push(vec![(*name).to_owned(), end.clone(), people.to_string()]);
        }
    }
    part.tables.extend([table, ends]);
    Ok(part)
}

impl Sales {
    fn add(&mut self, figures: &Value) -> anyhow::Result<()> {
        let notes = &figures["notes"];
        self.sold_out += usize::from(notes["sold out"] == true);
        self.seconds.extend(notes["seconds from the opening to the last seat's booking"].as_f64());
        self.hold_p99.extend(figures["parts"]["a hold, answered"]["p99"].as_f64());
        let fairness = &notes["fairness"];
        self.correlation.extend(fairness["rank_correlation"].as_f64());
        self.displacement.extend(fairness["mean_displacement"].as_f64());
        self.most = self.most.max(fairness["most_displacement"].as_u64().context("it is counted")?);
        self.passed_over += fairness["passed_over"].as_u64().context("they are counted")?;
        for (end, people) in figures["outcomes"].as_object().context("there are outcomes")? {
            *self.ends.entry(end.clone()).or_default() += people.as_u64().context("they are counted")?;
        }
        Ok(())
    }
}
