//! What stands against an undo: later changes that depend on what would be undone. They are named, so that somebody can
//! look at them and undo them first.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::lines::{Footprint, Line, RowKey, footprints};
use super::refusals::cannot_undo;
use crate::error::{Error, Later, Result};
use crate::tx::Tx;

/// So many later changes are named.
const NAMED: usize = 50;

/// A line of a call that is not among those to be undone.
struct Foreign {
    call_id: Uuid,
    table: String,
    row_id: Uuid,
    line: i64,
    change: String,
    fields: Vec<String>,
    at: DateTime<Utc>,
    action: String,
    actor: String,
    /// 0 if the call holds, 1 if it is an undo that holds, which came to nothing together with what it took back, 2 if it is
    /// undone itself.
    settled: i32,
    /// Of an undo: the first line about the row that it took back.
    reaches: Option<i64>,
}

/// The call to name among these: one that holds, or else an undo that does; the newest of its kind. An undo of what came after
/// `since` came to nothing together with that, so one that reaches further back is what made the difference.
fn to_name<'f>(lines: impl Iterator<Item = &'f Foreign>, since: i64) -> Option<&'f Foreign> {
    lines.min_by_key(|line| (line.settled, line.reaches.is_some_and(|first| first > since), -line.line))
}

impl Foreign {
    fn touches(&self, field: &str) -> bool {
        self.change != "updated" || self.fields.iter().any(|known| known == field)
    }

    fn to_words(&self, how: &'static str, fields: Vec<String>) -> Later {
        Later {
            settled: self.settled,
            at: self.at,
            call_id: self.call_id,
            action: self.action.clone(),
            actor: self.actor.clone(),
            how,
            data_type: self.table.clone(),
            id: self.row_id,
            fields,
        }
    }
}

/// Refuses if anything was changed since that depends on what the calls did.
pub(super) async fn refuse_changed_since(calls: &[Uuid], lines: &[Line], tx: &mut Tx<'_>) -> Result<()> {
    let rows = footprints(lines);
    let now = rows_now(rows.keys(), tx).await?;
    let foreign = foreign_lines(calls, &rows, tx).await?;
    let mut later = changed(&rows, &now, &foreign, &unlogged(tx).await?)?;
    later.extend(referring(&rows, tx).await?);
    later.extend(gone(&rows, tx).await?);
    match later.is_empty() {
        true => Ok(()),
        false => Err(changed_since(later)),
    }
}

fn changed_since(later: BTreeSet<Later>) -> Error {
    let mut later: Vec<Later> = later.into_iter().collect();
    later.sort_by_key(|later| (later.settled, std::cmp::Reverse((later.at, later.call_id))));
    later.truncate(NAMED);
    Error::ChangedSince(later)
}

/// The rows as they are, locked until the end of the call.
async fn rows_now<'k>(
    rows: impl Iterator<Item = &'k RowKey>,
    tx: &mut Tx<'_>,
) -> Result<HashMap<RowKey, Map<String, Value>>> {
    // In the order of the map: two calls that lock the same rows lock them in the same order.
    let (tables, ids): (Vec<String>, Vec<Uuid>) = rows.cloned().unzip();
    let found = sqlx::query!(
        r#"
        select t.table_name as "table!", t.row_id as "id!", frontdesk.row_now(t.table_name, t.row_id) as now
        from unnest($1::text[], $2::uuid[]) as t (table_name, row_id)
        "#,
        &tables,
        &ids
    )
    .fetch_all(tx.db())
    .await?;
    let there = found.into_iter().filter_map(|row| match row.now {
        Some(Value::Object(members)) => Some(((row.table, row.id), members)),
        _ => None,
    });
    Ok(there.collect())
}

