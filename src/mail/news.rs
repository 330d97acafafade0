//! What a letter speaks of, as it stands when the letter goes.

use time::OffsetDateTime;

use crate::ids::OrderId;
use crate::mail::Offer;
use crate::money::written;

/// Who writes, and where the links of a letter lead.
#[derive(Debug, Clone)]
pub struct Shop {
    /// Without a slash at its end.
    pub url: String,
}

impl Shop {
    pub(super) fn order(&self, order: OrderId) -> String {
        format!("{}/orders/{order}", self.url)
    }

    pub(super) fn at(&self, path: &str) -> String {
        format!("{}/{}", self.url, path.trim_start_matches('/'))
    }
}

/// A seat as people call it, what it costs, and, on a valid ticket, what is shown at the door.
#[derive(Debug, Clone)]
pub struct Place {
    pub name: String,
    pub price: i64,
    pub code: Option<String>,
}

/// What has gone back to the customer, and what is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Returned {
    pub arrived: i64,
    pub on_its_way: i64,
}

/// An order, as its customer is told of it.
#[derive(Debug, Clone)]
pub struct Booking {
    pub order: OrderId,
    pub title: String,
    pub venue: String,
    pub starts_at: OffsetDateTime,
    pub ends_at: Option<OffsetDateTime>,
    pub places: Vec<Place>,
    pub amount: i64,
    pub currency: String,
    pub pay_by: OffsetDateTime,
    pub returned: Returned,
    /// Whether the money came when the order had ended.
    pub paid_too_late: bool,
}

impl Booking {
    pub(super) fn money(&self, minor: i64) -> String {
        written(minor, &self.currency)
    }
}

/// Seats that the waiting list offers or has offered.
#[derive(Debug, Clone)]
pub struct Offered {
    pub title: String,
    pub venue: String,
    pub starts_at: OffsetDateTime,
    pub offer: Offer,
}

/// Everything that a customer is ever told by mail.
#[derive(Debug, Clone)]
pub enum News {
    Registered,
    OrderConfirmed(Booking),
    OrderFailed(Booking),
    OrderExpired(Booking),
    OrderCancelled(Booking),
    OrderRefunded(Booking),
    /// With how much it is that came back.
    MoneyReturned(Booking, i64),
    EventCancelled(Booking),
    Offered(Offered),
    OfferLapsed(Offered),
}
