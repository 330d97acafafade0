//! What readers of a map are sent, as benches reach it from outside of this crate. Nothing of the service calls this.

use std::sync::Arc;

use axum::body::Bytes;
use futures_util::FutureExt as _;

use super::availability;
use super::crier::Told;
use crate::catalog::Chart;
use crate::ids::Ordinal;
use crate::seats::{SeatState, Version, View};

/// What is not free, as JSON.
#[must_use]
pub fn availability(chart: &Chart, view: &View) -> Vec<u8> {
    availability::json(chart, view)
}

/// The message that says these changes to whoever follows. It waits for nothing.
#[must_use]
pub fn change(chart: &Arc<Chart>, version: Version, seats: &[(Ordinal, SeatState)]) -> Option<Bytes> {
    Told::Seats(version, seats.to_vec()).words(chart).now_or_never()
}
