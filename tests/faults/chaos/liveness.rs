//! What has to happen once everything is mended and at rest, and how soon.
//!
//! The promises are those that hold for a customer: a second, two seconds. A machine that also runs this stand may be late
//! by itself, so a plain request is made beside all that is measured, and how slow that was at its worst is allowed on top.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::customer::Customer;
use super::dice::Dice;
use super::history::STALE;
use super::scene::{Event, Scene, left_of, seats_of, text};
use super::storm::Storm;
use crate::stand::Person;

/// No hold outlives its time by more, for who looks.
const FOR_READERS: Duration = Duration::from_secs(1);
/// What comes free is somebody's to buy, or offered, within this.
const FOR_BUYERS: Duration = Duration::from_secs(2);
/// Within this a customer who comes after everything was mended is served.
const SERVED: Duration = Duration::from_secs(20);
/// Nobody waits longer to see how late something is.
const HOPELESS: Duration = Duration::from_secs(30);
/// What measuring itself may cost: an answer that is on its way, and the pause before the next look.
const MARGIN: Duration = Duration::from_secs(1);
/// A step that is measured takes as many requests of the size of the plain one, at its worst.
const STEPS: u32 = 4;
/// As many as one customer may have.
pub const MOST_SEATS: i64 = 12;

pub const GONE: &str = "a hold is gone for readers after its time";
const ANOTHERS: &str = "its seat is another's after its time";
const OFFERED: &str = "who waits is offered what is free";

/// How slow the stand is by itself: a plain request, again and again.
pub struct Pulse {
    slowest: Arc<AtomicU64>,
    _beats: AbortOnDropHandle<()>,
}

