//! What the kernel does for the domain that keeps agents: their rows and tokens, when they last called, and what becomes of
//! their requests.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::answer::escaped;
use crate::callers::tokens::AgentToken;
use crate::error::Result;
use crate::people::agents::NewAgent;
use crate::schema;
use crate::tx::Tx;
use crate::values::problem::Problem;

impl Tx<'_> {
    /// A new token of this organization: shown once, and kept as its hash and prefix.
    #[must_use]
    pub fn mint_agent_token(&self) -> AgentToken {
        AgentToken::mint(self.org_id())
    }

    /// Makes an agent. Its token is in the answer and nowhere else.
    pub async fn enrol_agent(&mut self, name: &str, expires_at: Option<DateTime<Utc>>) -> Result<NewAgent> {
        let agent = NewAgent { id: self.next_id(), token: self.mint_agent_token() };
        let (org_id, now, hash) = (self.org_id(), self.now(), agent.token.hash());
        sqlx::query!(
            r#"
            insert into agents (org_id, id, name, token_hash, token_prefix, expires_at, created_at, updated_at)
            values ($1, $2, $3, $4, $5, $6, $7, $7)
            "#,
            org_id,
            agent.id,
            name,
            hash.as_slice(),
            agent.token.prefix(),
            expires_at,
            now
        )
        .execute(self.db())
        .await?;
        Ok(agent)
    }

    /// When each of these agents or users last called; one that never did is left out.
    pub async fn last_calls(&mut self, callers: &[Uuid]) -> Result<HashMap<Uuid, DateTime<Utc>>> {
        let org_id = self.org_id();
        let calls = sqlx::query!(
            r#"
            select caller.id as "caller!", last.at as "at!"
            from unnest($2::uuid[]) as caller (id)
            cross join lateral (
              select c.at from call_log c where c.org_id = $1 and c.caller_id = caller.id order by c.id desc limit 1
            ) last
            "#,
            org_id,
            callers
        )
        .fetch_all(self.db())
        .await?;
        Ok(calls.into_iter().map(|call| (call.caller, call.at)).collect())
    }

    /// Withdraws what an agent has waiting, and tells how much that was.
    pub async fn withdraw_waiting(&mut self, agent: Uuid) -> Result<u64> {
        let org_id = self.org_id();
        let withdrawn = sqlx::query!(
            "update authorizations set status = 'withdrawn' where org_id = $1 and agent_id = $2 and status = 'pending'",
            org_id,
            agent
        )
        .execute(self.db())
        .await?;
        self.announce(None).await?;
        Ok(withdrawn.rows_affected())
    }

    /// What is wrong with `name`, a member at `place`, if it is neither an action nor a domain.
    #[must_use]
    pub fn misnamed(&self, name: &str, place: &str) -> Option<Problem> {
        let alike = self.ground().dispatch.misnamed(name)?;
        let pointer = format!("{place}/{}", escaped(&schema::shortened(name)));
        Some(Problem::at(pointer, "is no action and no domain").did_you_mean(alike))
    }
}
