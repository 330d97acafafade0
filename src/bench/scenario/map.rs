//! What a page reads to draw the map: the chart, what is taken, and whether anything has changed since.

use bytes::Bytes;
use clap::Args;
use hyper::Method;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, ETAG, HeaderValue, IF_NONE_MATCH};
use serde_json::{Value, json};

use super::hold::outcome;
use crate::bench::house::House;
use crate::bench::load::{Caller, Due, Load, Tally};
use crate::bench::report::Figures;
use crate::bench::wire::Wire;

#[derive(Debug, Clone, Args)]
pub struct Map {
    /// Seats of the event.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=500_000))]
    seats: u32,
}

struct Reads {
    wire: Wire,
    chart: String,
    taken: String,
    known: HeaderValue,
}

impl Caller for Reads {
    async fn call(&mut self, due: Due, tally: &mut Tally) -> String {
        let packed = (ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let planes = (ACCEPT, HeaderValue::from_static("application/octet-stream"));
        let (name, path, headers) = match due.number % 4 {
            0 => ("the chart", &self.chart, vec![packed]),
            1 => ("what is taken, as planes", &self.taken, vec![planes]),
            2 => ("what is taken, as JSON", &self.taken, vec![packed]),
            _ => ("the chart again, unchanged", &self.chart, vec![(IF_NONE_MATCH, self.known.clone())]),
        };
        let answer = self.wire.ask(Method::GET, path, &headers, Bytes::new()).await;
        tally.part(name, due.since.elapsed());
        outcome(answer)
    }
}

pub async fn run(house: &House, load: &Load, map: &Map) -> anyhow::Result<Figures> {
    let sale = house.event(map.seats, Value::Null).await?;
    let customers = house.customers(1).await?;
    // A hall of which a part is taken.
    let mut first = Wire::to(&house.origin).with(&customers[0])?;
    for number in 0..u64::from(map.seats / 40).min(50) {
        let seats: Vec<String> = (0..20).map(|at| sale.seat(number * 20 + at)).collect();
        first.post(&sale.holds(), &json!({ "seats": seats })).await?.expect(201, "a hold")?;
    }
    let chart = format!("/v1/events/{}/seats", sale.event);
    let known = first.get(&chart).await?;
    let known = HeaderValue::from_str(known.header(ETAG.as_str()).unwrap_or("none"))?;
    let callers = (0..load.connections).map(|_| Reads {
        wire: Wire::to(&house.origin),
        chart: chart.clone(),
        taken: format!("/v1/events/{}/availability", sale.event),
        known: known.clone(),
    });
    let (tally, took) = load.run(callers.collect()).await;
    Ok(Figures::of("map", load, &tally, took))
}
