//! Taking seats for a while, and reading what was taken.

use std::fmt::Write as _;
use std::ops::Range;
use std::time::Instant;

use sha2::{Digest, Sha256};

use super::reply::Reply;
use super::scripts::{Call, Step};
use super::{Engine, HoldRefusal, MOST_SEATS, SeatsError, in_order, millis};
use crate::ids::{AccountId, EventId, HoldId, OrderId, Ordinal};
use crate::proof;
use crate::telemetry::Metrics;

/// Due holds that one call sweeps before it looks: the rest is swept by the next call.
const SWEEP_CAP: u32 = 64;
/// Steps from run to run of one `hold_best`: some two milliseconds.
pub(super) const HOPS: u32 = 2000;
/// Calls that one wish may take: enough for the most scattered half million seats.
pub(super) const CALLS: u32 = 256;

/// A wish for seats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldAsk {
    /// Chosen by the caller, so that a repeat asks for the same hold.
    pub hold: HoldId,
    pub event: EventId,
    pub owner: AccountId,
    pub what: Wish,
    /// One's own hold to swap for this one, all or nothing.
    pub replaces: Option<HoldId>,
    pub via: Via,
}

/// How whoever asks comes to the seats.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Via {
    #[default]
    Public,
    /// Through the event's waiting room.
    Admitted,
    /// For an organiser: bound by no sale window, no room, no limit and no rule about single seats.
    House,
}

impl Via {
    fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Admitted => "admitted",
            Self::House => "house",
        }
    }
}

/// What is wished for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    Wanted {
        /// Seats by name. The orphan rule looks at these.
        ///
        /// A choice is refused when it newly strands a single free seat between taken ones, unless that one
        /// seat is all it leaves of the free run it takes from: who takes n of n + 1 cannot avoid it. Each
        /// run is judged once, with everything the wish takes of it.
        seats: Vec<Ordinal>,
        /// Standing places by name; nobody is stranded where all stand.
        places: Vec<Ordinal>,
        /// So many places of a standing area, whichever are free.
        areas: Vec<(Range<Ordinal>, u32)>,
    },
    /// So many seats side by side in one of these ranges, best range first.
    Best { runs: Vec<Range<Ordinal>>, quantity: u32 },
}

impl Wish {
    /// Neither nothing nor more than one script may take.
    fn check(&self) -> Result<(), SeatsError> {
        let seats: u64 = match self {
            Self::Wanted { seats, places, areas } => {
                let standing: u64 = areas.iter().map(|(_, quantity)| u64::from(*quantity)).sum();
                (seats.len() + places.len()) as u64 + standing
            }
            Self::Best { quantity, .. } => u64::from(*quantity),
        };
        match seats {
            0 => Err(SeatsError::Nothing),
            1.. if seats > MOST_SEATS as u64 => Err(SeatsError::TooMany(MOST_SEATS)),
            _ => Ok(()),
        }
    }
}

/// A hold as Redis has it. Times are milliseconds since 1970 by Redis' clock; use their differences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub hold: HoldId,
    pub event: EventId,
    pub owner: AccountId,
    pub ordinals: Vec<Ordinal>,
    pub deadline_ms: i64,
    pub first_held_ms: i64,
    pub now_ms: i64,
    /// The order that it was checked out as.
    pub order: Option<OrderId>,
    /// Whether all of its seats are still held by it.
    pub live: bool,
    /// How long it was granted for, where that is not the event's own time.
    pub span_ms: Option<i64>,
}

/// Where the search for the best seats goes on.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Search {
    pub from: i64,
    pub fallback: String,
}

impl Search {
    pub fn start() -> Self {
        Self { from: -1, fallback: String::new() }
    }

    /// What the script asks for: to begin anew, or to go on where it stopped.
    pub fn next(reply: &Reply) -> Result<Option<Self>, SeatsError> {
        match reply.code() {
            "again" => Ok(Some(Self::start())),
            "more" => Ok(Some(Self { from: reply.parse(0)?, fallback: reply.text(1)? })),
            _ => Ok(None),
        }
    }
}

/// How a call is known when it comes again.
#[derive(Debug, Clone)]
pub struct Once {
    /// A digest of the customer's key, safe in the name of a key in Redis.
    pub key: String,
    /// Of the whole request: the key is good for no other.
    pub fingerprint: Vec<u8>,
}

/// What a call for seats is told: when it comes again, the same.
#[derive(Debug)]
pub struct Told {
    pub outcome: Result<Held, SeatsError>,
    /// What a hold of it is called, or would have been.
    pub hold: HoldId,
    /// It came before, and nothing was done this time.
    pub is_repeat: bool,
}

impl Engine {
    /// Takes the seats, all or nothing. Safe to repeat with the same hold id: it answers its own success again.
    ///
    /// # Errors
    /// [`SeatsError::Refused`] says which seat failed and why; nothing has changed then.
    pub async fn hold(&self, ask: &HoldAsk) -> Result<Held, SeatsError> {
        self.hold_once(ask, None).await.outcome
    }

