//! Buckets in Redis, which all nodes share: the one place that calls `lua/limit.lua` and names its keys.
//!
//! One call is about one subject, whose keys share a hash tag, so that it runs unchanged on a Cluster. A request of
//! an account from an address is two calls at once, and what one took while the other refused is given back.

use std::sync::LazyLock;
use std::time::Duration;

use redis::{RedisError, Script};

use super::memory::Taken;
use super::quota::{Level, Quota};
use super::subject::Subject;
use crate::stores::redis::{Redis, late};

static LIMIT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../../lua/limit.lua")));

#[derive(Debug, thiserror::Error)]
pub enum LimitsError {
    #[error("the limits in Redis: {0}")]
    Redis(#[from] RedisError),
    #[error("limit answered something unknown: {0}")]
    UnknownReply(String),
}

/// What is done with the calls of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Take,
    Give,
    /// Gives, and sets the marker.
    Know,
    /// Takes without asking: a node has let them through.
    Note,
}

/// The buckets of one subject.
#[derive(Debug, Clone)]
pub struct Buckets {
    pub subject: Subject,
    /// The end of the key, and the limit.
    pub each: Vec<(String, Quota)>,
    /// While this is there, the last bucket is passed over; [`Act::Know`] sets it for so long.
    pub marker: Option<(String, Duration)>,
}

impl Buckets {
    fn key(&self, end: &str) -> String {
        format!("limit:{{{}}}:{end}", self.subject)
    }
}

#[derive(Clone)]
pub struct Shared {
    redis: Redis,
    /// For all of an answer: what an outage may add to a call that goes on without it.
    wait: Duration,
}

impl Shared {
    pub fn new(redis: Redis, wait: Duration) -> Self {
        Self { redis, wait }
    }

    /// Asked once: a repeat would count twice.
    pub async fn ask(&self, act: Act, calls: u32, buckets: &Buckets) -> Result<Taken, LimitsError> {
        let mut call = LIMIT.prepare_invoke();
        for (end, _) in &buckets.each {
            call.key(buckets.key(end));
        }
        let marked = buckets.marker.as_ref().map_or(Duration::ZERO, |(end, lives)| {
            call.key(buckets.key(end));
            *lives
        });
        call.arg(act.as_str()).arg(calls).arg(u64::try_from(marked.as_millis()).unwrap_or(u64::MAX));
        for (_, quota) in &buckets.each {
            call.arg(quota.drain()).arg(quota.most());
        }
        let mut redis = self.redis.clone();
        let asked = tokio::time::timeout(self.wait, call.invoke_async::<Vec<String>>(&mut redis));
        let reply = asked.await.unwrap_or_else(|_| Err(late("the limits did not answer in time")))?;
        read(act, &reply, buckets.each.len()).ok_or_else(|| LimitsError::UnknownReply(reply.join(" ")))
    }
}

fn read(act: Act, reply: &[String], buckets: usize) -> Option<Taken> {
    let (code, levels) = reply.split_first()?;
    let is_taken = match (act, code.as_str()) {
        (Act::Take, "taken") | (Act::Give | Act::Know, "given") | (Act::Note, "noted") => true,
        (Act::Take, "refused") => false,
        _ => return None,
    };
    let levels = levels.iter().map(|level| level.parse().map(Level)).collect::<Result<Vec<_>, _>>().ok()?;
    (levels.len() == buckets).then_some(Taken { is_taken, levels })
}

impl Act {
    fn as_str(self) -> &'static str {
        match self {
            Self::Take => "take",
            Self::Give => "give",
            Self::Know => "know",
            Self::Note => "note",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_script_does_not_say_is_an_error() {
        let read = |act, words: &str| read(act, &words.split(' ').map(str::to_owned).collect::<Vec<_>>(), 2);
        let levels = vec![Level(5), Level(0)];
        assert_eq!(read(Act::Take, "refused 5 0"), Some(Taken { is_taken: false, levels }));
        for (act, strange) in [
            (Act::Take, "noted 5 0"),
            (Act::Give, "refused 5 0"),
            (Act::Take, "taken 5"),
            (Act::Take, "taken 5 x"),
            (Act::Take, ""),
        ] {
            assert_eq!(read(act, strange), None, "{strange}");
        }
    }
}
