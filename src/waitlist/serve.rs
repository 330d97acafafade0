//! Serving the list: whoever has waited longest and can use what is there is offered it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use uuid::Uuid;

use super::entry::{EntryState, Move, Party, advance, write};
use super::join::shut_the_door;
use super::wish::Wish;
use super::{Waitlist, WaitlistError};
use crate::catalog::{Chart, Event};
use crate::ids::{EntryId, EventId, HoldId};
use crate::proof::{self, Step};
use crate::seats::{News, OfferAsk, Offered, Passed, Places, SeatsError};
use crate::stores::postgres::within;
use crate::telemetry::Metrics;

/// Parties that are closed in one transaction.
const BATCH: i64 = 500;
/// How often one pass begins anew because something came free meanwhile; the next pass goes on.
const RESTARTS: usize = 100;
/// A list without news is looked at this often all the same.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What a worker remembers of the lists that it has served to their end.
#[derive(Debug, Default)]
pub struct Attention {
    served: HashMap<EventId, (News, Instant)>,
}

impl Attention {
    fn knows(&self, event: EventId, news: News) -> bool {
        self.served.get(&event).is_some_and(|(known, at)| *known == news && at.elapsed() < LOOK_AGAIN)
    }
}

/// How a round through the list ended.
enum Round {
    /// Everybody was asked; so many still wait.
    Done(usize),
    /// Something came free: whoever was passed over is asked anew.
    Changed,
    /// Nothing is offered now.
    Closed,
}

/// What a party's turn came to.
enum Turn {
    Served,
    Nothing,
    PassedOver,
    Changed,
    Closed,
}

impl Waitlist {
    /// Serves every list that anybody waits on, and says how many parties were offered seats.
    pub async fn serve(&self, attention: &mut Attention) -> Result<usize, WaitlistError> {
        let lists: Vec<(EventId,)> = within(async {
            Ok::<_, WaitlistError>(
                sqlx::query_as("select id from events where waits").fetch_all(&self.pg).await?,
            )
        })
        .await?;
        let mut offered = 0;
        for (event,) in lists {
            match self.serve_event(event, attention).await {
                Ok(parties) => offered += parties,
                Err(WaitlistError::Seats(SeatsError::NotReady(_))) => {}
                Err(error) => tracing::debug!(%error, event.id = %event, "a waiting list is served again"),
            }
        }
        Ok(offered)
    }

    async fn serve_event(&self, id: EventId, attention: &mut Attention) -> Result<usize, WaitlistError> {
        let event = self.catalog.event(id).await?;
        if !event.waitlist_is_open(OffsetDateTime::now_utc()) {
            self.close(id).await?;
        }
        let mut offered = 0;
        for _ in 0..RESTARTS {
            // The news is read before the list is: whatever comes afterwards is a change.
            // Model: ReadNews
            let news = self.seats.news(id).await?;
            if attention.knows(id, news) {
                return Ok(offered);
            }
            let waiting = match self.ask_everybody(&event, news, &mut offered).await? {
                Round::Done(waiting) => waiting,
                Round::Changed => continue,
                Round::Closed => return Ok(offered),
            };
            let let_go = async {
                match waiting {
                    0 => self.seats.end_waiting(id, news).await,
                    _ => self.seats.pass_on(id, news).await,
                }
            };
            let passed = proof::step(Step::LetGo, let_go).await?;
            if let Passed::Seats(_) = passed {
                if waiting == 0 {
                    attention.served.remove(&id);
                    self.all_served(id).await?;
                } else {
                    attention.served.insert(id, (news, Instant::now()));
                }
                return Ok(offered);
            }
        }
        Ok(offered)
    }

    async fn ask_everybody(
        &self,
        event: &Event,
        news: News,
        offered: &mut usize,
    ) -> Result<Round, WaitlistError> {
        let parties = self.waiting(event.id).await?;
        let chart = self.catalog.chart(event.id).await?;
        let mut in_vain: HashSet<Wish> = HashSet::new();
        let mut left = 0;
        for party in parties {
            let wish = party.wish();
            if in_vain.contains(&wish) {
                left += 1;
                continue;
            }
            match self.turn(event, &chart, &party, &wish, news).await? {
                Turn::Served => *offered += 1,
                Turn::Nothing => {
                    in_vain.insert(wish);
                    left += 1;
                }
                Turn::PassedOver => left += 1,
                Turn::Changed => return Ok(Round::Changed),
                Turn::Closed => return Ok(Round::Closed),
            }
        }
        Ok(Round::Done(left))
    }

    /// Everybody who waits, in order and without a gap: nobody is on the way in while the list is read.
    async fn waiting(&self, event: EventId) -> Result<Vec<Party>, WaitlistError> {
        within(async {
            let mut tx = self.pg.begin().await?;
            shut_the_door(&mut tx, event).await?;
            // Model: ReadList
            let parties = sqlx::query_as(
                "select id, event_id, account_id, quantity, section, category, max_price, tries, passed_over
                   from waitlist where event_id = $1 and state = 'waiting' order by place",
            )
            .bind(event)
            .fetch_all(&mut *tx)
            .await?;
            tx.commit().await?;
            Ok(parties)
        })
        .await
    }

