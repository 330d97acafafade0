//! A crowd that looks on: how long it takes from a hold to everybody's screen, and whether everybody was told everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::hold::outcome;
use crate::bench::house::{House, Sale};
use crate::bench::load::{Caller, Due, Load, Tally};
use crate::bench::progress::Progress;
use crate::bench::report::Figures;
use crate::bench::stream::Stream;
use crate::bench::viewer::{Asked, Delivered, Known};
use crate::bench::wire::Wire;

/// Of so many viewers one reads what it is told; the others take it in, so that the house is measured and not our reading.
const ONE_IN: usize = 20;
/// Connections that are opened at a time.
const AT_ONCE: usize = 128;
/// How long after the last change the last viewer may hear of it.
const AFTERMATH: Duration = Duration::from_secs(2);
/// How long somebody who had stopped reading may take to hear of everything once they read on.
const TO_CATCH_UP: Duration = Duration::from_secs(15);

#[derive(Debug, Clone, Args)]
pub struct Watch {
    /// How many look on. The rate is that of the changes.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    viewers: u32,
    /// So many more read nothing while seats change, over connections that keep little for them, and read on afterwards.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    slow: u32,
}

struct Changes {
    wire: Wire,
    sale: Sale,
    path: String,
    asked: Arc<Asked>,
}

impl Caller for Changes {
    async fn call(&mut self, due: Due, _: &mut Tally) -> String {
        let number = due.number;
        let seat = usize::try_from(number % u64::from(self.sale.seats)).unwrap_or(0);
        self.asked.for_seat(seat, due.since);
        let answer = self.wire.post(&self.path, &json!({ "seats": [self.sale.seat(number)] })).await;
        if answer.as_ref().is_ok_and(|answer| answer.status == 201) {
            self.asked.granted(seat);
        }
        outcome(answer)
    }
}

/// What viewers have taken in unread.
#[derive(Default)]
struct Taken {
    bytes: AtomicU64,
    lost: AtomicU64,
}

/// One that reads: how long each change took to come here.
async fn reads(mut stream: Stream, asked: Arc<Asked>, stop: CancellationToken) -> (Tally, Delivered) {
    let (mut tally, mut known) = (Tally::default(), Known::nothing(&asked));
    loop {
        let message = tokio::select! {
            () = stop.cancelled() => return (tally, known.delivered(&asked)),
            message = stream.next() => message,
        };
        let Ok(Some(message)) = message else {
            // What nobody waits for any more counts as not told: it is known when all is over.
            stop.cancelled().await;
            return (tally, Delivered { lost: 1, ..known.delivered(&asked) });
        };
        known.hears(&message, &asked, "from asking for a seat to a screen", &mut tally);
    }
}

/// One that reads nothing until it may, and then everything.
async fn reads_late(mut stream: Stream, asked: Arc<Asked>, may_read: CancellationToken) -> Delivered {
    may_read.cancelled().await;
    let (mut tally, mut known) = (Tally::default(), Known::nothing(&asked));
    let until = tokio::time::Instant::now() + TO_CATCH_UP;
    loop {
        let told = known.delivered(&asked);
        if told.told == told.due {
            return told;
        }
        match tokio::time::timeout_at(until, stream.next()).await {
            Ok(Ok(Some(message))) => known.hears(&message, &asked, "late", &mut tally),
            Ok(_) => return Delivered { lost: 1, ..told },
            Err(_) => return told,
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
            taken.lost.fetch_add(1, Ordering::Relaxed);
            return;
        };
        taken.bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
    }
}

/// Those who look on.
struct Crowd {
    readers: JoinSet<(Tally, Delivered)>,
    others: JoinSet<()>,
    slow: JoinSet<Delivered>,
    taken: Arc<Taken>,
    stop: CancellationToken,
    /// Those who are slow read on.
    may_read: CancellationToken,
}

impl Crowd {
    fn nobody() -> Self {
        Self {
            readers: JoinSet::new(),
            others: JoinSet::new(),
            slow: JoinSet::new(),
            taken: Arc::default(),
            stop: CancellationToken::new(),
            may_read: CancellationToken::new(),
        }
    }

