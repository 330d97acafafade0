//! The door: a ticket lets somebody in once, whichever of many doors it is shown at.

use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::ids::{AccountId, EventId, OrderId, TicketId};
use crate::orders::Desk;
use crate::orders::error::OrdersError;
use crate::orders::log::{Actor, Because};
use crate::orders::ticket_log::{self, About};
use crate::proof::{self, Bug};
use crate::seal::same;
use crate::stores::postgres::within;
use crate::telemetry::Metrics;
use crate::tickets::tidy;

/// A ticket as a door sees it.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct DoorTicket {
    pub id: TicketId,
    pub code: String,
    /// `valid` or `void`.
    pub status: String,
    pub seat_id: String,
    pub section: String,
    pub row: Option<String>,
    pub seat: Option<String>,
    pub category: String,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub checked_in_at: Option<OffsetDateTime>,
}

/// Somebody who is let in.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct Admission {
    #[sqlx(flatten)]
    pub ticket: DoorTicket,
    pub order_id: OrderId,
    pub event_id: EventId,
    pub event_title: String,
    /// Who bought the ticket.
    pub customer_name: String,
    /// Who let them in; of this call when it succeeds.
    #[serde(skip)]
    checked_in_by: Option<String>,
}

/// A ticket that was shown, at whatever door.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Shown {
    pub event_id: EventId,
    pub id: TicketId,
    pub order_id: OrderId,
    /// The code that opens the door now: another than the one that was shown, when the ticket was moved since.
    code: String,
    #[sqlx(skip)]
    outdated: bool,
}

impl Shown {
    fn about(&self) -> About {
        About { event: self.event_id, ticket: self.id, order: self.order_id }
    }
}

/// Who scanned it, and when a device saw it.
#[derive(Debug, Clone)]
pub struct Scan {
    pub by: AccountId,
    /// `None`: now.
    pub seen_at: Option<OffsetDateTime>,
    pub request_id: String,
}

impl Desk {
    /// Which ticket a code means: the whole of it, or its end as somebody types it.
    ///
    /// What is stored decides, not the signature: so a code is known also to a node that does not have its key.
    pub async fn shown(&self, code: &str, door: Option<EventId>) -> Result<Shown, OrdersError> {
        let code = tidy(code);
        within(async {
            let mut found: Vec<Shown> = sqlx::query_as(
                "select event_id, id, order_id, code from tickets where code = $1
                 union
                 select event_id, id, order_id, code from tickets where right(code, 12) = $1
                 limit 9",
            )
            .bind(&code)
            .fetch_all(&self.pg)
            .await?;
            // Two with the same end: it is the one of this door, or nobody can say which, and it has to be scanned.
            if found.len() > 1 {
                found.retain(|shown| Some(shown.event_id) == door);
            }
            if let [shown] = &found[..] {
                return Ok(shown.clone());
            }
            let Some(claim) = self.tickets.read(&code) else { return Err(OrdersError::NotFound) };
            let newer: Option<Shown> = sqlx::query_as(
                "select t.event_id, t.id, t.order_id, t.code from tickets t join events e on e.id = t.event_id
                  where t.id = $1 and e.number = $2 and t.issue > $3",
            )
            .bind(claim.ticket)
            .bind(claim.event)
            .bind(i32::from(claim.issue))
            .fetch_optional(&self.pg)
            .await?;
            newer.map(|shown| Shown { outdated: true, ..shown }).ok_or(OrdersError::NotFound)
        })
        .await
        .inspect_err(|error| {
            if matches!(error, OrdersError::NotFound) {
                self.count_check_in("unknown");
            }
        })
    }

    /// Lets somebody in. Of all who show the same ticket, at however many doors, exactly one gets in: the one whose
    /// door tells us first. What is refused is written down, too.
    pub async fn check_in(&self, shown: &Shown, scan: &Scan) -> Result<Admission, OrdersError> {
        let outcome = within(async {
            let mut tx = self.pg.begin().await?;
            // The row's lock decides: whoever comes second waits for it, and then finds the ticket used.
            let now = look(&mut tx, (shown.event_id, shown.id), true).await?;
            let refused = refusal(shown, &now);
            if let Some((_, reason)) = &refused {
                let because =
                    Because::of(Actor::Account(scan.by), *reason).in_request(scan.request_id.clone());
                ticket_log::refused(&mut tx, shown.about(), scan.seen_at, &because).await?;
            } else {
                let_in(&mut tx, shown.about(), scan).await?;
            }
            let admission = look(&mut tx, (shown.event_id, shown.id), false).await?;
            tx.commit().await?;
            Ok::<_, OrdersError>(refused.map_or(Ok(admission), Err))
        })
        .await?;
        match outcome {
            Ok(admission) => {
                self.count_check_in("let_in");
                Ok(admission)
            }
            Err((error, reason)) => {
                self.count_check_in(reason);
                Err(error)
            }
        }
    }

