//! Everything an installation knows, in one file that any later version restores into any PostgreSQL that the program
//! runs on. `docs/backup.md` describes the file and what is promised of it.
//!
//! Needs no program of PostgreSQL: rows go through COPY, whose text form does not change between its versions.

mod format;
mod restoring;
mod tables;
mod taking;

use std::fmt;
use std::time::Duration;

use sqlx::PgConnection;

pub(crate) use restoring::{Checked, restore};
pub(crate) use taking::take;

/// So that both sides read and write values the same way, however the server and the login are set up.
const SETTINGS: &str = "set datestyle = 'ISO, YMD'; set intervalstyle = 'postgres'; set timezone = 'UTC'; \
     set extra_float_digits = 1; set bytea_output = 'hex'; set xmloption = 'content'; \
     set statement_timeout = 0; set lock_timeout = 0; set idle_in_transaction_session_timeout = 0";

async fn settle(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql(SETTINGS).execute(connection).await.map(drop)
}

/// How much went through, and how long it took.
#[derive(Debug)]
pub(crate) struct Done {
    tables: usize,
    rows: u64,
    bytes: u64,
    time: Duration,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tables, rows, bytes, time } = self;
        write!(f, "{tables} tables, {rows} rows, {} in {:.1} s", megabytes(*bytes), time.as_secs_f64())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
