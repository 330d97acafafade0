//! Opening the money door: one payable PaymentIntent an order, and none for an order that is closed.

use secrecy::ExposeSecret;

use crate::ids::{EventId, OrderId};
use crate::money::{Currency, Money};
use crate::orders::Desk;
use crate::orders::error::OrdersError;
use crate::orders::log::{self, Actor, Because};
use crate::orders::read::Order;
use crate::orders::state::OrderState;
use crate::payments::{Intent, NewIntent, PaymentsError};
use crate::proof::{self, Step};
use crate::stores::postgres::within;

/// The payment that an order wants, as far as it has got.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Wanted {
    pub event_id: EventId,
    pub order_id: OrderId,
    pub order_state: OrderState,
    pub attempt: i32,
    pub payment_intent: Option<String>,
    pub amount: i64,
    pub currency: String,
    pub request_id: String,
}

impl Wanted {
    pub(super) fn to_open(&self) -> Result<NewIntent, OrdersError> {
        let currency: Currency = self.currency.parse().map_err(|_| OrdersError::Inconsistent {
            order: self.order_id,
            what: "its currency is not a currency",
        })?;
        Ok(NewIntent {
            order: self.order_id,
            event: self.event_id,
            attempt: self.attempt,
            amount: Money::new(self.amount, currency),
            request_id: self.request_id.clone(),
        })
    }
}

impl Desk {
    /// The order as its customer needs it to pay: with a PaymentIntent, unless it needs none.
    pub(super) async fn payable(&self, order: OrderId) -> Result<Order, OrdersError> {
        let refused = match self.open_payment(order).await {
            Err(OrdersError::PaymentRefused(why)) => Some(why),
            opened => {
                opened?;
                None
            }
        };
        match refused {
            Some(why) => Err(OrdersError::PaymentRefused(why)),
            // Model: Answer
            None => self.order_unchecked(order).await,
        }
    }

    /// What a checkout that was broken off after its claims still owes.
    pub(super) async fn go_on_with_checkout(&self, order: OrderId) -> Result<(), OrdersError> {
        let kept = self.keep_flags_of(order).await;
        // Its customer can pay whether or not Redis answers.
        self.open_payment(order).await?;
        kept
    }

    /// Makes sure that an order that awaits payment has its PaymentIntent. Safe to repeat: the idempotency key
    /// is the order and its attempt, so a lost answer is asked for again and not paid for twice.
    pub(super) async fn open_payment(&self, order: OrderId) -> Result<(), OrdersError> {
        // Model: ReadWanted
        let Some(wanted) = self.wanted_payment(order).await? else { return Ok(()) };
        if wanted.order_state != OrderState::AwaitingPayment || wanted.payment_intent.is_some() {
            return Ok(());
        }
        // Model: OpenIntent
        let intent = match proof::step(Step::OpenIntent, self.payments.open(&wanted.to_open()?)).await {
            Err(failure @ PaymentsError::StoredFailure { .. }) => {
                // Stripe keeps the failure under this key for a day. Nobody was told the secret of whatever that
                // attempt made, so nobody can pay it; the next attempt has a key of its own.
                self.next_attempt(&wanted).await?;
                return Err(failure.into());
            }
            Err(failure @ PaymentsError::Refused { .. }) if failure.is_about_other_words() => {
                // Another version of us asked under this key. Whatever was made then, nobody was told its secret.
                tracing::error!(order.id = %order, "Stripe knows the key of this order with other words");
                self.next_attempt(&wanted).await?;
                return Err(PaymentsError::StoredFailure { call: "open", status: 400 }.into());
            }
            Err(PaymentsError::Refused { message, .. }) => {
                let why = Because::of(Actor::Stripe, "the payment could not be opened");
                self.close_without_intent(order, &why).await?;
                return Err(OrdersError::PaymentRefused(message));
            }
            intent => intent?,
        };
        // Model: StoreIntent
        if self.store_intent(&wanted, &intent).await? {
            return Ok(());
        }
        // The order closed while Stripe was asked: shut what was just opened before anybody learns its secret.
        // Model: CancelUnwanted
        proof::step(Step::CancelUnwanted, self.payments.cancel(&intent.id)).await?;
        Ok(())
    }

    pub(super) async fn wanted_payment(&self, order: OrderId) -> Result<Option<Wanted>, OrdersError> {
        within(async {
            Ok(sqlx::query_as(
                "select p.event_id, p.order_id, o.state as order_state, p.attempt, p.payment_intent, p.amount,
                        p.currency, o.request_id
                   from payments p join orders o on o.event_id = p.event_id and o.id = p.order_id
                  where o.id = $1 order by p.attempt desc limit 1",
            )
            .bind(order)
            .fetch_optional(&self.pg)
            .await?)
        })
        .await
    }

    /// Remembers the PaymentIntent, if the order still wants it.
    pub(super) async fn store_intent(&self, wanted: &Wanted, intent: &Intent) -> Result<bool, OrdersError> {
        within(async {
            let mut tx = self.pg.begin().await?;
            let open = log::lock(&mut tx, wanted.order_id).await?.state.is_open();
            if open {
                sqlx::query(
                    "update payments set payment_intent = $4, client_secret = $5,
                            state = case when state = 'opening' then 'open' else state end
                      where event_id = $1 and order_id = $2 and attempt = $3
                        and (payment_intent is null or payment_intent = $4)",
                )
                .bind(wanted.event_id)
                .bind(wanted.order_id)
                .bind(wanted.attempt)
                .bind(&intent.id)
                .bind(intent.client_secret.as_ref().map(ExposeSecret::expose_secret))
                .execute(&mut *tx)
                .await?;
            }
            sqlx::query("delete from outbox where order_id = $1 and kind = 'open_payment'")
                .bind(wanted.order_id)
                .execute(&mut *tx)
                .await?;
            // From now on Stripe can be asked about it, should no webhook come.
            sqlx::query(
                "update orders set check_at = least(pay_by, now() + make_interval(secs => $2)) where id = $1
                    and state = 'awaiting_payment'",
            )
            .bind(wanted.order_id)
            .bind(self.clock.reconcile.as_secs_f64())
            .execute(&mut *tx)
            .await?;
            proof::step(Step::StoreIntent, tx.commit()).await?;
            Ok(open)
        })
        .await
    }

    async fn next_attempt(&self, wanted: &Wanted) -> Result<(), OrdersError> {
        within(async {
            sqlx::query(
                "update payments set attempt = attempt + 1
                  where event_id = $1 and order_id = $2 and attempt = $3 and payment_intent is null",
            )
            .bind(wanted.event_id)
            .bind(wanted.order_id)
            .bind(wanted.attempt)
            .execute(&self.pg)
            .await?;
            Ok(())
        })
        .await
    }
}
