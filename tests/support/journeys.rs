//! What people do with Holdfast, in their words: hold, check out, pay, cancel. Tests read as stories on top.

use holdfast::ids::EventId;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Holdfast, eventually};

/// Payment methods of the sandbox, by Stripe's own test names.
pub const GOOD_CARD: &str = "pm_card_visa";
pub const BAD_CARD: &str = "pm_card_chargeDeclined";
pub const SLOW_BANK: &str = "pm_usBankAccount";

impl Client {
    pub async fn holds(&self, event: EventId, wish: Value) -> Answer {
        self.post(&format!("/v1/events/{event}/holds"), wish).await
    }

    pub async fn holds_seats(&self, event: EventId, seats: &[&str]) -> Answer {
        self.holds(event, json!({ "seats": seats })).await
    }

    /// Checks a hold out that must go through.
    pub async fn checks_out(&self, hold: &Value) -> Value {
        self.gets_through("/v1/orders", json!({ "hold_id": hold["id"] })).await.expect(201)
    }

    /// Holds seats and checks them out.
    pub async fn orders(&self, event: EventId, seats: &[&str]) -> Value {
        let wish = json!({ "seats": seats });
        let hold = self.gets_through(&format!("/v1/events/{event}/holds"), wish).await.expect(201);
        self.checks_out(&hold).await
    }

    pub async fn order(&self, order: &Value) -> Value {
        self.finds(&format!("/v1/orders/{}", id(order))).await.expect(200)
    }

    pub async fn cancels(&self, order: &Value) -> Answer {
        let path = format!("/v1/orders/{}/cancel", id(order));
        self.patiently(self.request(reqwest::Method::POST, &path).json(&json!({}))).await
    }

    /// Waits until the order has this status, and answers with it as it stands then.
    pub async fn sees(&self, order: &Value, status: &str) -> Value {
        eventually(&format!("order {} is {status}", id(order)), async || {
            let now = self.order(order).await;
            (now["status"] == status).then_some(now)
        })
        .await
    }

    /// The state of one seat as the public sees it: `free` when it is not listed.
    pub async fn state_of(&self, event: EventId, seat: &str) -> String {
        let picture = self.finds(&format!("/v1/events/{event}/availability")).await.expect(200);
        picture["taken"][seat].as_str().unwrap_or("free").to_owned()
    }

    pub async fn sees_seat(&self, event: EventId, seat: &str, state: &str) {
        eventually(&format!("{seat} is {state}"), async || {
            let picture = self.get(&format!("/v1/events/{event}/availability")).await;
            let now = picture.body["taken"][seat].as_str().unwrap_or("free");
            (picture.status == 200 && now == state).then_some(())
        })
        .await;
    }
}

impl Holdfast {
    /// Pays an order at the sandbox as a customer's page does: with the publishable key and the client secret.
    pub async fn pay(&self, order: &Value, method: &str) -> Answer {
        let payment = &order["payment"];
        let intent = payment["payment_intent"].as_str().expect("the order can be paid");
        self.sandbox_client()
            .post_form(
                &format!("/v1/payment_intents/{intent}/confirm"),
                &[
                    ("payment_method", method),
                    ("client_secret", payment["client_secret"].as_str().expect("a secret")),
                ],
            )
            .await
    }

    /// A customer who buys these seats and has them.
    pub async fn sold(&self, customer: &Client, event: EventId, seats: &[&str]) -> Value {
        let order = customer.orders(event, seats).await;
        self.pay(&order, GOOD_CARD).await.expect(200);
        customer.sees(&order, "confirmed").await
    }

    /// What Redis has on a seat's flag.
    pub async fn flag(&self, event: EventId, seat: &str) -> Option<String> {
        let chart = self.app().catalog.chart(event).await.expect("a chart");
        let ordinal = chart.ordinal(seat).expect("a seat of the chart");
        self.app().engine.flags(event, &[ordinal]).await.expect("flags").remove(0)
    }

    /// The claim that Postgres has on a seat: its state and its order.
    pub async fn claim(&self, event: EventId, seat: &str) -> Option<(String, Option<uuid::Uuid>)> {
        let chart = self.app().catalog.chart(event).await.expect("a chart");
        let ordinal = chart.ordinal(seat).expect("a seat of the chart");
        sqlx::query_as("select state, order_id from seat_claims where event_id = $1 and ordinal = $2")
            .bind(event)
            .bind(i32::try_from(ordinal).expect("small"))
            .fetch_optional(&self.app().pg)
            .await
            .expect("a query")
    }

    /// The promise, asked of every store and of the sandbox's ledger.
    pub async fn every_invariant_holds(&self) {
        eventually("the inbox and the outbox are empty", async || {
            let backlog = self.app().desk.backlog().await.expect("Postgres answers");
            (backlog.inbox.depth == 0 && backlog.outbox.depth == 0).then_some(())
        })
        .await;
        let report = holdfast::workers::audit::run(self.app()).await.expect("the stores answer");
        assert_eq!(report.breaches(), 0, "\n{report}");
        self.ledger_agrees().await;
    }

    /// Each captured payment in the sandbox is one confirmed order's, was given back, or is parked.
    async fn ledger_agrees(&self) {
        let intents = self.ledger_intents().await;
        for intent in intents {
            let captured = intent["amount_received"].as_i64().unwrap_or(0);
            if captured == 0 {
                continue;
            }
            let refunded = intent["amount_refunded"].as_i64().unwrap_or(0);
            let id = intent["id"].as_str().expect("an id");
            let (confirmed, parked): (i64, i64) = sqlx::query_as(
                "select (select count(*) from payments p join orders o
                            on o.event_id = p.event_id and o.id = p.order_id
                          where p.payment_intent = $1 and o.state = 'confirmed'),
                        (select count(*) from parked_payments where payment_intent = $1 and resolved_at is null)
                        + (select count(*) from refunds where payment_intent = $1 and state = 'failed')",
            )
            .bind(id)
            .fetch_one(&self.app().pg)
            .await
            .expect("a query");
            let homes = confirmed + i64::from(refunded == captured) + parked.min(1);
            assert_eq!(homes, 1, "{id}: captured {captured}, refunded {refunded}, confirmed {confirmed}");
            assert!(refunded <= captured, "{id}: more was refunded than captured");
        }
    }
}

pub fn id(thing: &Value) -> &str {
    thing["id"].as_str().expect("it has an id")
}
