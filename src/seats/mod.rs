//! The hold engine: who has which seat right now, decided by Redis in one atomic step at a time.
//!
//! A hold is a courtesy with a deadline; the claim in Postgres is the guarantee. This module knows no HTTP, no
//! Stripe and no rows: it is handed ordinals and answers with ordinals. Each step is one script in `lua/`,
//! and each script has one caller here.

mod checkout;
mod diary;
mod errors;
mod feed;
mod glance;
mod hold;
pub mod keys;
mod load;
mod offer;
mod operate;
mod picture;
mod planes;
mod prints;
mod pulse;
mod relocate;
mod reply;
mod room;
mod scripts;
mod sweep;
mod trust;
#[doc(hidden)]
pub mod untrusted;
mod watch;
mod written;

use std::sync::Arc;
use std::time::Duration;

pub use self::checkout::{Asker, Claimed, Pinned, Released};
pub use self::diary::{Note, NoteKind, Notes};
pub use self::errors::{HoldRefusal, Reason, SeatsError};
pub use self::feed::{FeedId, Version};
pub use self::glance::Marker;
pub use self::hold::{Held, HoldAsk, Once, Told, Via, Wish};
pub use self::load::{ClaimKind, LoadPlan, LoadedClaim};
pub use self::offer::{News, OfferAsk, Offered, Passed, Places};
pub use self::operate::{Repair, Repaired, Rules, Truth};
pub use self::picture::{Follower, Pictures};
pub use self::planes::{Counts, Planes, SeatState, View};
pub use self::prints::Print;
pub use self::pulse::Beat;
pub use self::relocate::Place;
pub use self::room::{LetIn, Stand};
pub use self::sweep::Swept;
pub use self::watch::{Change, Start};

use self::pulse::Pulse;
use self::scripts::Scripts;
use self::sweep::Rests;
use self::written::Written;
use crate::ids::Ordinal;
use crate::stores::redis::Redis;
use crate::telemetry::Metrics;

/// The most seats of one call: a script holds up everybody else while it runs.
pub const MOST_SEATS: usize = 2000;

/// The spans that every event of this node shares. How long a hold lasts is each event's own rule.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// How long a hold lasts when its event does not say.
    pub hold: Duration,
    /// What a checkout must leave to pay.
    pub payment: Duration,
    /// What seats outlive the deadline that a customer sees.
    pub grace: Duration,
}

/// The way to the seats. Clones share everything.
#[derive(Clone)]
pub struct Engine {
    redis: Redis,
    scripts: Arc<Scripts>,
    written: Arc<Written>,
    metrics: Metrics,
    timing: Timing,
    pulse: Arc<Pulse>,
    rests: Arc<Rests>,
}

impl Engine {
    #[must_use]
    pub fn new(redis: Redis, metrics: Metrics, timing: Timing) -> Self {
        Self {
            redis,
            scripts: Arc::default(),
            written: Arc::default(),
            metrics,
            timing,
            pulse: Arc::default(),
            rests: Arc::default(),
        }
    }

    /// How quickly this node's holds are answered right now.
    #[must_use]
    pub fn pulse(&self) -> Beat {
        self.pulse.beat()
    }

    #[must_use]
    pub fn timing(&self) -> Timing {
        self.timing
    }
}

/// In ascending order and each once, which is how the scripts want them.
fn in_order(ordinals: &[Ordinal]) -> Result<Vec<Ordinal>, SeatsError> {
    if ordinals.len() > MOST_SEATS {
        return Err(SeatsError::TooMany(MOST_SEATS));
    }
    let mut ordinals = ordinals.to_vec();
    ordinals.sort_unstable();
    ordinals.dedup();
    Ok(ordinals)
}

/// Whole milliseconds, as Redis counts.
fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 4)
}
