//! The directory in which everything of one installation lives, and the lock that says who may work
//! in it.
//!
//! Whoever holds the lock owns the database server and the sockets; every other process joins it or
//! is refused.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use thiserror::Error;

/// The longest path a unix socket can have: what `sockaddr_un` holds, less the closing zero.
pub(crate) const LONGEST_SOCKET_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

const OWNER_ONLY: u32 = 0o700;
const OWNER_READS: u32 = 0o600;
const OTHERS_PASS: u32 = 0o011;
const EVERYBODY_WRITES: u32 = 0o002;

/// Why the data directory, or something in it, cannot be used.
#[derive(Debug, Error)]
pub(crate) enum DataDirError {
    #[error("cannot {doing} {}: {source}{}", path.display(), way_out(source))]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error(
        "{} is not a directory: name another place with --data or FRONTDESK_DATA",
        path.display()
    )]
    NotADirectory { path: PathBuf },
    #[error(
        "everybody on this machine may write in {0}: name a directory of its own, such as \
         {0}/frontdesk, or close this one with `chmod o-w {0}`",
        shell_word(path)
    )]
    OpenToEverybody { path: PathBuf },
    #[error(
        "{} belongs to user {owner} instead of user {expected}: run this as the user it belongs \
         to, or have root give it over with `chown -R {expected} {}`",
        path.display(), shell_word(path)
    )]
    Foreign { path: PathBuf, owner: u32, expected: u32 },
    #[error(
        "{} is not a key of 64 hexadecimal digits: restore it from a backup; without it, what was \
         signed or encrypted with it is lost, so remove it only to start afresh",
        path.display()
    )]
    BadKey { path: PathBuf },
}

impl DataDirError {
    /// For `map_err`: names what was being done, and to what.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { doing, path, source }
    }
}

/// Why the lock was not given.
#[derive(Debug, Error)]
pub(crate) enum LockError {
    #[error(
        "another process{} uses {}: stop it with `frontdesk stop --data {}`",
        named(*pid), data.display(), shell_word(data)
    )]
    Held { pid: Option<u32>, data: PathBuf },
    #[error(transparent)]
    Unusable(#[from] DataDirError),
}

/// The right to work in a data directory, until it is dropped or the process ends, however it ends.
///
/// The kernel keeps it, not the file's content: a lock file left behind by a killed process locks
/// nobody out.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// A second handle on the same lock, which is given up when the last handle is dropped.
    pub(crate) fn share(&self) -> io::Result<Self> {
        Ok(Self { file: self.file.try_clone()? })
    }
}

/// A data directory that exists, by its absolute path.
#[derive(Debug, Clone)]
pub(crate) struct DataDir {
    path: PathBuf,
}

