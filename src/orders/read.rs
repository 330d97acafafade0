//! What a customer or an organiser sees of an order.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::ids::{AccountId, EventId, HoldId, OrderId, TicketId};
use crate::orders::cancel::Cancellation;
use crate::orders::error::OrdersError;
use crate::orders::find::Head;
use crate::orders::state::OrderState;

/// A seat as it was priced.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct OrderSeat {
    pub id: String,
    pub section: String,
    pub row: Option<String>,
    pub seat: Option<String>,
    pub category: String,
    pub price: i64,
}

/// The right to sit on one seat.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct Ticket {
    pub id: TicketId,
    pub seat_id: String,
    /// What is shown at the door.
    pub code: String,
    /// Counts its codes from 1: one that was moved to another seat has a newer one, and only that is good.
    pub issue: i32,
    /// `valid`, or `void` once its order is cancelled.
    pub status: String,
    /// When somebody was let in with it.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub checked_in_at: Option<OffsetDateTime>,
}

/// What an order is for, in a few words.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EventSummary {
    pub id: EventId,
    pub title: String,
    pub venue: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub starts_at: OffsetDateTime,
}

/// Who bought. For organisers; a customer knows.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Buyer {
    pub id: AccountId,
    pub name: String,
    pub email: String,
}

/// One line of an order's history.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct LogEntry {
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: OffsetDateTime,
    pub from: Option<String>,
    pub to: String,
    pub cause: String,
}

/// Money that went back, or is on its way.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct RefundView {
    pub id: Uuid,
    pub amount: i64,
    pub currency: String,
    pub cause: String,
    /// `due`, `pending`, `succeeded` or `failed`.
    pub status: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: OffsetDateTime,
}

/// What a page needs to take the money.
#[derive(Debug, Clone)]
pub struct PaymentToMake {
    pub payment_intent: String,
    pub client_secret: String,
}

/// An order with all that belongs to it.
#[derive(Debug, Clone)]
pub struct Order {
    pub id: OrderId,
    pub event: EventSummary,
    pub buyer: Buyer,
    pub hold_id: HoldId,
    pub status: OrderState,
    pub amount: i64,
    pub currency: String,
    pub pay_by: OffsetDateTime,
    /// By the clock that `pay_by` is of: a node's may be wrong.
    pub read_at: OffsetDateTime,
    pub created_at: OffsetDateTime,
    pub seats: Vec<OrderSeat>,
    pub tickets: Vec<Ticket>,
    pub history: Vec<LogEntry>,
    pub refunds: Vec<RefundView>,
    pub payment: Option<PaymentToMake>,
    /// Why it was given away, if it was.
    pub comp_reason: Option<String>,
    pub cancel: Cancellation,
}

/// A row that belongs to one of several orders.
#[derive(Debug, sqlx::FromRow)]
struct Of<T> {
    order_id: OrderId,
    #[sqlx(flatten)]
    row: T,
}

/// Completes orders with their seats, tickets, history and refunds: four queries, however many orders.
pub(super) async fn whole(db: &mut PgConnection, heads: Vec<Head>) -> Result<Vec<Order>, OrdersError> {
    let events: Vec<_> = heads.iter().map(|head| head.event_id.0).collect();
    let orders: Vec<_> = heads.iter().map(|head| head.id.0).collect();
    let mut seats = grouped::<OrderSeat>(
        sqlx::query_as(
            "select order_id, seat_id as id, section, row_name as row, seat, category, price from order_seats
              where event_id = any ($1) and order_id = any ($2) order by order_id, ordinal",
        )
        .bind(&events)
        .bind(&orders)
        .fetch_all(&mut *db)
        .await?,
    );
    let mut tickets = grouped::<Ticket>(
        sqlx::query_as(
            "select order_id, t.id, s.seat_id, t.code, t.issue, t.state as status, t.checked_in_at
               from tickets t join order_seats s using (event_id, order_id, ordinal)
              where event_id = any ($1) and order_id = any ($2) order by order_id, ordinal, t.issued_at",
        )
        .bind(&events)
        .bind(&orders)
        .fetch_all(&mut *db)
        .await?,
    );
    let mut history = grouped::<LogEntry>(
        sqlx::query_as(
            "select order_id, at, from_state as \"from\", to_state as \"to\", cause from order_log
              where event_id = any ($1) and order_id = any ($2) order by order_id, step",
        )
        .bind(&events)
        .bind(&orders)
        .fetch_all(&mut *db)
        .await?,
    );
    let mut refunds = grouped::<RefundView>(
        sqlx::query_as(
            "select order_id, id, amount, currency, cause, state as status, created_at from refunds
              where event_id = any ($1) and order_id = any ($2) order by order_id, id",
        )
        .bind(&events)
        .bind(&orders)
        .fetch_all(&mut *db)
        .await?,
    );
    let mut part = |head: Head| {
        let id = head.id;
        // The secret opens the money door, so it is shown only while that door should be open.
        let payment = match (head.payment_intent, head.client_secret) {
            (Some(payment_intent), Some(client_secret)) if head.state == OrderState::AwaitingPayment => {
                Some(PaymentToMake { payment_intent, client_secret })
            }
            _ => None,
        };
        Order {
            id,
            event: EventSummary {
                id: head.event_id,
                title: head.title,
                venue: head.venue,
                starts_at: head.starts_at,
            },
            buyer: Buyer { id: head.account_id, name: head.buyer_name, email: head.buyer_email },
            cancel: Cancellation::of(head.state, head.has_started, head.left),
            hold_id: head.hold_id,
            status: head.state,
            amount: head.amount,
            currency: head.currency,
            pay_by: head.pay_by,
            read_at: head.read_at,
            created_at: head.created_at,
            comp_reason: head.comp_reason,
            seats: seats.remove(&id).unwrap_or_default(),
            tickets: tickets.remove(&id).unwrap_or_default(),
            history: history.remove(&id).unwrap_or_default(),
            refunds: refunds.remove(&id).unwrap_or_default(),
            payment,
        }
    };
    Ok(heads.into_iter().map(&mut part).collect())
}

fn grouped<T>(rows: Vec<Of<T>>) -> HashMap<OrderId, Vec<T>> {
    let mut groups: HashMap<OrderId, Vec<T>> = HashMap::new();
    for Of { order_id, row } in rows {
        groups.entry(order_id).or_default().push(row);
    }
    groups
}
