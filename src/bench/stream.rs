//! Following an event's seats as a page does.

use super::line::Line;
use super::wire::{Origin, Wire};

/// One connection that is told what changes.
#[derive(Debug)]
pub struct Stream {
    line: Line,
    read: Vec<u8>,
}

/// A whole message.
#[derive(Debug, Default)]
pub struct Message {
    pub kind: String,
    pub data: String,
}

impl Stream {
    pub async fn open(origin: &Origin, event: &str) -> anyhow::Result<Self> {
        let line = Wire::to(origin).follow(&format!("/v1/events/{event}/live")).await?;
        Ok(Self { line, read: Vec::new() })
    }

    /// The same over a connection that keeps little ahead: whoever reads nothing of it is soon behind.
    pub async fn open_narrow(origin: &Origin, event: &str) -> anyhow::Result<Self> {
        let line = Wire::narrow(origin).await?.follow(&format!("/v1/events/{event}/live")).await?;
        Ok(Self { line, read: Vec::new() })
    }

    /// The next message; `None` at the end.
    pub async fn next(&mut self) -> anyhow::Result<Option<Message>> {
        loop {
            if let Some(end) = self.read.windows(2).position(|two| two == b"\n\n") {
                let rest = self.read.split_off(end + 2);
                let message = Message::read(&String::from_utf8_lossy(&self.read));
                self.read = rest;
                return Ok(Some(message));
            }
            match self.chunk().await? {
                Some(chunk) => self.read.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }

    /// What comes next, as it comes; `None` at the end.
    pub async fn chunk(&mut self) -> anyhow::Result<Option<bytes::Bytes>> {
        self.line.part().await
    }
}

impl Message {
    fn read(text: &str) -> Self {
        let mut message = Self::default();
        for line in text.lines() {
            if let Some(kind) = line.strip_prefix("event:") {
                kind.trim().clone_into(&mut message.kind);
            } else if let Some(data) = line.strip_prefix("data:") {
                message.data.push_str(data.strip_prefix(' ').unwrap_or(data));
            }
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::Message;

    #[test]
    fn a_message_is_its_kind_and_its_data_in_all_of_its_lines() {
        let message = Message::read("retry: 1000\nevent: change\nid: 1-2-3\ndata: {\"a\":\ndata: 1}\n\n");
        assert_eq!((message.kind.as_str(), message.data.as_str()), ("change", "{\"a\":1}"));
        assert_eq!(Message::read(": following\n\n").kind, "");
    }
}
