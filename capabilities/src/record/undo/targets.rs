//! Which calls an undo takes back, who may, and what is out of its reach.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::lines::Line;
use super::refusals::{cannot_undo, nothing_to_undo};
use crate::callers;
use crate::error::{Error, Result};
use crate::tx::Tx;

/// So many calls are undone at once.
const AT_ONCE: i64 = 1_000;

/// Who may decide, and the switch that holds agents: an undo must never widen that, so it leaves them alone. A table, and
/// one column of it if the others are open.
const GUARDED: [(&str, Option<&str>); 4] =
    [("agents", None), ("rules", None), ("users", None), ("orgs", Some("frozen_at"))];
/// The way on where an action does not say it.
const BY_HAND: &str = "Change it by hand with the action that is for it.";

/// What is to be undone.
#[derive(Debug, Clone, Copy)]
pub enum Undoing {
    /// One call.
    Call(Uuid),
    /// All that an agent did from a time on.
    AllOf {
        /// The agent.
        agent_id: Uuid,
        /// From when on.
        since: DateTime<Utc>,
    },
}

/// A call that is to be undone.
pub(super) struct Target {
    pub id: Uuid,
    pub at: DateTime<Utc>,
    pub action: String,
    pub outcome: String,
    pub authorization_id: Option<Uuid>,
    pub undone_by: Option<Uuid>,
}

/// The calls, newest first. The caller may do what they did, and none is undone already.
pub(super) async fn targets(undoing: Undoing, tx: &mut Tx<'_>) -> Result<Vec<Target>> {
    let found = match undoing {
        Undoing::Call(id) => vec![one(id, tx).await?],
        Undoing::AllOf { agent_id, since } => all_of(agent_id, since, tx).await?,
    };
    permit(&found, tx).await?;
    Ok(found)
}

async fn one(id: Uuid, tx: &mut Tx<'_>) -> Result<Target> {
    let call = find(id, tx).await?.ok_or_else(|| Error::NotFound { what: format!("call {id}") })?;
    let call = match call.action.starts_with("authorization.") && call.outcome == "done" {
        true => carried_out_by(call, tx).await?,
        false => call,
    };
    if call.outcome != "done" {
        return Err(nothing_to_undo(&format!(
            "This call of {} was {}; it changed nothing.",
            call.action, call.outcome
        )));
    }
    match call.undone_by {
        Some(undo) => Err(already_undone(undo, tx).await?),
        None => Ok(call),
    }
}

/// A call as far as the caller sees it: an agent its own.
async fn find(id: Uuid, tx: &mut Tx<'_>) -> Result<Option<Target>> {
    let org_id = tx.org_id();
    let own = tx.caller().id().filter(|_| tx.caller().is_agent());
    Ok(sqlx::query_as!(
        Target,
        r#"
        select id, at, action, outcome, authorization_id, frontdesk.undone_by(id) as undone_by
        from call_log
        where org_id = $1 and id = $2 and ($3::uuid is null or caller_kind = 'agent' and caller_id = $3)
        "#,
        org_id,
        id,
        own
    )
    .fetch_optional(tx.db())
    .await?)
}

/// To undo a decision is to undo what it carried out.
async fn carried_out_by(decision: Target, tx: &mut Tx<'_>) -> Result<Target> {
    let org_id = tx.org_id();
    let carried_out = sqlx::query!(
        r#"
        select executed_call_id, rule_id
        from authorizations
        where org_id = $1 and id = $2 and decided_call_id = $3
        "#,
        org_id,
        decision.authorization_id,
        decision.id
    )
    .fetch_optional(tx.db())
    .await?;
    let nothing = || {
        cannot_undo("This decision carried nothing out, and what was decided stays.", "The agent can ask for it again.")
    };
    let carried_out = carried_out.ok_or_else(nothing)?;
    if carried_out.rule_id.is_some() {
        tx.warn("rule_stays", "The rule that was made with it stays: rule.revoke ends it.", None);
    }
    find(carried_out.executed_call_id.ok_or_else(nothing)?, tx).await?.ok_or_else(nothing)
}

async fn already_undone(undo: Uuid, tx: &mut Tx<'_>) -> Result<Error> {
    let org_id = tx.org_id();
    let by = sqlx::query!("select caller_name, at from call_log where org_id = $1 and id = $2", org_id, undo)
        .fetch_optional(tx.db())
        .await?;
    let who = by.map(|by| format!("{} at {}", by.caller_name, by.at.to_rfc3339())).unwrap_or_default();
    Ok(Error::conflict(
        "ALREADY_UNDONE",
        format!("This was undone already, by {who} (call {undo})."),
        format!("To bring it back, undo that: audit.undo with call_id {undo}."),
    ))
}

