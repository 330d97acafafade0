//! What operators, refunds and reconcilers do to seats, and the rules of an event.

use std::time::Duration;

use super::errors::Reason;
use super::{Engine, SeatsError, in_order, millis};
use crate::ids::{AccountId, EventId, HoldId, OrderId, Ordinal};

/// The rules of an event that scripts look at. Moments are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a rule of its own, set apart from the others")]
pub struct Rules {
    pub sale_starts_ms: Option<i64>,
    pub sale_ends_ms: Option<i64>,
    pub max_per_customer: Option<u32>,
    pub orphan_rule: bool,
    /// How long a hold lasts; `None` for the node's setting.
    pub hold_ms: Option<i64>,
    /// Cancelled: nothing is sold any more.
    pub closed: bool,
    /// Other systems are told of holds.
    pub hooks: bool,
    /// Holds are for those who came through the waiting room.
    pub room: bool,
    /// When that room opens; `None`: it is open.
    pub room_opens_ms: Option<i64>,
}

/// What Postgres says of a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    Free,
    /// `order` is `None` while an offer waits to be taken up.
    Held {
        order: Option<OrderId>,
        hold: HoldId,
        owner: AccountId,
        ttl: Duration,
    },
    Sold {
        order: OrderId,
        owner: AccountId,
    },
    Blocked,
}

/// A seat to be made what it should be, if its flag is still what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    pub ordinal: Ordinal,
    /// The flag as it was read; `None` where there was none.
    pub seen: Option<String>,
    /// Whose purchase that flag shows, when it shows one: their count goes down with it.
    pub buyer: Option<AccountId>,
    pub truth: Truth,
}

/// What a repair came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repaired {
    /// How many seats were wrong and are right now.
    pub seats: u32,
    /// Orders that seats are held for which Postgres calls free: they are over, and Redis has lost that it was told so, or they
    /// were made since.
    pub doubtful: Vec<OrderId>,
}

impl Engine {
    /// Frees seats that this order had bought. Answers how many, so a repeat answers 0, as does what was overtaken by a later
    /// turn of the same order.
    ///
    /// # Errors
    /// When Redis cannot answer or the event has no picture.
    pub async fn free(
        &self,
        event: EventId,
        (order, turn): (OrderId, i64),
        owner: AccountId,
        ordinals: &[Ordinal],
    ) -> Result<u32, SeatsError> {
        let mut call = self.scripts.free.on(event);
        let last = call.keys.turn(order);
        call.key(last).arg(order.to_string()).arg(turn).arg(owner.to_string()).seats(&in_order(ordinals)?);
        let reply = self.run(call).await?;
        match reply.code() {
            "freed" => reply.parse(0),
            _ => Err(reply.strange()),
        }
    }

    /// Takes seats out of sale, all or none: answers those that are sold or held, and nothing when it is done.
    ///
    /// # Errors
    /// When Redis cannot answer or the event has no picture.
    pub async fn block(
        &self,
        event: EventId,
        ordinals: &[Ordinal],
    ) -> Result<Vec<(Ordinal, Reason)>, SeatsError> {
        let mut call = self.scripts.block.on(event);
        call.seats(&in_order(ordinals)?);
        let reply = self.run(call).await?;
        match reply.code() {
            "blocked" => Ok(Vec::new()),
            "refused" => reply.reasons(),
            _ => Err(reply.strange()),
        }
    }

    /// Puts blocked seats back on sale. Answers how many were blocked.
    ///
    /// # Errors
    /// When Redis cannot answer or the event has no picture.
    pub async fn unblock(&self, event: EventId, ordinals: &[Ordinal]) -> Result<u32, SeatsError> {
        let mut call = self.scripts.unblock.on(event);
        call.seats(&in_order(ordinals)?);
        let reply = self.run(call).await?;
        match reply.code() {
            "unblocked" => reply.parse(0),
            _ => Err(reply.strange()),
        }
    }

