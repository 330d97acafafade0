//! The scripts and how one is called: once, and once more when the answer is unknown.

use redis::{Arg, Cmd, ErrorKind, RedisError, RedisWrite as _, Script, ServerErrorKind, Value};

use super::keys::Keys;
use super::reply::Reply;
use super::{Engine, SeatsError};
use crate::ids::EventId;
use crate::proof;
use crate::stores::redis::{PAUSE, Redis, is_unknown};

/// One script: its name, for errors, its text behind the parts it shares with others, and that text's hash.
pub(super) struct Step {
    name: &'static str,
    text: &'static str,
    hash: String,
}

/// Every script, compiled in and hashed once.
pub(super) struct Scripts {
    pub load: Step,
    pub hold: Step,
    pub hold_best: Step,
    pub offer: Step,
    pub wait: Step,
    pub room: Step,
    pub admit: Step,
    pub look: Step,
    pub pin: Step,
    pub claim: Step,
    pub sell: Step,
    pub relocate: Step,
    pub release: Step,
    pub sweep: Step,
    pub free: Step,
    pub block: Step,
    pub unblock: Step,
    pub repair: Step,
    pub configure: Step,
    pub witness: Step,
    pub snapshot: Step,
}

macro_rules! step {
    ($name:literal $(, $shared:literal)*) => { step!(@ "", $name $(, $shared)*) };
    (@ $first:literal, $name:literal $(, $shared:literal)*) => {
        Step::new($name, concat!(
            $first,
            include_str!("../../lua/shared/event.lua"),
            $(include_str!(concat!("../../lua/shared/", $shared, ".lua")),)*
            include_str!(concat!("../../lua/", $name, ".lua")),
        ))
    };
}

/// What gives seats back or shows what Postgres has decided runs in a Redis without memory, too: refused, it would leave
/// what fills the memory there, and sold seats unsold to look at. None of them takes more than it gives by much.
macro_rules! step_for_a_full_redis {
    ($($part:literal),*) => { step!(@ "#!lua flags=allow-oom\n", $($part),*) };
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            load: step!("load"),
            hold: step!("hold", "expiry", "granting", "remembering"),
            hold_best: step!("hold_best", "expiry", "granting", "remembering", "choosing", "recalling"),
            offer: step!("offer", "expiry", "granting", "choosing"),
            wait: step!("wait"),
            room: step!("room"),
            admit: step!("admit"),
            look: step!("look"),
            pin: step!("pin"),
            claim: step!("claim"),
            sell: step_for_a_full_redis!("sell", "in_turn"),
            relocate: step!("move"),
            release: step_for_a_full_redis!("release"),
            sweep: step_for_a_full_redis!("sweep", "expiry"),
            free: step_for_a_full_redis!("free", "in_turn"),
            block: step!("block"),
            unblock: step_for_a_full_redis!("unblock"),
            repair: step_for_a_full_redis!("repair"),
            configure: step!("configure"),
            witness: step_for_a_full_redis!("witness"),
            snapshot: step!("snapshot"),
        }
    }
}

/// A call being put together: the event's keys and prefixes are in it already.
pub(super) struct Call<'a> {
    pub keys: Keys,
    step: &'a Step,
    event: EventId,
    /// The keys, and the arguments, each in one stretch of memory: the number of keys stands before both.
    names: Cmd,
    args: Cmd,
}

impl Step {
    fn new(name: &'static str, text: &'static str) -> Self {
        let text = proof::script(text);
        Self { name, text, hash: Script::new(text).get_hash().to_owned() }
    }

    pub fn on(&self, event: EventId) -> Call<'_> {
        let keys = Keys::of(event);
        let (mut names, mut args) = (Cmd::with_capacity(16, 1024), Cmd::with_capacity(16, 512));
        names.arg(&keys.shared());
        args.arg(keys.flags()).arg(keys.records());
        Call { keys, step: self, event, names, args }
    }
}

impl Call<'_> {
    pub fn key(&mut self, key: String) -> &mut Self {
        self.names.arg(key);
        self
    }

    pub fn arg(&mut self, arg: impl redis::ToSingleRedisArg) -> &mut Self {
        arg.write_redis_args(&mut self.args);
        self
    }

    /// Declares the seats' flags and passes their ordinals.
    pub fn seats(&mut self, ordinals: &[u32]) -> &mut Self {
        for &ordinal in ordinals {
            self.key(self.keys.flag(ordinal)).arg(ordinal);
        }
        self
    }

    /// By its hash; with its text where the node does not know it, after a restart, a failover or a flush.
    async fn invoke(&self, redis: &mut Redis) -> Result<Value, RedisError> {
        let unknown = |error: &RedisError| error.kind() == ErrorKind::Server(ServerErrorKind::NoScript);
        match self.command("EVALSHA", &self.step.hash).query_async(redis).await {
            Err(error) if unknown(&error) => self.command("EVAL", self.step.text).query_async(redis).await,
            answer => answer,
        }
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        let (names, args) = (self.names.args_iter(), self.args.args_iter());
        let mut command = Cmd::with_capacity(3 + names.len() + args.len(), 2048);
        command.arg(name).arg(script).arg(names.len());
        for word in names.chain(args) {
            if let Arg::Simple(word) = word {
                command.write_arg(word);
            }
        }
        command
    }
}

impl Engine {
    /// Runs a script. A time-out means *unknown*, and every script is safe to repeat, so it is asked once more.
    pub(super) async fn run(&self, call: Call<'_>) -> Result<Reply, SeatsError> {
        let mut redis = self.redis.clone();
        let mut answer = call.invoke(&mut redis).await;
        if answer.as_ref().is_err_and(is_unknown) {
            tokio::time::sleep(PAUSE).await;
            answer = call.invoke(&mut redis).await;
        }
        let reply = Reply::read(call.step.name, answer?)?;
        if let Some(id) = reply.feed() {
            self.written.note(call.event, id);
        }
        if reply.code() == "not_ready" { Err(SeatsError::NotReady(call.event)) } else { Ok(reply) }
    }
}
