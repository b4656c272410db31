//! What can keep the server from running. Every message ends in the way out.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use thiserror::Error;

use super::binaries::{OLDEST_MAJOR, listed};
use crate::datadir::{DataDirError, shell_word};

/// Why the database server cannot be started.
#[derive(Debug, Error)]
pub(crate) enum ClusterError {
    #[error(transparent)]
    DataDir(#[from] DataDirError),

    #[error(
        "no PostgreSQL {OLDEST_MAJOR} or newer was found on this machine{}: install it with the \
         package manager (`apt-get install postgresql`, `dnf install postgresql-server` or `brew \
         install postgresql@17`), or set FRONTDESK_PG_BIN to the directory of its programs, or set \
         DATABASE_URL to use a server elsewhere",
        listed(passed_over)
    )]
    NoPostgres { passed_over: Vec<String> },

    #[error(
        "the database in {} was made by PostgreSQL {made_by}, which alone can read it, but {} was \
         found. Install PostgreSQL {made_by} beside it (`apt-get install postgresql-{made_by}` or \
         `brew install postgresql@{made_by}`), or set FRONTDESK_PG_BIN to the directory of its \
         programs. To move to another version: with PostgreSQL {made_by} run `frontdesk backup \
         FILE`, then with the other one `frontdesk restore FILE --data DIR`, where DIR is a new \
         data directory",
        pgdata.display(), only(found)
    )]
    OtherMajor { pgdata: PathBuf, made_by: u32, found: Vec<String> },

    #[error(
        "FRONTDESK_PG_BIN names {}, which cannot be used: {reason}. Set it to the directory that \
         holds `postgres` and `initdb` of PostgreSQL {OLDEST_MAJOR} or newer, or unset it to have \
         one searched for",
        dir.display()
    )]
    Configured { dir: PathBuf, reason: String },

    #[error(
        "{} holds files but no database (PG_VERSION is missing): put its backup back, or move the \
         directory away to start with an empty database",
        pgdata.display()
    )]
    NotACluster { pgdata: PathBuf },

    #[error(
        "PostgreSQL refuses to run as root, and /etc/passwd has neither a user `postgres` nor \
         `nobody`: add one with `useradd --system postgres`, or run this as an ordinary user"
    )]
    NoAccount,

    #[error(
        "PostgreSQL refuses to run as root, so it runs as the user `{account}`, who cannot get to \
         {} because {} is closed to other users: choose a place they can pass through (for data: \
         --data /var/lib/frontdesk), or open that directory with `chmod o+x {}`",
        wanted.display(), closed.display(), shell_word(closed)
    )]
    Closed { account: String, wanted: PathBuf, closed: PathBuf },

    #[error(
        "cannot run {}{}: {source}; check that it may be executed there",
        program.display(), as_user(account.as_ref())
    )]
    CannotRun { program: PathBuf, account: Option<String>, source: io::Error },

    #[error("the new database could not be made{}; initdb said:\n{said}", remedy(said))]
    InitFailed { said: String },

    #[error(
        "PostgreSQL ended before it was ready ({status}){}; the end of {}:\n{said}",
        remedy(said), log.display()
    )]
    StartFailed { status: ExitStatus, log: PathBuf, said: String },

    #[error(
        "processes of an earlier PostgreSQL server still work in {} (pid {}): if they are ending, \
         start again in a minute; a server that somebody started by hand must be stopped with \
         `kill -INT` first",
        pgdata.display(), pids(workers)
    )]
    StillAtWork { pgdata: PathBuf, workers: Vec<u32> },

    #[error(
        "no thread could be started to watch PostgreSQL: {0}; raise the limit of processes \
         (`ulimit -u`)"
    )]
    NoThread(#[source] io::Error),

    #[error("PostgreSQL was stopped while it started; start again")]
    Stopped,
}

fn as_user(account: Option<&String>) -> String {
    account.map_or_else(String::new, |name| format!(" as the user `{name}`"))
}

fn only(found: &[String]) -> String {
    if found.is_empty() { "no PostgreSQL".to_owned() } else { format!("only {}", found.join(", ")) }
}

fn pids(workers: &[u32]) -> String {
    workers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

/// What to do about the failures that PostgreSQL states without saying how to help it.
fn remedy(said: &str) -> &'static str {
    const REMEDIES: [(&str, &str); 8] = [
        ("Check free disk space", ": the disk is full, so free some space and start again"),
        ("No space left on device", ": the disk is full, so free some space and start again"),
        ("Disk quota exceeded", ": the disk quota is used up, so free some space and start again"),
        (
            "could not look up effective user ID",
            ": the user this runs as has no name on this machine, so give it an entry in \
             /etc/passwd or run this as a user that has one",
        ),
        ("Cannot allocate memory", ": memory is short, so give the machine or container more and start again"),
        ("Read-only file system", ": the data directory cannot be written, so name another one with --data"),
        (
            "has wrong ownership",
            ": the database belongs to another user, so run this as that user or give it the \
             directory with chown",
        ),
        (
            "could not locate a valid checkpoint record",
            ": the files were damaged, so put a backup back; a database made in the last moments \
             before a power cut holds nothing yet and can be moved away",
        ),
    ];
    REMEDIES.iter().find(|(sign, _)| said.contains(sign)).map_or("", |(_, remedy)| remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_named_before_the_log() {
        let said = "FATAL:  could not write to file \"pg_wal/xlogtemp.29\": No space left on device".to_owned();
        let error = ClusterError::InitFailed { said }.to_string();
        assert!(error.starts_with("the new database could not be made: the disk is full, so free"), "{error}");
        assert!(error.ends_with("No space left on device"), "{error}");
    }

    #[test]
    fn another_version_is_named_with_what_was_found_and_both_ways_out() {
        let found = vec!["/usr/lib/postgresql/17/bin (PostgreSQL 17)".to_owned()];
        let error = ClusterError::OtherMajor { pgdata: "/data/postgres/pgdata".into(), made_by: 15, found }.to_string();
        for part in [
            "/data/postgres/pgdata was made by PostgreSQL 15",
            "only /usr/lib/postgresql/17/bin (PostgreSQL 17) was found",
            "apt-get install postgresql-15",
            "FRONTDESK_PG_BIN",
            "frontdesk backup FILE",
            "frontdesk restore FILE --data DIR",
        ] {
            assert!(error.contains(part), "{part} is missing in {error}");
        }
    }

    #[test]
    fn nothing_found_names_three_ways_out() {
        let error =
            ClusterError::NoPostgres { passed_over: vec!["/opt/pg/bin (PostgreSQL 14)".to_owned()] }.to_string();
        for way in ["apt-get install postgresql", "FRONTDESK_PG_BIN", "DATABASE_URL", "/opt/pg/bin (PostgreSQL 14)"] {
            assert!(error.contains(way), "{error}");
        }
    }
}
