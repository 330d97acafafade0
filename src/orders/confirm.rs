//! Confirming: claims become sales, tickets are issued, the order stands. All seats or none.

use sqlx::PgConnection;

use crate::ids::TicketId;
use crate::orders::effects::{self, Effect};
use crate::orders::error::OrdersError;
use crate::orders::log::{Because, Locked};
use crate::orders::state::OrderState;
use crate::orders::{Desk, claims, letters};
use crate::proof::{self, Bug};
use crate::tickets::Claim;

impl Desk {
    /// Confirms a locked order inside the caller's transaction.
    ///
    /// Fails, leaving the transaction to be rolled back, when the order does not have every one of its seats.
    pub(super) async fn confirm(
        &self,
        tx: &mut PgConnection,
        order: &mut Locked,
        seats: usize,
        because: &Because,
    ) -> Result<(), OrdersError> {
        let sold = claims::sell(tx, order.event_id, order.id).await?;
        if sold != seats && !proof::planted(Bug::ConfirmWithoutClaims) {
            return Err(OrdersError::Inconsistent { order: order.id, what: "not every seat is claimed" });
        }
        self.issue_tickets(tx, order).await?;
        order.advance(tx, OrderState::Confirmed, because).await?;
        letters::confirmed(tx, order).await?;
        effects::owe(tx, order.event_id, Effect::Show(order.id)).await
    }

    async fn issue_tickets(&self, tx: &mut PgConnection, order: &Locked) -> Result<(), OrdersError> {
        let (event,): (i32,) = sqlx::query_as("select number from events where id = $1")
            .bind(order.event_id)
            .fetch_one(&mut *tx)
            .await?;
        let ordinals = claims::seats_of(tx, order.event_id, order.id).await?;
        let (mut ids, mut codes) = (Vec::new(), Vec::new());
        for &ordinal in &ordinals {
            let ticket = TicketId::new();
            codes.push(self.tickets.sign(&Claim { event, ordinal, issue: 1, ticket }));
            ids.push(ticket.0);
        }
        sqlx::query(
            "insert into tickets (event_id, order_id, ordinal, id, code)
             select $1, $2, * from unnest($3::integer[], $4::uuid[], $5::text[])",
        )
        .bind(order.event_id)
        .bind(order.id)
        .bind(claims::as_integers(&ordinals))
        .bind(ids)
        .bind(codes)
        .execute(tx)
        .await?;
        Ok(())
    }
}
