//! Taking a backup: one snapshot, while the office goes on working.

use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use futures_util::TryStreamExt as _;
use rustix::fs::{FlockOperation, flock};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _};

use super::format::{self, Applied, Header, Writer};
use super::{Done, settle, tables};
use crate::datadir::{DataDirError, sync_parent};
use crate::schema::STARTING;

const SNAPSHOT: &str = "begin isolation level repeatable read, read only";

/// Writes everything to a new file, reads it back, and only then gives it its name.
pub(crate) async fn take(owner: &PgConnectOptions, file: &Path) -> anyhow::Result<Done> {
    let begun = Instant::now();
    let draft = Draft::begin(file)?;
    let mut connection =
        PgConnection::connect_with(owner).await.context("the database cannot be reached as its owner")?;
    settle(&mut connection).await?;
    write(&mut connection, draft.file.try_clone()?).await?;
    connection.close().await?;
    let (_, size) = format::verify(&draft.path).context("what was written cannot be read back: try another disk")?;
    draft.finish()?;
    Ok(Done { tables: size.tables, rows: size.rows, bytes: size.bytes, time: begun.elapsed() })
}

async fn write(connection: &mut PgConnection, file: File) -> anyhow::Result<()> {
    // No server changes the schema between the snapshot and the locks that keep it as it is.
    sqlx::query("select pg_advisory_lock_shared($1)").bind(STARTING).execute(&mut *connection).await?;
    let mut snapshot = connection.begin_with(SNAPSHOT).await?;
    let header = header(&mut snapshot).await?;
    let names: Vec<String> = header.tables.iter().map(tables::Table::quoted).collect();
    let lock = format!("lock table {} in access share mode", names.join(", "));
    sqlx::query(AssertSqlSafe(lock)).execute(&mut *snapshot).await?;
    sqlx::query("select pg_advisory_unlock_shared($1)").bind(STARTING).execute(&mut *snapshot).await?;

    let mut writer = Writer::begin(file, &header)?;
    for table in &header.tables {
        writer.begin_table(&table.name)?;
        let mut rows = snapshot.copy_out_raw(&table.copy_out()).await?;
        while let Some(row) = rows.try_next().await? {
            writer.rows(&table.name, &row)?;
        }
        writer.end_table()?;
    }
    writer.finish()?;
    Ok(snapshot.rollback().await?)
}

async fn header(snapshot: &mut PgConnection) -> anyhow::Result<Header> {
    let migrated: bool = sqlx::query_scalar("select to_regclass('public._sqlx_migrations') is not null")
        .fetch_one(&mut *snapshot)
        .await?;
    ensure!(migrated, "there is nothing to back up: the database was never used by Frontdesk");
    let migrations: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("select version, checksum from public._sqlx_migrations where success order by version")
            .fetch_all(&mut *snapshot)
            .await?;
    let migrations = migrations
        .into_iter()
        .map(|(version, checksum)| Applied { version, checksum: format::hex(&checksum) })
        .collect();
    let (now, version) = sqlx::query_as("select now(), current_setting('server_version_num')::int / 10000")
        .fetch_one(&mut *snapshot)
        .await?;
    let mut header = Header::new(now, version, migrations);
    header.tables = tables::to_back_up(snapshot).await?;
    header.counters = tables::counters(snapshot).await?;
    header.counters.retain(|counter| header.tables.iter().any(|table| table.name == counter.table));
    Ok(header)
}

/// A file that is not yet what it is to become. It goes when the backup fails; one that a killed backup left behind is
/// written anew.
struct Draft {
    file: File,
    path: PathBuf,
    target: PathBuf,
    finished: bool,
}

impl Draft {
    fn begin(target: &Path) -> anyhow::Result<Self> {
        let target = std::path::absolute(target)?;
        let mut name =
            target.file_name().with_context(|| format!("{} names no file", target.display()))?.to_os_string();
        name.push(".partial");
        let path = target.with_file_name(name);
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(DataDirError::io("create", &path))?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            bail!("another backup is being written to {}: wait for it, or name another file", target.display());
        }
        let draft = Self { file, path, target, finished: false };
        ensure!(
            draft.target.symlink_metadata().is_err(),
            "{} is there already: name another file, or remove that one first",
            draft.target.display()
        );
        let cleared = draft.file.set_permissions(Permissions::from_mode(0o600)).and_then(|()| draft.file.set_len(0));
        cleared.map_err(DataDirError::io("write", &draft.path))?;
        Ok(draft)
    }

    fn finish(mut self) -> anyhow::Result<()> {
        fs::rename(&self.path, &self.target).map_err(DataDirError::io("write", &self.target))?;
        self.finished = true;
        Ok(sync_parent(&self.target)?)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.finished
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "an unfinished backup could not be removed");
        }
    }
}
