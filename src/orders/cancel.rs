//! Calling an order off: an open one by closing it, a confirmed one by giving the money back.

use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::ids::{AccountId, HoldId, OrderId};
use crate::orders::effects::{self, Effect};
use crate::orders::error::OrdersError;
use crate::orders::log::{self, Actor, Because, Locked};
use crate::orders::read::Order;
use crate::orders::state::OrderState;
use crate::orders::{Desk, claims, letters, money_back};
use crate::proof::{self, Bug, Step};
use crate::stores::postgres::within;

/// Money that an organiser gives back.
#[derive(Debug, Clone)]
pub struct GoodWill {
    /// `None` gives everything back and frees the seats; a part keeps them.
    pub amount: Option<i64>,
    /// Names this refund: the same again makes no second one.
    pub cause: String,
    pub by: AccountId,
    pub request_id: String,
}

/// What a customer's cancelling would do at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Cancellation {
    pub allowed: bool,
    /// What would go back, in minor units.
    pub refund: i64,
}

impl Cancellation {
    const NO: Self = Self { allowed: false, refund: 0 };

    /// The policy: what is not paid can always be called off, what is confirmed until the event starts, in full.
    /// `left` is what was captured and has not gone back.
    pub(super) fn of(state: OrderState, has_started: bool, left: i64) -> Self {
        match state {
            OrderState::AwaitingPayment | OrderState::Closing => Self { allowed: true, refund: 0 },
            OrderState::Confirmed if !has_started => Self { allowed: true, refund: left },
            OrderState::Confirmed
            | OrderState::Failed
            | OrderState::Cancelled
            | OrderState::Expired
            | OrderState::Refunding
            | OrderState::Refunded => Self::NO,
        }
    }
}

impl Desk {
    /// A customer calls off an own order. Calling off what is already off answers as it stands.
    pub async fn cancel(
        &self,
        customer: AccountId,
        order: OrderId,
        request_id: &str,
    ) -> Result<Order, OrdersError> {
        let because = Because::of(Actor::Account(customer), "customer cancels").in_request(request_id);
        match self.own_order(customer, order).await?.status {
            OrderState::AwaitingPayment | OrderState::Closing => {
                self.close(order, OrderState::Cancelled, &because).await?;
            }
            OrderState::Confirmed => self.call_off(order, true, &because).await?,
            OrderState::Failed
            | OrderState::Cancelled
            | OrderState::Expired
            | OrderState::Refunding
            | OrderState::Refunded => {}
        }
        self.order_unchecked(order).await
    }

    /// Letting go of a hold that is at checkout is calling off its order.
    pub async fn cancel_by_hold(
        &self,
        customer: AccountId,
        hold: HoldId,
        request_id: &str,
    ) -> Result<(), OrdersError> {
        let Some(order) = self.order_of_hold(customer, hold).await? else { return Ok(()) };
        let because = Because::of(Actor::Account(customer), "customer lets go").in_request(request_id);
        if self.state_of(order).await?.is_open() {
            self.close(order, OrderState::Cancelled, &because).await?;
        }
        Ok(())
    }

    /// An organiser gives money back: all of it, which frees the seats, or a part, which does not.
    pub async fn refund(&self, order: OrderId, will: &GoodWill) -> Result<Order, OrdersError> {
        let because = Because::of(Actor::Account(will.by), will.cause.clone()).in_request(&will.request_id);
        match will.amount {
            None => self.call_off(order, false, &because).await?,
            Some(amount) => self.give_back_part(order, amount, &because).await?,
        }
        self.order_unchecked(order).await
    }

    /// Ends a confirmed order: its seats are free again and whatever was paid goes back, once.
    pub(super) async fn call_off(
        &self,
        order: OrderId,
        by_policy: bool,
        because: &Because,
    ) -> Result<(), OrdersError> {
        let called_off = within(async {
            let mut tx = self.pg.begin().await?;
            let mut locked = log::lock(&mut tx, order).await?;
            if locked.state != OrderState::Confirmed {
                // A double click: the first one did it all. What was never confirmed cannot be refunded.
                return match locked.state {
                    OrderState::Cancelled | OrderState::Refunding | OrderState::Refunded => Ok(false),
                    state => Err(OrdersError::State(state)),
                };
            }
            let has_started = has_started(&mut tx, &locked).await?;
            if by_policy && !Cancellation::of(locked.state, has_started, 0).allowed {
                return Err(OrdersError::TooLateToCancel);
            }
            // Model: CallOff
            self.undo_sale(&mut tx, &mut locked, because).await?;
            letters::closed(&mut tx, &locked).await?;
            if let Some(rest) = refundable(&mut tx, &locked).await? {
                locked.advance(&mut tx, OrderState::Refunding, because).await?;
                if rest.left > 0 {
                    let money = (rest.left, rest.currency.as_str());
                    let whose = (locked.event_id, locked.id);
                    money_back::owe_for(&mut tx, whose, &rest.payment_intent, money, "order_cancelled")
                        .await?;
                }
            }
            proof::step(Step::CallOff, tx.commit()).await?;
            Ok::<_, OrdersError>(true)
        })
        .await?;
        if called_off {
            self.count_move(OrderState::Cancelled);
            self.show_now(order).await;
        }
        Ok(())
    }

