//! What stands around every page: the business, whether agents may work, how much waits and what needs somebody.

use chrono::{DateTime, Utc};

use crate::error::Result;
use crate::queue::Waiting;
use crate::tx::Tx;

/// The business as every page shows it, as far as whoever looks may know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// What it is called.
    pub organization: String,
    /// Since when no agent may work without a person's yes.
    pub frozen_since: Option<DateTime<Utc>>,
    /// How many alerts nobody took note of; counted to 1,001.
    pub alerts: Option<i64>,
    /// What waits, for those who decide.
    pub waiting: Option<Waiting>,
}

/// What of it somebody may know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub organization: bool,
    pub alerts: bool,
    pub waiting: bool,
}

/// All of it in one question.
pub(crate) async fn surroundings(wanted: Wanted, tx: &mut Tx<'_>) -> Result<Surroundings> {
    let (org_id, now) = (tx.org_id(), tx.now());
    let found = sqlx::query!(
        r#"
        select o.name, o.frozen_at, a.number as "alerts!", w.number as "waiting!", w.requests as "requests!"
        from orgs o
        cross join lateral (
          select count(*) as number
          from (select 1 from alerts a where a.org_id = $1 and a.acknowledged_at is null and $3 limit 1001) open
        ) a
        cross join lateral (
          select count(*) as number,
                 coalesce(bit_xor(hashtextextended(t.id::text || encode(t.plan_hash, 'hex'), 0)), 0) as requests
          from authorizations t
          where t.org_id = $1 and t.status = 'pending' and t.expires_at > $2 and $4
        ) w
        where o.org_id = $1 and o.id = $1
        "#,
        org_id,
        now,
        wanted.alerts,
        wanted.waiting
    )
    .fetch_one(tx.db())
    .await?;
    Ok(Surroundings {
        organization: Some(found.name).filter(|_| wanted.organization).unwrap_or_default(),
        frozen_since: found.frozen_at.filter(|_| wanted.organization),
        alerts: Some(found.alerts).filter(|_| wanted.alerts),
        waiting: Some(Waiting::of(found.waiting, found.requests, found.frozen_at)).filter(|_| wanted.waiting),
    })
}
