//! The audit trail, read: what a call changed, field by field. The row log is written by triggers, so the preview of a
//! rehearsal and the history of a record come from the same lines.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::callers::Caller;
use crate::declare::data::{Key, Keyed, Listing, Query};
use crate::error::Result;
use crate::tx::Tx;

/// How many changes of one call a trail shows; the rest is counted.
const SHOWN: usize = 20;

/// Fields that are for people only, by table: an agent works with people's names and needs none of their addresses.
const NOT_FOR_AGENTS: &[(&str, &str)] = &[("users", "email")];

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

/// Takes out what this caller may not see.
fn shown_to(caller: &Caller, mut logged: Vec<Logged>) -> Vec<Logged> {
    for row in logged.iter_mut().filter(|_| caller.is_agent()) {
        for (_, field) in NOT_FOR_AGENTS.iter().filter(|(table, _)| *table == row.data_type) {
            let sides = [&mut row.old_values, &mut row.new_values].into_iter().flatten();
            sides.filter_map(Value::as_object_mut).for_each(|values| drop(values.remove(*field)));
        }
    }
    logged
}

/// What these calls have changed so far, in order.
pub(crate) async fn changes_of_calls(calls: &[Uuid], tx: &mut Tx<'_>) -> Result<Vec<Change>> {
    let org_id = tx.org_id();
    let logged = sqlx::query_as!(
        Logged,
        r#"
        select call_id, table_name as data_type, row_id as id, change, old_values, new_values,
               subject_contact_id as subject, record_id as record
        from row_log
        where org_id = $1 and call_id = any($2)
        order by row_log.id
        "#,
        org_id,
        calls
    )
    .fetch_all(tx.db())
    .await?;
    Ok(net(shown_to(tx.caller(), logged).iter().map(Logged::change)))
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

/// A line of the call log, and how many lines match.
struct LoggedCall {
    id: Uuid,
    at: DateTime<Utc>,
    caller_kind: String,
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
    total: i64,
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

/// The calls that match, newest first.
pub async fn trail(question: TrailQuery, query: Query, tx: &mut Tx<'_>) -> Result<Listing<Trail>> {
    let org_id = tx.org_id();
    let (_, after) = query.after();
    let calls = sqlx::query_as!(
        LoggedCall,
        r#"
        with matching as not materialized (
          select c.*
          from call_log c
          where c.org_id = $1
            and ($2::uuid[] is null or c.id = any($2))
            and ($3::uuid[] is null or c.id in (
              select r.call_id from row_log r where r.org_id = $1 and r.row_id = any($3)
              union
              select r.call_id from row_log r where r.org_id = $1 and r.subject_contact_id = any($3)
              union
              select r.call_id from row_log r where r.org_id = $1 and r.record_id = any($3)
            ))
            and ($4::uuid is null or c.caller_id = $4)
            and ($5::text is null or c.action = $5)
            and ($6::timestamptz is null or c.at >= $6)
            and ($7::timestamptz is null or c.at < $7)
        )
        select m.id as "id!", m.at as "at!", m.caller_kind as "caller_kind!", m.caller_name as "caller_name!",
               m.door as "door!", m.client, m.action as "action!", m.outcome as "outcome!", m.error_code, m.reasoning,
               m.authorization_id, m.caused_by, frontdesk.undone_by(m.id) as undone_by,
               (select count(*) from (select 1 from matching limit 1001) counted) as "total!"
        from matching m
        where $8::uuid is null or m.id < $8
        order by m.id desc
        limit $9
        "#,
        org_id,
        query.ids.as_deref(),
        question.record_ids.as_deref(),
        question.actor_id,
        question.action,
        question.from,
        question.to,
        after,
        query.limit
    )
    .fetch_all(tx.db())
    .await?;
    let total = calls.first().map_or(0, |call| call.total);
    let ids: Vec<Uuid> = calls.iter().map(|call| call.id).collect();
    let mut changes = changes_by_call(&ids, question.record_ids.as_deref(), tx).await?;
    let rows = calls.into_iter().map(|call| {
        let logged = changes.remove(&call.id).unwrap_or_default();
        Keyed { key: Key(String::new(), call.id), row: Trail::of(call, &logged) }
    });
    Ok(Listing { rows: rows.collect(), total })
}

async fn changes_by_call(
    calls: &[Uuid],
    records: Option<&[Uuid]>,
    tx: &mut Tx<'_>,
) -> Result<HashMap<Uuid, Vec<Logged>>> {
    let org_id = tx.org_id();
    let logged = sqlx::query_as!(
        Logged,
        r#"
        select call_id, table_name as data_type, row_id as id, change, old_values, new_values,
               subject_contact_id as subject, record_id as record
        from row_log
        where org_id = $1 and call_id = any($2)
          and ($3::uuid[] is null or row_id = any($3) or subject_contact_id = any($3) or record_id = any($3))
        order by row_log.id
        limit 5000
        "#,
        org_id,
        calls,
        records
    )
    .fetch_all(tx.db())
    .await?;
    let mut by_call: HashMap<Uuid, Vec<Logged>> = HashMap::new();
    for row in shown_to(tx.caller(), logged) {
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
