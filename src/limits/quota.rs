//! So many calls in so much time, as a bucket that drains evenly (GCRA).
//!
//! Each call fills the bucket by what drains in a `span / calls`. One that would overflow it is refused. So `calls`
//! may come at once, and in the long run one each `span / calls`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Nobody needs more, and a call must take a microsecond or more to drain.
const MOST_CALLS: u32 = 1_000_000;
const LONGEST: Duration = Duration::from_hours(24);

/// `20/10s`: twenty calls in ten seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    pub calls: u32,
    pub span: Duration,
}

/// How full a bucket is, in microseconds of draining.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(pub u64);

impl Quota {
    /// Microseconds in which one call drains.
    pub fn drain(self) -> u64 {
        u64::try_from(self.span.as_micros()).unwrap_or(u64::MAX) / u64::from(self.calls)
    }

    /// The fullest that the bucket may be: not the span, which a division may not have left whole.
    pub fn most(self) -> u64 {
        self.drain() * u64::from(self.calls)
    }

    /// Whether so many more fit.
    pub fn fits(self, level: Level, calls: u32) -> bool {
        level.0 + self.drain() * u64::from(calls) <= self.most()
    }

    /// Calls that may come at once now.
    pub fn left(self, level: Level) -> u32 {
        u32::try_from(self.most().saturating_sub(level.0) / self.drain()).unwrap_or(self.calls)
    }

    /// Until one call fits.
    pub fn wait(self, level: Level) -> Duration {
        Duration::from_micros((level.0 + self.drain()).saturating_sub(self.most()))
    }

    /// Until all of them fit again; once there are none left, until there is one.
    pub fn reset(self, level: Level) -> Duration {
        if self.left(level) == 0 { self.wait(level) } else { Duration::from_micros(level.0) }
    }
}

impl FromStr for Quota {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = |why: &str| format!("{text} is no limit: {why}");
        let (calls, span) =
            text.split_once('/').ok_or_else(|| refused("write calls/time, such as 20/10s or 100/15m"))?;
        let calls: u32 = calls.parse().map_err(|_| refused("the calls are not a whole number"))?;
        if !(1..=MOST_CALLS).contains(&calls) {
            return Err(refused("the calls must be 1 to 1000000; off takes a limit away"));
        }
        let unit = span.char_indices().last().filter(|(_, unit)| "smh".contains(*unit));
        let (at, unit) = unit.ok_or_else(|| refused("the time must end in s, m or h"))?;
        let count: u64 = span[..at].parse().map_err(|_| refused("the time is not a whole number"))?;
        let seconds = count.saturating_mul(match unit {
            's' => 1,
            'm' => 60,
            _ => 3600,
        });
        let span = Duration::from_secs(seconds);
        if span.is_zero() || span > LONGEST {
            return Err(refused("the time must be 1s to 24h"));
        }
        Ok(Self { calls, span })
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}s", self.calls, self.span.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quota(text: &str) -> Quota {
        text.parse().expect(text)
    }

    #[test]
    fn so_many_calls_in_so_much_time_is_read() {
        assert_eq!(quota("20/10s"), Quota { calls: 20, span: Duration::from_secs(10) });
        assert_eq!(quota("100/15m").span, Duration::from_mins(15));
        assert_eq!(quota("1/24h").to_string(), "1/86400s");
    }

    #[test]
    fn what_is_no_limit_says_why() {
        for (bad, why) in [
            ("20", "calls/time"),
            ("x/10s", "whole number"),
            ("-1/10s", "whole number"),
            ("0/10s", "1 to 1000000"),
            ("2000000/1s", "1 to 1000000"),
            ("5/10", "s, m or h"),
            ("5/", "s, m or h"),
            ("5/10µ", "s, m or h"),
            ("5/s", "whole number"),
            ("5/0s", "1s to 24h"),
            ("5/25h", "1s to 24h"),
            ("5/99999999999999999999s", "whole number"),
            ("5/9999999999999999999h", "1s to 24h"),
        ] {
            let told = bad.parse::<Quota>().expect_err(bad);
            assert!(told.contains(bad) && told.contains(why), "{told}");
        }
    }

    #[test]
    fn the_last_call_says_when_the_next_one_fits() {
        let two = quota("2/10s");
        assert_eq!((two.left(Level(0)), two.reset(Level(0))), (2, Duration::ZERO));
        assert_eq!((two.left(Level(5_000_000)), two.reset(Level(5_000_000))), (1, Duration::from_secs(5)));
        let full = Level(10_000_000);
        assert_eq!((two.left(full), two.wait(full)), (0, Duration::from_secs(5)));
        assert_eq!(two.reset(full), two.wait(full));
    }

    proptest! {
        #[test]
        fn exactly_so_many_fit_at_once_whatever_the_division_leaves(
            calls in 1..5000_u32, seconds in 1..90_000_u64,
        ) {
            let span = Duration::from_secs(seconds);
            let quota = Quota { calls, span };
            let mut level = Level(0);
            for left in (0..calls).rev() {
                prop_assert!(quota.fits(level, 1));
                level.0 += quota.drain();
                prop_assert_eq!(quota.left(level), left);
            }
            prop_assert!(!quota.fits(level, 1));
            prop_assert!(quota.wait(level) <= span && !quota.wait(level).is_zero());
            level.0 -= u64::try_from(quota.wait(level).as_micros()).unwrap();
            prop_assert!(quota.fits(level, 1), "who waits as told is let through");
        }
    }
}
