//! What happened to a ticket: let in, undone, refused, moved, void. Rows are added and never changed.

use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::ids::{EventId, OrderId, TicketId};
use crate::orders::Desk;
use crate::orders::error::OrdersError;
use crate::orders::log::Because;
use crate::stores::postgres::within;

/// One line of a ticket's history.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct TicketLogEntry {
    /// When we were told.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: OffsetDateTime,
    /// `checked_in`, `undone`, `refused`, `moved` or `voided`.
    pub what: String,
    /// When a device at a door saw it: earlier, when it had no network.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub seen_at: Option<OffsetDateTime>,
    /// Who did it: a name, or `stripe`, `clock` or `reconciler`.
    pub by: String,
    pub reason: Option<String>,
    /// Of a move.
    pub from_seat: Option<String>,
    pub to_seat: Option<String>,
}

/// Which ticket a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct About {
    pub event: EventId,
    pub ticket: TicketId,
    pub order: OrderId,
}

/// A refusal at a door: who showed what to whom is what a dispute is about.
pub(super) async fn refused(
    db: &mut PgConnection,
    about: About,
    seen_at: Option<OffsetDateTime>,
    because: &Because,
) -> Result<(), OrdersError> {
    sqlx::query(
        "insert into ticket_log (event_id, ticket_id, order_id, what, seen_at, actor, reason, request_id)
         values ($1, $2, $3, 'refused', least(now(), coalesce($4, now())), $5, $6, $7)",
    )
    .bind(about.event)
    .bind(about.ticket)
    .bind(about.order)
    .bind(seen_at)
    .bind(because.actor.to_string())
    .bind(&because.cause)
    .bind(&because.request_id)
    .execute(db)
    .await?;
    Ok(())
}

/// A move: ordinals for machines, and seats as people call them.
pub(super) async fn moved(
    db: &mut PgConnection,
    about: About,
    (from, from_seat): (i32, &str),
    (to, to_seat): (i32, &str),
    because: &Because,
) -> Result<(), OrdersError> {
    sqlx::query(
        "insert into ticket_log (event_id, ticket_id, order_id, what, actor, reason, request_id,
                                 from_ordinal, from_seat, to_ordinal, to_seat)
         values ($1, $2, $3, 'moved', $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(about.event)
    .bind(about.ticket)
    .bind(about.order)
    .bind(because.actor.to_string())
    .bind(&because.cause)
    .bind(&because.request_id)
    .bind(from)
    .bind(from_seat)
    .bind(to)
    .bind(to_seat)
    .execute(db)
    .await?;
    Ok(())
}

impl Desk {
    /// The history of a ticket, oldest first. The caller has checked who asks.
    pub async fn ticket_log(
        &self,
        event: EventId,
        ticket: TicketId,
    ) -> Result<Vec<TicketLogEntry>, OrdersError> {
        within(async {
            Ok(sqlx::query_as(
                "select l.at, l.what, l.seen_at, coalesce(a.name, l.actor) as by, l.reason, l.from_seat, l.to_seat
                   from ticket_log l
                   left join accounts a on a.id = case when l.actor ~ '^[0-9a-f-]{36}$' then l.actor::uuid end
                  where l.event_id = $1 and l.ticket_id = $2
                  order by l.id limit 1000",
            )
            .bind(event)
            .bind(ticket)
            .fetch_all(&self.pg)
            .await?)
        })
        .await
    }

    /// Which event a ticket is for, and which order it belongs to.
    pub async fn ticket_is_of(&self, ticket: TicketId) -> Result<(EventId, OrderId), OrdersError> {
        within(async {
            sqlx::query_as("select event_id, order_id from tickets where id = $1")
                .bind(ticket)
                .fetch_optional(&self.pg)
                .await?
                .ok_or(OrdersError::NotFound)
        })
        .await
    }
}