    /// The same, remembered in the same step: under the same key, the same call is told the same for a day.
    pub async fn hold_once(&self, ask: &HoldAsk, once: Option<&Once>) -> Told {
        let began = Instant::now();
        let told = self.settle(ask, once).await;
        let told =
            told.unwrap_or_else(|error| Told { outcome: Err(error), hold: ask.hold, is_repeat: false });
        Metrics::time(&self.metrics.hold_seconds, began.elapsed());
        let outcome = if told.is_repeat { "repeated" } else { outcome(&told.outcome) };
        self.pulse.note(began.elapsed(), outcome != "outage");
        Metrics::count(&self.metrics.holds, outcome);
        told
    }

    async fn settle(&self, ask: &HoldAsk, once: Option<&Once>) -> Result<Told, SeatsError> {
        ask.what.check()?;
        let wish = fingerprint(ask);
        let mut search = Search::start();
        for _ in 0..CALLS {
            let call = self.call_for(ask, &wish, once, &search)?;
            let reply = proof::step(proof::Step::Hold, self.run(call)).await?;
            search = match Search::next(&reply)? {
                Some(next) => next,
                None if reply.code() == "answered" => {
                    let before = HoldAsk { hold: reply.parse(0)?, ..ask.clone() };
                    let outcome = decided(&before, &reply.quoted(1)?);
                    return Ok(Told { outcome, hold: before.hold, is_repeat: true });
                }
                None => {
                    let outcome = decided(ask, &reply);
                    return Ok(Told { outcome, hold: ask.hold, is_repeat: false });
                }
            };
        }
        Err(SeatsError::Unsettled("hold"))
    }

    fn call_for(
        &self,
        ask: &HoldAsk,
        wish: &str,
        once: Option<&Once>,
        search: &Search,
    ) -> Result<Call<'_>, SeatsError> {
        match &ask.what {
            Wish::Wanted { seats, places, areas } => {
                let (seats, places) = (in_order(seats)?, in_order(places)?);
                let mut call = self.opening(&self.scripts.hold, ask, wish, once);
                call.arg(seats.len()).arg(places.len()).seats(&seats).seats(&places);
                for (range, quantity) in areas {
                    call.arg(range.start).arg(range.end).arg(*quantity);
                }
                Ok(call)
            }
            Wish::Best { runs, quantity } => {
                let mut call = self.opening(&self.scripts.hold_best, ask, wish, once);
                call.arg(*quantity).arg(HOPS).arg(search.from).arg(&search.fallback);
                call.arg(if ask.replaces.is_some() { String::new() } else { search_name(runs, *quantity) });
                for range in runs {
                    call.arg(range.start).arg(range.end);
                }
                Ok(call)
            }
        }
    }

    pub(super) fn opening<'a>(
        &self,
        step: &'a Step,
        ask: &HoldAsk,
        wish: &str,
        once: Option<&Once>,
    ) -> Call<'a> {
        let replaces = ask.replaces.map(|hold| hold.to_string()).unwrap_or_default();
        let mut call = step.on(ask.event);
        let (own, old) = (call.keys.hold(ask.hold), call.keys.hold(ask.replaces.unwrap_or(ask.hold)));
        let memory = once.map_or_else(|| own.clone(), |once| call.keys.once(ask.owner, &once.key));
        call.key(own).key(old).key(memory);
        call.arg(ask.hold.to_string()).arg(ask.owner.to_string()).arg(wish).arg(replaces);
        call.arg(millis(self.timing.payment)).arg(SWEEP_CAP).arg(ask.via.as_str());
        call.arg(once.map_or(&[][..], |once| &once.fingerprint));
        call
    }

    /// Reads a hold, also one that is over while its record lasts. Whose it is, the caller checks.
    ///
    /// # Errors
    /// When Redis cannot answer or the event has no picture.
    pub async fn hold_of(&self, event: EventId, hold: HoldId) -> Result<Option<Held>, SeatsError> {
        let mut call = self.scripts.look.on(event);
        let record = call.keys.hold(hold);
        call.key(record).arg(hold.to_string());
        let reply = self.run(call).await?;
        match reply.code() {
            "found" => Ok(Some(Held {
                hold,
                event,
                owner: reply.parse(0)?,
                ordinals: reply.list(1)?,
                deadline_ms: reply.parse(2)?,
                first_held_ms: reply.parse(3)?,
                now_ms: reply.parse(4)?,
                order: reply.maybe(5)?,
                live: reply.parse::<u8>(6)? == 1,
                span_ms: reply.maybe(7)?,
            })),
            "none" => Ok(None),
            _ => Err(reply.strange()),
        }
    }
}

