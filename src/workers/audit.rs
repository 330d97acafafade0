//! The audit: each invariant as a question to the stores, answered with a count of breaches.
//!
//! Run by `holdfast audit` and after every fault test, and by every node all the time, whose metric is an alarm.
//! What only a moment can show (who may read what, what a signature is worth) is held by tests; what leaves a
//! trace is asked for here.

use std::fmt;
use std::time::{Duration, Instant};

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::orders::OrdersError;
use crate::stores::guards;
use crate::stores::postgres::{Outage, take_time};
use crate::telemetry::Label;
use crate::workers::wait;

/// What takes longer is for a house with years behind it to pay, and rests for so many times as long as it took beyond that: a
/// twentieth of one connection's time at most.
const QUICK: Duration = Duration::from_secs(2);
const REST: u32 = 20;

/// An invariant that rows can break.
#[derive(Debug, Clone, Copy)]
pub struct Invariant {
    pub name: &'static str,
    pub promise: &'static str,
    /// Answers with one number: how often the promise is broken.
    question: &'static str,
}

/// What Postgres alone can be asked.
///
/// Moments that are allowed to pass (a refund on its way, an order being closed) are given their time.
const INVARIANTS: &[Invariant] = &[
    Invariant {
        name: "seat_sold_once",
        promise: "no seat stands on two confirmed orders, or has two valid tickets",
        question: "select count(*) from (
            select s.event_id, s.ordinal from order_seats s
              join orders o on o.event_id = s.event_id and o.id = s.order_id and o.state = 'confirmed'
             group by 1, 2 having count(*) > 1
            union all
            select event_id, ordinal from tickets where state = 'valid'
             group by 1, 2 having count(*) > 1) twice",
    },
    Invariant {
        name: "all_seats_or_none",
        promise: "a confirmed order has every one of its seats sold to it, each with a ticket",
        question: "select count(*) from orders o
             join order_seats s on s.event_id = o.event_id and s.order_id = o.id
             left join seat_claims c on c.event_id = s.event_id and c.ordinal = s.ordinal
                  and c.order_id = o.id and c.state = 'sold'
             left join tickets t on t.event_id = s.event_id and t.order_id = o.id and t.ordinal = s.ordinal
                  and t.state = 'valid'
            where o.state = 'confirmed' and (c.ordinal is null or t.ordinal is null)",
    },
    Invariant {
        name: "tickets_are_their_orders",
        promise: "a valid ticket is a confirmed order's, on a seat that is sold to it",
        question: "select count(*) from tickets t
             join orders o on o.event_id = t.event_id and o.id = t.order_id
             left join seat_claims c on c.event_id = t.event_id and c.ordinal = t.ordinal
                  and c.order_id = t.order_id and c.state = 'sold'
            where t.state = 'valid' and (o.state <> 'confirmed' or c.ordinal is null)",
    },
    Invariant {
        name: "door_and_log_agree",
        promise: "a ticket has let somebody in just when its log says so, and was moved as often as it has newer codes",
        question: "select count(*) from tickets t
            where (t.checked_in_at is not null) <> coalesce((
                   select l.what = 'checked_in' from ticket_log l
                    where l.event_id = t.event_id and l.ticket_id = t.id and l.what in ('checked_in', 'undone')
                    order by l.id desc limit 1), false)
               or t.issue <> 1 + (select count(*) from ticket_log l
                    where l.event_id = t.event_id and l.ticket_id = t.id and l.what = 'moved')",
    },
    Invariant {
        name: "claims_have_a_living_order",
        promise: "a sold claim belongs to a confirmed order, a held claim to an open one",
        question: "select count(*) from seat_claims c
             join orders o on o.event_id = c.event_id and o.id = c.order_id
            where (c.state = 'sold' and o.state <> 'confirmed')
               or (c.state = 'held' and o.state not in ('awaiting_payment', 'closing'))",
    },
    Invariant {
        name: "open_orders_keep_their_seats",
        promise: "an order that can be paid has claimed every one of its seats",
        question: "select count(*) from orders o
             join order_seats s on s.event_id = o.event_id and s.order_id = o.id
             left join seat_claims c on c.event_id = s.event_id and c.ordinal = s.ordinal and c.order_id = o.id
            where o.state in ('awaiting_payment', 'closing') and c.ordinal is null",
    },
    Invariant {
        name: "confirmed_is_paid",
        promise: "a confirmed order's captured amount and currency are the order's, on its own payment",
        question: "select count(*) from orders o
            where o.state = 'confirmed' and o.amount > 0
              and not exists (select from payments p where p.event_id = o.event_id and p.order_id = o.id
                   and p.state = 'succeeded' and p.captured = o.amount and p.currency = o.currency)",
    },
    Invariant {
        name: "priced_as_shown",
        promise: "an order costs what its seats cost",
        question: "select count(*) from orders o
            where o.amount <> (select coalesce(sum(price), -1) from order_seats s
                                where s.event_id = o.event_id and s.order_id = o.id)",
    },
    Invariant {
        name: "captured_money_has_a_home",
        promise: "a captured payment ends in one of these: a confirmed order, given back whole, or parked with an alarm",
        // A part that goes back leaves its order as it is; when all of it has, nothing is paid for any more. What was paid twice
        // has to go back once, whatever comes of that.
        question: "select (select count(*) from payments p
             join orders o on o.event_id = p.event_id and o.id = p.order_id
            where p.captured > 0 and o.state <> 'confirmed'
              and p.captured > (select coalesce(sum(r.amount), 0) from refunds r
                                 where r.payment_intent = p.payment_intent))
          + (select count(*) from orders o
            where o.state = 'confirmed' and o.amount > 0
              and (select sum(p.captured) from payments p where p.event_id = o.event_id and p.order_id = o.id)
               <= (select sum(r.amount) from refunds r
                     join payments p on p.payment_intent = r.payment_intent
                    where p.event_id = o.event_id and p.order_id = o.id and r.state = 'succeeded'))
          + (select count(*) from orders o
            where o.state = 'confirmed'
              and (select sum(p.captured) from payments p where p.event_id = o.event_id and p.order_id = o.id)
                  - (select coalesce(sum(r.amount), 0) from refunds r
                       join payments p on p.payment_intent = r.payment_intent
                      where p.event_id = o.event_id and p.order_id = o.id) > o.amount)",
    },
    Invariant {
        name: "refunds_within_capture",
        promise: "refunds never exceed what was captured",
        question: "select count(*) from payments p
            where (select coalesce(sum(r.amount), 0) from refunds r
                    where r.payment_intent = p.payment_intent and r.state <> 'failed') > p.captured
              and exists (select from refunds r where r.payment_intent = p.payment_intent)",
    },
    Invariant {
        name: "no_open_door_on_a_closed_order",
        promise: "a closed order has no payment that could still take money",
        question: "select count(*) from payments p
             join orders o on o.event_id = p.event_id and o.id = p.order_id
            where o.state not in ('awaiting_payment', 'closing') and p.state in ('opening', 'open', 'processing')",
    },
    Invariant {
        name: "moves_are_logged",
        promise: "the log of an order replays to its state, without a gap",
        question: "select count(*) from orders o
            where o.state is distinct from (select l.to_state from order_log l
                   where l.event_id = o.event_id and l.order_id = o.id order by l.step desc limit 1)
               or exists (select from (
                   select l.from_state, lag(l.to_state) over (order by l.step) as before
                     from order_log l where l.event_id = o.event_id and l.order_id = o.id) moves
                   where moves.from_state is distinct from moves.before)",
    },
    Invariant {
        name: "open_orders_move_on",
        promise: "no order stays open long after its deadline, unless its payment is still being processed",
        question: "select count(*) from orders o
            where o.state in ('awaiting_payment', 'closing') and o.pay_by < now() - interval '15 minutes'
              and not exists (select from payments p where p.event_id = o.event_id and p.order_id = o.id
                               and p.state = 'processing')",
    },
    Invariant {
        name: "offers_in_order",
        promise: "of two parties that wish for the same, the one that came first is offered seats first",
        question: "select count(*) from waitlist later
             join waitlist_log offered on offered.entry_id = later.id and offered.to_state = 'offered'
             join waitlist sooner on sooner.event_id = later.event_id and sooner.place < later.place
                  and (sooner.quantity, sooner.section, sooner.category, sooner.max_price)
                      is not distinct from (later.quantity, later.section, later.category, later.max_price)
            where sooner.joined_at < offered.at
              and not exists (select from waitlist_log gone where gone.entry_id = sooner.id and gone.at < offered.at
                               and (gone.to_state <> 'waiting' or gone.cause like 'passed over%'))",
    },
    Invariant {
        name: "offers_have_a_party",
        promise: "a party is offered seats exactly while an offer is open, and only open offers name seats",
        question: "select (select count(*) from waitlist w
                   where (w.state = 'offered') <> exists (select from offers o where o.entry_id = w.id and o.state = 'open'))
                + (select count(*) from offered_seats s join offers o using (hold_id) where o.state <> 'open')
                + (select count(*) from offers o where o.state = 'open'
                      and not exists (select from offered_seats s where s.hold_id = o.hold_id))",
    },
    Invariant {
        name: "parties_are_logged",
        promise: "the log of a waiting party replays to its state, without a gap",
        question: "select count(*) from waitlist w
            where w.state is distinct from (select l.to_state from waitlist_log l
                   where l.entry_id = w.id order by l.step desc limit 1)
               or exists (select from (
                   select l.from_state, lag(l.to_state) over (order by l.step) as before
                     from waitlist_log l where l.entry_id = w.id) moves
                   where moves.from_state is distinct from moves.before)",
    },
    Invariant {
        name: "offers_end",
        promise: "no offer stays open long after its time",
        question: "select count(*) from offers where state = 'open' and expires_at < now() - interval '15 minutes'",
    },
    Invariant {
        name: "others_are_told",
        promise: "what an enabled endpoint is owed is tried when it is due, or parked",
        question: "select count(*) from hook_deliveries d join hooks h on h.id = d.hook_id and h.state = 'enabled'
            where d.delivered_at is null and d.parked_at is null and d.due_at < now() - interval '15 minutes'",
    },
    Invariant {
        name: "told_to_whom_it_concerns",
        promise: "an endpoint is owed only what happened at events that it may hear of",
        question: "select count(*) from hook_deliveries d
             join hooks h on h.id = d.hook_id
             join hook_events t on t.id = d.hook_event_id
             join events e on e.id = t.event_id
            where not h.for_all and h.account_id <> e.organiser_id",
    },
    Invariant {
        name: "debts_are_paid",
        promise: "no effect is owed for more than fifteen minutes without being parked with an alarm",
        question: "select count(*) from outbox
            where parked_at is null and created_at < now() - interval '15 minutes'",
    },
    Invariant {
        name: "letters_are_sent",
        promise: "a letter that is owed is sent, skipped for a reason, or parked within fifteen minutes",
        question: "select count(*) from letters
            where sent_at is null and skipped_at is null and parked_at is null
              and created_at < now() - interval '15 minutes'",
    },
];

