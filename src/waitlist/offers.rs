//! Offers in Postgres: written down after Redis has granted them, ended once, taken up by a checkout.

use std::time::Duration;

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::entry::{EntryState, Move, Party, advance};
use super::{Waitlist, WaitlistError};
use crate::catalog::Chart;
use crate::hooks::{self, Kind};
use crate::ids::{AccountId, EntryId, EventId, HoldId, OrderId};
use crate::mail::{self, Occasion, Offer};
use crate::proof::{self, Step};
use crate::seats::{Asker, Held, SeatsError};
use crate::stores::postgres::{Outage, within};
use crate::telemetry::Metrics;

/// Offers looked at in one pass.
const BATCH: i64 = 64;

/// An offer that is not answered, as a rebuild of the picture needs it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct OpenOffer {
    pub hold_id: HoldId,
    pub account_id: AccountId,
    pub ordinal: i32,
    pub seconds_left: f64,
}

/// The seats of an event's open offers.
///
/// # Errors
/// When Postgres cannot answer.
pub async fn open_offers(db: &mut PgConnection, event: EventId) -> Result<Vec<OpenOffer>, sqlx::Error> {
    sqlx::query_as(
        "select o.hold_id, o.account_id, s.ordinal, extract(epoch from o.expires_at - now())::float8 as seconds_left
           from offers o join offered_seats s using (event_id, hold_id)
          where o.event_id = $1 and o.state = 'open' and o.expires_at > now() order by s.ordinal",
    )
    .bind(event)
    .fetch_all(db)
    .await
}

/// A checkout takes up the offer that its hold is, in the checkout's own transaction. False when the offer has ended:
/// then there is nothing to check out. A hold that is no offer may be checked out, as far as the list is concerned.
///
/// # Errors
/// When Postgres cannot answer.
pub async fn take_up(tx: &mut PgConnection, hold: HoldId, order: OrderId) -> Result<bool, sqlx::Error> {
    let found: Option<(EntryId,)> = sqlx::query_as("select entry_id from offers where hold_id = $1")
        .bind(hold)
        .fetch_optional(&mut *tx)
        .await?;
    let Some((entry,)) = found else { return Ok(true) };
    // In the same order as declining and lapsing: the entry first.
    sqlx::query("select from waitlist where id = $1 for update").bind(entry).execute(&mut *tx).await?;
    let taken = sqlx::query(
        "update offers set state = 'taken_up', order_id = $2 where hold_id = $1 and state = 'open'",
    )
    .bind(hold)
    .bind(order)
    .execute(&mut *tx)
    .await?;
    if taken.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query("delete from offered_seats where hold_id = $1").bind(hold).execute(&mut *tx).await?;
    let why = Move { to: EntryState::Served, cause: "checks out", by: None, hold: Some(hold) };
    match advance(tx, entry, EntryState::Offered, &why).await {
        Ok(moved) => Ok(moved),
        Err(WaitlistError::Outage(Outage::Failed(error))) => Err(error),
        Err(error) => Err(sqlx::Error::Protocol(error.to_string())),
    }
}

/// Ends the open offer of an entry whose row the caller has locked; answers its hold.
pub(super) async fn end_offer(
    tx: &mut PgConnection,
    entry: EntryId,
    how: &str,
) -> Result<Option<HoldId>, sqlx::Error> {
    let ended: Option<(HoldId,)> = sqlx::query_as(
        "update offers set state = $2 where entry_id = $1 and state = 'open' returning hold_id",
    )
    .bind(entry)
    .bind(how)
    .fetch_optional(&mut *tx)
    .await?;
    let Some((hold,)) = ended else { return Ok(None) };
    sqlx::query("delete from offered_seats where hold_id = $1").bind(hold).execute(tx).await?;
    Ok(Some(hold))
}

/// What became of a granted offer in Postgres.
enum Written {
    Now,
    /// Another node was quicker.
    Before,
    /// The party waits no more.
    Gone,
    /// The picture in which it was granted is being replaced, by one that knows only what was written down before.
    Outdated,
}

