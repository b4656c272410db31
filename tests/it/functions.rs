//! The SQL functions: their files say what the database has, whichever way it came to its schema.

use std::collections::BTreeSet;

use frontdesk::schema::{FUNCTIONS, Function, MIGRATIONS, bring_up};
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::desk::{Desk, empty_database};
use crate::layers::{files, none, read};

/// Says in its file of a function whose results stand in rows.
const MAKES_ROWS: &str = "Rows are made of it";
/// The text of each function, after its name.
const TEXTS: &str = "select proname || ': ' || pg_get_functiondef(oid) from pg_proc \
     where pronamespace = 'frontdesk'::regnamespace order by 1";
/// All that pg_catalog says of the schema, and what is on record of its functions.
const EVERYTHING: &str = "
     select concat_ws(' ', 'function', oid::regprocedure, proowner::regrole, proacl, obj_description(oid, 'pg_proc'),
                      pg_get_functiondef(oid))
       from pg_proc where pronamespace = 'frontdesk'::regnamespace
     union all
     select concat_ws(' ', 'on record', name, hash, schema_version) from frontdesk.applied_functions
     union all
     select concat_ws(' ', 'relation', oid::regclass, relkind, relowner::regrole, relrowsecurity, relforcerowsecurity,
                      reloptions, relacl)
       from pg_class where relnamespace in ('public'::regnamespace, 'frontdesk'::regnamespace)
     union all
     select concat_ws(' ', 'column', a.attrelid::regclass, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod),
                      a.attnotnull, a.attidentity, a.attgenerated, a.attacl, pg_get_expr(d.adbin, d.adrelid))
       from pg_attribute a join pg_class c on c.oid = a.attrelid left join pg_attrdef d on (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
      where c.relnamespace in ('public'::regnamespace, 'frontdesk'::regnamespace) and a.attnum > 0
     union all
     select concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid),
                      obj_description(oid, 'pg_constraint'))
       from pg_constraint where connamespace = 'public'::regnamespace
     union all
     select concat_ws(' ', 'index', pg_get_indexdef(c.oid))
       from pg_class c where c.relkind = 'i' and c.relnamespace in ('public'::regnamespace, 'frontdesk'::regnamespace)
     union all
     select concat_ws(' ', 'trigger', pg_get_triggerdef(oid), tgenabled) from pg_trigger where not tgisinternal
     union all
     select concat_ws(' ', 'policy', polrelid::regclass, polname, polroles::regrole[], pg_get_expr(polqual, polrelid),
                      pg_get_expr(polwithcheck, polrelid))
       from pg_policy
     union all
     select concat_ws(' ', 'view', oid::regclass, pg_get_viewdef(oid))
       from pg_class where relkind = 'v' and relnamespace = 'frontdesk'::regnamespace
     order by 1";
/// Our functions that an index, a constraint or the expression of a column uses.
const USED_BY_THE_SCHEMA: &str = "select distinct p.proname::text from pg_depend d join pg_proc p on p.oid = d.refobjid \
     where d.refclassid = 'pg_proc'::regclass and p.pronamespace = 'frontdesk'::regnamespace \
       and (d.classid in ('pg_constraint'::regclass, 'pg_attrdef'::regclass) \
            or d.classid = 'pg_class'::regclass and exists (select 1 from pg_index i where i.indexrelid = d.objid))";
/// Our functions that this transaction called.
const CALLED: &str = "select funcname::text from pg_stat_xact_user_functions where schemaname = 'frontdesk'";
/// When each function was made, as the transaction that made it.
const MADE: &str =
    "select proname || ' ' || xmin from pg_proc where pronamespace = 'frontdesk'::regnamespace order by 1";

async fn asked(connection: &mut PgConnection, question: &str) -> Vec<String> {
    sqlx::query_scalar(AssertSqlSafe(question)).fetch_all(connection).await.unwrap()
}

async fn run(connection: &mut PgConnection, statements: &str) {
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(connection).await.unwrap();
}

async fn connected(database: &PgConnectOptions) -> PgConnection {
    PgConnection::connect_with(database).await.unwrap()
}

/// The first migrations, up to this one.
fn up_to(version: i64) -> Migrator {
    Migrator::with_migrations(MIGRATIONS.iter().filter(|step| step.version <= version).cloned().collect())
}

fn newest() -> i64 {
    MIGRATIONS.iter().map(|step| step.version).max().unwrap()
}

