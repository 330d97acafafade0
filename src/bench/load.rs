//! Asking at a pace of one's own: what is due at a moment is due then, whether or not the answers before it have come.
//!
//! Whoever waits for an answer before asking again asks less of a slow house, and finds it quicker than its customers do. Here
//! every request has its moment, and its time counts from that moment, the time in which it stood in line included.

use std::collections::BTreeMap;
use std::future::Future;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use super::progress::Progress;

/// A timer wakes whoever waits for their moment this much later at most, on a machine that has time for them. That is forgiven;
/// whatever is more is the crowd that has no core, which may well be the house's doing, and counts.
const FORGIVEN: Duration = Duration::from_millis(2);

/// How fast to ask.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// So often a second, come what may.
    Rate(f64),
    /// As fast as the connections have answers: says how much a house can do, and nothing of how long it feels.
    Max,
}

impl FromStr for Pace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        match text.parse() {
            Ok(rate) if rate > 0.0 && rate <= 1_000_000.0 => Ok(Self::Rate(rate)),
            _ => Err("requests a second, or max".to_owned()),
        }
    }
}

/// How much to ask, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub pace: Pace,
    pub lasts: Duration,
    pub connections: usize,
}

/// What is to be asked next: its number, and from when its time counts.
#[derive(Debug, Clone, Copy)]
pub struct Due {
    pub number: u64,
    pub since: Instant,
}

/// Somebody who asks over a connection of their own.
pub trait Caller: Send + 'static {
    /// Asks what is due, and says how it ended. Parts that are worth a look of their own go into the tally.
    fn call(&mut self, due: Due, tally: &mut Tally) -> impl Future<Output = String> + Send;
}

/// How often what came out, and how long it took, in microseconds.
#[derive(Debug, Clone)]
pub struct Tally {
    pub outcomes: BTreeMap<String, u64>,
    pub all: Histogram<u64>,
    pub parts: BTreeMap<&'static str, Histogram<u64>>,
    /// The same as `all`, second by second.
    pub seconds: Vec<Histogram<u64>>,
    /// How late whoever was free when a request was due began with it: nothing of the house's, and all of it ours.
    pub lag: Histogram<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            outcomes: BTreeMap::new(),
            all: histogram(),
            parts: BTreeMap::new(),
            seconds: Vec::new(),
            lag: histogram(),
        }
    }
}

/// Three digits. It grows with what is noted: room for hours, for each of those who ask, took the crowd longer to clear than the
/// house took for their first requests.
pub fn histogram() -> Histogram<u64> {
    Histogram::new(3).unwrap_or_else(|_| unreachable!("three digits are few enough"))
}

/// The same for one second of many.
fn histogram_of_a_second() -> Histogram<u64> {
    Histogram::new(2).unwrap_or_else(|_| unreachable!("two digits are few enough"))
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

fn note(histogram: &mut Histogram<u64>, span: Duration) {
    histogram.record(micros(span)).unwrap_or_else(|_| unreachable!("it grows"));
}

impl Tally {
    /// A part of what is measured as a whole.
    pub fn part(&mut self, name: &'static str, took: Duration) {
        note(self.parts.entry(name).or_insert_with(histogram), took);
    }

    pub fn count(&mut self, outcome: impl Into<String>) {
        *self.outcomes.entry(outcome.into()).or_default() += 1;
    }

    /// One answer, so long after the beginning.
    pub fn note(&mut self, outcome: String, at: Duration, took: Duration) {
        self.count(outcome);
        note(&mut self.all, took);
        let second = usize::try_from(at.as_secs()).unwrap_or(0);
        if self.seconds.len() <= second {
            self.seconds.resize_with(second + 1, histogram_of_a_second);
        }
        note(&mut self.seconds[second], took);
    }

    pub fn add(&mut self, other: &Self) {
        for (outcome, count) in &other.outcomes {
            *self.outcomes.entry(outcome.clone()).or_default() += count;
        }
        add(&mut self.all, &other.all);
        add(&mut self.lag, &other.lag);
        for (name, spans) in &other.parts {
            add(self.parts.entry(name).or_insert_with(histogram), spans);
        }
        for (second, spans) in other.seconds.iter().enumerate() {
            if self.seconds.len() <= second {
                self.seconds.resize_with(second + 1, histogram_of_a_second);
            }
            add(&mut self.seconds[second], spans);
        }
    }
}

/// All of them grow.
fn add(to: &mut Histogram<u64>, from: &Histogram<u64>) {
    let _ = to.add(from);
}

/// What is due next, and since when.
struct Schedule {
    begins: Instant,
    ends: Instant,
    pace: Pace,
    next: AtomicU64,
    answered: AtomicU64,
}

impl Schedule {
    /// The next number and its moment; `None` when it would be after the end.
    fn take(&self) -> Option<(u64, Instant)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let due = match self.pace {
            #[expect(clippy::cast_precision_loss, reason = "requests of one run are few enough for a float")]
            Pace::Rate(rate) => self.begins + Duration::from_secs_f64(number as f64 / rate),
            Pace::Max => Instant::now(),
        };
        (due < self.ends).then_some((number, due))
    }

    fn progress(self: &Arc<Self>) -> Progress {
        let (schedule, mut before) = (Arc::clone(self), 0);
        let whole = self.ends.saturating_duration_since(self.begins).as_secs();
        Progress::saying(move || {
            let answered = schedule.answered.load(Ordering::Relaxed);
            let second = schedule.begins.elapsed().as_secs();
            let new = answered - std::mem::replace(&mut before, answered);
            format!("{second:>4} of {whole} s   {new:>7} a second   {answered:>9} in all")
        })
    }
}

