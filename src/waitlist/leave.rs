//! Leaving the list, and declining what it offers.

use super::entry::{EntryState, Move, advance};
use super::offers::end_offer;
use super::{Waitlist, WaitlistError};
use crate::ids::{AccountId, EntryId, EventId, HoldId, OrderId};
use crate::proof::{self, Step};
use crate::seats::{Asker, SeatsError};
use crate::stores::postgres::within;
use crate::telemetry::Metrics;

/// What to do in Redis after a party has gone.
enum Gone {
    /// Nothing: it had no seats, or had gone before.
    Empty,
    GiveBack(HoldId),
}

impl Waitlist {
    /// A party goes: it waits no longer, or does not want what it was offered. Going again changes nothing.
    ///
    /// # Errors
    /// [`WaitlistError::InCheckout`] when the offer has become an order, which is cancelled as an order is.
    pub async fn leave(&self, customer: AccountId, entry: EntryId) -> Result<(), WaitlistError> {
        self.go(Some(customer), entry, customer).await
    }

    /// An organiser takes a party off the list of an own event.
    pub async fn remove(&self, entry: EntryId, by: AccountId) -> Result<(), WaitlistError> {
        self.go(None, entry, by).await
    }

    /// A customer has let go of a hold. If it was an offer, that was their answer to it.
    pub async fn decline_hold(&self, customer: AccountId, hold: HoldId) {
        let offered = within(async {
            let found: Option<(EntryId,)> = sqlx::query_as(
                "select entry_id from offers where hold_id = $1 and account_id = $2 and state = 'open'",
            )
            .bind(hold)
            .bind(customer)
            .fetch_optional(&self.pg)
            .await?;
            Ok::<_, WaitlistError>(found)
        })
        .await;
        let declined = match offered {
            Ok(Some((entry,))) => self.leave(customer, entry).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = declined {
            tracing::warn!(%error, hold.id = %hold, "a declined offer is written down at its end");
        }
    }

    async fn go(&self, whose: Option<AccountId>, entry: EntryId, by: AccountId) -> Result<(), WaitlistError> {
        let (event, gone) = within(async {
            let mut tx = self.pg.begin().await?;
            // A checkout locks the entry, too: of the two, one comes first.
            let found: Option<(EventId, EntryState)> = sqlx::query_as(
                "select event_id, state from waitlist
                  where id = $1 and ($2::uuid is null or account_id = $2) for update",
            )
            .bind(entry)
            .bind(whose)
            .fetch_optional(&mut *tx)
            .await?;
            let (event, state) = found.ok_or(WaitlistError::NotFound)?;
            // Model: Leave
            let gone = match state {
                EntryState::Waiting => {
                    let why = Move { to: EntryState::Left, cause: "leaves", by: Some(by), hold: None };
                    advance(&mut tx, entry, state, &why).await?;
                    Metrics::count(&self.metrics.waitlist, "left");
                    Gone::Empty
                }
                EntryState::Offered => {
                    let hold = end_offer(&mut tx, entry, "declined").await?;
                    let why = Move { to: EntryState::Declined, cause: "declines", by: Some(by), hold };
                    advance(&mut tx, entry, state, &why).await?;
                    Metrics::count(&self.metrics.waitlist, "declined");
                    hold.map_or(Gone::Empty, Gone::GiveBack)
                }
                EntryState::Served => return Err(WaitlistError::InCheckout(order_of(&mut tx, entry).await?)),
                EntryState::Declined | EntryState::Lapsed | EntryState::Left | EntryState::Closed => {
                    Gone::Empty
                }
            };
            proof::step(Step::Leave, tx.commit()).await?;
            Ok((event, gone))
        })
        .await?;
        if let Gone::GiveBack(hold) = gone {
            // Model: ReleaseDeclined
            let owner = Asker::Owner(by_owner(self, hold).await?);
            match proof::step(Step::ReleaseDeclined, self.seats.release(event, hold, owner)).await {
                Ok(_) | Err(SeatsError::Gone) => {}
                // Nobody can check it out any more; its time ends it.
                Err(error) => tracing::warn!(%error, hold.id = %hold, "a declined offer waits for its end"),
            }
        }
        self.standings.forget(event);
        self.bell.notify_one();
        Ok(())
    }
}

/// Whose hold an offer is: an organiser may end it for them.
async fn by_owner(list: &Waitlist, hold: HoldId) -> Result<AccountId, WaitlistError> {
    within(async {
        let (owner,): (AccountId,) = sqlx::query_as("select account_id from offers where hold_id = $1")
            .bind(hold)
            .fetch_one(&list.pg)
            .await?;
        Ok(owner)
    })
    .await
}

async fn order_of(tx: &mut sqlx::PgConnection, entry: EntryId) -> Result<OrderId, WaitlistError> {
    let (order,): (OrderId,) =
        sqlx::query_as("select order_id from offers where entry_id = $1 and state = 'taken_up'")
            .bind(entry)
            .fetch_one(tx)
            .await?;
    Ok(order)
}
