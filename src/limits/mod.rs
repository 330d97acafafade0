//! How often somebody may call: by account and by address, one limit a class of calls.
//!
//! A limit protects the others: it never decides who gets a seat. So when Redis cannot count, each node counts by
//! itself and calls go on, except where a limit is all that stands between a guesser and a password.

mod address;
mod attempts;
mod memory;
mod quota;
mod settings;
mod shared;
mod subject;

use std::sync::Arc;
use std::time::Duration;

pub use self::address::{Address, Network};
pub use self::attempts::{Attempt, AttemptError};
use self::memory::{Memory, Name};
pub use self::quota::{Level, Quota};
pub use self::settings::{Class, Keeping, Limit, Settings};
pub use self::shared::LimitsError;
use self::shared::{Act, Buckets, Shared};
use self::subject::Subject;
use crate::ids::AccountId;
use crate::stores::redis::Redis;
use crate::telemetry::{LimitLabels, Metrics};

/// Who calls, as far as it is counted.
#[derive(Debug, Clone, Copy)]
pub struct Who {
    pub account: Option<AccountId>,
    pub address: Address,
}

/// One limit, and how it stands after the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub class: Class,
    /// Whether it is everybody's at that address, rather than the account's.
    pub is_of_address: bool,
    pub quota: Quota,
    pub level: Level,
}

/// What is said to a call.
#[derive(Debug)]
pub enum Verdict {
    /// Go on. No standings: nothing limits it.
    Allowed(Vec<Standing>),
    Refused(Refusal),
    /// Redis cannot count now, and the call goes on: what the node counts by itself lets it.
    Open,
    /// Redis cannot count now, and the call must not go on.
    Closed(LimitsError),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub standings: Vec<Standing>,
    pub wait: Duration,
}

impl Refusal {
    fn of(standings: Vec<Standing>) -> Self {
        let wait = standings.iter().map(|one| one.quota.wait(one.level)).max().unwrap_or_default();
        Self { standings, wait }
    }
}

/// The limits. Cheap to clone.
#[derive(Clone)]
pub struct Limits {
    settings: Arc<Settings>,
    memory: Arc<Memory>,
    shared: Shared,
    metrics: Metrics,
}

impl Limits {
    #[must_use]
    pub fn new(settings: Settings, wait: Duration, redis: Redis, metrics: Metrics) -> Self {
        Self {
            memory: Arc::new(Memory::new(settings.longest())),
            settings: Arc::new(settings),
            shared: Shared::new(redis, wait),
            metrics,
        }
    }

    /// Counts a call. It takes from both the account's limit and the address', or from neither.
    pub async fn ask(&self, class: Class, who: Who) -> Verdict {
        let asked = self.limits_of(class, who);
        if asked.is_empty() {
            return Verdict::Allowed(Vec::new());
        }
        let verdict = match class.keeping() {
            Keeping::Node => self.ask_node(class, &asked, false),
            Keeping::Behind => self.ask_node(class, &asked, true),
            Keeping::Redis => self.ask_redis(class, &asked).await,
        };
        self.count(class.as_str(), outcome(&verdict));
        verdict
    }

    /// Uncounts a call that turned out not to be what the limit is against.
    pub async fn give_back(&self, class: Class, who: Who) {
        let asked = self.limits_of(class, who);
        for (subject, quota) in asked {
            self.give(Act::Give, &of_class(class, subject, quota)).await;
        }
    }

    /// Whose limits a call meets.
    fn limits_of(&self, class: Class, who: Who) -> Vec<(Subject, Quota)> {
        let limit = self.settings.of(class);
        // Nobody is signed in yet: what login calls an account is in the body, and is counted as an attempt.
        let account = who.account.filter(|_| class != Class::Login).zip(limit.account);
        let account = account.map(|(id, quota)| (Subject::Account(id), quota));
        let address = limit.address.map(|quota| (Subject::Address(who.address), quota));
        account.into_iter().chain(address).collect()
    }

    fn ask_node(&self, class: Class, asked: &[(Subject, Quota)], tells: bool) -> Verdict {
        let name = |subject| Name { class, subject };
        let buckets: Vec<_> = asked.iter().map(|&(subject, quota)| (name(subject), quota)).collect();
        let taken = self.memory.take(&buckets);
        if tells && taken.is_taken {
            for (name, quota) in buckets {
                if self.memory.will_tell(name, quota) {
                    tokio::spawn(self.clone().tell(name, quota));
                }
            }
        }
        let levels = asked.iter().zip(taken.levels);
        said(taken.is_taken, levels.map(|(asked, level)| standing(class, *asked, level)).collect())
    }

