//! What is due is worked off: errands are delivered, jobs carried out. Several processes may do this on one database: each
//! claims for a while what it works on, and what a dead one had claimed is free again after that.

pub(crate) mod retention;

use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use uuid::Uuid;

use std::sync::Arc;

use crate::callers::{Call, Caller, Door, Input, Options, Source};
use crate::declare::domain::ErrandEntry;
use crate::declare::errands::Delivery;
use crate::error::{Error, Result};
use crate::office::Office;
use crate::tx::Access;
use crate::tx::call_log::{LogEntry, write_log};
use crate::world::Undelivered;

/// A word of the database can be lost, so workers look from time to time.
const LOOKS_EVERY: Duration = Duration::from_secs(5);
/// Organizations taken in hand at a time, and errands and jobs of one.
const ORGS: i32 = 50;
const AT_ONCE: i64 = 16;
/// An attempt that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a claim holds: longer than any attempt.
const CLAIM: TimeDelta = TimeDelta::seconds(90);
/// The first pause after a failure; it doubles each time, up to the longest one.
const PAUSE: TimeDelta = TimeDelta::seconds(15);
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(1);
/// So many failures, about five hours, and it is given up.
const ATTEMPTS: i32 = 12;

/// An errand in hand.
struct Claimed {
    id: Uuid,
    call_id: Uuid,
    kind: String,
    summary: String,
    payload: Value,
    attempts: i32,
}

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
    /// Works off what is due, again and again, until `stop`. What is in hand then is finished.
    pub async fn work(self: Arc<Self>, stop: impl Future<Output = ()> + Send) {
        let mut stop = std::pin::pin!(stop);
        let mut ticks = interval(LOOKS_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut standing_since = None;
        loop {
            if let Err(error) = self.keep_all_standing(&mut standing_since).await {
                tracing::warn!("standing schedules could not be kept: {}", error.message());
            }
            // In a task of its own: whatever panics there must not end the worker.
            let office = self.clone();
            let round = tokio::spawn(async move { office.work_off().await }).await;
            let worked = round.unwrap_or_else(|error| Err(Error::Internal(error.to_string())));
            if let Err(error) = &worked {
                tracing::warn!("work could not be done: {}", error.message());
            }
            if worked.is_ok_and(|done| done > 0) {
                // More may have become due meanwhile; only the wish to stop comes before it.
                tokio::select! { biased; () = &mut stop => return, () = std::future::ready(()) => continue }
            }
            tokio::select! {
                () = &mut stop => return,
                () = self.more_work.notified() => {}
                _ = ticks.tick() => {}
            }
        }
    }

    /// Works off what is due now, one round of it, and tells how much that was.
    pub async fn work_off(self: &Arc<Self>) -> Result<usize> {
        let now = self.clock().now();
        let orgs =
            sqlx::query_scalar!(r#"select org_id as "org_id!" from frontdesk.orgs_with_work($1, $2)"#, now, ORGS);
        let mut done = 0;
        for org in orgs.fetch_all(self.database().pool()).await? {
            match self.work_off_of(org).await {
                Ok(more) => done += more,
                // One organization's trouble must not hold up the others.
                Err(error) => tracing::warn!(%org, "work could not be done: {}", error.message()),
            }
        }
        Ok(done)
    }

    /// Works off what is due now in one organization.
    pub async fn work_off_of(self: &Arc<Self>, org: Uuid) -> Result<usize> {
        Ok(self.deliver_due(org).await? + self.run_due(org).await?)
    }

    async fn deliver_due(self: &Arc<Self>, org: Uuid) -> Result<usize> {
        let caller = self.system(org, "errands").await?;
        let claimed = self.claim_errands(&caller).await?;
        let mut deliveries = JoinSet::new();
        for errand in claimed {
            let (office, caller) = (self.clone(), caller.clone());
            deliveries.spawn(async move { office.deliver(&caller, errand).await });
        }
        // All of them are seen to their end, whatever became of one: what was cut off would be done again.
        let (mut done, mut failed) = (0, None);
        while let Some(delivered) = deliveries.join_next().await {
            match delivered.map_err(|error| Error::Internal(error.to_string())).flatten() {
                Ok(()) => done += 1,
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(done), Err)
    }

    /// In two steps over a sharded database: whose work is due was asked before; here within one organization.
    async fn claim_errands(&self, caller: &Caller) -> Result<Vec<Claimed>> {
        let mut tx = self.begin(caller, Access::Write).await?;
        let now = tx.now();
        let org_id = tx.org_id();
        let claimed = sqlx::query_as!(
            Claimed,
            r#"
            with due as materialized (
              select e.id
              from errands e
              where e.org_id = $1 and e.ended_at is null and e.due_at <= $2
                and (e.claimed_until is null or e.claimed_until <= $2)
                and e.service <> all($3)
                and (not e.outward
                     or not exists (select 1 from orgs o where o.org_id = $1 and o.id = $1 and o.frozen_at is not null))
              order by e.due_at, e.id
              limit $4
              for update skip locked
            )
            update errands e
            set claimed_until = $5, attempts = e.attempts + 1
            from due
            where e.org_id = $1 and e.id = due.id
            returning e.id, e.call_id, e.kind, e.summary, e.payload, e.attempts
            "#,
            org_id,
            now,
            &self.ground.world.circuits.open(now),
            AT_ONCE,
            now + CLAIM
        )
        .fetch_all(tx.db())
        .await?;
        tx.commit().await?;
        Ok(claimed)
    }

    async fn deliver(&self, caller: &Caller, errand: Claimed) -> Result<()> {
        let Some(entry) = self.registry.errand(&errand.kind) else {
            return self.give_up(caller, &errand, "this version of the program does not know it").await;
        };
        // Whoever tried before did not live to say what became of it.
        if errand.attempts > ATTEMPTS {
            return self.give_up(caller, &errand, "it was begun too often and never ended").await;
        }
        let delivery = Delivery { ground: &self.ground, caller, key: errand.id };
        let attempt = (entry.deliver)(errand.payload.clone(), &delivery);
        let result = timeout(PATIENCE, attempt).await;
        let result = result.unwrap_or_else(|_| Err(Undelivered::Later("it took too long".into())));
        let now = self.clock().now();
        match result {
            Ok(()) => {
                self.ground.world.circuits.worked(entry.service);
                self.settle_errand(caller, &errand, "done", None).await
            }
            Err(Undelivered::Needless(why)) => self.settle_errand(caller, &errand, "done", Some(&why)).await,
            Err(Undelivered::Never(why)) => {
                // The service answered, so it is up.
                self.ground.world.circuits.worked(entry.service);
                self.give_up(caller, &errand, &why).await
            }
            Err(Undelivered::Later(why)) => {
                self.ground.world.circuits.failed(entry.service, now);
                match errand.attempts >= ATTEMPTS {
                    true => self.give_up(caller, &errand, &why).await,
                    false => self.put_off(caller, entry, &errand, &why).await,
                }
            }
        }
    }

    async fn put_off(&self, caller: &Caller, entry: &ErrandEntry, errand: &Claimed, why: &str) -> Result<()> {
        let now = self.clock().now();
        tracing::info!(errand = %errand.id, kind = entry.kind, attempt = errand.attempts, why, "an errand is put off");
        let mut tx = self.begin(caller, Access::Write).await?;
        let (org_id, due_at) = (tx.org_id(), now + pause_after(errand.attempts));
        sqlx::query!(
            "update errands set due_at = $3, claimed_until = null, last_error = $4 where org_id = $1 and id = $2",
            org_id,
            errand.id,
            due_at,
            why
        )
        .execute(tx.db())
        .await?;
        tx.commit().await
    }

    async fn give_up(&self, caller: &Caller, errand: &Claimed, why: &str) -> Result<()> {
        tracing::warn!(errand = %errand.id, kind = errand.kind, why, "an errand is given up");
        self.settle_errand(caller, errand, "failed", Some(why)).await
    }

    /// The outcome is a call of its own, caused by the one that left the errand.
    async fn settle_errand(&self, caller: &Caller, errand: &Claimed, state: &str, why: Option<&str>) -> Result<()> {
        let mut tx = self.begin(caller, Access::Write).await?;
        let now = tx.now();
        let org_id = tx.org_id();
        sqlx::query!(
            r#"
            update errands
            set state = $3, ended_at = $4, claimed_until = null, last_error = $5
            where org_id = $1 and id = $2
            "#,
            org_id,
            errand.id,
            state,
            now,
            why
        )
        .execute(tx.db())
        .await?;
        if let (Some(why), "failed") = (why, state) {
            let message = format!("{} could not be done: {why}.", errand.summary);
            tx.alert("errand_failed", &message, Some(errand.id), None).await?;
        }
        let input = json!({"errand_id": errand.id, "kind": errand.kind, "state": state});
        let entry = LogEntry { caused_by: Some(errand.call_id), ..LogEntry::done("errand.settle", input) };
        write_log(&mut tx, &Source::of(Door::Program), entry).await?;
        tx.commit().await
    }

    async fn run_due(&self, org: Uuid) -> Result<usize> {
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
        if job.attempts > ATTEMPTS {
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
        match error["retry"] == "later" && job.attempts < ATTEMPTS {
            true => self.put_off_job(caller, &job, why).await,
            false => self.settle_job(caller, &job, "failed", Some(why)).await,
        }
    }

    async fn put_off_job(&self, caller: &Caller, job: &Due, why: &str) -> Result<()> {
        let mut tx = self.begin(caller, Access::Write).await?;
        let now = tx.now();
        let (org_id, due_at) = (tx.org_id(), now + pause_after(job.attempts));
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

    /// Once an hour: every organization has the next job of every standing schedule.
    async fn keep_all_standing(&self, since: &mut Option<DateTime<Utc>>) -> Result<()> {
        let now = self.clock().now();
        if since.is_some_and(|since| now < since + TimeDelta::hours(1)) {
            return Ok(());
        }
        self.keep_standing_schedules().await?;
        *since = Some(now);
        Ok(())
    }

    /// Makes sure that every organization has the next job of every standing schedule.
    pub async fn keep_standing_schedules(&self) -> Result<()> {
        for org in self.org_ids().await? {
            self.keep_standing_of(org).await?;
        }
        Ok(())
    }

    /// Makes sure that one organization has the next job of every standing schedule.
    pub async fn keep_standing_of(&self, org: Uuid) -> Result<()> {
        let caller = self.system(org, "jobs").await?;
        let mut tx = self.begin(&caller, Access::Write).await?;
        for standing in self.registry.standing() {
            tx.keep_standing(standing).await?;
        }
        tx.commit().await
    }
}

/// Doubling pauses with a fifth more or less, so that what failed together does not come back together.
fn pause_after(attempts: i32) -> TimeDelta {
    let doubled = PAUSE * 2_i32.saturating_pow(attempts.clamp(1, 12).unsigned_abs() - 1);
    let jitter = f64::from(rand::random::<u32>()) / f64::from(u32::MAX) * 0.4 - 0.2;
    let pause = doubled.min(LONGEST_PAUSE);
    pause + TimeDelta::milliseconds((pause.num_milliseconds() as f64 * jitter) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour_a_fifth_more_or_less() {
        for (attempts, seconds) in [(1, 15), (2, 30), (5, 240), (9, 3_600), (40, 3_600)] {
            let pause = pause_after(attempts).num_milliseconds() as f64;
            let expected = f64::from(seconds) * 1_000.0;
            assert!((expected * 0.79..=expected * 1.21).contains(&pause), "{attempts}: {pause}");
        }
    }
}