    /// Takes a confirmed order's seats and tickets back, inside the caller's transaction.
    pub(super) async fn undo_sale(
        &self,
        tx: &mut PgConnection,
        order: &mut Locked,
        because: &Because,
    ) -> Result<(), OrdersError> {
        sqlx::query(
            "with dead as (update tickets set state = 'void'
                            where event_id = $1 and order_id = $2 and state = 'valid' returning id)
             insert into ticket_log (event_id, ticket_id, order_id, what, actor, reason, request_id)
             select $1, id, $2, 'voided', $3, $4, $5 from dead",
        )
        .bind(order.event_id)
        .bind(order.id)
        .bind(because.actor.to_string())
        .bind(&because.cause)
        .bind(&because.request_id)
        .execute(&mut *tx)
        .await?;
        claims::drop_all(tx, order.event_id, order.id).await?;
        order.advance(tx, OrderState::Cancelled, because).await?;
        effects::owe(tx, order.event_id, Effect::Show(order.id)).await
    }

    async fn give_back_part(
        &self,
        order: OrderId,
        amount: i64,
        because: &Because,
    ) -> Result<(), OrdersError> {
        within(async {
            let mut tx = self.pg.begin().await?;
            let locked = log::lock(&mut tx, order).await?;
            if locked.state != OrderState::Confirmed {
                return Err(OrdersError::State(locked.state));
            }
            let rest = refundable(&mut tx, &locked).await?.ok_or(OrdersError::RefundTooLarge { left: 0 })?;
            // The same cause again is the same refund, so its amount is not counted against itself.
            let whose = (locked.event_id, locked.id);
            if !already_owed(&mut tx, &rest.payment_intent, &because.cause).await? {
                // All that is left would be a cancellation by another name, with the seats kept.
                if amount >= rest.left && !proof::planted(Bug::RefundBeyondCapture) {
                    return Err(OrdersError::RefundTooLarge { left: rest.left });
                }
                let money = (amount, rest.currency.as_str());
                money_back::owe_for(&mut tx, whose, &rest.payment_intent, money, &because.cause).await?;
            }
            proof::step(Step::OwePart, tx.commit()).await?;
            Ok(())
        })
        .await?;
        self.wake.outbox.notify_one();
        Ok(())
    }
}

async fn has_started(tx: &mut PgConnection, order: &Locked) -> Result<bool, OrdersError> {
    let (started,): (bool,) = sqlx::query_as("select starts_at <= now() from events where id = $1")
        .bind(order.event_id)
        .fetch_one(tx)
        .await?;
    Ok(started)
}

async fn already_owed(tx: &mut PgConnection, intent: &str, cause: &str) -> Result<bool, OrdersError> {
    let (owed,): (bool,) =
        sqlx::query_as("select exists (select from refunds where payment_intent = $1 and cause = $2)")
            .bind(intent)
            .bind(cause)
            .fetch_one(tx)
            .await?;
    Ok(owed)
}

/// What of a captured payment has not gone back, and is not on its way.
#[derive(Debug, sqlx::FromRow)]
struct Refundable {
    payment_intent: String,
    currency: String,
    left: i64,
}

/// The caller holds the order's lock, so nobody else takes from the same rest.
async fn refundable(tx: &mut PgConnection, order: &Locked) -> Result<Option<Refundable>, OrdersError> {
    Ok(sqlx::query_as(
        "select p.payment_intent, p.currency,
                (p.captured - coalesce((select sum(r.amount) from refunds r
                                         where r.payment_intent = p.payment_intent and r.state <> 'failed'),
                                       0))::bigint as left
           from payments p
          where p.event_id = $1 and p.order_id = $2 and p.captured > 0",
    )
    .bind(order.event_id)
    .bind(order.id)
    .fetch_optional(tx)
    .await?)
}
