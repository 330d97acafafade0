//! Events whose seats can still change hands: what the loops of a node walk through, several times a second.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::{Catalog, CatalogError};
use crate::ids::EventId;
use crate::stores::postgres::within;

/// How old an answer may be that a loop shares with another. The most attentive of them asks anew before it is.
const LATELY: Duration = Duration::from_millis(500);

/// What the loops need to know of such an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct OnSale {
    pub id: EventId,
    /// How often its picture in Redis was rebuilt.
    pub epoch: i32,
    /// Parties wait: what comes free is theirs before it is everybody's.
    pub waits: bool,
    /// It is entered through a waiting room.
    pub has_room: bool,
    /// How long an offer to a waiting party lasts, where the event says so.
    pub offer_seconds: Option<i32>,
}

/// What was found, and when it was asked for.
pub(super) type Found = Option<(Instant, Arc<[OnSale]>)>;

impl Catalog {
    /// Events that can still change, by sale or by refund: those that are not over for more than a month. Soonest first.
    pub async fn on_sale(&self) -> Result<Arc<[OnSale]>, CatalogError> {
        let asked = Instant::now();
        let events: Arc<[OnSale]> = within::<Vec<_>, CatalogError>(async {
            // The condition is that of the index `events_live`, word for word: there are many more that are over.
            Ok(sqlx::query_as(
                "select id, epoch, waits, room_minutes is not null as has_room, offer_seconds from events
                  where greatest(ends_at, starts_at, created_at) > now() - interval '30 days' and state <> 'draft'
                  order by starts_at, id",
            )
            .fetch_all(&self.pg)
            .await?)
        })
        .await?
        .into();
        *self.on_sale.lock().unwrap_or_else(PoisonError::into_inner) = Some((asked, Arc::clone(&events)));
        Ok(events)
    }

    /// The same, as somebody on this node has found it within the last moment: for loops to which it does not matter whether
    /// they learn of an event in this round or the next.
    pub async fn on_sale_lately(&self) -> Result<Arc<[OnSale]>, CatalogError> {
        let found = self.on_sale.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match found {
            Some((asked, events)) if asked.elapsed() < LATELY => Ok(events),
            _ => self.on_sale().await,
        }
    }
}
