//! Log lines on their way out: a queue and a thread, so that nobody who has something to say waits for whoever reads it.
//!
//! Standard error may be a pipe that nobody empties or a disk that is full. Then lines are dropped and counted, and the
//! service goes on.

use std::io::{self, Write};
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;

/// Lines that may wait: some seconds of a busy node, and a bound on their memory.
const WAITING: usize = 8192;
/// Between two looks at the queue: waking somebody for each line costs a busy node more than the line.
const LOOK: Duration = Duration::from_millis(4);
/// How long the last lines may take when the process ends.
const LAST: Duration = Duration::from_secs(1);

/// Lines that nobody took in time. Of the process, like standard error.
static DROPPED: LazyLock<Counter> = LazyLock::new(Counter::default);

pub fn dropped() -> Counter {
    DROPPED.clone()
}

enum Item {
    Line(Vec<u8>),
    /// Everything before it has been written.
    Mark(SyncSender<()>),
}

/// Where lines are put. Each write is one line, and none of them fails or waits.
#[derive(Clone)]
pub struct Lines(SyncSender<Item>);

impl Lines {
    /// Starts the thread that writes them.
    ///
    /// # Errors
    /// When there can be no other thread.
    pub fn to(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(WAITING);
        std::thread::Builder::new().name("log".to_owned()).spawn(move || write_all(out, &receiver))?;
        Ok(Self(sender))
    }

    /// Waits, for a moment at most, until what was said so far is written.
    pub fn flush_in_time(&self) {
        let (done, written) = sync_channel(1);
        let (mut mark, until) = (Item::Mark(done), Instant::now() + LAST);
        while let Err(refused) = self.0.try_send(mark) {
            let TrySendError::Full(again) = refused else { return };
            if Instant::now() >= until {
                return;
            }
            mark = again;
            std::thread::sleep(LOOK);
        }
        let _ = written.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            self.0.try_send(Item::Line(line.to_vec()))
        {
            DROPPED.inc();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes what has gathered, all of it at once.
fn write_all(mut out: impl Write, items: &Receiver<Item>) {
    let mut gathered = Vec::new();
    while let Ok(first) = items.recv() {
        let mut lines = 0;
        for item in std::iter::once(first).chain(items.try_iter().take(WAITING)) {
            match item {
                Item::Line(line) => {
                    gathered.extend_from_slice(&line);
                    lines += 1;
                }
                Item::Mark(done) => {
                    put(&mut out, &mut gathered, &mut lines);
                    let _ = done.send(());
                }
            }
        }
        put(&mut out, &mut gathered, &mut lines);
        std::thread::sleep(LOOK);
    }
}

fn put(out: &mut impl Write, gathered: &mut Vec<u8>, lines: &mut u64) {
    if out.write_all(gathered).and_then(|()| out.flush()).is_err() {
        DROPPED.inc_by(*lines);
    }
    gathered.clear();
    *lines = 0;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// Takes nothing while somebody else has the lock.
    #[derive(Clone, Default)]
    struct Reader(Arc<Mutex<Vec<u8>>>);

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("nobody panics with the lock").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_log_that_nobody_takes_costs_lines_and_no_time() {
        let reader = Reader::default();
        let mut lines = Lines::to(reader.clone()).expect("a thread");
        lines.write_all(b"first\n").expect("never fails");
        lines.flush_in_time();
        assert_eq!(*reader.0.lock().expect("the lock"), b"first\n");

        let before = dropped().get();
        let asleep = reader.0.lock().expect("the lock");
        let began = Instant::now();
        for _ in 0..WAITING * 2 {
            lines.write_all(b"line\n").expect("never fails");
        }
        assert!(began.elapsed() < Duration::from_secs(20), "nobody waited");
        assert!(dropped().get() - before >= WAITING as u64 / 2, "what did not fit was counted");
        drop(asleep);
        lines.flush_in_time();
        let written = reader.0.lock().expect("the lock").len();
        assert!(written >= WAITING * b"line\n".len(), "and what fitted is there");
    }
}
