//! Closing an order that is not paid: **first the money door, then the seats.**
//!
//! `awaiting_payment → closing` is committed before Stripe is asked to cancel, and the seats are given up only
//! after Stripe has said that no money can come any more.

use std::time::Duration;

use crate::ids::{AccountId, EventId, HoldId, OrderId};
use crate::orders::effects::{self, Effect};
use crate::orders::error::OrdersError;
use crate::orders::log::{self, Actor, Because};
use crate::orders::payment::Wanted;
use crate::orders::state::OrderState;
use crate::orders::{Desk, claims, letters};
use crate::payments::{Cancelled, Intent, IntentStatus, PaymentsError};
use crate::proof::{self, Bug, Step};
use crate::stores::postgres::within;

/// How long a payment that is still being processed is left alone before Stripe is asked again.
const PROCESSING_PAUSE_SECONDS: f64 = 30.0;

/// How soon a closing that Stripe did not answer is tried again.
const RETRY_SECONDS: f64 = 2.0;

/// What Stripe said when the money door was to be closed.
enum Door {
    Shut,
    /// The customer was quicker: the money is here.
    Paid(Intent),
    /// The money may still come: the seats stay claimed.
    Moving,
}

impl Desk {
    /// Ends an open order as `end`, if Stripe lets it: an order that turns out to be paid is confirmed instead.
    ///
    /// Repeats and races are harmless: an order that is closing keeps the end that was first asked for, and one
    /// that is closed stays as it is.
    pub(super) async fn close(
        &self,
        order: OrderId,
        end: OrderState,
        because: &Because,
    ) -> Result<OrderState, OrdersError> {
        let state = self.begin_closing(order, end, because).await?;
        if state != OrderState::Closing {
            return Ok(state);
        }
        if proof::planted(Bug::SeatsBeforeDoor) {
            return self.finish_closing(order, because).await;
        }
        match self.shut_money_door(order).await? {
            Door::Shut => self.finish_closing(order, because).await,
            Door::Paid(intent) => {
                let because = Because::of(Actor::Stripe, "paid while the order was closing");
                self.settle_paid(order, &intent, &because).await
            }
            Door::Moving => {
                self.keep_while_processing(order).await?;
                Ok(OrderState::Closing)
            }
        }
    }

    /// Ends an order for which Stripe has refused to open a payment: there is no door to shut.
    pub(super) async fn close_without_intent(
        &self,
        order: OrderId,
        because: &Because,
    ) -> Result<(), OrdersError> {
        if self.begin_closing(order, OrderState::Failed, because).await? == OrderState::Closing {
            self.finish_closing(order, because).await?;
        }
        Ok(())
    }

    async fn begin_closing(
        &self,
        order: OrderId,
        end: OrderState,
        because: &Because,
    ) -> Result<OrderState, OrdersError> {
        within(async {
            let mut tx = self.pg.begin().await?;
            let mut locked = log::lock(&mut tx, order).await?;
            // Model: BeginClosing
            if locked.state == OrderState::AwaitingPayment {
                sqlx::query(
                    "update orders set closing_as = $2, check_at = now() + make_interval(secs => $3)
                      where id = $1",
                )
                .bind(order)
                .bind(end)
                .bind(RETRY_SECONDS)
                .execute(&mut *tx)
                .await?;
                locked.advance(&mut tx, OrderState::Closing, because).await?;
                proof::step(Step::BeginClosing, tx.commit()).await?;
            }
            Ok(locked.state)
        })
        .await
    }

    async fn shut_money_door(&self, order: OrderId) -> Result<Door, OrdersError> {
        // Model: ReadDoor
        let Some(wanted) = self.wanted_payment(order).await? else { return Ok(Door::Shut) };
        let Some(intent) = self.intent_of(&wanted).await? else { return Ok(Door::Shut) };
        // Model: ShutDoor
        Ok(match proof::step(Step::CancelIntent, self.payments.cancel(&intent)).await? {
            Cancelled::Done(_) => Door::Shut,
            Cancelled::Not(intent) => match intent.status {
                IntentStatus::Succeeded => Door::Paid(intent),
                IntentStatus::Canceled => Door::Shut,
                IntentStatus::Processing if proof::planted(Bug::ProcessingTakenForShut) => Door::Shut,
                IntentStatus::Processing
                | IntentStatus::RequiresPaymentMethod
                | IntentStatus::RequiresConfirmation
                | IntentStatus::RequiresAction
                | IntentStatus::RequiresCapture => Door::Moving,
            },
        })
    }

