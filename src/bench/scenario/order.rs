//! A hold and the order of it: seats that are claimed in Postgres, and kept by it.

use clap::Args;
use serde_json::json;

use super::hold::outcome;
use crate::bench::house::{House, Sale};
use crate::bench::load::{Caller, Due, Load, Tally};
use crate::bench::report::Figures;
use crate::bench::wire::Wire;

#[derive(Debug, Clone, Args)]
pub struct Order {
    /// What a seat costs, in cents. Of one that is free the order is a booking at once; any other waits for its money then, and
    /// has a payment that was opened at Stripe or its sandbox.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    price: u32,
}

struct Asks {
    wire: Wire,
    sale: Sale,
}

impl Asks {
    async fn orders(&mut self, number: u64) -> anyhow::Result<String> {
        let hold = self.wire.post(&self.sale.holds(), &json!({ "seats": [self.sale.seat(number)] })).await?;
        if hold.status != 201 {
            return Ok(format!("hold: {}", hold.outcome()));
        }
        let hold = hold.json();
        Ok(outcome(self.wire.post("/v1/orders", &json!({ "hold_id": hold["id"] })).await))
    }
}

impl Caller for Asks {
    async fn call(&mut self, due: Due, _: &mut Tally) -> String {
        self.orders(due.number).await.unwrap_or_else(|error| format!("broken off: {error}"))
    }
}

pub async fn run(house: &House, load: &Load, order: &Order) -> anyhow::Result<Figures> {
    let costs = json!({ "categories": [{ "key": "all", "name": "All seats", "price": order.price }] });
    let sale = house.event(load.seats(1), costs).await?;
    let customers = house.customers(load.connections.min(64)).await?;
    let callers =
        house.wires(load.connections, &customers)?.into_iter().map(|wire| Asks { wire, sale: sale.clone() });
    let (tally, took) = load.run(callers.collect()).await;
    Ok(Figures::of("order", load, &tally, took))
}
