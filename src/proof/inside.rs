//! What a test build does with the words in its environment.

use std::env;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Signal, getpid, kill_process};
use serde::de::IntoDeserializer as _;
use serde::de::value::Error;
use serde::{Deserialize, Serialize};

use super::scripts::IN_SCRIPTS;
use super::{Bug, Side, Step};

/// Where to stop: [`Stop`] as it prints itself.
pub const STOP_AT: &str = "HOLDFAST_STOP_AT";
/// A file without which it does not stop: a test makes it when its story has come so far.
pub const ARMED_BY: &str = "HOLDFAST_STOP_ARMED_BY";
/// Which guard to take away.
pub const BUG: &str = "HOLDFAST_BUG";

/// How a node stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// As by `kill -9`.
    Die,
    /// As by a machine that sleeps: it goes on when somebody lets it.
    Freeze,
}

/// At which step, on which side of it, how, and at which time that it gets there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stop {
    pub step: Step,
    pub side: Side,
    pub fate: Fate,
    pub nth: u32,
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}:{}", name(&self.step), name(&self.side), name(&self.fate), self.nth)
    }
}

impl std::str::FromStr for Stop {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut words = text.split(':');
        let mut next = || words.next().unwrap_or_default();
        Ok(Self {
            step: named(next())?,
            side: named(next())?,
            fate: named(next())?,
            nth: next().parse().unwrap_or(1),
        })
    }
}

impl Step {
    /// Its name in a table and in the environment.
    #[must_use]
    pub fn name(self) -> String {
        name(&self)
    }
}

impl Bug {
    /// Its name in a table and in the environment.
    #[must_use]
    pub fn name(self) -> String {
        name(&self)
    }
}

/// The name of a variant that carries nothing.
fn name(variant: &impl Serialize) -> String {
    match serde_json::to_value(variant) {
        Ok(serde_json::Value::String(name)) => name,
        other => unreachable!("a variant without fields is its name, not {other:?}"),
    }
}

fn named<'de, T: Deserialize<'de>>(name: &'de str) -> Result<T, Error> {
    T::deserialize(name.into_deserializer())
}

pub fn step<F: Future>(step: Step, doing: F) -> impl Future<Output = F::Output> {
    // On the heap, so that a test build's futures are no larger than those of an ordinary one.
    let doing = Box::pin(doing);
    async move {
        reach(step, Side::Before);
        let done = doing.await;
        reach(step, Side::After);
        done
    }
}

fn reach(step: Step, side: Side) {
    static STOP: OnceLock<Option<Stop>> = OnceLock::new();
    static REACHED: AtomicU32 = AtomicU32::new(0);
    let asked = STOP.get_or_init(|| {
        env::var(STOP_AT)
            .ok()
            .map(|text| text.parse().unwrap_or_else(|error| panic!("{STOP_AT}={text}: {error}")))
    });
    let Some(asked) = asked else { return };
    if asked.step != step || asked.side != side || !is_armed() {
        return;
    }
    if REACHED.fetch_add(1, Ordering::SeqCst) + 1 == asked.nth {
        let signal = match asked.fate {
            Fate::Die => Signal::KILL,
            Fate::Freeze => Signal::STOP,
        };
        // Every thread of this process stops here, in the middle of whatever it does.
        kill_process(getpid(), signal).expect("one may always stop oneself");
    }
}

fn is_armed() -> bool {
    static ARM: OnceLock<Option<PathBuf>> = OnceLock::new();
    let arm = ARM.get_or_init(|| env::var_os(ARMED_BY).map(PathBuf::from));
    arm.as_ref().is_none_or(|file| file.exists())
}

pub fn planted(bug: Bug) -> bool {
    static PLANTED: OnceLock<Option<Bug>> = OnceLock::new();
    let planted = PLANTED.get_or_init(|| {
        env::var(BUG).ok().map(|text| named(&text).unwrap_or_else(|error| panic!("{BUG}={text}: {error}")))
    });
    *planted == Some(bug)
}

pub fn script(text: &'static str) -> &'static str {
    let mut without = None;
    for &(_, guard, nothing) in IN_SCRIPTS.iter().filter(|(bug, ..)| planted(*bug)) {
        without = Some(without.as_deref().unwrap_or(text).replace(guard, nothing));
    }
    without.map_or(text, |text| Box::leak(text.into_boxed_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_read_as_it_is_written() {
        let stop = Stop { step: Step::Claims, side: Side::After, fate: Fate::Freeze, nth: 3 };
        assert_eq!(stop.to_string(), "claims:after:freeze:3");
        assert_eq!(stop.to_string().parse::<Stop>().unwrap(), stop);
        assert!("claims:sometimes:die:1".parse::<Stop>().is_err());
        assert!("nowhere:after:die:1".parse::<Stop>().is_err());
    }

    #[test]
    fn the_guards_to_take_away_stand_in_one_script_each() {
        let lua = concat!(env!("CARGO_MANIFEST_DIR"), "/lua");
        let files =
            [lua.to_owned(), format!("{lua}/shared")].map(|folder| std::fs::read_dir(folder).unwrap());
        let paths =
            files.into_iter().flatten().map(|file| file.unwrap().path()).filter(|path| path.is_file());
        let texts: Vec<_> = paths.map(|path| std::fs::read_to_string(path).unwrap()).collect();
        for (bug, guard, _) in IN_SCRIPTS {
            let found: usize = texts.iter().map(|text| text.matches(guard).count()).sum();
            assert_eq!(found, 1, "{bug:?}: {guard}");
        }
    }
}
