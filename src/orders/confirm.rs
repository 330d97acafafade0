//! Confirming: claims become sales, tickets are issued, the order stands. All seats or none.

use rand::RngExt as _;
use sqlx::PgConnection;

use crate::ids::TicketId;
use crate::orders::effects::{self, Effect};
use crate::orders::error::OrdersError;
use crate::orders::log::{Because, Locked};
use crate::orders::state::OrderState;
use crate::orders::{claims, letters};

/// Confirms a locked order inside the caller's transaction.
///
/// Fails, leaving the transaction to be rolled back, when the order does not have every one of its seats.
pub(super) async fn confirm(
    tx: &mut PgConnection,
    order: &mut Locked,
    seats: usize,
    because: &Because,
) -> Result<(), OrdersError> {
    let sold = claims::sell(tx, order.event_id, order.id).await?;
    if sold != seats {
        return Err(OrdersError::Inconsistent { order: order.id, what: "not every seat is claimed" });
    }
    issue_tickets(tx, order).await?;
    order.advance(tx, OrderState::Confirmed, because).await?;
    letters::confirmed(tx, order).await?;
    effects::owe(tx, order.event_id, Effect::Show(order.id)).await
}

async fn issue_tickets(tx: &mut PgConnection, order: &Locked) -> Result<(), OrdersError> {
    let ordinals = claims::seats_of(tx, order.event_id, order.id).await?;
    let ids: Vec<_> = ordinals.iter().map(|_| TicketId::new().0).collect();
    let codes: Vec<_> = ordinals.iter().map(|_| ticket_code()).collect();
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

/// 125 random bits that a person can read out: no letter is mistaken for another.
fn ticket_code() -> String {
    const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut random = rand::rng();
    let letter = |_| char::from(LETTERS[random.random_range(0..LETTERS.len())]);
    (0..25).map(letter).collect()
}