    /// The PaymentIntent to cancel. When Stripe's answer to its opening was lost, the same idempotency key finds
    /// what was made, or makes one that is cancelled at once: either way none is left open.
    async fn intent_of(&self, wanted: &Wanted) -> Result<Option<String>, OrdersError> {
        if let Some(known) = &wanted.payment_intent {
            return Ok(Some(known.clone()));
        }
        // Model: OpenToShut
        match proof::step(Step::OpenToShut, self.payments.open(&wanted.to_open()?)).await {
            Ok(intent) => {
                // Model: StoreToShut
                self.store_intent(wanted, &intent).await?;
                Ok(Some(intent.id))
            }
            // Stripe keeps a failure under this key or refuses the payment: there is nothing that a customer
            // could ever have been given.
            Err(PaymentsError::Refused { .. } | PaymentsError::StoredFailure { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn finish_closing(
        &self,
        order: OrderId,
        because: &Because,
    ) -> Result<OrderState, OrdersError> {
        let (state, moved) = within(async {
            let mut tx = self.pg.begin().await?;
            let mut locked = log::lock(&mut tx, order).await?;
            // Model: FinishClosing
            let moved = locked.state == OrderState::Closing;
            if moved {
                let end = locked
                    .closing_as
                    .ok_or(OrdersError::Inconsistent { order, what: "closing without an end" })?;
                claims::drop_all(&mut tx, locked.event_id, order).await?;
                sqlx::query(
                    "update payments set state = 'canceled'
                      where event_id = $1 and order_id = $2 and state in ('opening', 'open', 'processing')",
                )
                .bind(locked.event_id)
                .bind(order)
                .execute(&mut *tx)
                .await?;
                locked.advance(&mut tx, end, because).await?;
                letters::closed(&mut tx, &locked).await?;
                effects::owe(&mut tx, locked.event_id, Effect::Show(order)).await?;
                proof::step(Step::FinishClosing, tx.commit()).await?;
            }
            Ok::<_, OrdersError>((locked.state, moved))
        })
        .await?;
        if moved {
            self.count_move(state);
            self.show_now(order).await;
        }
        Ok(state)
    }

    /// Money may still come: claims and flags are carried on until Stripe has decided.
    pub(super) async fn keep_while_processing(&self, order: OrderId) -> Result<(), OrdersError> {
        let kept: Option<(EventId, HoldId, AccountId)> = within(async {
            let mut tx = self.pg.begin().await?;
            let kept: Option<(EventId, HoldId, AccountId)> = sqlx::query_as(
                // Model: KeepProcessing
                "update orders set check_at = now() + make_interval(secs => $2)
                  where id = $1 and state in ('awaiting_payment', 'closing')
                  returning event_id, hold_id, account_id",
            )
            .bind(order)
            .bind(PROCESSING_PAUSE_SECONDS.min(self.clock.reconcile.as_secs_f64()))
            .fetch_optional(&mut *tx)
            .await?;
            if let Some((event, _, _)) = kept {
                sqlx::query(
                    "update seat_claims set until = greatest(until, now() + make_interval(secs => $3))
                      where event_id = $1 and order_id = $2 and state = 'held'",
                )
                .bind(event)
                .bind(order)
                .bind(self.processing_lease().as_secs_f64())
                .execute(&mut *tx)
                .await?;
                sqlx::query(
                    "update payments set state = 'processing'
                      where event_id = $1 and order_id = $2 and state = 'open'",
                )
                .bind(event)
                .bind(order)
                .execute(&mut *tx)
                .await?;
            }
            proof::step(Step::KeepProcessing, tx.commit()).await?;
            Ok::<_, OrdersError>(kept)
        })
        .await?;
        if let Some((event, hold, owner)) = kept {
            // Model: RenewFlags
            self.seats.pin(event, hold, owner, order, self.processing_lease(), true).await?;
        }
        Ok(())
    }

    /// Long enough to reach the next look at the payment, and the one after.
    fn processing_lease(&self) -> Duration {
        self.clock.grace + Duration::from_secs_f64(PROCESSING_PAUSE_SECONDS * 2.0)
    }
}
