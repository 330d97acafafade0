//! The door: a ticket lets somebody in once, whichever of many doors it is shown at.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::ids::{AccountId, EventId, OrderId};
use crate::orders::Desk;
use crate::orders::error::OrdersError;
use crate::stores::postgres::within;

/// A ticket as a door sees it.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct DoorTicket {
    pub id: Uuid,
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

impl Desk {
    /// Which event a ticket is for.
    pub async fn event_of_ticket(&self, code: &str) -> Result<EventId, OrdersError> {
        within(async {
            let found: Option<(EventId,)> = sqlx::query_as("select event_id from tickets where code = $1")
                .bind(code)
                .fetch_optional(&self.pg)
                .await?;
            found.map(|(event,)| event).ok_or(OrdersError::NotFound)
        })
        .await
    }

    /// Lets somebody in. Of all who show the same ticket, at however many doors, exactly one gets in.
    pub async fn check_in(
        &self,
        event: EventId,
        code: &str,
        by: AccountId,
    ) -> Result<Admission, OrdersError> {
        within(async {
            // One statement decides: whoever comes second waits for the row and then finds it taken.
            let let_in = sqlx::query(
                "update tickets set checked_in_at = now(), checked_in_by = $3
                  where event_id = $1 and code = $2 and state = 'valid' and checked_in_at is null",
            )
            .bind(event)
            .bind(code)
            .bind(by)
            .execute(&self.pg)
            .await?;
            let admission: Admission = sqlx::query_as(
                "select t.id, t.code, t.state as status, s.seat_id, s.section, s.row_name as row, s.seat, s.category,
                        t.checked_in_at, t.order_id, t.event_id, e.title as event_title, a.name as customer_name,
                        b.name as checked_in_by
                   from tickets t
                   join order_seats s using (event_id, order_id, ordinal)
                   join orders o on o.event_id = t.event_id and o.id = t.order_id
                   join accounts a on a.id = o.account_id
                   join events e on e.id = t.event_id
                   left join accounts b on b.id = t.checked_in_by
                  where t.event_id = $1 and t.code = $2",
            )
            .bind(event)
            .bind(code)
            .fetch_optional(&self.pg)
            .await?
            .ok_or(OrdersError::NotFound)?;
            match (let_in.rows_affected(), admission.ticket.checked_in_at) {
                (1, _) => Ok(admission),
                _ if admission.ticket.status != "valid" => Err(OrdersError::TicketVoid),
                (_, Some(at)) => {
                    let by = admission.checked_in_by.unwrap_or_default();
                    Err(OrdersError::AlreadyCheckedIn { at, by })
                }
                (_, None) => Err(OrdersError::Inconsistent {
                    order: admission.order_id,
                    what: "a valid ticket let nobody in",
                }),
            }
        })
        .await
    }

    /// The code of a customer's own ticket, while it is good for something.
    pub async fn own_ticket_code(&self, customer: AccountId, ticket: Uuid) -> Result<String, OrdersError> {
        within(async {
            let found: Option<(String, String)> = sqlx::query_as(
                "select t.code, t.state from orders o
                   join tickets t on t.event_id = o.event_id and t.order_id = o.id
                  where o.account_id = $1 and t.id = $2",
            )
            .bind(customer)
            .bind(ticket)
            .fetch_optional(&self.pg)
            .await?;
            match found {
                Some((code, state)) if state == "valid" => Ok(code),
                Some(_) => Err(OrdersError::TicketVoid),
                None => Err(OrdersError::NotFound),
            }
        })
        .await
    }
}