impl Load {
    /// How many seats an event needs so that each who asks finds others than those before: a stadium at most, and where
    /// nobody knows how many will ask.
    pub fn seats(&self, each: u32) -> u32 {
        const STADIUM: u32 = 100_000;
        match self.pace {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "held to what a stadium has"
            )]
            Pace::Rate(rate) => {
                let due = (rate * self.lasts.as_secs_f64()).ceil().min(f64::from(STADIUM)) as u32;
                due.saturating_mul(each).clamp(100, STADIUM)
            }
            Pace::Max => STADIUM,
        }
    }

    /// Has these people ask, each over their own connection, and says what came of it and how long it took.
    pub async fn run<C: Caller>(&self, callers: Vec<C>) -> (Tally, Duration) {
        let begins = Instant::now();
        let schedule = Arc::new(Schedule {
            begins,
            ends: begins + self.lasts,
            pace: self.pace,
            next: AtomicU64::new(0),
            answered: AtomicU64::new(0),
        });
        let mut people = JoinSet::new();
        for caller in callers {
            people.spawn(asks(caller, Arc::clone(&schedule)));
        }
        let progress = schedule.progress();
        let mut sum = Tally::default();
        while let Some(done) = people.join_next().await {
            match done {
                Ok(tally) => sum.add(&tally),
                Err(error) => sum.count(format!("nobody knows, the caller gave up: {error}")),
            }
        }
        drop(progress);
        (sum, begins.elapsed())
    }
}

async fn asks<C: Caller>(mut caller: C, schedule: Arc<Schedule>) -> Tally {
    let mut tally = Tally::default();
    while let Some((number, due)) = schedule.take() {
        // Who is free before it is due begins when the timer wakes them. Who was busy when it was due is late because of the
        // house.
        let since = if due > Instant::now() {
            tokio::time::sleep_until(due.into()).await;
            begun(due, Instant::now(), &mut tally)
        } else {
            due
        };
        let outcome = caller.call(Due { number, since }, &mut tally).await;
        tally.note(outcome, schedule.begins.elapsed(), since.elapsed());
        schedule.answered.fetch_add(1, Ordering::Relaxed);
    }
    tally
}

/// From when the time of a request counts whose moment was waited for.
fn begun(due: Instant, now: Instant, tally: &mut Tally) -> Instant {
    let lag = now.saturating_duration_since(due);
    note(&mut tally.lag, lag);
    if lag <= FORGIVEN { now } else { due }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers at once, but for one answer that takes a second and holds up the only connection.
    struct Stumbles;

    impl Caller for Stumbles {
        async fn call(&mut self, due: Due, _: &mut Tally) -> String {
            if due.number == 10 {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            "done".to_owned()
        }
    }

    #[tokio::test]
    async fn whoever_stands_in_line_behind_a_slow_answer_counts_as_slow() {
        let load = Load { pace: Pace::Rate(100.0), lasts: Duration::from_secs(2), connections: 1 };
        let (tally, _) = load.run(vec![Stumbles]).await;
        assert_eq!(tally.outcomes.get("done"), Some(&200), "all that was due was asked");
        // A hundred were due in that second. A tool that waits for answers would have seen one slow one.
        let late = tally.all.len() - tally.all.count_between(0, 100_000);
        assert!(late >= 80, "{late} were more than a tenth of a second late");
    }

    #[test]
    fn a_crowd_that_wakes_late_counts_as_late_beyond_a_timer_s_own() {
        let (due, mut tally) = (Instant::now(), Tally::default());
        let woken = due + Duration::from_micros(1_500);
        assert_eq!(begun(due, woken, &mut tally), woken, "as timers are");
        assert_eq!(begun(due, due + Duration::from_millis(40), &mut tally), due, "nobody had a core for it");
        assert_eq!(tally.lag.len(), 2);
        assert!(tally.lag.max() >= 39_900, "{} is told", tally.lag.max());
    }

    #[test]
    fn a_pace_is_a_rate_or_max() {
        assert_eq!("max".parse(), Ok(Pace::Max));
        assert_eq!("250".parse(), Ok(Pace::Rate(250.0)));
        for wrong in ["", "0", "-3", "fast", "NaN", "inf"] {
            assert!(wrong.parse::<Pace>().is_err(), "{wrong}");
        }
    }
}
