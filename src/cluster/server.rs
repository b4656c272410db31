//! One run of the server's main process, from its start to its end.

use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::PORT;
use super::account::{Account, explain};
use super::binaries::Programs;
use super::error::ClusterError;
use super::log::Log;
use super::places::Places;
use super::process;
use super::stale::PidFile;
use super::supervisor::StopRequest;
use crate::datadir::DataDirError;

const POLL: Duration = Duration::from_millis(5);
const NEWS_EVERY: Duration = Duration::from_secs(10);
const GENTLE: Duration = Duration::from_secs(20);
const QUICK: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(super) struct Server {
    child: Child,
}

impl Server {
    /// The calling thread must live as long as the server.
    pub(super) fn spawn(
        places: &Places,
        programs: &Programs,
        account: Option<&Account>,
        log: &mut Log,
    ) -> Result<Self, ClusterError> {
        let (out, err) = log.outlet().map_err(DataDirError::io("write", log.path()))?;
        let postgres = programs.postgres();
        let child = arguments(process::command(&postgres, places.root(), account, Signal::INT), places)
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(|error| explain(error, &postgres, places.root(), account))?;
        Ok(Self { child })
    }

    /// Waits as long as the server lives, because recovery after a crash takes the time it takes;
    /// to end it would mean to begin again.
    pub(super) fn until_ready(&mut self, places: &Places, log: &Log, stop: &StopRequest) -> Result<(), ClusterError> {
        let mut begun = Instant::now();
        loop {
            let said = PidFile::read(&places.pid_file());
            if said.is_some_and(|file| file.ready && file.pid == self.child.id()) {
                return Ok(());
            }
            if let Some(status) = self.ended() {
                let said = log.tail() + &shortage(places.root());
                return Err(ClusterError::StartFailed { status, log: log.path().to_path_buf(), said });
            }
            if stop.made_within(POLL) {
                return Err(ClusterError::Stopped);
            }
            if begun.elapsed() > NEWS_EVERY {
                begun = Instant::now();
                tracing::warn!(
                    log = %log.path().display(),
                    "PostgreSQL is still starting: {}",
                    log.tail()
                );
            }
        }
    }

    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap_or_else(|error| {
            tracing::error!(%error, "lost sight of the PostgreSQL server");
            None
        })
    }

    /// Ends every session and writes everything to disk. Never kills: that would leave processes
    /// behind and recovery to the next start.
    pub(super) fn stop(mut self) {
        process::send(self.child.id(), Signal::INT);
        if self.ends_within(GENTLE) {
            return;
        }
        tracing::warn!("PostgreSQL takes too long to stop; telling it to leave the rest to its next start");
        process::send(self.child.id(), Signal::QUIT);
        if !self.ends_within(QUICK) {
            tracing::error!(pid = self.child.id(), "PostgreSQL does not stop; its disk may be failing");
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the thread watches one server and has nothing else to do")]
    fn ends_within(&mut self, patience: Duration) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            if self.ended().is_some() {
                return true;
            }
            std::thread::sleep(POLL);
        }
        false
    }
}

/// What makes a promise durable (fsync, full pages, synchronous commits) stays as PostgreSQL has
/// it: on.
fn arguments(mut command: Command, places: &Places) -> Command {
    command
        .arg("-D")
        .arg(places.pgdata())
        .args(["-c", "listen_addresses="])
        .arg("-c")
        .arg(socket_setting(&places.sockets().display().to_string()))
        .args(["-c", "unix_socket_permissions=0700"])
        .args(["-c", &format!("port={PORT}")])
        .args(["-c", "max_connections=60"])
        .args(["-c", "shared_buffers=128MB"])
        .args(["-c", "logging_collector=off"])
        // A refused row would stand in the log with all its values: names, numbers, notes.
        .args(["-c", "log_error_verbosity=terse"])
        .args(["-c", "timezone=UTC"]);
    command
}

/// On a full disk PostgreSQL cannot even write into its log why it ended.
fn shortage(dir: &Path) -> String {
    const LITTLE: u64 = 32 * 1024 * 1024;
    match rustix::fs::statvfs(dir).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)) {
        Ok(free) if free < LITTLE => {
            format!("\n(No space left on device, or little: {} kB where {} is)", free / 1024, dir.display())
        }
        _ => String::new(),
    }
}

/// The setting is a list; the quotes keep a comma in the path from ending an element.
fn socket_setting(dir: &str) -> String {
    format!("unix_socket_directories=\"{}\"", dir.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_in_the_path_is_part_of_the_path() {
        assert_eq!(socket_setting("/a, \"b\""), "unix_socket_directories=\"/a, \"\"b\"\"\"");
    }
}
