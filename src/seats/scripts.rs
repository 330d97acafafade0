//! The scripts and how one is called: once, and once more when the answer is unknown.

use std::time::Duration;

use redis::{ErrorKind, RedisError, Script, ScriptInvocation, ServerErrorKind};

use super::keys::Keys;
use super::reply::Reply;
use super::{Engine, SeatsError};
use crate::ids::EventId;

/// Long enough for a connection to come back or a slot to move, short beside a caller's patience.
const PAUSE: Duration = Duration::from_millis(40);

/// One script: its name, for errors, and its text behind the parts it shares with others.
pub(super) struct Step {
    pub name: &'static str,
    script: Script,
}

/// Every script, compiled in and hashed once.
pub(super) struct Scripts {
    pub load: Step,
    pub hold: Step,
    pub hold_best: Step,
    pub look: Step,
    pub pin: Step,
    pub claim: Step,
    pub sell: Step,
    pub release: Step,
    pub sweep: Step,
    pub free: Step,
    pub block: Step,
    pub unblock: Step,
    pub repair: Step,
    pub configure: Step,
    pub snapshot: Step,
}

macro_rules! step {
    ($name:literal $(, $shared:literal)*) => {
        Step {
            name: $name,
            script: Script::new(concat!(
                include_str!("../../lua/shared/event.lua"),
                $(include_str!(concat!("../../lua/shared/", $shared, ".lua")),)*
                include_str!(concat!("../../lua/", $name, ".lua")),
            )),
        }
    };
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            load: step!("load"),
            hold: step!("hold", "expiry", "granting"),
            hold_best: step!("hold_best", "expiry", "granting"),
            look: step!("look"),
            pin: step!("pin"),
            claim: step!("claim"),
            sell: step!("sell"),
            release: step!("release"),
            sweep: step!("sweep", "expiry"),
            free: step!("free"),
            block: step!("block"),
            unblock: step!("unblock"),
            repair: step!("repair"),
            configure: step!("configure"),
            snapshot: step!("snapshot"),
        }
    }
}

/// A call being put together: the event's keys and prefixes are in it already.
pub(super) struct Call<'a> {
    pub keys: Keys,
    name: &'static str,
    event: EventId,
    invocation: ScriptInvocation<'a>,
}

impl Step {
    pub fn on(&self, event: EventId) -> Call<'_> {
        let keys = Keys::of(event);
        let mut invocation = self.script.prepare_invoke();
        for key in keys.shared() {
            invocation.key(key);
        }
        invocation.arg(keys.flags()).arg(keys.records());
        Call { keys, name: self.name, event, invocation }
    }
}

impl Call<'_> {
    pub fn key(&mut self, key: String) -> &mut Self {
        self.invocation.key(key);
        self
    }

    pub fn arg(&mut self, arg: impl redis::ToSingleRedisArg) -> &mut Self {
        self.invocation.arg(arg);
        self
    }

    /// Declares the seats' flags and passes their ordinals.
    pub fn seats(&mut self, ordinals: &[u32]) -> &mut Self {
        for &ordinal in ordinals {
            self.invocation.key(self.keys.flag(ordinal)).arg(ordinal);
        }
        self
    }
}

impl Engine {
    /// Runs a script. A time-out means *unknown*, and every script is safe to repeat, so it is asked once more.
    pub(super) async fn run(&self, call: Call<'_>) -> Result<Reply, SeatsError> {
        let mut redis = self.redis.clone();
        let mut answer = call.invocation.invoke_async(&mut redis).await;
        if answer.as_ref().is_err_and(is_unknown) {
            tokio::time::sleep(PAUSE).await;
            answer = call.invocation.invoke_async(&mut redis).await;
        }
        let reply = Reply::read(call.name, answer?)?;
        if let Some(id) = reply.feed() {
            self.written.note(call.event, id);
        }
        if reply.code() == "not_ready" { Err(SeatsError::NotReady(call.event)) } else { Ok(reply) }
    }
}

/// Whether the command may or may not have run, or a node only asks for patience.
fn is_unknown(error: &RedisError) -> bool {
    use ServerErrorKind::{Ask, BusyLoading, ClusterDown, MasterDown, Moved, ReadOnly, TryAgain};
    match error.kind() {
        ErrorKind::Server(kind) => {
            matches!(kind, Ask | BusyLoading | ClusterDown | MasterDown | Moved | ReadOnly | TryAgain)
        }
        ErrorKind::ClusterConnectionNotFound => true,
        _ => error.is_io_error() || error.is_timeout() || error.is_connection_dropped(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_answer_is_asked_for_again_and_a_refusal_is_not() {
        let lost = RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
        assert!(is_unknown(&lost));
        let refused = RedisError::from((ErrorKind::Server(ServerErrorKind::NoPerm), "no"));
        assert!(!is_unknown(&refused));
    }
}
