//! The way back. What calls changed is read backwards from the row log, by a call of its own with its own lines there: so
//! what an undo would do is previewed, decided and put on record like anything else, and can be undone itself.

mod later;
mod leftovers;
mod lines;
mod refusals;
mod targets;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::record::plan::{Plan, plan_in_words};
use crate::tx::Tx;

pub use targets::Undoing;

use later::refuse_changed_since;
use leftovers::{take_back_waiting, tell_what_stays};
use lines::{Line, leaving, lines_of};
use refusals::{cannot_undo, nothing_to_undo};
use targets::{Target, targets};

/// What the database says when something closed would change.
const CLOSED: &str = "FD001";

/// A call that was undone.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UndoneCall {
    /// The call.
    call_id: Uuid,
    /// What it had done.
    action: String,
    /// When, UTC.
    at: DateTime<Utc>,
}

/// What an undo did.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Undone {
    /// The calls that are undone, newest first.
    calls: Vec<UndoneCall>,
    /// How many rows are as they were before.
    rows: usize,
    /// What had not gone out or was not due yet, and never will.
    withdrawn: Vec<String>,
    /// What cannot be brought back, with what makes up for it where something does.
    stays: Vec<String>,
    /// What stands for exactly this: give it to `audit.undo` after a dry run, and nothing else is done.
    plan: String,
}

impl Tx<'_> {
    /// Undoes calls: their rows become what they were before, and what they left waiting is withdrawn. Refused if later
    /// changes depend on what they did. `seen` is the `plan` of the rehearsal that was looked at.
    pub async fn undo(&mut self, undoing: Undoing, seen: Option<&str>) -> Result<Undone> {
        self.running.warnings_bind = true;
        self.one_undo_at_a_time().await?;
        let targets = targets(undoing, self).await?;
        let calls: Vec<Uuid> = targets.iter().map(|target| target.id).collect();
        let lines = lines_of(&calls, self).await?;
        targets::refuse_out_of_reach(&targets, &lines, self).await?;
        refuse_changed_since(&calls, &lines, self).await?;
        self.ask_the_guards(&leaving(&lines)).await?;
        self.restore(&calls, &lines).await?;
        let withdrawn = take_back_waiting(&calls, self).await?;
        if lines.is_empty() && withdrawn.is_empty() {
            return Err(nothing_to_undo("Nothing that is on record was changed by it."));
        }
        let stays = tell_what_stays(&calls, self).await?;
        self.note_undone(&calls).await?;
        // What every caller carries may be among it: the organization's time zone, for one.
        self.forget_callers().await?;
        let plan = Plan::of(self, &[]).await?;
        refuse_another(seen, &plan)?;
        Ok(Undone {
            calls: targets.into_iter().map(UndoneCall::from).collect(),
            rows: plan.changes.len(),
            withdrawn,
            stays,
            plan: plan_in_words(&plan.hash),
        })
    }

    /// Two undos of one call would both find it not undone yet. Undos are rare, so one at a time in an organization is
    /// no loss.
    async fn one_undo_at_a_time(&mut self) -> Result<()> {
        let org_id = self.org_id();
        sqlx::query!("select id from orgs where org_id = $1 and id = $1 for no key update", org_id)
            .fetch_one(self.db())
            .await?;
        Ok(())
    }

    async fn ask_the_guards(&mut self, leaving: &BTreeMap<String, Vec<Uuid>>) -> Result<()> {
        self.running.leaving = leaving.values().flatten().copied().collect();
        for (table, ids) in leaving {
            self.leaving_from(table, ids).await?;
        }
        self.running.leaving.clear();
        Ok(())
    }

    async fn restore(&mut self, calls: &[Uuid], lines: &[Line]) -> Result<()> {
        self.command("savepoint restoring").await?;
        let restored = sqlx::query!("select frontdesk.undo_rows($1)", calls).execute(self.db()).await;
        let Err(error) = restored else { return Ok(()) };
        let of_database = error.as_database_error();
        let is_closed = of_database.and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == CLOSED);
        let is_constraint = of_database.is_some_and(|error| error.constraint().is_some());
        if !is_constraint && !is_closed {
            return Err(error.into());
        }
        self.go_back("rollback to savepoint restoring").await?;
        if is_closed {
            return Err(cannot_undo(
                "It would change a record that is closed, and what is closed does not change any more.",
                "Write down what is new with `note.add`, or do by hand what is still wanted.",
            ));
        }
        Err(later::standing_against(calls, lines, error.into(), self).await?)
    }

    async fn note_undone(&mut self, calls: &[Uuid]) -> Result<()> {
        let (org_id, undo) = (self.org_id(), self.call_id());
        sqlx::query!(
            "insert into undone_calls (org_id, call_id, undo_call_id) select $1, call, $3 from unnest($2::uuid[]) call",
            org_id,
            calls,
            undo
        )
        .execute(self.db())
        .await?;
        Ok(())
    }
}

impl Tx<'_> {
    /// The name of an agent whose calls the caller may undo: an agent its own.
    pub async fn doer(&mut self, agent: Uuid) -> Result<String> {
        let org_id = self.org_id();
        let is_other = self.caller().is_agent() && self.caller().id() != Some(agent);
        let known = sqlx::query_scalar!("select name from agents where org_id = $1 and id = $2", org_id, agent)
            .fetch_optional(self.db())
            .await?;
        known.filter(|_| !is_other).ok_or_else(|| Error::NotFound { what: format!("agent {agent}") })
    }
}

impl From<Target> for UndoneCall {
    fn from(target: Target) -> Self {
        Self { call_id: target.id, action: target.action, at: target.at }
    }
}

/// No [`Error::PlanChanged`]: with that the office keeps what was written, and here all of it must go.
fn refuse_another(seen: Option<&str>, plan: &Plan) -> Result<()> {
    match seen.is_none_or(|seen| seen == plan_in_words(&plan.hash)) {
        true => Ok(()),
        false => Err(Error::conflict(
            "PLAN_CHANGED",
            "It would undo something else by now than what was shown; nothing was done.",
            "Rehearse it again with dry_run, and repeat the call with the `plan` of that.",
        )),
    }
}
