//! The audit trail, read: what a call changed, field by field. The row log is written by triggers, so the preview of a
//! rehearsal and the history of a record come from the same lines.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::declare::data::{Key, Keyed, Listing, Query};
use crate::error::Result;
use crate::tx::Tx;

/// How many changes of one call a trail shows; the rest is counted.
const SHOWN: usize = 20;

/// One row that a call created, updated or deleted.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Change {
    /// The data type, or the table of a part of it.
    pub data_type: String,
    /// The row.
    pub id: Uuid,
    /// created, updated or deleted.
    pub change: String,
    /// Per field: `from` and `to`; only one of them for a created or deleted row.
    pub fields: Map<String, Value>,
}

struct Logged {
    call_id: Uuid,
    data_type: String,
    id: Uuid,
    change: String,
    old_values: Option<Value>,
    new_values: Option<Value>,
    subject: Option<Uuid>,
    /// The record it is a part of.
    record: Option<Uuid>,
}

impl Logged {
    fn change(&self) -> Change {
        let mut fields: Map<String, Value> = Map::new();
        for (side, values) in [("from", &self.old_values), ("to", &self.new_values)] {
            for (field, value) in values.as_ref().and_then(Value::as_object).into_iter().flatten() {
                fields.entry(field).or_insert_with(|| json!({}))[side] = value.clone();
            }
        }
        Change { data_type: self.data_type.clone(), id: self.id, change: self.change.clone(), fields }
    }
}

/// What these calls have changed so far, in order.
pub(crate) async fn changes_of_calls(calls: &[Uuid], tx: &mut Tx<'_>) -> Result<Vec<Change>> {
    let (org_id, to_agent) = (tx.org_id(), tx.caller().is_agent());
    let logged = sqlx::query_as!(
        Logged,
        r#"
        select l.call_id, l.table_name as data_type, l.row_id as id, l.change,
               l.old_values - coalesce(kept.columns, '{}') as old_values,
               l.new_values - coalesce(kept.columns, '{}') as new_values,
               l.subject_contact_id as subject, l.record_id as record
        from row_log l
        left join (
          select k.table_name, array_agg(k.column_name) as columns
          from frontdesk.kept_from k
          where k.whom = 'agents' and $3::bool
          group by k.table_name
        ) kept on kept.table_name = l.table_name
        where l.org_id = $1 and l.call_id = any($2)
        order by l.id
        "#,
        org_id,
        calls,
        to_agent
    )
    .fetch_all(tx.db())
    .await?;
    Ok(net(logged.iter().map(Logged::change)))
}

/// One change per row: what it was before the call and what it is after.
fn net(changes: impl Iterator<Item = Change>) -> Vec<Change> {
    let mut rows: Vec<Change> = Vec::new();
    let mut places: HashMap<(Uuid, String), usize> = HashMap::new();
    for change in changes {
        match places.entry((change.id, change.data_type.clone())) {
            Entry::Occupied(place) => follow(&mut rows[*place.get()], change),
            Entry::Vacant(place) => {
                place.insert(rows.len());
                rows.push(change);
            }
        }
    }
    rows.retain(|row| row.change != "nothing");
    rows
}

fn follow(row: &mut Change, later: Change) {
    if later.change == "deleted" {
        row.change = if row.change == "created" { "nothing".into() } else { "deleted".into() };
        // What it was before the call: what this call had changed is read from the earlier line.
        for (field, value) in later.fields {
            row.fields.entry(field).or_insert(value);
        }
        row.fields.values_mut().filter_map(Value::as_object_mut).for_each(|sides| {
            sides.remove("to");
        });
        return;
    }
    for (field, value) in later.fields {
        match row.fields.get_mut(&field) {
            Some(known) => known["to"] = value["to"].clone(),
            None if row.change == "created" => {
                row.fields.insert(field, json!({"to": value["to"]}));
            }
            None => {
                row.fields.insert(field, value);
            }
        }
    }
    row.fields.retain(|_, sides| sides["from"] != sides["to"]);
    if row.change == "updated" && row.fields.is_empty() {
        row.change = "nothing".into();
    }
}

