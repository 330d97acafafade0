//! A connection that leaves HTTP behind when the head of an answer has been sent.
//!
//! A stream without end needs nothing of what HTTP keeps for the next request: two buffers of 8 kB each, and the request's way
//! through the service. With ten thousand who follow an event that is most of a node's memory, and each message would be
//! framed ten thousand times. So whoever answers with such a stream takes the connection, and writes what was framed once.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::Frame;
use tokio::io::AsyncWriteExt as _;

use super::Patient;

/// What goes on, once it has the connection, until it is over.
pub type GoingOn = Pin<Box<dyn Future<Output = ()> + Send>>;
type GoesOn = Box<dyn FnOnce(Wire) -> GoingOn + Send>;

/// The offer that is in each request's extensions: to have its connection. Clones are of one connection.
#[derive(Clone, Default)]
pub struct Handover(Arc<Offer>);

#[derive(Default)]
struct Offer {
    /// Who asked for it. Looked at by the thread of the connection alone, and never across an await.
    goes_on: Mutex<Option<GoesOn>>,
    is_asked_for: AtomicBool,
    is_sending: AtomicBool,
}

impl Handover {
    /// The body of an answer whose head is sent by HTTP, in pieces (`Transfer-Encoding: chunked`), and whose pieces `goes_on`
    /// writes itself. Nothing goes on where no body is sent, as after `HEAD`.
    pub fn body<F>(&self, goes_on: impl FnOnce(Wire) -> F + Send + 'static) -> Body
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let goes_on: GoesOn = Box::new(|wire| Box::pin(goes_on(wire)));
        Body::new(Handed { handover: self.clone(), goes_on: Some(goes_on) })
    }

    /// Whether somebody asked for the connection, and the head of their answer has left.
    pub(super) fn is_due(&self) -> bool {
        self.0.is_asked_for.load(Ordering::Acquire) && !self.0.is_sending.load(Ordering::Acquire)
    }

    pub(super) fn take(&self) -> Option<GoesOn> {
        self.0.goes_on.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn is_sending(&self) {
        self.0.is_sending.store(true, Ordering::Release);
    }

    pub(super) fn has_sent(&self) {
        self.0.is_sending.store(false, Ordering::Release);
    }
}

/// Asks for the connection when the first of the body is wanted: then the head is written.
struct Handed {
    handover: Handover,
    goes_on: Option<GoesOn>,
}

impl HttpBody for Handed {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(goes_on) = self.goes_on.take() {
            let offer = &self.handover.0;
            *offer.goes_on.lock().unwrap_or_else(PoisonError::into_inner) = Some(goes_on);
            // The head is on its way until it was seen to have been sent.
            offer.is_sending.store(true, Ordering::Release);
            offer.is_asked_for.store(true, Ordering::Release);
        }
        // Nobody is woken: the connection looks at the offer when all that is to be written has been.
        Poll::Pending
    }
}

/// A connection on which one goes on by hand: what is said on it is sent as it is.
pub struct Wire {
    stream: Patient,
    /// The other side said more than it had to: not listened to any more.
    is_deaf: bool,
}

impl Wire {
    pub(super) fn new(stream: Patient, is_deaf: bool) -> Self {
        Self { stream, is_deaf }
    }

    /// Sends all of it.
    ///
    /// # Errors
    /// When the other side has gone, or takes nothing for longer than our patience.
    pub async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Ends when the other side has gone. Of one that keeps on talking that is seen at the next message.
    pub async fn gone(&mut self) {
        while !self.is_deaf {
            if self.stream.stream().readable().await.is_err() {
                return;
            }
            let mut said = [0; 16];
            match self.stream.stream().try_read(&mut said) {
                Ok(0) => return,
                Ok(_) => self.is_deaf = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
        std::future::pending::<()>().await;
    }

    /// Says that nothing comes any more.
    pub async fn close(mut self) {
        // Whoever has gone does not need to hear it.
        let _ = self.stream.shutdown().await;
    }
}
