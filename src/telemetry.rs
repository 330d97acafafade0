//! What an operator sees: log lines and metrics.
//!
//! Metrics belong to a node, not to the process, so that two nodes in one test count apart.

use std::io::IsTerminal as _;
use std::ops::Deref;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;
use crate::lines::{self, Lines};

/// A metric told apart by one word: an outcome, a kind, an invariant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Label {
    pub label: &'static str,
}

/// A request as `/metrics` counts it. `route` is the template, never the path, so that labels stay few.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    pub method: &'static str,
    pub route: String,
    pub status: u16,
}

/// Calls that met a limit, or nobody to count them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LimitLabels {
    pub class: &'static str,
    pub outcome: &'static str,
}

type ByLabel = Family<Label, Counter<u64, AtomicU64>>;
type Level = Gauge<i64, AtomicI64>;

/// Every metric of a node, behind one pointer: the handles of each request have it many times over.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Instruments>);

impl Deref for Metrics {
    type Target = Instruments;

    fn deref(&self) -> &Instruments {
        &self.0
    }
}

/// What a node counts and measures.
#[derive(Debug)]
pub struct Instruments {
    /// Connections that are open.
    pub connections: Level,
    pub requests: Family<RequestLabels, Counter>,
    /// Limited calls by class and outcome: allowed, refused, and without Redis open or closed.
    pub limits: Family<LimitLabels, Counter>,
    /// Holds by outcome: held, repeated, seats_unavailable, sold_out, limit_exceeded, sale_closed, not_ready, outage.
    pub holds: ByLabel,
    pub hold_seconds: Histogram,
    /// From Stripe's word that a payment succeeded to the confirmed order, as this node saw it.
    pub confirm_seconds: Histogram,
    /// Moves of orders, by the state they reached.
    pub orders: ByLabel,
    /// Tickets shown at a door by what became of it: let_in, already_checked_in, void, moved, wrong_event, unknown, undone.
    pub check_ins: ByLabel,
    /// Tickets to be moved by what became of it: moved, refused.
    pub ticket_moves: ByLabel,
    /// Webhooks by what became of them: accepted, repeated, unsigned, foreign.
    pub webhooks: ByLabel,
    /// Parties of waiting lists by what became of them: joined, offered, served, declined, lapsed, left, closed.
    pub waitlist: ByLabel,
    /// People let in from waiting rooms.
    pub room_admitted: Counter,
    /// People who wait in rooms, when this node last opened a door.
    pub room_waiting: Level,
    /// Tries to tell other systems, by what came of them: delivered, failed, parked, disabled.
    pub hook_deliveries: ByLabel,
    pub hook_queue_depth: Level,
    pub hook_queue_age_seconds: Level,
    pub inbox_depth: Level,
    pub inbox_age_seconds: Level,
    pub inbox_parked: Level,
    pub outbox_depth: Level,
    pub outbox_age_seconds: Level,
    pub outbox_parked: Level,
    /// Captured payments that wait for a person.
    pub parked_payments: Level,
    /// Orders of cancelled events that have not ended, or whose money is not back.
    pub to_call_off: Level,
    /// Charts that were not at hand.
    pub charts_read: Counter,
    /// Seats that sweeps freed.
    pub swept_seats: Counter,
    /// Seats whose picture differed from Postgres and was repaired.
    pub picture_drift: Counter,
    pub rebuilds: Counter,
    /// From the first look to the marker, of each of them.
    pub rebuild_seconds: Histogram,
    /// What reconcilers found wrong and put right: seats, rules, pictures, orders, captures,
    /// refunds, effects; and what was stuck.
    pub reconciled: ByLabel,
    /// When each reconciler last came through, in Unix seconds: one that stands still repairs nothing and says nothing.
    pub reconciled_at: Family<Label, Level>,
    /// Stores that turned out to have lost what they had acknowledged: redis, postgres.
    pub went_back: ByLabel,
    /// Calls to Stripe by outcome: ok, refused, outage.
    pub stripe_calls: ByLabel,
    /// Letters by what became of them: sent, skipped, refused, later, outage.
    pub letters: ByLabel,
    pub letters_depth: Level,
    pub letters_age_seconds: Level,
    pub letters_parked: Level,
    /// Breaches found by the last audit, by invariant.
    pub invariant_breaches: Family<Label, Level>,
    registry: Registry,
}