/// One call of the trail.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Trail {
    /// The call, which is the request_id of its answer.
    pub id: Uuid,
    /// When, UTC.
    pub at: DateTime<Utc>,
    /// agent, user or system.
    pub actor_kind: String,
    /// Whose call it was.
    pub actor: String,
    /// The door it came through: mcp_stdio, mcp_http, rest, page or program.
    pub door: String,
    /// The client's own name, as it states it.
    pub client: Option<String>,
    /// What was asked for.
    pub action: String,
    /// done, queued, refused or failed.
    pub outcome: String,
    /// Of a refusal: its code.
    pub error_code: Option<String>,
    /// Why, in the caller's words.
    pub reasoning: Option<String>,
    /// The authorization that was asked for, decided or carried out.
    pub authorization_id: Option<Uuid>,
    /// The call that caused this one, such as the decision that allowed it.
    pub caused_by: Option<Uuid>,
    /// The call that undid this one.
    pub undone_by: Option<Uuid>,
    /// The rows it changed, the first 20; of a record's history only those of the record.
    pub changes: Vec<Change>,
    /// How many more rows it changed.
    pub more_changes: Option<usize>,
    /// The records it changed, and those they belong to.
    pub record_ids: Vec<Uuid>,
}

/// A line of the call log.
struct LoggedCall {
    id: Uuid,
    at: DateTime<Utc>,
    caller_kind: String,
    caller_id: Option<Uuid>,
    caller_name: String,
    door: String,
    client: Option<String>,
    action: String,
    outcome: String,
    error_code: Option<String>,
    reasoning: Option<String>,
    authorization_id: Option<Uuid>,
    caused_by: Option<Uuid>,
    undone_by: Option<Uuid>,
}

impl Trail {
    fn of(call: LoggedCall, logged: &[Logged]) -> Self {
        let mut record_ids: Vec<Uuid> =
            logged.iter().flat_map(|row| [Some(row.id), row.subject, row.record]).flatten().collect();
        record_ids.sort_unstable();
        record_ids.dedup();
        let all = net(logged.iter().map(Logged::change));
        Self {
            id: call.id,
            at: call.at,
            actor_kind: call.caller_kind,
            actor: call.caller_name,
            door: call.door,
            client: call.client,
            action: call.action,
            outcome: call.outcome,
            error_code: call.error_code,
            reasoning: call.reasoning,
            authorization_id: call.authorization_id,
            caused_by: call.caused_by,
            undone_by: call.undone_by,
            more_changes: (all.len() > SHOWN).then(|| all.len() - SHOWN),
            changes: all.into_iter().take(SHOWN).collect(),
            record_ids,
        }
    }
}

/// Which calls to show.
#[derive(Debug, Default)]
pub struct TrailQuery {
    /// Those that changed one of these records or a part of them.
    pub record_ids: Option<Vec<Uuid>>,
    /// Those of this agent or user.
    pub actor_id: Option<Uuid>,
    /// Those of this action.
    pub action: Option<String>,
    /// From this time on.
    pub from: Option<DateTime<Utc>>,
    /// Before this time.
    pub to: Option<DateTime<Utc>>,
}

impl TrailQuery {
    crate::listing! {
        |asked, tx| LoggedCall,
        select "id, at, caller_kind, caller_id, caller_name, door, client, action, outcome, error_code, reasoning,
                authorization_id, caused_by, frontdesk.undone_by(id) as undone_by"
        from "call_log",
        newest first,
        where "
            and ($6::uuid[] is null or id in (
              select r.call_id from row_log r where r.org_id = $1 and r.row_id = any($6)
              union
              select r.call_id from row_log r where r.org_id = $1 and r.subject_contact_id = any($6)
              union
              select r.call_id from row_log r where r.org_id = $1 and r.record_id = any($6)
            ))
            and ($7::uuid is null or caller_id = $7)
            and ($8::text is null or action = $8)
            and ($9::timestamptz is null or at >= $9)
            and ($10::timestamptz is null or at < $10)"
            [asked.record_ids.as_deref(), asked.actor_id, asked.action, asked.from, asked.to]
    }
}

/// The calls that match, newest first.
pub async fn trail(question: TrailQuery, query: Query, tx: &mut Tx<'_>) -> Result<Listing<Trail>> {
    let records = question.record_ids.clone();
    let Listing { rows, total } = question.list(query, tx).await?;
    let calls = rows.into_iter().map(|keyed| keyed.row).collect();
    let rows = with_changes(calls, records.as_deref(), tx).await?;
    Ok(Listing { rows: rows.into_iter().map(|row| Keyed { key: Key::of(row.id), row }).collect(), total })
}

