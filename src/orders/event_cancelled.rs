//! A cancelled event: nothing is sold any more, and everybody gets their money back.
//!
//! One committed word is the whole decision. What follows from it is found again by looking at the orders, so it goes
//! on where it was interrupted, on whichever node, and never twice for one order.

use serde_json::json;

use crate::catalog::{Event, EventState};
use crate::ids::{AccountId, EventId, OrderId};
use crate::orders::Desk;
use crate::orders::error::OrdersError;
use crate::orders::log::{Actor, Because};
use crate::orders::state::OrderState;
use crate::proof::{self, Step};
use crate::seats::SeatsError;
use crate::stores::postgres::within;
use crate::trail::{self, Deed};

/// Orders of cancelled events that are called off in one pass. Each asks Stripe once or twice.
const BATCH: i64 = 16;

impl Desk {
    /// Cancels an event. Its orders follow one by one; the event's report shows how far that is. A repeat changes
    /// nothing. A draft stays one: nobody knows of it, and nobody is told that it is cancelled.
    pub async fn cancel_event(&self, event: EventId, by: AccountId) -> Result<Event, OrdersError> {
        within(async {
            let mut tx = self.pg.begin().await?;
            let cancelled =
                sqlx::query("update events set state = 'cancelled' where id = $1 and state = 'published'")
                    .bind(event)
                    .execute(&mut *tx)
                    .await?;
            if cancelled.rows_affected() == 1 {
                let deed = Deed {
                    actor: by,
                    event: Some(event),
                    action: "event cancelled",
                    subject: None,
                    detail: json!({}),
                };
                trail::write(&mut tx, &deed).await?;
            }
            proof::step(Step::CancelEvent, tx.commit()).await?;
            Ok::<_, OrdersError>(())
        })
        .await?;
        let event = self.catalog.event(event).await?;
        if event.state == EventState::Draft {
            return Ok(event);
        }
        match self.apply_rules(&event).await {
            // No checkout goes through any more; holds end with the rules that the next rebuild brings.
            Err(OrdersError::Seats(SeatsError::NotReady(_) | SeatsError::Redis(_))) | Ok(()) => {}
            Err(error) => return Err(error),
        }
        Ok(event)
    }

    /// Calls off some of the orders of cancelled events, and says how many there were.
    pub async fn call_off_cancelled_events(&self) -> Result<usize, OrdersError> {
        let orders: Vec<(OrderId, OrderState)> = within(async {
            Ok::<_, OrdersError>(
                sqlx::query_as(
                    "select o.id, o.state from orders o join events e on e.id = o.event_id
                      where e.state = 'cancelled' and o.state in ('awaiting_payment', 'confirmed')
                      order by o.id limit $1",
                )
                .bind(BATCH)
                .fetch_all(&self.pg)
                .await?,
            )
        })
        .await?;
        let because = Because::of(Actor::Clock, "the event is cancelled");
        let mut ended = 0;
        for &(order, state) in &orders {
            let done = match state {
                OrderState::Confirmed => self.call_off(order, false, &because).await,
                _ => self.close(order, OrderState::Cancelled, &because).await.map(drop),
            };
            match done {
                Ok(()) => ended += 1,
                // It is closing, which the attending pass goes on with, or it is here again the next time.
                Err(error) => tracing::warn!(%error, order.id = %order, "not called off yet"),
            }
        }
        Ok(ended)
    }
}
