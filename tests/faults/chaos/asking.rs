//! What must be so once everything is mended: in the stores, in Stripe's ledger and in what people saw. What is measured
//! is in `liveness`.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::customer::Customer;
use super::liveness::{Late, Pulse};
use super::scene::{Scene, text};
use super::storm::{KEY_SPACE, Storm};

/// How long after everything was mended everything must be at rest: a hold, its payment, its grace, a lease of what a
/// node that died had begun, and a reconciler's period, on a machine that is busy.
const REST: Duration = Duration::from_secs(75);

impl Storm {
    pub async fn asks_everything(&mut self, scene: &Arc<Scene>, customers: &mut [Customer]) -> Vec<String> {
        let mended = Instant::now();
        let mut wrong = Vec::new();
        let late = self.somebody_is_served(scene, mended).await.unwrap_or_else(|unserved| {
            wrong.push(unserved);
            None
        });
        match self.comes_to_rest(mended).await {
            None => self.tally.took("everything is at rest after the mending", mended.elapsed()),
            Some(restless) => wrong.push(restless),
        }
        let pg = self.house.pg(&self.database);
        wrong.extend(self.pictures_are_true(scene, &pg).await);
        // What was not mended would be complained of by everything that follows.
        if wrong.is_empty() {
            wrong.extend(self.everything_is_in_time(scene, late.as_ref()).await);
            wrong.extend(self.comes_to_rest(Instant::now()).await);
        }
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
        wrong.extend(self.house.homeless_money(&pg).await);
        wrong.extend(self.money_waits_for_nobody(scene, &pg).await);
        wrong.extend(self.nodes_count_no_breach().await);
        wrong.extend(self.mistakes());
        self.looks_after_nodes();
        pg.close().await;
        wrong
    }

    /// Nothing is wrong any more: now all of it has to go as quickly as is promised.
    async fn everything_is_in_time(&self, scene: &Scene, late: Option<&Late>) -> Vec<String> {
        scene.history.calms();
        let event = &scene.events[0].id;
        let pulse = Pulse::of(
            self.nodes.iter().map(|seat| format!("{}/v1/events/{event}", seat.node.url())).collect(),
        );
        let done = CancellationToken::new();
        let measured = async {
            let mut wrong: Vec<_> = self.a_hold_ends_in_time(scene, &pulse).await.into_iter().collect();
            wrong.extend(self.who_waits_is_offered(scene, late, &pulse).await);
            done.cancel();
            wrong
        };
        let (wrong, ()) = tokio::join!(measured, self.looks_at_the_map(scene, &done));
        self.tally.took("a plain request beside it, at its slowest", pulse.slowest());
        wrong
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
                            "{} shows {shown:?} of {}, Postgres says {claimed:?}\n{}",
                            seat.node.name,
                            event.id,
                            self.memory.accounts_of(&event.id, KEY_SPACE).await
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
