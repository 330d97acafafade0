//! Complimentary tickets: seats that an organiser gives to a named person, free of charge and at once.
//!
//! Free seats are held first, as anybody's are, so that no customer loses one that they hold. Seats that are blocked are
//! what houses keep for their guests: their claims pass to the order.

use serde_json::json;
use sqlx::PgConnection;

use crate::catalog::{Chart, EventState};
use crate::ids::{AccountId, EventId, HoldId, OrderId, Ordinal};
use crate::orders::checkout::named;
use crate::orders::error::OrdersError;
use crate::orders::log::{self, Actor, Because};
use crate::orders::read::Order;
use crate::orders::state::OrderState;
use crate::orders::{Desk, claims};
use crate::proof::{self, Step};
use crate::seats::{Asker, Held, HoldAsk, Via, Wish};
use crate::stores::postgres::within;
use crate::trail::{self, Deed};

/// Seats for a guest.
#[derive(Debug, Clone)]
pub struct Comp {
    pub event: EventId,
    /// The id that the order gets, chosen before anything happens.
    pub order: OrderId,
    pub guest: AccountId,
    /// Which free seats.
    pub what: Option<Wish>,
    /// Which blocked seats.
    pub blocked: Vec<Ordinal>,
    pub reason: String,
    pub by: AccountId,
    pub request_id: String,
}

impl Desk {
    /// Gives seats away, all or none.
    pub async fn give(&self, comp: &Comp) -> Result<Order, OrdersError> {
        if self.is_there(comp.order).await? {
            return self.order_unchecked(comp.order).await;
        }
        let event = self.catalog.event(comp.event).await?;
        if event.state != EventState::Published {
            return Err(OrdersError::SaleClosed);
        }
        let chart = self.catalog.chart(comp.event).await?;
        let name = HoldId::of(chart.event_number(), comp.order.0);
        let held = match &comp.what {
            Some(what) => Some(self.hold_for_guest(comp, name, what.clone()).await?),
            None => None,
        };
        let mut seats = comp.blocked.clone();
        seats.extend(held.iter().flat_map(|held| held.ordinals.iter().copied()));
        seats.sort_unstable();
        seats.dedup();
        let given = self.write_comp(comp, &chart, name, &seats).await;
        // After an outage it is unknown whether it was committed, and whoever repeats the call finds the same hold again: given
        // back, its id would be used up, and the repeat refused for good.
        let is_refused = given.as_ref().is_err_and(|error| !error.is_outage());
        if is_refused
            && held.is_some()
            && let Err(error) = self.seats.release(comp.event, name, Asker::Owner(comp.guest)).await
        {
            tracing::warn!(%error, hold.id = %name, "a refused guest's hold waits for its deadline");
        }
        match given {
            Err(OrdersError::SeatsTaken(refused)) => {
                let ordinals: Vec<_> = refused.iter().filter_map(|seat| chart.ordinal(&seat.id)).collect();
                self.repair_seats(comp.event, &ordinals).await?;
                return Err(OrdersError::SeatsTaken(refused));
            }
            given => given?,
        }
        self.count_move(OrderState::Confirmed);
        self.show_now(comp.order).await;
        self.order_unchecked(comp.order).await
    }

