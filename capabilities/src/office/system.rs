//! Which organizations there are, and the office acting by itself in one: as the system, with no person behind it.

use uuid::Uuid;

use crate::callers::{Actor, Caller, OrgFacts};
use crate::error::{Error, Result};
use crate::office::Office;
use crate::tx::Access;

impl Office {
    /// The organizations of this installation, oldest first.
    pub async fn org_ids(&self) -> Result<Vec<Uuid>> {
        Ok(self.database().org_ids().await?)
    }

    /// The caller of automations in an organization, by what it does: `demo`, `reminders`.
    pub async fn system(&self, org: Uuid, name: &str) -> Result<Caller> {
        let stranger = stranger(org, name);
        let mut tx = self.begin(&stranger, Access::Read).await?;
        let facts = sqlx::query!("select timezone, currency, country from orgs where org_id = $1 and id = $1", org)
            .fetch_optional(tx.db())
            .await?
            .ok_or_else(|| Error::NotFound { what: format!("organization {org}") })?;
        Ok(system_of(org_facts(org, &facts.timezone, &facts.currency, &facts.country)?, name))
    }
}

/// The system in an organization of which nothing but its id is known yet: to look the rest up.
pub(crate) fn stranger(org: Uuid, name: &str) -> Caller {
    system_of(OrgFacts { id: org, timezone: chrono_tz::UTC, currency: *b"XXX", country: *b"ZZ" }, name)
}

pub(crate) fn system_of(org: OrgFacts, name: &str) -> Caller {
    Caller::new(org, Actor::System(name.into()))
}

/// The facts of an organization as every call carries them.
pub(crate) fn org_facts(id: Uuid, timezone: &str, currency: &str, country: &str) -> Result<OrgFacts> {
    let bad = |what: &str| Error::Internal(format!("organization {id} has no valid {what}"));
    Ok(OrgFacts {
        id,
        timezone: timezone.parse().map_err(|_| bad("time zone"))?,
        currency: currency.as_bytes().try_into().map_err(|_| bad("currency"))?,
        country: country.as_bytes().try_into().map_err(|_| bad("country"))?,
    })
}
