//! A version of a picture as its readers get it: made when somebody first asks, and gone with the version.

use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::OnceCell;

use super::planes::View;
use crate::packing::{self, Coding, Effort};

/// Planes of more bytes than this are drawn and packed where that holds up nobody else's request.
const AT_ONCE: usize = 2048;

/// What is made of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Print {
    /// What is taken, by the seats' names.
    Json,
    /// The bits themselves.
    Planes,
    /// What a follower begins with.
    Message,
}

/// All that was made of a version so far.
#[derive(Debug, Clone, Default)]
pub struct Prints([[OnceCell<Bytes>; 3]; 3]);

impl Prints {
    fn place(&self, print: Print, coding: Coding) -> &OnceCell<Bytes> {
        &self.0[print as usize][coding as usize]
    }
}

impl View {
    /// This version in a form and coding; `draw` makes it where nobody has yet. Whoever asks meanwhile waits for the same.
    pub async fn print<D>(self: &Arc<Self>, print: Print, coding: Coding, draw: D) -> Bytes
    where
        D: FnOnce(&Self) -> Vec<u8> + Send + 'static,
    {
        let view = Arc::clone(self);
        let make = || self.away(move || draw(&view).into());
        let plain = self.prints.place(print, Coding::Plain).get_or_init(make).await.clone();
        if coding == Coding::Plain {
            return plain;
        }
        let pack = || self.away(move || packing::pack(&plain, coding, Effort::Brief));
        self.prints.place(print, coding).get_or_init(pack).await.clone()
    }

    async fn away(&self, work: impl FnOnce() -> Bytes + Send + 'static) -> Bytes {
        if self.taken.len() <= AT_ONCE {
            return work();
        }
        tokio::task::spawn_blocking(work)
            .await
            .expect("drawing does not panic, and the runtime outlives requests")
    }
}
