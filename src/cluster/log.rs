//! What the server prints, kept in a file; its end is the best explanation of a failed start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::datadir::DataDirError;

const TAIL_LINES: usize = 12;
const TAIL_BYTES: u64 = 8 * 1024;
/// A log may not fill the disk the database lives on.
const LARGEST: u64 = 64 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    file: File,
    /// Where the part about the latest start begins.
    mark: u64,
}

impl Log {
    /// Begins a new log and keeps one old one.
    pub(super) fn open(path: &Path) -> Result<Self, DataDirError> {
        match fs::rename(path, former(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(DataDirError::io("rename", path)(error));
            }
            _ => {}
        }
        let file = create(path).map_err(DataDirError::io("create", path))?;
        Ok(Self { path: path.to_path_buf(), file, mark: 0 })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// For a program to write to. What `tail` gives begins here.
    pub(super) fn outlet(&mut self) -> io::Result<(Stdio, Stdio)> {
        self.mark = self.file.metadata()?.len();
        Ok((self.file.try_clone()?.into(), self.file.try_clone()?.into()))
    }

    /// The last lines since the latest start.
    pub(super) fn tail(&self) -> String {
        let end = self.file.metadata().map_or(0, |about| about.len());
        let begin = self.mark.max(end.saturating_sub(TAIL_BYTES));
        let mut bytes = vec![0; usize::try_from(end.saturating_sub(begin)).unwrap_or(0)];
        match self.file.read_exact_at(&mut bytes, begin) {
            Ok(()) => last_lines(&String::from_utf8_lossy(&bytes)),
            Err(error) => format!("(the log cannot be read: {error})"),
        }
    }

    /// Moves the content of a log that has grown too large into the old one.
    ///
    /// Copied rather than renamed, because the server keeps writing into the file it was given.
    pub(super) fn trim(&mut self) -> io::Result<()> {
        if self.file.metadata()?.len() <= LARGEST {
            return Ok(());
        }
        let old = former(&self.path);
        match fs::remove_file(&old) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.file.seek(SeekFrom::Start(0))?;
        io::copy(&mut self.file, &mut create(&old)?)?;
        self.mark = 0;
        self.file.set_len(0)
    }
}

/// The last lines of what a program printed.
pub(super) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// Never follows a link: as root we write here in a directory that belongs to a less trusted user.
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create_new(true).mode(0o600).open(path)
}

fn former(path: &Path) -> PathBuf {
    path.with_extension("log.1")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_tail_is_about_the_latest_start_only() {
        let dir = std::env::temp_dir().join(format!("frontdesk-log-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("postgres.log");
        let mut log = Log::open(&path).unwrap();
        log.file.write_all(b"an earlier start\n").unwrap();
        log.outlet().unwrap();
        assert_eq!(log.tail(), "");
        log.file.write_all(b"one\n\ntwo\n").unwrap();
        assert_eq!(log.tail(), "one\ntwo");

        let log = Log::open(&path).unwrap();
        assert_eq!(log.tail(), "");
        assert!(fs::read_to_string(former(&path)).unwrap().starts_with("an earlier start"));
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn only_the_last_lines_are_shown() {
        let text = (1..=40).map(|line| format!("line {line}")).collect::<Vec<_>>().join("\n");
        let shown = last_lines(&text);
        assert!(shown.starts_with("line 29\n") && shown.ends_with("line 40"), "{shown}");
    }
}
