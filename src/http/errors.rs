//! What each module calls its refusals, as the problems that a client is told.
//!
//! Every match is exhaustive: a new refusal cannot reach a client undocumented.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::limit;
use super::problem::{Code, FieldFault, Problem};
use crate::accounts::AccountsError;
use crate::catalog::{CatalogError, Chart};
use crate::hooks::HooksError;
use crate::ids::Ordinal;
use crate::limits::AttemptError;
use crate::orders::{OrdersError, RefusedSeat};
use crate::payments::PaymentsError;
use crate::seats::{HoldRefusal, SeatsError};
use crate::stores::postgres::{Outage, constraint};
use crate::waitlist::WaitlistError;

impl From<CatalogError> for Problem {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::NotFound => Code::NotFound.problem(),
            CatalogError::NotADraft => Code::NotADraft.problem(),
            CatalogError::Invalid(faults) => Self::invalid(
                faults.into_iter().map(|fault| FieldFault::new(fault.field, fault.message)).collect(),
            ),
            CatalogError::Unreadable(..) => Self::internal(error),
            CatalogError::Outage(cause) => cause.into(),
        }
    }
}

/// Who signed in as an account that a restored backup does not have: each of these points at the account that asked.
const NO_SUCH_ACCOUNT: [&str; 5] = [
    "orders_account_id_fkey",
    "waitlist_account_id_fkey",
    "hooks_account_id_fkey",
    "events_organiser_id_fkey",
    "trail_actor_id_fkey",
];

impl From<Outage> for Problem {
    fn from(cause: Outage) -> Self {
        match &cause {
            Outage::Failed(error)
                if constraint(error).is_some_and(|name| NO_SUCH_ACCOUNT.contains(&name)) =>
            {
                Code::NotAuthenticated.detail("This account is not known any more.")
            }
            _ => Self::outage(cause),
        }
    }
}

impl From<AccountsError> for Problem {
    fn from(error: AccountsError) -> Self {
        match error {
            AccountsError::Invalid(faults) => Self::invalid(
                faults.into_iter().map(|fault| FieldFault::new(fault.field, fault.message)).collect(),
            ),
            AccountsError::EmailTaken => Code::EmailTaken.problem(),
            AccountsError::BadCredentials => Code::BadCredentials.problem(),
            AccountsError::BadRefreshToken => Code::BadRefreshToken.problem(),
            AccountsError::NotFound => Code::NotFound.problem(),
            AccountsError::Yourself => {
                Code::Forbidden.detail("Ask another administrator to change your own account.")
            }
            AccountsError::Busy => Self::outage(error),
            AccountsError::Crypto(_) => Self::internal(error),
            AccountsError::Outage(cause) => Self::outage(cause),
        }
    }
}

impl From<WaitlistError> for Problem {
    fn from(error: WaitlistError) -> Self {
        match error {
            WaitlistError::NotFound => Code::NotFound.problem(),
            WaitlistError::Closed => Code::WaitlistClosed.problem(),
            WaitlistError::WaitsAlready(entry) => Code::AlreadyWaiting.with("entry_id", entry),
            WaitlistError::Impossible { field, message } => {
                Self::invalid(vec![FieldFault::new(field, message)])
            }
            WaitlistError::InCheckout(order) => Code::OrderState
                .detail("This offer is being paid for; cancel its order to let go of the seats.")
                .with("order_id", order),
            WaitlistError::Catalog(error) => error.into(),
            WaitlistError::Seats(error) => error.into(),
            WaitlistError::Outage(cause) => cause.into(),
        }
    }
}

impl From<AttemptError> for Problem {
    fn from(error: AttemptError) -> Self {
        match error {
            AttemptError::Refused(refusal) => limit::refused(&refusal),
            AttemptError::Away(cause) => Self::outage(cause),
        }
    }
}

impl From<HooksError> for Problem {
    fn from(error: HooksError) -> Self {
        match error {
            HooksError::NotFound => Code::NotFound.problem(),
            HooksError::Invalid { field, message } => Self::invalid(vec![FieldFault::new(field, message)]),
            HooksError::TooMany(most) => Code::TooManyHooks.with("limit", most),
            HooksError::Sealed => Self::internal(error),
            HooksError::Catalog(error) => error.into(),
            HooksError::Seats(error) => error.into(),
            HooksError::Outage(cause) => cause.into(),
        }
    }
}

