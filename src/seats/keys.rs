//! The only place that names a key.
//!
//! Every key of an event carries the event's id as its hash tag, so that one event lives in one slot.

use crate::ids::{AccountId, EventId, HoldId, OrderId, Ordinal};

/// The keys of one event.
pub struct Keys {
    /// `{event}`: written once, and there are a dozen of them in a call.
    tag: String,
}

impl Keys {
    pub fn of(event: EventId) -> Self {
        Self { tag: format!("{{{event}}}") }
    }

    /// What every script is given first, in the order of `lua/shared/event.lua`.
    pub fn shared(&self) -> [String; 9] {
        ["meta", "taken", "sold", "blocked", "kept", "deadlines", "owners", "feed", "diary"]
            .map(|name| self.named(name))
    }

    pub fn meta(&self) -> String {
        self.named("meta")
    }

    pub fn deadlines(&self) -> String {
        self.named("deadlines")
    }

    pub fn feed(&self) -> String {
        self.named("feed")
    }

    pub fn diary(&self) -> String {
        self.named("diary")
    }

    /// The waiting room: the line, how far it is, who was let in, and when.
    pub fn room(&self) -> [String; 4] {
        ["line", "room", "passes", "doors"].map(|name| self.named(name))
    }

    /// The number that Postgres knows, too: who has a smaller one has lost something.
    pub fn witness(&self) -> String {
        self.named("witness")
    }

    /// Where a script puts two planes together.
    pub fn scratch(&self) -> String {
        self.named("scratch")
    }

    pub fn hold(&self, hold: HoldId) -> String {
        format!("{}{hold}", self.records())
    }

    /// The last turn that was told of an order.
    pub fn turn(&self, order: OrderId) -> String {
        format!("turn:{}:{order}", self.tag)
    }

    /// What a customer's call under this key was told. With its event on a Cluster: both are there, away and lost together.
    pub fn once(&self, owner: AccountId, key: &str) -> String {
        format!("once:{}:{owner}:{key}", self.tag)
    }

    pub fn flag(&self, ordinal: Ordinal) -> String {
        format!("{}{ordinal}", self.flags())
    }

    /// What the keys of all flags begin with.
    pub fn flags(&self) -> String {
        ["isTaken:", &self.tag, ":"].concat()
    }

    /// What the keys of all holds' records begin with.
    pub fn records(&self) -> String {
        ["hold:", &self.tag, ":"].concat()
    }

    fn named(&self, name: &str) -> String {
        [name, ":", &self.tag].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::HoldId;
    use uuid::Uuid;

    #[test]
    fn all_keys_of_an_event_carry_its_tag() {
        let event = EventId::new();
        let keys = Keys::of(event);
        let tag = format!("{{{event}}}");
        let hold = keys.hold(HoldId(Uuid::nil()));
        for key in keys.shared().into_iter().chain([keys.flag(7), hold]) {
            assert!(key.contains(&tag), "{key}");
        }
        assert_eq!(keys.flag(7), format!("isTaken:{tag}:7"));
    }
}
