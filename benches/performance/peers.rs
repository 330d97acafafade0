//! What others do, beside what we do, in the same minutes on the same machine: small honest versions of four ways to give each
//! customer one seat, in a Postgres that waits for its disk like ours, and asked without HTTP, which is in their favour.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use holdfast::stores::postgres;
use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::paired::paired;
use crate::report::{Part, Table};
use crate::stand::{CROWD, House};

const SECONDS: u64 = 5;
/// More than anybody gets through.
const SEATS: i32 = 100_000;

pub async fn measure() -> anyhow::Result<Part> {
    let mut part = Part::new(
        "Beside other ways to allocate",
        "Completed allocations a second of one seat each, 64 customers at a time who ask again as soon as they have an answer. \
         Ours come over HTTP with everything that a call costs; the others are called in the measuring program itself, over 64 \
         connections to the same Postgres, `synchronous_commit` and `fsync` on. Theirs: a row lock on the event, as the classic \
         booking systems take it; rows of seats taken with `SKIP LOCKED`; a queue whose one worker allocates; and a seat that the \
         customer has named, `update … where id = $1 and holder is null`, each in a commit of its own. Ours: *best* is `holdfast bench \
         best --seats 1`, where the node chooses and leaves no seat alone; *named* is `holdfast bench hold`, where each customer \
         names a seat, as a map does; *ordered* is `holdfast bench order`, a named hold and the order of it, of an event that is free, \
         so that the answer says that it is booked. **What is compared with what:** theirs are on disk when they are answered. \
         *best* and *named* are not: a hold of ours is in Redis, whose file is synced once a second, and a crash may lose the last \
         second of them, which is the point of the design: whoever loses never reaches Postgres, and whoever wins reaches it once \
         they have chosen to pay. *ordered* is what is as durable as theirs, its seats claimed in a commit that has waited for the \
         disk; it is also much more than a seat with a name on it: the order, its history, the ticket and the letter that is owed \
         are in that commit, and Redis and everybody's map are told.",
    );
    let house = House::open().await?;
    let stack = house.stack()?;
    stack.create_database("peers", None).await?;
    let pg = postgres::pool(&stack.database_url("peers"), CROWD)?;
    let mut table = Table {
        title: "Allocations a second (median of five turns each):".to_owned(),
        head: ["their way", "our seats", "ours in the same turns", "theirs", "ours is"]
            .map(str::to_owned)
            .to_vec(),
        rows: Vec::new(),
    };
    let best = ["best", "--seats", "1", "--rate", "max", "--seconds", "5"];
    let named = ["hold", "--rate", "max", "--seconds", "5"];
    let ordered = ["order", "--rate", "max", "--seconds", "5"];
    for (way, words, ours_is) in [
        (Way::EventLock, &best[..], "best"),
        (Way::SkipLocked, &best, "best"),
        (Way::OneWorker, &best, "best"),
        (Way::SkipLocked, &named, "named"),
        (Way::NamedRow, &named, "named"),
        (Way::EventLock, &ordered, "ordered"),
        (Way::SkipLocked, &ordered, "ordered"),
        (Way::NamedRow, &ordered, "ordered"),
    ] {
        let found = paired(
            || async {
                let figures = house.bench(words).await?;
                #[expect(clippy::cast_precision_loss, reason = "holds of one run fit a float")]
                let held = figures["outcomes"]["201"].as_u64().context("some are held")? as f64;
                Ok(held / figures["seconds"].as_f64().context("it took a time")?)
            },
            || allocate(&pg, way),
        )
        .await?;
        let ours = crate::paired::median(&found.ours);
        let theirs = crate::paired::median(&found.theirs);
        let name = way.name().to_owned();
        println!("  {name}, {ours_is}: {ours:.0} beside {theirs:.0}");
        table.rows.push(vec![
            name,
            ours_is.to_owned(),
            format!("{ours:.0}"),
            format!("{theirs:.0}"),
            format!("{:.1} ×", found.ratio()),
        ]);
    }
    pg.close().await;
    part.tables.push(table);
    Ok(part)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    EventLock,
    SkipLocked,
    OneWorker,
    NamedRow,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::EventLock => "`SELECT … FOR UPDATE` on the event",
            Self::SkipLocked => "`SKIP LOCKED` on rows of seats",
            Self::OneWorker => "a queue with one worker",
            Self::NamedRow => "a named row, one commit each",
        }
    }
}

