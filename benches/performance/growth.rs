//! A house with years behind it: what people ask, at three sizes of what there was before.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;
use holdfast::stores::postgres;
use serde_json::{Value, json};

use crate::paired::median;
use crate::plot;
use crate::report::{Part, Table};
use crate::stand::{House, say};

/// Orders and events of the past, at each size.
const SIZES: [(u32, u32); 3] = [(10_000, 100), (100_000, 1_000), (1_000_000, 10_000)];
const YEARS: &str = include_str!("../../tests/support/years.sql");
/// Of each question, so many answers.
const TIMES: usize = 101;
/// What is asked of the largest may take so many times as long as of the smallest.
const FLAT: f64 = 1.5;

/// What is measured, in the order of the table.
struct Found {
    name: &'static str,
    /// Milliseconds at each size.
    took: Vec<f64>,
}

pub async fn measure() -> anyhow::Result<Part> {
    let mut part = Part::new(
        "Growth",
        "Three houses whose past has 10,000, 100,000 and 1,000,000 confirmed orders, each with its seats, claims, ticket, payment, \
         webhook, letter, sessions and log ([years.sql](../tests/support/years.sql)), of 100, 1,000 and 10,000 events. Each is closed \
         and opened again; then a customer and an organiser ask, one question at a time: the median of 101 answers. Reads of a map \
         and holds never reach Postgres. That no question reads a growing table from end to end is a test \
         (`tests/the_database_stays_quick.rs`), which has Postgres explain every statement that it is sent.",
    );
    let mut found: Vec<Found> = Vec::new();
    let mut note = |name: &'static str, took: f64| match found.iter_mut().find(|one| one.name == name) {
        Some(one) => one.took.push(took),
        None => found.push(Found { name, took: vec![took] }),
    };
    let mut opening = Vec::new();
    for (orders, events) in SIZES {
        let mut house = House::with(&[("STRIPE_CREATES_PER_SECOND", "1000".to_owned())]).await?;
        let stack = house.stack()?;
        let pg = postgres::pool(&stack.database_url("holdfast"), 1)?;
        let begun = Instant::now();
        let size = format!(
            "select set_config('years.orders', '{orders}', false), set_config('years.events', '{events}', false);"
        );
        say(&pg, &format!("{size}{YEARS}")).await?;
        println!("  {orders} orders: written in {:.0} s", begun.elapsed().as_secs_f64());
        let (event, ticket): (uuid::Uuid, uuid::Uuid) =
            sqlx::query_as("select event_id, id from tickets where code like 'HF1%' limit 1")
                .fetch_one(&pg)
                .await?;
        pg.close().await;
        drop(stack);
        opening.push(house.open_again().await?.as_secs_f64());
        let customer = buys_once(&house).await?;
        let admin = signed_in(&house, "admin").await?;
        for (name, path, who) in [
            ("a customer's orders", "/v1/orders".to_owned(), &customer.token),
            ("one order", format!("/v1/orders/{}", customer.order), &customer.token),
            ("what is on sale", "/v1/events".to_owned(), &customer.token),
            ("an organiser's events", "/v1/admin/events".to_owned(), &house.organiser),
            ("the orders of an event", format!("/v1/admin/events/{event}/orders"), &house.organiser),
            ("an event's report", format!("/v1/admin/events/{event}/report"), &house.organiser),
            ("a ticket's history", format!("/v1/admin/tickets/{ticket}/log"), &house.organiser),
            ("the log of the house", "/v1/admin/log".to_owned(), &admin),
        ] {
            note(name, asked(&house, &path, who).await.with_context(|| name.to_owned())?);
        }
        let words = ["journey", "--rate", "20", "--seconds", "20"];
        let journey = house.bench(&words).await?;
        let all = &journey["latency"]["p50"];
        note("hold, order, pay, confirmed, seen", all.as_f64().context("there is a median")?);
    }
    let sizes: Vec<String> = SIZES.iter().map(|(orders, _)| format!("{orders} orders")).collect();
    let mut table = Table {
        title: "Milliseconds, the median:".to_owned(),
        head: std::iter::once("what".to_owned())
            .chain(sizes.iter().cloned())
            .chain(["last beside first".to_owned()])
            .collect(),
        rows: Vec::new(),
    };
    for Found { name, took } in &found {
        let grown = took.last().copied().unwrap_or(f64::NAN) / took.first().copied().unwrap_or(f64::NAN);
        println!("  {name}: {took:.2?}, {grown:.2} ×");
        let mut row = vec![(*name).to_owned()];
        row.extend(took.iter().map(|ms| format!("{ms:.2}")));
        row.push(format!("{grown:.2} ×"));
        table.rows.push(row);
    }
    let grown: Vec<f64> = found.iter().filter_map(|one| Some(one.took.last()? / one.took.first()?)).collect();
    let most = grown.iter().copied().fold(0.0, f64::max);
    part.row(
        "an answer among 1,000,000 orders and 10,000 events, beside one among 10,000 and 100, the slowest of these questions",
        &format!("≤ {FLAT} ×"),
        &format!("**{most:.2}** × (the median of all {:.2} ×)", median(&grown)),
        most <= FLAT,
    );
    let mut row = vec!["opening the house, until it is ready (s)".to_owned()];
    row.extend(opening.iter().map(|seconds| format!("{seconds:.1}")));
    row.push(String::new());
    table.rows.push(row);
    part.tables.push(table);
    let lines: Vec<(String, Vec<f64>)> =
        found.iter().map(|one| (one.name.to_owned(), one.took.clone())).collect();
    let picture = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/pictures/growth.svg");
    let (short, long): (Vec<_>, Vec<_>) = lines.into_iter().partition(|(_, took)| took[0] < 20.0);
    println!(
        "  not plotted, being a whole journey: {:?}",
        long.iter().map(|(name, _)| name).collect::<Vec<_>>()
    );
    std::fs::write(picture, plot::lines("How long answers take as the past grows", "ms", &sizes, &short))?;
    part.picture = Some("![How long answers take as the past grows](pictures/growth.svg)".to_owned());
    Ok(part)
}

