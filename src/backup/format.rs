//! The file a backup is: one zstd stream of lines, which `docs/backup.md` describes.
//!
//! Reading and writing go row by row, so memory stays the same whatever the size.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read as _, Write};
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::tables::{Counter, Table};
use crate::datadir::DataDirError;

/// The newest form of the file that this program reads, and the one it writes.
const FORMAT: u64 = 1;
/// PostgreSQL's own mark. No row can look like it, because a backslash in a value is doubled.
const END_OF_TABLE: &[u8] = b"\\.\n";
const COMPRESSION: i32 = 3;
/// How much of a table is handed on at once.
const BLOCK: usize = 256 * 1024;
/// PostgreSQL makes no longer row.
const LONGEST_ROW: u64 = 1 << 30;
const LONGEST_NOTE: u64 = 16 << 20;

/// What stands in a file's first line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    pub frontdesk_backup: u64,
    /// The version of the program that wrote it.
    pub program: String,
    /// When the snapshot was taken.
    pub created_at: DateTime<Utc>,
    /// The major version of the PostgreSQL it was taken from.
    pub postgresql: i32,
    pub migrations: Vec<Applied>,
    pub tables: Vec<Table>,
    pub counters: Vec<Counter>,
}

impl Header {
    pub(super) fn new(created_at: DateTime<Utc>, postgresql: i32, migrations: Vec<Applied>) -> Self {
        let program = crate::assemble::VERSION.into();
        let (tables, counters) = (Vec::new(), Vec::new());
        Self { frontdesk_backup: FORMAT, program, created_at, postgresql, migrations, tables, counters }
    }
}

/// A step of the schema that the rows are of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Applied {
    pub version: i64,
    pub checksum: String,
}

/// Stands before a table's rows.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Title {
    table: String,
}

/// What stands in a file's last line.
#[derive(Debug, Serialize, Deserialize)]
struct Trailer {
    rows: BTreeMap<String, u64>,
    /// Over everything before this line, as it is uncompressed.
    sha256: String,
}

/// How much a file holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub tables: usize,
    pub rows: u64,
    /// Uncompressed.
    pub bytes: u64,
}

/// Writes a file: the header, each table in the header's order, the trailer.
pub(super) struct Writer {
    stream: zstd::Encoder<'static, BufWriter<File>>,
    hash: Sha256,
    rows: BTreeMap<String, u64>,
}

impl Writer {
    pub(super) fn begin(file: File, header: &Header) -> anyhow::Result<Self> {
        let mut stream = zstd::Encoder::new(BufWriter::with_capacity(BLOCK, file), COMPRESSION)?;
        stream.include_checksum(true)?;
        let mut writer = Self { stream, hash: Sha256::new(), rows: BTreeMap::new() };
        writer.note(header)?;
        Ok(writer)
    }

    pub(super) fn begin_table(&mut self, table: &str) -> anyhow::Result<()> {
        self.rows.insert(table.into(), 0);
        self.note(&Title { table: table.into() })
    }

    /// Whole rows, as `COPY … TO STDOUT` gives them.
    pub(super) fn rows(&mut self, table: &str, rows: &[u8]) -> anyhow::Result<()> {
        *self.rows.entry(table.into()).or_default() += count_lines(rows);
        self.write(rows)
    }

    pub(super) fn end_table(&mut self) -> anyhow::Result<()> {
        self.write(END_OF_TABLE)
    }

    /// Ends the stream, and returns when the disk has it.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        let sha256 = hex(&std::mem::take(&mut self.hash).finalize());
        let rows = std::mem::take(&mut self.rows);
        self.note(&Trailer { rows, sha256 })?;
        let file = self.stream.finish()?.into_inner()?;
        Ok(file.sync_all()?)
    }

    fn note(&mut self, note: &impl Serialize) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(note)?;
        line.push(b'\n');
        self.write(&line)
    }

    fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.hash.update(bytes);
        Ok(self.stream.write_all(bytes)?)
    }
}

/// Reads a file in order. Only what `finish` has approved is known to be whole.
pub(super) struct Reader {
    stream: BufReader<zstd::Decoder<'static, BufReader<File>>>,
    hash: Sha256,
    rows: BTreeMap<String, u64>,
    bytes: u64,
    block: Vec<u8>,
    /// Whether the table in hand has no more rows.
    at_end: bool,
}

