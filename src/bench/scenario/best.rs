//! The best seats side by side.

use clap::Args;
use hyper::Method;
use serde_json::{Value, json};

use super::hold::outcome;
use crate::bench::house::House;
use crate::bench::load::{Caller, Due, Load, Tally};
use crate::bench::report::Figures;
use crate::bench::wire::{self, Wire, as_browsers_do};

#[derive(Debug, Clone, Args)]
pub struct Best {
    /// How many seats each wants side by side.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=20))]
    seats: u32,
}

struct Asks {
    wire: Wire,
    path: String,
    wish: Value,
}

impl Caller for Asks {
    async fn call(&mut self, _: Due, _: &mut Tally) -> String {
        let wish = self.wish.to_string().into();
        outcome(self.wire.ask(Method::POST, &self.path, &[wire::json(), as_browsers_do()], wish).await)
    }
}

pub async fn run(house: &House, load: &Load, best: &Best) -> anyhow::Result<Figures> {
    let sale = house.event(load.seats(best.seats), Value::Null).await?;
    let customers = house.customers(load.connections.min(64)).await?;
    let callers = house.wires(load.connections, &customers)?.into_iter().map(|wire| Asks {
        wire,
        path: sale.holds(),
        wish: json!({ "best": { "quantity": best.seats } }),
    });
    let (tally, took) = load.run(callers.collect()).await;
    Ok(Figures::of("best", load, &tally, took))
}