struct Customer {
    token: String,
    order: String,
}

async fn signed_in(house: &House, role: &str) -> anyhow::Result<String> {
    let who = holdfast::demo::addresses().find(|address| address.starts_with(role));
    let form = json!({ "email": who.context("the demo has one")?, "password": holdfast::demo::PASSWORD });
    let asked = house.client.post(format!("{}/v1/auth/login", house.url)).json(&form).send().await?;
    text(&asked.error_for_status()?.json().await?, "access_token")
}

fn text(value: &Value, name: &str) -> anyhow::Result<String> {
    value[name].as_str().map(str::to_owned).with_context(|| format!("the answer has no {name}: {value}"))
}

/// Somebody with an order that waits for its money.
async fn buys_once(house: &House) -> anyhow::Result<Customer> {
    let url = &house.url;
    let post = async |path: String, token: &str, body: Value| -> anyhow::Result<Value> {
        let asked = house.client.post(format!("{url}{path}")).bearer_auth(token).json(&body).send().await?;
        Ok(asked.error_for_status()?.json().await?)
    };
    let event = json!({
        "title": "Tonight", "starts_at": "2031-05-01T19:00:00Z", "currency": "eur",
        "categories": [{ "key": "all", "name": "All seats", "price": 4800 }],
        "sections": [{ "key": "hall", "category": "all", "rows": [{ "name": "A", "seats": 20 }] }],
    });
    let event = text(&post("/v1/admin/events".to_owned(), &house.organiser, event).await?, "id")?;
    let form = json!({ "name": "Ada", "email": "ada.grows@example.com", "password": "four-quiet-words" });
    let token = text(&post("/v1/auth/register".to_owned(), "", form).await?, "access_token")?;
    let hold =
        post(format!("/v1/events/{event}/holds"), &token, json!({ "seats": ["hall-A-1", "hall-A-2"] }))
            .await?;
    let order = post("/v1/orders".to_owned(), &token, json!({ "hold_id": hold["id"] })).await?;
    Ok(Customer { order: text(&order, "id")?, token })
}

/// The median time of an answer, in milliseconds.
async fn asked(house: &House, path: &str, token: &str) -> anyhow::Result<f64> {
    let mut took = Vec::new();
    for _ in 0..TIMES {
        let begun = Instant::now();
        let answer = house.client.get(format!("{}{path}", house.url)).bearer_auth(token).send().await?;
        answer.error_for_status()?.bytes().await?;
        took.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median(&took))
}
