//! A place for a ticket that is moved: kept for a moment, until Postgres has decided.

use std::ops::Range;
use std::time::Duration;

use super::{Engine, HoldRefusal, Reason, SeatsError, millis};
use crate::ids::{AccountId, EventId, HoldId, OrderId, Ordinal};

/// Which place an order wants, and under which hold it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub event: EventId,
    /// Chosen by the caller, so that a repeat keeps the same place.
    pub hold: HoldId,
    pub owner: AccountId,
    pub order: OrderId,
    /// One seat, or the places of a standing area of which any will do.
    pub among: Range<Ordinal>,
}

impl Engine {
    /// Keeps a free place for an order that has its seats. Safe to repeat with the same hold id.
    ///
    /// # Errors
    /// [`SeatsError::Refused`] says why it cannot be had, [`SeatsError::Gone`] that the hold id is used up.
    pub async fn keep_place(&self, place: &Place, span: Duration) -> Result<Ordinal, SeatsError> {
        let mut call = self.scripts.relocate.on(place.event);
        let record = call.keys.hold(place.hold);
        call.key(record)
            .arg(place.hold.to_string())
            .arg(place.owner.to_string())
            .arg(place.order.to_string());
        call.arg(millis(span)).arg(place.among.start).arg(place.among.end);
        let reply = self.run(call).await?;
        match reply.code() {
            "held" => reply.parse(0),
            "refused" => {
                let reason = Reason::read(&reply.text(0)?).ok_or_else(|| reply.strange())?;
                Err(SeatsError::Refused(HoldRefusal::Seats(vec![(place.among.start, reason)])))
            }
            "sold_out" => Err(SeatsError::Refused(HoldRefusal::SoldOut { free: 0 })),
            "expired" => Err(SeatsError::Gone),
            _ => Err(reply.strange()),
        }
    }
}
