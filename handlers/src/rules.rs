//! What was allowed always. A rule is made by allowing a request always; here it is read and revoked.

use capabilities::{Action, Data, Domain, Effect, Entity, Gate, Id, Listing, Query, Result, Tx, Who};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

pub fn domain() -> Domain {
    Domain::new("rule", "What agents may do without asking again").data::<Rules>().action::<Revoke>()
}

/// A rule.
pub(crate) struct Rule;

impl Entity for Rule {
    const NAME: &str = "rule";
    const TABLE: &str = "rules";
}

/// What was allowed always, and within which limits.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RuleRow {
    /// The rule.
    id: Uuid,
    /// The action it lets through.
    action: String,
    /// The agent it is for; every agent if it names none.
    agent_id: Option<Uuid>,
    /// The reasons it covers.
    reasons: Vec<String>,
    /// Items in one call at most.
    items_per_call: Option<i32>,
    /// Items in one day of the organization at most.
    items_per_day: Option<i32>,
    /// Until when it holds, UTC.
    expires_at: Option<DateTime<Utc>>,
    /// When it was revoked, UTC.
    revoked_at: Option<DateTime<Utc>>,
    /// The request it was made of.
    authorization_id: Uuid,
    /// Who made it.
    created_by: String,
    /// Counts the changes.
    version: i32,
    /// When it was made, UTC.
    created_at: DateTime<Utc>,
}

/// Rules that let agents' requests through without asking again.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rules {
    /// Only rules that hold (true), or only those that are revoked or past (false).
    active: Option<bool>,
    /// Only rules that cover this agent.
    agent_id: Option<Uuid>,
}

impl Data for Rules {
    const NAME: &str = "rules";
    const ONE: &str = "rule";
    const WHO: Who = Who::MANAGERS;
    const PEOPLE_ONLY: bool = true;
    const SORTED_BY: &str = "time, newest first";
    type Row = RuleRow;

    async fn list(self, query: Query, tx: &mut Tx<'_>) -> Result<Listing<RuleRow>> {
        let (org_id, now) = (tx.org_id(), tx.now());
        let (_, after) = query.after();
        let rows = sqlx::query!(
            r#"
            with matching as not materialized (
              select r.*
              from rules r
              where r.org_id = $1
                and ($2::uuid[] is null or r.id = any($2))
                and ($3::boolean is null or $3 = (r.revoked_at is null and (r.expires_at is null or r.expires_at > $4)))
                and ($5::uuid is null or r.agent_id = $5 or r.agent_id is null)
            )
            select m.id as "id!", m.action as "action!", m.agent_id, m.reasons as "reasons!", m.items_per_call,
                   m.items_per_day, m.expires_at, m.revoked_at, m.authorization_id as "authorization_id!",
                   m.created_by_name as "created_by!", m.version as "version!", m.created_at as "created_at!",
                   (select count(*) from (select 1 from matching limit 1001) counted) as "total!"
            from matching m
            where $6::uuid is null or m.id < $6
            order by m.id desc
            limit $7
            "#,
            org_id,
            query.ids.as_deref(),
            self.active,
            now,
            self.agent_id,
            after,
            query.limit
        )
        .fetch_all(tx.db())
        .await?;
        let total = rows.first().map_or(0, |row| row.total);
        let rows = rows.into_iter().map(|row| RuleRow {
            id: row.id,
            action: row.action,
            agent_id: row.agent_id,
            reasons: row.reasons,
            items_per_call: row.items_per_call,
            items_per_day: row.items_per_day,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            authorization_id: row.authorization_id,
            created_by: row.created_by,
            version: row.version,
            created_at: row.created_at,
        });
        Ok(Listing::by_id(rows, total, |row| row.id))
    }
}

/// Revoke a rule: from now on agents wait again for what it let through.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Revoke {
    /// The rule.
    pub rule_id: Id<Rule>,
    /// Refuse if the rule is at another version by now.
    pub expected_version: Option<i32>,
}

impl Action for Revoke {
    const NAME: &str = "rule.revoke";
    const EFFECT: Effect = Effect::Updates;
    const GATE: Gate = Gate::PeopleOnly;
    const WHO: Who = Who::OWNERS;
    const EACH_TIME: bool = true;
    const INSTEAD_OF_UNDO: Option<&str> =
        Some("Allow the next request of that kind always with authorization.allow_always.");
    type Output = RuleRow;

    fn example() -> Value {
        json!({"rule_id": "01970000-0000-7000-8000-000000000001"})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<RuleRow> {
        tx.lock(self.rule_id, self.expected_version).await?;
        let (org_id, now) = (tx.org_id(), tx.now());
        sqlx::query!(
            "update rules set revoked_at = coalesce(revoked_at, $3) where org_id = $1 and id = $2",
            org_id,
            self.rule_id.uuid(),
            now
        )
        .execute(tx.db())
        .await?;
        tx.one(Rules { active: None, agent_id: None }, self.rule_id).await
    }
}
