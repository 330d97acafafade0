//! The letters that have come, newest kept, and the switches.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::behaviour::{Behaviour, How};
use super::reading::{Read, read};

/// Letters that are kept; older ones make room.
const MOST: usize = 500;

/// Bytes that are kept.
const MOST_BYTES: usize = 64 << 20;

/// A letter that has come.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Counts from the first letter on.
    pub number: u64,
    pub received_at: OffsetDateTime,
    /// Of the envelope, which is not always what the letter says of itself.
    pub from: String,
    pub to: Vec<String>,
    pub source: Vec<u8>,
    pub read: Read,
}

/// A line of the journal.
#[derive(Serialize, Deserialize)]
struct Line {
    number: u64,
    #[serde(with = "time::serde::rfc3339")]
    received_at: OffsetDateTime,
    from: String,
    to: Vec<String>,
    source: String,
}

#[derive(Debug, Default)]
struct Inner {
    letters: VecDeque<Arc<Letter>>,
    bytes: usize,
    last: u64,
    behaviour: Behaviour,
    journal: Option<File>,
}

/// Where letters are put. A lock is held for moments only.
#[derive(Debug, Default)]
pub struct Shelf {
    inner: Mutex<Inner>,
}

impl Shelf {
    /// Opens the shelf with what its journal has. Lines that are no letters, as a kill leaves one, are passed over.
    pub(super) fn open(journal: Option<&Path>) -> io::Result<Self> {
        let mut inner = Inner::default();
        if let Some(path) = journal {
            let open = || OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path);
            let mut lines = 0;
            for line in BufReader::new(open()?).lines() {
                lines += 1;
                if let Ok(letter) = line.and_then(|line| recall(&line)) {
                    inner.put(letter);
                }
            }
            if lines > MOST * 2 {
                // What is forgotten need not be kept.
                File::create(path)?;
                let mut file = open()?;
                inner.letters.iter().try_for_each(|letter| write(&mut file, letter))?;
            }
            inner.journal = Some(open()?);
        }
        Ok(Self { inner: Mutex::new(inner) })
    }

    /// Puts a letter on the shelf.
    pub(super) fn take(&self, from: String, to: Vec<String>, source: Vec<u8>) -> io::Result<()> {
        let read = read(&source);
        let mut inner = self.lock();
        let number = inner.last + 1;
        let letter = Letter { number, received_at: OffsetDateTime::now_utc(), from, to, source, read };
        if let Some(journal) = &mut inner.journal {
            write(journal, &letter)?;
        }
        inner.put(letter);
        Ok(())
    }

    /// Every letter that is kept, newest first.
    #[must_use]
    pub fn letters(&self) -> Vec<Arc<Letter>> {
        self.lock().letters.iter().rev().cloned().collect()
    }

    /// The letters to addresses that contain this, newest first.
    #[must_use]
    pub fn letters_to(&self, part: &str) -> Vec<Arc<Letter>> {
        let part = part.to_lowercase();
        let is_meant = |letter: &Arc<Letter>| letter.to.iter().any(|to| to.to_lowercase().contains(&part));
        self.letters().into_iter().filter(is_meant).collect()
    }

    #[must_use]
    pub fn letter(&self, number: u64) -> Option<Arc<Letter>> {
        self.lock().letters.iter().find(|letter| letter.number == number).cloned()
    }

    /// Throws all letters away.
    pub fn clear(&self) -> io::Result<()> {
        let mut inner = self.lock();
        if let Some(journal) = &mut inner.journal {
            journal.set_len(0)?;
        }
        inner.letters.clear();
        inner.bytes = 0;
        Ok(())
    }

    #[must_use]
    pub fn behaviour(&self) -> Behaviour {
        self.lock().behaviour.clone()
    }

    /// How letters are treated from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.lock().behaviour = behaviour;
    }

    /// What is done at this step of a conversation.
    pub(super) fn act(&self, here: &[How], recipients: &[String]) -> How {
        self.lock().behaviour.act(here, recipients)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here can panic half-way.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn put(&mut self, letter: Letter) {
        self.last = self.last.max(letter.number);
        self.bytes += letter.source.len();
        self.letters.push_back(Arc::new(letter));
        while self.letters.len() > MOST || (self.bytes > MOST_BYTES && self.letters.len() > 1) {
            if let Some(oldest) = self.letters.pop_front() {
                self.bytes -= oldest.source.len();
            }
        }
    }
}

fn write(file: &mut File, letter: &Letter) -> io::Result<()> {
    let line = Line {
        number: letter.number,
        received_at: letter.received_at,
        from: letter.from.clone(),
        to: letter.to.clone(),
        source: BASE64_STANDARD.encode(&letter.source),
    };
    let mut line = serde_json::to_vec(&line)?;
    line.push(b'\n');
    file.write_all(&line)
}

fn recall(line: &str) -> io::Result<Letter> {
    let Line { number, received_at, from, to, source } = serde_json::from_str(line)?;
    let source = BASE64_STANDARD.decode(source).map_err(io::Error::other)?;
    Ok(Letter { number, received_at, from, to, read: read(&source), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Vec<u8> {
        format!("Subject: {text}\r\n\r\nHello\r\n").into_bytes()
    }

    #[test]
    fn letters_are_kept_between_runs_and_old_ones_make_room() {
        let path = std::env::temp_dir().join(format!("holdfast-mailbox-{}", uuid::Uuid::new_v4().simple()));
        let shelf = Shelf::open(Some(&path)).expect("a journal");
        for number in 1..=MOST + 3 {
            let to = vec![format!("{number}@example.com")];
            shelf.take("us@example.com".to_owned(), to, source(&number.to_string())).expect("kept");
        }
        drop(shelf);
        OpenOptions::new().append(true).open(&path).expect("it").write_all(b"{\"num").expect("half a line");

        let again = Shelf::open(Some(&path)).expect("a journal");
        let letters = again.letters();
        assert_eq!((letters.len(), letters[0].number, letters[0].read.subject.as_str()), (MOST, 503, "503"));
        assert_eq!(again.letters_to("503@EXAMPLE").len(), 1);
        assert!(again.letter(3).is_none() && again.letter(4).is_some());
        again.clear().expect("cleared");
        assert!(Shelf::open(Some(&path)).expect("a journal").letters().is_empty());
        std::fs::remove_file(path).expect("tidied up");
    }
}
