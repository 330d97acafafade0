//! Customers: they look, hold, check out, pay, change their minds, wait, and come back after every trouble.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use holdfast::sandbox::Outcome;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::dice::Dice;
use super::register::NEVER;
use super::scene::{PATIENCE, Scene, left_of, moment, seats_of, text};
use crate::stand::{Answer, Person};

/// How long an order is watched while it is open.
const LOOKS: usize = 12;

/// Somebody who wants seats.
pub struct Customer {
    pub scene: Arc<Scene>,
    pub person: Person,
    pub dice: Dice,
    /// Orders that were paid in good time, with their event.
    pub paid: HashMap<String, String>,
    /// How long this one asks again for an answer.
    patience: Duration,
}

impl Customer {
    pub fn new(scene: Arc<Scene>, person: Person, dice: Dice) -> Self {
        let mut dice = dice;
        let patience = if dice.percent(30) { dice.millis(300, 2000) } else { PATIENCE };
        Self { scene, person, dice, paid: HashMap::new(), patience }
    }

    /// Wants seats until the storm is over, and says what was paid for.
    pub async fn lives(mut self) -> Self {
        while !self.scene.over.is_cancelled() {
            let at = self.dice.below(self.scene.events.len());
            match self.dice.below(20) {
                0..=1 => self.looks(at).await,
                2..=3 => self.waits(at).await,
                _ => self.wants_seats(at).await,
            }
            let pause = self.dice.millis(20, 400);
            tokio::select! { () = self.scene.over.cancelled() => {} () = tokio::time::sleep(pause) => {} }
        }
        self
    }

    async fn says(
        &self,
        what: &'static str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Option<Answer> {
        let answer = self.person.persists(method, path, body.as_ref(), self.patience).await;
        self.scene.tally.call(what, answer.as_ref());
        // Who was told to come back and did not does not know what became of it.
        answer.filter(|answer| !answer.is_passing())
    }

    async fn looks(&mut self, at: usize) {
        let scene = Arc::clone(&self.scene);
        let event = &scene.events[at];
        let from = scene.history.now();
        let path = format!("/v1/events/{}/availability", event.id);
        if let Some(Answer { status: 200, body, .. }) = self.says("look", "GET", &path, None).await {
            scene.was_shown(event, &body, from);
        }
    }

    async fn wants_seats(&mut self, at: usize) {
        let Some(hold) = self.holds(at, None).await else { return };
        let hold = match self.dice.below(20) {
            0 => return,
            1..=2 => return self.lets_go(at, &hold).await,
            3..=4 => match self.holds(at, Some(&hold)).await {
                Some(other) => other,
                None => return,
            },
            _ => hold,
        };
        tokio::time::sleep(self.dice.millis(0, 300)).await;
        self.checks_out(at, text(&hold, "id"), &seats_of(&hold)).await;
    }

    async fn holds(&mut self, at: usize, replaces: Option<&Value>) -> Option<Value> {
        let scene = Arc::clone(&self.scene);
        let event = &scene.events[at];
        let mut wish = if self.dice.percent(70) {
            let mut seats = HashSet::new();
            for _ in 0..=self.dice.below(3) {
                seats.insert(event.seats[self.dice.below(event.seats.len())].clone());
            }
            json!({ "seats": seats })
        } else {
            json!({ "best": { "quantity": 1 + self.dice.below(3) } })
        };
        if let Some(old) = replaces {
            wish["replaces"] = old["id"].clone();
        }
        let from = scene.history.now();
        let asked = wish.clone();
        let answer = self.says("hold", "POST", &format!("/v1/events/{}/holds", event.id), Some(wish)).await;
        match answer {
            Some(Answer { status: 201, body, .. }) => {
                if let Some(old) = replaces {
                    let to = scene.history.now();
                    scene.history.let_go(&event.id, text(old, "id"), &seats_of(old), from, to);
                }
                let got = seats_of(&body);
                if !is_all_of(&asked, &got) {
                    scene.history.complains(format!("{asked} was asked for, and {got:?} is held"));
                }
                scene.history.held(&event.id, text(&body, "id"), &got, from, left_of(&body));
                Some(body)
            }
            // Whether the old hold was given up for one that nobody told of is not known.
            None => {
                if let Some(old) = replaces {
                    scene.history.let_go(&event.id, text(old, "id"), &seats_of(old), from, NEVER);
                }
                None
            }
            Some(refused) => {
                scene.was_refused(event, &refused, from);
                None
            }
        }
    }

