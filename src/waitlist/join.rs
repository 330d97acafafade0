//! Joining the list.

use sqlx::PgConnection;

use super::entry::{EntryState, Move, write};
use super::read::Entry;
use super::wish::Wish;
use super::{Waitlist, WaitlistError};
use crate::catalog::Event;
use crate::ids::{AccountId, EntryId, EventId};
use crate::proof::{self, Step};
use crate::stores::postgres::within;
use crate::telemetry::Metrics;

/// A party that wants to wait.
#[derive(Debug, Clone)]
pub struct Join {
    /// Chosen before anything happens: a repeat after a crash finds the entry that the first try made.
    pub id: EntryId,
    pub event: EventId,
    pub customer: AccountId,
    pub quantity: u32,
    pub section: Option<String>,
    pub category: Option<String>,
    pub max_price: Option<i64>,
}

impl Waitlist {
    /// Puts a party at the end of the list.
    ///
    /// # Errors
    /// [`WaitlistError::WaitsAlready`] names the customer's live entry.
    pub async fn join(&self, ask: &Join) -> Result<Entry, WaitlistError> {
        let event = self.catalog.event(ask.event).await?;
        self.check(ask, &event).await?;
        let (entry, is_new) = within(async {
            let mut tx = self.pg.begin().await?;
            come_in(&mut tx, ask.event).await?;
            // Model: Join
            let made: Option<(EntryId,)> = sqlx::query_as(
                "insert into waitlist (id, event_id, account_id, quantity, section, category, max_price)
                 select $1, id, $3, $4, $5, $6, $7 from events where id = $2 and state = 'published'
                 on conflict do nothing returning id",
            )
            .bind(ask.id)
            .bind(ask.event)
            .bind(ask.customer)
            .bind(i32::try_from(ask.quantity).unwrap_or(i32::MAX))
            .bind(&ask.section)
            .bind(&ask.category)
            .bind(ask.max_price)
            .fetch_optional(&mut *tx)
            .await?;
            let Some((entry,)) = made else {
                tx.rollback().await?;
                return Ok((self.live_entry(ask).await?, false));
            };
            let why = Move { to: EntryState::Waiting, cause: "joins", by: Some(ask.customer), hold: None };
            write(&mut tx, ask.event, entry, None, &why).await?;
            sqlx::query("update events set waits = true where id = $1 and not waits")
                .bind(ask.event)
                .execute(&mut *tx)
                .await?;
            proof::step(Step::Join, tx.commit()).await?;
            Ok::<_, WaitlistError>((entry, true))
        })
        .await?;
        if entry != ask.id {
            return Err(WaitlistError::WaitsAlready(entry));
        }
        if is_new {
            Metrics::count(&self.metrics.waitlist, "joined");
        }
        // From here on nothing comes free past this party. Without Redis, whatever comes back keeps its list first.
        // Model: BeginWaiting
        if let Err(error) = proof::step(Step::BeginWaiting, self.seats.begin_waiting(ask.event)).await {
            tracing::warn!(%error, event.id = %ask.event, "Redis will be told by the next look at the list");
        }
        self.standings.forget(ask.event);
        self.bell.notify_one();
        self.own(ask.customer, entry).await
    }

    async fn check(&self, ask: &Join, event: &Event) -> Result<(), WaitlistError> {
        if !event.waitlist_is_open(time::OffsetDateTime::now_utc()) {
            return Err(WaitlistError::Closed);
        }
        if let Some(most) = event.max_per_customer.filter(|most| ask.quantity > *most) {
            let message = format!("is more than the {most} that one customer may have");
            return Err(WaitlistError::Impossible { field: "quantity", message });
        }
        let wish = Wish {
            quantity: ask.quantity,
            section: ask.section.clone(),
            category: ask.category.clone(),
            max_price: ask.max_price,
        };
        wish.places(&*self.catalog.chart(ask.event).await?).map(drop)
    }

    /// The entry that was in the way: this one, of an earlier try, or the one that the customer has.
    async fn live_entry(&self, ask: &Join) -> Result<EntryId, WaitlistError> {
        let found: Option<(EntryId,)> = sqlx::query_as(
            "select id from waitlist
              where account_id = $2 and event_id = $3 and (id = $1 or state in ('waiting', 'offered'))
              order by id = $1 desc limit 1",
        )
        .bind(ask.id)
        .bind(ask.customer)
        .bind(ask.event)
        .fetch_optional(&self.pg)
        .await?;
        found.map(|(id,)| id).ok_or(WaitlistError::Closed)
    }
}

/// Many may come in at a time. Whoever reads the list waits until they have, and meanwhile nobody begins to: so the
/// places that are seen are seen without a gap.
async fn come_in(tx: &mut PgConnection, event: EventId) -> Result<(), sqlx::Error> {
    sqlx::query("select pg_advisory_xact_lock_shared(hashtextextended($1::text, 6))")
        .bind(event)
        .execute(tx)
        .await
        .map(drop)
}

/// The other side of [`come_in`].
pub(super) async fn shut_the_door(tx: &mut PgConnection, event: EventId) -> Result<(), sqlx::Error> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1::text, 6))")
        .bind(event)
        .execute(tx)
        .await
        .map(drop)
}
