//! A stream whose other side must take what is written.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::Handover;

/// Ends when the other side takes nothing of a write for longer than our patience.
pub struct Patient {
    stream: TcpStream,
    patience: Duration,
    /// Since something could not be written.
    waits: Option<Pin<Box<Sleep>>>,
    /// Is told whether anything that was written is still to be sent.
    handover: Handover,
}

impl Patient {
    pub fn new(stream: TcpStream, patience: Duration, handover: Handover) -> Self {
        Self { stream, patience, waits: None, handover }
    }

    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Passes on what a write came to, and fails it when it has waited for too long.
    fn unless_late<T>(&mut self, wrote: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            self.waits = None;
            return wrote;
        }
        let deadline = || Box::pin(tokio::time::sleep_until(Instant::now() + self.patience));
        let waits = self.waits.get_or_insert_with(deadline);
        waits.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.handover.is_sending();
        let wrote = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.unless_late(wrote, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.handover.is_sending();
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.unless_late(wrote, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Asked for when everything has been written.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wrote = Pin::new(&mut self.stream).poll_flush(cx);
        if let Poll::Ready(Ok(())) = wrote {
            self.handover.has_sent();
        }
        self.unless_late(wrote, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wrote = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.unless_late(wrote, cx)
    }
}
