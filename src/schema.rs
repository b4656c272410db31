//! The schema: the migrations, step by step, and after them the SQL functions as their files say today.
//!
//! A migration says which functions there are, with what they take and give; `migrations/functions/` says what each of them does,
//! so that its text is read in one place however often it changed. What an index, a constraint or a generated column uses, and
//! what the migrations themselves call, changes by a migration as well: the schema test asks for it.

use anyhow::{Context as _, ensure};
use sha2::{Digest as _, Sha256};
use sqlx::Connection as _;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnection;

/// The steps.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Serializes servers that start at once on one database.
pub(crate) const STARTING: i64 = 0x6672_6f6e_7464_6573;

/// A function's name and the text that makes it.
#[derive(Debug, Clone, Copy)]
pub struct Function {
    /// Without its schema, which is `frontdesk`.
    pub name: &'static str,
    /// Its file.
    pub text: &'static str,
}

macro_rules! from_files {
    ($($name:ident)+) => {
        &[$(Function {
            name: stringify!($name),
            text: include_str!(concat!("../migrations/functions/", stringify!($name), ".sql")),
        }),+]
    };
}

/// The functions: every file of `migrations/functions/`.
pub static FUNCTIONS: &[Function] = from_files! {
    admit_agent admit_user agent_by_name agent_by_token any_of begin_call bring_back budget_facts call_id call_time
    calls_in_use cards_in_other_shape cards_in_usual_shape closes columns_changed enable_tenant familiar_numbers
    find_contacts first_id fold forget_calls forget_words gate_facts index_changed_contacts index_contacts index_notes
    index_tags is_card_number isolate keep_from keeps_amounts learn_words log_row log_rows logged_references
    logged_tables meant_by misspellings org_id org_ids orgs_with_errands orgs_with_jobs redact redact_chain
    redact_columns redact_once referrers referring refuse_change_of_closed refuse_change_of_closed_ticket repoint
    row_now schema_version settled spent_since tell_wholes term touch undo_rows undone_by user_by_session users_by_email
    why_found words words_of_email words_of_reach work_counts
};

/// Brings a database to this version: the migrations it has not had, then the functions. As a whole or not at all, and alone.
pub async fn bring_up(owner: &mut PgConnection) -> anyhow::Result<()> {
    let mut whole = owner.begin().await?;
    sqlx::query("select pg_advisory_xact_lock($1)").bind(STARTING).execute(&mut *whole).await?;
    MIGRATIONS.run(&mut *whole).await.context("the schema cannot be brought to this version")?;
    apply_functions(&mut whole).await?;
    Ok(whole.commit().await?)
}

/// Which text of which function the database has, and by which schema. Beside the migrations' own table: it is there before any of
/// them, and in every backup's schema.
const RECORD: &str = "create table if not exists frontdesk.applied_functions ( \
       name text primary key, \
       hash bytea not null, \
       schema_version bigint not null \
     )";

async fn apply_functions(owner: &mut PgConnection) -> anyhow::Result<()> {
    sqlx::query(RECORD).execute(&mut *owner).await?;
    let newest = MIGRATIONS.iter().map(|step| step.version).max().unwrap_or_default();
    let applied: Vec<(String, Vec<u8>, i64)> =
        sqlx::query_as("select name, hash, schema_version from frontdesk.applied_functions")
            .fetch_all(&mut *owner)
            .await?;
    for (name, _, at) in &applied {
        ensure!(*at <= newest, "the function {name} is of a newer program (migration {at}) than this one ({newest})");
    }
    // They call each other, so none can be the first whose calls are all known.
    sqlx::query("set local check_function_bodies = off").execute(&mut *owner).await?;
    for Function { name, text } in FUNCTIONS {
        let hash = Sha256::digest(text);
        // A migration may have made one as it was then, so after a migration all are made anew.
        if applied.iter().any(|(known, of, at)| known == name && of[..] == hash[..] && *at == newest) {
            continue;
        }
        sqlx::raw_sql(*text)
            .execute(&mut *owner)
            .await
            .with_context(|| format!("the function {name} cannot be made"))?;
        sqlx::query(
            "insert into frontdesk.applied_functions (name, hash, schema_version) values ($1, $2, $3) \
             on conflict (name) do update set hash = excluded.hash, schema_version = excluded.schema_version",
        )
        .bind(name)
        .bind(&hash[..])
        .bind(newest)
        .execute(&mut *owner)
        .await?;
    }
    let names: Vec<&str> = FUNCTIONS.iter().map(|function| function.name).collect();
    sqlx::query("delete from frontdesk.applied_functions where name <> all($1)").bind(names).execute(owner).await?;
    Ok(())
}
