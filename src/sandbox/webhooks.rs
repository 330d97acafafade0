//! Telling events: signed, at least once, again and again until the receiver says 2xx. In no order anybody may
//! rely on, like Stripe.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use rand::seq::SliceRandom;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, redirect};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::WebhookTarget;
use super::objects::{Delivery, DeliveryState};
use super::shapes;
use super::world::{Entry, Shared, World, now, now_ms};
use crate::payments::signature;

/// Deliveries under way at a time.
const AT_ONCE: usize = 16;
/// A receiver that takes longer has not received it.
const PATIENCE: Duration = Duration::from_secs(10);
const FIRST_PAUSE_MS: i64 = 500;
const LONGEST_PAUSE_MS: i64 = 60_000;
/// Stripe tries for three days; at a minute each that is as many.
const MOST_ATTEMPTS: u32 = 3 * 24 * 60;

/// In which order held deliveries leave when they are released.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseOrder {
    #[default]
    AsMade,
    Reversed,
    Shuffled,
}

/// What is sent out in one attempt.
struct Parcel {
    event: String,
    body: Vec<u8>,
    copies: u32,
    target: WebhookTarget,
}

pub async fn deliver_for_ever(shared: Arc<Shared>) {
    // A proxy for the outside world has no business here, and a redirect is no 2xx.
    let client = Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .timeout(PATIENCE)
        .user_agent("Stripe/1.0 (+https://stripe.com/docs/webhooks)")
        .build();
    let http = match client {
        Ok(http) => http,
        Err(error) => {
            tracing::error!(%error, "the sandbox cannot send webhooks");
            return;
        }
    };
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        let parcel = tokio::select! {
            parcel = next_due(&shared) => parcel,
            () = shared.stop.cancelled() => return,
        };
        let (shared, http) = (Arc::clone(&shared), http.clone());
        tokio::spawn(async move {
            let status = send(&http, &parcel).await;
            shared.change(|world| world.record(&parcel.event, status));
            drop(slot);
        });
    }
}

async fn next_due(shared: &Shared) -> Parcel {
    loop {
        if let Some(parcel) = shared.quietly(World::take_due) {
            return parcel;
        }
        let next = shared.look(|world| world.due.first().map(|(at, _)| *at));
        let wait = next.map(|at| Duration::from_millis(u64::try_from(at - now_ms()).unwrap_or_default()));
        match wait.filter(|wait| !wait.is_zero()) {
            Some(wait) => {
                tokio::select! {
                    () = sleep(wait) => {}
                    () = shared.deliveries.notified() => {}
                }
            }
            // Nothing to tell, or nobody to tell it to.
            None => shared.deliveries.notified().await,
        }
    }
}

/// The receiver's answer, when every copy got one: the worst of them.
async fn send(http: &Client, parcel: &Parcel) -> Option<u16> {
    let copy = || async {
        let signed = signature::sign(&parcel.body, &parcel.target.secret, now());
        let request = http
            .post(&parcel.target.url)
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .header("Stripe-Signature", signed)
            .body(parcel.body.clone());
        request.send().await.map(|response| response.status().as_u16()).ok()
    };
    let answers = join_all((0..parcel.copies).map(|_| copy())).await;
    answers.into_iter().collect::<Option<Vec<u16>>>()?.into_iter().max()
}

impl World {
    /// Takes the next delivery whose time has come, if anybody listens.
    fn take_due(&mut self) -> Option<Parcel> {
        let target = self.webhook.clone()?;
        let now = now_ms();
        let (at, id) = self.due.first().cloned().filter(|(at, _)| *at <= now)?;
        self.due.remove(&(at, id.clone()));
        let event = self.events.get(&id)?;
        let copies = self.deliveries.get(&id)?.duplicates.saturating_add(1);
        let body = serde_json::to_vec(&shapes::event(event, 1)).ok()?;
        self.sending += 1;
        Some(Parcel { event: id, body, copies, target })
    }

    fn record(&mut self, event: &str, status: Option<u16>) {
        self.sending -= 1;
        let Some(delivery) = self.deliveries.get(event) else { return };
        let attempts = delivery.attempts + 1;
        let told = status.is_some_and(|status| (200..300).contains(&status));
        let state = if told {
            DeliveryState::Delivered
        } else if attempts >= MOST_ATTEMPTS {
            DeliveryState::GivenUp
        } else {
            DeliveryState::Waiting
        };
        let delivery = Delivery { attempts, state, last_status: status, ..delivery.clone() };
        if state == DeliveryState::Waiting {
            let pause = (FIRST_PAUSE_MS << (attempts - 1).min(10)).min(LONGEST_PAUSE_MS);
            self.due.insert((now_ms() + pause, event.to_owned()));
        }
        self.put(Entry::Delivery(delivery));
    }

    /// Lets what a switch held back go, and says how many that were.
    pub(super) fn release(&mut self, order: ReleaseOrder) -> usize {
        let mut held = std::mem::take(&mut self.held);
        match order {
            ReleaseOrder::AsMade => {}
            ReleaseOrder::Reversed => held.reverse(),
            ReleaseOrder::Shuffled => held.shuffle(&mut self.faults.dice()),
        }
        let now = now_ms();
        // A millisecond apart keeps the order in which they leave; in which they arrive, nobody promises.
        self.due.extend(held.iter().cloned().zip(0..).map(|(id, nth)| (now + nth, id)));
        held.len()
    }

    /// Tells an event once more, whatever became of it so far.
    pub(super) fn redeliver(&mut self, event: &str) -> bool {
        let Some(delivery) = self.deliveries.get(event) else { return false };
        let delivery = Delivery { state: DeliveryState::Waiting, ..delivery.clone() };
        self.due.retain(|(_, id)| id != event);
        self.held.retain(|id| id != event);
        self.due.insert((now_ms(), event.to_owned()));
        self.put(Entry::Delivery(delivery));
        true
    }
}
