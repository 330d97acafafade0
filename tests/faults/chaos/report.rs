//! What was done, how often, how it went, and how to have it again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::nemesis::TROUBLE;
use super::storm::{Storm, Wanted};
use super::trouble::Trouble;

impl Storm {
    pub fn report(&self, wanted: &Wanted, last: u64, took: Duration) -> String {
        let never: Vec<_> = Trouble::all(self.topology)
            .into_iter()
            .filter(|trouble| self.tally.of(TROUBLE, &trouble.name()) == 0)
            .map(Trouble::name)
            .collect();
        format!(
            "storm on {} with seed {}: rounds {} to {last} in {:.0} s, {} deeds on seats and {} looks at them \
             placed in an order, {} wrong\n{}  never made: {}\n",
            self.topology.name(),
            wanted.seed,
            wanted.round,
            took.as_secs_f64(),
            self.deeds,
            self.looks,
            self.wrong.len(),
            self.tally,
            if never.is_empty() { "nothing".to_owned() } else { never.join(", ") },
        ) + &self.how_to_repeat(wanted, last)
    }

    fn how_to_repeat(&self, wanted: &Wanted, last: u64) -> String {
        if self.wrong.is_empty() {
            return String::new();
        }
        format!(
            "  once more: {}\n  logs: {}\n",
            wanted.once_more(last),
            self.logs_kept(wanted, last).display(),
        )
    }

    /// What the nodes have said, where the next run does not tidy it away.
    fn logs_kept(&self, wanted: &Wanted, round: u64) -> PathBuf {
        let name = format!("chaos/{}-{}-{round}", self.topology.name(), wanted.seed);
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&dir).expect("a folder");
        for seat in &self.nodes {
            std::fs::write(dir.join(format!("{}.log", seat.node.name)), seat.node.log()).expect("a log");
        }
        dir
    }
}
