//! What a killed server leaves behind: its last processes, and files that make PostgreSQL believe
//! it still runs.
//!
//! PostgreSQL trusts a process id in its lock file as long as any process has it, be it a zombie
//! or, as is normal in containers, a stranger. We hold a lock that tells the truth, so we may look
//! closer.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::error::ClusterError;
use super::places::Places;
use super::process;
use super::supervisor::StopRequest;
use crate::datadir::DataDirError;

const POLL: Duration = Duration::from_millis(20);
/// How long the processes of a dead server may go on with what they were doing.
const POLITE: Duration = Duration::from_secs(5);
const FIRM: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_mins(1);

/// What a server says about itself in `postmaster.pid`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PidFile {
    pub(super) pid: u32,
    pub(super) sockets: Option<PathBuf>,
    pub(super) ready: bool,
    stopping: bool,
}

impl PidFile {
    /// None while there is no such file, or only its beginning.
    pub(super) fn read(path: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(path).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let pid = lines.first()?.parse().ok()?;
        let sockets = lines.get(4).filter(|dir| !dir.is_empty()).map(PathBuf::from);
        let state = lines.get(7).copied().unwrap_or_default();
        Some(Self { pid, sockets, ready: state == "ready", stopping: state == "stopping" })
    }
}

/// Waits until no process of an earlier server is left, then removes what would keep the next one
/// from starting.
///
/// Only for the holder of the data directory's lock.
pub(super) fn clear(places: &Places, stop: &StopRequest) -> Result<(), ClusterError> {
    let leftovers = [places.pid_file(), places.socket(), places.socket_lock()];
    let traces = leftovers.iter().any(|path| path.symlink_metadata().is_ok()) || places.draft().exists();
    if !traces {
        return Ok(());
    }
    wait_for_the_last(places, stop)?;
    for path in leftovers {
        match fs::remove_file(&path) {
            Ok(()) => {
                tracing::info!(
                    path = %path.display(),
                    "removed what a killed PostgreSQL server left behind"
                );
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(DataDirError::io("remove", &path)(error).into()),
        }
    }
    Ok(())
}

fn wait_for_the_last(places: &Places, stop: &StopRequest) -> Result<(), ClusterError> {
    let begun = Instant::now();
    let mut pressed = None;
    loop {
        let workers = workers(places.root());
        if workers.is_empty() {
            return Ok(());
        }
        let main = PidFile::read(&places.pid_file()).filter(|main| workers.contains(&main.pid));
        let waited = begun.elapsed();
        if waited > PATIENCE || waited > POLITE && main.as_ref().is_some_and(|main| !main.stopping) {
            return Err(ClusterError::StillAtWork { pgdata: places.pgdata(), workers });
        }
        let pressure = pressure(main.as_ref(), waited);
        if pressure != pressed {
            tracing::warn!(
                ?workers, signal = ?pressure,
                "an earlier PostgreSQL server has not quite ended"
            );
            press(main.map_or(workers, |main| vec![main.pid]), pressure);
            pressed = pressure;
        }
        if stop.made_within(POLL) {
            return Err(ClusterError::Stopped);
        }
    }
}

/// What to send to the processes after having waited that long.
///
/// A server that still has its main process gets nothing: it is stopping, or somebody started it by
/// hand. Those without one serve nobody any more; they only finish what they were doing.
fn pressure(main: Option<&PidFile>, waited: Duration) -> Option<Signal> {
    match main {
        Some(main) => is_orphaned(main.pid).then_some(Signal::INT),
        None if waited > FIRM => Some(Signal::QUIT),
        None if waited > POLITE => Some(Signal::TERM),
        None => None,
    }
}

fn press(pids: Vec<u32>, pressure: Option<Signal>) {
    if let Some(signal) = pressure {
        for pid in pids {
            process::send(pid, signal);
        }
    }
}

/// On Linux the kernel has already told the server to stop when its parent was killed.
#[cfg(target_os = "linux")]
fn is_orphaned(_main: u32) -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
fn is_orphaned(main: u32) -> bool {
    let parent = std::process::Command::new("ps").args(["-o", "ppid=", "-p", &main.to_string()]).output();
    parent.is_ok_and(|answer| answer.stdout.trim_ascii() == b"1")
}

/// The PostgreSQL processes that work somewhere below `root`, where their working directory is.
///
/// A zombie has none, and an administrator's shell that stands there is not one of them.
#[cfg(target_os = "linux")]
fn workers(root: &Path) -> Vec<u32> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let place = fs::read_link(entry.path().join("cwd")).ok()?;
            let program = fs::read_link(entry.path().join("exe")).unwrap_or_default();
            (place.starts_with(root) && is_ours(&program)).then_some(pid)
        })
        .collect()
}

