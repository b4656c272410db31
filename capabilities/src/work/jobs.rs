//! Jobs are claimed, carried out as the system, and settled; one of a standing schedule leaves the next.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::callers::{Call, Caller, Door, Input, Options, Source};
use crate::declare::errands::{CLAIM, Retries};
use crate::error::Result;
use crate::office::Office;
use crate::tx::Access;
use crate::tx::call_log::{LogEntry, write_log};

/// Jobs that one turn of an organization takes in hand.
const AT_ONCE: i64 = 16;
const RETRIES: Retries = Retries::USUAL;

/// A job in hand.
struct Due {
    id: Uuid,
    action: String,
    input: Value,
    attempts: i32,
    schedule: Option<String>,
    caused_by: Option<Uuid>,
    agent_disabled: bool,
}

impl Office {
    /// Carries out some of the jobs that are due in one organization, one after the other, and tells how many.
    pub(super) async fn run_due(&self, org: Uuid) -> Result<usize> {
        let caller = self.system(org, "jobs").await?;
        let due = self.claim_jobs(&caller).await?;
        let done = due.len();
        for job in due {
            self.run_job(&caller, job).await?;
        }
        Ok(done)
    }

    async fn claim_jobs(&self, caller: &Caller) -> Result<Vec<Due>> {
        let mut tx = self.begin(caller, Access::Write).await?;
        let now = tx.now();
        let org_id = tx.org_id();
        let due = sqlx::query_as!(
            Due,
            r#"
            with due as materialized (
              select j.id
              from jobs j
              where j.org_id = $1 and j.ended_at is null and j.due_at <= $2
                and (j.claimed_until is null or j.claimed_until <= $2)
              order by j.due_at, j.id
              limit $3
              for update skip locked
            )
            update jobs j
            set claimed_until = $4, attempts = j.attempts + 1
            from due
            where j.org_id = $1 and j.id = due.id
            returning j.id, j.action, j.input, j.attempts, j.schedule, j.caused_by,
                      exists (
                        select 1 from agents a where a.org_id = $1 and a.id = j.agent_id and a.disabled_at is not null
                      ) as "agent_disabled!"
            "#,
            org_id,
            now,
            AT_ONCE,
            now + CLAIM
        )
        .fetch_all(tx.db())
        .await?;
        tx.commit().await?;
        Ok(due)
    }

    async fn run_job(&self, caller: &Caller, job: Due) -> Result<()> {
        if job.agent_disabled {
            return self.settle_job(caller, &job, "dropped", Some("its agent is disabled")).await;
        }
        if job.attempts > RETRIES.attempts {
            return self.settle_job(caller, &job, "failed", Some("It was begun too often and never ended.")).await;
        }
        // With its id as the key, a job whose worker died after the commit is not done again.
        let key = Some(format!("job {}", job.id));
        let call = Call {
            action: job.action.clone(),
            input: Input::One(job.input.clone()),
            options: Options { idempotency_key: key, ..Options::default() },
            source: Source::of(Door::Program).caused_by(job.caused_by),
        };
        let answer = self.call(caller, call).await;
        let Some(error) = &answer.error else { return self.settle_job(caller, &job, "done", None).await };
        let why = error["message"].as_str().unwrap_or_default();
        match error["retry"] == "later" && job.attempts < RETRIES.attempts {
            true => self.put_off_job(caller, &job, why).await,
            false => self.settle_job(caller, &job, "failed", Some(why)).await,
        }
    }

    async fn put_off_job(&self, caller: &Caller, job: &Due, why: &str) -> Result<()> {
        let mut tx = self.begin(caller, Access::Write).await?;
        let now = tx.now();
        let (org_id, due_at) = (tx.org_id(), now + RETRIES.pause_after(job.attempts));
        sqlx::query!(
            "update jobs set due_at = $3, claimed_until = null, last_error = $4 where org_id = $1 and id = $2",
            org_id,
            job.id,
            due_at,
            why
        )
        .execute(tx.db())
        .await?;
        tx.commit().await
    }

    /// A job is over; one of a standing schedule leaves the next.
    async fn settle_job(&self, caller: &Caller, job: &Due, state: &str, why: Option<&str>) -> Result<()> {
        let mut tx = self.begin(caller, Access::Write).await?;
        let now = tx.now();
        let org_id = tx.org_id();
        sqlx::query!(
            "update jobs set state = $3, ended_at = $4, claimed_until = null, last_error = $5 where org_id = $1 and id = $2",
            org_id,
            job.id,
            state,
            now,
            why
        )
        .execute(tx.db())
        .await?;
        if let (Some(why), "failed") = (why, state) {
            let message = format!("A scheduled {} could not be done: {why}", job.action);
            tx.alert("job_failed", &message, None, Some(job.id)).await?;
        }
        let standing = self.registry.standing().find(|standing| Some(standing.name) == job.schedule.as_deref());
        if let Some(standing) = standing {
            tx.keep_standing(standing).await?;
        }
        if state == "failed" || standing.is_some() {
            let input = json!({"job_id": job.id, "action": job.action, "state": state});
            let entry = LogEntry { caused_by: job.caused_by, ..LogEntry::done("job.settle", input) };
            write_log(&mut tx, &Source::of(Door::Program), entry).await?;
        }
        tx.commit().await
    }
}