impl Pulse {
    pub fn of(urls: Vec<String>) -> Self {
        let slowest = Arc::new(AtomicU64::new(0));
        let noted = Arc::clone(&slowest);
        let beats = tokio::spawn(async move {
            let http = reqwest::Client::new();
            for url in urls.iter().cycle() {
                let began = Instant::now();
                // Also when the answer is none: then it was slow.
                let _ = http.get(url).timeout(Duration::from_secs(5)).send().await;
                let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                noted.fetch_max(took, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        Self { slowest, _beats: AbortOnDropHandle::new(beats) }
    }

    pub fn slowest(&self) -> Duration {
        Duration::from_millis(self.slowest.load(Ordering::Relaxed))
    }

    /// What is wrong with something that took so long, if anything is.
    fn judges(&self, what: &str, took: Duration, promised: Duration) -> Option<String> {
        let allowed = MARGIN + self.slowest() * STEPS;
        (took > promised + allowed).then(|| {
            format!("{what}: {took:.2?}; promised are {promised:?}, and this machine was late by up to {allowed:.2?}")
        })
    }
}

/// A customer who came after the mending, and what was bought.
pub struct Late {
    person: Person,
    order: String,
}

impl Storm {
    /// Whoever comes now gets a seat that is free, and it is confirmed; nobody, when everything is sold.
    pub async fn somebody_is_served(&self, scene: &Scene, mended: Instant) -> Result<Option<Late>, String> {
        let pg = self.house.pg(&self.database);
        let person = self.house.customer(&pg).await;
        pg.close().await;
        let event = scene.events.last().expect("events");
        let path = format!("/v1/events/{}/holds", event.id);
        let mut last = Value::Null;
        while mended.elapsed() < SERVED {
            let from = scene.history.now();
            let answer = person.insists("POST", &path, json!({ "best": { "quantity": 1 } })).await;
            last = answer.body.clone();
            match (answer.status, answer.code()) {
                (201, _) => {
                    let left = left_of(&answer.body);
                    let seats = seats_of(&answer.body);
                    scene.history.held(&event.id, text(&answer.body, "id"), &seats, from, left);
                    let order =
                        person.insists("POST", "/v1/orders", json!({ "hold_id": answer.body["id"] })).await;
                    if order.status != 201 {
                        last = order.body;
                        continue;
                    }
                    scene.history.order_seen(&order.body, from, from);
                    let paid = self.house.pay(&order.body, "pm_card_visa");
                    let mut customer =
                        Customer::new(Arc::clone(self.scene()), person.clone(), Dice::of(0, 0, 0));
                    let id = text(&order.body, "id").to_owned();
                    let status = customer.watches(&id, 60).await;
                    if status.as_deref() == Some("confirmed") {
                        self.tally.took("a customer is served after the mending", mended.elapsed());
                        return Ok(Some(Late { person, order: id }));
                    }
                    return Err(format!(
                        "who came after the mending and paid ({paid:?}) was not served: {status:?}"
                    ));
                }
                // Everything is sold: that is service, too.
                (409, "sold_out") if self.sold_out(event).await => return Ok(None),
                _ => {}
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Err(format!("nobody is served {SERVED:?} after the mending: {last}"))
    }

    /// The map is looked at on every node, for longer than it may be behind, while people still do things.
    pub async fn looks_at_the_map(&self, scene: &Scene, done: &CancellationToken) {
        let http = reqwest::Client::new();
        let began = Instant::now();
        let enough = Duration::from_millis(STALE) + Duration::from_secs(2);
        while !done.is_cancelled() || began.elapsed() < enough {
            for seat in &self.nodes {
                for event in &scene.events {
                    let from = scene.history.now();
                    let url = format!("{}/v1/events/{}/availability", seat.node.url(), event.id);
                    let answer = http.get(url).timeout(Duration::from_secs(3)).send().await;
                    let Ok(answer) = answer else { continue };
                    if let (200, Ok(map)) = (answer.status().as_u16(), answer.json::<Value>().await) {
                        scene.was_shown(event, &map, from);
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// A hold that nobody checks out is over for every reader when its time is, and for buyers, too.
    pub async fn a_hold_ends_in_time(&self, scene: &Scene, pulse: &Pulse) -> Option<String> {
        let event = scene.events.last().expect("events");
        let pg = self.house.pg(&self.database);
        let (idler, next) = (self.house.customer(&pg).await, self.house.customer(&pg).await);
        let waited_for = !self.parties(event, &pg).await.is_empty();
        pg.close().await;
        // What somebody waits for is offered to them and not to whoever comes first.
        if waited_for {
            self.tally.count("a hold's end not measured", "somebody waits for seats");
            return None;
        }
        let path = format!("/v1/events/{}/holds", event.id);
        let from = scene.history.now();
        let held = idler.insists("POST", &path, json!({ "best": { "quantity": 1 } })).await;
        if held.status != 201 {
            self.tally.count("a hold's end not measured", held.code());
            return None;
        }
        let (seats, left) = (seats_of(&held.body), left_of(&held.body));
        scene.history.held(&event.id, text(&held.body, "id"), &seats, from, left);
        tokio::time::sleep(left).await;
        let over = Instant::now();
        loop {
            let picture = next.insists("GET", &format!("/v1/events/{}/availability", event.id), None).await;
            if picture.status == 200 && picture.body["taken"][&seats[0]].is_null() {
                break;
            }
            if over.elapsed() > HOPELESS {
                return Some(format!("a hold is still shown {HOPELESS:?} after its time: {}", picture.body));
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        let gone = over.elapsed();
        self.tally.took(GONE, gone);
        loop {
            let from = scene.history.now();
            let again = next.insists("POST", &path, json!({ "seats": seats })).await;
            if again.status == 201 {
                let left = left_of(&again.body);
                scene.history.held(&event.id, text(&again.body, "id"), &seats, from, left);
                break;
            }
            if over.elapsed() > HOPELESS {
                return Some(format!("a seat is not to be had {HOPELESS:?} after its hold: {}", again.body));
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        self.tally.took(ANOTHERS, over.elapsed());
        pulse.judges(GONE, gone, FOR_READERS).or_else(|| pulse.judges(ANOTHERS, over.elapsed(), FOR_BUYERS))
    }

    /// Nobody waits while there is something for them, and whoever comes to wait is offered what there is.
    pub async fn who_waits_is_offered(
        &self,
        scene: &Scene,
        late: Option<&Late>,
        pulse: &Pulse,
    ) -> Option<String> {
        let pg = self.house.pg(&self.database);
        let wrong = match self.nobody_waits_in_vain(scene, &pg, pulse).await {
            None => self.a_newcomer_is_offered(scene, &pg, late, pulse).await,
            wrong => wrong,
        };
        pg.close().await;
        wrong
    }

    async fn nobody_waits_in_vain(&self, scene: &Scene, pg: &sqlx::PgPool, pulse: &Pulse) -> Option<String> {
        let began = Instant::now();
        for event in scene.events.iter().filter(|event| event.waits && !event.may_be_cancelled()) {
            loop {
                let parties = self.parties(event, pg).await;
                let free = self.free_seats(event).await;
                let Some(party) =
                    parties.iter().find(|party| free.as_ref().is_some_and(|free| fits(**party, free)))
                else {
                    break;
                };
                let what = format!("a party of {party} waits beside {free:?} at {}", event.id);
                let late = pulse.judges(&what, began.elapsed(), FOR_BUYERS);
                if late.is_some() {
                    return late;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        None
    }

    /// A seat is there, or somebody gives one back; then it is offered, to this party or to one in front of it.
    async fn a_newcomer_is_offered(
        &self,
        scene: &Scene,
        pg: &sqlx::PgPool,
        late: Option<&Late>,
        pulse: &Pulse,
    ) -> Option<String> {
        let event = scene.events.last().filter(|event| event.waits)?;
        let newcomer = self.house.customer(pg).await;
        let path = format!("/v1/events/{}/waitlist", event.id);
        let joined = newcomer.insists("POST", &path, json!({ "quantity": 1 })).await;
        if joined.status != 201 {
            return Some(format!("nobody can wait for {}: {}", event.id, joined.body));
        }
        let mut since = Instant::now();
        if let Some(late) = late {
            scene.will_be_off(&late.order);
            let from = scene.history.now();
            let path = format!("/v1/orders/{}/cancel", late.order);
            let cancelled = late.person.insists("POST", &path, json!({})).await;
            if cancelled.status != 200 {
                return Some(format!("a confirmed order cannot be called off: {}", cancelled.body));
            }
            scene.history.order_seen(&cancelled.body, from, from);
            since = Instant::now();
        } else if self.free_seats(event).await.is_none_or(|free| free.is_empty()) {
            self.tally.count("an offer not measured", "nothing is free");
            return self.goes(&newcomer, &joined.body).await;
        }
        while !self.is_offered(event, pg).await {
            if since.elapsed() > HOPELESS {
                return Some(format!("nothing is offered to who waits for {HOPELESS:?} at {}", event.id));
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        let took = since.elapsed();
        self.tally.took(OFFERED, took);
        pulse.judges(OFFERED, took, FOR_BUYERS).or(self.goes(&newcomer, &joined.body).await)
    }

    async fn goes(&self, newcomer: &Person, entry: &Value) -> Option<String> {
        let path = format!("/v1/waitlist/{}", text(entry, "id"));
        let gone = newcomer.insists("DELETE", &path, None).await;
        (gone.status != 204).then(|| format!("nobody can leave a waiting list: {}", gone.body))
    }

    async fn is_offered(&self, event: &Event, pg: &sqlx::PgPool) -> bool {
        let (offered,): (bool,) =
            sqlx::query_as("select exists (select from offers where event_id::text = $1 and state = 'open')")
                .bind(&event.id)
                .fetch_one(pg)
                .await
                .expect("Postgres answers");
        offered
    }

    /// The sizes of those who wait, of whom nobody has as much as one may have.
    async fn parties(&self, event: &Event, pg: &sqlx::PgPool) -> Vec<i32> {
        let parties: Vec<(i32,)> = sqlx::query_as(
            "select w.quantity from waitlist w
              where w.event_id::text = $1 and w.state = 'waiting'
                and w.quantity + (select count(*) from seat_claims c
                                    join orders o on o.event_id = c.event_id and o.id = c.order_id
                                   where o.event_id = w.event_id and o.account_id = w.account_id) <= $2",
        )
        .bind(&event.id)
        .bind(MOST_SEATS)
        .fetch_all(pg)
        .await
        .expect("Postgres answers");
        parties.into_iter().map(|(quantity,)| quantity).collect()
    }

    /// What the public may have, as the first node shows it.
    async fn free_seats(&self, event: &Event) -> Option<Vec<String>> {
        let url = format!("{}/v1/events/{}/availability", self.nodes[0].node.url(), event.id);
        let answer = reqwest::Client::new().get(url).timeout(Duration::from_secs(3)).send().await.ok()?;
        let map: Value = answer.json().await.ok()?;
        let taken = map["taken"].as_object()?;
        Some(event.seats.iter().filter(|seat| !taken.contains_key(*seat)).cloned().collect())
    }

    async fn sold_out(&self, event: &Event) -> bool {
        let pg = self.house.pg(&self.database);
        let (claimed,): (i64,) = sqlx::query_as("select count(*) from seat_claims where event_id::text = $1")
            .bind(&event.id)
            .fetch_one(&pg)
            .await
            .expect("Postgres answers");
        pg.close().await;
        usize::try_from(claimed).is_ok_and(|claimed| claimed >= event.seats.len())
    }
}

/// Whether there are as many neighbours among these, which come row by row.
fn fits(party: i32, free: &[String]) -> bool {
    let neighbours = |pair: &[String]| {
        let (Some((row, seat)), Some((other, next))) = (place(&pair[0]), place(&pair[1])) else {
            return false;
        };
        row == other && next == seat + 1
    };
    match party {
        1 => !free.is_empty(),
        2 => free.windows(2).any(neighbours),
        _ => false,
    }
}

fn place(seat: &str) -> Option<(&str, u32)> {
    let (row, number) = seat.rsplit_once('-')?;
    Some((row, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_party_fits_on_neighbouring_seats() {
        let free = ["stalls-1-2", "stalls-1-4", "stalls-1-6", "stalls-2-1"].map(str::to_owned);
        assert!(fits(1, &free) && !fits(2, &free) && !fits(1, &[]));
        assert!(fits(2, &["stalls-1-4", "stalls-1-5"].map(str::to_owned)));
    }

    #[tokio::test]
    async fn what_is_later_than_promised_and_allowed_is_wrong() {
        let pulse = Pulse::of(vec![]);
        assert_eq!(pulse.judges("this", Duration::from_millis(1900), FOR_READERS), None);
        assert!(pulse.judges("this", Duration::from_millis(2100), FOR_READERS).is_some());
        pulse.slowest.store(300, Ordering::Relaxed);
        assert_eq!(pulse.judges("this", Duration::from_millis(3100), FOR_READERS), None);
    }
}
