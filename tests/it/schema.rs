//! What pg_catalog says of the schema: that no table escaped row security, the row log and the rules for growing.

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use uuid::Uuid;

use crate::desk::{Desk, fresh};
use crate::layers::none;

/// Tables without versions: logs, what a call leaves beside its rows, and what triggers derive from other tables.
const KERNEL: &[&str] = &[
    "authorizations",
    "call_log",
    "contact_search",
    "contact_tags",
    "errands",
    "idempotency_keys",
    "jobs",
    "note_search",
    "row_log",
    "search_words",
    "security_events",
    "sessions",
    "sign_in_links",
    "undone_calls",
];
/// The functions that look beyond row security.
const DEFINERS: &[&str] = &[
    "agent_by_name",
    "agent_by_token",
    "forget_calls",
    "log_row",
    "org_ids",
    "orgs_with_errands",
    "orgs_with_jobs",
    "user_by_session",
    "users_by_email",
    "work_counts",
];

/// The ordinary tables of the product.
const TABLES: &str = "select c.* from pg_class c \
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relname <> '_sqlx_migrations'";

/// The names a question of the catalog is answered with. `TABLES` in it stands for the product's tables.
async fn names(question: &str) -> Vec<String> {
    let question = question.replace("TABLES", &format!("({TABLES})"));
    let mut owner = Desk::open().await.sql().await;
    sqlx::query_scalar(AssertSqlSafe(question)).fetch_all(&mut owner).await.unwrap()
}

#[tokio::test]
async fn every_table_is_isolated_and_forced_to_be() {
    let tables = names("select relname::text from TABLES c").await;
    assert!(tables.len() > KERNEL.len(), "{tables:?}");
    none(&names("select relname::text from TABLES c where not (relrowsecurity and relforcerowsecurity)").await);
}

#[tokio::test]
async fn every_table_has_exactly_the_tenants_policy_and_the_owners() {
    let wrong = "select c.relname || ': ' || coalesce(string_agg(p.policy, '; ' order by p.policy), 'none') from TABLES c \
         left join lateral (select concat_ws(' ', polname, polcmd, polpermissive, polroles::regrole[], \
             pg_get_expr(polqual, polrelid), '/', pg_get_expr(polwithcheck, polrelid)) as policy \
           from pg_policy where polrelid = c.oid) p on true \
         group by c.relname, c.relowner \
         having array_agg(p.policy order by p.policy) is distinct from array[ \
           format('owner_all * t {%s} true / true', c.relowner::regrole), \
           'tenant * t {frontdesk_app} (org_id = frontdesk.org_id()) / (org_id = frontdesk.org_id())']";
    none(&names(wrong).await);
}

#[tokio::test]
async fn the_organization_comes_first_in_every_primary_key() {
    let wrong = "select c.relname::text from TABLES c where not exists ( \
           select 1 from pg_attribute a join pg_index i on i.indrelid = c.oid and i.indisprimary \
           where a.attrelid = c.oid and a.attname = 'org_id' and a.atttypid = 'uuid'::regtype and a.attnotnull \
             and i.indkey[0] = a.attnum)";
    none(&names(wrong).await);
}

#[tokio::test]
async fn the_organization_leads_whatever_is_unique() {
    let wrong = "select i.indexrelid::regclass::text from TABLES c join pg_index i on i.indrelid = c.oid \
         where (i.indisunique or i.indisexclusion) and not exists (select 1 from pg_attribute a \
           where a.attrelid = c.oid and a.attnum = i.indkey[0] and a.attname = 'org_id')";
    none(&names(wrong).await);
}

#[tokio::test]
async fn every_foreign_key_carries_the_organization() {
    let keys = "select f.conname::text from pg_constraint f join TABLES c on c.oid = f.conrelid where f.contype = 'f'";
    assert!(!names(keys).await.is_empty());
    let led = |table: &str, key: &str| {
        format!(
            "exists (select 1 from pg_attribute a where a.attrelid = f.{table} and a.attnum = f.{key}[1] and a.attname = 'org_id')"
        )
    };
    let wrong = format!(
        "{keys} and not (array_length(f.conkey, 1) > 1 and {} and {})",
        led("conrelid", "conkey"),
        led("confrelid", "confkey")
    );
    none(&names(&wrong).await);
}