async fn unlogged(tx: &mut Tx<'_>) -> Result<HashMap<String, Vec<String>>> {
    let tables =
        sqlx::query!(r#"select table_name as "name!", unlogged as "unlogged!" from frontdesk.logged_tables()"#);
    let tables = tables.fetch_all(tx.db()).await?;
    Ok(tables.into_iter().map(|table| (table.name, table.unlogged)).collect())
}

/// What others did to these rows since, oldest first.
async fn foreign_lines(
    calls: &[Uuid],
    rows: &BTreeMap<RowKey, Footprint>,
    tx: &mut Tx<'_>,
) -> Result<HashMap<RowKey, Vec<Foreign>>> {
    let org_id = tx.org_id();
    let ids: Vec<Uuid> = rows.keys().map(|(_, id)| *id).collect();
    let first = rows.values().map(Footprint::first_line).min().unwrap_or_default();
    let found = sqlx::query_as!(
        Foreign,
        r#"
        select r.call_id, r.table_name as table, r.row_id, r.id as line, r.change, r.at,
               array(select jsonb_object_keys(coalesce(r.new_values, '{}'))) as "fields!",
               coalesce(c.action, '') as "action!", coalesce(c.caller_name, '') as "actor!",
               frontdesk.settled(r.call_id) as "settled!",
               (select min(l.id)
                from undone_calls u
                join row_log l on l.org_id = $1 and l.call_id = u.call_id and l.row_id = r.row_id
                where u.org_id = $1 and u.undo_call_id = r.call_id) as reaches
        from row_log r
        left join call_log c on c.org_id = $1 and c.id = r.call_id
        where r.org_id = $1 and r.row_id = any($2) and r.id > $3 and r.call_id <> all($4)
        order by r.id
        "#,
        org_id,
        &ids,
        first,
        calls
    )
    .fetch_all(tx.db())
    .await?;
    let mut by_row: HashMap<RowKey, Vec<Foreign>> = HashMap::new();
    for line in found {
        by_row.entry((line.table.clone(), line.row_id)).or_default().push(line);
    }
    Ok(by_row)
}

/// Rows that are not as the calls left them, or whose fields others have touched since.
fn changed(
    rows: &BTreeMap<RowKey, Footprint>,
    now: &HashMap<RowKey, Map<String, Value>>,
    foreign: &HashMap<RowKey, Vec<Foreign>>,
    unlogged: &HashMap<String, Vec<String>>,
) -> Result<BTreeSet<Later>> {
    let mut later = BTreeSet::new();
    for (key, row) in rows {
        let others = foreign.get(key).map(Vec::as_slice).unwrap_or_default();
        let since = |change: &'static str| {
            others.iter().filter(move |line| line.change == change && line.line > row.first_line())
        };
        match (row.exists, now.get(key)) {
            (false, None) => {}
            (false, Some(_)) => {
                let again = to_name(since("created"), row.first_line());
                later.insert(again.ok_or_else(|| unexplained(key))?.to_words("made", Vec::new()));
            }
            (true, None) => {
                let end = to_name(since("deleted"), row.first_line());
                later.insert(end.ok_or_else(|| unexplained(key))?.to_words("deleted", Vec::new()));
            }
            (true, Some(now)) => {
                let unlogged = unlogged.get(&key.0).map(Vec::as_slice).unwrap_or_default();
                later.extend(touched(key, row, now, others, unlogged)?);
            }
        }
    }
    Ok(later)
}

/// The changes of fields that the calls had changed. A change that was undone again counts only if the field is not as the
/// calls left it all the same.
fn touched(
    key: &RowKey,
    row: &Footprint,
    now: &Map<String, Value>,
    others: &[Foreign],
    unlogged: &[String],
) -> Result<Vec<Later>> {
    let mut by_line: BTreeMap<i64, (&Foreign, Vec<String>)> = BTreeMap::new();
    for field in row.fields(now, unlogged) {
        let since = |line: &&Foreign| line.touches(field) && row.was_touched_before(field, line.line);
        let is_as_left = now.get(field).unwrap_or(&Value::Null) == row.left.get(field).unwrap_or(&Value::Null);
        let found = to_name(others.iter().filter(since), row.first_line());
        let found = match is_as_left {
            true => found.filter(|line| line.settled == 0),
            false => Some(found.ok_or_else(|| unexplained(key))?),
        };
        if let Some(line) = found {
            by_line.entry(line.line).or_insert((line, Vec::new())).1.push(field.clone());
        }
    }
    Ok(by_line.into_values().map(|(line, fields)| line.to_words("changed", fields)).collect())
}

fn unexplained((table, id): &RowKey) -> Error {
    cannot_undo(
        format!(
            "The row {id} of {} is not as this call left it, and the trail does not tell why.",
            table.replace('_', " ")
        ),
        "Look at the record and change it by hand.",
    )
}

/// What others made refer to rows that would be gone: a note that somebody has added to a contact since.
async fn referring(rows: &BTreeMap<RowKey, Footprint>, tx: &mut Tx<'_>) -> Result<BTreeSet<Later>> {
    let mut vanishing: BTreeMap<&str, Vec<Uuid>> = BTreeMap::new();
    for ((table, id), _) in rows.iter().filter(|(_, row)| !row.existed && row.exists) {
        vanishing.entry(table).or_default().push(*id);
    }
    let mut later = BTreeSet::new();
    for (table, ids) in vanishing {
        let found = sqlx::query!(
            r#"
            select table_name as "table!", column_name as "column!", row_id as "row_id!", refers_to as "refers_to!"
            from frontdesk.referring($1, $2)
            "#,
            table,
            &ids
        )
        .fetch_all(tx.db())
        .await?;
        for found in found {
            let own = rows.get(&(found.table.clone(), found.row_id));
            let to = Value::from(found.refers_to.to_string());
            let goes = own.is_some_and(|row| !row.existed || row.before.get(&found.column).is_some_and(|id| *id != to));
            if !goes && later.len() < NAMED {
                let since = rows.get(&(table.to_string(), found.refers_to)).map_or(0, Footprint::first_line);
                let key = (found.table, found.row_id);
                later.insert(last_line(&key, Some((&found.column, &to)), since, tx).await?);
            }
        }
    }
    Ok(later)
}

