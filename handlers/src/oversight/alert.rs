//! What a person must look at, because the office could not do it by itself. The kernel raises alerts; here they are read,
//! acknowledged, and what they are about is tried again.

use capabilities::{Action, Data, Domain, Effect, Id, Ids, Parent, PermissionClass, Result, Tx, Who};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::entities::{Alert, Errand, Job};

pub fn domain() -> Domain {
    Domain::new("alert", "What a person must look at").data::<Alerts>().action::<Acknowledge>().action::<Retry>()
}

/// Something that went wrong for good.
#[derive(Serialize, JsonSchema)]
pub(crate) struct AlertRow {
    /// The alert.
    id: Uuid,
    /// errand_failed or job_failed.
    kind: String,
    /// What happened, in words.
    message: String,
    /// The errand it is about.
    errand_id: Option<Uuid>,
    /// The job it is about.
    job_id: Option<Uuid>,
    /// When somebody took note of it, UTC.
    acknowledged_at: Option<DateTime<Utc>>,
    /// Who took note of it.
    acknowledged_by: Option<String>,
    /// Counts the changes.
    version: i32,
    /// When it was raised, UTC.
    created_at: DateTime<Utc>,
}

/// What went wrong for good and needs a person: mail that could not be sent, jobs that failed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alerts {
    /// Only alerts that somebody took note of (true), or only those nobody did (false).
    acknowledged: Option<bool>,
    /// Only alerts about this errand.
    errand_id: Option<Ids<Errand>>,
    /// Only alerts about this job.
    job_id: Option<Ids<Job>>,
}

impl Data for Alerts {
    const NAME: &str = "alerts";
    const ONE: &str = "alert";
    const WHO: Who = Who::MANAGERS;
    const SORTED_BY: &str = "time, newest first";
    const PARENTS: &[Parent] = &[
        Parent { of: "errands", filter: "errand_id", member: "errand_id", children: "alerts", parent: Some("errand") },
        Parent { of: "jobs", filter: "job_id", member: "job_id", children: "alerts", parent: Some("job") },
    ];
    type Row = AlertRow;

    capabilities::listing! {
        |alerts, tx| AlertRow,
        select "id, kind, message, errand_id, job_id, acknowledged_at, acknowledged_by, version, created_at" from "alerts",
        newest first,
        where "
            and ($6::bool is null or (acknowledged_at is not null) = $6)
            and ($7::uuid[] is null or errand_id = any($7))
            and ($8::uuid[] is null or job_id = any($8))"
            [alerts.acknowledged, alerts.errand_id.as_ref().map(Ids::uuids), alerts.job_id.as_ref().map(Ids::uuids)],
        beside "errand_id" "job_id"
    }
}

async fn load(id: Id<Alert>, tx: &mut Tx<'_>) -> Result<AlertRow> {
    tx.one::<Alerts>(id).await
}

async fn take_note(id: Id<Alert>, tx: &mut Tx<'_>) -> Result<()> {
    tx.lock(id, None).await?;
    let (org_id, now, who) = (tx.org_id(), tx.now(), tx.caller().name().to_string());
    sqlx::query!(
        r#"
        update alerts
        set acknowledged_at = $3, acknowledged_by = $4
        where org_id = $1 and id = $2 and acknowledged_at is null
        "#,
        org_id,
        id.uuid(),
        now,
        who
    )
    .execute(tx.db())
    .await?;
    Ok(())
}

/// Take note of an alert: it leaves the list of what needs somebody.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Acknowledge {
    /// The alert.
    pub alert_id: Id<Alert>,
}

impl Action for Acknowledge {
    const NAME: &str = "alert.acknowledge";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::PeopleOnly;
    const WHO: Who = Who::MANAGERS;
    type Output = AlertRow;

    async fn run(self, tx: &mut Tx<'_>) -> Result<AlertRow> {
        take_note(self.alert_id, tx).await?;
        load(self.alert_id, tx).await
    }
}

/// Try once more what an alert is about, when what stood against it is mended.
///
/// Takes note of the alert as well.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retry {
    /// The alert.
    pub alert_id: Id<Alert>,
}

impl Action for Retry {
    const NAME: &str = "alert.retry";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::PeopleOnly;
    const WHO: Who = Who::MANAGERS;
    const INSTEAD_OF_UNDO: Option<&str> =
        Some("What was tried again goes on; look at it with the data types errands and jobs.");
    type Output = AlertRow;

    async fn run(self, tx: &mut Tx<'_>) -> Result<AlertRow> {
        take_note(self.alert_id, tx).await?;
        let alert = load(self.alert_id, tx).await?;
        tx.try_again(alert.errand_id, alert.job_id).await?;
        Ok(alert)
    }
}
