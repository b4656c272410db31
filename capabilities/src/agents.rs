//! Tokens of agents, and who stands behind one.
//!
//! A token is `fd_`, the organization's id and 256 random bits, both in base64url: it carries its organization in
//! clear, so that a look-up knows where to look. Stored are its SHA-256 and the first characters of its random part,
//! by which people recognise it and which the look-up uses; the hash is compared in constant time.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use chrono::{DateTime, Utc};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::types::Json;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::call::{Actor, Caller, OrgFacts, Role, Source};
use crate::call_log::{LogEntry, write_log};
use crate::error::{Error, Result};
use crate::gate::Gate;
use crate::office::Office;
use crate::tx::{Access, Tx};
use crate::world::Database;

const START: &str = "fd_";
/// 16 bytes in base64 without padding.
const ORG_LENGTH: usize = 22;
/// 32 bytes in base64 without padding.
const SECRET_LENGTH: usize = 43;
const PREFIX_LENGTH: usize = 8;

/// An agent's token in clear. Never stored and never logged: it has no `Debug` that shows it.
#[derive(Clone)]
pub struct AgentToken(String);

impl std::fmt::Debug for AgentToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AgentToken")
    }
}

impl AgentToken {
    /// A new token of `org`.
    pub(crate) fn mint(org: Uuid) -> Self {
        let secret: [u8; 32] = rand::random();
        Self(format!("{START}{}{}", BASE64.encode(org.as_bytes()), BASE64.encode(secret)))
    }

    /// Reads a token; only its form is judged.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let body = text.strip_prefix(START)?;
        let formed = body.len() == ORG_LENGTH + SECRET_LENGTH && BASE64.decode(body.get(..ORG_LENGTH)?).is_ok();
        formed.then(|| Self(text.into()))
    }

    /// The token itself, to be handed out once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    fn org(&self) -> Option<Uuid> {
        let bytes = BASE64.decode(&self.0[START.len()..START.len() + ORG_LENGTH]).ok()?;
        Uuid::from_slice(&bytes).ok()
    }

    /// How its random part begins: what people recognise it by.
    #[must_use]
    pub fn prefix(&self) -> &str {
        let secret = START.len() + ORG_LENGTH;
        &self.0[secret..secret + PREFIX_LENGTH]
    }

    /// What is kept of it, to know it again.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

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

/// The agent behind `token`, in one round trip.
async fn authenticate(database: &Database, token: &AgentToken, now: DateTime<Utc>) -> Result<Caller> {
    let unknown = || Error::Unauthenticated("This token is not known.".into());
    let org = token.org().ok_or_else(unknown)?;
    let agent = sqlx::query!(
        r#"
        select agent_id as "agent_id!", name as "name!", token_hash as "token_hash!", expires_at, disabled_at,
               overrides as "overrides!: Json<BTreeMap<String, Gate>>", has_news as "has_news!",
               timezone as "timezone!", currency as "currency!", country as "country!"
        from frontdesk.agent_by_token($1, $2)
        "#,
        org,
        token.prefix()
    )
    .fetch_optional(database.pool())
    .await?
    .ok_or_else(unknown)?;
    if !bool::from(agent.token_hash.ct_eq(&token.hash())) {
        return Err(unknown());
    }
    if agent.disabled_at.is_some() {
        return Err(Error::Unauthenticated(format!("The agent {} is disabled.", agent.name)));
    }
    if let Some(expiry) = agent.expires_at.filter(|expiry| *expiry <= now) {
        return Err(Error::Unauthenticated(format!("The token of {} expired at {}.", agent.name, expiry.to_rfc3339())));
    }
    let org = org_facts(org, &agent.timezone, &agent.currency, &agent.country)?;
    let actor = Actor::Agent { id: agent.agent_id, name: agent.name };
    Ok(Caller { org, actor, overrides: agent.overrides.0, has_news: agent.has_news })
}

impl Office {
    /// The agent behind a bearer token.
    pub async fn authenticate(&self, token: &str) -> Result<Caller> {
        let token = AgentToken::parse(token)
            .ok_or_else(|| Error::Unauthenticated("This is not an agent's token: those begin with `fd_`.".into()))?;
        authenticate(&self.database, &token, self.clock.now()).await
    }

