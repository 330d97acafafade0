//! A crowd that looks on: how long it takes from a hold to everybody's screen.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::hold::outcome;
use crate::bench::house::{House, Sale};
use crate::bench::load::{Caller, Load, Tally};
use crate::bench::report::Figures;
use crate::bench::stream::Stream;
use crate::bench::wire::Wire;

/// Of so many viewers one reads what it is told; the others take it in, so that the house is measured and not our reading.
const ONE_IN: usize = 20;
/// Connections that are opened at a time.
const AT_ONCE: usize = 128;
/// How long after the last change the last viewer may hear of it.
const AFTERMATH: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Args)]
pub struct Watch {
    /// How many look on. The rate is that of the changes.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    viewers: u32,
}

/// When each seat was asked for, in microseconds since the beginning.
struct Asked {
    begun: Instant,
    at: Vec<AtomicU64>,
}

impl Asked {
    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

struct Changes {
    wire: Wire,
    sale: Sale,
    path: String,
    asked: Arc<Asked>,
}

impl Caller for Changes {
    async fn call(&mut self, number: u64, _: &mut Tally) -> String {
        let seat = usize::try_from(number % u64::from(self.sale.seats)).unwrap_or(0);
        self.asked.at[seat].store(self.asked.now(), Ordering::Relaxed);
        outcome(self.wire.post(&self.path, &json!({ "seats": [self.sale.seat(number)] })).await)
    }
}

/// What viewers have taken in.
#[derive(Default)]
struct Taken {
    bytes: AtomicU64,
    ended: AtomicU64,
}

/// One that reads: how long each change took to come here.
async fn reads(mut stream: Stream, asked: Arc<Asked>, stop: CancellationToken) -> Tally {
    let mut tally = Tally::default();
    loop {
        let message = tokio::select! {
            () = stop.cancelled() => return tally,
            message = stream.next() => message,
        };
        let Ok(Some(message)) = message else {
            tally.count("viewers that lost the stream");
            return tally;
        };
        let now = asked.now();
        tally.count(format!("messages of the kind {:?}", message.kind));
        if message.kind != "change" {
            continue;
        }
        let told: Value = serde_json::from_str(&message.data).unwrap_or_default();
        for change in told["changes"].as_array().into_iter().flatten() {
            let number = change["id"].as_str().and_then(Sale::number);
            let at =
                number.and_then(|number| asked.at.get(number)).map_or(0, |at| at.load(Ordering::Relaxed));
            if at > 0 {
                tally.part(
                    "from asking for a seat to a screen",
                    Duration::from_micros(now.saturating_sub(at)),
                );
            }
        }
    }
}

/// One that only takes in.
async fn takes_in(mut stream: Stream, taken: Arc<Taken>, stop: CancellationToken) {
    loop {
        let chunk = tokio::select! {
            () = stop.cancelled() => return,
            chunk = stream.chunk() => chunk,
        };
        let Ok(Some(chunk)) = chunk else {
            taken.ended.fetch_add(1, Ordering::Relaxed);
            return;
        };
        taken.bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
    }
}

pub async fn run(house: &House, load: &Load, watch: &Watch) -> anyhow::Result<Figures> {
    let sale = house.event(load.seats(1), Value::Null).await?;
    let customers = house.customers(load.connections.min(64)).await?;
    let asked =
        Arc::new(Asked { begun: Instant::now(), at: (0..sale.seats).map(|_| AtomicU64::new(0)).collect() });
    let (taken, stop) = (Arc::new(Taken::default()), CancellationToken::new());

    let memory_before = house.memory();
    let (mut readers, mut others) = (JoinSet::new(), JoinSet::new());
    let viewers = usize::try_from(watch.viewers).context("viewers")?;
    for first in (0..viewers).step_by(AT_ONCE) {
        let opened = (first..viewers.min(first + AT_ONCE)).map(|_| Stream::open(&house.origin, &sale.event));
        for (at, stream) in futures_util::future::try_join_all(opened).await?.into_iter().enumerate() {
            if (first + at).is_multiple_of(ONE_IN) {
                readers.spawn(reads(stream, Arc::clone(&asked), stop.clone()));
            } else {
                others.spawn(takes_in(stream, Arc::clone(&taken), stop.clone()));
            }
        }
    }
    // Everybody has had the picture, and nothing moves.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let memory = house.memory();

    let callers = house.wires(load.connections, &customers)?.into_iter().map(|wire| Changes {
        wire,
        path: sale.holds(),
        sale: sale.clone(),
        asked: Arc::clone(&asked),
    });
    let (mut tally, took) = load.run(callers.collect()).await;
    tokio::time::sleep(AFTERMATH).await;
    stop.cancel();
    for reader in readers.join_all().await {
        tally.add(&reader);
    }
    others.join_all().await;
    let mut figures = Figures::of("watch", load, &tally, took);
    figures.note("viewers", watch.viewers);
    figures.note("viewers that read", viewers.div_ceil(ONE_IN));
    figures.note("viewers that lost the stream unread", taken.ended.load(Ordering::Relaxed));
    figures.note("bytes taken in by the others", taken.bytes.load(Ordering::Relaxed));
    if let (Some(before), Some(after)) = (memory_before, memory) {
        figures.note(
            "memory of the node for each viewer, bytes",
            after.saturating_sub(before) / u64::from(watch.viewers),
        );
    }
    Ok(figures)
}
