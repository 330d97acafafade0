//! Everything the sandbox knows, changed in whole steps.
//!
//! One lock guards it and one change is one line of the journal, so that neither a reader nor a restart ever sees
//! half of a payment. The lock is never held across an `.await`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::faults::{Endpoint, Faults};
use super::journal::Journal;
use super::objects::{Charge, Delivery, DeliveryState, Event, Intent, Origin, Refund, Remembered};
use super::shapes;
use super::{SandboxSettings, WebhookTarget};

/// A new state of one thing: what the journal holds and a start replays.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    Intent(Box<Intent>),
    Charge(Box<Charge>),
    Refund(Box<Refund>),
    Event(Box<Event>),
    Delivery(Delivery),
    Answer(Box<Remembered>),
    /// Forgets every answer kept under a key, as Stripe may after a day.
    ForgetAnswers,
}

/// Things of one kind, in the order they were made.
#[derive(Debug)]
pub struct Shelf<T> {
    items: Vec<T>,
    places: HashMap<String, usize>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { items: Vec::new(), places: HashMap::new() }
    }
}

impl<T> Shelf<T> {
    pub fn get(&self, id: &str) -> Option<&T> {
        self.place(id).and_then(|place| self.items.get(place))
    }

    /// How many were made before this one.
    pub fn place(&self, id: &str) -> Option<usize> {
        self.places.get(id).copied()
    }

    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.items.iter()
    }

    fn put(&mut self, id: &str, item: T) {
        if let Some(place) = self.place(id) {
            self.items[place] = item;
        } else {
            self.places.insert(id.to_owned(), self.items.len());
            self.items.push(item);
        }
    }
}

#[derive(Debug, Default)]
pub struct World {
    pub intents: Shelf<Intent>,
    pub charges: Shelf<Charge>,
    pub refunds: Shelf<Refund>,
    pub events: Shelf<Event>,
    pub deliveries: Shelf<Delivery>,
    pub answers: HashMap<String, Remembered>,
    /// Keys whose first call still runs.
    pub running: HashSet<String>,
    pub calls: BTreeMap<&'static str, u64>,
    /// Calls to an endpoint in the current second, for the limiter.
    pub windows: HashMap<Endpoint, (i64, u32)>,
    pub faults: Faults,
    pub webhook: Option<WebhookTarget>,
    pub secret_key: secrecy::SecretString,
    pub publishable_key: String,
    pub base_url: String,
    /// Deliveries by when they are due (Unix milliseconds). Those under way or held back are not in it.
    pub due: BTreeSet<(i64, String)>,
    /// Deliveries that a switch holds back, oldest first.
    pub held: Vec<String>,
    /// Deliveries being sent right now.
    pub sending: usize,
    /// What settles by itself, by when (Unix milliseconds): an intent's or a refund's id.
    pub settling: BTreeSet<(i64, String)>,
    unwritten: Vec<Entry>,
    journal: Option<Journal>,
}

impl World {
    pub fn open(settings: &SandboxSettings, base_url: String) -> io::Result<Self> {
        let mut world = Self {
            webhook: settings.webhook.clone(),
            secret_key: settings.secret_key.clone(),
            publishable_key: settings.publishable_key.clone(),
            base_url,
            ..Self::default()
        };
        if let Some(path) = &settings.journal {
            let (journal, past) = Journal::open(path)?;
            for entry in past {
                world.install(entry);
            }
            world.journal = Some(journal);
            world.resume();
        }
        Ok(world)
    }

    /// The one way to change a thing: in memory now, in the journal with the rest of the step.
    pub fn put(&mut self, entry: Entry) {
        if self.journal.is_some() {
            self.unwritten.push(entry.clone());
        }
        self.install(entry);
    }

    pub fn put_intent(&mut self, intent: &Intent) {
        self.settle_later(intent.settles.map(|settles| settles.at), &intent.id);
        self.put(Entry::Intent(Box::new(intent.clone())));
    }

    pub fn put_charge(&mut self, charge: &Charge) {
        self.put(Entry::Charge(Box::new(charge.clone())));
    }

    pub fn put_refund(&mut self, refund: &Refund) {
        self.settle_later(refund.settles.map(|settles| settles.at), &refund.id);
        self.put(Entry::Refund(Box::new(refund.clone())));
    }

    pub fn tell_intent(&mut self, kind: &str, intent: &Intent, origin: &Origin) {
        let object = shapes::intent(intent, &self.base_url);
        self.tell(kind, object, origin);
    }

