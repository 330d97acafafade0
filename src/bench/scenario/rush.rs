//! A whole on-sale: more people than seats come before it opens, stand in a waiting room, and buy until there is nothing left.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::journey::pays;
use crate::bench::fairness::{Stood, fairness, place};
use crate::bench::house::{House, Sale, text};
use crate::bench::load::{Load, Pace, Tally};
use crate::bench::progress::Progress;
use crate::bench::report::Figures;
use crate::bench::wire::{Origin, Wire};

/// A minute's room, opened at once: its minutes are before the sale.
const ROOM_MINUTES: u32 = 1;
const SALE_IN: Duration = Duration::from_secs(8);
const HEADER: HeaderName = HeaderName::from_static("admission");
/// What everybody wants.
const SEATS_EACH: u32 = 2;
/// How soon we look again whether everything is sold.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
const AFTERWARDS: Duration = Duration::from_secs(3);
/// How long an order may take to have something that can be paid, and a payment to become a booking.
const TO_BOOK: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Args)]
pub struct Rush {
    /// How many come.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    customers: u32,
    /// How many seats there are; everybody wants two.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    seats: u32,
    /// Seats cost something and are paid at the sandbox. Without it they are free, and nothing is between a hold and its booking
    /// but the house.
    #[arg(long)]
    pay: bool,
    /// Everybody goes home so many seconds after the opening, whatever is left. `--seconds` and `--rate` say nothing here.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=7200))]
    at_most: u32,
}

/// What has happened so far, at which moments after the opening.
#[derive(Debug, Default)]
struct Happened {
    let_in: Vec<Duration>,
    booked: Vec<Duration>,
    line: Vec<Stood>,
    looks: u64,
}

/// How it goes for everybody.
struct Course {
    sale: Sale,
    opens: Instant,
    pay: bool,
    happened: Mutex<Happened>,
    /// There is nothing left, or the time is up.
    over: CancellationToken,
}