    async fn comes(
        &mut self,
        house: &House,
        sale: &Sale,
        asked: &Arc<Asked>,
        viewers: usize,
    ) -> anyhow::Result<()> {
        let (_progress, come) = Progress::towards(viewers as u64, "viewers have come");
        for first in (0..viewers).step_by(AT_ONCE) {
            let opened =
                (first..viewers.min(first + AT_ONCE)).map(|_| Stream::open(&house.origin, &sale.event));
            for (at, stream) in futures_util::future::try_join_all(opened).await?.into_iter().enumerate() {
                if (first + at).is_multiple_of(ONE_IN) {
                    self.readers.spawn(reads(stream, Arc::clone(asked), self.stop.clone()));
                } else {
                    self.others.spawn(takes_in(stream, Arc::clone(&self.taken), self.stop.clone()));
                }
                come.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    async fn slow_ones_come(
        &mut self,
        house: &House,
        sale: &Sale,
        asked: &Arc<Asked>,
        many: u32,
    ) -> anyhow::Result<()> {
        for _ in 0..many {
            let stream = Stream::open_narrow(&house.origin, &sale.event).await?;
            self.slow.spawn(reads_late(stream, Arc::clone(asked), self.may_read.clone()));
        }
        Ok(())
    }

    /// Everybody hears the last of it, and says what they know.
    async fn ends(&mut self, tally: &mut Tally) -> (Delivered, Delivered) {
        tokio::time::sleep(AFTERMATH).await;
        self.stop.cancel();
        let (mut read, mut late) = (Delivered::default(), Delivered::default());
        while let Some(Ok((heard, delivered))) = self.readers.join_next().await {
            tally.add(&heard);
            read.add(delivered);
        }
        while self.others.join_next().await.is_some() {}
        self.may_read.cancel();
        while let Some(Ok(delivered)) = self.slow.join_next().await {
            late.add(delivered);
        }
        (read, late)
    }
}

pub async fn run(house: &House, load: &Load, watch: &Watch) -> anyhow::Result<Figures> {
    let sale = house.event(load.seats(1), Value::Null).await?;
    let customers = house.customers(load.connections.min(64)).await?;
    let asked = Arc::new(Asked::of(sale.seats));
    let mut crowd = Crowd::nobody();

    let memory_before = house.memory();
    let viewers = usize::try_from(watch.viewers).context("viewers")?;
    crowd.comes(house, &sale, &asked, viewers).await?;
    // Everybody has had the picture, and nothing moves.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let memory = house.memory();
    crowd.slow_ones_come(house, &sale, &asked, watch.slow).await?;

    let callers = house.wires(load.connections, &customers)?.into_iter().map(|wire| Changes {
        wire,
        path: sale.holds(),
        sale: sale.clone(),
        asked: Arc::clone(&asked),
    });
    let (mut tally, took) = load.run(callers.collect()).await;
    let (read, late) = crowd.ends(&mut tally).await;

    let mut figures = Figures::of("watch", load, &tally, took);
    let lost = read.lost + late.lost + crowd.taken.lost.load(Ordering::Relaxed);
    figures.note("viewers", watch.viewers);
    figures.note("viewers that read", viewers.div_ceil(ONE_IN));
    figures.note("viewers that lost the stream", lost);
    figures.note("changes that those who read were to be told of", read.due);
    figures.note("changes that those who read were told of", read.told);
    figures.note("changes that those who read were told of by a snapshot", read.by_snapshot);
    figures.note("bytes taken in by the others", crowd.taken.bytes.load(Ordering::Relaxed));
    if watch.slow > 0 {
        figures.note("viewers that stopped reading", watch.slow);
        figures.note("viewers that stopped reading, and were told everything afterwards", late.whole);
        figures.note("changes that those who had stopped were told of by a snapshot", late.by_snapshot);
    }
    if let (Some(before), Some(after)) = (memory_before, memory) {
        figures.note(
            "memory of the node for each viewer, bytes",
            after.saturating_sub(before) / u64::from(watch.viewers),
        );
    }
    Ok(figures)
}
