//! The inbox: what Stripe tells us is stored first and thought about afterwards.
//!
//! The event's id is the primary key, so a repeat is known for ever. Nothing in a webhook is believed: it only
//! says which object to fetch.

use time::OffsetDateTime;

use crate::ids::OrderId;
use crate::orders::Desk;
use crate::orders::error::OrdersError;
use crate::orders::lease::{pause, side_by_side};
use crate::orders::log::{Actor, Because};
use crate::orders::state::OrderState;
use crate::payments::{Intent, Notice};
use crate::proof::{self, Bug, Step};
use crate::stores::postgres::{Outage, within};
use crate::telemetry::Metrics;

/// An event that keeps making no sense is tried this often, over some minutes, and then parked for a person.
const TRIES: i32 = 10;

/// What became of a webhook at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    Accepted,
    /// It was here before.
    Repeated,
    /// Play money while we move real money, or the other way round.
    Foreign,
}

impl Noted {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Repeated => "repeated",
            Self::Foreign => "foreign",
        }
    }
}

#[derive(Debug, sqlx::FromRow)]
struct Waiting {
    id: String,
    #[sqlx(rename = "type")]
    kind: String,
    object_id: String,
    order_id: Option<OrderId>,
    received_at: OffsetDateTime,
    attempts: i32,
}

impl Desk {
    /// Stores a verified event. When this returns, a crash loses nothing.
    pub async fn note(&self, notice: &Notice) -> Result<Noted, Outage> {
        let foreign = notice.livemode != self.live_money && !proof::planted(Bug::ForeignMoneyTaken);
        // Model: NoteEvent
        let storing = within(async {
            Ok::<_, Outage>(
                sqlx::query(
                    "insert into stripe_events (id, type, object_id, order_id, done_at, outcome)
                     values ($1, $2, $3, $4, case when $5 then now() end, case when $5 then 'foreign' end)
                     on conflict (id) do nothing",
                )
                .bind(&notice.id)
                .bind(&notice.kind)
                .bind(subject_of(notice))
                .bind(notice.order_id)
                .bind(foreign)
                .execute(&self.pg)
                .await?,
            )
        });
        let stored = match proof::step(Step::Inbox, storing).await {
            Err(_) if proof::planted(Bug::InboxNotDurable) => return Ok(Noted::Accepted),
            stored => stored?,
        };
        let noted = match (stored.rows_affected(), foreign) {
            (0, _) => Noted::Repeated,
            (_, true) => {
                tracing::error!(
                    stripe.event = notice.id,
                    livemode = notice.livemode,
                    "not our kind of money"
                );
                Noted::Foreign
            }
            (_, false) => Noted::Accepted,
        };
        Metrics::count(&self.metrics.webhooks, noted.as_str());
        self.wake.inbox.notify_one();
        Ok(noted)
    }

    /// Works through events that are due, a few at a time, and says how many there were.
    pub async fn work_inbox(&self) -> Result<usize, OrdersError> {
        let rows: Vec<Waiting> = within(async {
            Ok::<_, OrdersError>(
                sqlx::query_as(
                    "update stripe_events set attempts = attempts + 1, due_at = now() + interval '15 seconds'
                      where id in (select id from stripe_events
                                    where done_at is null and parked_at is null and due_at <= now()
                                    order by due_at limit 16 for update skip locked)
                      returning id, type, object_id, order_id, received_at, attempts",
                )
                .fetch_all(&self.pg)
                .await?,
            )
        })
        .await?;
        side_by_side(
            rows,
            |row| {
                let desk = self.clone();
                async move { desk.work_event(row).await }
            },
            |done| self.close_events(done),
        )
        .await
    }