/// What the audit found about one invariant.
#[derive(Debug, Clone)]
pub struct Finding {
    pub name: &'static str,
    pub promise: &'static str,
    pub breaches: u64,
}

/// The whole audit.
#[derive(Debug, Clone)]
pub struct Report {
    pub findings: Vec<Finding>,
}

impl Report {
    #[must_use]
    pub fn breaches(&self) -> u64 {
        self.findings.iter().map(|finding| finding.breaches).sum()
    }
}

/// A line for each invariant, its count of breaches first.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { name, promise, breaches } in &self.findings {
            let verdict = if *breaches == 0 { "holds" } else { "BROKEN" };
            writeln!(f, "{breaches:>6}  {verdict:<6}  {name:<32}  {promise}")?;
        }
        writeln!(f, "{:>6}  breaches in all", self.breaches())
    }
}

/// Asks everything once.
pub async fn run(app: &App) -> Result<Report, OrdersError> {
    let mut findings = ask_postgres(&app.pg).await?;
    findings.push(ask_guards(&app.pg).await?);
    findings.push(ask_redis(app).await?);
    for finding in &findings {
        let breaches = i64::try_from(finding.breaches).unwrap_or(i64::MAX);
        app.metrics.invariant_breaches.get_or_create(&Label { label: finding.name }).set(breaches);
        if breaches > 0 {
            tracing::error!(invariant = finding.name, breaches, "a promise is broken: {}", finding.promise);
        }
    }
    Ok(Report { findings })
}

