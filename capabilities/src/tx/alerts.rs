//! What a person must look at, because the office could not do it by itself.

use uuid::Uuid;

use crate::error::{Error, Result};
use crate::tx::Tx;

impl Tx<'_> {
    /// Raises an alert about an errand or a job.
    pub(crate) async fn alert(
        &mut self,
        kind: &str,
        message: &str,
        errand_id: Option<Uuid>,
        job_id: Option<Uuid>,
    ) -> Result<()> {
        let (org_id, id, now) = (self.org_id(), self.next_id(), self.now());
        sqlx::query!(
            r#"
            insert into alerts (org_id, id, kind, message, errand_id, job_id, created_at, updated_at)
            values ($1, $2, $3, $4, $5, $6, $7, $7)
            "#,
            org_id,
            id,
            kind,
            message,
            errand_id,
            job_id,
            now
        )
        .execute(self.db())
        .await?;
        Ok(())
    }

    /// Sets an errand or a job that was given up going again, from the beginning.
    pub async fn try_again(&mut self, errand_id: Option<Uuid>, job_id: Option<Uuid>) -> Result<()> {
        let (org_id, now) = (self.org_id(), self.now());
        let again = sqlx::query_scalar!(
            r#"
            with errand as (
              update errands
              set state = 'recorded', ended_at = null, due_at = $4, attempts = 0
              where org_id = $1 and id = $2 and state = 'failed'
              returning id
            ), job as (
              update jobs
              set state = 'scheduled', ended_at = null, due_at = $4, attempts = 0
              where org_id = $1 and id = $3 and state = 'failed'
              returning id
            )
            select (select count(*) from errand) + (select count(*) from job) as "again!"
            "#,
            org_id,
            errand_id,
            job_id,
            now
        )
        .fetch_one(self.db())
        .await?;
        match again {
            0 => Err(Error::conflict(
                "NOTHING_TO_RETRY",
                "What this alert is about was tried again already, or is gone.",
                "Look at it with the data types `errands` and `jobs`.",
            )),
            _ => Ok(()),
        }
    }
}