    /// Redis knows that nobody waits. A party that has come since keeps the list going.
    async fn all_served(&self, event: EventId) -> Result<(), WaitlistError> {
        within(async {
            let mut tx = self.pg.begin().await?;
            shut_the_door(&mut tx, event).await?;
            sqlx::query(
                // Model: AllServed
                "update events set waits = false
                  where id = $1 and not exists (select from waitlist where event_id = $1 and state = 'waiting')",
            )
            .bind(event)
            .execute(&mut *tx)
            .await?;
            proof::step(Step::AllServed, tx.commit()).await?;
            Ok(())
        })
        .await
    }

    async fn turn(
        &self,
        event: &Event,
        chart: &Arc<Chart>,
        party: &Party,
        wish: &Wish,
        news: News,
    ) -> Result<Turn, WaitlistError> {
        let lasts = event.offer_seconds.map_or(self.offer, |seconds| Duration::from_secs(seconds.into()));
        for places in wish.places(chart).unwrap_or_default() {
            match self.offer_to(event, party, places, news, lasts).await? {
                Offered::Held(held) => {
                    let is_known = self.write_down(party, &held, chart, news.epoch).await?;
                    // Until the picture is replaced, nobody is offered anything.
                    return Ok(if is_known { Turn::Served } else { Turn::Closed });
                }
                Offered::Nothing => {}
                Offered::Limit => {
                    self.pass_over(party, "has as many seats as the event allows").await?;
                    return Ok(Turn::PassedOver);
                }
                Offered::Closed => return Ok(Turn::Closed),
                Offered::Changed | Offered::Over => return Ok(Turn::Changed),
            }
        }
        Ok(Turn::Nothing)
    }

    async fn offer_to(
        &self,
        event: &Event,
        party: &Party,
        places: Places,
        news: News,
        lasts: Duration,
    ) -> Result<Offered, WaitlistError> {
        let ask = OfferAsk {
            hold: hold_for(event, party),
            event: event.id,
            owner: party.account_id,
            quantity: u32::try_from(party.quantity).unwrap_or(0),
            places,
            news,
            lasts,
        };
        let offered = proof::step(Step::GrantOffer, self.seats.offer(&ask)).await?;
        if offered == Offered::Over {
            // It was granted once and its time ran out before anybody wrote it down: the next try has another name.
            within(async {
                // Model: NameAnother
                sqlx::query("update waitlist set tries = tries + 1 where id = $1 and tries = $2 and state = 'waiting'")
                    .bind(party.id)
                    .bind(party.tries)
                    .execute(&self.pg)
                    .await?;
                Ok::<_, WaitlistError>(())
            })
            .await?;
        }
        Ok(offered)
    }

    /// Says why seats go to a party behind this one, once.
    async fn pass_over(&self, party: &Party, why: &str) -> Result<(), WaitlistError> {
        if party.passed_over.as_deref() == Some(why) {
            return Ok(());
        }
        within(async {
            let mut tx = self.pg.begin().await?;
            let told =
                sqlx::query("update waitlist set passed_over = $2 where id = $1 and state = 'waiting'")
                    .bind(party.id)
                    .bind(why)
                    .execute(&mut *tx)
                    .await?;
            if told.rows_affected() == 1 {
                let cause = format!("passed over: {why}");
                let why = Move { to: EntryState::Waiting, cause: &cause, by: None, hold: None };
                write(&mut tx, party.event_id, party.id, Some(EntryState::Waiting), &why).await?;
            }
            proof::step(Step::PassOver, tx.commit()).await?;
            Ok(())
        })
        .await
    }

    /// Ends all waiting: the event is too near, sold no longer, or called off. Offers that are open run their time.
    async fn close(&self, event: EventId) -> Result<(), WaitlistError> {
        loop {
            let closed = within(async {
                let mut tx = self.pg.begin().await?;
                let parties: Vec<(EntryId,)> = sqlx::query_as(
                    "select id from waitlist where event_id = $1 and state = 'waiting' order by place limit $2 for update",
                )
                .bind(event)
                .bind(BATCH)
                .fetch_all(&mut *tx)
                .await?;
                for (party,) in &parties {
                    let why = Move { to: EntryState::Closed, cause: "the list is closed", by: None, hold: None };
                    advance(&mut tx, *party, EntryState::Waiting, &why).await?;
                }
                proof::step(Step::CloseList, tx.commit()).await?;
                Ok::<_, WaitlistError>(parties.len())
            })
            .await?;
            if closed == 0 {
                return Ok(());
            }
            self.standings.forget(event);
            for _ in 0..closed {
                Metrics::count(&self.metrics.waitlist, "closed");
            }
        }
    }
}

impl Party {
    fn wish(&self) -> Wish {
        Wish {
            quantity: u32::try_from(self.quantity).unwrap_or(0),
            section: self.section.clone(),
            category: self.category.clone(),
            max_price: self.max_price,
        }
    }
}

/// The same for every node and every repeat of this try, so that two that serve the same party take one hold.
fn hold_for(event: &Event, party: &Party) -> HoldId {
    let mut bytes = party.id.0.into_bytes();
    bytes[11] ^= u8::try_from(party.tries % 256).unwrap_or(0);
    HoldId::of(event.number, Uuid::from_bytes(bytes))
}

/// Whether this hold is of any try to serve this party.
pub(super) fn is_for(hold: HoldId, party: EntryId) -> bool {
    // What neither a try nor the event's number has changed.
    hold.0.as_bytes()[..11] == party.0.as_bytes()[..11]
}
