//! Claims: the rows whose primary key is the promise that no seat is sold twice.

use sqlx::PgConnection;

use crate::ids::{EventId, OrderId, Ordinal};
use crate::orders::error::OrdersError;
use crate::proof::{self, Bug};
use crate::seats::Reason;

/// Ordinals as Postgres has them. An event has far fewer seats than an `integer` has numbers.
pub(super) fn as_integers(ordinals: &[Ordinal]) -> Vec<i32> {
    ordinals.iter().map(|&ordinal| i32::try_from(ordinal).unwrap_or(i32::MAX)).collect()
}

pub(super) fn as_ordinal(integer: i32) -> Ordinal {
    u32::try_from(integer).unwrap_or(u32::MAX)
}

/// Claims seats for an order until `seconds` from now, and says how many it got.
///
/// Fewer than asked means that some seat is refused: the caller rolls back.
pub(super) async fn take(
    tx: &mut PgConnection,
    event: EventId,
    order: OrderId,
    ordinals: &[Ordinal],
    seconds: f64,
) -> Result<usize, OrdersError> {
    let taken: Vec<(i32,)> = sqlx::query_as(
        "insert into seat_claims as mine (event_id, ordinal, order_id, state, until)
         select $1, seat, $2, 'held', now() + make_interval(secs => $3)
           from unnest($4::integer[]) as seat
          order by seat                  -- two checkouts lock in the same order, so neither waits in a ring
         on conflict (event_id, ordinal) do update
            set order_id = excluded.order_id, until = excluded.until
          where mine.state = 'held' and mine.until < now()
            and ($5 or exists (select from orders o   -- past its time is not enough: an open order may be paid
                                where o.event_id = mine.event_id and o.id = mine.order_id
                                  and o.state in ('failed', 'cancelled', 'expired')))
         returning ordinal",
    )
    .bind(event)
    .bind(order)
    .bind(seconds)
    .bind(as_integers(ordinals))
    .bind(proof::planted(Bug::OpenOrderTakenOver))
    .fetch_all(tx)
    .await?;
    Ok(taken.len())
}

/// Which of these seats somebody else has, and how.
pub(super) async fn conflicts(
    db: &mut PgConnection,
    event: EventId,
    order: OrderId,
    ordinals: &[Ordinal],
) -> Result<Vec<(Ordinal, Reason)>, OrdersError> {
    let rows: Vec<(i32, String)> = sqlx::query_as(
        "select ordinal, state from seat_claims
          where event_id = $1 and ordinal = any ($2::integer[]) and order_id is distinct from $3
          order by ordinal",
    )
    .bind(event)
    .bind(as_integers(ordinals))
    .bind(order)
    .fetch_all(db)
    .await?;
    let reason = |state: &str| match state {
        "sold" => Reason::Sold,
        "blocked" => Reason::Blocked,
        _ => Reason::Held,
    };
    Ok(rows.into_iter().map(|(ordinal, state)| (as_ordinal(ordinal), reason(&state))).collect())
}

/// Turns an order's claims into sales, and says how many there are now.
pub(super) async fn sell(
    tx: &mut PgConnection,
    event: EventId,
    order: OrderId,
) -> Result<usize, OrdersError> {
    let sold = sqlx::query(
        "update seat_claims set state = 'sold', until = null
          where event_id = $1 and order_id = $2 and state = 'held'",
    )
    .bind(event)
    .bind(order)
    .execute(tx)
    .await?;
    Ok(usize::try_from(sold.rows_affected()).unwrap_or(usize::MAX))
}

/// Gives up whatever an order has claimed.
pub(super) async fn drop_all(
    tx: &mut PgConnection,
    event: EventId,
    order: OrderId,
) -> Result<(), OrdersError> {
    sqlx::query("delete from seat_claims where event_id = $1 and order_id = $2")
        .bind(event)
        .bind(order)
        .execute(tx)
        .await?;
    Ok(())
}

/// Gives up one seat that an order has bought.
pub(super) async fn give_up(
    tx: &mut PgConnection,
    event: EventId,
    order: OrderId,
    seat: Ordinal,
) -> Result<(), OrdersError> {
    let gone = sqlx::query(
        "delete from seat_claims where event_id = $1 and order_id = $2 and ordinal = any ($3::integer[])
            and state = 'sold'",
    )
    .bind(event)
    .bind(order)
    .bind(as_integers(&[seat]))
    .execute(tx)
    .await?;
    if gone.rows_affected() == 1 {
        Ok(())
    } else {
        Err(OrdersError::Inconsistent { order, what: "a sold seat has no claim" })
    }
}

/// The seats that an order is about, whoever has them now.
pub(super) async fn seats_of(
    db: &mut PgConnection,
    event: EventId,
    order: OrderId,
) -> Result<Vec<Ordinal>, OrdersError> {
    let rows: Vec<(i32,)> = sqlx::query_as(
        "select ordinal from order_seats where event_id = $1 and order_id = $2 order by ordinal",
    )
    .bind(event)
    .bind(order)
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|(ordinal,)| as_ordinal(ordinal)).collect())
}
