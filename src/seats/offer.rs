//! Seats for parties that wait: taken among what is free and what is kept for them, in the order of the list.

use std::ops::Range;
use std::time::Duration;

use super::hold::{CALLS, HOPS, HoldAsk, Search, Via, Wish, granted, refusal};
use super::{Engine, Held, HoldRefusal, SeatsError, millis};
use crate::ids::{AccountId, EventId, HoldId, Ordinal};

/// Seats that one call lets go of.
const LET_GO: u32 = 2000;

/// How often something happened that might let a party be served that could not be before. While it is the same,
/// seats only become fewer, so whoever was asked in vain need not be asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct News {
    count: i64,
    /// Of the picture that they are about, if there is one.
    pub epoch: Option<i32>,
}

/// Where a party may sit or stand.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Places {
    /// Side by side in one of these ranges, best first.
    Seats(Vec<Range<Ordinal>>),
    /// Anywhere in one standing area.
    Standing(Range<Ordinal>),
}

/// A party's turn.
#[derive(Debug, Clone)]
pub struct OfferAsk {
    /// The same for every try to serve this party, so that a repeat finds what an earlier try has taken.
    pub hold: HoldId,
    pub event: EventId,
    pub owner: AccountId,
    pub quantity: u32,
    pub places: Places,
    pub news: News,
    pub lasts: Duration,
}

/// What became of a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offered {
    Held(Held),
    /// Nothing there for so many.
    Nothing,
    /// The customer has as many seats as the event allows.
    Limit,
    /// The sale is not open.
    Closed,
    /// An earlier offer under this id is over.
    Over,
    /// Something came free since: the list is asked from its beginning.
    Changed,
}

/// What became of letting go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// So many seats are everybody's now.
    Seats(u32),
    /// Something came free, or somebody came, since: nothing was let go.
    Changed,
}

impl Engine {
    /// From here on, what comes free is kept for the waiting list.
    ///
    /// # Errors
    /// When Redis cannot answer or the event has no picture; its rebuild then keeps what is free.
    pub async fn begin_waiting(&self, event: EventId) -> Result<(), SeatsError> {
        let mut call = self.scripts.wait.on(event);
        call.arg("begin").arg("").arg(0);
        let reply = self.run(call).await?;
        if reply.code() == "waiting" { Ok(()) } else { Err(reply.strange()) }
    }

    /// How things stand. Read before the list is: what happens afterwards is seen as a change.
    ///
    /// # Errors
    /// When Redis cannot answer.
    pub async fn news(&self, event: EventId) -> Result<News, SeatsError> {
        let meta = super::keys::Keys::of(event).meta();
        let (count, epoch): (Option<i64>, _) =
            self.redis.read(redis::cmd("HMGET").arg(meta).arg("news").arg("epoch")).await?;
        Ok(News { count: count.unwrap_or(0), epoch })
    }

    /// Takes seats for a party, if there are any for it. Safe to repeat with the same hold id.
    ///
    /// # Errors
    /// When Redis cannot answer or the event has no picture.
    pub async fn offer(&self, ask: &OfferAsk) -> Result<Offered, SeatsError> {
        let hold = HoldAsk {
            hold: ask.hold,
            event: ask.event,
            owner: ask.owner,
            what: Wish::Best { runs: Vec::new(), quantity: ask.quantity },
            replaces: None,
            via: Via::Admitted,
        };
        let mut search = Search::start();
        for _ in 0..CALLS {
            let mut call = self.opening(&self.scripts.offer, &hold, "offer", None);
            let scratch = call.keys.scratch();
            call.key(scratch).arg(ask.quantity).arg(HOPS).arg(search.from).arg(&search.fallback);
            call.arg(ask.news.count).arg(millis(ask.lasts));
            match &ask.places {
                Places::Seats(runs) => {
                    call.arg(0);
                    for range in runs {
                        call.arg(range.start).arg(range.end);
                    }
                }
                Places::Standing(area) => {
                    call.arg(1).arg(area.start).arg(area.end);
                }
            }
            let reply = self.run(call).await?;
            search = match Search::next(&reply)? {
                Some(next) => next,
                None => return offered(&hold, &reply),
            };
        }
        Err(SeatsError::Unsettled("offer"))
    }

    /// Nobody on the list can use what is kept: it is everybody's, unless the news is not the same any more.
    ///
    /// # Errors
    /// When Redis cannot answer or the event has no picture.
    pub async fn pass_on(&self, event: EventId, news: News) -> Result<Passed, SeatsError> {
        self.let_go(event, "pass", news).await
    }

    /// The same, and nobody waits any more.
    ///
    /// # Errors
    /// When Redis cannot answer or the event has no picture.
    pub async fn end_waiting(&self, event: EventId, news: News) -> Result<Passed, SeatsError> {
        self.let_go(event, "end", news).await
    }

    async fn let_go(&self, event: EventId, how: &'static str, news: News) -> Result<Passed, SeatsError> {
        let mut seats = 0;
        loop {
            let mut call = self.scripts.wait.on(event);
            call.arg(how).arg(news.count).arg(LET_GO);
            let reply = self.run(call).await?;
            match reply.code() {
                "passed" => seats += reply.parse::<u32>(0)?,
                "changed" => return Ok(Passed::Changed),
                _ => return Err(reply.strange()),
            }
            if reply.parse::<u8>(1)? == 0 {
                return Ok(Passed::Seats(seats));
            }
        }
    }
}

fn offered(ask: &HoldAsk, reply: &super::reply::Reply) -> Result<Offered, SeatsError> {
    match reply.code() {
        "held" => return granted(ask, reply).map(Offered::Held),
        "none" => return Ok(Offered::Nothing),
        "changed" => return Ok(Offered::Changed),
        _ => {}
    }
    match refusal(reply)? {
        SeatsError::Refused(HoldRefusal::Limit { .. }) => Ok(Offered::Limit),
        SeatsError::Refused(HoldRefusal::SaleClosed { .. }) => Ok(Offered::Closed),
        SeatsError::Refused(HoldRefusal::Expired) | SeatsError::InCheckout(_) => Ok(Offered::Over),
        error => Err(error),
    }
}
