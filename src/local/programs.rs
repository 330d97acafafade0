//! Finding the installed servers, and saying exactly what to install when there are none.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program that the stack needs is not installed.
#[derive(Debug, thiserror::Error)]
#[error(
    "{program} is not installed.\n\n\
     Install it with one of\n  \
     apt-get install redis-server postgresql\n  \
     dnf install redis postgresql-server\n  \
     brew install redis postgresql\n\n\
     or use servers that run already:\n  \
     DATABASE_URL=postgres://user:password@host/database REDIS_URL=redis://host holdfast dev"
)]
pub struct Missing {
    pub program: &'static str,
}

/// Where Postgres keeps its programs: Debian puts none of them on the path.
#[derive(Debug, Clone)]
pub struct PostgresPrograms {
    pub initdb: PathBuf,
    pub postgres: PathBuf,
}

/// The Redis server, or Valkey, which speaks the same. Its path is never resolved: on Debian the program is a
/// link that picks its role from the name it was called by.
pub fn redis(path: Option<&OsStr>) -> Result<PathBuf, Missing> {
    let folders = folders(path);
    let found = ["redis-server", "valkey-server"].into_iter().find_map(|name| on(&folders, name));
    found.ok_or(Missing { program: "redis-server" })
}

/// Every Postgres that is installed, the one to prefer first; never none.
pub fn postgres(path: Option<&OsStr>) -> Result<Vec<PostgresPrograms>, Missing> {
    let mut folders: Vec<PathBuf> = folders(path)
        .iter()
        .filter_map(|folder| folder.join("initdb").canonicalize().ok())
        .filter_map(|program| program.parent().map(Path::to_owned))
        .collect();
    if path.is_some_and(|path| !path.is_empty()) {
        folders.extend(debian());
    }
    let whole = |folder: PathBuf| {
        let programs = PostgresPrograms { initdb: folder.join("initdb"), postgres: folder.join("postgres") };
        (is_program(&programs.initdb) && is_program(&programs.postgres)).then_some(programs)
    };
    let installed: Vec<_> = folders.into_iter().filter_map(whole).collect();
    if installed.is_empty() { Err(Missing { program: "postgres" }) } else { Ok(installed) }
}

impl PostgresPrograms {
    /// `15` of `postgres (PostgreSQL) 15.18 (Debian …)`: only Debian has it in the path, too.
    pub fn major_version(&self) -> Option<String> {
        let answer = Command::new(&self.postgres).arg("--version").output().ok()?;
        let text = String::from_utf8(answer.stdout).ok()?;
        let full = text.split_whitespace().nth(2)?;
        let digits = full.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(full.len());
        (digits > 0).then(|| full[..digits].to_owned())
    }
}

/// Debian's versioned folders, newest first.
fn debian() -> Vec<PathBuf> {
    let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") else { return Vec::new() };
    let mut versions: Vec<(u32, PathBuf)> = versions
        .filter_map(Result::ok)
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    versions.into_iter().map(|(_, folder)| folder).collect()
}

fn folders(path: Option<&OsStr>) -> Vec<PathBuf> {
    path.map(|path| env::split_paths(path).collect()).unwrap_or_default()
}

fn on(folders: &[PathBuf], name: &str) -> Option<PathBuf> {
    folders.iter().map(|folder| folder.join(name)).find(|program| is_program(program))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn with_nothing_installed_the_message_says_what_to_type() {
        let nowhere = OsStr::new("");
        let missing = redis(Some(nowhere)).expect_err("nothing is on this path");
        assert!(missing.to_string().contains("apt-get install redis-server postgresql"));
        assert!(missing.to_string().contains("DATABASE_URL"));
        assert_eq!(postgres(Some(nowhere)).expect_err("nothing").program, "postgres");
    }

    #[test]
    fn the_version_of_postgres_is_known_wherever_it_lies() {
        let dir = env::temp_dir().join(format!("holdfast-programs-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        for (said, version) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", Some("15")),
            ("postgres (PostgreSQL) 17.0", Some("17")),
            ("postgres (PostgreSQL) 18beta1", Some("18")),
            ("postgres: not what you think", None),
        ] {
            for name in ["initdb", "postgres"] {
                let script = format!("#!/bin/sh\necho '{said}'\n");
                std::fs::write(dir.join(name), script).unwrap();
                std::fs::set_permissions(dir.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
            }
            let found = postgres(Some(dir.as_os_str())).expect("it is on the path");
            assert_eq!(found[0].postgres, dir.join("postgres"));
            assert_eq!(found[0].major_version().as_deref(), version, "{said}");
        }
        std::fs::remove_dir_all(dir).unwrap();
    }
}