#[tokio::test]
async fn every_foreign_key_has_an_index_that_begins_with_its_columns() {
    let wrong = "select f.conname::text from pg_constraint f join TABLES c on c.oid = f.conrelid \
         where f.contype = 'f' and not exists (select 1 from pg_index i \
           where i.indrelid = c.oid and i.indpred is null and i.indisvalid and i.indkey[0] = f.conkey[1] \
             and (i.indkey::int2[])[0:array_length(f.conkey, 1) - 1] @> f.conkey)";
    none(&names(wrong).await);
}

#[tokio::test]
async fn no_constraint_is_deferrable_and_no_reference_is_set_to_null() {
    let wrong = "select f.conname::text from pg_constraint f join TABLES c on c.oid = f.conrelid \
         where f.condeferrable or f.confdeltype in ('n', 'd') or f.confupdtype in ('c', 'n', 'd')";
    none(&names(wrong).await);
}

#[tokio::test]
async fn every_constraint_says_in_a_sentence_of_its_own_what_it_demands() {
    let constraints = "select f.conname::text from pg_constraint f join TABLES c on c.oid = f.conrelid \
         left join pg_description d on d.objoid = f.oid and d.classoid = 'pg_constraint'::regclass \
         where f.contype in ('c', 'f', 'u', 'x')";
    assert!(!names(constraints).await.is_empty());
    none(&names(&format!("{constraints} and coalesce(d.description, '') !~ '^[A-Z].*[^ ][.]$'")).await);
    // Errors find the sentence by the constraint's name alone.
    none(&names(&format!("{constraints} group by f.conname having count(*) > 1")).await);
}

#[tokio::test]
async fn every_table_with_versions_counts_them_and_logs_its_rows() {
    let versioned = "select c.relname::text from TABLES c join pg_attribute v \
         on v.attrelid = c.oid and v.attname = 'version' and not v.attisdropped";
    assert!(names(versioned).await.contains(&"contacts".to_string()));
    // By pg_trigger.tgtype: for each row 1, before 2, insert 4, delete 8, update 16.
    let trigger = |name: &str, kind: i32| {
        format!(
            "exists (select 1 from pg_trigger t where t.tgrelid = c.oid and t.tgname = '{name}' and t.tgenabled = 'O' \
             and t.tgqual is null and t.tgattr = '' and t.tgtype = {kind} \
             and t.tgfoid = (select p.oid from pg_proc p where p.proname = '{name}' \
                             and p.pronamespace = 'frontdesk'::regnamespace))"
        )
    };
    let wrong = format!("{versioned} where not ({} and {})", trigger("touch", 19), trigger("log_row", 29));
    none(&names(&wrong).await);
    let named = format!(
        "{versioned} join pg_trigger t on t.tgrelid = c.oid and t.tgname = 'log_row' \
         where split_part(encode(t.tgargs, 'escape'), E'\\\\000', 1) <> c.relname"
    );
    none(&names(&named).await);
}

#[tokio::test]
async fn the_tables_without_versions_are_the_kernels_own() {
    let unversioned = "select c.relname::text from TABLES c where not exists (select 1 from pg_attribute v \
         where v.attrelid = c.oid and v.attname = 'version' and not v.attisdropped) order by 1";
    assert_eq!(names(unversioned).await, KERNEL);
}

#[tokio::test]
async fn what_is_secret_or_computed_is_not_logged() {
    let logged = "select c.relname || '.' || a.attname from TABLES c \
         join pg_trigger t on t.tgrelid = c.oid and t.tgname = 'log_row' \
         join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
         where (a.atttypid = 'bytea'::regtype or a.attgenerated <> '' or a.attname in ('version', 'updated_at')) \
           and not a.attname = any (string_to_array(split_part(encode(t.tgargs, 'escape'), E'\\\\000', 2), ','))";
    none(&names(logged).await);
}

