//! Installing an event's picture, and reading it whole.

use std::time::Duration;

use uuid::Uuid;

use super::operate::Rules;
use super::planes::Planes;
use super::{Engine, SeatsError, Truth};
use crate::ids::{AccountId, EventId, HoldId, OrderId, Ordinal};
use crate::proof::{self, Step};

/// Ordinals of one part: their flags are cleared and set in one call, so it bounds how long a call is.
const PART: u32 = 4096;

/// A picture to install.
#[derive(Debug, Clone)]
pub struct LoadPlan {
    pub event: EventId,
    /// Later than every epoch that the event had before.
    pub epoch: i32,
    /// How many ordinals, aisle bits included.
    pub size: u32,
    /// The plane of the aisles in Redis' bit order, the padding of its last byte set too.
    pub aisles: Vec<u8>,
    pub rules: Rules,
    /// Parties wait: whatever is free is theirs to be asked about before it is everybody's.
    pub waiting: bool,
    pub claims: Vec<LoadedClaim>,
}

/// A seat that is not free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadedClaim {
    pub ordinal: Ordinal,
    pub kind: ClaimKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimKind {
    Sold {
        order: OrderId,
        owner: AccountId,
    },
    /// `order` is `None` while an offer waits to be taken up.
    Held {
        order: Option<OrderId>,
        hold: HoldId,
        owner: AccountId,
        ttl: Duration,
    },
    Blocked,
}

impl From<ClaimKind> for Truth {
    fn from(kind: ClaimKind) -> Self {
        match kind {
            ClaimKind::Sold { order, owner } => Self::Sold { order, owner },
            ClaimKind::Held { order, hold, owner, ttl } => Self::Held { order, hold, owner, ttl },
            ClaimKind::Blocked => Self::Blocked,
        }
    }
}

impl Engine {
    /// Installs a picture under a new epoch, in parts; the marker is written last, so until then every script
    /// answers `not_ready`. Holds that the plan does not name are gone.
    ///
    /// # Errors
    /// [`SeatsError::Superseded`] when the event has this epoch or a later one, or another load came between.
    pub async fn load(&self, plan: &LoadPlan) -> Result<(), SeatsError> {
        let token = Uuid::new_v4().to_string();
        let step = |name: &str| {
            let mut call = self.scripts.load.on(plan.event);
            call.arg(name).arg(&token).arg(plan.epoch);
            call
        };
        let mut begin = step("begin");
        begin.arg(plan.size).arg(&plan.aisles);
        self.loaded(begin).await?;

        let mut claims = plan.claims.clone();
        claims.sort_unstable_by_key(|claim| claim.ordinal);
        let mut rest = claims.as_slice();
        for from in (0..plan.size).step_by(PART as usize) {
            let to = plan.size.min(from + PART);
            let (inside, after) = rest.split_at(rest.partition_point(|claim| claim.ordinal < to));
            rest = after;
            let mut part = step("part");
            part.arg(from).arg(to);
            for claim in inside {
                let (kind, order, hold, owner, ttl) = Truth::from(claim.kind).parts();
                part.arg(claim.ordinal).arg(kind).arg(order).arg(hold).arg(owner).arg(ttl);
            }
            proof::step(Step::LoadPart, self.loaded(part)).await?;
        }

        let mut finish = step("finish");
        for (name, value) in self.fields(&plan.rules) {
            finish.arg(name).arg(value);
        }
        finish.arg("waiting").arg(u8::from(plan.waiting));
        proof::step(Step::LoadMarker, self.loaded(finish)).await
    }

    async fn loaded(&self, call: super::scripts::Call<'_>) -> Result<(), SeatsError> {
        let reply = self.run(call).await?;
        match reply.code() {
            "loaded" => Ok(()),
            "superseded" | "stale" => Err(SeatsError::Superseded),
            _ => Err(reply.strange()),
        }
    }

    /// All planes and the version that they show, in one moment.
    ///
    /// # Errors
    /// When Redis cannot answer or the event has no picture.
    pub async fn snapshot(&self, event: EventId) -> Result<Planes, SeatsError> {
        let reply = self.run(self.scripts.snapshot.on(event)).await?;
        match reply.code() {
            "snapshot" => Ok(Planes::new(
                reply.parse(0)?,
                reply.feed().unwrap_or_default(),
                reply.parse(1)?,
                [reply.bytes(2)?, reply.bytes(3)?, reply.bytes(4)?],
            )),
            _ => Err(reply.strange()),
        }
    }

    /// The epoch of the event's picture; `None` when it has no marker.
    ///
    /// # Errors
    /// When Redis cannot answer.
    pub async fn epoch(&self, event: EventId) -> Result<Option<i32>, SeatsError> {
        let meta = super::keys::Keys::of(event).meta();
        Ok(self.redis.read(redis::cmd("HGET").arg(meta).arg("epoch")).await?)
    }

    /// Names the server processes that answer: another name means a restart or a failover.
    ///
    /// # Errors
    /// When Redis cannot answer.
    pub async fn server(&self) -> Result<String, SeatsError> {
        Ok(self.redis.run_id().await?.join(" "))
    }
}