impl DataDir {
    /// Makes the directory unless it is there, for its owner only.
    pub(crate) fn open(path: &Path) -> Result<Self, DataDirError> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(DataDirError::io("create", parent))?;
        }
        make_private_dir(path)?;
        let path = path.canonicalize().map_err(DataDirError::io("open", path))?;
        let about = about(&path)?;
        if !about.is_dir() {
            return Err(DataDirError::NotADirectory { path });
        }
        if about.mode() & EVERYBODY_WRITES != 0 {
            return Err(DataDirError::OpenToEverybody { path });
        }
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn postgres_dir(&self) -> PathBuf {
        self.path.join("postgres")
    }

    /// Mail, where no mail server is configured.
    pub(crate) fn mail(&self) -> PathBuf {
        self.path.join("mail")
    }

    /// What an agent needs to connect to the demo office.
    pub(crate) fn demo(&self) -> PathBuf {
        self.path.join("demo.json")
    }

    /// How the demo's owner signs in.
    pub(crate) fn demo_owner(&self) -> PathBuf {
        self.path.join("demo-owner.json")
    }

    /// Where the running server is reached, for commands that print links to it.
    pub(crate) fn url(&self) -> PathBuf {
        self.path.join("url")
    }

    /// What a detached server prints.
    pub(crate) fn server_log(&self) -> PathBuf {
        self.path.join("server.log")
    }

    /// Where the running server speaks MCP.
    ///
    /// Stands outside the data directory when a socket in it would have too long a path; every
    /// process finds the same place.
    pub(crate) fn mcp_socket(&self) -> Result<PathBuf, DataDirError> {
        const NAME: &str = "mcp.sock";
        if socket_fits(&self.path, NAME) {
            return Ok(self.path.join(NAME));
        }
        let dir = self.stand_in("mcp")?;
        make_private_dir(&dir)?;
        let found = fs::symlink_metadata(&dir).map_err(DataDirError::io("open", &dir))?;
        let ours = rustix::process::geteuid().as_raw();
        let trusted = [0, ours, about(&self.path)?.uid()].contains(&found.uid());
        if !(found.is_dir() && trusted) {
            return Err(DataDirError::Foreign { path: dir, owner: found.uid(), expected: ours });
        }
        Ok(dir.join(NAME))
    }

    /// A directory with a short path for the sockets of `purpose`; it may not exist yet, and
    /// because anybody could have made it, its user must look whose it is.
    ///
    /// Named after the data directory's inode, under a path that no variable and no login session
    /// decides, so that another process finds it. `/run/user` would vanish under a detached server
    /// at the user's logout.
    pub(crate) fn stand_in(&self, purpose: &str) -> Result<PathBuf, DataDirError> {
        let about = about(&self.path)?;
        Ok(stand_in_for(about.dev(), about.ino(), purpose))
    }

    /// Lets other users pass through to what is theirs in here, which still lists nothing and opens
    /// no file of ours. Only where root's PostgreSQL must run as somebody else.
    pub(crate) fn let_others_pass(&self) -> Result<(), DataDirError> {
        let about = about(&self.path)?;
        let mode = about.mode() & 0o7777;
        let ours = about.uid() == rustix::process::geteuid().as_raw();
        if !ours || mode & OTHERS_PASS == OTHERS_PASS {
            return Ok(());
        }
        fs::set_permissions(&self.path, Permissions::from_mode(mode | OTHERS_PASS))
            .map_err(DataDirError::io("change the permissions of", &self.path))
    }

    /// Takes the lock and writes our process id where `holder` finds it.
    pub(crate) fn lock(&self) -> Result<Lock, LockError> {
        let path = self.lock_path();
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(OWNER_READS)
            .open(&path)
            .map_err(DataDirError::io("open", &path))?;
        if !take(&file).map_err(DataDirError::io("lock", &path))? {
            return Err(LockError::Held { pid: self.holder(), data: self.path.clone() });
        }
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(DataDirError::io("write", &path))?;
        Ok(Lock { file })
    }

    /// The process that holds the lock now, if any does.
    #[expect(clippy::disallowed_methods, reason = "at most a few moments, before anything is served")]
    pub(crate) fn holder(&self) -> Option<u32> {
        let file = File::open(self.lock_path()).ok()?;
        // The holder writes its id just after it took the lock, so an empty file is worth a second
        // look.
        for _ in 0..20 {
            if flock(&file, FlockOperation::NonBlockingLockShared) != Err(Errno::WOULDBLOCK) {
                return None;
            }
            let written = fs::read_to_string(self.lock_path()).ok()?;
            if let Ok(pid) = written.trim().parse() {
                return Some(pid);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }

    /// The key this installation signs and encrypts with; made at the first call, the same ever
    /// after.
    pub(crate) fn secret_key(&self) -> Result<[u8; 32], DataDirError> {
        let path = self.path.join("secret.key");
        if !path.try_exists().map_err(DataDirError::io("open", &path))? {
            keep_first(&path, hex(&random_key()?).as_bytes())?;
        }
        let text = fs::read_to_string(&path).map_err(DataDirError::io("read", &path))?;
        if about(&path)?.mode() & 0o077 != 0 {
            fs::set_permissions(&path, Permissions::from_mode(OWNER_READS))
                .map_err(DataDirError::io("change the permissions of", &path))?;
            tracing::warn!(
                path = %path.display(),
                "other users could read the secret key; closed to them now"
            );
        }
        unhex(text.trim()).ok_or(DataDirError::BadKey { path })
    }

    fn lock_path(&self) -> PathBuf {
        self.path.join("app.lock")
    }
}

/// Writes a file that only its owner can read, so that a reader sees the old content or the new,
/// never half.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), DataDirError> {
    let draft = draft_beside(path, bytes)?;
    fs::rename(&draft, path).map_err(DataDirError::io("write", path))?;
    sync_parent(path)
}

