//! An organiser in the middle of a sale: blocks seats, gives money back, calls an event off.

use std::sync::Arc;

use serde_json::{Value, json};

use super::dice::Dice;
use super::register::NEVER;
use super::scene::{PATIENCE, Scene, text};
use crate::stand::{Answer, Person};

/// Who runs the events.
pub struct Organiser {
    pub scene: Arc<Scene>,
    pub person: Person,
    pub dice: Dice,
    /// Whether one of the events is cancelled in the middle of its sale.
    pub cancels: bool,
}

impl Organiser {
    pub async fn runs(mut self) {
        let mut deeds = 0;
        while !self.scene.over.is_cancelled() {
            let pause = self.dice.millis(300, 1200);
            tokio::select! { () = self.scene.over.cancelled() => return, () = tokio::time::sleep(pause) => {} }
            deeds += 1;
            let at = self.dice.below(self.scene.events.len());
            match self.dice.below(6) {
                0..=1 => self.blocks(at).await,
                2..=3 => self.gives_back(at).await,
                4 if self.cancels && deeds > 4 => self.cancels(at).await,
                _ => self.reports(at).await,
            }
        }
    }

    async fn says(
        &self,
        what: &'static str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Option<Answer> {
        let answer = self.person.persists(method, path, body.as_ref(), PATIENCE).await;
        self.scene.tally.call(what, answer.as_ref());
        answer
    }

    async fn blocks(&mut self, at: usize) {
        let scene = Arc::clone(&self.scene);
        let event = &scene.events[at];
        let seat = event.seats[self.dice.below(event.seats.len())].clone();
        for (what, word, blocked) in [("block", "block", true), ("unblock", "unblock", false)] {
            let from = scene.history.now();
            let path = format!("/v1/admin/events/{}/seats/{word}", event.id);
            let answer =
                self.says(what, "POST", &path, Some(json!({ "seats": [seat], "reason": "a pillar" }))).await;
            let to = match answer {
                Some(Answer { status: 200, .. }) => scene.history.now(),
                // Redis is asked before Postgres, and may have shown it blocked for a moment.
                Some(answer) if !answer.is_passing() && blocked => {
                    scene.history.blocked(&event.id, &seat, from, NEVER, true);
                    scene.history.blocked(&event.id, &seat, from, NEVER, false);
                    return;
                }
                Some(answer) if !answer.is_passing() => return,
                _ => NEVER,
            };
            scene.history.blocked(&event.id, &seat, from, to, blocked);
            tokio::time::sleep(self.dice.millis(100, 1500)).await;
        }
    }

    async fn gives_back(&mut self, at: usize) {
        let event = self.scene.events[at].id.clone();
        let path = format!("/v1/admin/events/{event}/orders?limit=50");
        let Some(Answer { status: 200, body, .. }) = self.says("orders", "GET", &path, None).await else {
            return;
        };
        let confirmed: Vec<String> = body["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|order| order["status"] == "confirmed")
            .map(|order| text(order, "id").to_owned())
            .collect();
        if confirmed.is_empty() {
            return;
        }
        let order = confirmed[self.dice.below(confirmed.len())].clone();
        let path = format!("/v1/admin/orders/{order}/refund");
        let body = if self.dice.percent(60) {
            self.scene.will_be_off(&order);
            json!({ "reason": "a favour" })
        } else {
            json!({ "amount": 100, "reason": "a favour" })
        };
        self.says("refund", "POST", &path, Some(body)).await;
    }

    async fn cancels(&mut self, at: usize) {
        // The last one goes on, so that there is something left to sell.
        if at + 1 == self.scene.events.len() {
            return;
        }
        *self.scene.events[at].cancelled.lock().expect("unbroken") = true;
        let path = format!("/v1/admin/events/{}/cancel", self.scene.events[at].id);
        self.says("cancel event", "POST", &path, Some(json!({ "reason": "the singer is ill" }))).await;
    }

    async fn reports(&mut self, at: usize) {
        let path = format!("/v1/admin/events/{}/report", self.scene.events[at].id);
        self.says("report", "GET", &path, None).await;
    }
}
