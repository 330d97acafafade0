//! A look at the markers of many events, for who has to look at all of them again and again.

use std::time::Duration;

use futures_util::future::join_all;

use super::keys::Keys;
use super::{Engine, SeatsError};
use crate::ids::EventId;

/// Questions that are on their way at a time. They share a connection, which writes down together what it is given together: so
/// hundreds of events cost a few trips and not hundreds, behind a Sentinel and on a Cluster, too, where their keys lie apart.
const SIDE_BY_SIDE: usize = 64;
/// Between two trips, for whoever wants a seat meanwhile; less where that would be long in all.
const BREATH: Duration = Duration::from_millis(3);
const LONGEST: Duration = Duration::from_millis(200);

/// What a marker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    /// `None` where there is no picture.
    pub epoch: Option<i32>,
    /// What comes free is kept for the waiting list.
    pub keeps: bool,
}

impl Engine {
    /// The markers of these events, in their order. What cannot be asked keeps nobody from asking the others.
    pub async fn markers(&self, events: &[EventId]) -> Vec<Result<Marker, SeatsError>> {
        let trips = u32::try_from(events.len().div_ceil(SIDE_BY_SIDE).max(1)).unwrap_or(u32::MAX);
        let mut markers = Vec::with_capacity(events.len());
        for some in events.chunks(SIDE_BY_SIDE) {
            if !markers.is_empty() {
                tokio::time::sleep(BREATH.min(LONGEST / trips)).await;
            }
            markers.extend(join_all(some.iter().map(|event| self.marker(*event))).await);
        }
        markers
    }

    async fn marker(&self, event: EventId) -> Result<Marker, SeatsError> {
        let mut ask = redis::cmd("HMGET");
        ask.arg(Keys::of(event).meta()).arg("epoch").arg("waiting");
        let (epoch, waiting): (Option<i32>, Option<u8>) = self.redis.read(&ask).await?;
        Ok(Marker { epoch, keeps: epoch.is_some() && waiting == Some(1) })
    }
}
