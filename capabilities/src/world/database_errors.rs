//! What the database refuses, in our errors: an outage, or a promise of the schema that a call would break.

use std::collections::HashMap;
use std::sync::OnceLock;

use sqlx::postgres::PgPool;

use crate::error::Error;

/// SQLSTATE classes and codes that mean the database cannot serve now, not that the call is wrong
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>): connection exceptions, insufficient
/// resources (a full disk), operator intervention, system errors, and a lost race that a repeat wins.
const OUTAGE: &[&str] = &["08", "53", "57", "58", "40001", "40P01", "25P03"];

/// What the look at whoever writes says of somebody who is let in no more, or as something else.
const SHOWN_OUT: &str = "FD401";
const OTHER_ROLE: &str = "FD403";

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as Sql;
        let unavailable = |cause: String| Self::Unavailable { part: "database", cause };
        match &error {
            Sql::Io(_)
            | Sql::Tls(_)
            | Sql::PoolTimedOut
            | Sql::PoolClosed
            | Sql::WorkerCrashed
            | Sql::Protocol(_)
            | Sql::BeginFailed => unavailable(error.to_string()),
            Sql::Database(database) => {
                let state = database.code().unwrap_or_default().to_string();
                match state.as_str() {
                    SHOWN_OUT => return Self::Unauthenticated(database.message().into()),
                    OTHER_ROLE => return Self::Forbidden(database.message().into()),
                    _ => {}
                }
                if OUTAGE.iter().any(|prefix| state.starts_with(prefix)) {
                    return unavailable(error.to_string());
                }
                match database.constraint() {
                    Some(constraint) => constraint_error(constraint, &state, &error),
                    None => Self::Internal(error.to_string()),
                }
            }
            _ => Self::Internal(error.to_string()),
        }
    }
}

/// A broken promise of the schema. The text is the constraint's comment, kept beside it in the migration and read at start.
fn constraint_error(constraint: &str, state: &str, error: &sqlx::Error) -> Error {
    let Some(text) = constraint_text(constraint) else {
        return Error::Internal(error.to_string());
    };
    match state {
        "23503" => Error::NotFound { what: "such record to refer to".into() },
        "23505" => Error::conflict("ALREADY_EXISTS", text, "Change what is named there and send the call again."),
        _ => Error::invalid("", text),
    }
}

static CONSTRAINT_TEXTS: OnceLock<HashMap<String, String>> = OnceLock::new();

/// What the migration says of a constraint, for people. A shard's constraint has a number behind its name.
pub(crate) fn constraint_text(constraint: &str) -> Option<String> {
    let texts = CONSTRAINT_TEXTS.get()?;
    let unnumbered = constraint.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('_');
    texts.get(constraint).or_else(|| texts.get(unnumbered)).cloned()
}

pub(super) async fn read_constraint_texts(pool: &PgPool) -> Result<(), sqlx::Error> {
    let comments = sqlx::query!(
        r#"
        select c.conname as "name!", d.description as "text!"
        from pg_constraint c
        join pg_description d on d.objoid = c.oid and d.classoid = 'pg_constraint'::regclass
        where c.connamespace = 'public'::regnamespace
        "#
    )
    .fetch_all(pool)
    .await?;
    // The same in every database of this version, so whoever comes first may set it.
    CONSTRAINT_TEXTS.get_or_init(|| comments.into_iter().map(|comment| (comment.name, comment.text)).collect());
    Ok(())
}