#[tokio::test]
async fn the_functions_of_the_database_are_the_files_of_the_folder() {
    let mut owner = Desk::open().await.sql().await;
    let there = "select proname::text from pg_proc where pronamespace = 'frontdesk'::regnamespace order by 1";
    let mut names = asked(&mut owner, there).await;
    names.sort();
    let paths = files("migrations/functions", "sql").into_iter().map(|file| file.path);
    let mut of_files: Vec<String> =
        paths.map(|path| path.replace("migrations/functions/", "").replace(".sql", "")).collect();
    of_files.sort();
    assert_eq!(names, of_files, "a migration says which functions there are, a file what each does");
    assert_eq!(
        FUNCTIONS.iter().map(|function| function.name).collect::<Vec<_>>(),
        of_files,
        "the list in src/schema.rs"
    );
    for Function { name, text } in FUNCTIONS {
        assert_eq!(*text, read(&format!("migrations/functions/{name}.sql")), "{name}");
        let code = text.lines().find(|line| !line.starts_with("--")).unwrap();
        assert!(code.starts_with(&format!("create or replace function frontdesk.{name}(")), "{name}: {code}");
        let told = text.starts_with("-- ") || text.contains(&format!("comment on function frontdesk.{name}("));
        assert!(told, "{name}: say at the beginning what it is for");
    }
}

#[tokio::test]
async fn the_text_of_a_function_is_that_of_its_file_and_is_understood() {
    let mut owner = Desk::open().await.sql().await;
    let before = asked(&mut owner, TEXTS).await;
    let mut trial = owner.begin().await.unwrap();
    for function in FUNCTIONS {
        // What is applied in any order is checked here, where everything is there already.
        run(&mut trial, function.text).await;
    }
    assert_eq!(asked(&mut trial, TEXTS).await, before);
    trial.rollback().await.unwrap();
}

#[tokio::test]
async fn which_functions_there_are_and_what_they_take_and_give_is_said_by_migrations() {
    let signatures = "select concat_ws(' ', oid::regprocedure, pg_get_function_arguments(oid), pg_get_function_result(oid)) \
         from pg_proc where pronamespace = 'frontdesk'::regnamespace order by 1";
    let mut bare = connected(&empty_database().await).await;
    MIGRATIONS.run(&mut bare).await.unwrap();
    let by_migrations = asked(&mut bare, signatures).await;
    assert_eq!(asked(&mut Desk::open().await.sql().await, signatures).await, by_migrations);
}

/// The functions in whose texts one of these is called, and so on.
fn with_what_they_call(mut names: BTreeSet<String>) -> BTreeSet<String> {
    loop {
        let texts = FUNCTIONS.iter().filter(|function| names.contains(function.name)).map(|function| function.text);
        let texts: Vec<&str> = texts.collect();
        let called = |name: &str| texts.iter().any(|text| text.contains(&format!("frontdesk.{name}(")));
        let more = FUNCTIONS.iter().map(|function| function.name).filter(|name| called(name)).map(str::to_string);
        let known = names.len();
        names.extend(more);
        if names.len() == known {
            return names;
        }
    }
}

