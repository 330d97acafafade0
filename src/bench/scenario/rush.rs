//! A whole on-sale: more people than seats come before it opens, stand in a waiting room, and buy until there is nothing left.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::bench::house::{House, Sale, text};
use crate::bench::load::{Load, Pace, Tally};
use crate::bench::report::Figures;
use crate::bench::wire::Wire;

/// A minute's room, opened at once: its minutes are before the sale.
const ROOM_MINUTES: u32 = 1;
const SALE_IN: Duration = Duration::from_secs(8);
const HEADER: HeaderName = HeaderName::from_static("admission");

#[derive(Debug, Clone, Args)]
pub struct Rush {
    /// How many come.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    customers: u32,
    /// How many seats there are; everybody wants two.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    seats: u32,
}

/// How it goes for everybody.
struct Course {
    sale: Sale,
    opens: Instant,
    ends: Instant,
    /// People who have been let in so far.
    let_in: AtomicU64,
    looks: AtomicU64,
    /// Of each who stood in line: how many stood before them, and how many had been let in when it was their turn.
    turns: Mutex<Vec<(u64, u64)>>,
}

async fn comes(mut wire: Wire, course: Arc<Course>) -> Tally {
    let mut tally = Tally::default();
    let ended = visits(&mut wire, &course, &mut tally).await;
    let took = course.opens.elapsed();
    tally.note(ended.unwrap_or_else(|error| format!("broken off: {error}")), took, took);
    tally
}

/// Stands in the waiting room until it is one's turn; `None` when the time is over before that.
async fn waits(wire: &mut Wire, course: &Course, tally: &mut Tally) -> anyhow::Result<Option<String>> {
    let room = format!("/v1/events/{}/room", course.sale.event);
    let (mut place, mut before) = (Value::Null, None);
    loop {
        let began = Instant::now();
        let come = if place.is_null() { json!({}) } else { json!({ "place": place }) };
        let answer = wire.post(&room, &come).await?;
        tally.part("a look at the waiting room", began.elapsed());
        course.looks.fetch_add(1, Ordering::Relaxed);
        if Instant::now() > course.ends {
            return Ok(None);
        }
        let stand = answer.json();
        if answer.status != 200 {
            tally.part("a look that was refused", began.elapsed());
        } else if stand["status"] == "admitted" {
            let turn = course.let_in.fetch_add(1, Ordering::Relaxed);
            if let Some(before) = before {
                course.turns.lock().await.push((before, turn));
            }
            return Ok(Some(text(&stand, "admission")?));
        }
        if let Some(position) = stand["position"].as_u64() {
            before.get_or_insert_with(|| course.let_in.load(Ordering::Relaxed) + position - 1);
        }
        if stand["place"].is_string() {
            place = stand["place"].clone();
        }
        let again = stand["look_again_seconds"].as_u64().unwrap_or(2).clamp(1, 30);
        tokio::time::sleep(Duration::from_secs(again)).await;
    }
}

async fn visits(wire: &mut Wire, course: &Course, tally: &mut Tally) -> anyhow::Result<String> {
    let Some(admission) = waits(wire, course, tally).await? else {
        return Ok("still waiting when it ended".to_owned());
    };
    tally.part("let in, since the sale began", course.opens.elapsed());

    let since = Instant::now();
    let headers = [
        (HEADER, HeaderValue::from_str(&admission)?),
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
    ];
    let wish = json!({ "best": { "quantity": 2 } }).to_string();
    let hold = wire.ask(Method::POST, &course.sale.holds(), &headers, wish.into()).await?;
    tally.part("a hold, answered", since.elapsed());
    if hold.status != 201 {
        return Ok(format!("hold: {}", hold.outcome()));
    }
    let order = wire.post("/v1/orders", &json!({ "hold_id": hold.json()["id"] })).await?;
    if order.status != 201 {
        return Ok(format!("order: {}", order.outcome()));
    }
    let path = format!("/v1/orders/{}", text(&order.json(), "id")?);
    let begun = Instant::now();
    while wire.get(&path).await?.json()["status"] != "confirmed" {
        if begun.elapsed() > Duration::from_secs(30) {
            return Ok("never confirmed".to_owned());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tally.part("seats in hand, since the sale began", course.opens.elapsed());
    Ok("confirmed".to_owned())
}

/// The most places that anybody came later than they stood. People look every few seconds, so some is their own.
fn unfairness(turns: &[(u64, u64)]) -> u64 {
    turns.iter().map(|(before, turn)| turn.saturating_sub(*before)).max().unwrap_or(0)
}

pub async fn run(house: &House, load: &Load, rush: &Rush) -> anyhow::Result<Figures> {
    let opens = OffsetDateTime::now_utc() + SALE_IN;
    // Free of charge, so that nothing is between a hold and its seats but the house.
    let terms = json!({
        "sale_starts_at": opens.format(&Rfc3339)?, "room_minutes": ROOM_MINUTES,
        "categories": [{ "key": "all", "name": "All seats", "price": 0 }],
    });
    let customers = house.customers(usize::try_from(rush.customers)?).await?;
    let begun = Instant::now();
    let sale = house.event(rush.seats, terms).await?;
    let until = (opens - OffsetDateTime::now_utc()).max(time::Duration::ZERO).unsigned_abs();
    let opens = Instant::now() + until;
    let course = Arc::new(Course {
        sale,
        opens,
        ends: opens + load.lasts,
        let_in: AtomicU64::new(0),
        looks: AtomicU64::new(0),
        turns: Mutex::default(),
    });
    let mut people = JoinSet::new();
    for customer in &customers {
        people.spawn(comes(Wire::to(&house.origin).with(customer)?, Arc::clone(&course)));
    }
    let mut tally = Tally::default();
    while let Some(done) = people.join_next().await {
        tally.add(&done?);
    }
    let everybody = Load { pace: Pace::Max, connections: customers.len(), ..*load };
    let mut figures = Figures::of("rush", &everybody, &tally, begun.elapsed());
    let status = Wire::to(&house.origin).get(&format!("/v1/events/{}/status", course.sale.event)).await?;
    figures.note("customers", rush.customers);
    figures.note("seats", rush.seats);
    figures.note("let in", course.let_in.load(Ordering::Relaxed));
    figures.note(
        "most that went before somebody who stood in front of them",
        unfairness(&course.turns.lock().await),
    );
    figures.note("looks at the waiting room", course.looks.load(Ordering::Relaxed));
    figures.note("how the seats stand at the end", status.json());
    Ok(figures)
}
