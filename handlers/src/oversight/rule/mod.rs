//! What was allowed always. A rule is made by allowing a request always; here it is read, tried, changed and revoked.

mod trials;

use capabilities::{
    Action, Data, Domain, Effect, Error, Id, Key, Keyed, Patch, PermissionClass, Result, Text, Tx, Who,
};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::entities::{Agent, Rule};

pub fn domain() -> Domain {
    Domain::new("rule", "What agents may do without asking again")
        .data::<Rules>()
        .data::<trials::RuleCoverage>()
        .action::<Update>()
        .action::<Revoke>()
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
    /// Items it let through today, where the business is.
    items_today: i64,
    /// When it let something through for the last time, UTC.
    last_used_at: Option<DateTime<Utc>>,
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

    capabilities::listing! {
        |rules, tx| {
            let now = tx.now();
        }
        RuleRow from StoredRule by shown,
        select "id, action, agent_id, reasons, items_per_call, items_per_day, expires_at, revoked_at, authorization_id,
                created_by_name, version, created_at"
        from "rules",
        newest first,
        where "
            and ($6::boolean is null or $6 = (revoked_at is null and (expires_at is null or expires_at > $7)))
            and ($8::uuid is null or agent_id = $8 or agent_id is null)"
            [rules.active, now, rules.agent_id]
    }
}

/// A rule as it is stored.
struct StoredRule {
    id: Uuid,
    action: String,
    agent_id: Option<Uuid>,
    reasons: Vec<String>,
    items_per_call: Option<i32>,
    items_per_day: Option<i32>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    authorization_id: Uuid,
    created_by_name: String,
    version: i32,
    created_at: DateTime<Utc>,
}

async fn shown(stored: Vec<StoredRule>, tx: &mut Tx<'_>) -> Result<Vec<Keyed<RuleRow>>> {
    let uses = tx.rule_uses(&stored.iter().map(|rule| rule.id).collect::<Vec<_>>()).await?;
    let rows = stored.into_iter().map(|rule| {
        let used = uses.get(&rule.id).copied().unwrap_or_default();
        let row = RuleRow {
            id: rule.id,
            action: rule.action,
            agent_id: rule.agent_id,
            reasons: rule.reasons,
            items_per_call: rule.items_per_call,
            items_per_day: rule.items_per_day,
            items_today: used.today,
            last_used_at: used.last,
            expires_at: rule.expires_at,
            revoked_at: rule.revoked_at,
            authorization_id: rule.authorization_id,
            created_by: rule.created_by_name,
            version: rule.version,
            created_at: rule.created_at,
        };
        Keyed { key: Key::of(row.id), row }
    });
    Ok(rows.collect())
}

async fn load(id: Id<Rule>, tx: &mut Tx<'_>) -> Result<RuleRow> {
    tx.one::<Rules>(id).await
}

/// Change what a rule lets through: for whom, for which reasons, how much and until when.
///
/// What is left out stays. It holds from the agent's next call on.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Update {
    /// The rule.
    pub rule_id: Id<Rule>,
    /// The agent it is for; null for every agent.
    #[serde(default)]
    pub agent_id: Patch<Id<Agent>>,
    /// The reasons it covers, such as `has_history`.
    pub reasons: Option<Vec<Text<60>>>,
    /// Items in one call, null for no limit. More than 5 need a number.
    #[serde(default)]
    #[schemars(range(min = 1, max = 500))]
    pub items_per_call: Patch<i32>,
    /// Items in one day of the organization, null for no limit. Many within minutes need a number.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100_000))]
    pub items_per_day: Patch<i32>,
    /// Until when it holds, UTC; null for no end.
    #[serde(default)]
    pub until: Patch<DateTime<Utc>>,
    /// Refuse if the rule is at another version by now.
    pub expected_version: Option<i32>,
}

impl Action for Update {
    const NAME: &str = "rule.update";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::PeopleOnly;
    const WHO: Who = Who::OWNERS;
    const EACH_TIME: bool = true;
    type Output = RuleRow;

    fn example() -> Value {
        json!({"items_per_day": 20})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<RuleRow> {
        tx.lock(self.rule_id, self.expected_version).await?;
        if load(self.rule_id, tx).await?.revoked_at.is_some() {
            let hint = "Allow the next request always with authorization.allow_always.";
            return Err(Error::conflict("RULE_REVOKED", "This rule was revoked.", hint));
        }
        let (is_until_given, until) = self.until.parts();
        if until.is_some_and(|until| *until <= tx.now()) {
            return Err(Error::invalid("/until", "must lie in the future"));
        }
        let (is_agent_given, agent) = self.agent_id.parts();
        if let Some(agent) = agent {
            tx.lock(*agent, None).await?;
        }
        let reasons = self.reasons.map(|codes| codes.iter().map(|code| code.as_str().to_string()).collect::<Vec<_>>());
        let (is_per_call_given, per_call) = self.items_per_call.parts();
        let (is_per_day_given, per_day) = self.items_per_day.parts();
        let org_id = tx.org_id();
        sqlx::query!(
            r#"
            update rules
            set agent_id = case when $3 then $4 else agent_id end, reasons = coalesce($5, reasons),
                items_per_call = case when $6 then $7 else items_per_call end,
                items_per_day = case when $8 then $9 else items_per_day end,
                expires_at = case when $10 then $11 else expires_at end
            where org_id = $1 and id = $2
            "#,
            org_id,
            self.rule_id.uuid(),
            is_agent_given,
            agent.map(|agent| agent.uuid()),
            reasons.as_deref(),
            is_per_call_given,
            per_call,
            is_per_day_given,
            per_day,
            is_until_given,
            until
        )
        .execute(tx.db())
        .await?;
        load(self.rule_id, tx).await
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
    const CLASS: PermissionClass = PermissionClass::PeopleOnly;
    const WHO: Who = Who::OWNERS;
    const EACH_TIME: bool = true;
    const INSTEAD_OF_UNDO: Option<&str> =
        Some("Allow the next request of that kind always with authorization.allow_always.");
    type Output = RuleRow;

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
        load(self.rule_id, tx).await
    }
}
