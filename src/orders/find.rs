//! Finding orders: one's own, an event's, the one that a hold became, the ones that a search means.

use time::OffsetDateTime;

use crate::ids::{AccountId, EventId, HoldId, OrderId};
use crate::orders::Desk;
use crate::orders::error::OrdersError;
use crate::orders::read::{Order, whole};
use crate::orders::state::OrderState;
use crate::proof::{self, Bug};
use crate::stores::postgres::within;
use crate::tickets::tidy;

/// An order without what belongs to it.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Head {
    pub(super) id: OrderId,
    pub(super) event_id: EventId,
    pub(super) account_id: AccountId,
    pub(super) hold_id: HoldId,
    pub(super) state: OrderState,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) pay_by: OffsetDateTime,
    pub(super) created_at: OffsetDateTime,
    pub(super) read_at: OffsetDateTime,
    pub(super) comp_reason: Option<String>,
    pub(super) payment_intent: Option<String>,
    pub(super) client_secret: Option<String>,
    /// What was captured and has not gone back, nor is on its way.
    pub(super) left: i64,
    pub(super) title: String,
    pub(super) venue: String,
    pub(super) starts_at: OffsetDateTime,
    pub(super) has_started: bool,
    pub(super) buyer_name: String,
    pub(super) buyer_email: String,
}

/// Orders with their newest payment, narrowed by what follows.
macro_rules! heads {
    ($narrowed:literal) => {
        concat!(
            "select o.id, o.event_id, o.account_id, o.hold_id, o.state, o.amount, o.currency, o.pay_by, o.created_at,
                    now() as read_at,
                    o.comp_reason, p.payment_intent, p.client_secret,
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
    /// An order's id, a seat's, a ticket's code or its last 12 letters, or a part of the buyer's name or address.
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
        if found.buyer.id == customer || proof::planted(Bug::OrdersOfOthers) {
            Ok(found)
        } else {
            Err(OrdersError::NotFound)
        }
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
                                    where t.event_id = o.event_id and t.order_id = o.id
                                      and (t.code = $8 or right(t.code, 12) = $8)))
                 order by o.id desc limit $4"
            ))
            .bind(customer)
            .bind(event)
            .bind(after)
            .bind(limit)
            .bind(search.state)
            .bind(&search.text)
            .bind(search.pattern())
            .bind(search.text.as_deref().map(tidy))
            .fetch_all(&mut *db)
            .await?;
            whole(&mut db, heads).await
        })
        .await
    }
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