/// A hall with every seat free.
async fn a_hall(pg: &PgPool) -> anyhow::Result<()> {
    for statement in [
        "drop table if exists peer_seats",
        "drop table if exists peer_events",
        "create table peer_events (id integer primary key, sold integer not null default 0)",
        "create table peer_seats (event integer, id integer, holder bigint, until timestamptz, primary key (event, id))",
        "insert into peer_events values (1, 0)",
    ] {
        sqlx::query(statement).execute(pg).await?;
    }
    sqlx::query("insert into peer_seats select 1, n, null, null from generate_series(1, $1) n")
        .bind(SEATS)
        .execute(pg)
        .await?;
    sqlx::query("create index on peer_seats (event, id) where holder is null").execute(pg).await?;
    sqlx::query("analyze peer_seats").execute(pg).await?;
    Ok(())
}

async fn allocate(pg: &PgPool, way: Way) -> anyhow::Result<f64> {
    a_hall(pg).await?;
    let (queue, asked) = mpsc::channel::<oneshot::Sender<bool>>(CROWD as usize);
    let worker = tokio::spawn(works(pg.clone(), asked));
    let next = Arc::new(AtomicI32::new(1));
    let (done, begun) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let until = begun + Duration::from_secs(SECONDS);
    let mut crowd = JoinSet::new();
    for customer in 0..i64::from(CROWD) {
        let (pg, queue, done, next) = (pg.clone(), queue.clone(), Arc::clone(&done), Arc::clone(&next));
        crowd.spawn(async move {
            while Instant::now() < until {
                let has_one = match way {
                    Way::EventLock => with_event_lock(&pg, customer).await?,
                    Way::SkipLocked => with_skip_locked(&pg, customer).await?,
                    // Another seat each, as ours.
                    Way::NamedRow => named_row(&pg, customer, next.fetch_add(1, Ordering::Relaxed)).await?,
                    Way::OneWorker => {
                        let (answer, answered) = oneshot::channel();
                        queue.send(answer).await.context("the worker listens")?;
                        answered.await.context("the worker answers")?
                    }
                };
                done.fetch_add(u64::from(has_one), Ordering::Relaxed);
            }
            anyhow::Ok(())
        });
    }
    crowd.join_all().await.into_iter().collect::<anyhow::Result<()>>()?;
    let took = begun.elapsed();
    drop(queue);
    worker.await??;
    #[expect(clippy::cast_precision_loss, reason = "allocations of one run fit a float")]
    Ok(done.load(Ordering::Relaxed) as f64 / took.as_secs_f64())
}

/// The event's row is locked, the first free seat is the customer's, the event counts it.
async fn with_event_lock(pg: &PgPool, customer: i64) -> anyhow::Result<bool> {
    let mut tx = pg.begin().await?;
    sqlx::query("select sold from peer_events where id = 1 for update").execute(&mut *tx).await?;
    let taken = sqlx::query(
        "update peer_seats set holder = $1, until = now() + interval '10 minutes'
          where event = 1 and id = (select id from peer_seats where event = 1 and holder is null order by id limit 1)",
    )
    .bind(customer)
    .execute(&mut *tx)
    .await?;
    sqlx::query("update peer_events set sold = sold + 1 where id = 1").execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(taken.rows_affected() == 1)
}

/// The first free seat that nobody else is about to take.
async fn with_skip_locked(pg: &PgPool, customer: i64) -> anyhow::Result<bool> {
    let taken = sqlx::query(
        "update peer_seats set holder = $1, until = now() + interval '10 minutes'
          where event = 1 and id = (select id from peer_seats where event = 1 and holder is null
                                     order by id limit 1 for update skip locked)",
    )
    .bind(customer)
    .execute(pg)
    .await?;
    Ok(taken.rows_affected() == 1)
}

/// The seat that the customer wants, unless somebody has it.
async fn named_row(pg: &PgPool, customer: i64, seat: i32) -> anyhow::Result<bool> {
    let taken = sqlx::query(
        "update peer_seats set holder = $1, until = now() + interval '10 minutes'
          where event = 1 and id = $2 and holder is null",
    )
    .bind(customer)
    .bind(seat)
    .execute(pg)
    .await?;
    Ok(taken.rows_affected() == 1)
}

/// One after the other, each durable before it is answered.
async fn works(pg: PgPool, mut asked: mpsc::Receiver<oneshot::Sender<bool>>) -> anyhow::Result<()> {
    while let Some(answer) = asked.recv().await {
        let has_one = with_skip_locked(&pg, 0).await?;
        // Whoever asked may be gone.
        let _ = answer.send(has_one);
    }
    Ok(())
}
