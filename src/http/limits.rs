//! How often one customer may call, and one address be tried: what is more is told when to come back.
//!
//! Each node counts for itself and in memory: a limit is there to keep one caller from starving the others, and
//! asking a store about it would make every call pay for that.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::extract::Identity;
use super::problem::{Code, Problem};
use crate::ids::AccountId;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Thirty guesses at a password at once, then one every two seconds: nothing to a person, everything to a list.
const ATTEMPTS: Pace = Pace { each: Duration::from_secs(2), burst: 30 };

/// So many keys are remembered before those that have nothing to wait for are dropped.
const MANY: usize = 100_000;

/// One call each so often, and a burst of them at once.
#[derive(Debug, Clone, Copy)]
struct Pace {
    each: Duration,
    burst: u32,
}

/// Until when each key's calls are spoken for; a key that is absent may call at once (GCRA).
#[derive(Debug)]
struct Paced<K> {
    pace: Pace,
    spoken_for: Mutex<HashMap<K, Instant>>,
}

/// What a call that may go on learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Room {
    remaining: u32,
    /// Until the whole burst is there again.
    reset: Duration,
}

impl<K: Eq + Hash> Paced<K> {
    fn new(pace: Pace) -> Self {
        Self { pace, spoken_for: Mutex::default() }
    }

    /// Counts a call, or says how long to wait.
    fn take(&self, key: K, now: Instant) -> Result<Room, Duration> {
        let Pace { each, burst } = self.pace;
        let mut spoken_for = self.spoken_for.lock().unwrap_or_else(PoisonError::into_inner);
        if spoken_for.len() >= MANY {
            spoken_for.retain(|_, until| *until > now);
        }
        let until = spoken_for.entry(key).or_insert(now);
        let next = (*until).max(now) + each;
        let ahead = next - now;
        let too_far = ahead.saturating_sub(each * burst);
        if !too_far.is_zero() {
            return Err(too_far);
        }
        *until = next;
        let used = ahead.as_nanos().div_ceil(each.as_nanos().max(1));
        Ok(Room { remaining: burst.saturating_sub(u32::try_from(used).unwrap_or(u32::MAX)), reset: ahead })
    }
}

/// The limits of this node. Clones share their counts.
#[derive(Debug, Clone)]
pub struct Limits {
    /// `None`: as many as come.
    calls: Option<Arc<Paced<AccountId>>>,
    /// By a digest of the address: what strangers type is of any length.
    attempts: Arc<Paced<[u8; 32]>>,
}

impl Limits {
    #[must_use]
    pub fn new(calls_per_second: u32) -> Self {
        let pace = (calls_per_second > 0).then(|| Pace {
            each: Duration::from_secs(1) / calls_per_second,
            burst: calls_per_second.saturating_mul(2),
        });
        Self { calls: pace.map(|pace| Arc::new(Paced::new(pace))), attempts: Arc::new(Paced::new(ATTEMPTS)) }
    }

    /// Counts an attempt to sign in, whether it will succeed or not.
    ///
    /// # Errors
    /// When this address was tried too often.
    pub fn attempt(&self, email: &str) -> Result<(), Problem> {
        let address = Sha256::digest(email.trim().to_lowercase());
        self.attempts.take(address.into(), Instant::now()).map(drop).map_err(come_back)
    }
}

/// Keeps one customer's changing calls to their pace; looking is free.
pub async fn pace(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    let is_change = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let caller = request.extensions().get::<Identity>();
    let (Some(calls), Some(Identity::Known(caller)), true) = (&limits.calls, caller, is_change) else {
        return next.run(request).await;
    };
    match calls.take(caller.id, Instant::now()) {
        Ok(room) => {
            let mut answer = next.run(request).await;
            tell(answer.headers_mut(), calls.pace.burst, room);
            answer
        }
        Err(wait) => {
            let mut answer = come_back(wait).into_response();
            tell(answer.headers_mut(), calls.pace.burst, Room { remaining: 0, reset: wait });
            answer
        }
    }
}

fn tell(headers: &mut HeaderMap, limit: u32, room: Room) {
    headers.insert(LIMIT, HeaderValue::from(limit));
    headers.insert(REMAINING, HeaderValue::from(room.remaining));
    headers.insert(RESET, HeaderValue::from(whole_seconds(room.reset)));
}

fn come_back(wait: Duration) -> Problem {
    Code::TooManyRequests.problem().retry_after(whole_seconds(wait).max(1))
}

/// Rounded up: who comes back then is not early.
fn whole_seconds(span: Duration) -> u32 {
    u32::try_from(span.as_millis().div_ceil(1000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { each: Duration::from_secs(1), burst: 3 };

    #[test]
    fn a_burst_passes_and_what_is_more_waits_its_turn() {
        let (paced, now) = (Paced::new(PACE), Instant::now());
        let remaining: Vec<_> =
            (0..3).map(|_| paced.take("ada", now).expect("within the burst").remaining).collect();
        assert_eq!(remaining, [2, 1, 0]);
        assert_eq!(paced.take("ada", now), Err(Duration::from_secs(1)));
        assert_eq!(paced.take("ada", now), Err(Duration::from_secs(1)), "being refused costs nothing");
        assert!(paced.take("ben", now).is_ok(), "others are not kept waiting");
        assert!(paced.take("ada", now + Duration::from_secs(1)).is_ok());
    }

    #[test]
    fn who_has_waited_has_the_whole_burst_again() {
        let (paced, now) = (Paced::new(PACE), Instant::now());
        for _ in 0..3 {
            paced.take("ada", now).expect("within the burst");
        }
        let later = now + Duration::from_mins(1);
        assert_eq!(paced.take("ada", later).expect("long after").remaining, 2);
    }

    #[test]
    fn an_address_is_one_however_it_is_spelled() {
        let limits = Limits::new(0);
        for _ in 0..ATTEMPTS.burst {
            limits.attempt("Cleo@Example.com").expect("within the burst");
        }
        assert!(limits.attempt(" cleo@example.com ").is_err());
        assert!(limits.attempt("ben@example.com").is_ok());
    }
}