/// One snapshot for all questions, so that a move between two of them is no breach.
pub async fn ask_postgres(pg: &PgPool) -> Result<Vec<Finding>, Outage> {
    let mut tx = pg.begin().await?;
    sqlx::query("set transaction isolation level repeatable read, read only").execute(&mut *tx).await?;
    take_time(&mut tx).await?;
    let mut findings = Vec::with_capacity(INVARIANTS.len() + 1);
    for Invariant { name, promise, question } in INVARIANTS {
        let (breaches,): (i64,) = sqlx::query_as(*question).fetch_one(&mut *tx).await?;
        findings.push(Finding { name, promise, breaches: u64::try_from(breaches).unwrap_or(0) });
    }
    tx.rollback().await?;
    Ok(findings)
}

/// Constraints refuse what the questions above could only find afterwards.
async fn ask_guards(pg: &PgPool) -> Result<Finding, Outage> {
    Ok(Finding {
        name: "guards_stand",
        promise: "each constraint that keeps a promise is there and valid",
        breaches: guards::fallen(pg).await?.len() as u64,
    })
}

/// The live picture equals Postgres: seats that differ now and still differ when looked at again.
async fn ask_redis(app: &App) -> Result<Finding, OrdersError> {
    let mut breaches = 0;
    for event in app.desk.events_on_sale().await?.iter() {
        let drift = app.desk.drift(event.id).await?;
        if drift > 0 {
            tracing::error!(event.id = %event.id, seats = drift, "the picture of this event is not true");
        }
        breaches += drift;
    }
    Ok(Finding {
        name: "picture_is_true",
        promise: "the live picture in Redis says what Postgres says",
        breaches,
    })
}

/// Audits once a period, and rests longer where that takes long: the questions are about all there ever was, and a house with
/// years behind it must not pay for them with its sale.
pub(super) async fn repeat(app: App, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let begun = Instant::now();
        let audited = run(&app).await;
        match &audited {
            Ok(_) => app.metrics.came_through("audit"),
            Err(error) => tracing::debug!(%error, "audited next time"),
        }
        let is_well = audited.is_ok_and(|report| report.breaches() == 0);
        let rest = rest_after(begun.elapsed(), is_well);
        wait(rest.max(app.config.reconcile()), None, &stop).await;
    }
}

/// One that was broken off waited for a store that is away rather than worked, and one that has found a breach may have met what
/// was being mended: either is repeated after as long as it took, so that no alarm stays for twenty times that.
fn rest_after(took: Duration, is_well: bool) -> Duration {
    if is_well { took.saturating_sub(QUICK) * REST } else { took }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audit_that_met_an_outage_or_a_breach_does_not_rest_as_one_of_a_great_house() {
        let took = Duration::from_secs(15);
        assert_eq!(rest_after(QUICK + took, true), took * REST);
        assert_eq!(rest_after(took, false), took);
        assert_eq!(rest_after(Duration::ZERO, true), Duration::ZERO);
    }
}
