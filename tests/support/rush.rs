//! People who buy without end, on several nodes, while something happens to what they buy from: each asks again, elsewhere and
//! with the same key, when nobody answers, as any front end should.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use holdfast::ids::EventId;
use rand::RngExt as _;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::client::{Answer, Client};
use super::holdfast::Holdfast;
use super::journeys::{GOOD_CARD, id};
use super::{PATIENCE, eventually};

/// Somebody who asks the next node when one does not answer.
#[derive(Clone)]
pub struct Patient {
    nodes: Vec<String>,
    at: Arc<AtomicUsize>,
    person: Client,
    /// How often somebody had to ask again.
    pub again: Arc<AtomicUsize>,
}

impl Patient {
    pub fn new(person: Client, nodes: &[String]) -> Self {
        let first = rand::rng().random_range(0..nodes.len());
        Self { nodes: nodes.to_vec(), at: Arc::new(first.into()), person, again: Arc::default() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(reqwest::Method::GET, path, None).await
    }

    /// One wish under one key, however often it is said.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(reqwest::Method::POST, path, Some(body)).await
    }

    async fn sees(&self, order: &Value, status: &str) {
        let deadline = Instant::now() + 4 * PATIENCE;
        while self.get(&format!("/v1/orders/{}", id(order))).await.expect(200)["status"] != status {
            assert!(Instant::now() < deadline, "order {} is not {status}", id(order));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn ask(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> Answer {
        let key = uuid::Uuid::new_v4().to_string();
        let deadline = Instant::now() + 4 * PATIENCE;
        for tried in 0.. {
            let node = &self.nodes[self.at.load(Ordering::Relaxed) % self.nodes.len()];
            let mut request =
                self.person.at_url(node).request(method.clone(), path).timeout(Duration::from_secs(10));
            if let Some(body) = &body {
                request = request.header("Idempotency-Key", &key).json(body);
            }
            let why = match request.send().await {
                Ok(response) => match Answer::whole(response).await {
                    Some(answer) if answer.status != 503 && answer.code() != "still_running" => {
                        return answer;
                    }
                    Some(answer) => format!("{} {}", answer.status, answer.body),
                    None => "half an answer".to_owned(),
                },
                Err(error) => format!("{error:?}"),
            };
            assert!(Instant::now() < deadline, "{method} {path}: asking again does not help: {why}");
            self.again.fetch_add(1, Ordering::Relaxed);
            self.at.fetch_add(1, Ordering::Relaxed);
            // At once elsewhere, and then ever later: whoever asks a busy house all the time keeps it busy.
            let longest = (50_u64 << u64::min(tried, 6)).min(2000);
            let pause = rand::rng().random_range(longest / 2..longest);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        unreachable!("one asks without end")
    }
}

/// An order that somebody has, and how it must end.
pub struct Ended {
    pub person: Patient,
    pub order: Value,
    pub paid: bool,
    pub called_off: bool,
}

/// People who are at it until they are told to stop.
pub struct Rush {
    stop: CancellationToken,
    people: JoinSet<Vec<Ended>>,
}

impl Rush {
    /// Each person takes a pair of these rows' seats, pays for most, calls off some, and begins again.
    pub fn starts(
        holdfast: &Arc<Holdfast>,
        event: EventId,
        rows: &[u32],
        crowd: Vec<Client>,
        nodes: &[String],
    ) -> Self {
        let stop = CancellationToken::new();
        let mut people = JoinSet::new();
        for person in crowd {
            let person = Patient::new(person, nodes);
            let (holdfast, stop, rows) = (holdfast.clone(), stop.clone(), rows.to_vec());
            people.spawn(async move {
                let mut ended = Vec::new();
                while !stop.is_cancelled() {
                    if let Some(order) = buy(&holdfast, &person, event, &rows).await {
                        ended.push(order);
                    }
                    // People look before they click.
                    let pause = rand::rng().random_range(300..1500);
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                ended
            });
        }
        Self { stop, people }
    }

    /// Everybody finishes what they are at. Answers all the orders, each of which has ended as it should.
    pub async fn ends(self) -> Vec<Ended> {
        self.stop.cancel();
        let all: Vec<Ended> = self.people.join_all().await.into_iter().flatten().collect();
        for Ended { person, order, paid, called_off } in &all {
            let wanted: &[&str] = match (paid, called_off) {
                (true, false) => &["confirmed"],
                (true, true) => &["refunded"],
                (false, true) => &["cancelled"],
                (false, false) => &["awaiting_payment", "expired"],
            };
            eventually(&format!("order {} is {wanted:?}", id(order)), async || {
                let now = person.get(&format!("/v1/orders/{}", id(order))).await.expect(200);
                wanted.contains(&now["status"].as_str()?).then_some(())
            })
            .await;
        }
        all
    }
}

async fn buy(holdfast: &Holdfast, person: &Patient, event: EventId, rows: &[u32]) -> Option<Ended> {
    let (pair, dice) = {
        let mut dice = rand::rng();
        let row = dice.random_range(0..rows.len());
        let seat = dice.random_range(1..rows[row]);
        let name = char::from(b'A' + u8::try_from(row).expect("few rows"));
        ([format!("hall-{name}-{seat}"), format!("hall-{name}-{}", seat + 1)], dice.random_range(0..10))
    };
    let hold = person.post(&format!("/v1/events/{event}/holds"), json!({ "seats": pair })).await;
    if hold.status != 201 {
        assert_eq!(hold.status, 409, "{}", hold.body);
        return None;
    }
    let order = person.post("/v1/orders", json!({ "hold_id": hold.body["id"] })).await;
    if order.status != 201 {
        // What Redis had forgotten by then is gone, or somebody else's.
        assert!([404, 409, 410].contains(&order.status), "{} {}", order.status, order.body);
        return None;
    }
    let order = order.body;
    let pays = dice < 8;
    if pays {
        holdfast.pay(&order, GOOD_CARD).await.expect(200);
        person.sees(&order, "confirmed").await;
    }
    let called_off = dice % 2 == 0 || !pays;
    if called_off {
        person.post(&format!("/v1/orders/{}/cancel", id(&order)), json!({})).await.expect(200);
    }
    Some(Ended { person: person.clone(), order, paid: pays, called_off })
}
