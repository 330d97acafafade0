//! What must be so once everything is mended: safety in the stores, in Stripe's ledger and in what people saw, and
//! liveness.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::customer::Customer;
use super::dice::Dice;
use super::scene::{Event, Scene, left_of, seats_of, text};
use super::storm::{KEY_SPACE, Storm};

/// How long after everything was mended everything must be at rest: a hold, its payment, its grace, a lease of what a
/// node that died had begun, and a reconciler's period, on a machine that is busy.
const REST: Duration = Duration::from_secs(75);
/// Within this a hold that ran out is gone for everybody. Promised are one second for readers and two for buyers, which
/// the figures show; on a machine that also does all the rest of this, a late answer is not yet a broken promise.
const FREED: Duration = Duration::from_secs(8);
/// Within this a customer who comes after everything was mended is served.
const SERVED: Duration = Duration::from_secs(20);

impl Storm {
    pub async fn asks_everything(&mut self, scene: &Arc<Scene>, customers: &mut [Customer]) -> Vec<String> {
        let mended = Instant::now();
        let mut wrong = Vec::new();
        wrong.extend(self.somebody_is_served(scene, mended).await);
        let (restless, late) = tokio::join!(self.comes_to_rest(mended), self.a_hold_ends_in_time(scene));
        wrong.extend(restless.into_iter().chain(late));
        for customer in &mut *customers {
            wrong.extend(self.everything_ended(scene, customer).await);
        }
        wrong.extend(scene.history.verdict());
        for (status, count) in scene.history.ends() {
            for _ in 0..count {
                self.tally.count("orders that ended", &status);
            }
        }
        let audit = self.house.audit(&self.database, &self.memory, KEY_SPACE).await;
        if !audit.status.success() {
            let said = [audit.stdout, audit.stderr].concat();
            wrong.push(format!("the audit:\n{}", String::from_utf8_lossy(&said)));
        }
        let pg = self.house.pg(&self.database);
        wrong.extend(self.house.homeless_money(&pg).await);
        wrong.extend(self.pictures_are_true(scene, &pg).await);
        pg.close().await;
        wrong
    }

