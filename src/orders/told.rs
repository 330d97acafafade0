//! What other systems are told of an order's moves, in the transaction that moves it.

use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::hooks::{self, Kind};
use crate::ids::{AccountId, HoldId};
use crate::orders::error::OrdersError;
use crate::orders::log::Locked;
use crate::orders::read::OrderSeat;
use crate::orders::state::OrderState;

/// What the order's row does not tell under its lock.
#[derive(sqlx::FromRow)]
struct Rest {
    account_id: AccountId,
    hold_id: HoldId,
    created_at: OffsetDateTime,
    refunded: i64,
}

/// Tells of an order that has just moved, if anybody would hear of where it is now.
pub(super) async fn tell(tx: &mut PgConnection, order: &Locked) -> Result<(), OrdersError> {
    let kind = match order.state {
        OrderState::Confirmed => Kind::OrderConfirmed,
        OrderState::Cancelled => Kind::OrderCancelled,
        OrderState::Refunded => Kind::OrderRefunded,
        // Still on its way, or never paid: its hold says that the seats are back.
        OrderState::AwaitingPayment
        | OrderState::Closing
        | OrderState::Failed
        | OrderState::Expired
        | OrderState::Refunding => return Ok(()),
    };
    if !hooks::is_heard(tx, order.event_id, kind).await? {
        return Ok(());
    }
    let rest: Rest = sqlx::query_as(
        "select o.account_id, o.hold_id, o.created_at,
                coalesce((select sum(r.amount) from refunds r where r.event_id = o.event_id and r.order_id = o.id
                             and r.state = 'succeeded'), 0)::bigint as refunded
           from orders o where o.event_id = $1 and o.id = $2",
    )
    .bind(order.event_id)
    .bind(order.id)
    .fetch_one(&mut *tx)
    .await?;
    let seats: Vec<OrderSeat> = sqlx::query_as(
        "select seat_id as id, section, row_name as row, seat, category, price from order_seats
          where event_id = $1 and order_id = $2 order by ordinal",
    )
    .bind(order.event_id)
    .bind(order.id)
    .fetch_all(&mut *tx)
    .await?;
    let told = json!({
        "id": order.id, "event_id": order.event_id, "hold_id": rest.hold_id, "customer_id": rest.account_id,
        "status": order.state, "seats": seats, "amount": order.amount, "currency": order.currency,
        "refunded": rest.refunded, "created_at": rest.created_at.format(&Rfc3339).unwrap_or_default(),
    });
    Ok(hooks::tell(tx, order.event_id, kind, told).await?)
}
