//! How a sale stands, in numbers.

use serde::Serialize;
use utoipa::ToSchema;

use crate::ids::EventId;
use crate::orders::Desk;
use crate::orders::error::OrdersError;
use crate::stores::postgres::within;

/// Orders of one state.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct StateCount {
    pub status: String,
    pub orders: i64,
    /// What these orders cost together, in minor units.
    pub amount: i64,
}

/// Seats sold in one category.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct CategoryCount {
    pub category: String,
    pub sold: i64,
    pub revenue: i64,
}

/// The report of one event.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SaleReport {
    pub event_id: EventId,
    pub orders: Vec<StateCount>,
    pub categories: Vec<CategoryCount>,
    /// Captured on confirmed orders, less what was given back of it.
    pub revenue: i64,
    pub refunded: i64,
    pub blocked: i64,
}

impl Desk {
    /// Counts an event's orders, seats and money, all as of one moment.
    pub async fn report(&self, event: EventId) -> Result<SaleReport, OrdersError> {
        within(async {
            let mut tx = self.pg.begin().await?;
            sqlx::query("set transaction isolation level repeatable read, read only")
                .execute(&mut *tx)
                .await?;
            let orders = sqlx::query_as(
                "select state as status, count(*) as orders, sum(amount)::bigint as amount from orders
                  where event_id = $1 group by state order by state",
            )
            .bind(event)
            .fetch_all(&mut *tx)
            .await?;
            let categories = sqlx::query_as(
                "select s.category, count(*) as sold, sum(s.price)::bigint as revenue
                   from orders o join order_seats s on s.event_id = o.event_id and s.order_id = o.id
                  where o.event_id = $1 and o.state = 'confirmed' group by s.category order by s.category",
            )
            .bind(event)
            .fetch_all(&mut *tx)
            .await?;
            let (captured, refunded, blocked): (i64, i64, i64) = sqlx::query_as(
                "select coalesce((select sum(captured) from payments where event_id = $1), 0)::bigint,
                        coalesce((select sum(amount) from refunds
                                   where event_id = $1 and state <> 'failed'), 0)::bigint,
                        (select count(*) from seat_claims where event_id = $1 and state = 'blocked')",
            )
            .bind(event)
            .fetch_one(&mut *tx)
            .await?;
            tx.rollback().await?;
            let revenue = captured - refunded;
            Ok(SaleReport { event_id: event, orders, categories, revenue, refunded, blocked })
        })
        .await
    }
}