    async fn lets_go(&mut self, at: usize, hold: &Value) {
        let (scene, id) = (Arc::clone(&self.scene), text(hold, "id"));
        let from = scene.history.now();
        let answer = self.says("let go", "DELETE", &format!("/v1/holds/{id}"), None).await;
        let done = answer.is_some_and(|answer| answer.status == 204);
        let to = if done { scene.history.now() } else { NEVER };
        scene.history.let_go(&scene.events[at].id, id, &seats_of(hold), from, to);
    }

    async fn checks_out(&mut self, at: usize, hold: &str, seats: &[String]) {
        let scene = Arc::clone(&self.scene);
        let from = scene.history.now();
        match self.says("checkout", "POST", "/v1/orders", Some(json!({ "hold_id": hold }))).await {
            Some(Answer { status: 201, body: order, .. }) => {
                let ordered: HashSet<String> = seats_of(&order).into_iter().collect();
                if ordered != seats.iter().cloned().collect() {
                    scene
                        .history
                        .complains(format!("{seats:?} were held as {hold}, and {ordered:?} are ordered"));
                }
                scene.history.order_seen(&order, from, from);
                self.pays(&order).await;
            }
            // Whoever is refused a seat at the checkout has none of the others any more.
            refused => {
                let is_sure = refused.as_ref().is_some_and(|refused| refused.code() == "seats_unavailable");
                if is_sure || refused.is_none_or(|refused| refused.is_later) {
                    let to = if is_sure { scene.history.now() } else { NEVER };
                    scene.history.let_go(&scene.events[at].id, hold, seats, from, to);
                }
            }
        }
    }

    async fn pays(&mut self, order: &Value) {
        let id = text(order, "id").to_owned();
        tokio::time::sleep(self.dice.millis(0, 500)).await;
        let method = match self.dice.below(20) {
            0..=10 => "pm_card_visa",
            11..=12 => "pm_card_chargeDeclined",
            13..=14 => "pm_usBankAccount",
            15..=16 => {
                self.cancels(&id).await;
                return;
            }
            17 => {
                // Somebody who pays in the last moment, or just after it.
                let left = moment(order, "pay_by") - OffsetDateTime::now_utc();
                let left = Duration::try_from(left).unwrap_or_default();
                tokio::time::sleep(left.saturating_sub(self.dice.millis(0, 300)) + self.dice.millis(0, 600))
                    .await;
                "pm_card_visa"
            }
            _ => {
                self.watches(&id, 3).await;
                return;
            }
        };
        let went = self.scene.house.pay(order, method);
        self.scene.tally.count("pay", if went.is_ok() { method } else { "refused" });
        if went.is_ok() && method == "pm_usBankAccount" {
            self.bank_decides(order);
        }
        let in_time = moment(order, "pay_by") - OffsetDateTime::now_utc() > time::Duration::milliseconds(300);
        if went.is_ok() && in_time && method == "pm_card_visa" {
            self.paid.insert(id.clone(), text(order, "event_id").to_owned());
        }
        self.watches(&id, LOOKS).await;
        if self.dice.percent(25) {
            self.cancels(&id).await;
            self.watches(&id, 2).await;
        }
    }

    /// The bank takes its time, and may say no.
    fn bank_decides(&mut self, order: &Value) {
        let (wait, scene) = (self.dice.millis(300, 9000), Arc::clone(&self.scene));
        let outcome = if self.dice.percent(70) { Outcome::Succeeded } else { Outcome::Failed };
        let intent = text(&order["payment"], "payment_intent").to_owned();
        tokio::spawn(async move {
            tokio::select! { () = scene.over.cancelled() => {} () = tokio::time::sleep(wait) => {} }
            // It may have been cancelled meanwhile.
            let _ = scene.house.sandbox.controls().settle(&intent, outcome);
        });
    }