    /// Answers with the event's id and what came of it, or nothing when it is to be tried again, or by a person.
    async fn work_event(&self, row: Waiting) -> Result<Option<(String, &'static str)>, OrdersError> {
        let error = match self.act_on(&row).await {
            Ok(outcome) => return Ok(Some((row.id, outcome))),
            Err(error) => error,
        };
        within(async {
            if row.attempts >= TRIES && !error.is_outage() {
                tracing::error!(stripe.event = row.id, kind = row.kind, %error, "parked for a person");
                sqlx::query("update stripe_events set parked_at = now(), outcome = $2 where id = $1")
                    .bind(&row.id)
                    .bind(error.to_string())
                    .execute(&self.pg)
                    .await?;
                return Ok(None);
            }
            tracing::warn!(stripe.event = row.id, kind = row.kind, %error, "an event is tried again");
            sqlx::query(
                "update stripe_events set outcome = $2, due_at = now() + make_interval(secs => $3)
                  where id = $1",
            )
            .bind(&row.id)
            .bind(error.to_string())
            .bind(pause(row.attempts))
            .execute(&self.pg)
            .await?;
            Ok(None)
        })
        .await
    }

    async fn close_events(&self, done: Vec<(String, &'static str)>) -> Result<(), OrdersError> {
        let (ids, outcomes): (Vec<_>, Vec<_>) = done.into_iter().unzip();
        within(async {
            // Model: EventDone
            let done = sqlx::query(
                "update stripe_events e set done_at = now(), outcome = d.outcome
                   from unnest($1::text[], $2::text[]) as d (id, outcome) where e.id = d.id",
            )
            .bind(ids)
            .bind(outcomes)
            .execute(&self.pg);
            proof::step(Step::CloseInbox, done).await?;
            Ok(())
        })
        .await
    }

    async fn act_on(&self, row: &Waiting) -> Result<&'static str, OrdersError> {
        match row.kind.as_str() {
            "payment_intent.succeeded"
            | "payment_intent.payment_failed"
            | "payment_intent.canceled"
            | "payment_intent.processing"
            | "charge.succeeded"
            | "charge.failed" => self.act_on_intent(row).await,
            "charge.refunded" => {
                // Model: AdoptRefund
                for refund in self.payments.refunds_of(&row.object_id).await? {
                    self.adopt_refund(&refund).await?;
                }
                Ok("refunds looked at")
            }
            "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => {
                match self.payments.refund_by_id(&row.object_id).await? {
                    Some(refund) => self.adopt_refund(&refund).await.map(|_| "refund looked at"),
                    None => Ok("no such refund"),
                }
            }
            _ => Ok("ignored"),
        }
    }

    async fn act_on_intent(&self, row: &Waiting) -> Result<&'static str, OrdersError> {
        // Model: FetchIntent
        let fetched = proof::step(Step::FetchIntent, self.payments.intent(&row.object_id)).await?;
        let Some(intent) = fetched else { return Ok("no such intent") };
        let because = Because::of(Actor::Stripe, row.kind.clone());
        match self.settle(&intent, &because).await {
            Ok(state) => {
                if state == OrderState::Confirmed && row.kind == "payment_intent.succeeded" {
                    let took = OffsetDateTime::now_utc() - row.received_at;
                    Metrics::time(&self.metrics.confirm_seconds, took.unsigned_abs());
                }
                Ok(state.as_str())
            }
            Err(OrdersError::NotFound) => self.nobodys(row, &intent).await,
            Err(error) => Err(error),
        }
    }

    /// A payment whose order we do not have: somebody else's business on the same account, an order whose commit
    /// is still on its way, or one that was lost. Captured money of ours is parked, never forgotten.
    async fn nobodys(&self, row: &Waiting, intent: &Intent) -> Result<&'static str, OrdersError> {
        if row.order_id.is_none() && !intent.metadata.contains_key("order_id") {
            return Ok("not ours");
        }
        if self.is_parked(intent).await? {
            return Ok("parked");
        }
        if row.attempts < TRIES {
            return Err(OrdersError::NotFound);
        }
        self.park_money(intent, "its order is not known").await?;
        Ok("parked")
    }
}

/// What to fetch: refund events are about a refund, all others about a PaymentIntent.
fn subject_of(notice: &Notice) -> &str {
    if notice.kind.starts_with("refund.") || notice.kind == "charge.refund.updated" {
        return &notice.object_id;
    }
    notice.intent_id.as_deref().unwrap_or(&notice.object_id)
}
