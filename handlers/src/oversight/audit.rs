//! What happened: every call with the rows it changed. Written by the kernel; here it is read, and undone.

use capabilities::{
    Action, Data, Domain, Effect, Error, Id, Ids, Listing, Name, Parent, PermissionClass, Problem, Query, Result, Text,
    Trail, TrailQuery, Tx, Undoing, Undone, Who, calls_by_ids, trail,
};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::entities::{Agent, Call, Record};

pub fn domain() -> Domain {
    Domain::new("audit", "What happened: every call, who made it, and what it changed").data::<Audit>().action::<Undo>()
}

/// Calls with what they changed, field by field.
///
/// An agent sees its own calls, and with `record_id` the whole history of a record.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Audit {
    /// Only calls that changed this record, or a part of it such as a contact's phones, addresses and notes.
    record_id: Option<Ids<Record>>,
    /// Only calls of this agent or user.
    actor_id: Option<Uuid>,
    /// Only calls of this action, such as `contact.archive`.
    action: Option<Name>,
    /// Only calls from this time on.
    from: Option<DateTime<Utc>>,
    /// Only calls before this time.
    to: Option<DateTime<Utc>>,
}

impl Data for Audit {
    const NAME: &str = "audit";
    const ONE: &str = "call";
    const WHO: Who = Who::MANAGERS;
    const SORTED_BY: &str = "time, newest first";
    const PARENTS: &[Parent] =
        &[Parent { of: "*", filter: "record_id", member: "record_ids", children: "audit_trail", parent: None }];
    type Row = Trail;

    async fn list(self, query: Query, tx: &mut Tx<'_>) -> Result<Listing<Trail>> {
        let caller = tx.caller();
        let own_only = caller.is_agent() && self.record_id.is_none();
        let question = TrailQuery {
            record_ids: self.record_id.as_ref().map(|ids| ids.uuids().to_vec()),
            actor_id: if own_only { caller.id() } else { self.actor_id },
            action: self.action.map(|action| action.as_str().to_string()),
            from: self.from,
            to: self.to,
        };
        trail(question, query, tx).await
    }

    async fn by_ids(ids: &[Uuid], tx: &mut Tx<'_>) -> Result<Vec<Trail>> {
        calls_by_ids(ids, tx).await
    }
}

/// Undo a call, or all that an agent did from a time on: everything is as it was before.
///
/// With `dry_run` it shows first what it would restore and what it cannot. Refused with `CHANGED_SINCE` if later changes
/// depend on it; they are named. What had not gone out yet is withdrawn; what went out stays out and is named. An undo is a
/// call like any other: undo it to have everything back. An agent undoes calls of its own, which a person decides.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Undo {
    /// The call, by the `request_id` of its answer or its id in the `audit` data type. This or `agent_id` with `since`.
    pub call_id: Option<Id<Call>>,
    /// The agent of which everything is undone that it did from `since` on.
    pub agent_id: Option<Id<Agent>>,
    /// From this time on, with `agent_id`.
    pub since: Option<DateTime<Utc>>,
    /// The `plan` that a dry run answered with: nothing is done if it would undo something else by now.
    pub plan: Option<Text<64>>,
}

impl Undo {
    fn what(&self) -> Result<Undoing> {
        match (self.call_id, self.agent_id, self.since) {
            (Some(call), None, None) => Ok(Undoing::Call(call.uuid())),
            (None, Some(agent), Some(since)) => Ok(Undoing::AllOf { agent_id: agent.uuid(), since }),
            _ => {
                let message = "Give either call_id, or agent_id with since.";
                Err(Error::InvalidInput(vec![Problem::at("", message)]))
            }
        }
    }
}

impl Action for Undo {
    const NAME: &str = "audit.undo";
    const EFFECT: Effect = Effect::Destroys;
    const CLASS: PermissionClass = PermissionClass::RequiresAuthorization;
    const WHO: Who = Who::MANAGERS;
    const EACH_TIME: bool = true;
    const ITEMS: bool = false;
    type Output = Undone;

    fn example() -> Value {
        json!({"call_id": "…"})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<Undone> {
        if let Some(agent) = self.agent_id {
            tx.doer(agent.uuid()).await?;
        }
        tx.undo(self.what()?, self.plan.as_ref().map(Text::as_str)).await
    }
}