#[tokio::test]
async fn what_the_schema_rows_or_migrations_are_made_with_changes_only_by_a_migration() {
    let mut bare = connected(&empty_database().await).await;
    let mut migrating = bare.begin().await.unwrap();
    run(&mut migrating, "set local track_functions = 'all'").await;
    MIGRATIONS.run(&mut *migrating).await.unwrap();
    let mut names: BTreeSet<String> = asked(&mut migrating, CALLED).await.into_iter().collect();
    migrating.commit().await.unwrap();
    assert!(names.contains("enable_tenant") && names.contains("columns_changed"), "{names:?}");
    names.extend(asked(&mut bare, USED_BY_THE_SCHEMA).await);
    let make_rows = FUNCTIONS.iter().filter(|function| function.text.contains(MAKES_ROWS));
    names.extend(make_rows.map(|function| function.name.to_string()));
    let names = with_what_they_call(names);
    assert!(["fold", "misspellings", "schema_version"].iter().all(|name| names.contains(*name)), "{names:?}");

    let by_migrations = asked(&mut bare, TEXTS).await;
    let now = asked(&mut Desk::open().await.sql().await, TEXTS).await;
    let changed = now.iter().filter(|text| !by_migrations.contains(text)).filter_map(|text| text.split(':').next());
    none(&changed.filter(|name| names.contains(*name)).map(str::to_string).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_an_index_a_constraint_or_a_column_uses_is_found() {
    let mut owner = Desk::open().await.sql().await;
    let mut trial = owner.begin().await.unwrap();
    run(
        &mut trial,
        "create table trial (
           text text constraint known check (not frontdesk.closes('orgs')),
           clean text generated always as (frontdesk.redact(text)) stored,
           at timestamptz default frontdesk.call_time());
         create index on trial (frontdesk.misspellings(text))",
    )
    .await;
    let mut used = asked(&mut trial, USED_BY_THE_SCHEMA).await;
    used.sort();
    assert_eq!(used, ["call_time", "closes", "misspellings", "redact"]);
    trial.rollback().await.unwrap();
}

#[tokio::test]
async fn a_database_comes_to_the_same_schema_from_wherever_it_was() {
    let fresh = asked(&mut Desk::open().await.sql().await, EVERYTHING).await;
    assert!(fresh.iter().any(|line| line.starts_with("on record agent_by_token")), "{fresh:#?}");
    for version in [0, 1, 8, newest()] {
        let mut owner = connected(&empty_database().await).await;
        up_to(version).run(&mut owner).await.unwrap();
        bring_up(&mut owner).await.unwrap();
        assert_eq!(asked(&mut owner, EVERYTHING).await, fresh, "from {version}");
        // As the program before it left the function behind.
        run(
            &mut owner,
            "create or replace function frontdesk.closes(tbl regclass) returns boolean language sql volatile as 'select false';
             update frontdesk.applied_functions set hash = '\\x00', schema_version = 1 where name = 'closes';
             insert into frontdesk.applied_functions values ('renamed', '\\x00', 1)",
        )
        .await;
        bring_up(&mut owner).await.unwrap();
        assert_eq!(asked(&mut owner, EVERYTHING).await, fresh, "from another program at {version}");
    }
}

#[tokio::test]
async fn a_function_is_made_anew_when_its_text_changed_or_a_migration_came_and_never_else() {
    let mut owner = connected(&empty_database().await).await;
    bring_up(&mut owner).await.unwrap();
    let made = asked(&mut owner, MADE).await;
    bring_up(&mut owner).await.unwrap();
    assert_eq!(asked(&mut owner, MADE).await, made);
    for (change, name) in [("hash = '\\x00'", "closes"), ("schema_version = schema_version - 1", "touch")] {
        let before = asked(&mut owner, MADE).await;
        run(&mut owner, &format!("update frontdesk.applied_functions set {change} where name = '{name}'")).await;
        bring_up(&mut owner).await.unwrap();
        let after = asked(&mut owner, MADE).await;
        let anew: Vec<&String> = after.iter().filter(|line| !before.contains(line)).collect();
        assert!(anew.len() == 1 && anew[0].starts_with(&format!("{name} ")), "{change}: {anew:?}");
    }
}

#[tokio::test]
async fn a_program_that_is_older_than_what_is_on_record_makes_no_function() {
    let mut owner = connected(&empty_database().await).await;
    bring_up(&mut owner).await.unwrap();
    let newer = newest() + 1;
    run(
        &mut owner,
        &format!(
            "update frontdesk.applied_functions set schema_version = {newer} where name = 'touch';
             update frontdesk.applied_functions set hash = '\\x00' where name = 'closes'"
        ),
    )
    .await;
    let before = (asked(&mut owner, MADE).await, asked(&mut owner, EVERYTHING).await);
    let error = format!("{:#}", bring_up(&mut owner).await.unwrap_err());
    assert!(error.contains(&format!("touch is of a newer program (migration {newer})")), "{error}");
    assert_eq!((asked(&mut owner, MADE).await, asked(&mut owner, EVERYTHING).await), before);
}

#[tokio::test]
async fn migrations_and_functions_come_as_a_whole_or_not_at_all() {
    let mut owner = connected(&empty_database().await).await;
    up_to(8).run(&mut owner).await.unwrap();
    let odd = "drop function frontdesk.redact_once(text); create function frontdesk.redact_once(input text) returns int language sql as 'select 1'";
    run(&mut owner, odd).await;
    let error = format!("{:#}", bring_up(&mut owner).await.unwrap_err());
    assert!(error.contains("the function redact_once cannot be made"), "{error}");
    let versions = "select max(version)::text || ' ' || (to_regclass('frontdesk.applied_functions') is null) from _sqlx_migrations";
    assert_eq!(asked(&mut owner, versions).await, ["8 true"]);
    run(&mut owner, "drop function frontdesk.redact_once(text)").await;
    bring_up(&mut owner).await.unwrap();
    assert_eq!(asked(&mut owner, versions).await, [format!("{} false", newest())]);
}

#[tokio::test]
async fn programs_that_start_at_once_bring_one_database_up_one_after_the_other() {
    let database = empty_database().await;
    let (mut one, mut other) = (connected(&database).await, connected(&database).await);
    let (first, second) = tokio::join!(bring_up(&mut one), bring_up(&mut other));
    first.unwrap();
    second.unwrap();
    assert_eq!(asked(&mut one, EVERYTHING).await, asked(&mut Desk::open().await.sql().await, EVERYTHING).await);
}
