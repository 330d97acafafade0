//! A house with years behind it: what people ask, at three sizes of what there was before.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;
use holdfast::stores::postgres;
use serde_json::{Value, json};

use crate::paired::{TURNS, median};
use crate::plot;
use crate::report::{Part, Table};
use crate::stand::{House, say};

/// Orders and events of the past, at each size.
const SIZES: [(u32, u32); 3] = [(10_000, 100), (100_000, 1_000), (1_000_000, 10_000)];
const YEARS: &str = include_str!("../../tests/support/years.sql");
/// Of each question, so many answers in each turn.
const TIMES: usize = 21;
/// What is asked of the largest may take so many times as long as of the smallest.
const FLAT: f64 = 1.5;

/// What is measured, in the order of the table: milliseconds, of each size those of all turns.
struct Found {
    name: &'static str,
    took: Vec<Vec<f64>>,
}

impl Found {
    fn medians(&self) -> Vec<f64> {
        self.took.iter().map(|turns| median(turns)).collect()
    }

    /// The largest beside the smallest, turn by turn.
    fn grown(&self) -> f64 {
        let (Some(first), Some(last)) = (self.took.first(), self.took.last()) else { return f64::NAN };
        median(&last.iter().zip(first).map(|(last, first)| last / first).collect::<Vec<_>>())
    }
}

/// A house with a past, and who asks it.
struct Aged {
    house: House,
    /// Seconds until it was ready again.
    opening: f64,
    event: uuid::Uuid,
    ticket: uuid::Uuid,
    customer: Customer,
    admin: String,
}

pub async fn measure() -> anyhow::Result<Part> {
    let mut part = Part::new(
        "Growth",
        "Three houses whose past has 10,000, 100,000 and 1,000,000 confirmed orders, each with its seats, claims, ticket, payment, \
         webhook, letter, sessions and log ([years.sql](../tests/support/years.sql)), of 100, 1,000 and 10,000 events. Each is closed \
         and opened again; then all three stand side by side, and a customer and an organiser ask them in turns, five of each, one \
         question at a time: the median of the turns, each of which is a median of 21 answers, or of the journeys of eight seconds; \
         and of the ratios of the turns, the median. What a house does by itself, such as its audit, it goes on doing, also while \
         another has its turn. The opening is measured once. Reads of a map and holds never reach Postgres. That no question reads a \
         growing table from end to end is a test (`tests/the_database_stays_quick.rs`), which has Postgres explain every statement \
         that it is sent.",
    );
    let mut houses = Vec::new();
    for (orders, events) in SIZES {
        houses.push(Aged::of(orders, events).await?);
    }
    for aged in &mut houses {
        // Late, because what shows who somebody is ends after a quarter of an hour.
        aged.customer = buys_once(&aged.house).await?;
        aged.admin = signed_in(&aged.house, "admin").await?;
        aged.house.organiser = signed_in(&aged.house, "organiser").await?;
    }
    let mut found: Vec<Found> = Vec::new();
    for turn in 0..TURNS {
        // Nobody is always the first, nor the last.
        for at in (0..houses.len()).map(|at| (at + turn) % SIZES.len()) {
            for (name, took) in houses[at].is_asked().await? {
                let place = found.iter().position(|one| one.name == name).unwrap_or(found.len());
                if place == found.len() {
                    found.push(Found { name, took: vec![Vec::new(); SIZES.len()] });
                }
                found[place].took[at].push(took);
            }
        }
        println!("  turn {} is over", turn + 1);
    }
    let opening: Vec<f64> = houses.iter().map(|aged| aged.opening).collect();
    tell(&mut part, &found, &opening)?;
    Ok(part)
}

impl Aged {
    async fn of(orders: u32, events: u32) -> anyhow::Result<Self> {
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
        let opening = house.open_again().await?.as_secs_f64();
        Ok(Self { house, opening, event, ticket, customer: Customer::default(), admin: String::new() })
    }

    /// Every question, and how long its answers took.
    async fn is_asked(&self) -> anyhow::Result<Vec<(&'static str, f64)>> {
        let Self { house, event, ticket, customer, admin, .. } = self;
        let mut took = Vec::new();
        for (name, path, who) in [
            ("a customer's orders", "/v1/orders".to_owned(), &customer.token),
            ("one order", format!("/v1/orders/{}", customer.order), &customer.token),
            ("what is on sale", "/v1/events".to_owned(), &customer.token),
            ("an organiser's events", "/v1/admin/events".to_owned(), &house.organiser),
            ("the orders of an event", format!("/v1/admin/events/{event}/orders"), &house.organiser),
            ("an event's report", format!("/v1/admin/events/{event}/report"), &house.organiser),
            ("a ticket's history", format!("/v1/admin/tickets/{ticket}/log"), &house.organiser),
            ("the log of the house", "/v1/admin/log".to_owned(), admin),
        ] {
            took.push((name, asked(house, &path, who).await.with_context(|| name.to_owned())?));
        }
        let journey = house.bench(&["journey", "--rate", "20", "--seconds", "8"]).await?;
        let all = journey["latency"]["p50"].as_f64().context("there is a median")?;
        took.push(("hold, order, pay, confirmed, seen", all));
        Ok(took)
    }
}

fn tell(part: &mut Part, found: &[Found], opening: &[f64]) -> anyhow::Result<()> {
    let sizes: Vec<String> = SIZES.iter().map(|(orders, _)| format!("{orders} orders")).collect();
    let mut table = Table {
        title: "Milliseconds, the median:".to_owned(),
        head: std::iter::once("what".to_owned())
            .chain(sizes.iter().cloned())
            .chain(["last beside first".to_owned()])
            .collect(),
        rows: Vec::new(),
    };
    for one in found {
        let (took, grown) = (one.medians(), one.grown());
        println!("  {}: {took:.2?}, {grown:.2} ×", one.name);
        let mut row = vec![one.name.to_owned()];
        row.extend(took.iter().map(|ms| format!("{ms:.2}")));
        row.push(format!("{grown:.2} ×"));
        table.rows.push(row);
    }
    let grown: Vec<f64> = found.iter().map(Found::grown).collect();
    let most = grown.iter().copied().fold(0.0, f64::max);
    part.row(
        "an answer among 1,000,000 orders and 10,000 events, beside one among 10,000 and 100, the slowest of these questions",
        &format!("≤ {FLAT} ×"),
        &format!("**{most:.2}** × (the median of all {:.2} ×)", median(&grown)),
        most <= FLAT,
    );
    let mut row = vec!["opening the house, until it is ready (s), once".to_owned()];
    row.extend(opening.iter().map(|seconds| format!("{seconds:.1}")));
    row.push(String::new());
    table.rows.push(row);
    part.tables.push(table);
    let lines: Vec<(String, Vec<f64>)> =
        found.iter().map(|one| (one.name.to_owned(), one.medians())).collect();
    let picture = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/pictures/growth.svg");
    let (short, long): (Vec<_>, Vec<_>) = lines.into_iter().partition(|(_, took)| took[0] < 20.0);
    println!(
        "  not plotted, being a whole journey: {:?}",
        long.iter().map(|(name, _)| name).collect::<Vec<_>>()
    );
    std::fs::write(picture, plot::lines("How long answers take as the past grows", "ms", &sizes, &short))?;
    part.picture = Some("![How long answers take as the past grows](pictures/growth.svg)".to_owned());
    Ok(())
}

#[derive(Debug, Default)]
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
