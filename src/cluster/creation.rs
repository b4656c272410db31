//! Making a new, empty database cluster, in a way that an interruption at any moment is made good
//! by the next start.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Child, Stdio};

use rustix::process::Signal;

use super::OWNER;
use super::account::{Account, explain};
use super::binaries::Programs;
use super::error::ClusterError;
use super::log::last_lines;
use super::places::Places;
use super::process;
use crate::datadir::{DataDirError, sync_parent};

/// The first version with a collation of its own, which no update of the C library can change under
/// an index.
const BUILTIN_LOCALE_SINCE: u32 = 17;

/// The version that made the database, if there is one.
pub(super) fn existing_major(places: &Places) -> Result<Option<u32>, ClusterError> {
    let pgdata = places.pgdata();
    let path = pgdata.join("PG_VERSION");
    match fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().map(Some).map_err(|_| ClusterError::NotACluster { pgdata }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let holds_files = fs::read_dir(&pgdata).is_ok_and(|mut entries| entries.next().is_some());
            if holds_files { Err(ClusterError::NotACluster { pgdata }) } else { Ok(None) }
        }
        Err(error) => Err(DataDirError::io("read", &path)(error).into()),
    }
}

/// Makes the cluster, complete before it gets its name.
pub(super) fn create(places: &Places, programs: &Programs, account: Option<&Account>) -> Result<(), ClusterError> {
    let made = initdb(places, programs, account, Locale::best(programs.major));
    match made {
        // macOS before 14 and some small systems have no C.UTF-8; this one sorts the same way.
        Err(ClusterError::InitFailed { said }) if said.contains("locale") => {
            initdb(places, programs, account, Locale::Plain)?;
        }
        made => made?,
    }
    let note = places.unsynced();
    File::create(&note).and_then(|file| file.sync_all()).map_err(DataDirError::io("create", &note))?;
    let pgdata = places.pgdata();
    fs::rename(places.draft(), &pgdata).map_err(DataDirError::io("create", &pgdata))?;
    sync_parent(&pgdata)?;
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Locale {
    Builtin,
    System,
    Plain,
}

impl Locale {
    fn best(major: u32) -> Self {
        if major >= BUILTIN_LOCALE_SINCE { Self::Builtin } else { Self::System }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Builtin => &["--locale-provider=builtin", "--builtin-locale=C.UTF-8"],
            Self::System => &["--locale=C.UTF-8"],
            Self::Plain => &["--locale=C"],
        }
    }
}

/// Without waiting for the disk, which `Settling` does while the server starts.
fn initdb(places: &Places, programs: &Programs, account: Option<&Account>, locale: Locale) -> Result<(), ClusterError> {
    remove_draft(&places.draft())?;
    let initdb = programs.initdb();
    let answer = process::command(&initdb, places.root(), account, Signal::TERM)
        .args(["-U", OWNER, "-A", "trust", "-E", "UTF8", "--data-checksums", "--no-instructions", "-N"])
        .args(locale.arguments())
        .arg("-D")
        .arg(places.draft())
        .output()
        .map_err(|error| explain(error, &initdb, places.root(), account))?;
    if answer.status.success() {
        return Ok(());
    }
    let said = [answer.stdout, answer.stderr].concat();
    Err(ClusterError::InitFailed { said: last_lines(&String::from_utf8_lossy(&said)) })
}

fn remove_draft(draft: &Path) -> Result<(), DataDirError> {
    match fs::remove_dir_all(draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(DataDirError::io("remove", draft)(error)),
        _ => Ok(()),
    }
}

/// The writing of a new cluster to disk, beside the server's first start.
///
/// It saves more than a second. Until it is done a note lies beside the cluster, so that a start
/// after an interruption does it again.
#[derive(Debug)]
pub(super) struct Settling {
    writer: Child,
}

impl Settling {
    /// Begins, if the cluster has not been written to disk yet.
    pub(super) fn begin(
        places: &Places,
        programs: &Programs,
        account: Option<&Account>,
    ) -> Result<Option<Self>, ClusterError> {
        if !places.unsynced().exists() {
            return Ok(None);
        }
        let initdb = programs.initdb();
        let writer = process::command(&initdb, places.root(), account, Signal::TERM)
            .arg("--sync-only")
            .arg("-D")
            .arg(places.pgdata())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| explain(error, &initdb, places.root(), account))?;
        Ok(Some(Self { writer }))
    }

    /// Whether it is over; if it succeeded, the note is gone.
    pub(super) fn is_over(&mut self, places: &Places) -> bool {
        match self.writer.try_wait() {
            Ok(None) => return false,
            Ok(Some(status)) if status.success() => {
                let note = places.unsynced();
                if let Err(error) = fs::remove_file(&note).map_err(DataDirError::io("remove", &note)) {
                    tracing::warn!(
                        %error,
                        "the next start will write the database to disk once more"
                    );
                }
            }
            Ok(Some(status)) => {
                tracing::warn!(
                    %status,
                    "could not write the new database to disk; the next start tries again"
                );
            }
            Err(error) => {
                tracing::warn!(%error, "lost sight of the writing of the new database to disk");
            }
        }
        true
    }

    /// Ends it before it is done.
    pub(super) fn abandon(mut self) {
        process::send(self.writer.id(), Signal::TERM);
        let _ = self.writer.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_with_a_collation_of_its_own_uses_it() {
        assert_eq!(Locale::best(15), Locale::System);
        assert_eq!(Locale::best(18), Locale::Builtin);
    }
}