impl Metrics {
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("holdfast");
        let quick = || Histogram::new([0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0]);
        let slow = || Histogram::new([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0]);
        let mut metrics = Instruments {
            connections: Gauge::default(),
            requests: Family::default(),
            limits: Family::default(),
            holds: Family::default(),
            hold_seconds: quick(),
            confirm_seconds: slow(),
            orders: Family::default(),
            check_ins: Family::default(),
            ticket_moves: Family::default(),
            webhooks: Family::default(),
            waitlist: Family::default(),
            room_admitted: Counter::default(),
            room_waiting: Gauge::default(),
            hook_deliveries: Family::default(),
            hook_queue_depth: Gauge::default(),
            hook_queue_age_seconds: Gauge::default(),
            inbox_depth: Gauge::default(),
            inbox_age_seconds: Gauge::default(),
            inbox_parked: Gauge::default(),
            outbox_depth: Gauge::default(),
            outbox_age_seconds: Gauge::default(),
            outbox_parked: Gauge::default(),
            parked_payments: Gauge::default(),
            to_call_off: Gauge::default(),
            charts_read: Counter::default(),
            swept_seats: Counter::default(),
            picture_drift: Counter::default(),
            rebuilds: Counter::default(),
            rebuild_seconds: slow(),
            reconciled: Family::default(),
            reconciled_at: Family::default(),
            went_back: Family::default(),
            stripe_calls: Family::default(),
            letters: Family::default(),
            letters_depth: Gauge::default(),
            letters_age_seconds: Gauge::default(),
            letters_parked: Gauge::default(),
            invariant_breaches: Family::default(),
            registry: Registry::default(),
        };
        let m = &metrics;
        registry.register("connections", "Connections that are open", m.connections.clone());
        registry.register("http_requests", "Requests by route and status", m.requests.clone());
        registry.register("limited_requests", "Limited calls by class and outcome", m.limits.clone());
        registry.register("holds", "Asked holds by outcome", m.holds.clone());
        registry.register_with_unit("hold", "Time of a hold in Redis", Unit::Seconds, m.hold_seconds.clone());
        registry.register_with_unit(
            "confirm",
            "Time from the payment's success to the confirmed order",
            Unit::Seconds,
            m.confirm_seconds.clone(),
        );
        registry.register("orders", "Moves of orders by the state they reached", m.orders.clone());
        registry.register("check_ins", "Tickets shown at a door by what became of it", m.check_ins.clone());
        registry.register("ticket_moves", "Tickets to be moved by what became of it", m.ticket_moves.clone());
        registry.register("webhooks", "Webhooks by what became of them", m.webhooks.clone());
        registry.register("room_admitted", "People let in from waiting rooms", m.room_admitted.clone());
        registry.register("room_waiting", "People who wait in rooms", m.room_waiting.clone());
        registry.register("waitlist", "Parties of waiting lists by what became of them", m.waitlist.clone());
        registry.register("hook_deliveries", "Tries to tell other systems", m.hook_deliveries.clone());
        registry.register(
            "hook_queue_depth",
            "Deliveries that wait for enabled endpoints",
            m.hook_queue_depth.clone(),
        );
        registry.register(
            "hook_queue_age_seconds",
            "How long the oldest of them is overdue",
            m.hook_queue_age_seconds.clone(),
        );
        register_queues(&mut registry, m);
        registry.register("charts_read", "Charts read from Postgres", m.charts_read.clone());
        registry.register("swept_seats", "Seats freed because their hold expired", m.swept_seats.clone());
        registry.register("picture_drift", "Seats repaired in Redis after Postgres", m.picture_drift.clone());
        registry.register("rebuilds", "Pictures rebuilt in Redis", m.rebuilds.clone());
        register_recovery(&mut registry, m);
        registry.register("stripe_calls", "Calls to Stripe by outcome", m.stripe_calls.clone());
        registry.register("log_lines_dropped", "Log lines that nobody took in time", lines::dropped());
        registry.register("letters", "Letters by what became of them", m.letters.clone());
        registry.register("letters_depth", "Letters that are still owed", m.letters_depth.clone());
        registry.register(
            "letters_age_seconds",
            "Age of the oldest owed letter",
            m.letters_age_seconds.clone(),
        );
        registry.register("letters_parked", "Letters parked for a person", m.letters_parked.clone());
        registry.register(
            "invariant_breaches",
            "Breaches found by the last audit",
            m.invariant_breaches.clone(),
        );
        metrics.registry = registry;
        Self(Arc::new(metrics))
    }

    /// The whole registry in the Prometheus text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut page = String::new();
        text::encode(&mut page, &self.registry).expect("writing to a String cannot fail");
        page
    }

    pub fn count(family: &ByLabel, label: &'static str) {
        family.get_or_create(&Label { label }).inc();
    }

    pub fn count_many(family: &ByLabel, label: &'static str, many: u64) {
        family.get_or_create(&Label { label }).inc_by(many);
    }

    /// Notes that a reconciler came through just now.
    pub fn came_through(&self, label: &'static str) {
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        self.reconciled_at.get_or_create(&Label { label }).set(now);
    }

    pub fn time(histogram: &Histogram, took: Duration) {
        histogram.observe(took.as_secs_f64());
    }
}

