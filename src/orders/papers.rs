//! What is drawn and printed of tickets: everything that stands on one, and who may have it.

use std::collections::HashMap;

use time::OffsetDateTime;

use crate::catalog::{Chart, Event, EventState};
use crate::ids::{AccountId, EventId, OrderId, TicketId};
use crate::orders::Desk;
use crate::orders::error::OrdersError;
use crate::orders::read::Order;
use crate::orders::state::OrderState;
use crate::stores::postgres::within;
use crate::tickets::{self, Entry, Print};

/// A ticket to be printed.
#[derive(Debug, Clone)]
pub struct Paper {
    pub event: EventId,
    pub owner: AccountId,
    pub seat_id: String,
    /// While it is good for something.
    pub is_valid: bool,
    pub order_state: OrderState,
    pub print: Print,
}

#[derive(Debug, sqlx::FromRow)]
struct Printed {
    event_id: EventId,
    order_id: OrderId,
    order_state: OrderState,
    owner: AccountId,
    holder: String,
    title: String,
    venue: String,
    starts_at: OffsetDateTime,
    currency: String,
    code: String,
    state: String,
    seat_id: String,
    section: String,
    row_name: Option<String>,
    seat: Option<String>,
    category: String,
    price: i64,
}

impl Desk {
    /// One ticket. The caller checks who asks.
    pub async fn paper_of_ticket(&self, ticket: TicketId) -> Result<Paper, OrdersError> {
        self.papers(None, Some(ticket)).await?.pop().ok_or(OrdersError::NotFound)
    }

    /// The tickets of an order, in the order of their seats. The caller checks who asks.
    pub async fn papers_of_order(&self, order: OrderId) -> Result<Vec<Paper>, OrdersError> {
        self.papers(Some(order), None).await
    }

    async fn papers(
        &self,
        order: Option<OrderId>,
        ticket: Option<TicketId>,
    ) -> Result<Vec<Paper>, OrdersError> {
        let rows: Vec<Printed> = within(async {
            Ok::<_, OrdersError>(
                sqlx::query_as(
                    "select t.event_id, t.order_id, o.state as order_state, o.account_id as owner, a.name as holder,
                            e.title, e.venue, e.starts_at, e.currency, t.code, t.state,
                            s.seat_id, s.section, s.row_name, s.seat, s.category, s.price
                       from (select * from tickets where id = $2
                             union all
                             select t.* from orders o join tickets t on t.event_id = o.event_id and t.order_id = o.id
                              where o.id = $1) t
                       join order_seats s using (event_id, order_id, ordinal)
                       join orders o on o.event_id = t.event_id and o.id = t.order_id
                       join accounts a on a.id = o.account_id
                       join events e on e.id = t.event_id
                      order by t.ordinal",
                )
                .bind(order)
                .bind(ticket)
                .fetch_all(&self.pg)
                .await?,
            )
        })
        .await?;
        let Some(first) = rows.first() else { return Ok(Vec::new()) };
        let chart = self.catalog.chart(first.event_id).await?;
        let names = Names::of(&chart);
        Ok(rows.into_iter().map(|row| names.paper(row)).collect())
    }
}

/// What people call the parts and the categories of a chart.
struct Names<'a> {
    parts: HashMap<&'a str, &'a str>,
    categories: HashMap<&'a str, &'a str>,
}

impl<'a> Names<'a> {
    fn of(chart: &'a Chart) -> Self {
        let sections = chart.sections().map(|section| (section.key, section.name));
        let areas = chart.areas().map(|area| (area.key, area.name));
        let categories = chart.categories().iter();
        Self {
            parts: sections.chain(areas).collect(),
            categories: categories.map(|one| (one.key.as_str(), one.name.as_str())).collect(),
        }
    }

    fn paper(&self, row: Printed) -> Paper {
        let named =
            |names: &HashMap<&str, &str>, key: &str| names.get(key).copied().unwrap_or(key).to_owned();
        Paper {
            event: row.event_id,
            owner: row.owner,
            is_valid: row.state == "valid",
            order_state: row.order_state,
            print: Print {
                event: row.title,
                venue: row.venue,
                starts_at: row.starts_at,
                section: named(&self.parts, &row.section),
                row: row.row_name,
                seat: row.seat,
                category: named(&self.categories, &row.category),
                price: row.price,
                currency: row.currency,
                holder: row.holder,
                order: row.order_id.to_string(),
                code: row.code,
            },
            seat_id: row.seat_id,
        }
    }
}

/// The event of an order as an entry for a calendar. Made again later, it replaces what the calendar has.
#[must_use]
pub fn calendar_of(order: &Order, event: &Event, address: &str, now: OffsetDateTime) -> String {
    let house = reqwest::Url::parse(address).ok().and_then(|url| url.host_str().map(str::to_owned));
    let seats: Vec<_> = order.seats.iter().map(|seat| seat.id.as_str()).collect();
    let url = format!("{}/orders/{}", address.trim_end_matches('/'), order.id);
    tickets::calendar(&Entry {
        uid: format!("{}@{}", order.id, house.as_deref().unwrap_or("holdfast")),
        title: event.title.clone(),
        place: event.venue.clone(),
        text: format!("{}\n{url}", seats.join(", ")),
        url,
        starts_at: event.starts_at,
        ends_at: event.ends_at,
        cancelled: event.state == EventState::Cancelled || order.status != OrderState::Confirmed,
        // Nobody counts the changes of an event; whoever fetches later has the later ones.
        sequence: (now - order.created_at).whole_minutes(),
        made_at: now,
    })
}