impl From<OrdersError> for Problem {
    fn from(error: OrdersError) -> Self {
        match error {
            OrdersError::NotFound | OrdersError::NoSuchHold => Code::NotFound.problem(),
            OrdersError::HoldExpired => Code::HoldExpired.problem(),
            OrdersError::SeatsTaken(seats) => Code::SeatsUnavailable.with("seats", seats),
            OrdersError::SaleClosed => Code::SaleClosed.problem(),
            OrdersError::TooExpensive => Self::invalid(vec![FieldFault::new("hold_id", error.to_string())]),
            OrdersError::State(state) => Code::OrderState.with("order_status", state),
            OrdersError::TooLateToCancel => Code::OrderState.detail("The event has started."),
            OrdersError::RefundTooLarge { left } => {
                Self::invalid(vec![FieldFault::new("amount", format!("must be less than {left}"))])
                    .with("left", left)
            }
            OrdersError::AlreadyCheckedIn { at, by } => {
                let at = at.format(&Rfc3339).unwrap_or_default();
                Code::AlreadyCheckedIn.with("checked_in_at", at).with("checked_in_by", by)
            }
            OrdersError::TicketVoid => Code::TicketVoid.problem(),
            OrdersError::TicketMoved => Code::TicketVoid
                .detail("The ticket was moved to another seat: only its newer code opens the door.")
                .with("moved", true),
            OrdersError::NotCheckedIn => Code::NotCheckedIn.problem(),
            OrdersError::UnknownSeat(seat) => Code::UnknownSeats.with("seats", [seat]),
            OrdersError::PriceDiffers { paid, price } => {
                Code::PriceDiffers.with("paid", paid).with("price", price)
            }
            OrdersError::PaymentRefused(cause) => payment_refused(&cause),
            OrdersError::NoSuchMove { .. } | OrdersError::Inconsistent { .. } => Self::internal(error),
            OrdersError::Catalog(error) => error.into(),
            OrdersError::Seats(error) => error.into(),
            OrdersError::Payments(error) => error.into(),
            OrdersError::Outage(cause) => cause.into(),
        }
    }
}

impl From<PaymentsError> for Problem {
    fn from(error: PaymentsError) -> Self {
        match error {
            PaymentsError::Outage { .. } | PaymentsError::StoredFailure { .. } => Self::outage(error),
            PaymentsError::Refused { .. } => payment_refused(&error),
            PaymentsError::Unexpected(_) | PaymentsError::Unreadable { .. } => Self::internal(error),
        }
    }
}

/// The provider's words are for the log: they may speak of our account with it.
fn payment_refused(cause: &impl std::fmt::Display) -> Problem {
    tracing::error!(%cause, "the payment provider refuses an order");
    Code::PaymentRefused.problem()
}

impl From<SeatsError> for Problem {
    /// For calls that name no seats; those that do use [`of_seats`], so that the refused ones have names.
    fn from(error: SeatsError) -> Self {
        told(error, |_| None)
    }
}

/// A refusal in which seats are called what the chart calls them.
pub fn of_seats(error: SeatsError, chart: &Chart) -> Problem {
    told(error, |ordinal| chart.seat(ordinal).map(|seat| seat.id.to_string()))
}

fn told(error: SeatsError, name: impl Fn(Ordinal) -> Option<String>) -> Problem {
    match error {
        SeatsError::Refused(refusal) => refused(refusal, name),
        SeatsError::NotReady(_) => Code::EventNotReady.problem(),
        // Somebody else's hold does not exist for this customer.
        SeatsError::NotYours => Code::NotFound.problem(),
        SeatsError::KeyReused => Code::IdempotencyKeyReused.problem(),
        SeatsError::Gone => Code::HoldExpired.problem(),
        SeatsError::InCheckout(order) => Code::OrderState
            .detail("This hold is being paid for; cancel its order to let go of the seats.")
            .with("order_id", order),
        SeatsError::Nothing => Problem::invalid(vec![FieldFault::new("body", "asks for no seat at all")]),
        SeatsError::TooMany(most) => {
            Problem::invalid(vec![FieldFault::new("body", format!("asks for more than {most} seats"))])
        }
        SeatsError::Unsettled(_) | SeatsError::Superseded | SeatsError::Redis(_) => Problem::outage(error),
        SeatsError::UnknownReply(..) => Problem::internal(error),
    }
}

