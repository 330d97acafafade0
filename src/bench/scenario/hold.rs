//! Named seats: each its own, or all of them the same few.

use std::sync::Arc;

use clap::Args;
use serde_json::Value;

use crate::bench::house::{House, Sale};
use crate::bench::line::Answer;
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
    /// Over how many events, in turn.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=500))]
    events: u32,
}

struct Asks {
    wire: Wire,
    sales: Arc<[Sale]>,
    hold: Hold,
}

impl Caller for Asks {
    async fn call(&mut self, number: u64, _: &mut Tally) -> String {
        let events = self.sales.len() as u64;
        let sale = &self.sales[usize::try_from(number % events).unwrap_or(0)];
        let number = number / events;
        let (first, many) = match self.hold.hot {
            Some(hot) => (number * 7919 % u64::from(hot.max(1)), 1),
            None => (number * u64::from(self.hold.seats), u64::from(self.hold.seats)),
        };
        let seats: Vec<String> = (first..first + many).map(|number| sale.seat(number)).collect();
        let body = format!("{{\"seats\":[\"{}\"]}}", seats.join("\",\""));
        outcome(self.wire.post_text(&sale.holds(), body).await)
    }
}

/// What an answer, or none, is counted as.
pub fn outcome(answer: anyhow::Result<Answer>) -> String {
    answer.map_or_else(|error| format!("no answer: {error}"), |answer| answer.outcome())
}

pub async fn run(house: &House, load: &Load, hold: &Hold) -> anyhow::Result<Figures> {
    // Who all want the same few seats need no stadium around them.
    let seats = hold.hot.unwrap_or_else(|| load.seats(hold.seats) / hold.events).max(100);
    let mut sales = Vec::new();
    for _ in 0..hold.events {
        sales.push(house.event(seats, Value::Null).await?);
    }
    let sales: Arc<[Sale]> = sales.into();
    let customers = house.customers(load.connections.min(64)).await?;
    let callers = house.wires(load.connections, &customers)?.into_iter().map(|wire| Asks {
        wire,
        sales: Arc::clone(&sales),
        hold: hold.clone(),
    });
    let (tally, took) = load.run(callers.collect()).await;
    let name = if hold.hot.is_some() { "hold, hot" } else { "hold" };
    Ok(Figures::of(name, load, &tally, took))
}
