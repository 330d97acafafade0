//! As much of SMTP (RFC 5321) as mailers speak: no log-in, no encryption, on loopback.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::behaviour::How;
use super::shelf::Shelf;

/// The longest command; more is no command.
const LONGEST_LINE: u64 = 4096;

/// The largest letter, with its files.
const LARGEST: usize = 10 << 20;

const MOST_RECIPIENTS: usize = 100;

/// Whoever says nothing for so long has gone.
const SILENCE: Duration = Duration::from_mins(5);

/// Takes calls until stopped.
pub async fn serve(listener: TcpListener, shelf: Arc<Shelf>, stop: CancellationToken) {
    loop {
        let called = tokio::select! {
            () = stop.cancelled() => return,
            called = listener.accept() => called,
        };
        let Ok((stream, _)) = called else {
            // Out of files for a moment.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (shelf, stop) = (Arc::clone(&shelf), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                talked = Talk::new(stream, shelf).run() => {
                    if let Err(error) = talked {
                        tracing::debug!(%error, "a mailer hung up");
                    }
                }
            }
        });
    }
}

/// One conversation.
struct Talk {
    line: BufReader<TcpStream>,
    shelf: Arc<Shelf>,
    greeted: bool,
    from: Option<String>,
    to: Vec<String>,
}

/// What follows a step.
enum Next {
    Say(&'static str),
    HangUp,
}

impl Talk {
    fn new(stream: TcpStream, shelf: Arc<Shelf>) -> Self {
        Self { line: BufReader::new(stream), shelf, greeted: false, from: None, to: Vec::new() }
    }

    async fn run(mut self) -> io::Result<()> {
        if self.shelf.act(&[How::Away], &[]) == How::Away {
            return self.say("421 mailbox.invalid is away").await;
        }
        self.say("220 mailbox.invalid ready").await?;
        loop {
            let Some(line) = self.listen().await? else { return Ok(()) };
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            let next = match verb.to_ascii_uppercase().as_str() {
                "DATA" => self.data().await?,
                "QUIT" => {
                    self.say("221 good-bye").await?;
                    Next::HangUp
                }
                verb => Next::Say(self.command(verb, rest)),
            };
            match next {
                Next::Say(answer) => self.say(answer).await?,
                Next::HangUp => return Ok(()),
            }
        }
    }

    fn command(&mut self, verb: &str, rest: &str) -> &'static str {
        match verb {
            "EHLO" | "HELO" => {
                self.forget();
                self.greeted = true;
                // The size is LARGEST.
                if verb == "EHLO" {
                    "250-mailbox.invalid\r\n250-SIZE 10485760\r\n250-8BITMIME\r\n250 SMTPUTF8"
                } else {
                    "250 mailbox.invalid"
                }
            }
            "MAIL" if !self.greeted || self.from.is_some() => OUT_OF_TURN,
            "MAIL" => match address(rest, "FROM:") {
                Some((_, parameters)) if is_too_large(parameters) => TOO_LARGE,
                Some((from, _)) => {
                    self.from = Some(from);
                    "250 ok"
                }
                None => NO_ADDRESS,
            },
            "RCPT" if self.from.is_none() => OUT_OF_TURN,
            "RCPT" if self.to.len() >= MOST_RECIPIENTS => "452 too many recipients",
            "RCPT" => match address(rest, "TO:") {
                Some((to, _)) if to.contains('@') => self.recipient(to),
                _ => NO_ADDRESS,
            },
            "RSET" => {
                self.forget();
                "250 ok"
            }
            "NOOP" => "250 ok",
            "VRFY" => "252 send it and see",
            _ => "502 not here",
        }
    }

    fn recipient(&mut self, to: String) -> &'static str {
        let to = vec![to];
        match self.shelf.act(&[How::Refuse, How::Later], &to) {
            How::Refuse => "550 nobody of this name lives here",
            How::Later => "451 not now, try again later",
            How::Take | How::Away | How::Hang | How::Drop | How::LoseAnswer => {
                self.to.extend(to);
                "250 ok"
            }
        }
    }

    async fn data(&mut self) -> io::Result<Next> {
        let (Some(from), false) = (self.from.clone(), self.to.is_empty()) else {
            return Ok(Next::Say(OUT_OF_TURN));
        };
        self.say("354 end with a line that is a dot").await?;
        let Some(letter) = self.letter().await? else { return Ok(Next::HangUp) };
        let Ok(letter) = letter else {
            self.forget();
            return Ok(Next::Say(TOO_LARGE));
        };
        let to = std::mem::take(&mut self.to);
        self.forget();
        match self.shelf.act(&[How::Hang, How::Drop, How::LoseAnswer], &to) {
            How::Hang => {
                // Until the mailer loses patience.
                let _ = self.line.read_to_end(&mut Vec::new()).await;
                Ok(Next::HangUp)
            }
            How::Drop => Ok(Next::HangUp),
            How::LoseAnswer => {
                self.shelf.take(from, to, letter)?;
                Ok(Next::HangUp)
            }
            How::Take | How::Refuse | How::Later | How::Away => {
                self.shelf.take(from, to, letter)?;
                Ok(Next::Say("250 it is in the mailbox"))
            }
        }
    }

    /// A letter up to the dot that ends it, without the dots that were doubled on the way. `Err` when it is too large;
    /// `None` when the line broke, and then there is no letter.
    async fn letter(&mut self) -> io::Result<Option<Result<Vec<u8>, ()>>> {
        let (mut letter, mut is_too_large) = (Vec::new(), false);
        let mut line = Vec::new();
        loop {
            line.clear();
            if !self.read_line(&mut line, LARGEST as u64).await? {
                return Ok(None);
            }
            if line == b".\r\n" || line == b".\n" {
                return Ok(Some(if is_too_large { Err(()) } else { Ok(letter) }));
            }
            is_too_large |= letter.len() + line.len() > LARGEST;
            if !is_too_large {
                letter.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            }
        }
    }

    async fn listen(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        if !self.read_line(&mut line, LONGEST_LINE).await? {
            return Ok(None);
        }
        Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()))
    }

    /// Reads a line. False at the end of the line's other side, or when it goes on for too long.
    async fn read_line(&mut self, line: &mut Vec<u8>, longest: u64) -> io::Result<bool> {
        let mut bounded = (&mut self.line).take(longest);
        let read = tokio::time::timeout(SILENCE, bounded.read_until(b'\n', line)).await;
        read.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        Ok(line.ends_with(b"\n"))
    }

    async fn say(&mut self, answer: &str) -> io::Result<()> {
        let stream = self.line.get_mut();
        stream.write_all(answer.as_bytes()).await?;
        stream.write_all(b"\r\n").await?;
        stream.flush().await
    }

    fn forget(&mut self) {
        self.from = None;
        self.to.clear();
    }
}

const OUT_OF_TURN: &str = "503 not now";
const NO_ADDRESS: &str = "501 that is no address";
const TOO_LARGE: &str = "552 that is too large";

/// `FROM:<ada@example.com> SIZE=1` as its address and what follows.
fn address<'r>(rest: &'r str, word: &str) -> Option<(String, &'r str)> {
    let is_word = rest.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word));
    let rest = rest.get(word.len()..).filter(|_| is_word)?;
    let (address, parameters) = rest.trim_start().strip_prefix('<')?.split_once('>')?;
    Some((address.to_owned(), parameters))
}

fn is_too_large(parameters: &str) -> bool {
    let size = parameters.split_whitespace().find_map(|parameter| parameter.strip_prefix("SIZE="));
    size.and_then(|size| size.parse::<usize>().ok()).is_some_and(|size| size > LARGEST)
}