    /// A ticket for another event was shown: nobody is let in, and it is written down.
    pub async fn refuse_at_wrong_door(&self, shown: &Shown, scan: &Scan) -> Result<(), OrdersError> {
        self.count_check_in("wrong_event");
        let because = Because::of(Actor::Account(scan.by), "wrong_event").in_request(scan.request_id.clone());
        within(async {
            let mut db = self.pg.acquire().await?;
            ticket_log::refused(&mut db, shown.about(), scan.seen_at, &because).await
        })
        .await
    }

    /// Takes a check-in back: the wrong one was scanned, or somebody goes out to come again.
    pub async fn undo_check_in(
        &self,
        event: EventId,
        ticket: TicketId,
        because: &Because,
    ) -> Result<DoorTicket, OrdersError> {
        let undone = within(async {
            let mut db = self.pg.acquire().await?;
            let (undone,): (i64,) = sqlx::query_as(
                "with undone as (
                    update tickets set checked_in_at = null, checked_in_by = null
                     where event_id = $1 and id = $2 and checked_in_at is not null
                    returning event_id, id, order_id),
                 logged as (
                    insert into ticket_log (event_id, ticket_id, order_id, what, actor, reason, request_id)
                    select event_id, id, order_id, 'undone', $3, $4, $5 from undone)
                 select count(*) from undone",
            )
            .bind(event)
            .bind(ticket)
            .bind(because.actor.to_string())
            .bind(&because.cause)
            .bind(&because.request_id)
            .fetch_one(&mut *db)
            .await?;
            if undone == 0 {
                return Err(OrdersError::NotCheckedIn);
            }
            Ok(look(&mut db, (event, ticket), false).await?.ticket)
        })
        .await?;
        self.count_check_in("undone");
        Ok(undone)
    }

    fn count_check_in(&self, outcome: &'static str) {
        Metrics::count(&self.metrics.check_ins, outcome);
    }
}

/// Why a ticket does not let anybody in: for whoever asks, and for the log.
fn refusal(shown: &Shown, now: &Admission) -> Option<(OrdersError, &'static str)> {
    if now.ticket.status != "valid" {
        return Some((OrdersError::TicketVoid, "void"));
    }
    // It was moved before it was shown, or between the look and the decision.
    if shown.outdated || !same(now.ticket.code.as_bytes(), shown.code.as_bytes()) {
        return Some((OrdersError::TicketMoved, "moved"));
    }
    let at = now.ticket.checked_in_at.filter(|_| !proof::planted(Bug::TicketLetsInTwice))?;
    let by = now.checked_in_by.clone().unwrap_or_default();
    Some((OrdersError::AlreadyCheckedIn { at, by }, "already_checked_in"))
}

async fn let_in(tx: &mut PgConnection, about: About, scan: &Scan) -> Result<(), OrdersError> {
    sqlx::query(
        "with let_in as (
            update tickets
               set checked_in_at = least(now(), greatest(coalesce($3, now()), issued_at)), checked_in_by = $4
             where event_id = $1 and id = $2
            returning event_id, id, order_id, checked_in_at)
         insert into ticket_log (event_id, ticket_id, order_id, what, seen_at, actor, request_id)
         select event_id, id, order_id, 'checked_in', checked_in_at, $4::text, $5 from let_in",
    )
    .bind(about.event)
    .bind(about.ticket)
    .bind(scan.seen_at)
    .bind(scan.by)
    .bind(&scan.request_id)
    .execute(tx)
    .await?;
    Ok(())
}

/// A ticket as it stands; `lock` keeps everybody else from changing it until the transaction ends.
async fn look(
    db: &mut PgConnection,
    (event, ticket): (EventId, TicketId),
    lock: bool,
) -> Result<Admission, OrdersError> {
    if lock {
        sqlx::query("select from tickets where event_id = $1 and id = $2 for update")
            .bind(event)
            .bind(ticket)
            .execute(&mut *db)
            .await?;
    }
    sqlx::query_as(
        "select t.id, t.code, t.state as status, s.seat_id, s.section, s.row_name as row, s.seat, s.category,
                t.checked_in_at, t.order_id, t.event_id, e.title as event_title, a.name as customer_name,
                b.name as checked_in_by
           from tickets t
           join order_seats s using (event_id, order_id, ordinal)
           join orders o on o.event_id = t.event_id and o.id = t.order_id
           join accounts a on a.id = o.account_id
           join events e on e.id = t.event_id
           left join accounts b on b.id = t.checked_in_by
          where t.event_id = $1 and t.id = $2",
    )
    .bind(event)
    .bind(ticket)
    .fetch_optional(db)
    .await?
    .ok_or(OrdersError::NotFound)
}
