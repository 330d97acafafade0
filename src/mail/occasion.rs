//! Why somebody is written to, and the row that remembers it until it is done.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::ids::{AccountId, EventId, HoldId, OrderId, RefundId};

/// What the waiting list offers. Kept with the letter: a hold's record is gone soon after it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// As people call them: `Stalls, row A, seat 1`.
    pub seats: Vec<String>,
    /// In the currency's smallest unit.
    pub amount: i64,
    pub currency: String,
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// Where it is taken, or, once it has lapsed, where one may queue again: a path of this service.
    pub path: String,
}

/// One thing to be told to one customer. The same occasion with the same subject makes one letter, ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Occasion {
    Registered,
    OrderConfirmed(OrderId),
    OrderFailed(OrderId),
    OrderExpired(OrderId),
    OrderCancelled(OrderId),
    /// All that was paid has come back.
    OrderRefunded(OrderId),
    /// A part has come back, or money that the order did not need.
    MoneyReturned(RefundId, OrderId),
    /// An order of an event that does not take place: said in place of `OrderCancelled`.
    EventCancelled(OrderId),
    Offered(HoldId, Offer),
    OfferLapsed(HoldId, Offer),
}

impl Occasion {
    /// As rows and logs name it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::OrderConfirmed(_) => "order_confirmed",
            Self::OrderFailed(_) => "order_failed",
            Self::OrderExpired(_) => "order_expired",
            Self::OrderCancelled(_) => "order_cancelled",
            Self::OrderRefunded(_) => "order_refunded",
            Self::MoneyReturned(..) => "money_returned",
            Self::EventCancelled(_) => "event_cancelled",
            Self::Offered(..) => "offered",
            Self::OfferLapsed(..) => "offer_lapsed",
        }
    }

    fn subject(&self, account: AccountId) -> Uuid {
        match self {
            Self::Registered => account.0,
            Self::OrderConfirmed(order)
            | Self::OrderFailed(order)
            | Self::OrderExpired(order)
            | Self::OrderCancelled(order)
            | Self::OrderRefunded(order)
            | Self::EventCancelled(order) => order.0,
            Self::MoneyReturned(refund, _) => refund.0,
            Self::Offered(hold, _) | Self::OfferLapsed(hold, _) => hold.0,
        }
    }

    fn payload(&self) -> Value {
        match self {
            Self::MoneyReturned(_, order) => json!({ "order": order }),
            Self::Offered(_, offer) | Self::OfferLapsed(_, offer) => json!({ "offer": offer }),
            Self::Registered
            | Self::OrderConfirmed(_)
            | Self::OrderFailed(_)
            | Self::OrderExpired(_)
            | Self::OrderCancelled(_)
            | Self::OrderRefunded(_)
            | Self::EventCancelled(_) => json!({}),
        }
    }

    /// Reads a row again. `None` for what this version does not know: a newer one may have written it.
    pub(super) fn read(name: &str, subject: Uuid, payload: &Value) -> Option<Self> {
        let order = OrderId(subject);
        let part = |key: &str| payload.get(key).cloned().unwrap_or_default();
        let offer = || serde_json::from_value(part("offer")).ok();
        Some(match name {
            "registered" => Self::Registered,
            "order_confirmed" => Self::OrderConfirmed(order),
            "order_failed" => Self::OrderFailed(order),
            "order_expired" => Self::OrderExpired(order),
            "order_cancelled" => Self::OrderCancelled(order),
            "order_refunded" => Self::OrderRefunded(order),
            "money_returned" => {
                Self::MoneyReturned(RefundId(subject), serde_json::from_value(part("order")).ok()?)
            }
            "event_cancelled" => Self::EventCancelled(order),
            "offered" => Self::Offered(HoldId(subject), offer()?),
            "offer_lapsed" => Self::OfferLapsed(HoldId(subject), offer()?),
            _ => return None,
        })
    }
}

/// Owes a letter, in the transaction of the decision that it tells of. The same again changes nothing.
pub async fn owe(
    tx: &mut PgConnection,
    to: AccountId,
    about: Option<EventId>,
    occasion: &Occasion,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into letters (id, occasion, subject, account_id, event_id, payload)
         values ($1, $2, $3, $4, $5, $6)
         on conflict on constraint letters_once_per_cause do nothing",
    )
    .bind(Uuid::now_v7())
    .bind(occasion.name())
    .bind(occasion.subject(to))
    .bind(to)
    .bind(about)
    .bind(occasion.payload())
    .execute(tx)
    .await?;
    Ok(())
}

/// What was told of an offer, for the letter that tells of its end: a hold's record is gone by then.
///
/// # Errors
/// When Postgres cannot answer.
pub async fn offer_told(
    tx: &mut PgConnection,
    hold: HoldId,
) -> Result<Option<(AccountId, EventId, Offer)>, sqlx::Error> {
    let told: Option<(AccountId, Option<EventId>, Value)> = sqlx::query_as(
        "select account_id, event_id, payload from letters where occasion = 'offered' and subject = $1",
    )
    .bind(hold)
    .fetch_optional(tx)
    .await?;
    Ok(told.and_then(|(account, event, payload)| {
        let offer = serde_json::from_value(payload.get("offer")?.clone()).ok()?;
        Some((account, event?, offer))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_owed_is_read_back_as_it_was() {
        let (order, hold) = (OrderId::new(), HoldId::of(7, Uuid::now_v7()));
        let offer = Offer {
            seats: vec!["Stalls, row A, seat 1".to_owned()],
            amount: 4800,
            currency: "eur".to_owned(),
            expires_at: OffsetDateTime::from_unix_timestamp(1_900_000_000).expect("a moment"),
            path: "/events/1?offer=2".to_owned(),
        };
        for occasion in [
            Occasion::Registered,
            Occasion::OrderConfirmed(order),
            Occasion::OrderFailed(order),
            Occasion::OrderExpired(order),
            Occasion::OrderCancelled(order),
            Occasion::OrderRefunded(order),
            Occasion::MoneyReturned(RefundId::new(), order),
            Occasion::EventCancelled(order),
            Occasion::Offered(hold, offer.clone()),
            Occasion::OfferLapsed(hold, offer),
        ] {
            let subject = occasion.subject(AccountId::new());
            let read = Occasion::read(occasion.name(), subject, &occasion.payload());
            assert_eq!(read.as_ref(), Some(&occasion));
        }
        assert_eq!(Occasion::read("order_knighted", order.0, &json!({})), None);
        assert_eq!(Occasion::read("offered", hold.0, &json!({})), None, "an offer of nothing");
    }
}
