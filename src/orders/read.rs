//! What a customer or an organiser sees of an order.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::ids::{AccountId, EventId, HoldId, OrderId};
use crate::orders::Desk;
use crate::orders::cancel::Cancellation;
use crate::orders::error::OrdersError;
use crate::orders::state::OrderState;
use crate::stores::postgres::within;

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
    pub id: Uuid,
    pub seat_id: String,
    /// What is shown at the door.
    pub code: String,
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
    pub created_at: OffsetDateTime,
    pub seats: Vec<OrderSeat>,
    pub tickets: Vec<Ticket>,
    pub history: Vec<LogEntry>,
    pub refunds: Vec<RefundView>,
    pub payment: Option<PaymentToMake>,
    pub cancel: Cancellation,
}

#[derive(Debug, sqlx::FromRow)]
struct Head {
    id: OrderId,
    event_id: EventId,
    account_id: AccountId,
    hold_id: HoldId,
    state: OrderState,
    amount: i64,
    currency: String,
    pay_by: OffsetDateTime,
    created_at: OffsetDateTime,
    payment_intent: Option<String>,
    client_secret: Option<String>,
    /// What was captured and has not gone back, nor is on its way.
    left: i64,
    title: String,
    venue: String,
    starts_at: OffsetDateTime,
    has_started: bool,
    buyer_name: String,
    buyer_email: String,
}

/// Orders with their newest payment, narrowed by what follows.
macro_rules! heads {
    ($narrowed:literal) => {
        concat!(
            "select o.id, o.event_id, o.account_id, o.hold_id, o.state, o.amount, o.currency, o.pay_by, o.created_at,
                    p.payment_intent, p.client_secret,
                    (coalesce(p.captured, 0) - coalesce((select sum(r.amount) from refunds r
                       where r.payment_intent = p.payment_intent and r.state <> 'failed'), 0))::bigint as left,
                    e.title, e.venue, e.starts_at, e.starts_at <= now() as has_started,
                    a.name as buyer_name, a.email as buyer_email
               from orders o
               join events e on e.id = o.event_id
               join accounts a on a.id = o.account_id
               left join lateral (select * from payments p
                                   where p.event_id = o.event_id and p.order_id = o.id
                                   order by p.attempt desc limit 1) p on true ",
            $narrowed
        )
    };
}

/// What to look for among orders. Empty finds all.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// An order's id, a seat's, a ticket's code, or a part of the buyer's name or address.
    pub text: Option<String>,
    pub state: Option<OrderState>,
}

impl Search {
    /// The text as a pattern in which nothing is a wildcard but the ends.
    fn pattern(&self) -> Option<String> {
        let text = self.text.as_ref()?;
        let plain: String = text
            .chars()
            .flat_map(|letter| match letter {
                '%' | '_' | '\\' => vec!['\\', letter],
                other => vec![other],
            })
            .collect();
        Some(format!("%{plain}%"))
    }
}

/// Which orders, and after which one.
#[derive(Debug, Clone)]
pub enum Whose {
    Customer(AccountId),
    Event(EventId),
}

impl Desk {
    /// A customer's own order. Somebody else's does not exist for them.
    pub async fn own_order(&self, customer: AccountId, order: OrderId) -> Result<Order, OrdersError> {
        let found = self.order_unchecked(order).await?;
        if found.buyer.id == customer { Ok(found) } else { Err(OrdersError::NotFound) }
    }

    /// An order, whoever it belongs to: the caller has checked who asks.
    pub async fn order_unchecked(&self, order: OrderId) -> Result<Order, OrdersError> {
        within(async {
            let mut db = self.pg.acquire().await?;
            let head: Head = sqlx::query_as(heads!("where o.id = $1"))
                .bind(order)
                .fetch_optional(&mut *db)
                .await?
                .ok_or(OrdersError::NotFound)?;
            whole(&mut db, vec![head]).await?.pop().ok_or(OrdersError::NotFound)
        })
        .await
    }

    /// The order that a hold became, if it did and if it is this customer's.
    pub async fn order_of_hold(
        &self,
        customer: AccountId,
        hold: HoldId,
    ) -> Result<Option<OrderId>, OrdersError> {
        within(async {
            let found: Option<(OrderId,)> = sqlx::query_as(
                "select o.id from orders o join events e on e.id = o.event_id
                  where e.number = $1 and o.hold_id = $2 and o.account_id = $3",
            )
            .bind(hold.event_number())
            .bind(hold)
            .bind(customer)
            .fetch_optional(&self.pg)
            .await?;
            Ok(found.map(|(order,)| order))
        })
        .await
    }

    /// A page of the orders that a search finds, newest first, after the given one.
    pub async fn orders(
        &self,
        whose: &Whose,
        search: &Search,
        after: Option<OrderId>,
        limit: i64,
    ) -> Result<Vec<Order>, OrdersError> {
        let (customer, event) = match *whose {
            Whose::Customer(id) => (Some(id), None),
            Whose::Event(id) => (None, Some(id)),
        };
        within(async {
            let mut db = self.pg.acquire().await?;
            let heads: Vec<Head> = sqlx::query_as(heads!(
                "where ($1::uuid is null or o.account_id = $1) and ($2::uuid is null or o.event_id = $2)
                   and ($3::uuid is null or o.id < $3)
                   and ($5::text is null or o.state = $5)
                   and ($6::text is null or o.id::text = lower($6) or a.name ilike $7 or a.email ilike $7
                        or exists (select from order_seats s
                                    where s.event_id = o.event_id and s.order_id = o.id and s.seat_id = $6)
                        or exists (select from tickets t
                                    where t.event_id = o.event_id and t.order_id = o.id and t.code = $6))
                 order by o.id desc limit $4"
            ))
            .bind(customer)
            .bind(event)
            .bind(after)
            .bind(limit)
            .bind(search.state)
            .bind(&search.text)
            .bind(search.pattern())
            .fetch_all(&mut *db)
            .await?;
            whole(&mut db, heads).await
        })
        .await
    }
}

/// A row that belongs to one of several orders.
#[derive(Debug, sqlx::FromRow)]
struct Of<T> {
    order_id: OrderId,
    #[sqlx(flatten)]
    row: T,
}

/// Completes orders with their seats, tickets, history and refunds: four queries, however many orders.
async fn whole(db: &mut PgConnection, heads: Vec<Head>) -> Result<Vec<Order>, OrdersError> {
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
            "select order_id, t.id, s.seat_id, t.code, t.state as status, t.checked_in_at
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
            created_at: head.created_at,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_searched_for_is_taken_literally() {
        let pattern = |text: &str| Search { text: Some(text.to_owned()), state: None }.pattern();
        assert_eq!(pattern("ada").as_deref(), Some("%ada%"));
        assert_eq!(pattern(r"50%_\").as_deref(), Some(r"%50\%\_\\%"));
    }
}
