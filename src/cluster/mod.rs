//! The PostgreSQL server of our own: found, made, started, watched and stopped without anybody's
//! help.
//!
//! It never outlives us: the kernel interrupts it when the thread that started it ends, even by
//! `kill -9`. So that thread lives as long as the server does; a borrowed one that goes away when
//! idle would take it along.

mod account;
mod binaries;
mod creation;
mod error;
mod log;
mod places;
mod process;
mod server;
mod stale;
mod supervisor;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

pub(crate) use self::error::ClusterError;
use self::places::{Places, SOCKET};
use self::stale::PidFile;
use self::supervisor::{StopRequest, Supervisor};
use crate::datadir::{DataDir, DataDirError, Lock};

/// The cluster's superuser, who owns the schema and runs the migrations.
pub(crate) const OWNER: &str = "frontdesk_owner";
/// Never on a network: it only names the socket.
pub(crate) const PORT: u16 = 5432;

/// A running server, which is stopped when this is dropped.
///
/// A server that dies by itself is started again, however often that takes; connections made
/// meanwhile fail.
#[derive(Debug)]
pub(crate) struct Cluster {
    sockets: PathBuf,
    stop: StopRequest,
    thread: Option<JoinHandle<()>>,
}

impl Cluster {
    /// Starts the server of this data directory, made first if there is none, and returns when it
    /// takes connections.
    ///
    /// Blocks for tens of milliseconds, for a second when the database is new, and after a crash
    /// for as long as recovery takes. `pg_bin` names the directory of PostgreSQL's programs instead
    /// of a search. The cluster keeps a share of the lock.
    pub(crate) fn start(data: &DataDir, lock: &Lock, pg_bin: Option<&Path>) -> Result<Self, ClusterError> {
        let account = account::to_become()?;
        let places = Places::prepare(data, account.as_ref())?;
        let existing = creation::existing_major(&places)?;
        let programs = binaries::find(pg_bin, data.path(), &places, existing, account.as_ref())?;
        let shared_lock = lock.share().map_err(DataDirError::io("lock", data.path()))?;

        let sockets = places.sockets().to_path_buf();
        let stop = StopRequest::default();
        let mut supervisor = Supervisor::new(places, programs, account, stop.clone())?;
        let (report, first_start) = mpsc::sync_channel(1);
        let thread = thread::Builder::new()
            .name("postgres".to_owned())
            .spawn(move || {
                supervisor.run(&report);
                drop(shared_lock);
            })
            .map_err(ClusterError::NoThread)?;
        let cluster = Self { sockets, stop, thread: Some(thread) };
        // A thread that reports nothing has panicked, which its own message explains.
        first_start.recv().unwrap_or(Err(ClusterError::Stopped))?;
        Ok(cluster)
    }

    /// Whether a cluster was ever made in this data directory.
    pub(crate) fn is_there(data: &DataDir) -> bool {
        data.postgres_dir().join(places::PGDATA).exists()
    }

    /// The directory to connect in, as `OWNER` and at `PORT`, without a password.
    pub(crate) fn socket_dir(&self) -> &Path {
        &self.sockets
    }

    /// Ends every session, writes everything to disk, and returns when that is done.
    pub(crate) fn stop(self) {
        drop(self);
    }

    /// The socket directory of the cluster that another process runs in this data directory, once
    /// it takes connections: for commands that join it.
    pub(crate) fn running_socket(data: &DataDir) -> Option<PathBuf> {
        data.holder()?;
        let pgdata = data.postgres_dir().join(places::PGDATA);
        let server = PidFile::read(&pgdata.join(places::PID_FILE))?;
        let sockets = server.sockets.filter(|_| server.ready)?;
        // One with a short path stands where anybody could have made it.
        let theirs = fs::symlink_metadata(&sockets).ok()?.uid() == fs::metadata(&pgdata).ok()?.uid();
        (theirs && UnixStream::connect(sockets.join(SOCKET)).is_ok()).then_some(sockets)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop.make();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that watched PostgreSQL had panicked; the kernel has stopped the server");
        }
    }
}