    /// Tells Redis what this node has let through, and hears what all nodes have. One call at a time for each
    /// bucket: a crowd behind one address is one call a round trip.
    async fn tell(self, name: Name, quota: Quota) {
        let buckets = of_class(name.class, name.subject, quota);
        loop {
            let calls = self.memory.untold(name);
            if calls == 0 {
                return;
            }
            match self.shared.ask(Act::Note, calls, &buckets).await {
                Ok(taken) => {
                    for level in taken.levels {
                        self.memory.hear(name, quota, level);
                    }
                }
                // Then each node counts by itself.
                Err(cause) => tracing::debug!(%cause, "a limit is not shared"),
            }
        }
    }

    async fn ask_redis(&self, class: Class, asked: &[(Subject, Quota)]) -> Verdict {
        let buckets: Vec<_> = asked.iter().map(|&(subject, quota)| of_class(class, subject, quota)).collect();
        // At once: one round trip, however many subjects.
        let asking = buckets.iter().map(|one| self.shared.ask(Act::Take, 1, one));
        let mut answers = futures_util::future::join_all(asking).await;

        let all_taken = answers.iter().all(|answer| answer.as_ref().is_ok_and(|taken| taken.is_taken));
        if !all_taken {
            for (one, answer) in buckets.iter().zip(&mut answers) {
                if let Ok(taken) = answer
                    && taken.is_taken
                {
                    self.give(Act::Give, one).await;
                    taken.levels.iter_mut().zip(&one.each).for_each(|(level, (_, quota))| {
                        level.0 = level.0.saturating_sub(quota.drain());
                    });
                }
            }
        }
        let mut standings = Vec::new();
        let mut fault = None;
        let mut refused = false;
        for (asked, answer) in asked.iter().zip(answers) {
            match answer {
                Ok(taken) => {
                    refused |= !taken.is_taken;
                    standings.extend(taken.levels.iter().map(|&level| standing(class, *asked, level)));
                }
                Err(cause) => fault = Some(cause),
            }
        }
        // A refusal is one, whatever became of the other.
        match fault {
            Some(cause) if !refused => self.without_redis(class, asked, cause),
            _ => said(!refused, standings),
        }
    }

    /// Redis cannot count now. By choice, calls go on and the node counts by itself, so that who floods it until it no
    /// longer hears Redis gains nothing. Where the limit is what keeps accounts safe, they do not go on.
    fn without_redis(&self, class: Class, asked: &[(Subject, Quota)], cause: LimitsError) -> Verdict {
        if class.is_closed_without_redis() {
            return Verdict::Closed(cause);
        }
        tracing::debug!(%cause, class = class.as_str(), "a limit is this node's alone");
        match self.ask_node(class, asked, false) {
            Verdict::Allowed(_) => Verdict::Open,
            refused => refused,
        }
    }

    /// A gift that is lost ages by itself.
    async fn give(&self, how: Act, buckets: &Buckets) {
        if let Err(cause) = self.shared.ask(how, 1, buckets).await {
            tracing::debug!(%cause, "a call stays counted");
        }
    }

    fn count(&self, class: &'static str, outcome: &'static str) {
        self.metrics.limits.get_or_create(&LimitLabels { class, outcome }).inc();
    }
}

fn of_class(class: Class, subject: Subject, quota: Quota) -> Buckets {
    Buckets { subject, each: vec![(class.as_str().to_owned(), quota)], marker: None }
}

fn standing(class: Class, (subject, quota): (Subject, Quota), level: Level) -> Standing {
    Standing { class, is_of_address: matches!(subject, Subject::Address(_)), quota, level }
}

fn said(is_allowed: bool, standings: Vec<Standing>) -> Verdict {
    if is_allowed { Verdict::Allowed(standings) } else { Verdict::Refused(Refusal::of(standings)) }
}

fn outcome(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Allowed(_) => "allowed",
        Verdict::Refused(_) => "refused",
        Verdict::Open => "open",
        Verdict::Closed(_) => "closed",
    }
}