async fn all_of(agent: Uuid, since: DateTime<Utc>, tx: &mut Tx<'_>) -> Result<Vec<Target>> {
    let org_id = tx.org_id();
    let name = tx.doer(agent).await?;
    let mut calls = sqlx::query_as!(
        Target,
        r#"
        select c.id, c.at, c.action, c.outcome, c.authorization_id, frontdesk.undone_by(c.id) as undone_by
        from call_log c
        where c.org_id = $1 and c.caller_kind = 'agent' and c.caller_id = $2 and c.at >= $3 and c.outcome = 'done'
          and (exists (select 1 from row_log r where r.org_id = $1 and r.call_id = c.id)
               or exists (select 1 from errands e where e.org_id = $1 and e.call_id = c.id)
               or exists (select 1 from jobs j where j.org_id = $1 and j.caused_by = c.id))
        order by c.id desc
        limit $4
        "#,
        org_id,
        agent,
        since,
        AT_ONCE + 1
    )
    .fetch_all(tx.db())
    .await?;
    if i64::try_from(calls.len()).is_ok_and(|count| count > AT_ONCE) {
        let message = format!("{name} has made more than {AT_ONCE} changes since then, too many to undo at once.");
        return Err(cannot_undo(message, "Undo the newest part first: give a later `since`."));
    }
    // What the agent itself undid is read backwards together with its undo.
    let ids: BTreeSet<Uuid> = calls.iter().map(|call| call.id).collect();
    calls.retain(|call| call.undone_by.is_none_or(|undo| ids.contains(&undo)));
    match calls.is_empty() {
        true => Err(nothing_to_undo(&format!("{name} has changed nothing since then that is not undone already."))),
        false => Ok(calls),
    }
}

/// Undoing something takes the role that doing it takes; undoing an undo that of what was undone first.
async fn permit(targets: &[Target], tx: &mut Tx<'_>) -> Result<()> {
    let org_id = tx.org_id();
    let calls: Vec<Uuid> = targets.iter().map(|target| target.id).collect();
    let actions = sqlx::query_scalar!(
        r#"
        with recursive reached as (
          select unnest($2::uuid[]) as id
          union
          select u.call_id
          from reached r
          join undone_calls u on u.org_id = $1 and u.undo_call_id = r.id
        )
        select distinct c.action
        from reached r
        join call_log c on c.org_id = $1 and c.id = r.id
        "#,
        org_id,
        &calls
    )
    .fetch_all(tx.db())
    .await?;
    for name in actions {
        let Ok(action) = tx.ground().dispatch.action(&name) else {
            return Err(cannot_undo(format!("`{name}` is done by the program itself, and cannot be undone."), BY_HAND));
        };
        if let Some(instead) = action.instead_of_undo {
            return Err(cannot_undo(format!("`{}` cannot be undone.", action.name), instead));
        }
        callers::permit(tx.caller(), action.name, action.class, action.who)?;
        tx.running.judgement.who = tx.running.judgement.who.and(action.who);
    }
    Ok(())
}

/// Refuses what the row log cannot bring back, or must not.
pub(super) async fn refuse_out_of_reach(targets: &[Target], lines: &[Line], tx: &mut Tx<'_>) -> Result<()> {
    let tables = sqlx::query!(
        r#"select table_name as "name!", schema_version as "version!", keeps_secrets as "secret!" from frontdesk.logged_tables()"#
    )
    .fetch_all(tx.db())
    .await?;
    for line in lines {
        let target = targets.iter().find(|target| target.id == line.call_id);
        let action = target.map(|target| target.action.as_str()).unwrap_or_default();
        let what = line.table.replace('_', " ");
        let known = tables.iter().find(|table| table.name == line.table);
        if known.is_none_or(|table| table.version != line.schema_version) {
            let message =
                format!("`{action}` was done before an update of the program, which keeps {what} differently now.");
            return Err(cannot_undo(message, BY_HAND));
        }
        if known.is_some_and(|table| table.secret) {
            let message = format!("`{action}` changed {what}, which hold secrets that no record keeps.");
            return Err(cannot_undo(message, BY_HAND));
        }
        let touches = |column: &str| [&line.old, &line.new].into_iter().flatten().any(|side| !side[column].is_null());
        let is_guarded = |(table, column): &(&str, Option<&str>)| *table == line.table && column.is_none_or(&touches);
        if GUARDED.iter().any(is_guarded) {
            let message = format!("`{action}` changed {what}: who may do what is changed by its own actions only.");
            return Err(cannot_undo(message, BY_HAND));
        }
    }
    Ok(())
}
