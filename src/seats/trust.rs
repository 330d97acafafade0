//! Whether a picture that is there can be trusted: its epoch, its rules, what is left of its keys, and the number that
//! tells whether Redis or Postgres has lost something.

use super::keys::Keys;
use super::operate::Rules;
use super::planes::Planes;
use super::{Engine, SeatsError};
use crate::ids::EventId;

impl Engine {
    /// The epoch of the event's picture, and of one that is being loaded or was left half loaded.
    ///
    /// # Errors
    /// When Redis cannot answer.
    pub async fn epochs(&self, event: EventId) -> Result<(Option<i32>, Option<i32>), SeatsError> {
        let mut ask = redis::cmd("HMGET");
        ask.arg(Keys::of(event).meta()).arg("epoch").arg("loading");
        Ok(self.redis.read(&ask).await?)
    }

    /// Whether the scripts go by these rules. What is not the event's own is left out: who listens is switched elsewhere, and
    /// a hold's length may be a setting, which nodes are given one after the other.
    ///
    /// # Errors
    /// When Redis cannot answer.
    pub async fn has_rules(&self, event: EventId, rules: &Rules) -> Result<bool, SeatsError> {
        let fields = self.fields(rules);
        let own = fields
            .iter()
            .filter(|(name, _)| *name != "hooks" && (*name != "hold" || rules.hold_ms.is_some()));
        let (names, wanted): (Vec<&str>, Vec<&str>) =
            own.map(|(name, value)| (*name, value.as_str())).unzip();
        let mut ask = redis::cmd("HMGET");
        ask.arg(Keys::of(event).meta()).arg(names);
        let known: Vec<Option<String>> = self.redis.read(&ask).await?;
        Ok(known.iter().map(|value| value.as_deref().unwrap_or_default()).eq(wanted))
    }

    /// Whether a key is gone that a picture must have, though the marker lived. Redis loses whole keys, so one look at each is
    /// enough, also when a later write made it anew: aisles are in two planes whatever is sold, and nobody is counted among
    /// the customers.
    ///
    /// # Errors
    /// When Redis cannot answer.
    pub async fn has_holes(
        &self,
        event: EventId,
        planes: &Planes,
        aisles: &[u8],
    ) -> Result<bool, SeatsError> {
        let covers = |plane: &[u8]| {
            plane.len() >= aisles.len()
                && plane.iter().zip(aisles).all(|(bits, aisle)| bits & aisle == *aisle)
        };
        if !covers(&planes.taken) || !covers(&planes.sold) {
            return Ok(true);
        }
        let [_, _, _, _, _, _, owners, ..] = Keys::of(event).shared();
        let there: bool = self.redis.read(redis::cmd("HEXISTS").arg(owners).arg("nobody")).await?;
        Ok(!there)
    }

    /// The number that the event's picture was last told; `None` when it never was.
    ///
    /// # Errors
    /// When Redis cannot answer.
    pub async fn witness(&self, event: EventId) -> Result<Option<i64>, SeatsError> {
        Ok(self.redis.read(redis::cmd("GET").arg(Keys::of(event).witness())).await?)
    }

    /// Tells a picture the number that was raised; false, and nothing is told, when what it knows shows that a store has lost
    /// something. In one step: a store that is replaced between asking and telling would hide what it has lost.
    ///
    /// # Errors
    /// When Redis cannot answer.
    pub async fn raise_witness(&self, event: EventId, number: i64, least: i64) -> Result<bool, SeatsError> {
        let mut call = self.scripts.witness.on(event);
        let known = call.keys.witness();
        call.key(known).arg(number).arg(least);
        let reply = self.run(call).await?;
        match reply.code() {
            "told" => Ok(true),
            "strange" => Ok(false),
            _ => Err(reply.strange()),
        }
    }

    /// What a picture knows that was built just now.
    ///
    /// # Errors
    /// When Redis cannot answer.
    pub async fn tell_witness(&self, event: EventId, number: i64) -> Result<(), SeatsError> {
        let mut tell = redis::cmd("SET");
        // Safe to repeat, as reads are: the same number again changes nothing.
        Ok(self.redis.read(tell.arg(Keys::of(event).witness()).arg(number)).await?)
    }
}
