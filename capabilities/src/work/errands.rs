//! Errands are claimed, delivered and settled: done, put off or given up into an alert.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;

use crate::callers::{Caller, Door, Source};
use crate::declare::domain::ErrandEntry;
use crate::declare::errands::{CLAIM, Delivery};
use crate::error::{Error, Result};
use crate::office::Office;
use crate::tx::Access;
use crate::tx::call_log::{LogEntry, write_log};
use crate::work::lanes::Lane;
use crate::world::Undelivered;

/// Errands that one turn of an organization takes in hand.
const AT_ONCE: i64 = 16;

/// An errand in hand. `attempts` counts this claim, too, so no other claim of it has the same number.
struct Claimed {
    id: Uuid,
    call_id: Uuid,
    kind: String,
    summary: String,
    payload: Value,
    account: String,
    attempts: i32,
}

impl Office {
    /// Delivers some of the errands that are due in a lane of one organization, and tells how many.
    pub(super) async fn deliver_due(self: &Arc<Self>, lane: Lane, org: Uuid) -> Result<usize> {
        let caller = self.system(org, "errands").await?;
        let claimed = self.claim_errands(&caller, lane).await?;
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
    async fn claim_errands(&self, caller: &Caller, lane: Lane) -> Result<Vec<Claimed>> {
        let service = match lane {
            Lane::Service(service) => Some(service),
            Lane::Unknown | Lane::Jobs => None,
        };
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
                and (e.service = $3 or ($3 is null and e.service <> all($4::text[])))
                and e.account <> all($5::text[])
                and (not e.outward
                     or not exists (select 1 from orgs o where o.org_id = $1 and o.id = $1 and o.frozen_at is not null))
              order by e.due_at, e.id
              limit $6
              for update skip locked
            )
            update errands e
            set claimed_until = $7, attempts = e.attempts + 1
            from due
            where e.org_id = $1 and e.id = due.id
            returning e.id, e.call_id, e.kind, e.summary, e.payload, e.account, e.attempts
            "#,
            org_id,
            now,
            service,
            &self.registry.services() as &[&str],
            &service.map(|service| self.ground.world.circuits.open(service, now)).unwrap_or_default(),
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
        if errand.attempts > entry.retries.attempts {
            return self.give_up(caller, &errand, "it was begun too often and never ended").await;
        }
        let delivery = Delivery { ground: &self.ground, caller, key: errand.id };
        let attempt = (entry.deliver)(errand.payload.clone(), &delivery);
        let result = timeout(entry.retries.patience, attempt).await;
        let result = result.unwrap_or_else(|_| Err(Undelivered::Later("it took too long".into())));
        let now = self.clock().now();
        match result {
            Ok(()) => {
                self.ground.world.circuits.worked(entry.service, &errand.account);
                self.settle_errand(caller, &errand, "done", None).await
            }
            Err(Undelivered::Needless(why)) => self.settle_errand(caller, &errand, "done", Some(&why)).await,
            Err(Undelivered::Never(why)) => {
                // The service answered, so it is up.
                self.ground.world.circuits.worked(entry.service, &errand.account);
                self.give_up(caller, &errand, &why).await
            }
            Err(Undelivered::Later(why)) => {
                self.ground.world.circuits.failed(entry.service, &errand.account, now);
                match errand.attempts >= entry.retries.attempts {
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
        let (org_id, due_at) = (tx.org_id(), now + entry.retries.pause_after(errand.attempts));
        sqlx::query!(
            "update errands set due_at = $3, claimed_until = null, last_error = $4 \
             where org_id = $1 and id = $2 and attempts = $5 and ended_at is null",
            org_id,
            errand.id,
            due_at,
            why,
            errand.attempts
        )
        .execute(tx.db())
        .await?;
        tx.commit().await
    }

    async fn give_up(&self, caller: &Caller, errand: &Claimed, why: &str) -> Result<()> {
        tracing::warn!(errand = %errand.id, kind = errand.kind, why, "an errand is given up");
        self.settle_errand(caller, errand, "failed", Some(why)).await
    }

    /// The outcome is a call of its own, caused by the one that left the errand. Only whoever has the claim writes it: a worker
    /// that was paused while it delivered comes too late.
    async fn settle_errand(&self, caller: &Caller, errand: &Claimed, state: &str, why: Option<&str>) -> Result<()> {
        let mut tx = self.begin(caller, Access::Write).await?;
        let now = tx.now();
        let org_id = tx.org_id();
        let settled = sqlx::query!(
            r#"
            update errands
            set state = $3, ended_at = $4, claimed_until = null, last_error = $5
            where org_id = $1 and id = $2 and attempts = $6 and ended_at is null
            "#,
            org_id,
            errand.id,
            state,
            now,
            why,
            errand.attempts
        )
        .execute(tx.db())
        .await?;
        if settled.rows_affected() == 0 {
            tracing::info!(errand = %errand.id, state, "an errand that was claimed anew meanwhile is left to whoever has it");
            return Ok(());
        }
        if let (Some(why), "failed") = (why, state) {
            let message = format!("{} could not be done: {why}.", errand.summary);
            tx.alert("errand_failed", &message, Some(errand.id), None).await?;
        }
        let input = json!({"errand_id": errand.id, "kind": errand.kind, "state": state});
        let entry = LogEntry { caused_by: Some(errand.call_id), ..LogEntry::done("errand.settle", input) };
        write_log(&mut tx, &Source::of(Door::Program), entry).await?;
        tx.commit().await
    }
}
