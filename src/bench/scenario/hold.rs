//! Named seats: each its own, or all of them the same few.

use std::sync::Arc;

use clap::Args;
use hyper::Method;
use hyper::header::{HeaderName, HeaderValue};
use serde_json::Value;

use crate::bench::house::{House, Sale};
use crate::bench::line::Answer;
use crate::bench::load::{Caller, Due, Load, Tally};
use crate::bench::report::Figures;
use crate::bench::wire::{Wire, as_browsers_do, bearer, json};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");

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
    /// Each asks with an Idempotency-Key of its own, as the seat map does.
    #[arg(long)]
    keys: bool,
    /// So many people ask in turn, over whichever connection is free.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    customers: u32,
}

struct Asks {
    wire: Wire,
    sales: Arc<[Sale]>,
    customers: Arc<[HeaderValue]>,
    hold: Hold,
}

impl Caller for Asks {
    async fn call(&mut self, due: Due, _: &mut Tally) -> String {
        let asked = due.number;
        let events = self.sales.len() as u64;
        let sale = &self.sales[usize::try_from(asked % events).unwrap_or(0)];
        let number = asked / events;
        let (first, many) = match self.hold.hot {
            Some(hot) => (number * 7919 % u64::from(hot.max(1)), 1),
            None => (number * u64::from(self.hold.seats), u64::from(self.hold.seats)),
        };
        let seats: Vec<String> = (first..first + many).map(|number| sale.seat(number)).collect();
        let body = format!("{{\"seats\":[\"{}\"]}}", seats.join("\",\""));
        let customers = self.customers.len() as u64;
        self.wire.speaks_for(&self.customers[usize::try_from(asked % customers).unwrap_or(0)]);
        let mut headers = vec![json(), as_browsers_do()];
        if self.hold.keys {
            headers.extend(a_key().map(|key| (KEY, key)));
        }
        outcome(self.wire.ask(Method::POST, &sale.holds(), &headers, body.into()).await)
    }
}

/// One that nobody has used before.
fn a_key() -> Option<HeaderValue> {
    HeaderValue::try_from(uuid::Uuid::new_v4().to_string()).ok()
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
    let customers = house.customers(usize::try_from(hold.customers)?).await?;
    let customers = customers.iter().map(|token| bearer(token)).collect::<anyhow::Result<Arc<[_]>>>()?;
    let callers = (0..load.connections).map(|_| Asks {
        wire: Wire::to(&house.origin),
        sales: Arc::clone(&sales),
        customers: Arc::clone(&customers),
        hold: hold.clone(),
    });
    let (tally, took) = load.run(callers.collect()).await;
    let name = if hold.hot.is_some() { "hold, hot" } else { "hold" };
    let mut figures = Figures::of(name, load, &tally, took);
    figures.note("customers", hold.customers);
    figures.note("each with an Idempotency-Key", hold.keys);
    Ok(figures)
}
