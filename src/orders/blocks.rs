//! Seats that an organiser takes out of the sale, and puts back.
//!
//! A block is a claim: the same primary key that keeps a seat from being sold twice keeps it from being sold
//! while it is blocked.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::catalog::Chart;
use crate::ids::{AccountId, EventId, Ordinal};
use crate::orders::error::OrdersError;
use crate::orders::{Desk, claims};
use crate::proof::{self, Step};
use crate::seats::{Reason, SeatsError};
use crate::stores::postgres::within;
use crate::trail::{self, Deed};

/// How often seats that are blocked and unblocked at once are looked at; then the reconciler has them.
const LOOKS: usize = 8;

impl Desk {
    /// Blocks seats, all or nothing. Seats that are blocked already count as done.
    pub async fn block(
        &self,
        event: EventId,
        ordinals: &[Ordinal],
        reason: &str,
        by: AccountId,
    ) -> Result<(), OrdersError> {
        let chart = self.catalog.chart(event).await?;
        // Redis first: a customer who holds the seat is not surprised at checkout.
        let refused: Vec<_> = proof::step(Step::ShowBlocked, self.seats.block(event, ordinals))
            .await?
            .into_iter()
            .filter(|(_, why)| *why != Reason::Blocked)
            .collect();
        if !refused.is_empty() {
            return Err(OrdersError::SeatsTaken(super::checkout::named(&chart, &refused)));
        }
        let lost = within(async {
            let mut tx = self.pg.begin().await?;
            sqlx::query(
                "insert into seat_claims (event_id, ordinal, state, reason)
                 select $1, seat, 'blocked', $3 from unnest($2::integer[]) as seat order by seat
                 on conflict (event_id, ordinal) do nothing",
            )
            .bind(event)
            .bind(claims::as_integers(ordinals))
            .bind(reason)
            .execute(&mut *tx)
            .await?;
            let rows: Vec<(i32, String)> = sqlx::query_as(
                "select ordinal, state from seat_claims
                  where event_id = $1 and ordinal = any ($2::integer[]) and state <> 'blocked'",
            )
            .bind(event)
            .bind(claims::as_integers(ordinals))
            .fetch_all(&mut *tx)
            .await?;
            if rows.is_empty() {
                let detail = json!({ "seats": names(&chart, ordinals), "reason": reason });
                trail::write(&mut tx, &deed(by, event, "seats blocked", detail)).await?;
                proof::step(Step::Block, tx.commit()).await?;
            }
            let reason = |state: &str| if state == "sold" { Reason::Sold } else { Reason::Held };
            Ok::<_, OrdersError>(
                rows.into_iter()
                    .map(|(at, state)| (claims::as_ordinal(at), reason(&state)))
                    .collect::<Vec<_>>(),
            )
        })
        .await;
        match lost {
            Ok(lost) if lost.is_empty() => {
                self.agree_on_blocks(event, ordinals).await;
                Ok(())
            }
            Ok(lost) => {
                self.repair_seats(event, ordinals).await?;
                Err(OrdersError::SeatsTaken(super::checkout::named(&chart, &lost)))
            }
            Err(error) => {
                // Whether the commit happened is unknown: the picture follows whatever Postgres says.
                if let Err(later) = self.repair_seats(event, ordinals).await {
                    tracing::warn!(error = %later, event.id = %event, "blocked seats wait for the reconciler");
                }
                Err(error)
            }
        }
    }

    /// Which of these seats are blocked.
    pub async fn blocked_among(
        &self,
        event: EventId,
        ordinals: &[Ordinal],
    ) -> Result<Vec<Ordinal>, OrdersError> {
        within(async {
            let rows: Vec<(i32,)> = sqlx::query_as(
                "select ordinal from seat_claims where event_id = $1 and ordinal = any ($2) and state = 'blocked'",
            )
            .bind(event)
            .bind(claims::as_integers(ordinals))
            .fetch_all(&self.pg)
            .await?;
            Ok(rows.into_iter().map(|(at,)| claims::as_ordinal(at)).collect())
        })
        .await
    }

    /// Puts blocked seats back on sale. Seats that are not blocked stay as they are.
    pub async fn unblock(
        &self,
        event: EventId,
        ordinals: &[Ordinal],
        reason: Option<&str>,
        by: AccountId,
    ) -> Result<u32, OrdersError> {
        let chart = self.catalog.chart(event).await?;
        within(async {
            let mut tx = self.pg.begin().await?;
            let gone = sqlx::query(
                "delete from seat_claims
                  where event_id = $1 and ordinal = any ($2::integer[]) and state = 'blocked'",
            )
            .bind(event)
            .bind(claims::as_integers(ordinals))
            .execute(&mut *tx)
            .await?;
            if gone.rows_affected() > 0 {
                let detail = json!({ "seats": names(&chart, ordinals), "reason": reason });
                trail::write(&mut tx, &deed(by, event, "seats unblocked", detail)).await?;
            }
            proof::step(Step::Unblock, tx.commit()).await?;
            Ok::<_, OrdersError>(())
        })
        .await?;
        match proof::step(Step::ShowUnblocked, self.seats.unblock(event, ordinals)).await {
            // The claims are gone; the reconciler frees what Redis could not be told of.
            Err(error @ (SeatsError::Redis(_) | SeatsError::NotReady(_))) => {
                tracing::warn!(%error, event.id = %event, "unblocked seats wait for the reconciler");
                Ok(u32::try_from(ordinals.len()).unwrap_or(u32::MAX))
            }
            done => {
                let unblocked = done?;
                self.agree_on_blocks(event, ordinals).await;
                Ok(unblocked)
            }
        }
    }

    /// The two stores are told one after the other, and who blocks a seat while another unblocks it may come between. So
    /// whoever wrote looks afterwards, and again after each repair: the last to write looks last.
    async fn agree_on_blocks(&self, event: EventId, ordinals: &[Ordinal]) {
        for _ in 0..LOOKS {
            match self.repair_blocks(event, ordinals).await {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, event.id = %event, "blocked seats wait for the reconciler");
                    return;
                }
            }
        }
    }

    /// Repairs what one store has blocked and the other has not, and says how many seats that were.
    async fn repair_blocks(&self, event: EventId, ordinals: &[Ordinal]) -> Result<usize, OrdersError> {
        let flags = self.seats.flags(event, ordinals).await?;
        let claimed: HashSet<Ordinal> = self.blocked_among(event, ordinals).await?.into_iter().collect();
        let flagged = |flag: Option<String>| flag.as_deref() == Some(Reason::Blocked.as_str());
        let differ =
            ordinals.iter().zip(flags).filter(|(at, flag)| flagged(flag.clone()) != claimed.contains(at));
        let differ: Vec<Ordinal> = differ.map(|(&at, _)| at).collect();
        self.repair_seats(event, &differ).await?;
        Ok(differ.len())
    }
}

fn deed(by: AccountId, event: EventId, action: &str, detail: Value) -> Deed<'_> {
    Deed { actor: by, event: Some(event), action, subject: None, detail }
}

/// Seats as people know them.
fn names(chart: &Chart, ordinals: &[Ordinal]) -> Vec<String> {
    ordinals.iter().filter_map(|&at| chart.seat(at)).map(|seat| seat.id.to_string()).collect()
}
