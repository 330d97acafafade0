//! Named seats: each its own, or all of them the same few.

use clap::Args;
use serde_json::{Value, json};

use crate::bench::house::{House, Sale};
use crate::bench::load::{Caller, Load, Tally};
use crate::bench::report::Figures;
use crate::bench::wire::Wire;

#[derive(Debug, Clone, Args)]
pub struct Hold {
    /// Everybody wants one of so many seats: nearly all are told that somebody else was quicker. Without it, everybody wants
    /// another seat.
    #[arg(long, value_name = "SEATS", conflicts_with = "seats")]
    hot: Option<u32>,
    /// How many seats of a row each wants.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20))]
    seats: u32,
}

struct Asks {
    wire: Wire,
    sale: Sale,
    path: String,
    hold: Hold,
}

impl Caller for Asks {
    async fn call(&mut self, number: u64, _: &mut Tally) -> String {
        let (first, many) = match self.hold.hot {
            Some(hot) => (number * 7919 % u64::from(hot.max(1)), 1),
            None => (number * u64::from(self.hold.seats), u64::from(self.hold.seats)),
        };
        let seats: Vec<String> = (first..first + many).map(|number| self.sale.seat(number)).collect();
        outcome(self.wire.post(&self.path, &json!({ "seats": seats })).await)
    }
}

/// What an answer, or none, is counted as.
pub fn outcome(answer: anyhow::Result<crate::bench::wire::Answer>) -> String {
    answer.map_or_else(|error| format!("no answer: {error}"), |answer| answer.outcome())
}

pub async fn run(house: &House, load: &Load, hold: &Hold) -> anyhow::Result<Figures> {
    let sale = house.event(load.seats(hold.seats), Value::Null).await?;
    let customers = house.customers(load.connections.min(64)).await?;
    let callers = house.wires(load.connections, &customers)?.into_iter().map(|wire| Asks {
        wire,
        path: sale.holds(),
        sale: sale.clone(),
        hold: hold.clone(),
    });
    let (tally, took) = load.run(callers.collect()).await;
    let name = if hold.hot.is_some() { "hold, hot" } else { "hold" };
    Ok(Figures::of(name, load, &tally, took))
}
