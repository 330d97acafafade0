//! What comes back over a connection: an answer's head, and its body as it comes or as a whole.

use anyhow::{Context as _, bail};
use bytes::{Buf as _, Bytes, BytesMut};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Read at a time: an ordinary answer with its head.
const AT_A_TIME: usize = 4096;
/// A head that is longer is no answer of a house.
const LONGEST_HEAD: usize = 64 << 10;
const MOST_HEADERS: usize = 96;
/// What follows each chunk.
const LINE_BREAK: usize = 2;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: Bytes,
    pub body: Bytes,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = std::str::from_utf8(&self.head).ok()?.lines();
        let mut fields = lines.filter_map(|line| line.split_once(':'));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The status, and of a refusal its code.
    pub fn outcome(&self) -> String {
        let code = if self.status >= 400 { self.code() } else { None };
        code.map_or_else(|| self.status.to_string(), |code| format!("{} {code}", self.status))
    }

    /// Found without reading all of it: whoever asks this often must not be what is measured.
    fn code(&self) -> Option<&str> {
        const MEMBER: &str = "\"code\":\"";
        let body = std::str::from_utf8(&self.body).ok()?;
        let (_, rest) = body.split_once(MEMBER)?;
        rest.split('"').next()
    }

    /// The body of an answer without which there is nothing to measure.
    pub fn expect(self, status: u16, what: &str) -> anyhow::Result<Value> {
        if self.status != status {
            bail!("{what}: {} {}", self.status, String::from_utf8_lossy(&self.body));
        }
        Ok(self.json())
    }
}

/// What an answer begins with.
#[derive(Debug)]
pub struct Head {
    pub status: u16,
    text: Bytes,
}

/// What of an answer is still to come.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Rest {
    Nothing,
    Bytes(usize),
    /// In chunks, of the first of which so much is left, its line break included.
    Chunks(usize),
    /// Whatever comes until the other side closes.
    All,
}

/// A connection, and what has been read of it ahead.
#[derive(Debug)]
pub struct Line {
    stream: TcpStream,
    read: BytesMut,
    rest: Rest,
    /// The other side has said that it closes after this answer.
    closes: bool,
}

impl Line {
    pub fn over(stream: TcpStream) -> Self {
        Self { stream, read: BytesMut::new(), rest: Rest::Nothing, closes: false }
    }

    /// Whether the next request may go over it. What the other side has closed meanwhile is not asked again.
    pub fn is_open(&self) -> bool {
        let silent = || {
            let ahead = self.stream.try_read(&mut [0]);
            ahead.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
        };
        !self.closes && self.rest == Rest::Nothing && self.read.is_empty() && silent()
    }

    pub async fn say(&mut self, words: &[u8]) -> anyhow::Result<()> {
        Ok(self.stream.write_all(words).await?)
    }

    /// The whole answer to what was said.
    pub async fn answer(&mut self) -> anyhow::Result<Answer> {
        let Head { status, text } = self.head().await?;
        let body = match self.rest {
            Rest::Nothing => Bytes::new(),
            Rest::Bytes(length) => {
                while self.read.len() < length {
                    self.more().await?;
                }
                self.rest = Rest::Nothing;
                self.read.split_to(length).freeze()
            }
            Rest::Chunks(_) | Rest::All => {
                let mut whole = BytesMut::new();
                while let Some(part) = self.part().await? {
                    whole.extend_from_slice(&part);
                }
                whole.freeze()
            }
        };
        Ok(Answer { status, head: text, body })
    }

    /// The head of the answer; its body is read after it, part by part.
    pub async fn head(&mut self) -> anyhow::Result<Head> {
        loop {
            let mut fields = [httparse::EMPTY_HEADER; MOST_HEADERS];
            let mut answer = httparse::Response::new(&mut fields);
            if let httparse::Status::Complete(length) = answer.parse(&self.read)? {
                let status = answer.code.context("an answer has a status")?;
                (self.rest, self.closes) = rest_of(status, answer.headers)?;
                return Ok(Head { status, text: self.read.split_to(length).freeze() });
            }
            if self.read.len() > LONGEST_HEAD {
                bail!("an answer's head does not end");
            }
            self.more().await?;
        }
    }

