//! Many payments that land at once: how long until the last of them is a booking, and seen.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::journey::pays;
use crate::bench::house::{House, Sale, text};
use crate::bench::load::{Load, Tally};
use crate::bench::progress::Progress;
use crate::bench::report::Figures;
use crate::bench::stream::Stream;
use crate::bench::wire::Wire;

/// Longer than any house may take.
const PATIENCE: Duration = Duration::from_mins(2);

#[derive(Debug, Clone, Args)]
pub struct Landing {
    /// How many orders are paid at once, over so many connections.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    orders: u32,
}

/// Whoever has a part of the orders, and where they are paid.
struct Payer {
    wire: Wire,
    till: Option<Wire>,
    orders: Vec<Value>,
}

impl Payer {
    async fn orders(
        &mut self,
        sale: &Sale,
        seats: impl Iterator<Item = u64>,
        ordered: &AtomicU64,
    ) -> anyhow::Result<()> {
        for seat in seats {
            let hold = self.wire.insist(&sale.holds(), &json!({ "seats": [sale.seat(seat)] })).await?;
            let hold = hold.expect(201, "a hold")?;
            let order = self.wire.insist("/v1/orders", &json!({ "hold_id": hold["id"] })).await?;
            self.orders.push(order.expect(201, "an order")?);
            ordered.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn pays(mut self) -> anyhow::Result<()> {
        for order in std::mem::take(&mut self.orders) {
            pays(&mut self.till, &order).await?;
        }
        Ok(())
    }
}

/// Notes when each seat is sold, until so many are.
async fn sees(mut stream: Stream, orders: usize, seen: Arc<AtomicU64>) -> anyhow::Result<Vec<Instant>> {
    let (mut sold, mut at) = (HashSet::new(), Vec::new());
    while at.len() < orders {
        let Some(message) = stream.next().await? else { bail!("the stream ended") };
        let told: Value = serde_json::from_str(&message.data).unwrap_or_default();
        let now = Instant::now();
        for change in told["changes"].as_array().into_iter().flatten() {
            if change["state"] == "sold" && sold.insert(text(change, "id")?) {
                at.push(now);
                seen.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    Ok(at)
}

pub async fn run(house: &House, load: &Load, landing: &Landing) -> anyhow::Result<Figures> {
    let sale = house.event(landing.orders, Value::Null).await?;
    let payers = load.connections.min(usize::try_from(landing.orders)?);
    let customers = house.customers(payers.min(64)).await?;
    let (progress, ordered) = Progress::towards(landing.orders.into(), "orders wait for their money");
    let mut ordering = JoinSet::new();
    for (number, wire) in (0_u64..).zip(house.wires(payers, &customers)?) {
        let (sale, ordered) = (sale.clone(), Arc::clone(&ordered));
        let seats = (number..landing.orders.into()).step_by(payers);
        ordering.spawn(async move {
            let mut payer = Payer { wire, till: None, orders: Vec::new() };
            payer.orders(&sale, seats, &ordered).await?;
            anyhow::Ok(payer)
        });
    }
    let payers = ordering.join_all().await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;

    drop(progress);

    let (_progress, seen) = Progress::towards(landing.orders.into(), "orders are booked, and seen");
    let stream = Stream::open(&house.origin, &sale.event).await?;
    let sees = sees(stream, usize::try_from(landing.orders)?, seen);
    let seen = tokio::spawn(tokio::time::timeout(PATIENCE, sees));
    let begun = Instant::now();
    let mut paying = JoinSet::new();
    for payer in payers {
        paying.spawn(payer.pays());
    }
    paying.join_all().await.into_iter().collect::<anyhow::Result<()>>()?;
    let paid = begun.elapsed();
    let seen = seen.await?.context("not all were booked in time")??;
    let mut tally = Tally::default();
    for at in seen {
        let took = at.saturating_duration_since(begun);
        tally.note("booked, and seen".to_owned(), took, took);
    }
    let all = begun.elapsed();
    let mut figures = Figures::of("landing", load, &tally, all);
    figures.note("seconds until the last was paid", paid.as_secs_f64());
    figures.note("seconds until the last was booked, and seen", all.as_secs_f64());
    Ok(figures)
}