fn refused(refusal: HoldRefusal, name: impl Fn(Ordinal) -> Option<String>) -> Problem {
    match refusal {
        HoldRefusal::Seats(seats) => {
            let named = |(ordinal, reason)| Some(RefusedSeat { id: name(ordinal)?, reason });
            Code::SeatsUnavailable.with("seats", seats.into_iter().filter_map(named).collect::<Vec<_>>())
        }
        HoldRefusal::SoldOut { free } => sold_out(free),
        HoldRefusal::NoAdjacent { free } => {
            sold_out(free).with_detail("Enough seats are free, but nowhere so many side by side.")
        }
        HoldRefusal::Limit { limit, held } => Code::LimitExceeded.with("limit", limit).with("held", held),
        HoldRefusal::SaleClosed { opens_ms, closes_ms, now_ms: _, cancelled } => {
            let problem = Code::SaleClosed.with("sale_starts_at", moment(opens_ms));
            let problem = problem.with("sale_ends_at", moment(closes_ms));
            if cancelled { problem.with_detail("The event is cancelled.") } else { problem }
        }
        HoldRefusal::NotAdmitted => Code::NotAdmitted.problem(),
        HoldRefusal::Expired => Code::HoldExpired.problem(),
        HoldRefusal::Mismatch => Code::IdempotencyKeyReused.problem(),
    }
}

fn sold_out(free: u32) -> Problem {
    Code::SoldOut.with("free", free)
}

fn moment(ms: Option<i64>) -> Option<String> {
    let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms?) * 1_000_000).ok()?;
    moment.format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seats::Reason;
    use axum::body::to_bytes;
    use axum::response::IntoResponse;
    use serde_json::{Value, json};

    async fn body(problem: Problem) -> Value {
        let bytes = to_bytes(problem.into_response().into_body(), usize::MAX).await.expect("a body");
        serde_json::from_slice(&bytes).expect("a problem document")
    }

    #[tokio::test]
    async fn refused_seats_are_told_by_name_and_reason() {
        let refusal = HoldRefusal::Seats(vec![(7, Reason::Sold), (8, Reason::Orphan)]);
        let told = body(refused(refusal, |ordinal| Some(format!("stalls-A-{ordinal}")))).await;
        assert_eq!(told["status"], 409);
        assert_eq!(told["code"], "seats_unavailable");
        assert_eq!(
            told["seats"],
            json!([{"id": "stalls-A-7", "reason": "sold"}, {"id": "stalls-A-8", "reason": "orphan"}])
        );
    }

    #[tokio::test]
    async fn a_closed_sale_says_when_it_is_open() {
        let closed = HoldRefusal::SaleClosed {
            opens_ms: Some(1_767_225_600_000),
            closes_ms: None,
            now_ms: 0,
            cancelled: false,
        };
        let told = body(refused(closed, |_| None)).await;
        assert_eq!(told["code"], "sale_closed");
        assert_eq!(told["sale_starts_at"], "2026-01-01T00:00:00Z");
        assert_eq!(told["sale_ends_at"], Value::Null);
    }

    #[tokio::test]
    async fn the_state_of_an_order_does_not_stand_where_the_status_of_the_answer_is() {
        let told = body(OrdersError::State(crate::orders::OrderState::Cancelled).into()).await;
        assert_eq!((&told["status"], &told["order_status"]), (&json!(409), &json!("cancelled")));
    }

    #[tokio::test]
    async fn nobody_learns_of_anothers_hold() {
        assert_eq!(body(SeatsError::NotYours.into()).await["code"], "not_found");
    }
}