    /// What comes next of the body, as it comes; `None` at its end.
    pub async fn part(&mut self) -> anyhow::Result<Option<Bytes>> {
        loop {
            match self.rest {
                Rest::Nothing | Rest::Bytes(0) => {
                    self.rest = Rest::Nothing;
                    return Ok(None);
                }
                Rest::All if self.read.is_empty() => {
                    if !self.fill().await? {
                        self.rest = Rest::Nothing;
                        return Ok(None);
                    }
                }
                Rest::All => return Ok(Some(self.read.split().freeze())),
                Rest::Chunks(0) => {
                    let parsed = httparse::parse_chunk_size(&self.read);
                    match parsed.map_err(|_| anyhow::anyhow!("a chunk has no size"))? {
                        httparse::Status::Partial => self.more().await?,
                        httparse::Status::Complete((at, size)) => {
                            self.read.advance(at);
                            self.rest = Rest::Chunks(usize::try_from(size)? + LINE_BREAK);
                            if size == 0 {
                                self.skip(LINE_BREAK).await?;
                                self.rest = Rest::Nothing;
                            }
                        }
                    }
                }
                Rest::Chunks(LINE_BREAK) => {
                    self.skip(LINE_BREAK).await?;
                    self.rest = Rest::Chunks(0);
                }
                Rest::Bytes(_) | Rest::Chunks(_) if self.read.is_empty() => self.more().await?,
                Rest::Bytes(left) => {
                    let part = left.min(self.read.len());
                    self.rest = Rest::Bytes(left - part);
                    return Ok(Some(self.read.split_to(part).freeze()));
                }
                Rest::Chunks(left) => {
                    let part = (left - LINE_BREAK).min(self.read.len());
                    self.rest = Rest::Chunks(left - part);
                    return Ok(Some(self.read.split_to(part).freeze()));
                }
            }
        }
    }

    async fn skip(&mut self, length: usize) -> anyhow::Result<()> {
        while self.read.len() < length {
            self.more().await?;
        }
        self.read.advance(length);
        Ok(())
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        if !self.fill().await? {
            bail!("the connection was closed in the middle of an answer");
        }
        Ok(())
    }

    /// Reads on; false when the other side has closed.
    async fn fill(&mut self) -> anyhow::Result<bool> {
        self.read.reserve(AT_A_TIME);
        Ok(self.stream.read_buf(&mut self.read).await? > 0)
    }
}

/// How an answer's body ends (RFC 9112, 6.3), and whether its connection does.
fn rest_of(status: u16, fields: &[httparse::Header<'_>]) -> anyhow::Result<(Rest, bool)> {
    let field = |name: &str| {
        let found = fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok().map(str::trim)
    };
    let closes = field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let rest = if status < 200 || status == 204 || status == 304 {
        Rest::Nothing
    } else if field("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        Rest::Chunks(0)
    } else if let Some(length) = field("content-length") {
        Rest::Bytes(length.parse().context("a length is a number")?)
    } else {
        Rest::All
    };
    Ok((rest, closes || rest == Rest::All))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line on whose other end these pieces are written, one after the other, and then closed.
    async fn told(pieces: &'static [&'static str]) -> Line {
        let door = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let line =
            Line::over(TcpStream::connect(door.local_addr().expect("bound")).await.expect("connected"));
        let (mut other, _) = door.accept().await.expect("somebody came");
        tokio::spawn(async move {
            for piece in pieces {
                other.write_all(piece.as_bytes()).await.expect("written");
                other.flush().await.expect("sent");
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        });
        line
    }

    #[tokio::test]
    async fn an_answer_has_the_length_that_it_says() {
        let mut line = told(&[
            "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Le",
            "ngth: 5\r\n\r\nhel",
            "loHTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
            "HTTP/1.1 409 Conflict\r\ncontent-length: 16\r\n\r\n{\"code\":\"taken\"}",
        ])
        .await;
        let first = line.answer().await.expect("an answer");
        assert_eq!(
            (first.status, first.header("etag"), &first.body[..]),
            (200, Some("\"a\""), &b"hello"[..])
        );
        let second = line.answer().await.expect("an answer without a body");
        assert_eq!((second.status, second.body.len()), (304, 0));
        assert_eq!(line.answer().await.expect("an answer").outcome(), "409 taken");
        assert!(line.answer().await.is_err(), "closed");
    }

    #[tokio::test]
    async fn chunks_come_as_they_are_written() {
        let mut line = told(&[
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nsing",
            "\r\n3\r",
            "\n so",
            "\r\n4\r\nngs!\r\n0\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\n",
        ])
        .await;
        assert_eq!(line.head().await.expect("a head").status, 200);
        let mut parts = Vec::new();
        while let Some(part) = line.part().await.expect("a part") {
            parts.push(String::from_utf8_lossy(&part).into_owned());
        }
        assert_eq!(parts.concat(), "sing songs!");
        assert_eq!(line.answer().await.expect("the next").status, 204);
    }

    #[tokio::test]
    async fn an_answer_of_unknown_length_ends_with_its_connection() {
        let mut line = told(&["HTTP/1.0 200 OK\r\n\r\nall of", " it"]).await;
        assert_eq!(&line.answer().await.expect("an answer").body[..], b"all of it");
        assert!(!line.is_open(), "and nobody asks over it again");
    }

    #[tokio::test]
    async fn what_breaks_off_is_no_answer() {
        for pieces in [
            &["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"][..],
            &["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\nhalf"],
            &["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"],
            &["HTTP/1.1 200"],
            &["who are you?\r\n\r\n"],
        ] {
            assert!(told(pieces).await.answer().await.is_err(), "{pieces:?}");
        }
    }
}