    /// Liveness: whoever comes now gets a seat that is free, and it is confirmed.
    async fn somebody_is_served(&self, scene: &Scene, mended: Instant) -> Option<String> {
        let pg = self.house.pg(&self.database);
        let late = self.house.customer(&pg).await;
        pg.close().await;
        let event = scene.events.last().expect("events");
        let path = format!("/v1/events/{}/holds", event.id);
        let mut last = Value::Null;
        while mended.elapsed() < SERVED {
            let from = scene.history.now();
            let answer = late.insists("POST", &path, json!({ "best": { "quantity": 1 } })).await;
            last = answer.body.clone();
            match (answer.status, answer.code()) {
                (201, _) => {
                    let left = left_of(&answer.body);
                    let seats = seats_of(&answer.body);
                    scene.history.held(&event.id, text(&answer.body, "id"), &seats, from, left);
                    let order =
                        late.insists("POST", "/v1/orders", json!({ "hold_id": answer.body["id"] })).await;
                    if order.status != 201 {
                        last = order.body;
                        continue;
                    }
                    scene.history.order_seen(&order.body, from, from);
                    let paid = self.house.pay(&order.body, "pm_card_visa");
                    let mut customer =
                        Customer::new(Arc::clone(self.scene()), late.clone(), Dice::of(0, 0, 0));
                    let status = customer.watches(text(&order.body, "id"), 60).await;
                    if status.as_deref() == Some("confirmed") {
                        self.tally.took("a customer is served after the mending", mended.elapsed());
                        return None;
                    }
                    return Some(format!(
                        "who came after the mending and paid ({paid:?}) was not served: {status:?}"
                    ));
                }
                // Everything is sold: that is service, too.
                (409, "sold_out") if self.sold_out(event).await => return None,
                _ => {}
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Some(format!("nobody is served {SERVED:?} after the mending: {last}"))
    }

    /// Liveness: a hold that nobody checks out is over for every reader when its time is, and for buyers, too.
    async fn a_hold_ends_in_time(&self, scene: &Scene) -> Option<String> {
        let event = scene.events.last().expect("events");
        let pg = self.house.pg(&self.database);
        let (idler, next) = (self.house.customer(&pg).await, self.house.customer(&pg).await);
        let (waited_for,): (bool,) = sqlx::query_as(
            "select exists (select from waitlist where event_id::text = $1 and state = 'waiting')",
        )
        .bind(&event.id)
        .fetch_one(&pg)
        .await
        .expect("Postgres answers");
        pg.close().await;
        // What somebody waits for is offered to them and not to whoever comes first.
        if waited_for {
            return None;
        }
        let path = format!("/v1/events/{}/holds", event.id);
        let from = scene.history.now();
        let held = idler.insists("POST", &path, json!({ "best": { "quantity": 1 } })).await;
        if held.status != 201 {
            return None;
        }
        let (seats, left) = (seats_of(&held.body), left_of(&held.body));
        scene.history.held(&event.id, text(&held.body, "id"), &seats, from, left);
        tokio::time::sleep(left).await;
        let over = Instant::now();
        loop {
            let picture = next.insists("GET", &format!("/v1/events/{}/availability", event.id), None).await;
            if picture.status == 200 && picture.body["taken"][&seats[0]].is_null() {
                self.tally.took("a hold is gone for readers after its time", over.elapsed());
                break;
            }
            if over.elapsed() > FREED {
                return Some(format!("a hold is still shown {FREED:?} after its time: {}", picture.body));
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        loop {
            let from = scene.history.now();
            let again = next.insists("POST", &path, json!({ "seats": seats })).await;
            if again.status == 201 {
                let left = left_of(&again.body);
                scene.history.held(&event.id, text(&again.body, "id"), &seats, from, left);
                self.tally.took("its seat is another's after its time", over.elapsed());
                return None;
            }
            if over.elapsed() > FREED {
                return Some(format!("a seat is not to be had {FREED:?} after its hold: {}", again.body));
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
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

    /// Liveness: nothing is open, owed or on its way any more.
    async fn comes_to_rest(&self, mended: Instant) -> Option<String> {
        let pg = self.house.pg(&self.database);
        loop {
            let left: Vec<(String, i64)> = sqlx::query_as(
                "select 'open orders', count(*) from orders where state in ('awaiting_payment', 'closing', 'refunding')
                 union all select 'inbox', count(*) from stripe_events where done_at is null and parked_at is null
                 union all select 'outbox', count(*) from outbox where parked_at is null
                 union all select 'offers', count(*) from offers where state = 'open'
                 union all select 'parked effects', count(*) from outbox where parked_at is not null
                 union all select 'parked events', count(*) from stripe_events where parked_at is not null
                 union all select 'refunds', count(*) from refunds where state in ('due', 'pending')",
            )
            .fetch_all(&pg)
            .await
            .expect("Postgres answers");
            let left: Vec<_> = left.into_iter().filter(|(_, count)| *count > 0).collect();
            // A refund that the bank sent back waits for a person, with an alarm: that is where it ends.
            let failed = self.refunds_that_failed(&pg).await;
            let left: Vec<_> = left
                .into_iter()
                .filter(|(what, count)| !(what == "open orders" && *count <= failed))
                .collect();
            if left.is_empty() {
                self.tally.took("everything is at rest after the mending", mended.elapsed());
                pg.close().await;
                return None;
            }
            if mended.elapsed() > REST {
                pg.close().await;
                return Some(format!("not at rest {REST:?} after the mending: {left:?}"));
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }

    async fn refunds_that_failed(&self, pg: &sqlx::PgPool) -> i64 {
        let (failed,): (i64,) = sqlx::query_as(
            "select count(distinct order_id) from refunds r join orders o on o.event_id = r.event_id and o.id = r.order_id
              where r.state = 'failed' and o.state = 'refunding'",
        )
        .fetch_one(pg)
        .await
        .expect("Postgres answers");
        failed
    }

    /// Whoever paid in time has the seats, unless somebody called it off; and nothing stays open.
    async fn everything_ended(&self, scene: &Scene, customer: &mut Customer) -> Vec<String> {
        let orders = customer.looks_back().await;
        let mut wrong = Vec::new();
        for order in &orders {
            if matches!(text(order, "status"), "awaiting_payment" | "closing") {
                wrong.push(format!("order {} is still {}", text(order, "id"), text(order, "status")));
            }
        }
        for (order, event) in &customer.paid {
            let Some(now) = orders.iter().find(|one| text(one, "id") == order) else {
                wrong.push(format!("order {order} was paid and is gone"));
                continue;
            };
            if text(now, "status") != "confirmed" && !scene.may_be_off(event, order) {
                wrong.push(format!("order {order} was paid in time and is {}: {now}", text(now, "status")));
            }
        }
        wrong
    }

    /// What every node shows is what Postgres says, once no hold is left.
    async fn pictures_are_true(&self, scene: &Scene, pg: &sqlx::PgPool) -> Vec<String> {
        let mut wrong = Vec::new();
        let http = reqwest::Client::new();
        for event in &scene.events {
            let claimed: Vec<(String, String)> = sqlx::query_as(
                "select s.seat_id, c.state from seat_claims c
                   join order_seats s on s.event_id = c.event_id and s.order_id = c.order_id and s.ordinal = c.ordinal
                  where c.event_id::text = $1",
            )
            .bind(&event.id)
            .fetch_all(pg)
            .await
            .expect("Postgres answers");
            let claimed: HashSet<_> = claimed.into_iter().collect();
            for seat in &self.nodes {
                let began = Instant::now();
                let mut shown;
                loop {
                    let url = format!("{}/v1/events/{}/availability", seat.node.url(), event.id);
                    let answer = http.get(url).timeout(Duration::from_secs(3)).send().await;
                    let body: Value = match answer {
                        Ok(answer) => answer.json().await.unwrap_or_default(),
                        Err(_) => Value::Null,
                    };
                    let taken = body["taken"].as_object().cloned();
                    shown = taken.map(|taken| {
                        taken
                            .into_iter()
                            .filter(|(_, state)| state != "blocked")
                            .map(|(id, state)| (id, state.as_str().unwrap_or_default().to_owned()))
                            .collect::<HashSet<_>>()
                    });
                    if shown.as_ref() == Some(&claimed) {
                        self.tally.took("a node shows the truth when nothing is held", began.elapsed());
                        break;
                    }
                    if began.elapsed() > Duration::from_secs(15) {
                        wrong.push(format!(
                            "{} shows {shown:?} of {}, Postgres says {claimed:?}",
                            seat.node.name, event.id
                        ));
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        wrong
    }
}
