//! Which tables a backup holds, in which order and with which columns: as the catalog says, not as a list here would.

use std::collections::BTreeSet;

use anyhow::{bail, ensure};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnection;

/// A backup must not be a bundle of live logins: people sign in again after a restore. What an agent's token is checked
/// against stays, because agents cannot. Said here, because the database may be of an older schema.
const LEFT_OUT: [&str; 2] = ["sessions", "sign_in_links"];

/// A table as a backup holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Table {
    pub name: String,
    /// Without generated ones, which the database computes again.
    pub columns: Vec<String>,
    /// The columns its rows are in the order of.
    pub key: Vec<String>,
}

impl Table {
    /// As a statement names it.
    pub(super) fn quoted(&self) -> String {
        format!("public.{}", quoted(&self.name))
    }

    /// In the order of the key, so that two backups of the same rows are the same.
    pub(super) fn copy_out(&self) -> String {
        let order = if self.key.is_empty() { String::new() } else { format!(" order by {}", list(&self.key)) };
        format!("copy (select {} from {}{order}) to stdout", list(&self.columns), self.quoted())
    }

    pub(super) fn copy_in(&self) -> String {
        format!("copy {} ({}) from stdin", self.quoted(), list(&self.columns))
    }
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What a column of ascending numbers has given out last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counter {
    pub table: String,
    pub column: String,
    /// None before its first number.
    pub last: Option<i64>,
}

/// A foreign key.
#[derive(Debug)]
struct Reference {
    from: String,
    to: String,
}

/// The tables of a backup, each after those it refers to.
pub(super) async fn to_back_up(connection: &mut PgConnection) -> anyhow::Result<Vec<Table>> {
    let kept = all(connection).await?.into_iter().filter(|table| !LEFT_OUT.contains(&table.name.as_str())).collect();
    let references = sqlx::query_as!(
        Reference,
        r#"
        select distinct f.relname::text as "from!", t.relname::text as "to!"
        from pg_constraint c
        join pg_class f on f.oid = c.conrelid
        join pg_class t on t.oid = c.confrelid
        where c.contype = 'f' and f.relnamespace = 'public'::regnamespace and f.oid <> t.oid
        "#
    )
    .fetch_all(connection)
    .await?;
    in_order(kept, &references)
}

/// Every table of the product, as a login that sees all its rows.
pub(super) async fn all(connection: &mut PgConnection) -> anyhow::Result<Vec<Table>> {
    let found = sqlx::query!(
        r#"
        select c.relname::text as "name!",
               array(select a.attname::text from pg_attribute a
                     where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
                     order by a.attnum) as "columns!",
               array(select a.attname::text from pg_index i
                     cross join lateral unnest(i.indkey::int2[]) with ordinality as k (attnum, position)
                     join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
                     where i.indrelid = c.oid and i.indisprimary
                     order by k.position) as "key!",
               row_security_active(c.oid) and not exists (
                 select 1 from pg_policy p join pg_roles r on r.oid = any (p.polroles)
                 where p.polrelid = c.oid and p.polname = 'owner_all' and r.rolname = current_user) as "filtered!"
        from pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
          and c.relname <> '_sqlx_migrations'
          and not exists (select 1 from pg_depend d
                          where d.objid = c.oid and d.classid = 'pg_class'::regclass and d.deptype = 'e')
        order by 1
        "#
    )
    .fetch_all(connection)
    .await?;
    let filtered: Vec<&str> = found.iter().filter(|table| table.filtered).map(|table| table.name.as_str()).collect();
    ensure!(
        filtered.is_empty(),
        "this login does not see all rows of {}: give DATABASE_OWNER_URL the login that made the tables",
        filtered.join(", ")
    );
    Ok(found.into_iter().map(|table| Table { name: table.name, columns: table.columns, key: table.key }).collect())
}

/// Where the columns of ascending numbers are.
pub(super) async fn counters(connection: &mut PgConnection) -> anyhow::Result<Vec<Counter>> {
    let found = sqlx::query_as!(
        Counter,
        r#"
        select t.relname::text as "table!", a.attname::text as "column!", pg_sequence_last_value(s.oid) as "last"
        from pg_class s
        join pg_depend d on d.objid = s.oid and d.classid = 'pg_class'::regclass
                        and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
        join pg_class t on t.oid = d.refobjid
        join pg_attribute a on a.attrelid = t.oid and a.attnum = d.refobjsubid
        where s.relkind = 'S' and t.relnamespace = 'public'::regnamespace
        order by 1, 2
        "#
    )
    .fetch_all(connection)
    .await?;
    Ok(found)
}

/// Each table after those it refers to. A table may refer to itself: that is checked when all its rows are there.
fn in_order(mut waiting: Vec<Table>, references: &[Reference]) -> anyhow::Result<Vec<Table>> {
    let kept: BTreeSet<String> = waiting.iter().map(|table| table.name.clone()).collect();
    if let Some(lost) = references.iter().find(|key| kept.contains(&key.from) && !kept.contains(&key.to)) {
        bail!("the table {} refers to {}, which no backup holds", lost.from, lost.to);
    }
    let mut ordered: Vec<Table> = Vec::new();
    while !waiting.is_empty() {
        let names: BTreeSet<&str> = waiting.iter().map(|table| table.name.as_str()).collect();
        let ready = waiting
            .iter()
            .position(|table| !references.iter().any(|key| key.from == table.name && names.contains(key.to.as_str())));
        let Some(ready) = ready else {
            bail!("these tables refer to each other in a circle: {}", names.into_iter().collect::<Vec<_>>().join(", "));
        };
        ordered.push(waiting.remove(ready));
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> Table {
        Table { name: name.into(), columns: vec!["org_id".into(), "a \"b\"".into()], key: vec!["org_id".into()] }
    }

    fn reference(from: &str, to: &str) -> Reference {
        Reference { from: from.into(), to: to.into() }
    }

    #[test]
    fn what_is_referred_to_comes_first() {
        let tables = ["a", "b", "c", "d"].map(table).to_vec();
        let references = [reference("a", "c"), reference("c", "d"), reference("b", "c")];
        let order = in_order(tables, &references).unwrap();
        assert_eq!(order.iter().map(|table| table.name.as_str()).collect::<String>(), "dcab");
    }

    #[test]
    fn a_circle_and_a_reference_to_what_is_left_out_are_refused() {
        let circle = in_order(vec![table("a"), table("b")], &[reference("a", "b"), reference("b", "a")]);
        assert!(circle.unwrap_err().to_string().contains("in a circle: a, b"));
        let lost = in_order(vec![table("a")], &[reference("a", "sessions")]).unwrap_err().to_string();
        assert_eq!(lost, "the table a refers to sessions, which no backup holds");
    }

    #[test]
    fn names_are_quoted() {
        let table = table("notes");
        let out = r#"copy (select "org_id", "a ""b""" from public."notes" order by "org_id") to stdout"#;
        assert_eq!(table.copy_out(), out);
        assert_eq!(table.copy_in(), r#"copy public."notes" ("org_id", "a ""b""") from stdin"#);
    }
}
