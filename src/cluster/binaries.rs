//! Which PostgreSQL programs to use: the configured ones, else the first fitting ones where systems
//! put them.

use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use super::account::{Account, explain};
use super::error::ClusterError;
use super::places::Places;
use super::process;

/// The oldest version whose features the schema needs.
pub(super) const OLDEST_MAJOR: u32 = 15;

/// After the data directory's own and the PATH. A star stands for any version, the highest first.
const PATTERNS: [&str; 13] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/lib64/postgresql*/bin",
    "/usr/lib/postgresql*/bin",
    "/usr/libexec/postgresql*",
    "/usr/libexec/postgresql*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/Library/PostgreSQL/*/bin",
    "/opt/PostgreSQL/*/bin",
    "/usr/local/pgsql*/bin",
];

/// PostgreSQL's programs in one directory, all of one version.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    dir: PathBuf,
    pub(super) major: u32,
}

impl Programs {
    pub(super) fn postgres(&self) -> PathBuf {
        self.dir.join("postgres")
    }

    pub(super) fn initdb(&self) -> PathBuf {
        self.dir.join("initdb")
    }
}

/// The programs for a database of the `existing` version, or for a new one.
pub(super) fn find(
    configured: Option<&Path>,
    data: &Path,
    places: &Places,
    existing: Option<u32>,
    account: Option<&Account>,
) -> Result<Programs, ClusterError> {
    let other_major = |made_by, found| ClusterError::OtherMajor { pgdata: places.pgdata(), made_by, found };
    if let Some(dir) = configured {
        let programs = look(dir, account)
            .map_err(|reason| ClusterError::Configured { dir: dir.to_path_buf(), reason: reason.to_string() })?;
        return match existing {
            Some(made_by) if made_by != programs.major => Err(other_major(made_by, vec![described(&programs)])),
            _ => Ok(programs),
        };
    }
    let mut passed_over = Vec::new();
    for dir in candidates(data) {
        match look(&dir, account) {
            Ok(programs) if existing.is_none_or(|made_by| made_by == programs.major) => {
                return Ok(programs);
            }
            Ok(programs) => passed_over.push(described(&programs)),
            Err(reason) => passed_over.push(format!("{}: {reason}", dir.display())),
        }
    }
    match existing {
        Some(made_by) => Err(other_major(made_by, passed_over)),
        None => Err(ClusterError::NoPostgres { passed_over }),
    }
}

/// For the end of a sentence.
pub(super) fn listed(passed_over: &[String]) -> String {
    if passed_over.is_empty() { String::new() } else { format!(" (passed over: {})", passed_over.join("; ")) }
}

fn described(programs: &Programs) -> String {
    format!("{} (PostgreSQL {})", programs.dir.display(), programs.major)
}

/// Why a directory's programs do not do.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error("it has no program `{0}`")]
    Missing(&'static str),
    #[error("its version cannot be read from `{0}`")]
    NoVersion(String),
    #[error("it is PostgreSQL {0}, older than {OLDEST_MAJOR}")]
    TooOld(u32),
    #[error("{0}")]
    CannotRun(ClusterError),
}

/// Asked as the account, so that programs it cannot reach are not chosen.
fn look(dir: &Path, account: Option<&Account>) -> Result<Programs, Unfit> {
    for program in ["postgres", "initdb"] {
        if !dir.join(program).is_file() {
            return Err(Unfit::Missing(program));
        }
    }
    let postgres = dir.join("postgres");
    let everywhere = Path::new("/");
    let answer = process::command(&postgres, everywhere, account, Signal::TERM)
        .arg("-V")
        .output()
        .map_err(|error| Unfit::CannotRun(explain(error, &postgres, everywhere, account)))?;
    let answer = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    match major(&answer) {
        None => Err(Unfit::NoVersion(answer)),
        Some(old) if old < OLDEST_MAJOR => Err(Unfit::TooOld(old)),
        Some(major) => Ok(Programs { dir: dir.to_path_buf(), major }),
    }
}

/// From `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` or `postgres (PostgreSQL) 18beta1`.
fn major(answer: &str) -> Option<u32> {
    let version = answer.split_once(')')?.1.trim_start();
    leading_number(version)
}

fn leading_number(text: &str) -> Option<u32> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).map_or(text, |end| &text[..end]);
    digits.parse().ok()
}

/// The directories that have a `postgres`, each once although several paths may lead there.
#[expect(clippy::disallowed_methods, reason = "the search path is the machine's, no setting of ours")]
fn candidates(data: &Path) -> Vec<PathBuf> {
    let own = matching(&data.join("pg-*/bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path: Vec<PathBuf> = std::env::split_paths(&path).filter(|dir| dir.is_absolute()).collect();
    let usual = PATTERNS.iter().flat_map(|pattern| matching(Path::new(pattern)));
    let mut seen = Vec::new();
    own.into_iter()
        .chain(path)
        .chain(usual)
        .filter(|dir| {
            let Ok(real) = dir.join("postgres").canonicalize() else {
                return false;
            };
            let new = !seen.contains(&real);
            seen.push(real);
            new
        })
        .collect()
}

/// The directories that a path with one star in one of its parts stands for, the highest version
/// first.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    let parts: Vec<_> = pattern.components().collect();
    let starred = parts.iter().position(|part| part.as_os_str().to_string_lossy().contains('*'));
    let Some(starred) = starred else {
        return Vec::new();
    };
    let parent: PathBuf = parts[..starred].iter().collect();
    let rest: PathBuf = parts[starred + 1..].iter().collect();
    let part = parts[starred].as_os_str().to_string_lossy();
    let (before, after) = part.split_once('*').unwrap_or((&part, ""));
    let mut found: Vec<(Vec<u32>, PathBuf)> = fs::read_dir(&parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = name.to_str()?.strip_prefix(before)?.strip_suffix(after)?;
            Some((numbers(version), parent.join(&name).join(&rest)))
        })
        .collect();
    found.sort_by_key(|(version, _)| Reverse(version.clone()));
    found.into_iter().map(|(_, dir)| dir).collect()
}

/// So that 9.6 comes before 15.
fn numbers(version: &str) -> Vec<u32> {
    version.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_what_postgres_says() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major("postgres (PostgreSQL) 17devel"), Some(17));
        assert_eq!(major("postgres (PostgreSQL) 9.6.24"), Some(9));
        assert_eq!(major("postgres (PostgreSQL)"), None);
        assert_eq!(major("command not found"), None);
    }

    #[test]
    fn the_highest_version_comes_first() {
        let top = std::env::temp_dir().join(format!("frontdesk-binaries-{}", std::process::id()));
        for name in ["postgresql@9.6", "postgresql@15", "postgresql@17", "postgresql", "mysql@99"] {
            fs::create_dir_all(top.join(name).join("bin")).unwrap();
        }
        let found = matching(&top.join("postgresql@*/bin"));
        let expected = ["postgresql@17/bin", "postgresql@15/bin", "postgresql@9.6/bin"];
        assert_eq!(found, expected.map(|dir| top.join(dir)));
        assert_eq!(matching(&top.join("absent/pg-*/bin")), Vec::<PathBuf>::new());
        fs::remove_dir_all(top).unwrap();
    }

    #[test]
    fn a_directory_without_the_programs_says_so() {
        let reason = look(Path::new("/nonexistent"), None).unwrap_err().to_string();
        assert_eq!(reason, "it has no program `postgres`");
    }
}
