//! A whole visit: the map, a hold, an order, the payment, the webhook, the booking, and somebody else's screen that shows it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use clap::Args;
use hyper::Method;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio_util::task::AbortOnDropHandle;

use crate::bench::house::{House, Sale, text};
use crate::bench::load::{Caller, Due, Load, Tally};
use crate::bench::report::Figures;
use crate::bench::stream::Stream;
use crate::bench::wire::{Origin, Wire};

/// How long a payment may take to become a booking, and a booking to be seen.
const PATIENCE: Duration = Duration::from_secs(30);
/// How soon a customer's page asks again what became of the order.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Args)]
pub struct Journey {
    /// How many seats each buys.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20))]
    seats: u32,
}

/// When somebody else's screen showed which seat as sold.
#[derive(Debug, Default)]
struct Screen {
    sold: Mutex<HashMap<String, Instant>>,
    changed: tokio::sync::Notify,
}

impl Screen {
    async fn follows(self: Arc<Self>, mut stream: Stream) {
        while let Ok(Some(message)) = stream.next().await {
            let told: Value = serde_json::from_str(&message.data).unwrap_or_default();
            let now = Instant::now();
            let mut sold = self.sold.lock().await;
            for change in
                told["changes"].as_array().into_iter().flatten().filter(|change| change["state"] == "sold")
            {
                if let Some(seat) = change["id"].as_str() {
                    sold.entry(seat.to_owned()).or_insert(now);
                }
            }
            drop(sold);
            self.changed.notify_waiters();
        }
    }

    async fn shows(&self, seat: &str) -> Option<Instant> {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let changed = self.changed.notified();
            if let Some(at) = self.sold.lock().await.get(seat) {
                return Some(*at);
            }
            tokio::time::timeout_at(until, changed).await.ok()?;
        }
    }
}

struct Visits {
    wire: Wire,
    till: Option<Wire>,
    sale: Sale,
    seats: u64,
    screen: Arc<Screen>,
}

impl Visits {
    async fn visit(&mut self, number: u64, tally: &mut Tally) -> anyhow::Result<String> {
        let seats: Vec<String> = (0..self.seats).map(|at| self.sale.seat(number * self.seats + at)).collect();
        let begun = Instant::now();
        self.wire
            .get(&format!("/v1/events/{}/availability", self.sale.event))
            .await?
            .expect(200, "the map")?;
        tally.part("1 the map", begun.elapsed());

        let since = Instant::now();
        let hold = self.wire.post(&self.sale.holds(), &json!({ "seats": seats })).await?;
        if hold.status != 201 {
            return Ok(format!("hold: {}", hold.outcome()));
        }
        tally.part("2 held", since.elapsed());

        let since = Instant::now();
        let order = self.wire.post("/v1/orders", &json!({ "hold_id": hold.json()["id"] })).await?;
        if order.status != 201 {
            return Ok(format!("order: {}", order.outcome()));
        }
        tally.part("3 ordered", since.elapsed());

        let (order, since) = (order.json(), Instant::now());
        pays(&mut self.till, &order).await?;
        tally.part("4 paid at the sandbox", since.elapsed());

        let since = Instant::now();
        let path = format!("/v1/orders/{}", text(&order, "id")?);
        loop {
            let status = text(&self.wire.get(&path).await?.json(), "status").unwrap_or_default();
            if status == "confirmed" {
                break;
            }
            if since.elapsed() > PATIENCE {
                return Ok(format!("still {status}"));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        tally.part("5 confirmed, as its page sees it", since.elapsed());
        match self.screen.shows(&seats[0]).await {
            Some(at) => {
                tally.part("6 on another screen, since it was paid", at.saturating_duration_since(since));
                Ok("confirmed".to_owned())
            }
            None => Ok("not seen".to_owned()),
        }
    }
}

/// Pays an order as the provider's own script in the customer's browser does it.
pub async fn pays(till: &mut Option<Wire>, order: &Value) -> anyhow::Result<()> {
    let payment = &order["payment"];
    if till.is_none() {
        *till = Some(Wire::to(&Origin::of(&text(order, "pay_url").or_else(|_| text(payment, "pay_url"))?)?));
    }
    let till = till.as_mut().context("it was just made")?;
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("payment_method", "pm_card_visa")
        .append_pair("client_secret", &text(payment, "client_secret")?)
        .finish();
    let key = HeaderValue::from_str(&format!("Bearer {}", text(payment, "publishable_key")?))?;
    let headers =
        [(AUTHORIZATION, key), (CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))];
    let path = format!("/v1/payment_intents/{}/confirm", text(payment, "payment_intent")?);
    till.ask(Method::POST, &path, &headers, Bytes::from(form)).await?.expect(200, "paying")?;
    Ok(())
}

impl Caller for Visits {
    async fn call(&mut self, due: Due, tally: &mut Tally) -> String {
        self.visit(due.number, tally).await.unwrap_or_else(|error| format!("broken off: {error}"))
    }
}

pub async fn run(house: &House, load: &Load, journey: &Journey) -> anyhow::Result<Figures> {
    let sale = house.event(load.seats(journey.seats), Value::Null).await?;
    let customers = house.customers(load.connections.min(64)).await?;
    let screen = Arc::new(Screen::default());
    let stream = Stream::open(&house.origin, &sale.event).await?;
    let _watching = AbortOnDropHandle::new(tokio::spawn(Arc::clone(&screen).follows(stream)));
    let callers = house.wires(load.connections, &customers)?.into_iter().map(|wire| Visits {
        wire,
        till: None,
        sale: sale.clone(),
        seats: journey.seats.into(),
        screen: Arc::clone(&screen),
    });
    let (tally, took) = load.run(callers.collect()).await;
    Ok(Figures::of("journey", load, &tally, took))
}
