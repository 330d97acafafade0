//! What a move of an order owes its customer: a letter, in the move's own transaction.

use sqlx::PgConnection;

use crate::ids::RefundId;
use crate::mail::{self, Occasion};
use crate::orders::error::OrdersError;
use crate::orders::log::Locked;
use crate::orders::state::OrderState;

pub(super) async fn confirmed(tx: &mut PgConnection, order: &Locked) -> Result<(), OrdersError> {
    owe(tx, order, &Occasion::OrderConfirmed(order.id)).await
}

/// The order has ended without being, or staying, confirmed.
pub(super) async fn closed(tx: &mut PgConnection, order: &Locked) -> Result<(), OrdersError> {
    let occasion = match order.state {
        OrderState::Failed => Occasion::OrderFailed(order.id),
        OrderState::Expired => Occasion::OrderExpired(order.id),
        OrderState::Cancelled if event_is_off(tx, order).await? => Occasion::EventCancelled(order.id),
        OrderState::Cancelled => Occasion::OrderCancelled(order.id),
        OrderState::AwaitingPayment
        | OrderState::Closing
        | OrderState::Confirmed
        | OrderState::Refunding
        | OrderState::Refunded => return Ok(()),
    };
    owe(tx, order, &occasion).await
}

/// Everything that was paid is back.
pub(super) async fn refunded(tx: &mut PgConnection, order: &Locked) -> Result<(), OrdersError> {
    owe(tx, order, &Occasion::OrderRefunded(order.id)).await
}

/// A refund that does not end the order has arrived.
pub(super) async fn returned(
    tx: &mut PgConnection,
    order: &Locked,
    refund: RefundId,
) -> Result<(), OrdersError> {
    owe(tx, order, &Occasion::MoneyReturned(refund, order.id)).await
}

/// Whether the order ends because its event does not take place: then that is what is told.
async fn event_is_off(tx: &mut PgConnection, order: &Locked) -> Result<bool, OrdersError> {
    let (off,): (bool,) = sqlx::query_as("select state = 'cancelled' from events where id = $1")
        .bind(order.event_id)
        .fetch_one(tx)
        .await?;
    Ok(off)
}

async fn owe(tx: &mut PgConnection, order: &Locked, occasion: &Occasion) -> Result<(), OrdersError> {
    Ok(mail::owe(tx, order.account_id, Some(order.event_id), occasion).await?)
}
