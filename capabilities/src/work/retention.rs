//! What is old and of no use any more is removed: it costs space, and what is not there cannot leak.

use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::Serialize;

use crate::error::Result;
use crate::tx::Tx;

/// What went out and what was done is kept so long: long enough to ask after it.
const WORK: TimeDelta = TimeDelta::days(90);
/// Keys of repeats, links and sessions that ended.
const TRACES: TimeDelta = TimeDelta::days(30);

/// What was removed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Tidied {
    /// Errands that were done or given up.
    errands: i64,
    /// Jobs that were done, given up or dropped.
    jobs: i64,
    /// Keys by which repeats were recognised.
    idempotency_keys: i64,
    /// Sign-in links and sessions that had ended.
    sign_ins: i64,
}

impl Tx<'_> {
    /// Removes it.
    pub async fn tidy(&mut self) -> Result<Tidied> {
        let (org_id, now) = (self.org_id(), self.now());
        Ok(sqlx::query_as!(
            Tidied,
            r#"
            with errand as (
              delete from errands where org_id = $1 and ended_at < $2 returning 1
            ), job as (
              delete from jobs where org_id = $1 and ended_at < $2 returning 1
            ), key as (
              delete from idempotency_keys where org_id = $1 and created_at < $3 returning 1
            ), link as (
              delete from sign_in_links where org_id = $1 and expires_at < $3 returning 1
            ), session as (
              delete from sessions where org_id = $1 and expires_at < $3 returning 1
            )
            select (select count(*) from errand) as "errands!", (select count(*) from job) as "jobs!",
                   (select count(*) from key) as "idempotency_keys!",
                   (select count(*) from link) + (select count(*) from session) as "sign_ins!"
            "#,
            org_id,
            now - WORK,
            now - TRACES
        )
        .fetch_one(self.db())
        .await?)
    }
}