    async fn is_there(&self, order: OrderId) -> Result<bool, OrdersError> {
        match self.state_of(order).await {
            Ok(_) => Ok(true),
            Err(OrdersError::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn hold_for_guest(&self, comp: &Comp, hold: HoldId, what: Wish) -> Result<Held, OrdersError> {
        let ask =
            HoldAsk { hold, event: comp.event, owner: comp.guest, what, replaces: None, via: Via::House };
        Ok(self.seats.hold(&ask).await?)
    }

    async fn write_comp(
        &self,
        comp: &Comp,
        chart: &Chart,
        hold: HoldId,
        seats: &[Ordinal],
    ) -> Result<(), OrdersError> {
        let because = Because::of(Actor::Account(comp.by), format!("complimentary: {}", comp.reason))
            .in_request(&comp.request_id);
        within(async {
            let mut tx = self.pg.begin().await?;
            insert_order(&mut tx, comp, chart, hold).await?;
            insert_seats(&mut tx, comp, chart, seats).await?;
            // What is blocked passes from the house to its guest; everything else is claimed as at any checkout.
            sqlx::query(
                "update seat_claims set order_id = $3, state = 'held', until = now() + interval '1 minute', reason = null
                  where event_id = $1 and ordinal = any ($2) and state = 'blocked'",
            )
            .bind(comp.event)
            .bind(claims::as_integers(&comp.blocked))
            .bind(comp.order)
            .execute(&mut *tx)
            .await?;
            let mine: Vec<(i32,)> =
                sqlx::query_as("select ordinal from seat_claims where event_id = $1 and order_id = $2")
                    .bind(comp.event)
                    .bind(comp.order)
                    .fetch_all(&mut *tx)
                    .await?;
            let rest: Vec<Ordinal> =
                seats.iter().copied().filter(|&at| !mine.iter().any(|&(own,)| claims::as_ordinal(own) == at)).collect();
            let got = claims::take(&mut tx, comp.event, comp.order, &rest, 60.0).await?;
            // A blocked seat that was put on sale meanwhile is somebody's to hold: it is not taken from under them.
            let lost: Vec<_> = rest.iter().copied().filter(|at| comp.blocked.contains(at)).collect();
            if got < rest.len() || !lost.is_empty() {
                let mut refused = claims::conflicts(&mut tx, comp.event, comp.order, &rest).await?;
                let told: Vec<_> = refused.iter().map(|(at, _)| *at).collect();
                refused.extend(
                    lost.into_iter().filter(|at| !told.contains(at)).map(|at| (at, crate::seats::Reason::Held)),
                );
                tx.rollback().await?;
                return Err(OrdersError::SeatsTaken(named(chart, &refused)));
            }
            log::write(&mut tx, (comp.event, comp.order), None, OrderState::AwaitingPayment, &because).await?;
            let mut order = log::lock(&mut tx, comp.order).await?;
            self.confirm(&mut tx, &mut order, seats.len(), &because).await?;
            let names: Vec<_> = seats.iter().filter_map(|&at| chart.seat(at)).map(|seat| seat.id.to_string()).collect();
            let deed = Deed {
                actor: comp.by,
                event: Some(comp.event),
                action: "seats given",
                subject: Some(comp.order.0),
                detail: json!({ "seats": names, "reason": comp.reason }),
            };
            trail::write(&mut tx, &deed).await?;
            proof::step(Step::Give, tx.commit()).await?;
            Ok(())
        })
        .await
    }
}

async fn insert_order(
    tx: &mut PgConnection,
    comp: &Comp,
    chart: &Chart,
    hold: HoldId,
) -> Result<(), OrdersError> {
    sqlx::query(
        "insert into orders (event_id, id, account_id, hold_id, amount, currency, request_id, pay_by, check_at, comp_reason)
         values ($1, $2, $3, $4, 0, $5, $6, now(), now(), $7)",
    )
    .bind(comp.event)
    .bind(comp.order)
    .bind(comp.guest)
    .bind(hold)
    .bind(chart.currency().as_str())
    .bind(&comp.request_id)
    .bind(&comp.reason)
    .execute(tx)
    .await?;
    Ok(())
}

/// Seats as they are known, at no price.
async fn insert_seats(
    tx: &mut PgConnection,
    comp: &Comp,
    chart: &Chart,
    seats: &[Ordinal],
) -> Result<(), OrdersError> {
    for &at in seats {
        let seat = chart.seat(at).ok_or(OrdersError::NoSuchHold)?;
        sqlx::query(
            "insert into order_seats (event_id, order_id, ordinal, seat_id, section, row_name, seat, category, price)
             values ($1, $2, $3, $4, $5, $6, $7, $8, 0)",
        )
        .bind(comp.event)
        .bind(comp.order)
        .bind(i32::try_from(at).unwrap_or(i32::MAX))
        .bind(seat.id.as_ref())
        .bind(seat.section)
        .bind(seat.row)
        .bind(seat.seat.as_deref())
        .bind(seat.category)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}
