//! The sandbox from a test's side: how Stripe misbehaves, what its ledger says, what its webhooks bring.

use holdfast::payments::signature;
use serde_json::{Value, json};

use super::client::{Answer, Client};
use super::holdfast::Holdfast;
use super::journeys::id;
use super::{Node, eventually, webhook_secret};

impl Holdfast {
    /// The sandbox as a customer's page sees it: with the publishable key.
    pub fn sandbox_client(&self) -> Client {
        Client::new(self.sandbox.url(), Some("pk_test_of_the_harness".to_owned()))
    }

    /// The sandbox as the house sees it.
    pub fn stripe(&self) -> Client {
        Client::new(self.sandbox.url(), Some(self.stripe_key()))
    }

    async fn faults(&self, faults: Value) {
        self.stripe().post("/sandbox/faults", faults).await.expect(200);
    }

    /// Every call of this kind fails from now on.
    pub async fn stripe_fails(&self, endpoint: &str, status: u16) {
        self.faults(json!({ "calls": [{ "on": endpoint, "how": status.to_string() }] })).await;
    }

    /// Calls of this kind take effect, and their answers never arrive.
    pub async fn stripe_answers_are_lost(&self, endpoint: &str) {
        self.faults(json!({ "calls": [{ "on": endpoint, "how": "reset", "when": "after" }] })).await;
    }

    /// Calls of this kind take effect, and neither their answers nor any webhook arrives.
    pub async fn stripe_is_not_heard(&self, endpoint: &str) {
        let calls = json!([{ "on": endpoint, "how": "reset", "when": "after" }]);
        self.faults(json!({ "calls": calls, "webhooks": { "drop": true } })).await;
    }

    /// Every call takes this long.
    pub async fn stripe_is_slow(&self, milliseconds: u64) {
        self.faults(json!({ "delay_ms": milliseconds })).await;
    }

    pub async fn stripe_recovers(&self) {
        let answer = self.stripe().delete("/sandbox/faults").await;
        assert!(answer.status < 300, "{}", answer.body);
    }

    pub async fn webhooks_are_lost(&self) {
        self.faults(json!({ "webhooks": { "drop": true } })).await;
    }

    pub async fn refunds_are_pending_and_webhooks_lost(&self) {
        self.faults(json!({ "refunds": "pending", "webhooks": { "drop": true } })).await;
    }

    pub async fn refunds_are_pending(&self) {
        self.faults(json!({ "refunds": "pending" })).await;
    }

    /// How often this kind of call was made, refused ones included.
    pub async fn stripe_calls(&self, endpoint: &str) -> u64 {
        let ledger = self.stripe().get("/sandbox/ledger").await.expect(200);
        ledger["calls"][endpoint].as_u64().unwrap_or(0)
    }

    /// What the ledger says of each PaymentIntent.
    pub async fn ledger_intents(&self) -> Vec<Value> {
        let ledger = self.stripe().get("/sandbox/ledger").await.expect(200);
        ledger["intents"].as_array().expect("intents").clone()
    }

    /// What the ledger says of an order's PaymentIntent.
    pub async fn ledger_intent(&self, order: &Value) -> Value {
        let order = id(order);
        let intents = self.ledger_intents().await;
        let mut own = intents.into_iter().filter(|intent| intent["metadata"]["order_id"] == order);
        let intent = own.next().expect("the order has a PaymentIntent");
        assert!(own.next().is_none(), "it has only one");
        intent
    }

    async fn intent_id(&self, order: &Value) -> String {
        self.ledger_intent(order).await["id"].as_str().expect("an id").to_owned()
    }

    /// A delayed payment ends.
    pub async fn bank_decides(&self, order: &Value, outcome: &str) {
        let path = format!("/sandbox/intents/{}/settle", self.intent_id(order).await);
        self.stripe().post(&path, json!({ "outcome": outcome })).await.expect(200);
    }

    /// A pending refund ends.
    pub async fn refund_ends(&self, order: &Value, outcome: &str) {
        let intent = self.intent_id(order).await;
        let list = self.stripe().get(&format!("/v1/refunds?payment_intent={intent}")).await.expect(200);
        let path = format!("/sandbox/refunds/{}/settle", list["data"][0]["id"].as_str().expect("a refund"));
        self.stripe().post(&path, json!({ "outcome": outcome })).await.expect(200);
    }

    /// Every pending refund of an order arrives.
    pub async fn pending_refunds_arrive(&self, order: &Value) {
        let intent = self.intent_id(order).await;
        let list = self.stripe().get(&format!("/v1/refunds?payment_intent={intent}")).await.expect(200);
        for refund in list["data"].as_array().expect("refunds") {
            if refund["status"] == "pending" {
                let path = format!("/sandbox/refunds/{}/settle", id(refund));
                self.stripe().post(&path, json!({ "outcome": "succeeded" })).await.expect(200);
            }
        }
    }

    /// Somebody gives all of it back at Stripe's own dashboard.
    pub async fn gives_back_at_stripe(&self, order: &Value) {
        let intent = self.intent_id(order).await;
        self.stripe().post_form("/v1/refunds", &[("payment_intent", &intent)]).await.expect(200);
    }

    /// The customer is charged another amount than the order's.
    pub async fn captures(&self, order: &Value, amount: i64) {
        let intent = self.intent_id(order).await;
        let amount = amount.to_string();
        self.stripe()
            .post_form(&format!("/v1/payment_intents/{intent}"), &[("amount", &amount)])
            .await
            .expect(200);
        self.pay(order, super::journeys::GOOD_CARD).await.expect(200);
    }