impl Reader {
    pub(super) fn open(path: &Path) -> anyhow::Result<(Header, Self)> {
        let file = File::open(path).map_err(DataDirError::io("open", path))?;
        let stream = BufReader::with_capacity(BLOCK, zstd::Decoder::new(file)?);
        let (hash, rows, block) = (Sha256::new(), BTreeMap::new(), Vec::with_capacity(2 * BLOCK));
        let mut reader = Self { stream, hash, rows, bytes: 0, block, at_end: false };
        let header: Value = reader.note().context("it does not begin like a backup")?;
        let Some(format) = header["frontdesk_backup"].as_u64() else {
            bail!("it is no backup of Frontdesk");
        };
        let program = header["program"].as_str().unwrap_or_default();
        ensure!(
            format <= FORMAT,
            "it was written by Frontdesk {program} in form {format}, and this program reads forms up to {FORMAT}: \
             restore it with that version or a newer one"
        );
        Ok((serde_json::from_value(header).context("its first line is not that of a backup")?, reader))
    }

    pub(super) fn begin_table(&mut self, table: &str) -> anyhow::Result<()> {
        let title: Title = self.note()?;
        ensure!(title.table == table, "it holds the rows of {} where those of {table} should be", title.table);
        self.rows.insert(table.into(), 0);
        self.at_end = false;
        Ok(())
    }

    /// The next rows of the table; none after its last.
    pub(super) fn block(&mut self, table: &str) -> anyhow::Result<Option<&[u8]>> {
        self.block.clear();
        while self.block.len() < BLOCK && !self.at_end {
            let start = self.line(LONGEST_ROW)?;
            self.at_end = &self.block[start..] == END_OF_TABLE;
            match self.at_end {
                true => self.block.truncate(start),
                false => *self.rows.entry(table.into()).or_default() += 1,
            }
        }
        Ok(Some(self.block.as_slice()).filter(|rows| !rows.is_empty()))
    }

    /// How many rows of the table have been read.
    pub(super) fn counted(&self, table: &str) -> u64 {
        self.rows.get(table).copied().unwrap_or_default()
    }

    /// Whether everything that was read is what was written.
    pub(super) fn finish(mut self) -> anyhow::Result<Size> {
        let sha256 = hex(&std::mem::take(&mut self.hash).finalize());
        let trailer: Trailer = self.note().context("its last line is not that of a backup")?;
        ensure!(trailer.sha256 == sha256, "its content is not what was written (SHA-256)");
        ensure!(trailer.rows == self.rows, "it does not hold as many rows as were written");
        ensure!(self.stream.fill_buf()?.is_empty(), "something follows after its end");
        Ok(Size { tables: self.rows.len(), rows: self.rows.values().sum(), bytes: self.bytes })
    }

    fn note<T: serde::de::DeserializeOwned>(&mut self) -> anyhow::Result<T> {
        self.block.clear();
        self.line(LONGEST_NOTE)?;
        let note = serde_json::from_slice(&self.block)?;
        self.block.clear();
        Ok(note)
    }

    /// Appends the next line to the block, and returns where it begins there.
    fn line(&mut self, longest: u64) -> anyhow::Result<usize> {
        let start = self.block.len();
        (&mut self.stream).take(longest).read_until(b'\n', &mut self.block)?;
        let line = &self.block[start..];
        ensure!(line.ends_with(b"\n"), "it ends early");
        self.hash.update(line);
        self.bytes += line.len() as u64;
        Ok(start)
    }
}

/// Reads a whole file and says what it holds, if it is whole.
pub(super) fn verify(path: &Path) -> anyhow::Result<(Header, Size)> {
    let (header, mut reader) = Reader::open(path)?;
    for table in &header.tables {
        reader.begin_table(&table.name)?;
        while reader.block(&table.name)?.is_some() {}
    }
    Ok((header, reader.finish()?))
}

#[expect(clippy::naive_bytecount, reason = "a crate for counting would not be felt beside compressing")]
fn count_lines(rows: &[u8]) -> u64 {
    rows.iter().filter(|byte| **byte == b'\n').count() as u64
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