    /// Makes seats what Postgres says they are. One whose flag has changed since it was read is left alone: the
    /// next pass reads it again.
    ///
    /// # Errors
    /// When Redis cannot answer or the event has no picture.
    pub async fn repair(&self, event: EventId, repairs: &[Repair]) -> Result<Repaired, SeatsError> {
        let mut repaired = Repaired::default();
        // Each seat costs some ten commands, so the calls are shorter than elsewhere.
        for part in repairs.chunks(200) {
            let mut call = self.scripts.repair.on(event);
            for repair in part {
                let (truth, order, hold, owner, ttl) = repair.truth.parts();
                call.arg(repair.ordinal).arg(repair.seen.as_deref().unwrap_or_default());
                call.arg(truth).arg(order).arg(hold).arg(owner).arg(ttl);
                call.arg(repair.buyer.map(|buyer| buyer.to_string()).unwrap_or_default());
            }
            let reply = self.run(call).await?;
            match reply.code() {
                "repaired" => {
                    repaired.seats += reply.parse::<u32>(0)?;
                    repaired.doubtful.append(&mut reply.list(1)?);
                }
                _ => return Err(reply.strange()),
            }
        }
        Ok(repaired)
    }

    /// The seats' flags as they stand now, for a repair to compare with.
    ///
    /// # Errors
    /// When Redis cannot answer.
    pub async fn flags(
        &self,
        event: EventId,
        ordinals: &[Ordinal],
    ) -> Result<Vec<Option<String>>, SeatsError> {
        let keys = super::keys::Keys::of(event);
        let mut flags = Vec::with_capacity(ordinals.len());
        for part in ordinals.chunks(super::MOST_SEATS) {
            let names: Vec<String> = part.iter().map(|&ordinal| keys.flag(ordinal)).collect();
            flags.extend(self.redis.read::<Vec<Option<String>>>(redis::cmd("MGET").arg(names)).await?);
        }
        Ok(flags)
    }

    /// Changes the rules of an event that is on sale.
    ///
    /// # Errors
    /// [`SeatsError::NotReady`] when it has no picture; its rebuild brings the rules.
    pub async fn configure(&self, event: EventId, rules: &Rules) -> Result<(), SeatsError> {
        let mut call = self.scripts.configure.on(event);
        for (name, value) in self.fields(rules) {
            call.arg(name).arg(value);
        }
        let reply = self.run(call).await?;
        match reply.code() {
            "configured" => Ok(()),
            _ => Err(reply.strange()),
        }
    }

    /// The rules as the scripts read them; an empty text is none.
    pub(super) fn fields(&self, rules: &Rules) -> [(&'static str, String); 9] {
        let moment = |ms: Option<i64>| ms.map(|ms| ms.to_string()).unwrap_or_default();
        let flag = |on: bool| u8::from(on).to_string();
        [
            ("opens", moment(rules.sale_starts_ms)),
            ("closes", moment(rules.sale_ends_ms)),
            ("limit", rules.max_per_customer.unwrap_or(0).to_string()),
            ("orphans", flag(rules.orphan_rule)),
            ("hold", rules.hold_ms.unwrap_or(millis(self.timing.hold)).to_string()),
            ("closed", flag(rules.closed)),
            ("hooks", flag(rules.hooks)),
            ("room", flag(rules.room)),
            ("room_opens", moment(rules.room_opens_ms)),
        ]
    }
}

impl Truth {
    /// As the scripts read it: what, order, hold, customer, time left in milliseconds.
    pub(super) fn parts(&self) -> (&'static str, String, String, String, String) {
        let none = String::new;
        match self {
            Self::Free => ("free", none(), none(), none(), none()),
            Self::Blocked => ("blocked", none(), none(), none(), none()),
            Self::Sold { order, owner } => ("sold", order.to_string(), none(), owner.to_string(), none()),
            Self::Held { order, hold, owner, ttl } => {
                let order = order.map(|order| order.to_string()).unwrap_or_default();
                ("held", order, hold.to_string(), owner.to_string(), millis(*ttl).to_string())
            }
        }
    }
}
