//! What happened: every call with the rows it changed. Written by the kernel; here it is only read.

use capabilities::{
    Data, Domain, Entity, Ids, Listing, Name, Parent, Query, Result, Trail, TrailQuery, Tx, Who, trail,
};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

pub fn domain() -> Domain {
    Domain::new("audit", "What happened: every call, who made it, and what it changed").data::<Audit>()
}

/// A record of any data type.
pub(crate) struct Record;

impl Entity for Record {
    const NAME: &str = "record";
    const TABLE: &str = "records";
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
            record_ids: self.record_id.as_ref().map(Ids::uuids),
            actor_id: if own_only { caller.id() } else { self.actor_id },
            action: self.action.map(|action| action.as_str().to_string()),
            from: self.from,
            to: self.to,
        };
        trail(question, query, tx).await
    }
}
