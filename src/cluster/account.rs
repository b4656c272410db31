//! Whom the server runs as when we are root, which PostgreSQL refuses to be.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::{Path, PathBuf};

use super::error::ClusterError;
use crate::datadir::DataDirError;

/// Those who have no other work on the machine come first.
const CANDIDATES: [&str; 3] = ["postgres", "_postgres", "nobody"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// The account to run the server as; none when we are nobody special and run it ourselves.
///
/// It must have an entry in /etc/passwd, because initdb asks for the name of its user.
pub(super) fn to_become() -> Result<Option<Account>, ClusterError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let path = Path::new("/etc/passwd");
    let passwd = fs::read_to_string(path).map_err(DataDirError::io("read", path))?;
    let account = CANDIDATES.iter().find_map(|name| find(&passwd, name)).ok_or(ClusterError::NoAccount)?;
    Ok(Some(account))
}

fn find(passwd: &str, name: &str) -> Option<Account> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let called = fields.next()? == name;
        let uid = number(fields.nth(1)?)?;
        let gid = number(fields.next()?)?;
        (called && uid != 0).then(|| Account { name: name.to_owned(), uid, gid })
    })
}

/// macOS writes `nobody` as -2, which means the number with the same bits.
fn number(field: &str) -> Option<u32> {
    field.parse::<u32>().ok().or_else(|| field.parse::<i32>().ok().map(i32::cast_unsigned))
}

/// Tells a refusal to run `program` in `cwd` from the directory that causes it, if one does.
///
/// Asked only after a refusal, because the mode bits do not tell everything: an access list may
/// open a directory that they close.
pub(super) fn explain(source: io::Error, program: &Path, cwd: &Path, account: Option<&Account>) -> ClusterError {
    if let Some(account) = account
        && source.kind() == io::ErrorKind::PermissionDenied
        && let Some((wanted, closed)) =
            [cwd, program].into_iter().find_map(|wanted| Some((wanted, closed_ancestor(wanted, account)?)))
    {
        return ClusterError::Closed { account: account.name.clone(), wanted: wanted.to_path_buf(), closed };
    }
    let account = account.map(|account| account.name.clone());
    ClusterError::CannotRun { program: program.to_path_buf(), account, source }
}

/// The topmost directory on the way to `path` that the account may not pass through.
fn closed_ancestor(path: &Path, account: &Account) -> Option<PathBuf> {
    let real = path.canonicalize().ok()?;
    let mut ancestors: Vec<&Path> = real.ancestors().skip(1).collect();
    ancestors.reverse();
    ancestors
        .into_iter()
        .find(|dir| fs::metadata(dir).is_ok_and(|about| !may_pass(about.mode(), about.uid(), about.gid(), account)))
        .map(Path::to_path_buf)
}

fn may_pass(mode: u32, owner: u32, group: u32, account: &Account) -> bool {
    let bit = if owner == account.uid {
        0o100
    } else if group == account.gid {
        0o010
    } else {
        0o001
    };
    mode & bit != 0
}

/// Gives the whole tree to the account, if its top belongs to somebody else: after an update of an
/// image or a package the account may have another number than the one that made the database.
pub(super) fn give_tree(top: &Path, account: &Account) -> Result<(), DataDirError> {
    let about = fs::symlink_metadata(top).map_err(DataDirError::io("open", top))?;
    if about.uid() == account.uid {
        return Ok(());
    }
    tracing::info!(
        path = %top.display(), from = about.uid(), to = account.uid,
        "giving the database to its user"
    );
    give_entry(top, account)
}

/// The top comes last, so that an interrupted walk is begun again at the next start. The walk
/// follows no links.
fn give_entry(path: &Path, account: &Account) -> Result<(), DataDirError> {
    let about = fs::symlink_metadata(path).map_err(DataDirError::io("open", path))?;
    if about.is_dir() {
        for entry in fs::read_dir(path).map_err(DataDirError::io("read", path))? {
            let entry = entry.map_err(DataDirError::io("read", path))?;
            give_entry(&entry.path(), account)?;
        }
    }
    lchown(path, Some(account.uid), Some(account.gid)).map_err(DataDirError::io("change the owner of", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
        broken line\n\
        nobody:*:-2:-2:Unprivileged User:/var/empty:/usr/bin/false\n\
        postgres:x:101:104:PostgreSQL administrator,,,:/var/lib/postgresql:/bin/bash\n\
        postgres2:x:7:7::/:/bin/sh\n\
        fake:x:0:0::/:/bin/sh\n";

    fn account(uid: u32, gid: u32) -> Account {
        Account { name: "someone".to_owned(), uid, gid }
    }

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        assert_eq!(find(PASSWD, "postgres"), Some(Account { name: "postgres".to_owned(), uid: 101, gid: 104 }));
        assert_eq!(find(PASSWD, "post"), None);
    }

    #[test]
    fn a_negative_number_is_read_as_the_system_means_it() {
        assert_eq!(find(PASSWD, "nobody").unwrap().uid, 4_294_967_294);
    }

    #[test]
    fn another_name_for_root_does_not_count() {
        assert_eq!(find(PASSWD, "fake"), None);
    }

    #[test]
    fn the_first_class_that_fits_decides_about_passing() {
        assert!(may_pass(0o711, 0, 0, &account(5, 5)));
        assert!(!may_pass(0o700, 0, 0, &account(5, 5)));
        assert!(may_pass(0o750, 0, 5, &account(5, 5)));
        assert!(!may_pass(0o701, 0, 5, &account(5, 5)));
        assert!(may_pass(0o700, 5, 0, &account(5, 5)));
    }

    #[test]
    fn the_topmost_closed_directory_is_named() {
        use std::os::unix::fs::PermissionsExt;
        let top = std::env::temp_dir().join(format!("frontdesk-account-{}", std::process::id()));
        let deep = top.join("closed/open");
        fs::create_dir_all(&deep).unwrap();
        for (dir, mode) in [(top.clone(), 0o755), (top.join("closed"), 0o700), (deep.clone(), 0o755)] {
            fs::set_permissions(dir, fs::Permissions::from_mode(mode)).unwrap();
        }
        let stranger = account(54_321, 54_321);
        let closed = closed_ancestor(&deep, &stranger).unwrap();
        assert!(closed.ends_with("closed") || !closed.starts_with(&top), "{closed:?}");
        fs::remove_dir_all(top).unwrap();
    }
}
