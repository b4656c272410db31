//! Restoring a backup: into an empty database, in one transaction, so that it is there as a whole or not at all.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use chrono::{DateTime, Utc};
use sqlx::migrate::{Migration, Migrator};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use super::format::{self, Header, Reader, Size};
use super::tables::{self, Table};
use super::{Done, settle};
use crate::schema::{self, MIGRATIONS};
use crate::storage::Reached;

/// A backup that is whole and of a version that this program knows.
#[derive(Debug)]
pub(crate) struct Checked {
    file: PathBuf,
    size: Size,
    schema: Vec<i64>,
    /// When it was taken.
    pub taken_at: DateTime<Utc>,
    /// By which version of the program.
    pub program: String,
}

impl Checked {
    /// Reads the whole file, and touches nothing else.
    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        let read = || -> anyhow::Result<Self> {
            let (header, size) = format::verify(file)?;
            let schema = known_schema(&header)?;
            let Header { created_at: taken_at, program, .. } = header;
            Ok(Self { file: file.to_path_buf(), size, schema, taken_at, program })
        };
        read().with_context(|| format!("{} cannot be restored, and nothing was changed", file.display()))
    }
}

/// The migrations that the rows are of, if this program has every one of them.
fn known_schema(header: &Header) -> anyhow::Result<Vec<i64>> {
    for applied in &header.migrations {
        let Some(known) = MIGRATIONS.iter().find(|known| known.version == applied.version) else {
            bail!(
                "its schema (migration {}) is newer than this program's: restore it with Frontdesk {} or newer",
                applied.version,
                header.program
            );
        };
        ensure!(
            format::hex(&known.checksum) == applied.checksum,
            "its migration {} is not this program's: restore it with the build of Frontdesk {} that wrote it",
            applied.version,
            header.program
        );
    }
    Ok(header.migrations.iter().map(|applied| applied.version).collect())
}

/// Loads the rows at the schema they were taken at, then brings them to this version.
pub(crate) async fn restore(reached: &Reached, backup: &Checked) -> anyhow::Result<Done> {
    let begun = Instant::now();
    let mut connection = reached.prepare().await?;
    settle(&mut connection).await?;
    let mut whole = connection.begin().await?;
    refuse_used(&mut whole, &backup.schema).await?;
    only(&backup.schema).run(&mut *whole).await.context("the backup's schema cannot be made")?;
    load(&mut whole, &backup.file).await?;
    schema::bring_up(&mut whole).await.context("the rows cannot be brought to this version of the program")?;
    whole.commit().await?;
    if let Err(error) = analyze(&mut connection).await {
        tracing::warn!(%error, "the restored tables could not be analyzed; the database does it by itself in a while");
    }
    connection.close().await?;
    let Size { tables, rows, bytes } = backup.size;
    Ok(Done { tables, rows, bytes, time: begun.elapsed() })
}

/// Without it, the first questions would be planned as if the tables were empty.
async fn analyze(connection: &mut PgConnection) -> anyhow::Result<()> {
    let names: Vec<String> = tables::all(connection).await?.iter().map(Table::quoted).collect();
    sqlx::query(AssertSqlSafe(format!("analyze {}", names.join(", ")))).execute(connection).await?;
    Ok(())
}

/// Nothing is ever restored over something.
async fn refuse_used(target: &mut PgConnection, schema: &[i64]) -> anyhow::Result<()> {
    for table in tables::all(target).await? {
        refuse_rows(target, &table).await?;
    }
    let migrated: bool =
        sqlx::query_scalar("select to_regclass('public._sqlx_migrations') is not null").fetch_one(&mut *target).await?;
    if !migrated {
        return Ok(());
    }
    let applied: Vec<i64> =
        sqlx::query_scalar("select version from public._sqlx_migrations order by version").fetch_all(target).await?;
    let newer: Vec<String> =
        applied.iter().filter(|version| !schema.contains(version)).map(ToString::to_string).collect();
    ensure!(
        newer.is_empty(),
        "the database is empty, but its schema is newer than the backup's (migration {}): name a data directory that is \
         not there yet with --data, or a database without tables with DATABASE_OWNER_URL",
        newer.join(", ")
    );
    Ok(())
}

async fn refuse_rows(target: &mut PgConnection, table: &Table) -> anyhow::Result<()> {
    let question = format!("select exists (select 1 from {})", table.quoted());
    let used: bool = sqlx::query_scalar(AssertSqlSafe(question)).fetch_one(target).await?;
    ensure!(
        !used,
        "the database is not empty (the table {} has rows), and nothing is restored over what is there: name an empty data \
         directory with --data, or an empty database with DATABASE_OWNER_URL",
        table.name
    );
    Ok(())
}

/// The migrations with these versions and no others.
fn only(versions: &[i64]) -> Migrator {
    let migrations: Vec<Migration> =
        MIGRATIONS.iter().filter(|migration| versions.contains(&migration.version)).cloned().collect();
    Migrator { migrations: Cow::Owned(migrations), ..Migrator::DEFAULT }
}

async fn load(target: &mut PgConnection, file: &Path) -> anyhow::Result<()> {
    let (header, mut reader) = Reader::open(file)?;
    for table in &header.tables {
        load_table(target, table, &mut reader).await.with_context(|| format!("the table {}", table.name))?;
    }
    reader.finish().context("the file was changed while it was read")?;
    for counter in header.counters {
        sqlx::query("select setval(pg_get_serial_sequence('public.' || quote_ident($1), $2), $3) where $3 is not null")
            .bind(counter.table)
            .bind(counter.column)
            .bind(counter.last)
            .execute(&mut *target)
            .await?;
    }
    Ok(())
}

/// Foreign keys and checks hold while rows come in. Our own triggers do not fire: what they write is in the backup.
async fn load_table(target: &mut PgConnection, table: &Table, reader: &mut Reader) -> anyhow::Result<()> {
    let name = table.quoted();
    // An owner who is no superuser may not COPY under forced row security.
    let open = format!("alter table {name} no force row level security, disable trigger user");
    sqlx::query(AssertSqlSafe(open)).execute(&mut *target).await?;
    refuse_rows(target, table).await?;
    reader.begin_table(&table.name)?;
    let mut rows = target.copy_in_raw(&table.copy_in()).await?;
    while let Some(block) = reader.block(&table.name)? {
        rows.send(block).await?;
    }
    let loaded = rows.finish().await?;
    let read = reader.counted(&table.name);
    ensure!(loaded == read, "the database took {loaded} of {read} rows");
    let close = format!("alter table {name} enable trigger user, force row level security");
    sqlx::query(AssertSqlSafe(close)).execute(&mut *target).await?;
    Ok(())
}