    /// Makes an event and lets it be delivered, as the switches have it.
    pub fn tell(&mut self, kind: &str, object: Value, origin: &Origin) {
        let id = fresh("evt");
        let event =
            Event { id: id.clone(), kind: kind.to_owned(), created: now(), object, origin: origin.clone() };
        let due = now_ms() + self.faults.wait_ms();
        let faults = &self.faults.webhooks;
        let delivery = Delivery {
            event: id.clone(),
            kind: kind.to_owned(),
            state: if faults.drop { DeliveryState::Dropped } else { DeliveryState::Waiting },
            attempts: 0,
            duplicates: faults.duplicate,
            last_status: None,
        };
        if faults.hold && !faults.drop {
            self.held.push(id);
        } else if !faults.drop {
            self.due.insert((due, id));
        }
        self.put(Entry::Event(Box::new(event)));
        self.put(Entry::Delivery(delivery));
    }

    fn install(&mut self, entry: Entry) {
        match entry {
            Entry::Intent(intent) => self.intents.put(&intent.id.clone(), *intent),
            Entry::Charge(charge) => self.charges.put(&charge.id.clone(), *charge),
            Entry::Refund(refund) => self.refunds.put(&refund.id.clone(), *refund),
            Entry::Event(event) => self.events.put(&event.id.clone(), *event),
            Entry::Delivery(delivery) => self.deliveries.put(&delivery.event.clone(), delivery),
            Entry::Answer(answer) => drop(self.answers.insert(answer.key.clone(), *answer)),
            Entry::ForgetAnswers => self.answers.clear(),
        }
    }

    /// After a restart: what waited to be told or to settle still does.
    fn resume(&mut self) {
        let waiting = self.deliveries.iter().filter(|delivery| delivery.state == DeliveryState::Waiting);
        self.due = waiting.map(|delivery| (now_ms(), delivery.event.clone())).collect();
        let intents = self.intents.iter().filter_map(|it| Some((it.settles?.at, it.id.clone())));
        let refunds = self.refunds.iter().filter_map(|it| Some((it.settles?.at, it.id.clone())));
        self.settling = intents.chain(refunds).collect();
    }

    fn settle_later(&mut self, at: Option<i64>, id: &str) {
        self.settling.extend(at.map(|at| (at, id.to_owned())));
    }

    fn write(&mut self) {
        let step = std::mem::take(&mut self.unwritten);
        if let Some(journal) = self.journal.as_mut().filter(|_| !step.is_empty())
            && let Err(error) = journal.append(&step)
        {
            // The sandbox goes on from memory: a full disk must not look like Stripe's failure.
            tracing::error!(%error, "the sandbox's journal could not be written");
        }
    }
}

/// The world and what waits for it to change.
#[derive(Debug)]
pub struct Shared {
    world: Mutex<World>,
    /// A delivery or something that settles by itself may be due.
    pub deliveries: Notify,
    pub settling: Notify,
    pub stop: CancellationToken,
}

impl Shared {
    pub fn new(world: World, stop: CancellationToken) -> Self {
        Self { world: Mutex::new(world), deliveries: Notify::new(), settling: Notify::new(), stop }
    }

    /// One whole step. It is kept and told even when it ends in an error: a decline is a change as well.
    pub fn change<T>(&self, step: impl FnOnce(&mut World) -> T) -> T {
        let result = self.quietly(step);
        self.deliveries.notify_one();
        self.settling.notify_one();
        result
    }

    /// A step that makes nothing due, so nobody who waits for that is woken.
    pub fn quietly<T>(&self, step: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let result = step(&mut world);
        world.write();
        result
    }

    /// Looks without changing.
    pub fn look<T>(&self, view: impl FnOnce(&World) -> T) -> T {
        view(&self.world.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An id as Stripe makes them: a prefix and 24 letters and digits.
pub fn fresh(prefix: &str) -> String {
    const LETTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let tail = (0..24).map(|_| char::from(LETTERS[rand::random_range(0..LETTERS.len())]));
    format!("{prefix}_{}", tail.collect::<String>())
}

/// Unix seconds.
pub fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

/// Unix milliseconds.
pub fn now_ms() -> i64 {
    let now = OffsetDateTime::now_utc();
    now.unix_timestamp() * 1000 + i64::from(now.millisecond())
}