/// Makes sure that what was renamed or created at `path` outlives a power cut.
pub(crate) fn sync_parent(path: &Path) -> Result<(), DataDirError> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    File::open(parent).and_then(|dir| dir.sync_all()).map_err(DataDirError::io("sync", parent))
}

/// Whether a socket of that name in `dir` has a path the kernel accepts.
pub(crate) fn socket_fits(dir: &Path, name: &str) -> bool {
    dir.as_os_str().len() + 1 + name.len() <= LONGEST_SOCKET_PATH
}

/// Makes a directory for its owner only; one that is already there keeps its permissions.
pub(crate) fn make_private_dir(path: &Path) -> Result<(), DataDirError> {
    match DirBuilder::new().mode(OWNER_ONLY).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(DataDirError::io("create", path)(error)),
        _ => Ok(()),
    }
}

/// The path as one word of a shell command.
pub(crate) fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+@%:,=".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

fn stand_in_for(device: u64, inode: u64, purpose: &str) -> PathBuf {
    PathBuf::from(format!("/tmp/frontdesk-{device:x}-{inode:x}-{purpose}"))
}

fn about(path: &Path) -> Result<fs::Metadata, DataDirError> {
    fs::metadata(path).map_err(DataDirError::io("open", path))
}

/// Tries a few times, because `holder` takes the lock for a moment in order to see whether it is
/// free.
#[expect(clippy::disallowed_methods, reason = "a few hundredths of a second, before anything is served")]
fn take(file: &File) -> io::Result<bool> {
    for _ in 0..5 {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            Err(Errno::WOULDBLOCK) => std::thread::sleep(Duration::from_millis(10)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
}

/// Puts the file there unless another process was faster; then that one's stays.
fn keep_first(path: &Path, bytes: &[u8]) -> Result<(), DataDirError> {
    let draft = draft_beside(path, bytes)?;
    let linked = fs::hard_link(&draft, path);
    let kept = match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            // Not every file system has hard links; on one without, the first start must simply be
            // alone.
            fs::rename(&draft, path)
        }
        _ => fs::remove_file(&draft),
    };
    kept.map_err(DataDirError::io("write", path))?;
    sync_parent(path)
}

fn draft_beside(path: &Path, bytes: &[u8]) -> Result<PathBuf, DataDirError> {
    static DRAFTS: AtomicU32 = AtomicU32::new(0);
    let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}-{number}.draft", std::process::id()));
    let draft = path.with_file_name(name);
    write_draft(&draft, bytes).map_err(DataDirError::io("write", path))?;
    Ok(draft)
}

fn write_draft(draft: &Path, bytes: &[u8]) -> io::Result<()> {
    // Left behind by a killed process whose id has come round again.
    match fs::remove_file(draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(OWNER_READS).open(draft)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(draft);
    }
    written
}

fn random_key() -> Result<[u8; 32], DataDirError> {
    let source = Path::new("/dev/urandom");
    let mut key = [0; 32];
    File::open(source).and_then(|mut file| file.read_exact(&mut key)).map_err(DataDirError::io("read", source))?;
    Ok(key)
}

