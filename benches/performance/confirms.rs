//! The confirm path: a thousand payments that land at once, beside pgbench with the statements that confirm them.

use anyhow::Context as _;
use holdfast::stores::postgres;
use sqlx::PgPool;

use crate::paired::paired;
use crate::report::Part;
use crate::stand::{House, output, say};

/// Orders of one turn, and clients that pay them.
const ORDERS: u32 = 1000;
const CLIENTS: u32 = 50;

const STATEMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/performance/confirm.sql");
const TO_PAY: &str = include_str!("to_pay.sql");

pub async fn measure() -> anyhow::Result<Part> {
    let mut part = Part::new(
        "The confirm path",
        "`holdfast bench landing --orders 1000`: a thousand orders that wait for their money are all paid at the sandbox, over 50 \
         connections as fast as it takes them. Their webhooks come back, are signed, stored, answered, worked through and confirmed \
         in a Postgres that waits for its disk at each commit, and shown: the time is from the first payment to the moment the last \
         of a thousand seats was seen sold on a screen. The sandbox works on the same two cores. Beside it `pgbench -M prepared -c \
         50` sends a thousand times the statements of one confirmed payment \
         ([confirm.sql](../benches/performance/confirm.sql), which a test compares with what a node says) to the same server, each client \
         by itself, where a node leases and closes sixteen webhooks at a time; and does nothing else: no webhook, no signature, no question to Stripe, no Redis, no screen, no letter.",
    );
    // Only so that a thousand orders are there in seconds: what is measured opens no payment.
    let house = House::with(&[("STRIPE_CREATES_PER_SECOND", "1000".to_owned())]).await?;
    let stack = house.stack()?;
    stack.create_database("confirms", None).await?;
    stack.prepare_database("confirms").await?;
    let address = stack.database_url("confirms");
    let pg = postgres::pool(&address, 1)?;
    let seconds = std::cell::RefCell::new(Vec::new());
    let found = paired(
        || async {
            let (orders, clients) = (ORDERS.to_string(), CLIENTS.to_string());
            let figures = house.bench(&["landing", "--orders", &orders, "--connections", &clients]).await?;
            let took = figures["notes"]["seconds until the last was booked, and seen"].as_f64();
            let took = took.context("it is noted")?;
            seconds.borrow_mut().push(took);
            Ok(f64::from(ORDERS) / took)
        },
        || pgbench(&pg, &address),
    )
    .await?;
    part.at_most("1,000 payments that land at once are bookings within", 5.0, "s", &seconds.borrow());
    part.ratio("confirmed payments a second beside pgbench with the same statements", 0.5, &found);
    pg.close().await;
    Ok(part)
}

async fn pgbench(pg: &PgPool, address: &str) -> anyhow::Result<f64> {
    say(pg, TO_PAY).await.context("orders to pay")?;
    let each = ORDERS / CLIENTS;
    let args = [
        "-n",
        "-M",
        "prepared",
        "-f",
        STATEMENTS,
        "-c",
        &CLIENTS.to_string(),
        "-j",
        "2",
        "-t",
        &each.to_string(),
        address,
    ]
    .map(str::to_owned);
    let printed = output("pgbench", &args).await?;
    let (confirmed,): (i64,) =
        sqlx::query_as("select count(*) from orders where state = 'awaiting_payment'").fetch_one(pg).await?;
    anyhow::ensure!(confirmed == 0, "pgbench has confirmed all: {confirmed} are left");
    let rate = printed.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    rate.context("pgbench prints its rate")
}