#[tokio::test]
async fn what_is_kept_from_somebody_is_there_and_the_service_only_reads_it() {
    let gone = "select concat_ws(' ', k.whom, k.table_name, k.column_name) from frontdesk.kept_from k \
         where not exists (select 1 from TABLES c join pg_attribute a on a.attrelid = c.oid and not a.attisdropped \
           where c.relname = k.table_name and a.attname = coalesce(k.column_name, 'org_id'))";
    none(&names(gone).await);
    let kept = "select concat_ws(' ', whom, table_name, column_name) from frontdesk.kept_from order by 1";
    let kept = names(kept).await;
    for one in ["agents users email", "undo agents", "undo orgs frozen_at", "undo rules", "undo users"] {
        assert!(kept.iter().any(|known| known == one), "{one} of {kept:?}");
    }
    let readers = "select a.grantee::regrole || ' ' || lower(a.privilege_type) from pg_class c, aclexplode(c.relacl) a \
         where c.oid = 'frontdesk.kept_from'::regclass and a.grantee <> c.relowner";
    assert_eq!(names(readers).await, ["frontdesk_app select"]);
}

#[tokio::test]
async fn lines_of_the_row_log_carry_what_their_table_is_made_of() {
    let wrong = "select c.relname || ': end the migration with select frontdesk.columns_changed(''' || c.relname || ''')' \
         from TABLES c join frontdesk.logged_tables() l on l.table_name = c.relname \
         where l.schema_version is distinct from frontdesk.schema_version(c.oid::regclass)";
    none(&names(wrong).await);
}

#[tokio::test]
async fn the_services_login_owns_nothing_and_is_nobody_else() {
    let able = "select rolname::text from pg_roles where rolname = 'frontdesk_app' \
         and (rolsuper or rolbypassrls or rolinherit or rolcreaterole or rolcreatedb or rolreplication)";
    none(&names(able).await);
    let member = "select roleid::regrole::text from pg_auth_members \
         where member = 'frontdesk_app'::regrole or roleid = 'frontdesk_app'::regrole";
    none(&names(member).await);
    let owned = "select classid::regclass || ' ' || objid from pg_shdepend where deptype = 'o' \
         and refclassid = 'pg_authid'::regclass and refobjid = 'frontdesk_app'::regrole \
         and dbid in (0, (select oid from pg_database where datname = current_database()))";
    none(&names(owned).await);
    let makes = "select nspname::text from pg_namespace \
         where nspname in ('public', 'frontdesk') and has_schema_privilege('frontdesk_app', oid, 'create')";
    none(&names(makes).await);
}

#[tokio::test]
async fn the_service_can_add_to_the_logs_and_never_change_them() {
    let rights = |rights: &str| {
        format!(
            "select c.relname || ' ' || r from TABLES c, unnest(string_to_array('{rights}', ',')) r \
             where has_table_privilege('frontdesk_app', c.oid, r)"
        )
    };
    let logs = "('call_log', 'row_log', 'security_events', 'undone_calls')";
    none(&names(&format!("{} and c.relname in {logs}", rights("update,delete"))).await);
    none(&names(&format!("{} and c.relname = 'row_log'", rights("insert"))).await);
    assert_eq!(names(&format!("{} and c.relname = 'call_log'", rights("insert"))).await, ["call_log insert"]);
    none(&names(&rights("truncate,references,trigger")).await);
    none(&names("select relname::text from TABLES c, aclexplode(c.relacl) a where a.grantee = 0").await);
}

#[tokio::test]
async fn the_functions_that_look_beyond_row_security_are_these_and_pin_their_search_path() {
    let ours = "from pg_proc p join pg_namespace n on n.oid = p.pronamespace \
         where p.prosecdef and n.nspname !~ '^pg_|^information_schema$'";
    // Temporary tables last: a caller could make one that is called like one of ours.
    let pinned = "'search_path=pg_catalog, public, pg_temp' = any (coalesce(p.proconfig, '{}'))";
    none(&names(&format!("select p.proname::text {ours} and not {pinned}")).await);
    assert_eq!(names(&format!("select p.proname::text {ours} order by 1")).await, DEFINERS);
}

#[tokio::test]
async fn no_function_notifies() {
    let loud = "select p.proname::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace \
         where n.nspname = 'frontdesk' and p.prosrc ~* '\\mnotify\\M|pg_notify'";
    none(&names(loud).await);
}

