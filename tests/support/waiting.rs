//! Waiting for seats, in the words of those who do.

use std::collections::BTreeSet;

use holdfast::ids::EventId;
use holdfast::seats::keys::Keys;
use serde_json::{Value, json};

use super::journeys::id;
use super::{Answer, Client, Holdfast, eventually};

impl Client {
    pub async fn joins(&self, event: EventId, wish: Value) -> Answer {
        self.post(&format!("/v1/events/{event}/waitlist"), wish).await
    }

    /// Joins with a party that must be taken.
    pub async fn waits_for(&self, event: EventId, quantity: u32) -> Value {
        let path = format!("/v1/events/{event}/waitlist");
        self.gets_through(&path, json!({ "quantity": quantity })).await.expect(201)
    }

    /// An own entry as it stands.
    pub async fn entry(&self, entry: &Value) -> Value {
        let list = self.finds("/v1/waitlist").await.expect(200);
        let mut items = list["items"].as_array().expect("items").iter();
        items.find(|item| item["id"] == entry["id"]).expect("one's own entry").clone()
    }

    /// Waits until the entry has this status, and answers with it as it stands then.
    pub async fn is(&self, entry: &Value, status: &str) -> Value {
        eventually(&format!("entry {} is {status}", id(entry)), async || {
            let now = self.entry(entry).await;
            (now["status"] == status).then_some(now)
        })
        .await
    }

    pub async fn leaves(&self, entry: &Value) -> Answer {
        self.delete(&format!("/v1/waitlist/{}", id(entry))).await
    }

    /// Checks out what an entry was offered.
    pub async fn takes_up(&self, entry: &Value) -> Value {
        self.post("/v1/orders", json!({ "hold_id": entry["offer"]["hold_id"] })).await.expect(201)
    }
}

/// The ids of an offer's seats, in order.
pub fn offered(entry: &Value) -> Vec<String> {
    let seats = entry["offer"]["seats"].as_array().expect("an offer with seats");
    seats.iter().map(|seat| id(seat).to_owned()).collect()
}

impl Holdfast {
    /// Four seats in a row and one buyer who has them all: the buyer and the order.
    pub async fn sold_out(&self, price: i64) -> (EventId, Client, Value) {
        let event = self.small_hall(price, &[4]).await;
        let buyer = self.customer().await;
        let order = self.sold(&buyer, event, &["hall-A-1", "hall-A-2", "hall-A-3", "hall-A-4"]).await;
        (event, buyer, order)
    }

    /// Rows A, B, … of so many seats.
    pub async fn small_hall(&self, price: i64, rows: &[u32]) -> EventId {
        let rows: Vec<_> =
            ('A'..).zip(rows).map(|(name, seats)| json!({ "name": name, "seats": seats })).collect();
        self.event(json!({
            "title": "A Small Hall", "starts_at": "2031-05-01T19:00:00Z", "currency": "eur", "orphan_rule": false,
            "categories": [{ "key": "all", "name": "All", "price": price }],
            "sections": [{ "key": "hall", "name": "Hall", "category": "all", "rows": rows }],
        }))
        .await
    }

    /// Where the feed of an event stands.
    pub async fn feed_end(&self, event: EventId) -> String {
        let last: Vec<(String, Vec<String>)> = self
            .ask_redis(
                redis::cmd("XREVRANGE").arg(Keys::of(event).feed()).arg("+").arg("-").arg("COUNT").arg(1),
            )
            .await;
        last.into_iter().next().map_or_else(|| "0-0".to_owned(), |(id, _)| id)
    }

    /// Seats that anybody who watches saw free after this point of the feed.
    pub async fn seen_free_since(&self, event: EventId, from: &str) -> BTreeSet<String> {
        let rows: Vec<(String, Vec<String>)> = self
            .ask_redis(redis::cmd("XRANGE").arg(Keys::of(event).feed()).arg(format!("({from}")).arg("+"))
            .await;
        let chart = self.app().catalog.chart(event).await.expect("a chart");
        let mut seen = BTreeSet::new();
        for (_, fields) in rows {
            for pair in fields.chunks_exact(2).filter(|pair| pair[0] == "free") {
                let ordinals = pair[1].split(',').filter_map(|text| text.parse().ok());
                seen.extend(ordinals.filter_map(|at| chart.seat(at).map(|seat| seat.id.to_string())));
            }
        }
        seen
    }

    pub async fn ask_redis<T: redis::FromRedisValue>(&self, command: &mut redis::Cmd) -> T {
        command.query_async(&mut self.app().redis.clone()).await.expect("Redis answers")
    }

    /// Nobody waits any more, Redis knows it, and nothing is kept back.
    pub async fn the_list_is_empty(&self, event: EventId) {
        let keys = Keys::of(event);
        let [_, _, _, _, kept, ..] = keys.shared();
        eventually("nothing is kept for a list that is empty", async || {
            let waiting: Option<String> =
                self.ask_redis(redis::cmd("HGET").arg(keys.meta()).arg("waiting")).await;
            let bits: i64 = self.ask_redis(redis::cmd("BITCOUNT").arg(&kept)).await;
            (waiting.as_deref() != Some("1") && bits == 0).then_some(())
        })
        .await;
    }
}