/// What was lost and is found again.
fn register_recovery(registry: &mut Registry, m: &Instruments) {
    registry.register_with_unit(
        "rebuild",
        "Time of the rebuild of a picture",
        Unit::Seconds,
        m.rebuild_seconds.clone(),
    );
    registry.register("reconciled", "What reconcilers found wrong and put right", m.reconciled.clone());
    registry.register(
        "reconciled_at_seconds",
        "When each reconciler last came through",
        m.reconciled_at.clone(),
    );
    registry.register("went_back", "Stores that had lost what they acknowledged", m.went_back.clone());
}

/// What waits, and for how long.
fn register_queues(registry: &mut Registry, m: &Instruments) {
    registry.register("inbox_depth", "Events of Stripe not yet worked through", m.inbox_depth.clone());
    registry.register("inbox_age_seconds", "Age of the oldest waiting event", m.inbox_age_seconds.clone());
    registry.register("inbox_parked", "Events parked for a person", m.inbox_parked.clone());
    registry.register("outbox_depth", "Effects that are still owed", m.outbox_depth.clone());
    registry.register("outbox_age_seconds", "Age of the oldest owed effect", m.outbox_age_seconds.clone());
    registry.register("outbox_parked", "Effects parked for a person", m.outbox_parked.clone());
    registry.register(
        "parked_payments",
        "Captured payments that wait for a person",
        m.parked_payments.clone(),
    );
    registry.register("orders_to_call_off", "Orders of cancelled events still to end", m.to_call_off.clone());
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// Where log lines of this process go, once logging has started.
static LINES: OnceLock<Lines> = OnceLock::new();

/// Starts logging to standard error; `RUST_LOG` chooses what, and what is not a filter means the default, in
/// which a Redis client that tries again many times a second does not fill disks.
///
/// # Errors
/// When the thread that writes cannot be started.
pub fn start_logging(format: LogFormat) -> std::io::Result<()> {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn,redis=error"));
    let out = Lines::to(std::io::stderr())?;
    let _ = LINES.set(out.clone());
    // Colours are for people who look at a terminal, and noise in a file.
    let coloured = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(coloured)
        .with_writer(move || out.clone());
    match format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    Ok(())
}

/// Lets the last lines out before the process ends; whoever does not read them is not waited for.
pub fn finish_logging() {
    if let Some(lines) = LINES.get() {
        lines.flush_in_time();
    }
}