fn hex(key: &[u8; 32]) -> String {
    key.iter().fold(String::with_capacity(64), |text, byte| format!("{text}{byte:02x}"))
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut key = [0; 32];
    for (index, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(key)
}

fn named(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (pid {pid})"))
}

fn way_out(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "; run this as the user it belongs to, or name another data directory with --data or \
             FRONTDESK_DATA"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; free some space there, then start again",
        io::ErrorKind::ReadOnlyFilesystem => {
            "; name a data directory that can be written with --data or FRONTDESK_DATA"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("frontdesk-datadir-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir(&dir).unwrap();
        dir
    }

    #[test]
    fn a_new_directory_is_for_its_owner_only() {
        let parent = scratch("owner");
        let data = DataDir::open(&parent.join("a/b")).unwrap();
        assert_eq!(about(data.path()).unwrap().mode() & 0o777, 0o700);
        data.let_others_pass().unwrap();
        assert_eq!(about(data.path()).unwrap().mode() & 0o777, 0o711);
        fs::remove_dir_all(parent).unwrap();
    }

    #[test]
    fn a_directory_everybody_may_write_in_is_refused() {
        let parent = scratch("everybody");
        fs::set_permissions(&parent, Permissions::from_mode(0o777)).unwrap();
        let refused = DataDir::open(&parent).unwrap_err().to_string();
        assert!(refused.contains("chmod o-w"), "{refused}");
        fs::remove_dir_all(parent).unwrap();
    }

    #[test]
    fn the_second_to_ask_for_the_lock_hears_who_has_it() {
        let parent = scratch("lock");
        let data = DataDir::open(&parent).unwrap();
        assert_eq!(data.holder(), None);
        let lock = data.lock().unwrap();
        assert_eq!(data.holder(), Some(std::process::id()));
        let refused = data.lock().unwrap_err().to_string();
        assert!(refused.contains(&format!("(pid {})", std::process::id())), "{refused}");
        assert!(refused.contains("frontdesk stop --data"), "{refused}");
        let shared = lock.share().unwrap();
        drop(lock);
        assert!(data.lock().is_err());
        drop(shared);
        assert_eq!(data.holder(), None);
        fs::remove_dir_all(parent).unwrap();
    }

    #[test]
    fn a_lock_file_left_behind_locks_nobody_out() {
        let parent = scratch("stale");
        let data = DataDir::open(&parent).unwrap();
        fs::write(data.lock_path(), "1\n").unwrap();
        assert_eq!(data.holder(), None);
        let _lock = data.lock().unwrap();
        assert_eq!(data.holder(), Some(std::process::id()));
        fs::remove_dir_all(parent).unwrap();
    }

    #[test]
    fn the_secret_key_is_made_once() {
        let parent = scratch("key");
        let data = DataDir::open(&parent).unwrap();
        let key = data.secret_key().unwrap();
        assert_eq!(data.secret_key().unwrap(), key);
        assert_ne!(key, [0; 32]);
        let file = parent.join("secret.key");
        assert_eq!(about(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&file).unwrap(), hex(&key));
        fs::write(&file, "short").unwrap();
        assert!(matches!(data.secret_key(), Err(DataDirError::BadKey { .. })));
        fs::remove_dir_all(parent).unwrap();
    }

    #[test]
    fn a_private_file_replaces_the_old_one_and_leaves_no_draft() {
        let parent = scratch("private");
        let file = parent.join("demo.json");
        write_private(&file, b"old").unwrap();
        write_private(&file, b"new").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(about(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&parent).unwrap().count(), 1);
        fs::remove_dir_all(parent).unwrap();
    }

    #[test]
    fn a_socket_moves_out_when_its_path_would_be_too_long() {
        let room = LONGEST_SOCKET_PATH - "/mcp.sock".len();
        assert!(socket_fits(Path::new(&"d".repeat(room)), "mcp.sock"));
        assert!(!socket_fits(Path::new(&"d".repeat(room + 1)), "mcp.sock"));
        let dir = stand_in_for(u64::MAX, u64::MAX, "postgres");
        assert!(socket_fits(&dir, ".s.PGSQL.5432"));

        let parent = scratch("socket");
        let data = DataDir::open(&parent.join("long".repeat(30))).unwrap();
        let socket = data.mcp_socket().unwrap();
        assert!(socket.starts_with("/tmp") && socket.ends_with("mcp.sock"), "{socket:?}");
        assert_eq!(data.mcp_socket().unwrap(), socket);
        fs::remove_dir(socket.parent().unwrap()).unwrap();
        fs::remove_dir_all(parent).unwrap();
    }

    #[test]
    fn a_path_with_a_space_stays_one_word() {
        assert_eq!(shell_word(Path::new("/var/lib/frontdesk")), "/var/lib/frontdesk");
        assert_eq!(shell_word(Path::new("/Users/o'b/My Data")), r"'/Users/o'\''b/My Data'");
    }
}
