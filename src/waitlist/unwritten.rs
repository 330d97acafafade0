//! Seats that were granted to a party and are nobody's offer: never written down as one, or declined.
//!
//! A node that dies between granting and writing leaves a hold that only Redis knows. While its party waits, the next turn
//! finds it again; when the party has gone meanwhile, nobody could take it up. Nor can anybody whose node died between writing
//! down that they decline and giving the seats back. Either would keep its seats from everybody for as long as an offer lasts.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Waitlist, WaitlistError};
use crate::catalog::OnSale;
use crate::ids::{AccountId, EntryId, HoldId};
use crate::seats::{Asker, Held, SeatState, SeatsError};
use crate::stores::postgres::within;

/// How long after its end an offer may still be asked about: clocks and passes are not exact.
const MARGIN: Duration = Duration::from_mins(5);

impl Waitlist {
    /// Gives back what an event's parties were granted and nobody can take up since they went; says how many holds.
    pub async fn give_back_unwritten(&self, event: &OnSale) -> Result<usize, WaitlistError> {
        let lasts = event
            .offer_seconds
            .map_or(self.offer, |seconds| Duration::from_secs(seconds.unsigned_abs().into()));
        if !self.somebody_went(event, lasts + MARGIN).await? {
            return Ok(0);
        }
        let mut returned = 0;
        for offer in self.granted(event).await? {
            if self.is_expected(&offer).await? {
                continue;
            }
            match self.seats.release(event.id, offer.hold, Asker::Owner(offer.owner)).await {
                Ok(_) => {
                    returned += 1;
                    tracing::warn!(event.id = %event.id, hold.id = %offer.hold, "seats that nobody can take up are given back");
                }
                Err(SeatsError::Gone | SeatsError::InCheckout(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(returned)
    }

    /// Whether any party has gone while what it was granted could still stand.
    async fn somebody_went(&self, event: &OnSale, since: Duration) -> Result<bool, WaitlistError> {
        within(async {
            let (went,): (bool,) = sqlx::query_as(
                "select exists (select from waitlist_log where event_id = $1 and at > now() - make_interval(secs => $2)
                                   and to_state in ('left', 'closed', 'declined'))",
            )
            .bind(event.id)
            .bind(since.as_secs_f64())
            .fetch_one(&self.pg)
            .await?;
            Ok(went)
        })
        .await
    }

    /// The holds that were made for parties and are not at checkout.
    async fn granted(&self, event: &OnSale) -> Result<Vec<Held>, WaitlistError> {
        let chart = self.catalog.chart_in_passing(event.id).await?;
        let planes = self.seats.snapshot(event.id).await?;
        let held: Vec<_> = (0..chart.size()).filter(|&at| planes.state(at) == SeatState::Held).collect();
        let flags = self.seats.flags(event.id, &held).await?;
        // Each once, however many seats it has.
        let holds: BTreeSet<HoldId> = flags.iter().flatten().filter_map(|flag| flag.parse().ok()).collect();
        let mut granted = Vec::new();
        for hold in holds {
            let found = self.seats.hold_of(event.id, hold).await?;
            // Only what is made for a party has a time of its own.
            granted.extend(found.filter(|held| held.live && held.span_ms.is_some() && held.order.is_none()));
        }
        Ok(granted)
    }

    /// Whether it is written down and stands, or its party waits and will be found to have it.
    async fn is_expected(&self, offer: &Held) -> Result<bool, WaitlistError> {
        within(async {
            // Asked first: a party that waits no longer was written down before, so what comes next sees it. The other way
            // round, one that is written down in between would be neither.
            if self.waits_for(offer.hold, offer.owner).await? {
                return Ok(true);
            }
            let (stands,): (bool,) = sqlx::query_as(
                "select exists (select from offers where hold_id = $1 and state in ('open', 'taken_up'))",
            )
            .bind(offer.hold)
            .fetch_one(&self.pg)
            .await?;
            Ok(stands)
        })
        .await
    }

    async fn waits_for(&self, hold: HoldId, owner: AccountId) -> Result<bool, sqlx::Error> {
        let waiting: Vec<(EntryId,)> =
            sqlx::query_as("select id from waitlist where account_id = $1 and state = 'waiting'")
                .bind(owner)
                .fetch_all(&self.pg)
                .await?;
        Ok(waiting.into_iter().any(|(party,)| super::serve::is_for(hold, party)))
    }
}
