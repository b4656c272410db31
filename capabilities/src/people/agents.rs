//! Agents and organizations: who stands behind an agent's token, and how both are made.
//!
//! A token is looked up by its organization and the first characters of its random part; the hash is compared in constant
//! time.

use std::collections::BTreeMap;
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::types::Json;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::callers::kept::Known;
use crate::callers::tokens::AgentToken;
use crate::callers::{Caller, Credential, Source};
use crate::error::{Error, Result};
use crate::office::Office;
use crate::office::system::{org_facts, system_of};
use crate::policy::PermissionClass;
use crate::tx::Access;
use crate::tx::call_log::{LogEntry, write_log};
use crate::world::Database;

/// An agent just made, with its token: the only time it is seen.
#[derive(Debug)]
pub struct NewAgent {
    /// The agent.
    pub id: Uuid,
    /// Its token.
    pub token: AgentToken,
}

/// What a new organization needs to know about itself.
#[derive(Debug, Clone)]
pub struct NewOrg {
    /// The business's name.
    pub name: String,
    /// IANA time zone.
    pub timezone: String,
    /// ISO 4217 currency.
    pub currency: String,
    /// ISO 3166-1 country.
    pub country: String,
}

fn unknown() -> Error {
    Error::Unauthenticated("This token is not known.".into())
}

/// The agent behind `token`, in one round trip.
async fn look_up(database: &Database, org: Uuid, token: &AgentToken, now: DateTime<Utc>) -> Result<Known> {
    let agent = sqlx::query!(
        r#"
        select agent_id as "agent_id!", name as "name!", token_hash as "token_hash!", expires_at, disabled_at,
               overrides as "overrides!: Json<BTreeMap<String, PermissionClass>>", has_news as "has_news!",
               timezone as "timezone!", currency as "currency!", country as "country!"
        from frontdesk.agent_by_token($1, $2)
        "#,
        org,
        token.prefix()
    )
    .fetch_optional(database.pool())
    .await?
    .ok_or_else(unknown)?;
    let hash = token.hash();
    if !bool::from(agent.token_hash.ct_eq(&hash)) {
        return Err(unknown());
    }
    if agent.disabled_at.is_some() {
        return Err(Error::Unauthenticated(format!("The agent {} is disabled.", agent.name)));
    }
    if let Some(expiry) = agent.expires_at.filter(|expiry| *expiry <= now) {
        return Err(Error::Unauthenticated(format!("The token of {} expired at {}.", agent.name, expiry.to_rfc3339())));
    }
    let org = org_facts(org, &agent.timezone, &agent.currency, &agent.country)?;
    let caller = Caller::agent(org, agent.agent_id, agent.name, agent.overrides.0, agent.has_news);
    let (caller, expires_at) = (caller.by(Credential::Token(hash)), agent.expires_at);
    Ok(Known { caller, expires_at, good_until: expires_at })
}

impl Office {
    /// The agent behind a bearer token.
    pub async fn authenticate(&self, token: &str) -> Result<Caller> {
        let token = AgentToken::parse(token)
            .ok_or_else(|| Error::Unauthenticated("This is not an agent's token: those begin with `fd_`.".into()))?;
        let org = token.org().ok_or_else(unknown)?;
        let (hash, began, now) = (token.hash(), Instant::now(), self.clock().now());
        if let Some(known) = self.kept().find(org, &hash, now) {
            return Ok(known.caller);
        }
        let known = look_up(self.database(), org, &token, now).await?;
        // Who has news hears them once: that is looked up until they were told.
        if !known.caller.has_news {
            self.kept().keep(org, hash, began, known.clone());
        }
        Ok(known.caller)
    }

    /// Makes an organization, on behalf of whoever administers the program.
    pub async fn create_org(&self, new: &NewOrg, source: &Source) -> Result<Uuid> {
        let now = self.clock().now();
        let org = self.ground.world.ids.next(now);
        let caller = system_of(org_facts(org, &new.timezone, &new.currency, &new.country)?, "administrator");
        let mut tx = self.begin(&caller, Access::Write).await?;
        sqlx::query!(
            r#"
            insert into orgs (org_id, id, name, timezone, currency, country, created_at, updated_at)
            values ($1, $1, $2, $3, $4, $5, $6, $6)
            "#,
            org,
            new.name,
            new.timezone,
            new.currency,
            new.country,
            now
        )
        .execute(tx.db())
        .await?;
        write_log(&mut tx, source, LogEntry::done("org.create", json!({"name": new.name}))).await?;
        tx.commit().await?;
        Ok(org)
    }

    /// Makes an agent, on behalf of whoever administers the program. Its token is in the answer and nowhere else.
    pub async fn create_agent(
        &self,
        org: Uuid,
        name: &str,
        expires_at: Option<DateTime<Utc>>,
        source: &Source,
    ) -> Result<NewAgent> {
        let caller = self.system(org, "administrator").await?;
        let mut tx = self.begin(&caller, Access::Write).await?;
        let agent = tx.enrol_agent(name, expires_at).await?;
        write_log(&mut tx, source, LogEntry::done("agent.create", json!({"name": name, "expires_at": expires_at})))
            .await?;
        tx.commit().await?;
        Ok(agent)
    }

    /// The agent of that name in an organization, made if it is not there: for callers the machine itself vouches for.
    pub async fn agent_named(&self, org: Uuid, name: &str, source: &Source) -> Result<Caller> {
        if let Some(known) = self.find_agent(org, name).await? {
            return Ok(known);
        }
        match self.create_agent(org, name, None, source).await {
            // Made by another connection at the same time.
            Ok(_) | Err(Error::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
        self.find_agent(org, name).await?.ok_or_else(|| Error::Internal(format!("the agent {name} is not there")))
    }

    /// In one round trip, because it is asked at every request.
    async fn find_agent(&self, org: Uuid, name: &str) -> Result<Option<Caller>> {
        let found = sqlx::query!(
            r#"
            select agent_id as "agent_id!", disabled_at, overrides as "overrides!: Json<BTreeMap<String, PermissionClass>>",
                   has_news as "has_news!", timezone as "timezone!", currency as "currency!", country as "country!"
            from frontdesk.agent_by_name($1, $2)
            "#,
            org,
            name
        )
        .fetch_optional(self.database().pool())
        .await?;
        let Some(agent) = found else { return Ok(None) };
        if agent.disabled_at.is_some() {
            return Err(Error::Unauthenticated(format!("The agent {name} is disabled.")));
        }
        let org = org_facts(org, &agent.timezone, &agent.currency, &agent.country)?;
        Ok(Some(Caller::agent(org, agent.agent_id, name.into(), agent.overrides.0, agent.has_news)))
    }
}
