//! Settling what was found by asking, rather than told by a webhook: the order may be earlier in its life than Stripe's truth,
//! as after a backup was restored. So refunds are looked at as well.

use crate::ids::OrderId;
use crate::orders::Desk;
use crate::orders::error::OrdersError;
use crate::orders::log::{self, Because};
use crate::orders::parked::given_back;
use crate::orders::settle::own_payment;
use crate::orders::state::OrderState;
use crate::payments::{Intent, IntentStatus, Refund};
use crate::proof::{self, Step};
use crate::stores::postgres::within;

impl Desk {
    /// Brings the order of this PaymentIntent to where Stripe's word puts it, with all that was given back since.
    ///
    /// Money that has gone back buys nothing: such an order ends, and is not confirmed first.
    pub(super) async fn settle_found(
        &self,
        intent: &Intent,
        because: &Because,
    ) -> Result<OrderState, OrdersError> {
        if intent.status != IntentStatus::Succeeded {
            return self.settle(intent, because).await;
        }
        let order = self.order_of_intent(intent).await?.ok_or(OrdersError::NotFound)?;
        self.settle_paid(order, intent, because).await
    }

    /// The same of a payment that succeeded, and whose order is known.
    ///
    /// What has gone back is written down before the payment is decided on, so that both are seen in one step whoever dies
    /// between: a decision that came first would leave an order to a refund that nobody looks at again.
    pub(super) async fn settle_paid(
        &self,
        order: OrderId,
        intent: &Intent,
        because: &Because,
    ) -> Result<OrderState, OrdersError> {
        let refunds = self.payments.refunds_of(&intent.id).await?;
        let own = self.adopt_intent(order, intent).await?;
        for refund in &refunds {
            self.adopt_refund(refund).await?;
        }
        if !own && given_back(&refunds) >= intent.amount_received {
            return self.state_of(order).await;
        }
        self.paid(order, intent, because).await
    }

    /// Takes the payment for the order's own, if its answer had never been stored, and says whether it is.
    async fn adopt_intent(&self, order: OrderId, intent: &Intent) -> Result<bool, OrdersError> {
        within(async {
            let mut tx = self.pg.begin().await?;
            let locked = log::lock(&mut tx, order).await?;
            let own = own_payment(&mut tx, &locked, intent).await?;
            proof::step(Step::AdoptIntent, tx.commit()).await?;
            Ok(own)
        })
        .await
    }

    pub(super) async fn is_given_back(&self, intent: &Intent) -> Result<bool, OrdersError> {
        Ok(given_back(&self.payments.refunds_of(&intent.id).await?) >= intent.amount_received)
    }

    /// Whether Postgres has this refund, as it stands.
    pub(super) async fn is_recorded(&self, refund: &Refund) -> Result<bool, OrdersError> {
        within(async {
            let (known,): (bool,) =
                sqlx::query_as("select exists (select from refunds where stripe_refund = $1 and state = $2)")
                    .bind(&refund.id)
                    .bind(refund.status.recorded_as())
                    .fetch_one(&self.pg)
                    .await?;
            Ok(known)
        })
        .await
    }
}
