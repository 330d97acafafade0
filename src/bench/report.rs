//! What was measured: for the terminal, as JSON, and as one page that needs nothing else.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;
use serde_json::Value;

use super::load::{Load, Pace, Tally};

/// Where on the curve from the quickest to the slowest a point is drawn.
const SHARES: [f64; 22] = [
    0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 95.0, 97.0, 98.0, 99.0, 99.5, 99.8, 99.9,
    99.95, 99.98, 99.99, 99.999, 100.0,
];

/// What grows is drawn at so many points at most.
const POINTS: usize = 400;

/// One measurement.
#[derive(Debug, Serialize)]
pub struct Figures {
    pub what: &'static str,
    /// Requests a second that were due; none where connections asked as fast as they could.
    pub rate: Option<f64>,
    pub connections: usize,
    pub seconds: f64,
    pub cores: usize,
    pub answered: u64,
    pub per_second: f64,
    pub outcomes: BTreeMap<String, u64>,
    pub latency: Spans,
    pub parts: BTreeMap<&'static str, Spans>,
    pub by_second: Vec<Second>,
    /// How late the asking itself was, where each request had its moment: a crowd that has no core shows here.
    pub lag: Option<Spans>,
    /// What grew meanwhile.
    pub courses: Vec<Course>,
    pub notes: BTreeMap<&'static str, Value>,
}

/// How long something took, in milliseconds.
#[derive(Debug, Serialize)]
pub struct Spans {
    pub count: u64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
    /// Per cent, and the milliseconds within which so many were done.
    pub curve: Vec<(f64, f64)>,
}

/// How many there had been of something, so many seconds after the beginning.
#[derive(Debug, Serialize)]
pub struct Course {
    pub name: &'static str,
    pub points: Vec<(f64, u64)>,
}

#[derive(Debug, Serialize)]
pub struct Second {
    pub answered: u64,
    pub p50: f64,
    pub p99: f64,
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of a minute fit a float")]
fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

fn at(spans: &Histogram<u64>, share: f64) -> f64 {
    millis(spans.value_at_percentile(share))
}

impl Spans {
    fn of(spans: &Histogram<u64>) -> Self {
        Self {
            count: spans.len(),
            p50: at(spans, 50.0),
            p90: at(spans, 90.0),
            p99: at(spans, 99.0),
            p999: at(spans, 99.9),
            max: millis(spans.max()),
            curve: SHARES.iter().map(|&share| (share, at(spans, share))).collect(),
        }
    }
}

impl Figures {
    #[expect(clippy::cast_precision_loss, reason = "requests of one run are few enough for a float")]
    pub fn of(what: &'static str, load: &Load, tally: &Tally, took: Duration) -> Self {
        let second = |spans: &Histogram<u64>| Second {
            answered: spans.len(),
            p50: at(spans, 50.0),
            p99: at(spans, 99.0),
        };
        Self {
            what,
            rate: match load.pace {
                Pace::Rate(rate) => Some(rate),
                Pace::Max => None,
            },
            connections: load.connections,
            seconds: took.as_secs_f64(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            answered: tally.all.len(),
            per_second: tally.all.len() as f64 / took.as_secs_f64(),
            outcomes: tally.outcomes.clone(),
            latency: Spans::of(&tally.all),
            parts: tally.parts.iter().map(|(name, spans)| (*name, Spans::of(spans))).collect(),
            by_second: tally.seconds.iter().map(second).collect(),
            lag: (!tally.lag.is_empty()).then(|| Spans::of(&tally.lag)),
            courses: Vec::new(),
            notes: BTreeMap::new(),
        }
    }

    /// How something grew that happened at these moments after the beginning.
    pub fn course(&mut self, name: &'static str, mut moments: Vec<Duration>) {
        moments.sort_unstable();
        let step = moments.len().div_ceil(POINTS).max(1);
        let last = moments.len().saturating_sub(1);
        let points =
            (1_u64..).zip(&moments).enumerate().filter(|(at, _)| at.is_multiple_of(step) || *at == last);
        let points = points.map(|(_, (number, moment))| (moment.as_secs_f64(), number)).collect();
        self.courses.push(Course { name, points });
    }

    pub fn note(&mut self, name: &'static str, what: impl Into<Value>) {
        self.notes.insert(name, what.into());
    }

    /// For the terminal.
    pub fn text(&self) -> String {
        let mut text = format!("{}: {} answered in {:.1} s", self.what, self.answered, self.seconds);
        let _ = match self.rate {
            Some(rate) => writeln!(text, ", {:.0} a second of {rate:.0} that were due", self.per_second),
            None => writeln!(text, ", {:.0} a second over {} connections", self.per_second, self.connections),
        };
        for (outcome, count) in &self.outcomes {
            let _ = writeln!(text, "  {count:>9}  {outcome}");
        }
        let _ = writeln!(
            text,
            "  {:>9} {:>9} {:>9} {:>9} {:>9}  milliseconds",
            "p50", "p90", "p99", "p99.9", "longest"
        );
        let whole = (self.latency.count > 0).then_some(("in all", &self.latency));
        for (name, spans) in whole.into_iter().chain(self.parts.iter().map(|(name, spans)| (*name, spans))) {
            let _ = writeln!(
                text,
                "  {:>9.2} {:>9.2} {:>9.2} {:>9.2} {:>9.2}  {name} ({})",
                spans.p50, spans.p90, spans.p99, spans.p999, spans.max, spans.count
            );
        }
        if let Some(lag) = &self.lag {
            let _ = writeln!(
                text,
                "  the asking itself was late by {:.2} ms, 99 % by at most {:.2}, at the most {:.2}",
                lag.p50, lag.p99, lag.max
            );
        }
        for (name, what) in &self.notes {
            let _ = writeln!(text, "  {name}: {what}");
        }
        text
    }
}