#[tokio::test]
async fn who_may_not_use_the_schema_can_call_none_of_its_functions() {
    let users = "select a.grantee::regrole::text from pg_namespace n, aclexplode(n.nspacl) a \
         where n.nspname = 'frontdesk' and a.privilege_type = 'USAGE' and a.grantee <> n.nspowner";
    assert_eq!(names(users).await, ["frontdesk_app"]);
    let mut owner = Desk::open().await.sql().await;
    let mut trial = owner.begin().await.unwrap();
    let role = format!("passer_by_{}", fresh());
    let enter = format!("create role {role} nologin; set local role {role}; savepoint here");
    sqlx::raw_sql(AssertSqlSafe(enter)).execute(&mut *trial).await.unwrap();
    for call in ["frontdesk.org_ids()", "frontdesk.agent_by_token(null, null)", "frontdesk.redact('')"] {
        let error = sqlx::query(AssertSqlSafe(format!("select {call}"))).execute(&mut *trial).await.unwrap_err();
        assert!(error.to_string().contains("permission denied for schema frontdesk"), "{call}: {error}");
        sqlx::raw_sql("rollback to here").execute(&mut *trial).await.unwrap();
    }
    trial.rollback().await.unwrap();
}

#[tokio::test]
async fn the_search_views_show_an_organization_its_own_rows_and_are_the_only_ones_beyond_row_security() {
    let views = "select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace \
         where c.relkind in ('v', 'm') and n.nspname !~ '^pg_|^information_schema$' \
           and not coalesce(c.reloptions @> '{security_invoker=true}', false) \
           and not exists (select 1 from pg_depend d where d.objid = c.oid and d.deptype = 'e') order by 1";
    let search = ["contact_search", "note_search", "search_words"];
    assert_eq!(names(views).await, search.map(|name| format!("frontdesk.{name}")));
    for name in search {
        let view = format!(
            "select c.relkind::text || ' ' || (c.relowner = t.relowner) || ' ' || coalesce(c.reloptions::text, '-') \
             from pg_class c join pg_class t on t.oid = 'public.{name}'::regclass where c.oid = 'frontdesk.{name}'::regclass"
        );
        assert_eq!(names(&view).await, ["v true -"], "{name}: the owner's own, without security_invoker");
        // Some versions write the table before every column.
        let restricted =
            format!("select regexp_replace(pg_get_viewdef('frontdesk.{name}'::regclass), '\\s+', ' ', 'g')");
        let definition = names(&restricted).await.remove(0).replace(&format!("{name}."), "").replace("public.", "");
        assert!(definition.ends_with(&format!(" FROM {name} WHERE (org_id = frontdesk.org_id());")), "{definition}");
        let readers = format!(
            "select a.grantee::regrole || ' ' || lower(a.privilege_type) from pg_class c, aclexplode(c.relacl) a \
             where c.oid = 'frontdesk.{name}'::regclass and a.grantee <> c.relowner"
        );
        assert_eq!(names(&readers).await, ["frontdesk_app select"], "{name}");
    }
}

#[tokio::test]
async fn indexes_hold_only_what_row_security_lets_them_serve() {
    let enums = "select t.typname::text from pg_type t join pg_namespace n on n.oid = t.typnamespace \
         where (t.typtype = 'e' or t.typname = 'citext') and n.nspname !~ '^pg_|^information_schema$'";
    none(&names(enums).await);
    // `proleakproof` of their comparisons; bytea's are leakproof, so tokens are found by their hash.
    let leaking = "select i.indexrelid::regclass || '.' || a.attname from TABLES c \
         join pg_index i on i.indrelid = c.oid join pg_attribute a on a.attrelid = i.indexrelid \
         where a.atttypid in ('numeric'::regtype, 'jsonb'::regtype)";
    none(&names(leaking).await);
    let computed = "select i.indexrelid::regclass::text from TABLES c join pg_index i on i.indrelid = c.oid \
         where i.indexprs is not null or not i.indisvalid";
    none(&names(computed).await);
}

/// A desk in which every table that a contact touches has a row.
async fn furnished() -> (Desk, String) {
    let desk = Desk::open().await;
    let more = json!({
        "emails": [{"email": "jane@example.com"}], "phones": [{"phone": "256-555-0100"}], "tags": ["vip"],
        "addresses": [{"street": "123 Main Street", "city": "Madison"}], "notes": ["Beware of the dog."]
    });
    let contact = desk.agent().await.contact("Jane", more).await;
    (desk, contact)
}

