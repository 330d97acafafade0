//! The waiting room of an on-sale, as Redis keeps it: a line, who was let in, and how many at a time.

use std::time::Duration;

use super::{Engine, SeatsError, millis};
use crate::ids::{AccountId, EventId};

/// Where a customer stands. Moments are milliseconds since 1970 by Redis' clock.
#[derive(Debug, Clone, PartialEq)]
pub enum Stand {
    /// The event has no waiting room.
    NoRoom,
    /// It opens later.
    Closed { opens_ms: i64, now_ms: i64 },
    /// The sale has not begun; so many are there to be shuffled.
    Early { place: String, people: u64, starts_ms: i64, now_ms: i64 },
    /// So many are let in until it is their turn, themselves included.
    Waiting { place: String, position: u64, people: u64 },
    /// Inside, for so long.
    Admitted { place: String, left: Duration },
}

/// What one call let in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LetIn {
    pub people: u64,
    pub waiting: u64,
    pub free: u64,
}

impl Engine {
    /// A customer comes, or looks where they stand. `place` is what they were told before, for a line that was lost.
    ///
    /// # Errors
    /// When Redis cannot answer or the event has no picture.
    pub async fn stand(
        &self,
        event: EventId,
        customer: AccountId,
        lot: f64,
        pass: Duration,
        place: Option<f64>,
    ) -> Result<Stand, SeatsError> {
        let mut call = self.scripts.room.on(event);
        let [line, room, passes, _] = call.keys.room();
        call.key(line).key(room).key(passes);
        call.arg(customer.to_string()).arg(format!("{lot:.17}")).arg(millis(pass));
        call.arg(place.map(|place| format!("{place:.17}")).unwrap_or_default());
        let reply = self.run(call).await?;
        Ok(match reply.code() {
            "none" => Stand::NoRoom,
            "closed" => Stand::Closed { opens_ms: reply.parse(0)?, now_ms: reply.parse(1)? },
            "early" => Stand::Early {
                place: reply.text(0)?,
                people: reply.parse(1)?,
                starts_ms: reply.parse(2)?,
                now_ms: reply.parse(3)?,
            },
            "waiting" => {
                Stand::Waiting { place: reply.text(0)?, position: reply.parse(1)?, people: reply.parse(2)? }
            }
            "admitted" => {
                Stand::Admitted { place: reply.text(0)?, left: Duration::from_millis(reply.parse(1)?) }
            }
            _ => return Err(reply.strange()),
        })
    }

    /// Lets the next ones in; `None` where there is no room, or its sale has not begun.
    ///
    /// # Errors
    /// When Redis cannot answer or the event has no picture.
    pub async fn let_in(
        &self,
        event: EventId,
        people_per_second: f64,
        pass: Duration,
    ) -> Result<Option<LetIn>, SeatsError> {
        let mut call = self.scripts.admit.on(event);
        let [line, room, _, times] = call.keys.room();
        call.key(line).key(room).key(times);
        call.arg(format!("{people_per_second:.3}")).arg(millis(pass));
        let reply = self.run(call).await?;
        match reply.code() {
            "none" => Ok(None),
            "admitted" => {
                Ok(Some(LetIn { people: reply.parse(0)?, waiting: reply.parse(1)?, free: reply.parse(2)? }))
            }
            _ => Err(reply.strange()),
        }
    }
}
