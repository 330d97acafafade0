//! What a customer or an organiser sees of a waiting list.

use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::entry::EntryState;
use super::{Waitlist, WaitlistError};
use crate::ids::{AccountId, EntryId, EventId, HoldId, OrderId, Ordinal};
use crate::stores::postgres::within;

/// A party as its customer sees it.
#[derive(Debug, Clone)]
pub struct Entry {
    pub id: EntryId,
    pub event_id: EventId,
    pub event_title: String,
    pub account_id: AccountId,
    pub quantity: i32,
    pub section: Option<String>,
    pub category: Option<String>,
    pub max_price: Option<i64>,
    pub state: EntryState,
    /// How many parties are served before this one, and itself; `None` when it does not wait any more.
    pub position: Option<i64>,
    pub passed_over: Option<String>,
    pub joined_at: OffsetDateTime,
    pub offer: Option<Offer>,
}

/// Seats that are held for a party.
#[derive(Debug, Clone)]
pub struct Offer {
    pub hold_id: HoldId,
    pub ordinals: Vec<Ordinal>,
    pub amount: i64,
    pub made_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
    /// By the clock that `expires_at` is of: a node's may be wrong.
    pub read_at: OffsetDateTime,
    /// What it was taken up as.
    pub order_id: Option<OrderId>,
}

/// A party as an organiser sees it.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct Waiter {
    pub id: EntryId,
    /// Where it stands among those that wait; null when it does not any more.
    pub position: Option<i64>,
    pub status: EntryState,
    pub quantity: i32,
    pub section: Option<String>,
    pub category: Option<String>,
    pub max_price: Option<i64>,
    pub customer_name: String,
    pub customer_email: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub joined_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub offered_until: Option<OffsetDateTime>,
}

#[derive(Debug, sqlx::FromRow)]
struct Row {
    id: EntryId,
    event_id: EventId,
    event_title: String,
    account_id: AccountId,
    quantity: i32,
    section: Option<String>,
    category: Option<String>,
    max_price: Option<i64>,
    state: EntryState,
    position: Option<i64>,
    passed_over: Option<String>,
    joined_at: OffsetDateTime,
    hold_id: Option<HoldId>,
    ordinals: Option<Vec<i32>>,
    amount: Option<i64>,
    made_at: Option<OffsetDateTime>,
    expires_at: Option<OffsetDateTime>,
    read_at: OffsetDateTime,
    order_id: Option<OrderId>,
}

impl From<Row> for Entry {
    fn from(row: Row) -> Self {
        let offer = match (row.hold_id, row.amount, row.made_at, row.expires_at) {
            (Some(hold_id), Some(amount), Some(made_at), Some(expires_at)) => Some(Offer {
                hold_id,
                ordinals: (row.ordinals.unwrap_or_default().into_iter())
                    .filter_map(|at| Ordinal::try_from(at).ok())
                    .collect(),
                amount,
                made_at,
                expires_at,
                read_at: row.read_at,
                order_id: row.order_id,
            }),
            _ => None,
        };
        Self {
            id: row.id,
            event_id: row.event_id,
            event_title: row.event_title,
            account_id: row.account_id,
            quantity: row.quantity,
            section: row.section,
            category: row.category,
            max_price: row.max_price,
            state: row.state,
            position: row.position,
            passed_over: row.passed_over,
            joined_at: row.joined_at,
            offer,
        }
    }
}

impl Waitlist {
    /// A customer's own entry. Somebody else's does not exist for them.
    pub async fn own(&self, customer: AccountId, entry: EntryId) -> Result<Entry, WaitlistError> {
        within(async {
            let mut db = self.pg.acquire().await?;
            read(&mut db, customer, Some(entry), None, 1).await?.pop().ok_or(WaitlistError::NotFound)
        })
        .await
    }

    /// A page of a customer's entries, newest first, after the given one.
    pub async fn entries(
        &self,
        customer: AccountId,
        after: Option<EntryId>,
        limit: i64,
    ) -> Result<Vec<Entry>, WaitlistError> {
        within(async {
            let mut db = self.pg.acquire().await?;
            read(&mut db, customer, None, after, limit).await
        })
        .await
    }

    /// Which event an entry is for.
    pub async fn event_of(&self, entry: EntryId) -> Result<EventId, WaitlistError> {
        within(async {
            let found: Option<(EventId,)> = sqlx::query_as("select event_id from waitlist where id = $1")
                .bind(entry)
                .fetch_optional(&self.pg)
                .await?;
            found.map(|(event,)| event).ok_or(WaitlistError::NotFound)
        })
        .await
    }

    /// A page of an event's list in its order, after the given place; with live ones only, or with all there were.
    pub async fn list(
        &self,
        event: EventId,
        live: bool,
        after: Option<EntryId>,
        limit: i64,
    ) -> Result<Vec<Waiter>, WaitlistError> {
        within(async {
            Ok(sqlx::query_as(
                "with ranked as (
                     select w.*, case when state = 'waiting'
                                 then count(*) filter (where state = 'waiting') over (order by place) end as position
                       from waitlist w where event_id = $1)
                 select r.id, r.position, r.state as status, r.quantity, r.section, r.category, r.max_price,
                        a.name as customer_name, a.email as customer_email, r.joined_at,
                        (select expires_at from offers o where o.entry_id = r.id and o.state = 'open') as offered_until
                   from ranked r join accounts a on a.id = r.account_id
                  where (not $2 or r.state in ('waiting', 'offered'))
                    and ($3::uuid is null or r.place > (select place from waitlist where id = $3))
                  order by r.place limit $4",
            )
            .bind(event)
            .bind(live)
            .bind(after)
            .bind(limit)
            .fetch_all(&self.pg)
            .await?)
        })
        .await
    }
}

/// With the last offer of each: one has at most one that is open.
async fn read(
    db: &mut PgConnection,
    customer: AccountId,
    entry: Option<EntryId>,
    after: Option<EntryId>,
    limit: i64,
) -> Result<Vec<Entry>, WaitlistError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select w.id, w.event_id, e.title as event_title, w.account_id, w.quantity, w.section, w.category, w.max_price,
                w.state, w.passed_over, w.joined_at,
                case when w.state = 'waiting' then
                    (select count(*) from waitlist before
                      where before.event_id = w.event_id and before.state = 'waiting' and before.place <= w.place)
                end as position,
                o.hold_id, o.amount, o.made_at, o.expires_at, o.order_id, now() as read_at,
                (select array_agg(s.ordinal order by s.ordinal) from offered_seats s
                  where s.hold_id = o.hold_id) as ordinals
           from waitlist w join events e on e.id = w.event_id
           left join lateral (select * from offers o where o.entry_id = w.id order by o.made_at desc limit 1) o on true
          where w.account_id = $1 and ($2::uuid is null or w.id = $2) and ($3::uuid is null or w.id < $3)
          order by w.id desc limit $4",
    )
    .bind(customer)
    .bind(entry)
    .bind(after)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(Entry::from).collect())
}