/// Calls by their ids, newest first. An agent gets its own.
pub async fn calls_by_ids(ids: &[Uuid], tx: &mut Tx<'_>) -> Result<Vec<Trail>> {
    let mut calls = TrailQuery::by_ids(ids, tx).await?;
    let caller = tx.caller();
    calls.retain(|call| !caller.is_agent() || call.caller_id == caller.id());
    with_changes(calls, None, tx).await
}

async fn with_changes(calls: Vec<LoggedCall>, records: Option<&[Uuid]>, tx: &mut Tx<'_>) -> Result<Vec<Trail>> {
    let ids: Vec<Uuid> = calls.iter().map(|call| call.id).collect();
    let mut changes = changes_by_call(&ids, records, tx).await?;
    let row = |call: LoggedCall| {
        let logged = changes.remove(&call.id).unwrap_or_default();
        Trail::of(call, &logged)
    };
    Ok(calls.into_iter().map(row).collect())
}

async fn changes_by_call(
    calls: &[Uuid],
    records: Option<&[Uuid]>,
    tx: &mut Tx<'_>,
) -> Result<HashMap<Uuid, Vec<Logged>>> {
    let (org_id, to_agent) = (tx.org_id(), tx.caller().is_agent());
    let logged = sqlx::query_as!(
        Logged,
        r#"
        select l.call_id, l.table_name as data_type, l.row_id as id, l.change,
               l.old_values - coalesce(kept.columns, '{}') as old_values,
               l.new_values - coalesce(kept.columns, '{}') as new_values,
               l.subject_contact_id as subject, l.record_id as record
        from row_log l
        left join (
          select k.table_name, array_agg(k.column_name) as columns
          from frontdesk.kept_from k
          where k.whom = 'agents' and $4::bool
          group by k.table_name
        ) kept on kept.table_name = l.table_name
        where l.org_id = $1 and l.call_id = any($2)
          and ($3::uuid[] is null or l.row_id = any($3) or l.subject_contact_id = any($3) or l.record_id = any($3))
        order by l.id
        limit 5000
        "#,
        org_id,
        calls,
        records,
        to_agent
    )
    .fetch_all(tx.db())
    .await?;
    let mut by_call: HashMap<Uuid, Vec<Logged>> = HashMap::new();
    for row in logged {
        by_call.entry(row.call_id).or_default().push(row);
    }
    Ok(by_call)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(change: &str, fields: Value) -> Change {
        let Value::Object(fields) = fields else { panic!("fields are an object") };
        Change { data_type: "contacts".into(), id: Uuid::nil(), change: change.into(), fields }
    }

    #[test]
    fn several_changes_of_a_row_are_one() {
        let changes = [
            change("updated", json!({"city": {"from": "Athens", "to": "Madison"}})),
            change(
                "updated",
                json!({"city": {"from": "Madison", "to": "Decatur"}, "label": {"from": null, "to": "Home"}}),
            ),
        ];
        let expected = change(
            "updated",
            json!({"city": {"from": "Athens", "to": "Decatur"}, "label": {"from": null, "to": "Home"}}),
        );
        assert_eq!(net(changes.into_iter()), [expected]);
    }

    #[test]
    fn what_comes_and_goes_within_a_call_is_no_change() {
        let changes = [
            change("created", json!({"city": {"to": "Athens"}})),
            change("deleted", json!({"city": {"from": "Athens"}})),
        ];
        assert_eq!(net(changes.into_iter()), []);
        let back = [
            change("updated", json!({"city": {"from": "Athens", "to": "Madison"}})),
            change("updated", json!({"city": {"from": "Madison", "to": "Athens"}})),
        ];
        assert_eq!(net(back.into_iter()), []);
    }

    #[test]
    fn a_row_changed_and_then_deleted_shows_what_it_was_before() {
        let changes = [
            change("updated", json!({"city": {"from": "Athens", "to": "Madison"}})),
            change("deleted", json!({"city": {"from": "Madison"}, "street": {"from": "Elm"}})),
        ];
        let expected = change("deleted", json!({"city": {"from": "Athens"}, "street": {"from": "Elm"}}));
        assert_eq!(net(changes.into_iter()), [expected]);
    }
}
