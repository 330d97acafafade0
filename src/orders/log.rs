//! Every move of an order: along the graph, under its lock, with a row that says who and why.

use std::fmt;

use sqlx::PgConnection;

use crate::ids::{AccountId, EventId, OrderId};
use crate::orders::error::OrdersError;
use crate::orders::state::OrderState;
use crate::orders::told;
use crate::proof::{self, Bug};

/// Who caused a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    Account(AccountId),
    Stripe,
    Clock,
    Reconciler,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(id) => id.fmt(f),
            Self::Stripe => f.write_str("stripe"),
            Self::Clock => f.write_str("clock"),
            Self::Reconciler => f.write_str("reconciler"),
        }
    }
}

/// Why a move is made: what the audit trail will say.
#[derive(Debug, Clone)]
pub struct Because {
    pub actor: Actor,
    pub cause: String,
    pub request_id: Option<String>,
}

impl Because {
    pub fn of(actor: Actor, cause: impl Into<String>) -> Self {
        Self { actor, cause: cause.into(), request_id: None }
    }

    #[must_use]
    pub fn in_request(mut self, request_id: impl Into<String>) -> Self {
        self.request_id = Some(request_id.into());
        self
    }
}

/// What a decision needs to know of an order; read under its row lock.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Locked {
    pub event_id: EventId,
    pub id: OrderId,
    pub account_id: AccountId,
    pub state: OrderState,
    pub closing_as: Option<OrderState>,
    pub amount: i64,
    pub currency: String,
}

/// Reads an order and keeps everybody else from moving it until the transaction ends.
pub(super) async fn lock(tx: &mut PgConnection, order: OrderId) -> Result<Locked, OrdersError> {
    sqlx::query_as(
        "select event_id, id, account_id, state, closing_as, amount, currency
           from orders where id = $1 for update",
    )
    .bind(order)
    .fetch_optional(tx)
    .await?
    .ok_or(OrdersError::NotFound)
}

impl Locked {
    /// Moves the order and writes its log row. The caller holds the row lock.
    pub(super) async fn advance(
        &mut self,
        tx: &mut PgConnection,
        next: OrderState,
        because: &Because,
    ) -> Result<(), OrdersError> {
        if !self.state.may_become(next) {
            return Err(OrdersError::NoSuchMove { order: self.id, from: self.state, to: next });
        }
        let moved =
            sqlx::query("update orders set state = $3 where event_id = $1 and id = $2 and state = $4")
                .bind(self.event_id)
                .bind(self.id)
                .bind(next)
                .bind(self.state)
                .execute(&mut *tx)
                .await?;
        if moved.rows_affected() != 1 {
            return Err(OrdersError::NoSuchMove { order: self.id, from: self.state, to: next });
        }
        write(tx, (self.event_id, self.id), Some(self.state), next, because).await?;
        self.state = next;
        // Every move comes by here, so no way of deciding can forget to tell.
        told::tell(tx, self).await
    }
}

/// Writes one row of the audit trail, numbered within its order.
pub(super) async fn write(
    tx: &mut PgConnection,
    (event, order): (EventId, OrderId),
    from: Option<OrderState>,
    to: OrderState,
    because: &Because,
) -> Result<(), OrdersError> {
    if proof::planted(Bug::MoveWithoutLog) && from.is_some() {
        return Ok(());
    }
    sqlx::query(
        "insert into order_log (event_id, order_id, step, from_state, to_state, cause, actor, request_id)
         select $1, $2, coalesce(max(step), 0) + 1, $3, $4, $5, $6, $7
           from order_log where event_id = $1 and order_id = $2",
    )
    .bind(event)
    .bind(order)
    .bind(from)
    .bind(to)
    .bind(&because.cause)
    .bind(because.actor.to_string())
    .bind(&because.request_id)
    .execute(tx)
    .await?;
    Ok(())
}
