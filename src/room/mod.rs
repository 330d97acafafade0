//! The waiting room: a rush is let in as quickly as it is served, and nobody gains by being early or by coming often.
//!
//! Who comes before the sale begins gets a place by lot; who comes later stands behind. A place belongs to an account, so
//! one person has one, on whatever device. Whoever is let in gets an *admission*: a signed word that the hold call brings
//! along, so that the script checks it in the same step and no store is asked. Without one, an event with a room gives
//! nobody a seat.

mod admission;
mod pace;
#[doc(hidden)]
pub mod untrusted;

use std::time::Duration;

use rand::RngExt as _;
use secrecy::SecretString;

pub use self::pace::Pace;
use crate::ids::{AccountId, EventId};
use crate::seats::{Engine, LetIn, SeatsError, Stand};
use crate::telemetry::Metrics;

/// The waiting rooms of all events. Cheap to clone.
#[derive(Clone)]
pub struct Rooms {
    seats: Engine,
    metrics: Metrics,
    signer: admission::Signer,
    /// How long whoever is let in may take seats.
    pass: Duration,
}

/// Where somebody stands, with what they keep.
#[derive(Debug)]
pub struct Visit {
    pub stand: Stand,
    /// For the hold call, once they are let in.
    pub admission: Option<SecretString>,
    /// Their place, signed: it holds even when the line is lost.
    pub place: Option<SecretString>,
}

impl Rooms {
    #[must_use]
    pub fn new(seats: Engine, metrics: Metrics, secret: &SecretString, pass: Duration) -> Self {
        Self { seats, metrics, signer: admission::Signer::new(secret), pass }
    }

    /// A customer comes to an event's waiting room, or looks where they stand. Coming again changes nothing.
    ///
    /// # Errors
    /// When Redis cannot answer or the event has no picture.
    pub async fn visit(
        &self,
        event: EventId,
        customer: AccountId,
        place: Option<&str>,
    ) -> Result<Visit, SeatsError> {
        let known = place.and_then(|place| self.signer.read_place(place, event, customer));
        let lot = rand::rng().random::<f64>();
        let stand = self.seats.stand(event, customer, lot, self.pass, known).await?;
        let place = match &stand {
            Stand::NoRoom | Stand::Closed { .. } => None,
            Stand::Early { place, .. } | Stand::Waiting { place, .. } | Stand::Admitted { place, .. } => {
                place.parse().ok()
            }
        };
        let admission = match stand {
            Stand::Admitted { left, .. } => Some(self.signer.admission(event, customer, left)),
            _ => None,
        };
        Ok(Visit { stand, admission, place: place.map(|at| self.signer.place(event, customer, at)) })
    }

    /// Whether this word lets this customer take seats of this event now. Touches no store.
    #[must_use]
    pub fn admits(&self, admission: &str, event: EventId, customer: AccountId) -> bool {
        self.signer.admits(admission, event, customer)
    }

    /// Lets the next ones in, at this node's pace.
    ///
    /// # Errors
    /// When Redis cannot answer or the event has no picture.
    pub async fn open_the_door(&self, event: EventId, pace: f64) -> Result<Option<LetIn>, SeatsError> {
        let let_in = self.seats.let_in(event, pace, self.pass).await?;
        if let Some(let_in) = let_in {
            self.metrics.room_admitted.inc_by(let_in.people);
        }
        Ok(let_in)
    }
}
