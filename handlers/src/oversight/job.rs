//! What is due later and what goes out: read here; worked off by the kernel.

use capabilities::{Action, Data, Domain, Effect, PermissionClass, Result, Standing, Tidied, Tx, Who};
use chrono::{DateTime, NaiveTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

pub fn domain() -> Domain {
    Domain::new("job", "What is due later, and what goes out")
        .data::<Jobs>()
        .data::<Errands>()
        .action::<Tidy>()
        .daily(Standing { name: "tidy", action: Tidy::NAME, input: json!({}), at: NIGHT })
}

/// When nobody works.
const NIGHT: NaiveTime = NaiveTime::from_hms_opt(3, 30, 0).expect("a time of day");

/// How far something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Progress {
    /// Waiting for its time, or for its next attempt.
    Waiting,
    /// Done.
    Done,
    /// Given up: there is an alert about it.
    Failed,
}

/// A call that is due later.
#[derive(Serialize, JsonSchema)]
pub(crate) struct JobRow {
    /// The job.
    id: Uuid,
    /// The action.
    action: String,
    /// When it is due, or tried again, UTC.
    due_at: DateTime<Utc>,
    /// scheduled, done, failed or dropped (with the agent that caused it, or because that was undone).
    state: String,
    /// Of a standing schedule: its name.
    schedule: Option<String>,
    /// How often it was tried.
    attempts: i32,
    /// What stood against it the last time.
    last_error: Option<String>,
    /// The call that scheduled it.
    caused_by: Option<Uuid>,
    /// When it was scheduled, UTC.
    created_at: DateTime<Utc>,
    /// When it was done or given up, UTC.
    ended_at: Option<DateTime<Utc>>,
}

/// Calls that are due later or were: standing schedules and what actions left for later.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Jobs {
    /// Only jobs that are this far.
    progress: Option<Progress>,
}

impl Data for Jobs {
    const NAME: &str = "jobs";
    const ONE: &str = "job";
    const WHO: Who = Who::MANAGERS;
    const SORTED_BY: &str = "time of scheduling, newest first";
    type Row = JobRow;

    capabilities::listing! {
        |jobs, tx| JobRow,
        select r#"j.id as "id!", j.action as "action!", j.due_at as "due_at!", j.state as "state!", j.schedule,
            j.attempts as "attempts!", j.last_error, j.caused_by, j.created_at as "created_at!", j.ended_at"#
        from "frontdesk.jobs" as "j",
        newest first,
        where "and ($6::text is null or state = $6)"
            [jobs.progress.map(|progress| match progress {
                Progress::Waiting => "scheduled",
                Progress::Done => "done",
                Progress::Failed => "failed",
            })]
    }
}

/// Something to be done outside, such as a mail.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ErrandRow {
    /// The errand.
    id: Uuid,
    /// What it is.
    kind: String,
    /// The outside service it needs, such as mail.
    service: String,
    /// In words.
    summary: String,
    /// recorded (will be done), held (reaches people outside, so not until agents are no longer frozen), done, failed or
    /// withdrawn (because its call was undone).
    state: String,
    /// When it is tried, or tried again, UTC.
    due_at: DateTime<Utc>,
    /// How often it was tried.
    attempts: i32,
    /// What stood against it the last time; of one that is done, why nothing had to be sent.
    last_error: Option<String>,
    /// The call that left it.
    call_id: Uuid,
    /// When it was left, UTC.
    created_at: DateTime<Utc>,
    /// When it was done or given up, UTC.
    ended_at: Option<DateTime<Utc>>,
}

/// What goes out, such as mails: whether it is done, waits or failed.
///
/// Only `done` without a `last_error` means that it left.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Errands {
    /// Only errands that are this far.
    progress: Option<Progress>,
    /// Only errands that this call left.
    call_id: Option<Uuid>,
}

impl Data for Errands {
    const NAME: &str = "errands";
    const ONE: &str = "errand";
    const WHO: Who = Who::MANAGERS;
    const SORTED_BY: &str = "time, newest first";
    type Row = ErrandRow;

    capabilities::listing! {
        |errands, tx| {
            let states: Option<Vec<String>> = errands.progress.map(|progress| match progress {
                Progress::Waiting => vec!["recorded".into(), "held".into()],
                Progress::Done => vec!["done".into()],
                Progress::Failed => vec!["failed".into()],
            });
        }
        ErrandRow,
        select r#"e.id as "id!", e.kind as "kind!", e.service as "service!", e.summary as "summary!", e.state as "state!",
            e.due_at as "due_at!", e.attempts as "attempts!", e.last_error, e.call_id as "call_id!",
            e.created_at as "created_at!", e.ended_at"#
        from "frontdesk.errands" as "e",
        newest first,
        where "
            and ($6::text[] is null or state = any($6))
            and ($7::uuid is null or call_id = $7)"
            [states.as_deref(), errands.call_id]
    }
}

/// Remove what is old and of no use any more.
///
/// That is what went out and what was done 90 days ago, and links, sessions and keys of repeats that ended 30 days ago.
/// Done every night by itself. The audit trail stays.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tidy {}

impl Action for Tidy {
    const NAME: &str = "job.tidy";
    const EFFECT: Effect = Effect::Destroys;
    const CLASS: PermissionClass = PermissionClass::PeopleOnly;
    const WHO: Who = Who::OWNERS;
    const INSTEAD_OF_UNDO: Option<&str> = Some("What was removed for its age is gone.");
    type Output = Tidied;

    async fn run(self, tx: &mut Tx<'_>) -> Result<Tidied> {
        tx.tidy().await
    }
}