fn decided(ask: &HoldAsk, reply: &Reply) -> Result<Held, SeatsError> {
    match reply.code() {
        "held" => granted(ask, reply),
        "reused" => Err(SeatsError::KeyReused),
        _ => Err(refusal(reply)?),
    }
}

pub(super) fn granted(ask: &HoldAsk, reply: &Reply) -> Result<Held, SeatsError> {
    Ok(Held {
        hold: ask.hold,
        event: ask.event,
        owner: ask.owner,
        ordinals: reply.list(0)?,
        deadline_ms: reply.parse(1)?,
        first_held_ms: reply.parse(2)?,
        now_ms: reply.parse(3)?,
        order: reply.maybe(4)?,
        live: true,
        span_ms: None,
    })
}

pub(super) fn refusal(reply: &Reply) -> Result<SeatsError, SeatsError> {
    Ok(SeatsError::Refused(match reply.code() {
        "refused" => HoldRefusal::Seats(reply.reasons()?),
        "sold_out" => HoldRefusal::SoldOut { free: reply.parse(0)? },
        "no_adjacent" => HoldRefusal::NoAdjacent { free: reply.parse(0)? },
        "limit" => HoldRefusal::Limit { limit: reply.parse(0)?, held: reply.parse(1)? },
        "sale_closed" => HoldRefusal::SaleClosed {
            opens_ms: reply.maybe(0)?,
            closes_ms: reply.maybe(1)?,
            now_ms: reply.parse(2)?,
            cancelled: reply.text(3)? == "1",
        },
        "not_admitted" => HoldRefusal::NotAdmitted,
        "expired" => HoldRefusal::Expired,
        "mismatch" => HoldRefusal::Mismatch,
        "not_owner" => return Ok(SeatsError::NotYours),
        "in_checkout" => return Ok(SeatsError::InCheckout(reply.parse(0)?)),
        _ => return Err(reply.strange()),
    }))
}

/// What a search is called in Redis, which remembers how far it came: the same for all who look for so many there. Nothing when
/// it is not made in the order of ordinals.
fn search_name(runs: &[Range<Ordinal>], quantity: u32) -> String {
    if !runs.is_sorted_by(|one, next| one.end <= next.start) {
        return String::new();
    }
    let mut digest = Sha256::new_with_prefix(quantity.to_le_bytes());
    for run in runs {
        digest.update(run.start.to_le_bytes());
        digest.update(run.end.to_le_bytes());
    }
    short(&digest.finalize())
}

/// Tells one wish from another under the same hold id. Also what it replaces is part of it.
fn fingerprint(ask: &HoldAsk) -> String {
    short(&Sha256::digest(format!("{:?} {:?}", ask.what, ask.replaces)))
}

/// As much of a digest as tells one from another.
fn short(digest: &[u8]) -> String {
    digest.iter().take(8).fold(String::with_capacity(16), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The outcome's name among the metrics.
fn outcome(held: &Result<Held, SeatsError>) -> &'static str {
    match held {
        Ok(_) => "held",
        Err(SeatsError::Refused(refusal)) => match refusal {
            HoldRefusal::Seats(_) => "seats_unavailable",
            HoldRefusal::SoldOut { .. } | HoldRefusal::NoAdjacent { .. } => "sold_out",
            HoldRefusal::Limit { .. } => "limit_exceeded",
            HoldRefusal::SaleClosed { .. } => "sale_closed",
            HoldRefusal::NotAdmitted => "not_admitted",
            HoldRefusal::Expired | HoldRefusal::Mismatch => "hold_expired",
        },
        Err(SeatsError::NotReady(_)) => "not_ready",
        Err(
            SeatsError::NotYours
            | SeatsError::KeyReused
            | SeatsError::Gone
            | SeatsError::InCheckout(_)
            | SeatsError::Nothing
            | SeatsError::TooMany(_),
        ) => "refused",
        Err(
            SeatsError::Redis(_)
            | SeatsError::UnknownReply(..)
            | SeatsError::Unsettled(_)
            | SeatsError::Superseded,
        ) => "outage",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_has_its_own_fingerprint() {
        let wish = |seats: &[Ordinal]| HoldAsk {
            hold: HoldId::of(1, uuid::Uuid::nil()),
            event: EventId(uuid::Uuid::nil()),
            owner: AccountId(uuid::Uuid::nil()),
            what: Wish::Wanted { seats: seats.to_vec(), places: vec![], areas: vec![] },
            replaces: None,
            via: Via::Public,
        };
        assert_eq!(fingerprint(&wish(&[1, 2])), fingerprint(&wish(&[1, 2])));
        assert_ne!(fingerprint(&wish(&[1, 2])), fingerprint(&wish(&[1, 3])));
        let swap = HoldAsk { replaces: Some(HoldId::of(1, uuid::Uuid::nil())), ..wish(&[1, 2]) };
        assert_ne!(fingerprint(&wish(&[1, 2])), fingerprint(&swap));
    }
}