/// What restored rows refer to and others have deleted since: the contact of a note.
async fn gone(rows: &BTreeMap<RowKey, Footprint>, tx: &mut Tx<'_>) -> Result<BTreeSet<Later>> {
    let references = sqlx::query!(
        r#"
        select table_name as "table!", column_name as "column!", target as "target!"
        from frontdesk.logged_references()
        "#
    )
    .fetch_all(tx.db())
    .await?;
    let mut needed: BTreeSet<RowKey> = BTreeSet::new();
    for ((table, _), row) in rows.iter().filter(|(_, row)| row.existed) {
        for reference in references.iter().filter(|reference| reference.table == *table) {
            let id = row.before.get(&reference.column).and_then(Value::as_str).and_then(|id| id.parse().ok());
            needed.extend(id.map(|id| (reference.target.clone(), id)));
        }
    }
    needed.retain(|key| rows.get(key).is_none_or(|row| !row.existed));
    let there = rows_now(needed.iter(), tx).await?;
    let since = rows.values().map(Footprint::first_line).min().unwrap_or_default();
    let mut later = BTreeSet::new();
    for key in needed.iter().filter(|key| !there.contains_key(*key)).take(NAMED) {
        later.insert(last_line(key, None, since, tx).await?);
    }
    Ok(later)
}

/// The line after `since` that deleted a row, or that set a field of it to a value. One of a call that holds, if there is any.
async fn last_line(key: &RowKey, set: Option<(&str, &Value)>, since: i64, tx: &mut Tx<'_>) -> Result<Later> {
    let how = if set.is_some() { "refers" } else { "deleted" };
    let (org_id, (table, id), (column, value)) = (tx.org_id(), key, set.unzip());
    let line = sqlx::query!(
        r#"
        select r.call_id, r.at, coalesce(c.action, '') as "action!", coalesce(c.caller_name, '') as "actor!",
               frontdesk.settled(r.call_id) as "settled!"
        from row_log r
        left join call_log c on c.org_id = $1 and c.id = r.call_id
        where r.org_id = $1 and r.row_id = $2 and r.table_name = $3 and r.id > $6
          and ($4::text is null or r.new_values -> $4 = $5::jsonb) and ($4::text is not null or r.change = 'deleted')
        order by frontdesk.settled(r.call_id), r.id desc
        limit 1
        "#,
        org_id,
        id,
        table,
        column,
        value,
        since
    )
    .fetch_optional(tx.db())
    .await?
    .ok_or_else(|| unexplained(key))?;
    let fields = column.map(str::to_string).into_iter().collect();
    let (settled, at, call_id, action, actor) = (line.settled, line.at, line.call_id, line.action, line.actor);
    Ok(Later { settled, at, call_id, action, actor, how, data_type: table.clone(), id: *id, fields })
}

/// What somebody else's later change makes impossible although no row of the calls was touched: another phone is the
/// primary one by now. The constraint says what, and later changes of the same records say who.
pub(super) async fn standing_against(
    calls: &[Uuid],
    lines: &[Line],
    constraint: Error,
    tx: &mut Tx<'_>,
) -> Result<Error> {
    let org_id = tx.org_id();
    let first = lines.iter().map(|line| line.id).min().unwrap_or_default();
    let tables: BTreeSet<&str> = lines.iter().map(|line| line.table.as_str()).collect();
    let tables: Vec<String> = tables.into_iter().map(str::to_string).collect();
    let records: BTreeSet<Uuid> =
        lines.iter().flat_map(|line| [Some(line.row_id), line.subject, line.part_of]).flatten().collect();
    let records: Vec<Uuid> = records.into_iter().collect();
    let found = sqlx::query!(
        r#"
        select distinct r.call_id, r.at, c.action, c.caller_name as actor, r.table_name as table, r.row_id,
               frontdesk.settled(r.call_id) as "settled!"
        from row_log r
        join call_log c on c.org_id = $1 and c.id = r.call_id
        where r.org_id = $1 and r.id > $2 and r.table_name = any($3) and r.call_id <> all($5)
          and (r.subject_contact_id = any($4) or r.row_id = any($4) or r.record_id = any($4))
          and frontdesk.settled(r.call_id) < 2
        order by r.at desc
        limit 50
        "#,
        org_id,
        first,
        &tables,
        &records,
        calls
    )
    .fetch_all(tx.db())
    .await?;
    let later: BTreeSet<Later> = found
        .into_iter()
        .map(|line| Later {
            settled: line.settled,
            at: line.at,
            call_id: line.call_id,
            action: line.action,
            actor: line.actor,
            how: "changed",
            data_type: line.table,
            id: line.row_id,
            fields: Vec::new(),
        })
        .collect();
    Ok(match later.is_empty() {
        true => cannot_undo(
            format!("It cannot be as it was before: {}", constraint.message()),
            "Change what stands against it, or do by hand what is still wanted.",
        ),
        false => changed_since(later),
    })
}