impl Waitlist {
    /// Whether an offer has been taken up, declined or missed.
    ///
    /// # Errors
    /// When Postgres cannot answer.
    pub async fn is_answered(&self, hold: HoldId) -> Result<bool, WaitlistError> {
        within(async {
            let (answered,): (bool,) =
                sqlx::query_as("select exists (select from offers where hold_id = $1 and state <> 'open')")
                    .bind(hold)
                    .fetch_one(&self.pg)
                    .await?;
            Ok(answered)
        })
        .await
    }

    /// Writes down what Redis has granted, in the picture of that epoch. A party that has left in between, or whose list has
    /// closed, cannot take it: then it goes to the next at once. False when the picture is being replaced: its successor
    /// would not know of the offer, so the party goes on waiting, and is served anew.
    pub(super) async fn write_down(
        &self,
        party: &Party,
        held: &Held,
        chart: &Chart,
        epoch: Option<i32>,
    ) -> Result<bool, WaitlistError> {
        let offered: Vec<_> = held.ordinals.iter().filter_map(|&at| chart.seat(at)).collect();
        let amount: i64 = offered.iter().map(|seat| seat.price).sum();
        let places = offered
            .iter()
            .map(|seat| mail::place(chart.part_name(seat.section), seat.row, seat.seat.as_deref()));
        let places: Vec<String> = places.collect();
        let left =
            u64::try_from(held.deadline_ms - held.now_ms).map_or(Duration::ZERO, Duration::from_millis);
        let seats: Vec<i32> = held.ordinals.iter().filter_map(|&at| i32::try_from(at).ok()).collect();
        let made = within(async {
            let mut tx = self.pg.begin().await?;
            if !is_the_epoch(&mut tx, party.event_id, epoch).await? {
                return Ok(Written::Outdated);
            }
            let why = Move { to: EntryState::Offered, cause: "its turn", by: None, hold: Some(held.hold) };
            // Model: WriteDown
            if !advance(&mut tx, party.id, EntryState::Waiting, &why).await? {
                let (is_written,): (bool,) =
                    sqlx::query_as("select exists (select from offers where hold_id = $1)")
                        .bind(held.hold)
                        .fetch_one(&mut *tx)
                        .await?;
                return Ok(if is_written { Written::Before } else { Written::Gone });
            }
            let (expires_at,): (OffsetDateTime,) = sqlx::query_as(
                "insert into offers (hold_id, event_id, entry_id, account_id, amount, expires_at)
                 values ($1, $2, $3, $4, $5, now() + make_interval(secs => $6)) returning expires_at",
            )
            .bind(held.hold)
            .bind(party.event_id)
            .bind(party.id)
            .bind(party.account_id)
            .bind(amount)
            .bind(left.as_secs_f64())
            .fetch_one(&mut *tx)
            .await?;
            // What costs nothing is taken up at once, and told as the booking that it is.
            if amount > 0 {
                let offer = Offer {
                    seats: places,
                    amount,
                    currency: chart.currency().to_string(),
                    expires_at,
                    path: format!("/checkout/{}", held.hold),
                };
                let occasion = Occasion::Offered(held.hold, offer);
                mail::owe(&mut tx, party.account_id, Some(party.event_id), &occasion).await?;
            }
            // Redis grants a seat to one hold at a time, so an offer that still names one of these is over, and its
            // end has only not been written down yet.
            let over: Vec<(EntryId,)> = sqlx::query_as(
                "select distinct o.entry_id from offered_seats s join offers o using (hold_id)
                  where s.event_id = $1 and s.ordinal = any ($2)",
            )
            .bind(party.event_id)
            .bind(&seats)
            .fetch_all(&mut *tx)
            .await?;
            for (entry,) in over {
                lapse(&mut tx, entry).await?;
            }
            sqlx::query(
                "insert into offered_seats (event_id, ordinal, hold_id) select $1, seat, $3 from unnest($2::integer[]) as seat",
            )
            .bind(party.event_id)
            .bind(&seats)
            .bind(held.hold)
            .execute(&mut *tx)
            .await?;
            let told = hooks::of_offer(&hooks::Offered {
                entry: party.id,
                customer: party.account_id,
                hold: held.hold,
                chart,
                ordinals: &held.ordinals,
                deadline_ms: held.deadline_ms,
            });
            hooks::tell(&mut tx, party.event_id, Kind::WaitlistOffered, told).await?;
            proof::step(Step::NoteOffer, tx.commit()).await?;
            Ok::<_, WaitlistError>(Written::Now)
        })
        .await?;
        match made {
            Written::Now => {
                Metrics::count(&self.metrics.waitlist, "offered");
                self.standings.forget(party.event_id);
                tracing::info!(event.id = %party.event_id, entry.id = %party.id, hold.id = %held.hold, "seats are offered");
            }
            Written::Before => {}
            Written::Outdated => return Ok(false),
            Written::Gone => {
                // Model: TakeOfferBack
                let owner = Asker::Owner(party.account_id);
                let back = self.seats.release(party.event_id, held.hold, owner);
                match proof::step(Step::TakeOfferBack, back).await {
                    Ok(_) | Err(SeatsError::Gone) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(true)
    }

    /// Ends offers whose time is over, and says how many. Redis decides: an offer ends when its hold is gone.
    pub async fn lapse_offers(&self) -> Result<usize, WaitlistError> {
        let due: Vec<(HoldId, EventId, EntryId)> = within(async {
            Ok::<_, WaitlistError>(
                sqlx::query_as(
                    "select hold_id, event_id, entry_id from offers
                      where state = 'open' and expires_at <= now() order by expires_at limit $1",
                )
                .bind(BATCH)
                .fetch_all(&self.pg)
                .await?,
            )
        })
        .await?;
        let mut ended = 0;
        for (hold, event, entry) in due {
            // Model: LookAtOffer
            if self.seats.hold_of(event, hold).await?.is_some_and(|held| held.live) {
                continue;
            }
            let lapsed = within(async {
                let mut tx = self.pg.begin().await?;
                // Model: LapseOffer
                let lapsed = lapse(&mut tx, entry).await?;
                proof::step(Step::LapseOffer, tx.commit()).await?;
                Ok::<_, WaitlistError>(lapsed)
            })
            .await?;
            if lapsed {
                Metrics::count(&self.metrics.waitlist, "lapsed");
                self.standings.forget(event);
                ended += 1;
            }
        }
        Ok(ended)
    }

    /// Open offers that cost nothing: they are taken up for their party. With whose they are.
    pub async fn free_offers(&self) -> Result<Vec<(HoldId, AccountId)>, WaitlistError> {
        within(async {
            Ok(sqlx::query_as(
                "select hold_id, account_id from offers
                  where state = 'open' and amount = 0 and expires_at > now() order by made_at limit $1",
            )
            .bind(BATCH)
            .fetch_all(&self.pg)
            .await?)
        })
        .await
    }

    /// When the next open offer ends, for whoever waits for it.
    pub async fn next_end(&self) -> Result<Option<OffsetDateTime>, WaitlistError> {
        within(async {
            let (next,): (Option<OffsetDateTime>,) =
                sqlx::query_as("select min(expires_at) from offers where state = 'open'")
                    .fetch_one(&self.pg)
                    .await?;
            Ok(next)
        })
        .await
    }
}

/// Whether the picture of this epoch is the present one, and stays so until the transaction ends: a rebuild raises the epoch
/// before it reads the offers, so either it is seen here, or it sees what is written here.
async fn is_the_epoch(
    tx: &mut PgConnection,
    event: EventId,
    epoch: Option<i32>,
) -> Result<bool, sqlx::Error> {
    let (present,): (i32,) =
        sqlx::query_as("select epoch from events where id = $1 for share").bind(event).fetch_one(tx).await?;
    Ok(Some(present) == epoch)
}

async fn lapse(tx: &mut PgConnection, entry: EntryId) -> Result<bool, WaitlistError> {
    sqlx::query("select from waitlist where id = $1 for update").bind(entry).execute(&mut *tx).await?;
    let Some(hold) = end_offer(tx, entry, "lapsed").await? else { return Ok(false) };
    let why = Move { to: EntryState::Lapsed, cause: "not answered in time", by: None, hold: Some(hold) };
    if !advance(tx, entry, EntryState::Offered, &why).await? {
        return Ok(false);
    }
    if let Some((account, event, offer)) = mail::offer_told(tx, hold).await? {
        let lapsed = Offer { path: format!("/events/{event}"), ..offer };
        mail::owe(tx, account, Some(event), &Occasion::OfferLapsed(hold, lapsed)).await?;
    }
    Ok(true)
}