    /// Another PaymentIntent that names the order, which nobody of us has made, is paid: its id.
    pub async fn pays_by_another_intent(&self, order: &Value) -> Value {
        let (stripe, amount) = (self.stripe(), order["amount"].to_string());
        let currency = order["currency"].as_str().expect("a currency");
        let form = [
            ("amount", amount.as_str()),
            ("currency", currency),
            ("payment_method_types[0]", "card"),
            ("metadata[order_id]", id(order)),
        ];
        let intent = stripe.post_form("/v1/payment_intents", &form).await.expect(200);
        let path = format!("/v1/payment_intents/{}/confirm", id(&intent));
        stripe.post_form(&path, &[("payment_method", super::journeys::GOOD_CARD)]).await.expect(200);
        intent["id"].clone()
    }

    /// What came of the news that this PaymentIntent has succeeded: the state of its order, or what stood against it.
    pub async fn comes_of(&self, intent: &Value) -> String {
        eventually("the payment is thought about", async || {
            sqlx::query_as(
                "select outcome from stripe_events
                  where object_id = $1 and type = 'payment_intent.succeeded'
                    and (done_at is not null or outcome like 'order %')   -- else something was away for a moment
                  limit 1",
            )
            .bind(intent.as_str().expect("the order can be paid"))
            .fetch_optional(&self.app().pg)
            .await
            .expect("a query")
            .map(|(outcome,): (String,)| outcome)
        })
        .await
    }

    /// The order ends here without Stripe being told, as after a database was restored from yesterday: its
    /// PaymentIntent can still be paid.
    pub async fn ends_unknown_to_stripe(&self, order: &Value, end: &str) {
        let mut tx = self.app().pg.begin().await.expect("a transaction");
        for (step, from, to) in [(2, "awaiting_payment", "closing"), (3, "closing", end)] {
            sqlx::query(
                "insert into order_log (event_id, order_id, step, from_state, to_state, cause, actor)
                 select event_id, id, $2, $3, $4, 'restored', 'clock' from orders where id = $1::uuid",
            )
            .bind(id(order))
            .bind(step)
            .bind(from)
            .bind(to)
            .execute(&mut *tx)
            .await
            .expect("a log row");
        }
        for statement in [
            "update orders set state = $2, closing_as = $2 where id = $1::uuid",
            "update payments set state = 'canceled' where order_id = $1::uuid and $2 <> ''",
            "delete from seat_claims where order_id = $1::uuid and $2 <> ''",
            "insert into outbox (event_id, order_id, kind) select event_id, id, 'show' from orders
              where id = $1::uuid and $2 <> ''",
        ] {
            sqlx::query(statement).bind(id(order)).bind(end).execute(&mut *tx).await.expect("a change");
        }
        tx.commit().await.expect("committed");
    }

    /// Postgres forgets the order, as after a failover to a standby that had not heard of it.
    pub async fn loses_all_trace_of(&self, order: &Value) {
        let mut tx = self.owner().begin().await.expect("a transaction");
        for statement in [
            "delete from outbox where order_id = $1::uuid",
            "delete from order_log where order_id = $1::uuid",
            "delete from payments where order_id = $1::uuid",
            "delete from seat_claims where order_id = $1::uuid",
            "delete from order_seats where order_id = $1::uuid",
            "delete from orders where id = $1::uuid",
        ] {
            sqlx::query(statement).bind(id(order)).execute(&mut *tx).await.expect("forgotten");
        }
        tx.commit().await.expect("committed");
    }

    /// Posts these bytes to the webhook.
    pub async fn webhook(&self, body: &[u8], header: &str) -> Answer {
        deliver(self.url(), body, header).await
    }

    /// Posts this event to the webhook, signed as Stripe would.
    pub async fn signed_webhook(&self, event: &Value) -> Answer {
        self.signed_webhook_to(self.url(), event).await
    }

    async fn signed_webhook_to(&self, url: &str, event: &Value) -> Answer {
        let body = serde_json::to_vec(event).expect("JSON");
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        deliver(url, &body, &signature::sign(&body, &webhook_secret(), now)).await
    }

    /// Everything that Stripe has ever told, again and again, newest first, to two nodes at once.
    pub async fn all_webhooks_again(&self, second: &Node, times: usize) {
        let list = self.stripe().get("/v1/events?limit=100").await.expect(200);
        for _ in 0..times {
            for event in list["data"].as_array().expect("events") {
                let (here, there) = tokio::join!(
                    self.signed_webhook_to(self.url(), event),
                    self.signed_webhook_to(&second.url, event),
                );
                assert_eq!((here.status, there.status), (200, 200), "{}", here.body);
            }
        }
    }

    /// Every event that has arrived was worked through.
    pub async fn inbox_is_empty(&self) {
        eventually("the inbox is empty", async || {
            let backlog = self.app().desk.backlog().await.expect("Postgres answers");
            (backlog.inbox.depth == 0).then_some(())
        })
        .await;
    }
}

async fn deliver(url: &str, body: &[u8], header: &str) -> Answer {
    let anyone = Client::new(url, None);
    let request = anyone
        .request(reqwest::Method::POST, "/v1/webhooks/stripe")
        .header("Content-Type", "application/json")
        .header("Stripe-Signature", header)
        .body(body.to_vec());
    anyone.send(request).await
}
