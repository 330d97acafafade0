//! A look at the markers of many events, for who has to look at all of them again and again.

use futures_util::{StreamExt as _, stream};

use super::keys::Keys;
use super::{Engine, SeatsError};
use crate::ids::EventId;

/// Questions that are on their way at a time. They share a connection, which writes down together what it is given together: so
/// hundreds of events cost a few trips and not hundreds, behind a Sentinel and on a Cluster, too, where their keys lie apart.
pub(crate) const SIDE_BY_SIDE: usize = 64;

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
        stream::iter(events.to_vec()).map(|event| self.marker(event)).buffered(SIDE_BY_SIDE).collect().await
    }

    async fn marker(&self, event: EventId) -> Result<Marker, SeatsError> {
        let mut ask = redis::cmd("HMGET");
        ask.arg(Keys::of(event).meta()).arg("epoch").arg("waiting");
        let (epoch, waiting): (Option<i32>, Option<u8>) = self.redis.read(&ask).await?;
        Ok(Marker { epoch, keeps: epoch.is_some() && waiting == Some(1) })
    }
}
