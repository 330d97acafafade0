//! Secrets of the embedded stack: drawn once, kept with its data, so that tokens survive a restart.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rand::RngExt as _;
use secrecy::SecretString;

/// What `dev` signs with.
#[derive(Debug, Clone)]
pub struct Secrets {
    pub jwt: SecretString,
    pub stripe_key: SecretString,
    pub webhook: SecretString,
}

/// Reads the secrets of a folder, or draws them.
pub fn of(dir: &Path) -> io::Result<Secrets> {
    let path = dir.join("secrets");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => draw(&path)?,
        Err(error) => return Err(error),
    };
    let mut lines = text.lines().map(SecretString::from);
    let mut next =
        || lines.next().ok_or_else(|| io::Error::other(format!("{} is cut short", path.display())));
    Ok(Secrets { jwt: next()?, stripe_key: next()?, webhook: next()? })
}

fn draw(path: &Path) -> io::Result<String> {
    let text = format!("{}\nsk_test_{}\nwhsec_{}\n", letters::<48>(), letters::<24>(), letters::<32>());
    // Whole or not at all: a crash in between leaves no file that is cut short.
    let new = path.with_extension("new");
    let mut file = fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    Ok(text)
}

fn letters<const N: usize>() -> String {
    let mut random = rand::rng();
    (0..N).map(|_| char::from(random.sample(rand::distr::Alphanumeric))).collect()
}
