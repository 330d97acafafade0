//! How a sale stands, in numbers.

use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::ids::{EventId, OrderId};
use crate::orders::Desk;
use crate::orders::error::OrdersError;
use crate::orders::state::OrderState;
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

/// Seats sold in one section or standing area.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct SectionCount {
    pub section: String,
    pub sold: i64,
    pub revenue: i64,
}

/// Seats sold on one day, by UTC.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct DayCount {
    /// `2031-05-01`
    pub day: String,
    pub sold: i64,
    pub revenue: i64,
}

/// How far the calling off of a cancelled event is.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct CallingOff {
    /// Orders that are still to be called off.
    pub to_call_off: i64,
    /// Orders whose money is on its way back.
    pub refunding: i64,
    /// Orders whose money is back.
    pub refunded: i64,
}

/// One seat of one order, for a table.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct SoldSeat {
    pub order_id: OrderId,
    pub ordinal: i32,
    pub status: OrderState,
    pub ordered_at: OffsetDateTime,
    pub customer_name: String,
    pub customer_email: String,
    pub seat_id: String,
    pub section: String,
    pub row: Option<String>,
    pub seat: Option<String>,
    pub category: String,
    pub price: i64,
    pub currency: String,
    pub complimentary: bool,
    pub ticket_status: Option<String>,
    pub checked_in_at: Option<OffsetDateTime>,
}

/// The report of one event.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SaleReport {
    pub event_id: EventId,
    pub orders: Vec<StateCount>,
    pub categories: Vec<CategoryCount>,
    pub sections: Vec<SectionCount>,
    /// Of what is sold now, by the day on which it was.
    pub days: Vec<DayCount>,
    /// Seats that were given away.
    pub complimentary: i64,
    /// Null unless the event is cancelled.
    pub calling_off: Option<CallingOff>,
    /// Captured on confirmed orders, less what was given back of it.
    pub revenue: i64,
    pub refunded: i64,
    pub blocked: i64,
    /// Tickets that have let somebody in.
    pub checked_in: i64,
    /// Parties on the waiting list.
    pub waiting: i64,
    /// What was confirmed when, from the first sale until now, in equal steps. Empty before the first.
    pub timeline: Vec<Bucket>,
    /// How long one of these steps is.
    pub bucket_seconds: i64,
}

/// What was confirmed in one step of time, whatever became of it later.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct Bucket {
    /// When the step began.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: OffsetDateTime,
    pub seats: i64,
    pub amount: i64,
}

/// The most steps of a timeline: as many as a small plot shows.
const MOST_BUCKETS: i64 = 60;
/// Steps that people count in, in seconds.
const STEPS: [i64; 11] = [10, 30, 60, 300, 900, 3600, 3 * 3600, 12 * 3600, 86_400, 7 * 86_400, 28 * 86_400];

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
            let (captured, refunded, blocked, checked_in, waiting): (i64, i64, i64, i64, i64) =
                sqlx::query_as(
                    "select coalesce((select sum(captured) from payments where event_id = $1), 0)::bigint,
                        coalesce((select sum(amount) from refunds
                                   where event_id = $1 and state <> 'failed'), 0)::bigint,
                        (select count(*) from seat_claims where event_id = $1 and state = 'blocked'),
                        (select count(*) from tickets where event_id = $1 and checked_in_at is not null),
                        (select count(*) from waitlist where event_id = $1 and state = 'waiting')",
                )
                .bind(event)
                .fetch_one(&mut *tx)
                .await?;
            let sections = sqlx::query_as(
                "select s.section, count(*) as sold, sum(s.price)::bigint as revenue
                   from orders o join order_seats s on s.event_id = o.event_id and s.order_id = o.id
                  where o.event_id = $1 and o.state = 'confirmed' group by s.section order by s.section",
            )
            .bind(event)
            .fetch_all(&mut *tx)
            .await?;
            let days = sqlx::query_as(
                "select to_char(l.at at time zone 'UTC', 'YYYY-MM-DD') as day, count(*) as sold,
                        sum(s.price)::bigint as revenue
                   from orders o join order_seats s on s.event_id = o.event_id and s.order_id = o.id
                   join order_log l on l.event_id = o.event_id and l.order_id = o.id and l.to_state = 'confirmed'
                  where o.event_id = $1 and o.state = 'confirmed' group by 1 order by 1",
            )
            .bind(event)
            .fetch_all(&mut *tx)
            .await?;
            let (complimentary,): (i64,) = sqlx::query_as(
                "select count(*) from orders o join order_seats s on s.event_id = o.event_id and s.order_id = o.id
                  where o.event_id = $1 and o.state = 'confirmed' and o.comp_reason is not null",
            )
            .bind(event)
            .fetch_one(&mut *tx)
            .await?;
            let calling_off = sqlx::query_as(
                "select count(*) filter (where o.state in ('awaiting_payment', 'closing', 'confirmed')) as to_call_off,
                        count(*) filter (where o.state = 'refunding') as refunding,
                        count(*) filter (where o.state = 'refunded') as refunded
                   from events e left join orders o on o.event_id = e.id
                  where e.id = $1 and e.state = 'cancelled' group by e.id",
            )
            .bind(event)
            .fetch_optional(&mut *tx)
            .await?;
            let (bucket_seconds, timeline) = timeline(&mut tx, event).await?;
            tx.rollback().await?;
            Ok(SaleReport {
                event_id: event,
                orders,
                categories,
                sections,
                days,
                complimentary,
                calling_off,
                revenue: captured - refunded,
                refunded,
                blocked,
                checked_in,
                waiting,
                timeline,
                bucket_seconds,
            })
        })
        .await
    }
}