    async fn cancels(&mut self, order: &str) {
        self.scene.will_be_off(order);
        let from = self.scene.history.now();
        let path = format!("/v1/orders/{order}/cancel");
        if let Some(Answer { status: 200, body, .. }) =
            self.says("cancel", "POST", &path, Some(json!({}))).await
        {
            self.scene.history.order_seen(&body, from, from);
        }
    }

    /// Looks at an order until it is no longer open; answers how it stands.
    pub async fn watches(&mut self, order: &str, looks: usize) -> Option<String> {
        let mut status = None;
        for _ in 0..looks {
            let from = self.scene.history.now();
            if let Some(Answer { status: 200, body, .. }) =
                self.says("watch", "GET", &format!("/v1/orders/{order}"), None).await
            {
                self.scene.history.order_seen(&body, from, from);
                let now = text(&body, "status").to_owned();
                let open = matches!(now.as_str(), "awaiting_payment" | "closing" | "refunding");
                status = Some(now);
                if !open {
                    break;
                }
            }
            tokio::time::sleep(self.dice.millis(100, 400)).await;
        }
        status
    }

    /// Stands on the waiting list, and takes up what is offered.
    async fn waits(&mut self, at: usize) {
        let event = self.scene.events[at].id.clone();
        let from = self.scene.history.now();
        let wish = json!({ "quantity": 1 + self.dice.below(2) });
        let joined = self.says("join", "POST", &format!("/v1/events/{event}/waitlist"), Some(wish)).await;
        let Some(Answer { status: 200..=202, body: entry, .. }) = joined else { return };
        for _ in 0..8 {
            tokio::time::sleep(self.dice.millis(100, 500)).await;
            let Some(Answer { status: 200, body, .. }) = self.says("wait", "GET", "/v1/waitlist", None).await
            else {
                continue;
            };
            let items = body["items"].as_array().cloned().unwrap_or_default();
            let Some(own) = items.into_iter().find(|item| item["id"] == entry["id"]) else { return };
            let offer = &own["offer"];
            if own["status"] == "offered" && offer.is_object() {
                let (hold, seats) = (text(offer, "hold_id").to_owned(), seats_of(offer));
                self.scene.history.held(&event, &hold, &seats, from, left_of(offer));
                self.scene.tally.count("offer", "seen");
                if self.dice.percent(80) {
                    self.checks_out(at, &hold, &seats).await;
                }
                return;
            }
            if own["status"] != "waiting" {
                return;
            }
        }
        self.says("leave", "DELETE", &format!("/v1/waitlist/{}", text(&entry, "id")), None).await;
    }

    /// Every order that this customer has, also those whose making was never answered, as they stand at the end.
    pub async fn looks_back(&mut self) -> Vec<Value> {
        let mut orders = Vec::new();
        let mut path = "/v1/orders?limit=100".to_owned();
        loop {
            let from = self.scene.history.now();
            let page = self.person.insists("GET", &path, None).await;
            assert_eq!(page.status, 200, "{}", page.body);
            for order in page.body["items"].as_array().cloned().unwrap_or_default() {
                self.scene.history.order_seen(&order, 0, from);
                orders.push(order);
            }
            match page.body["next"].as_str() {
                Some(next) => path = format!("/v1/orders?limit=100&cursor={next}"),
                None => return orders,
            }
        }
    }
}

/// A hold has all that was asked for, and nothing else.
fn is_all_of(asked: &Value, got: &[String]) -> bool {
    match asked["seats"].as_array() {
        Some(seats) => {
            let seats: HashSet<_> = seats.iter().filter_map(Value::as_str).collect();
            seats == got.iter().map(String::as_str).collect()
        }
        None => asked["best"]["quantity"].as_u64() == u64::try_from(got.len()).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_of_some_is_no_hold_of_all() {
        let got = ["a-1", "a-2"].map(str::to_owned);
        assert!(is_all_of(&json!({ "seats": ["a-2", "a-1"] }), &got));
        assert!(!is_all_of(&json!({ "seats": ["a-2", "a-1", "a-3"] }), &got));
        assert!(is_all_of(&json!({ "best": { "quantity": 2 } }), &got));
        assert!(!is_all_of(&json!({ "best": { "quantity": 3 } }), &got));
    }
}
