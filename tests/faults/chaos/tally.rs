//! How often what was done, and how it went.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use crate::stand::Answer;

#[derive(Debug, Default)]
pub struct Tally {
    counts: Mutex<BTreeMap<(String, String), u64>>,
    spans: Mutex<BTreeMap<&'static str, Vec<Duration>>>,
}

impl Tally {
    pub fn count(&self, what: &str, how: &str) {
        *self.counts.lock().expect("unbroken").entry((what.to_owned(), how.to_owned())).or_default() += 1;
    }

    pub fn call(&self, what: &str, answer: Option<&Answer>) {
        match answer {
            Some(answer) if answer.status < 300 => self.count(what, "done"),
            Some(answer) => self.count(what, if answer.code().is_empty() { "odd" } else { answer.code() }),
            None => self.count(what, "unknown"),
        }
    }

    pub fn took(&self, what: &'static str, span: Duration) {
        self.spans.lock().expect("unbroken").entry(what).or_default().push(span);
    }

    /// How often this was measured.
    pub fn times(&self, what: &'static str) -> usize {
        self.spans.lock().expect("unbroken").get(what).map_or(0, Vec::len)
    }

    pub fn of(&self, what: &str, how: &str) -> u64 {
        let counts = self.counts.lock().expect("unbroken");
        counts.get(&(what.to_owned(), how.to_owned())).copied().unwrap_or(0)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts.lock().expect("unbroken");
        let mut last = "";
        for ((what, how), count) in &*counts {
            if what != last {
                write!(f, "{}  {what}:", if last.is_empty() { "" } else { "\n" })?;
                last = what;
            }
            write!(f, " {how} {count},")?;
        }
        writeln!(f)?;
        for (what, spans) in &*self.spans.lock().expect("unbroken") {
            let mut sorted = spans.clone();
            sorted.sort_unstable();
            let at = |part: usize| sorted[(sorted.len() - 1) * part / 100].as_secs_f64();
            writeln!(
                f,
                "  {what}: {} times, median {:.2} s, longest {:.2} s",
                sorted.len(),
                at(50),
                at(100)
            )?;
        }
        Ok(())
    }
}