impl Desk {
    /// A page of an event's seats that were ever ordered, oldest order first, after the given seat of an order.
    pub async fn sold_seats(
        &self,
        event: EventId,
        after: Option<(OrderId, i32)>,
        limit: i64,
    ) -> Result<Vec<SoldSeat>, OrdersError> {
        let (order, ordinal) = after.unzip();
        within(async {
            Ok(sqlx::query_as(
                "select o.id as order_id, s.ordinal, o.state as status, o.created_at as ordered_at,
                        a.name as customer_name, a.email as customer_email, s.seat_id, s.section, s.row_name as row,
                        s.seat, s.category, s.price, o.currency, o.comp_reason is not null as complimentary,
                        t.state as ticket_status, t.checked_in_at
                   from orders o
                   join accounts a on a.id = o.account_id
                   join order_seats s on s.event_id = o.event_id and s.order_id = o.id
                   left join lateral (select state, checked_in_at from tickets t
                                       where t.event_id = s.event_id and t.order_id = s.order_id and t.ordinal = s.ordinal
                                       order by t.issued_at desc limit 1) t on true
                  where o.event_id = $1 and ($2::uuid is null or (o.id, s.ordinal) > ($2, $3))
                  order by o.id, s.ordinal limit $4",
            )
            .bind(event)
            .bind(order)
            .bind(ordinal)
            .bind(limit)
            .fetch_all(&self.pg)
            .await?)
        })
        .await
    }
}

async fn timeline(tx: &mut PgConnection, event: EventId) -> Result<(i64, Vec<Bucket>), OrdersError> {
    let (seconds,): (Option<i64>,) = sqlx::query_as(
        "select extract(epoch from now() - min(at))::bigint from order_log where event_id = $1 and to_state = 'confirmed'",
    )
    .bind(event)
    .fetch_one(&mut *tx)
    .await?;
    let Some(seconds) = seconds else { return Ok((STEPS[0], Vec::new())) };
    let step = step_for(seconds);
    let buckets = sqlx::query_as(
        "with confirmed as (
             select date_bin($2 * interval '1 second', l.at, 'epoch') as at, s.price
               from order_log l join order_seats s using (event_id, order_id)
              where l.event_id = $1 and l.to_state = 'confirmed')
         select step.at, count(c.price) as seats, coalesce(sum(c.price), 0)::bigint as amount
           from generate_series((select min(at) from confirmed), now(), $2 * interval '1 second') as step (at)
           left join confirmed c on c.at = step.at
          group by step.at order by step.at",
    )
    .bind(event)
    .bind(step)
    .fetch_all(&mut *tx)
    .await?;
    Ok((step, buckets))
}

/// The shortest step with which a span of time fits the plot.
fn step_for(seconds: i64) -> i64 {
    let longest = STEPS[STEPS.len() - 1];
    // Both ends may lie inside a step, which makes one more.
    STEPS.into_iter().find(|step| seconds / step + 2 <= MOST_BUCKETS).unwrap_or(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_is_as_fine_as_a_plot_can_show() {
        assert_eq!(step_for(0), 10);
        assert_eq!(step_for(3600), 300);
        assert_eq!(step_for(86_400 * 30), 86_400);
        for seconds in (0..86_400 * 400).step_by(7919) {
            assert!(seconds / step_for(seconds) + 2 <= MOST_BUCKETS, "{seconds}");
        }
    }
}
