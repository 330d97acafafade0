//! The ledger's memory between runs: one JSON line for each whole change, appended and never rewritten.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::world::Entry;

#[derive(Debug)]
pub struct Journal {
    file: File,
}

impl Journal {
    /// Opens the journal and reads the past. A last line that a kill cut off never happened: it is removed.
    ///
    /// # Errors
    /// When the file cannot be used, or a line before the last is no entry, which no crash explains.
    pub fn open(path: &Path) -> io::Result<(Self, Vec<Entry>)> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        // It holds client secrets, if only of a sandbox.
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let (past, whole) = read(&file)?;
        file.set_len(whole)?;
        file.seek(SeekFrom::End(0))?;
        Ok((Self { file }, past))
    }

    /// Adds one step. A kill of this process after it does not lose it.
    pub fn append(&mut self, step: &[Entry]) -> io::Result<()> {
        let mut line = serde_json::to_vec(step)?;
        line.push(b'\n');
        self.file.write_all(&line)
    }
}

/// The entries, and how many bytes of the file are whole lines.
fn read(file: &File) -> io::Result<(Vec<Entry>, u64)> {
    let mut lines = BufReader::new(file);
    let mut entries = Vec::new();
    let mut whole = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = lines.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Ok((entries, whole));
        }
        let step: Vec<Entry> = serde_json::from_slice(&line).map_err(|error| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the sandbox's journal at byte {whole}: {error}"),
            )
        })?;
        entries.extend(step);
        whole += u64::try_from(length).map_err(io::Error::other)?;
    }
}