    /// The organizations of this installation, oldest first.
    pub async fn org_ids(&self) -> Result<Vec<Uuid>> {
        let ids = sqlx::query_scalar!(r#"select org_id as "id!" from frontdesk.org_ids()"#);
        Ok(ids.fetch_all(self.database.pool()).await?)
    }

    /// The caller of automations in an organization, by what it does: `demo`, `reminders`.
    pub async fn system(&self, org: Uuid, name: &str) -> Result<Caller> {
        let stranger =
            system_of(OrgFacts { id: org, timezone: chrono_tz::UTC, currency: *b"XXX", country: *b"ZZ" }, name);
        let now = self.clock.now();
        let mut tx = Tx::open(self, &stranger, Access::Read, self.ids.next(now), now).await?;
        let facts = sqlx::query!("select timezone, currency, country from orgs where org_id = $1 and id = $1", org)
            .fetch_optional(tx.db())
            .await?
            .ok_or_else(|| Error::NotFound { what: format!("organization {org}") })?;
        Ok(system_of(org_facts(org, &facts.timezone, &facts.currency, &facts.country)?, name))
    }

    /// A person of an organization, whom a door has identified.
    pub async fn person(&self, org: Uuid, id: Uuid, name: &str, role: Role) -> Result<Caller> {
        let org = self.system(org, "sign-in").await?.org;
        Ok(Caller::new(org, Actor::User { id, name: name.into(), role }))
    }

    /// Makes an organization, on behalf of whoever administers the program.
    pub async fn create_org(&self, new: &NewOrg, source: &Source) -> Result<Uuid> {
        let now = self.clock.now();
        let org = self.ids.next(now);
        let caller = system_of(org_facts(org, &new.timezone, &new.currency, &new.country)?, "administrator");
        let mut tx = Tx::open(self, &caller, Access::Write, self.ids.next(now), now).await?;
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
        let now = self.clock.now();
        let mut tx = Tx::open(self, &caller, Access::Write, self.ids.next(now), now).await?;
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
            select agent_id as "agent_id!", disabled_at, overrides as "overrides!: Json<BTreeMap<String, Gate>>",
                   has_news as "has_news!", timezone as "timezone!", currency as "currency!", country as "country!"
            from frontdesk.agent_by_name($1, $2)
            "#,
            org,
            name
        )
        .fetch_optional(self.database.pool())
        .await?;
        let Some(agent) = found else { return Ok(None) };
        if agent.disabled_at.is_some() {
            return Err(Error::Unauthenticated(format!("The agent {name} is disabled.")));
        }
        let org = org_facts(org, &agent.timezone, &agent.currency, &agent.country)?;
        let actor = Actor::Agent { id: agent.agent_id, name: name.into() };
        Ok(Some(Caller { org, actor, overrides: agent.overrides.0, has_news: agent.has_news }))
    }
}

fn system_of(org: OrgFacts, name: &str) -> Caller {
    Caller::new(org, Actor::System(name.into()))
}

/// The facts of an organization as every call carries them.
fn org_facts(id: Uuid, timezone: &str, currency: &str, country: &str) -> Result<OrgFacts> {
    let bad = |what: &str| Error::Internal(format!("organization {id} has no valid {what}"));
    Ok(OrgFacts {
        id,
        timezone: timezone.parse().map_err(|_| bad("time zone"))?,
        currency: currency.as_bytes().try_into().map_err(|_| bad("currency"))?,
        country: country.as_bytes().try_into().map_err(|_| bad("country"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_knows_its_organization_and_hides_itself() {
        let org = Uuid::from_u128(0x0197_0000_0000_7000_8000_0000_0000_0001);
        let token = AgentToken::mint(org);
        let read = AgentToken::parse(token.reveal()).unwrap();
        assert_eq!(read.org(), Some(org));
        assert_eq!(read.hash(), token.hash());
        assert_eq!(token.reveal().len(), 68);
        assert_eq!(format!("{token:?}"), "AgentToken");
        assert_ne!(AgentToken::mint(org).reveal(), token.reveal());
    }

    #[test]
    fn what_is_not_a_token_is_not_read() {
        for wrong in [
            "",
            "fd_",
            "sk_live_abc",
            "fd_tooshort",
            &format!("fd_{}", "é".repeat(40)),
            &format!("fd_{}", "!".repeat(65)),
        ] {
            assert!(AgentToken::parse(wrong).is_none(), "{wrong}");
        }
    }
}