impl Course {
    fn note<T>(&self, what: impl FnOnce(&mut Happened) -> T) -> T {
        what(&mut self.happened.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until there is no seat left that anybody could want, and nobody who could let one go again.
    async fn sells_out(&self, origin: &Origin) {
        let mut wire = Wire::to(origin);
        let path = format!("/v1/events/{}/status", self.sale.event);
        loop {
            // A house that does not answer now has seats all the same.
            let stands = wire.get(&path).await.map(|answer| answer.json()).unwrap_or_default();
            let left = stands["available"].as_u64().unwrap_or(u64::MAX);
            if left < u64::from(SEATS_EACH) && stands["held"] == 0 {
                return;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

async fn comes(mut wire: Wire, course: Arc<Course>) -> Tally {
    let mut tally = Tally::default();
    let ended = visits(&mut wire, &course, &mut tally).await;
    let took = course.opens.elapsed();
    tally.note(ended.unwrap_or_else(|error| format!("broken off: {error}")), took, took);
    tally
}

/// Stands in the waiting room until it is one's turn; `None` when all is over before that.
async fn waits(wire: &mut Wire, course: &Course, tally: &mut Tally) -> anyhow::Result<Option<String>> {
    let room = format!("/v1/events/{}/room", course.sale.event);
    let (mut kept, mut stood) = (Value::Null, None);
    let admission = loop {
        let began = Instant::now();
        let come = if kept.is_null() { json!({}) } else { json!({ "place": kept }) };
        let answer = wire.post(&room, &come).await?;
        course.note(|happened| happened.looks += 1);
        let stand = answer.json();
        if answer.status == 200 {
            tally.part("a look at the waiting room", began.elapsed());
        } else {
            tally.part("a look that was refused", began.elapsed());
        }
        if stand["place"].is_string() {
            kept = stand["place"].clone();
            stood = kept.as_str().and_then(place);
        }
        if stand["status"] == "admitted" {
            break Some(text(&stand, "admission")?);
        }
        let again = stand["look_again_seconds"].as_u64().unwrap_or(2).clamp(1, 30);
        tokio::select! {
            () = course.over.cancelled() => break None,
            () = tokio::time::sleep(Duration::from_secs(again)) => {}
        }
    };
    let let_in = admission.is_some().then(|| course.opens.elapsed());
    course.note(|happened| {
        happened.let_in.extend(let_in);
        happened.line.extend(stood.map(|place| Stood { place, let_in }));
    });
    Ok(admission)
}

async fn visits(wire: &mut Wire, course: &Course, tally: &mut Tally) -> anyhow::Result<String> {
    let Some(admission) = waits(wire, course, tally).await? else {
        return Ok("still waiting when it was over".to_owned());
    };
    tally.part("let in, since the sale began", course.opens.elapsed());

    let since = Instant::now();
    let headers = [
        (HEADER, HeaderValue::from_str(&admission)?),
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
    ];
    let wish = json!({ "best": { "quantity": SEATS_EACH } }).to_string();
    let hold = wire.ask(Method::POST, &course.sale.holds(), &headers, wish.into()).await?;
    tally.part("a hold, answered", since.elapsed());
    if hold.status != 201 {
        return Ok(format!("hold: {}", hold.outcome()));
    }
    let order = wire.insist("/v1/orders", &json!({ "hold_id": hold.json()["id"] })).await?;
    if order.status != 201 {
        return Ok(format!("order: {}", order.outcome()));
    }
    let mut order = order.json();
    let path = format!("/v1/orders/{}", text(&order, "id")?);
    if course.pay {
        looks_until(wire, &path, &mut order, |order| order["payment"]["client_secret"].is_string()).await?;
        pays(&mut None, &order).await?;
    }
    looks_until(wire, &path, &mut order, |order| order["status"] == "confirmed").await?;
    let booked = course.opens.elapsed();
    tally.part("seats in hand, since the sale began", booked);
    course.note(|happened| happened.booked.push(booked));
    Ok("confirmed".to_owned())
}

/// As the page of an order does.
async fn looks_until(
    wire: &mut Wire,
    path: &str,
    order: &mut Value,
    is_so: impl Fn(&Value) -> bool,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !is_so(order) {
        if begun.elapsed() > TO_BOOK {
            bail!("an order that stays {}", order["status"]);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        *order = wire.get(path).await?.json();
    }
    Ok(())
}

pub async fn run(house: &House, load: &Load, rush: &Rush) -> anyhow::Result<Figures> {
    let customers = house.customers(usize::try_from(rush.customers)?).await?;
    let opens = OffsetDateTime::now_utc() + SALE_IN;
    let price = if rush.pay { 4800 } else { 0 };
    let terms = json!({
        "sale_starts_at": opens.format(&Rfc3339)?, "room_minutes": ROOM_MINUTES,
        "categories": [{ "key": "all", "name": "All seats", "price": price }],
    });
    let sale = house.event(rush.seats, terms).await?;
    let until = (opens - OffsetDateTime::now_utc()).max(time::Duration::ZERO).unsigned_abs();
    let course = Arc::new(Course {
        sale,
        opens: Instant::now() + until,
        pay: rush.pay,
        happened: Mutex::default(),
        over: CancellationToken::new(),
    });
    let progress = progress(&course, rush);
    let mut people = JoinSet::new();
    for customer in &customers {
        people.spawn(comes(Wire::to(&house.origin).with(customer)?, Arc::clone(&course)));
    }
    let ends = {
        let (course, origin) = (Arc::clone(&course), house.origin.clone());
        let at_most = until + Duration::from_secs(rush.at_most.into());
        tokio::spawn(async move {
            let is_sold_out = tokio::time::timeout(at_most, course.sells_out(&origin)).await.is_ok();
            course.over.cancel();
            is_sold_out
        })
    };
    let ends = AbortOnDropHandle::new(ends);
    let mut tally = Tally::default();
    while let Some(done) = people.join_next().await {
        tally.add(&done?);
    }
    drop(progress);
    let took = course.opens.elapsed();
    // Where nobody is left who would buy, nothing more is sold: what is, shows within a moment.
    let is_sold_out = matches!(tokio::time::timeout(AFTERWARDS, ends).await, Ok(Ok(true)));
    let everybody = Load { pace: Pace::Max, connections: customers.len(), ..*load };
    let mut figures = Figures::of("rush", &everybody, &tally, took);
    let status = Wire::to(&house.origin).get(&format!("/v1/events/{}/status", course.sale.event)).await?;
    told(&mut figures, rush, &course, is_sold_out);
    figures.note("how the seats stand at the end", status.json());
    Ok(figures)
}

fn told(figures: &mut Figures, rush: &Rush, course: &Course, is_sold_out: bool) {
    let happened = course.note(std::mem::take);
    figures.note("customers", rush.customers);
    figures.note("seats", rush.seats);
    figures.note("paid at the sandbox", rush.pay);
    figures.note("sold out", is_sold_out);
    let last = happened.booked.iter().max().filter(|_| is_sold_out).map(Duration::as_secs_f64);
    figures.note("seconds from the opening to the last seat's booking", last);
    figures.note("let in", happened.let_in.len());
    figures.note("fairness", serde_json::to_value(fairness(&happened.line)).unwrap_or_default());
    figures.note("looks at the waiting room", happened.looks);
    let seats = happened.booked.iter().flat_map(|at| std::iter::repeat_n(*at, SEATS_EACH as usize));
    figures.course("people let in", happened.let_in.clone());
    figures.course("seats sold", seats.collect());
}

fn progress(course: &Arc<Course>, rush: &Rush) -> Progress {
    let (course, Rush { customers, seats, .. }) = (Arc::clone(course), rush.clone());
    Progress::saying(move || {
        let (let_in, booked) = course.note(|happened| (happened.let_in.len(), happened.booked.len()));
        let sold = booked * SEATS_EACH as usize;
        match course.opens.checked_duration_since(Instant::now()) {
            Some(left) => format!("the sale opens in {:.0} s", left.as_secs_f64()),
            None => format!(
                "{:>4.0} s   {let_in:>6} of {customers} let in   {sold:>6} of {seats} seats sold",
                course.opens.elapsed().as_secs_f64()
            ),
        }
    })
}