/// A program whose name cannot be read counts, to be on the safe side.
#[cfg(target_os = "linux")]
fn is_ours(program: &Path) -> bool {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    // The kernel adds this when a package update has replaced the file.
    matches!(name.trim_end_matches(" (deleted)"), "postgres" | "initdb" | "")
}

#[cfg(not(target_os = "linux"))]
fn workers(root: &Path) -> Vec<u32> {
    let listing =
        std::process::Command::new("lsof").args(["-a", "-c", "/^(postgres|initdb)$/", "-d", "cwd", "-Fpn"]).output();
    match listing {
        Ok(listing) => listed_workers(&String::from_utf8_lossy(&listing.stdout), root),
        Err(error) => {
            tracing::warn!(
                %error,
                "lsof cannot be run to look for the processes of an earlier PostgreSQL server"
            );
            Vec::new()
        }
    }
}

/// From lines like `p123`, a process, and `n/path`, a directory of it.
#[cfg(any(test, not(target_os = "linux")))]
fn listed_workers(listing: &str, root: &Path) -> Vec<u32> {
    let mut current = None;
    let mut found = Vec::new();
    for line in listing.lines() {
        if let Some(pid) = line.strip_prefix('p') {
            current = pid.parse().ok();
        } else if let (Some(place), Some(pid)) = (line.strip_prefix('n'), current)
            && Path::new(place).starts_with(root)
        {
            found.push(pid);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const PID_FILE: &str =
        "4242\n/data/postgres/pgdata\n1900000000\n5432\n/data/postgres\n\n  123456    789\nready   \n";

    #[test]
    fn a_ready_server_says_where_it_listens() {
        let expected =
            PidFile { pid: 4242, sockets: Some(PathBuf::from("/data/postgres")), ready: true, stopping: false };
        assert_eq!(PidFile::parse(PID_FILE), Some(expected));
    }

    #[test]
    fn a_starting_or_stopping_server_is_not_ready() {
        let file = PidFile::parse(&PID_FILE.replace("ready", "stopping")).unwrap();
        assert!(file.stopping && !file.ready);
        let file = PidFile::parse(&PID_FILE.replace("ready   ", "starting")).unwrap();
        assert!(!file.ready);
        let half: String = PID_FILE.lines().take(2).collect::<Vec<_>>().join("\n");
        assert_eq!(PidFile::parse(&half), Some(PidFile { pid: 4242, sockets: None, ready: false, stopping: false }));
        assert_eq!(PidFile::parse(""), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn processes_without_a_server_are_asked_more_firmly_with_time() {
        let after = |seconds| pressure(None, Duration::from_secs(seconds));
        assert_eq!([after(1), after(6), after(21)], [None, Some(Signal::TERM), Some(Signal::QUIT)]);
        assert_eq!(pressure(PidFile::parse(PID_FILE).as_ref(), Duration::from_secs(21)), None);
    }

    #[test]
    fn a_listing_gives_the_processes_below_the_directory() {
        let listing =
            "p10\nfcwd\nn/data/postgres/pgdata\np11\nfcwd\nn/data/postgres2/pgdata\np12\nfcwd\nn/data/postgres\n";
        assert_eq!(listed_workers(listing, Path::new("/data/postgres")), [10, 12]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_shell_in_the_directory_is_no_worker() {
        assert!(is_ours(Path::new("/usr/lib/postgresql/15/bin/postgres (deleted)")));
        assert!(!is_ours(Path::new("/usr/bin/bash")));
        let here = std::env::current_dir().unwrap();
        assert!(!workers(&here).contains(&std::process::id()));
    }
}
