//! What still waits: the gauges that tell an operator of a queue that grows and of what only a person can solve.

use crate::orders::Desk;
use crate::stores::postgres::{Outage, within};

/// How much of one kind waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Queue {
    pub depth: i64,
    /// How long the oldest has waited.
    pub age_seconds: i64,
    /// What was given up on and waits for a person.
    pub parked: i64,
}

/// Everything that waits.
#[derive(Debug, Clone, Copy)]
pub struct Backlog {
    pub inbox: Queue,
    pub outbox: Queue,
    /// Captured payments without an order, and refunds that failed.
    pub parked_money: i64,
    /// Orders of cancelled events that have not ended, or whose money is not back.
    pub to_call_off: i64,
}

impl Desk {
    /// Counts what waits, and shows it in the metrics.
    pub async fn backlog(&self) -> Result<Backlog, Outage> {
        let backlog = within::<_, Outage>(async {
            let mut db = self.pg.acquire().await?;
            let inbox: Queue = sqlx::query_as(
                "select count(*) filter (where parked_at is null) as depth,
                        coalesce(extract(epoch from now() - min(received_at) filter (where parked_at is null)),
                                 0)::bigint as age_seconds,
                        count(*) filter (where parked_at is not null) as parked
                   from stripe_events where done_at is null",
            )
            .fetch_one(&mut *db)
            .await?;
            let outbox: Queue = sqlx::query_as(
                "select count(*) filter (where parked_at is null) as depth,
                        coalesce(extract(epoch from now() - min(created_at) filter (where parked_at is null)),
                                 0)::bigint as age_seconds,
                        count(*) filter (where parked_at is not null) as parked
                   from outbox",
            )
            .fetch_one(&mut *db)
            .await?;
            let (parked_money,): (i64,) = sqlx::query_as(
                "select (select count(*) from parked_payments where resolved_at is null)
                        + (select count(*) from refunds where state = 'failed')",
            )
            .fetch_one(&mut *db)
            .await?;
            let (to_call_off,): (i64,) = sqlx::query_as(
                "select count(*) from events e join orders o on o.event_id = e.id
                  where e.state = 'cancelled'
                        and o.state in ('awaiting_payment', 'closing', 'confirmed', 'refunding')",
            )
            .fetch_one(&mut *db)
            .await?;
            Ok(Backlog { inbox, outbox, parked_money, to_call_off })
        })
        .await?;
        let metrics = &self.metrics;
        metrics.inbox_depth.set(backlog.inbox.depth);
        metrics.inbox_age_seconds.set(backlog.inbox.age_seconds);
        metrics.inbox_parked.set(backlog.inbox.parked);
        metrics.outbox_depth.set(backlog.outbox.depth);
        metrics.outbox_age_seconds.set(backlog.outbox.age_seconds);
        metrics.outbox_parked.set(backlog.outbox.parked);
        metrics.parked_payments.set(backlog.parked_money);
        metrics.to_call_off.set(backlog.to_call_off);
        Ok(backlog)
    }
}
