//! Where the parts of the cluster stand, all in one directory that belongs to the user the server
//! runs as.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use super::account::Account;
use super::error::ClusterError;
use crate::datadir::{DataDir, DataDirError, make_private_dir, socket_fits};

pub(super) const PGDATA: &str = "pgdata";
pub(super) const PID_FILE: &str = "postmaster.pid";
pub(super) const SOCKET: &str = ".s.PGSQL.5432";

#[derive(Debug, Clone)]
pub(super) struct Places {
    root: PathBuf,
    sockets: PathBuf,
}

impl Places {
    /// Makes the directories, and gives them to the account the server will run as.
    pub(super) fn prepare(data: &DataDir, account: Option<&Account>) -> Result<Self, ClusterError> {
        if account.is_some() {
            data.let_others_pass()?;
        }
        let root = data.postgres_dir();
        // An image or a package may have given the account another number since the last start.
        let former = account.and_then(|_| fs::symlink_metadata(&root).ok()).map(|about| about.uid());
        make_own(&root, account, former)?;
        if socket_fits(&root, SOCKET) {
            return Ok(Self { sockets: root.clone(), root });
        }
        let sockets = data.stand_in("postgres")?;
        make_own(&sockets, account, None)?;
        Ok(Self { root, sockets })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn sockets(&self) -> &Path {
        &self.sockets
    }

    pub(super) fn pgdata(&self) -> PathBuf {
        self.root.join(PGDATA)
    }

    /// Where a new cluster is made, so that one whose making was interrupted never looks like a
    /// cluster.
    pub(super) fn draft(&self) -> PathBuf {
        self.root.join("pgdata.init")
    }

    /// Exists while the files of a new cluster may still be in memory only.
    pub(super) fn unsynced(&self) -> PathBuf {
        self.root.join("pgdata.unsynced")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.root.join("postgres.log")
    }

    pub(super) fn pid_file(&self) -> PathBuf {
        self.pgdata().join(PID_FILE)
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.sockets.join(SOCKET)
    }

    pub(super) fn socket_lock(&self) -> PathBuf {
        self.sockets.join(format!("{SOCKET}.lock"))
    }
}

/// A private directory for the account. One that somebody else made is refused: its owner could
/// pose as the database. `also` names a further owner it may have had before.
fn make_own(path: &Path, account: Option<&Account>, also: Option<u32>) -> Result<(), DataDirError> {
    make_private_dir(path)?;
    let about = fs::symlink_metadata(path).map_err(DataDirError::io("open", path))?;
    let ours = rustix::process::geteuid().as_raw();
    let expected = account.map_or(ours, |account| account.uid);
    let owned = [Some(ours), Some(expected), also].contains(&Some(about.uid()));
    if !(about.is_dir() && owned) {
        return Err(DataDirError::Foreign { path: path.to_path_buf(), owner: about.uid(), expected });
    }
    if about.mode() & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(0o700))
            .map_err(DataDirError::io("change the permissions of", path))?;
    }
    if let Some(account) = account {
        lchown(path, Some(account.uid), Some(account.gid)).map_err(DataDirError::io("change the owner of", path))?;
    }
    Ok(())
}
