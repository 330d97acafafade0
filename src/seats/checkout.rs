//! What a checkout does with a hold: bind it, keep it, sell it, give it back.

use std::time::Duration;

use super::{Engine, SeatsError, in_order, millis};
use crate::ids::{AccountId, EventId, HoldId, OrderId, Ordinal};
use crate::proof::{self, Step};

/// What became of binding an order to a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pinned {
    /// The seats stay until then, in milliseconds since 1970 by Redis' clock.
    Until(i64),
    /// Not all of the seats are held any more.
    Gone,
}

/// What became of the seats of an order whose payment arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    Kept,
    /// Some had gone, and all that had gone were free.
    TakenAgain,
    /// These belong to somebody else; nothing has changed.
    Lost(Vec<Ordinal>),
}

/// Who gives a hold back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    Owner(AccountId),
    Order(OrderId),
}

/// What became of giving a hold back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    Seats(u32),
    /// There was nothing left of it: expired, given back before, sold, or never there.
    Already,
    /// A hold that belongs to an order is given back by that order only.
    InCheckout(OrderId),
}

impl Engine {
    /// Binds an order to a hold and keeps its seats for `remaining`, at the latest until twice the hold's
    /// span and the grace after the first seat was held, unless this renews an order that is being closed or
    /// whose payment is processing. Never moves a deadline to an earlier moment.
    ///
    /// # Errors
    /// [`SeatsError::NotYours`], or [`SeatsError::InCheckout`] when another order has the hold.
    pub async fn pin(
        &self,
        event: EventId,
        hold: HoldId,
        owner: AccountId,
        order: OrderId,
        remaining: Duration,
        renew: bool,
    ) -> Result<Pinned, SeatsError> {
        let mut call = self.scripts.pin.on(event);
        let record = call.keys.hold(hold);
        call.key(record).arg(hold.to_string()).arg(owner.to_string()).arg(order.to_string());
        call.arg(millis(remaining)).arg(millis(self.timing.grace)).arg(u8::from(renew));
        let reply = proof::step(Step::Pin, self.run(call)).await?;
        match reply.code() {
            "pinned" => Ok(Pinned::Until(reply.parse(0)?)),
            "gone" => Ok(Pinned::Gone),
            "not_owner" => Err(SeatsError::NotYours),
            "in_checkout" => Err(SeatsError::InCheckout(reply.parse(0)?)),
            _ => Err(reply.strange()),
        }
    }

    /// Keeps an order's seats for `until` from now, or takes exactly the same ones again if they are free.
    ///
    /// # Errors
    /// [`SeatsError::NotYours`] when the hold is another customer's.
    pub async fn claim(
        &self,
        event: EventId,
        order: OrderId,
        hold: HoldId,
        owner: AccountId,
        ordinals: &[Ordinal],
        until: Duration,
    ) -> Result<Claimed, SeatsError> {
        let mut call = self.scripts.claim.on(event);
        let record = call.keys.hold(hold);
        call.key(record).arg(order.to_string()).arg(hold.to_string()).arg(owner.to_string());
        call.arg(millis(until)).seats(&in_order(ordinals)?);
        let reply = self.run(call).await?;
        match reply.code() {
            "kept" => Ok(Claimed::Kept),
            "taken_again" => Ok(Claimed::TakenAgain),
            "lost" => Ok(Claimed::Lost(reply.ordinals()?)),
            "not_owner" => Err(SeatsError::NotYours),
            _ => Err(reply.strange()),
        }
    }

    /// Marks an order's seats sold, whatever stands there: Postgres has already decided. Answers how many were
    /// not yet sold to it, so a repeat answers 0, as does what was overtaken by a later turn of the same order.
    ///
    /// # Errors
    /// When Redis cannot answer or the event has no picture; a rebuild then brings what Postgres says.
    pub async fn sell(
        &self,
        event: EventId,
        (order, turn): (OrderId, i64),
        hold: HoldId,
        owner: AccountId,
        ordinals: &[Ordinal],
    ) -> Result<u32, SeatsError> {
        let mut call = self.scripts.sell.on(event);
        let (last, record) = (call.keys.turn(order), call.keys.hold(hold));
        call.key(last).key(record).arg(order.to_string()).arg(turn);
        call.arg(hold.to_string()).arg(owner.to_string());
        call.seats(&in_order(ordinals)?);
        let reply = self.run(call).await?;
        match reply.code() {
            "sold" => reply.parse(0),
            _ => Err(reply.strange()),
        }
    }

    /// Gives a hold's seats back.
    ///
    /// # Errors
    /// [`SeatsError::NotYours`] when a customer asks for another's hold.
    pub async fn release(&self, event: EventId, hold: HoldId, by: Asker) -> Result<Released, SeatsError> {
        let (who, id) = match by {
            Asker::Owner(owner) => ("owner", owner.to_string()),
            Asker::Order(order) => ("order", order.to_string()),
        };
        let mut call = self.scripts.release.on(event);
        let record = call.keys.hold(hold);
        call.key(record).arg(hold.to_string()).arg(who).arg(id);
        let reply = self.run(call).await?;
        match reply.code() {
            "released" => Ok(Released::Seats(reply.parse(0)?)),
            "gone" => Ok(Released::Already),
            "in_checkout" => Ok(Released::InCheckout(reply.parse(0)?)),
            "not_owner" => Err(SeatsError::NotYours),
            _ => Err(reply.strange()),
        }
    }
}
