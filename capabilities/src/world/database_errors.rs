//! What the database refuses, in our errors: an outage, or a promise of the schema that a call would break.

use std::collections::HashMap;
use std::sync::OnceLock;

use sqlx::error::DatabaseError;
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
                    Some(constraint) => constraint_error(constraint, &state, database.as_ref(), &error),
                    None => Self::Internal(error.to_string()),
                }
            }
            _ => Self::Internal(error.to_string()),
        }
    }
}

/// A broken promise of the schema. The text is the constraint's comment, kept beside it in the migration and read at start.
fn constraint_error(constraint: &str, state: &str, database: &dyn DatabaseError, error: &sqlx::Error) -> Error {
    let Some(known) = known_constraint(constraint) else {
        return Error::Internal(error.to_string());
    };
    match state {
        "23503" | "23001" if known.holds(database.message()) => Error::conflict(
            "IN_USE",
            format!("It cannot go: {} refer to it.", known.table.replace('_', " ")),
            "Look with a query what refers to it, and change or remove that first; or archive it where that can be done.",
        ),
        "23503" => Error::NotFound { what: "such record to refer to".into() },
        "23505" => {
            Error::conflict("ALREADY_EXISTS", known.text.clone(), "Change what is named there and send the call again.")
        }
        _ => Error::invalid("", known.text.clone()),
    }
}

/// What is known of a constraint.
struct Constraint {
    /// What the migration says of it, for people.
    text: String,
    table: String,
    /// Of a reference: the table of what is referred to.
    target: Option<String>,
}

impl Constraint {
    /// Whether a broken reference is one to what was to be removed, and not one from what was to be written. The code is the same,
    /// and of the message, which comes in the server's language, only this is sure: of what is held it names both tables.
    fn holds(&self, message: &str) -> bool {
        let words = message.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).map(unnumbered);
        words.filter(|word| *word == self.table || Some(*word) == self.target.as_deref()).count() > 1
    }
}

static CONSTRAINTS: OnceLock<HashMap<String, Constraint>> = OnceLock::new();

/// A shard's tables and constraints have a number behind their names.
fn unnumbered(name: &str) -> &str {
    name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('_')
}

fn known_constraint(name: &str) -> Option<&'static Constraint> {
    let known = CONSTRAINTS.get()?;
    known.get(name).or_else(|| known.get(unnumbered(name)))
}

pub(super) async fn read_constraint_texts(pool: &PgPool) -> Result<(), sqlx::Error> {
    let comments = sqlx::query!(
        r#"
        select c.conname as "name!", d.description as "text!", t.relname as "table!", f.relname as "target?"
        from pg_constraint c
        join pg_description d on d.objoid = c.oid and d.classoid = 'pg_constraint'::regclass
        join pg_class t on t.oid = c.conrelid
        left join pg_class f on f.oid = c.confrelid
        where c.connamespace = 'public'::regnamespace
        "#
    )
    .fetch_all(pool)
    .await?;
    // The same in every database of this version, so whoever comes first may set it.
    CONSTRAINTS.get_or_init(|| {
        let known = comments.into_iter().map(|c| {
            let constraint = Constraint { text: c.text, table: c.table, target: c.target };
            (c.name, constraint)
        });
        known.collect()
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(table: &str, target: &str) -> Constraint {
        Constraint { text: String::new(), table: table.into(), target: Some(target.into()) }
    }

    #[test]
    fn what_is_held_is_told_from_what_is_not_there_in_any_language() {
        let of_service = reference("line_items", "services");
        for held in [
            r#"update or delete on table "services" violates foreign key constraint "line_item_of_service" on table "line_items""#,
            "Aktualisieren oder Löschen in Tabelle »services« verletzt Fremdschlüssel-Constraint »line_item_of_service« von \
             Tabelle »line_items«",
            r#"テーブル"services"の更新または削除は、テーブル"line_items"の外部キー制約"line_item_of_service"に違反します"#,
            r#"update or delete on table "services_102008" violates foreign key constraint "line_item_of_service_102008" on table "line_items_102009""#,
        ] {
            assert!(of_service.holds(held), "{held}");
        }
        for missing in [
            r#"insert or update on table "line_items" violates foreign key constraint "line_item_of_service""#,
            "Einfügen oder Aktualisieren in Tabelle »line_items« verletzt Fremdschlüssel-Constraint »line_item_of_service«",
            r#"テーブル"line_items"への挿入、更新は外部キー制約"line_item_of_service"に違反しています"#,
        ] {
            assert!(!of_service.holds(missing), "{missing}");
        }
    }

    #[test]
    fn a_reference_inside_one_table_is_no_exception() {
        let merged = reference("contacts", "contacts");
        assert!(merged.holds(
            r#"update or delete on table "contacts" violates foreign key constraint "contact_merged_into" on table "contacts""#
        ));
        assert!(
            !merged
                .holds(r#"insert or update on table "contacts" violates foreign key constraint "contact_merged_into""#)
        );
    }
}