async fn refused(connection: &mut PgConnection, statement: String) -> String {
    match sqlx::raw_sql(AssertSqlSafe(statement.clone())).execute(connection).await {
        Ok(done) => panic!("must be refused: {statement}: {done:?}"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn nobody_changes_a_row_outside_a_call() {
    let (desk, contact) = furnished().await;
    let tables = names(
        "select c.relname::text from TABLES c join pg_trigger t on t.tgrelid = c.oid where t.tgname = 'log_row' order by 1",
    );
    let (before, mut owner, mut tried) = (desk.state().await, desk.sql().await, Vec::new());
    for table in tables.await {
        if desk.count(&table).await == 0 {
            continue;
        }
        let (org, unlogged) = (desk.org, "rows change only inside a call");
        let update = format!("update {table} set created_at = created_at + interval '1 day' where org_id = '{org}'");
        let error = refused(&mut owner, update).await;
        assert!(error.contains(&format!("{unlogged} (update on {table})")), "{table}: {error}");
        let error = refused(&mut owner, format!("delete from {table} where org_id = '{org}'")).await;
        assert!(error.contains(unlogged), "{table}: {error}");
        tried.push(table);
    }
    let touched = ["addresses", "agents", "contact_emails", "contact_phones", "contacts", "notes", "orgs"];
    assert!(touched.iter().all(|table| tried.iter().any(|tried| tried == table)), "{tried:?}");
    let insert = format!(
        "insert into notes (org_id, id, contact_id, content, author_kind, author_name, source, created_at, updated_at) \
         values ('{}', '{contact}', '{contact}', 'x', 'system', 'x', 'x', now(), now())",
        desk.org
    );
    assert!(refused(&mut owner, insert).await.contains("rows change only inside a call (insert on notes)"));
    assert_eq!(desk.state().await, before);
}

#[tokio::test]
async fn without_an_organization_the_service_sees_and_writes_nothing() {
    let (desk, contact) = furnished().await;
    let tables = names("select c.relname::text from TABLES c").await;
    let mut service = desk.sql().await;
    sqlx::raw_sql("set session authorization frontdesk_app").execute(&mut service).await.unwrap();
    let before = desk.state().await;
    for round in ["on a fresh connection", "after a transaction that had one"] {
        for table in &tables {
            let count = format!("select count(*) from {table}");
            let seen: i64 = sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&mut service).await.unwrap();
            assert_eq!(seen, 0, "{table} {round}");
        }
        let found: i64 =
            sqlx::query_scalar("select count(*) from frontdesk.contact_search").fetch_one(&mut service).await.unwrap();
        assert_eq!(found, 0, "the search view {round}");
        let changed = sqlx::query("update contacts set given_name = 'X'").execute(&mut service).await.unwrap();
        assert_eq!(changed.rows_affected(), 0, "{round}");
        let insert = format!(
            "insert into contact_tags (org_id, contact_id, tag) values ('{}', '{contact}', 'unwanted')",
            desk.org
        );
        let error = refused(&mut service, insert).await;
        assert!(error.contains("violates row-level security policy"), "{round}: {error}");
        let within = format!("begin; select frontdesk.begin_call('{}', '{}', now()); commit", desk.org, Uuid::nil());
        sqlx::raw_sql(AssertSqlSafe(within)).execute(&mut service).await.unwrap();
    }
    assert_eq!(desk.state().await, before);
}

#[tokio::test]
async fn within_a_call_the_service_writes_for_its_own_organization_only() {
    let ((desk, contact), other) = (furnished().await, Desk::open().await);
    let mut service = desk.sql().await;
    let begin = format!(
        "set session authorization frontdesk_app; begin; select frontdesk.begin_call('{}', '{}', now()); savepoint here",
        other.org,
        Uuid::nil()
    );
    sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut service).await.unwrap();
    let seen: i64 = sqlx::query_scalar("select count(*) from contacts").fetch_one(&mut service).await.unwrap();
    assert_eq!(seen, 0, "contacts of another organization");
    let smuggle =
        format!("insert into contact_tags (org_id, contact_id, tag) values ('{}', '{contact}', 'unwanted')", desk.org);
    assert!(refused(&mut service, smuggle).await.contains("violates row-level security policy"));
    sqlx::raw_sql("rollback to here").execute(&mut service).await.unwrap();
    let moved = format!("update orgs set org_id = '{}', id = '{}'", desk.org, desk.org);
    assert!(refused(&mut service, moved).await.contains("violates row-level security policy"));
}
