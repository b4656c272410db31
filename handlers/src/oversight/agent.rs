//! Agents: the models and programs that work in the office, each with a token of its own. Only people see and change them,
//! because an agent must never widen what agents may do.

use std::collections::BTreeMap;

use capabilities::{
    Action, AgentToken, Budget, Data, Domain, Effect, Error, Id, Key, Keyed, Name, Patch, PermissionClass, Problem,
    Result, Secret, Spent, Tx, Who,
};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use crate::entities::Agent;

pub fn domain() -> Domain {
    Domain::new("agent", "The models and programs that work here, their tokens and limits")
        .data::<Agents>()
        .action::<Create>()
        .action::<RotateToken>()
        .action::<SetOverrides>()
        .action::<SetBudget>()
        .action::<Disable>()
        .action::<Enable>()
}

/// A class that is stricter than an action's own.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stricter {
    /// Asks for a reasoning.
    SoftLimit,
    /// Waits for a person.
    RequiresAuthorization,
}

/// An agent.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AgentRow {
    /// The agent.
    id: Uuid,
    /// Its name.
    name: String,
    /// How the random part of its token begins, to tell tokens apart.
    token_prefix: String,
    /// When its token stops working, UTC; absent for never.
    expires_at: Option<DateTime<Utc>>,
    /// Since when it may not call, UTC.
    disabled_at: Option<DateTime<Utc>>,
    /// By action or domain: the class that holds for this agent where the action's own is milder.
    #[schemars(with = "BTreeMap<String, Stricter>")]
    overrides: Json<BTreeMap<String, Stricter>>,
    /// What it may do in a day of the organization before each further change waits for a person; what is absent has no limit.
    budget: Budget,
    /// What it did by itself since the organization's day began; what people allowed is not in it.
    used_today: Spent,
    /// When the organization's next day begins and the budget is whole again, UTC.
    resets_at: DateTime<Utc>,
    /// When it last called, UTC.
    last_call_at: Option<DateTime<Utc>>,
    /// Counts the changes.
    version: i32,
    /// When it was made, UTC.
    created_at: DateTime<Utc>,
}

/// The models and programs that work here: their limits, what they did today, their last calls.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Agents {}

impl Data for Agents {
    const NAME: &str = "agents";
    const ONE: &str = "agent";
    const WHO: Who = Who::MANAGERS;
    const PEOPLE_ONLY: bool = true;
    const SORTED_BY: &str = "name";
    type Row = AgentRow;

    capabilities::listing! {
        |agents, tx| AgentRow from StoredAgent by shown,
        select r#"id, name, token_prefix, expires_at, disabled_at,
            overrides as "overrides: Json<BTreeMap<String, Stricter>>", actions_per_day, messages_per_day, money_per_day,
            version, created_at"#
        from "agents",
        order "name, id" after "$3::text is null or (name, id) > ($3, $4)"
    }
}

/// An agent as it is stored.
struct StoredAgent {
    id: Uuid,
    name: String,
    token_prefix: String,
    expires_at: Option<DateTime<Utc>>,
    disabled_at: Option<DateTime<Utc>>,
    overrides: Json<BTreeMap<String, Stricter>>,
    actions_per_day: Option<i32>,
    messages_per_day: Option<i32>,
    money_per_day: Option<i64>,
    version: i32,
    created_at: DateTime<Utc>,
}

async fn shown(stored: Vec<StoredAgent>, tx: &mut Tx<'_>) -> Result<Vec<Keyed<AgentRow>>> {
    let ids: Vec<Uuid> = stored.iter().map(|agent| agent.id).collect();
    let last_calls = tx.last_calls(&ids).await?;
    let (spent, resets_at) = tx.spent_today(&ids).await?;
    let rows = stored.into_iter().map(|agent| Keyed {
        key: Key(agent.name.clone(), agent.id),
        row: AgentRow {
            id: agent.id,
            name: agent.name,
            token_prefix: agent.token_prefix,
            expires_at: agent.expires_at,
            disabled_at: agent.disabled_at,
            overrides: agent.overrides,
            budget: Budget {
                actions: agent.actions_per_day.map(i64::from),
                messages: agent.messages_per_day.map(i64::from),
                money: agent.money_per_day,
            },
            used_today: spent.get(&agent.id).copied().unwrap_or_default(),
            resets_at,
            last_call_at: last_calls.get(&agent.id).copied(),
            version: agent.version,
            created_at: agent.created_at,
        },
    });
    Ok(rows.collect())
}

async fn load(id: Id<Agent>, tx: &mut Tx<'_>) -> Result<AgentRow> {
    tx.one::<Agents>(id).await
}

/// An agent with its token, the only time it is seen.
#[derive(Serialize, JsonSchema)]
pub(crate) struct WithToken {
    #[serde(flatten)]
    agent: AgentRow,
    /// The token, for `Authorization: Bearer …`. It is shown this once and kept nowhere: hand it over now.
    token: Secret<String>,
}

impl WithToken {
    async fn of(id: Id<Agent>, token: &AgentToken, tx: &mut Tx<'_>) -> Result<Self> {
        Ok(Self { agent: load(id, tx).await?, token: Secret(token.reveal().into()) })
    }
}

fn must_be_ahead(expires_at: Option<DateTime<Utc>>, tx: &Tx<'_>) -> Result<()> {
    match expires_at {
        Some(time) if time <= tx.now() => Err(Error::invalid("/expires_at", "must be in the future")),
        _ => Ok(()),
    }
}

/// Create an agent: a name and a token with which a model or program calls.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Create {
    /// Its name, by which people recognise it in the audit trail.
    pub name: Name,
    /// When its token stops working; never, if left out.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Action for Create {
    const NAME: &str = "agent.create";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::PeopleOnly;
    const WHO: Who = Who::OWNERS;
    const EACH_TIME: bool = true;
    const INSTEAD_OF_UNDO: Option<&str> = Some("Disable it with agent.disable: its token stops working at once.");
    type Output = WithToken;

    fn example() -> Value {
        json!({"name": "Scheduling assistant", "expires_at": "2099-12-31T23:59:59Z"})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<WithToken> {
        must_be_ahead(self.expires_at, tx)?;
        let agent = tx.enrol_agent(self.name.as_str(), self.expires_at).await?;
        WithToken::of(agent.id.into(), &agent.token, tx).await
    }
}

/// Give an agent a new token. The old one stops working at once.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateToken {
    /// The agent.
    pub agent_id: Id<Agent>,
    /// When the new token stops working: left out as the old one would have, null for never.
    #[serde(default)]
    pub expires_at: Patch<DateTime<Utc>>,
}

impl Action for RotateToken {
    const NAME: &str = "agent.rotate_token";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::PeopleOnly;
    const WHO: Who = Who::OWNERS;
    const EACH_TIME: bool = true;
    const INSTEAD_OF_UNDO: Option<&str> = Some("The old token is gone for good; agent.rotate_token makes another one.");
    type Output = WithToken;

    async fn run(self, tx: &mut Tx<'_>) -> Result<WithToken> {
        tx.lock(self.agent_id, None).await?;
        let expires_at = match self.expires_at {
            Patch::Keep => load(self.agent_id, tx).await?.expires_at,
            Patch::Clear => None,
            Patch::Set(time) => Some(time),
        };
        must_be_ahead(expires_at, tx)?;
        let (org_id, token) = (tx.org_id(), tx.mint_agent_token());
        let hash = token.hash();
        sqlx::query!(
            "update agents set token_hash = $3, token_prefix = $4, expires_at = $5 where org_id = $1 and id = $2",
            org_id,
            self.agent_id.uuid(),
            hash.as_slice(),
            token.prefix(),
            expires_at
        )
        .execute(tx.db())
        .await?;
        tx.forget_callers().await?;
        WithToken::of(self.agent_id, &token, tx).await
    }
}

/// Set what an agent must ask for although the action's own class is milder.
///
/// An override raises a class and never lowers one: where the action is stricter itself, that stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetOverrides {
    /// The agent.
    pub agent_id: Id<Agent>,
    /// All its overrides, by action such as `contact.update` or by domain such as `note`; the ones not listed go.
    #[schemars(extend("maxProperties" = 200))]
    pub overrides: BTreeMap<String, Stricter>,
    /// Refuse if the agent is at another version by now.
    pub expected_version: Option<i32>,
}

impl Action for SetOverrides {
    const NAME: &str = "agent.set_overrides";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::PeopleOnly;
    const WHO: Who = Who::OWNERS;
    const EACH_TIME: bool = true;
    const INSTEAD_OF_UNDO: Option<&str> = Some("Set its limits as they were with agent.set_overrides.");
    type Output = AgentRow;

    fn example() -> Value {
        json!({"overrides": {"contact.archive": "requires_authorization", "note": "soft_limit"}})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<AgentRow> {
        let misnamed: Vec<Problem> = self.overrides.keys().filter_map(|name| tx.misnamed(name, "/overrides")).collect();
        if !misnamed.is_empty() {
            return Err(Error::InvalidInput(misnamed));
        }
        tx.lock(self.agent_id, self.expected_version).await?;
        let org_id = tx.org_id();
        sqlx::query!(
            "update agents set overrides = $3 where org_id = $1 and id = $2",
            org_id,
            self.agent_id.uuid(),
            Json(&self.overrides) as _
        )
        .execute(tx.db())
        .await?;
        tx.forget_callers().await?;
        load(self.agent_id, tx).await
    }
}

/// Set what an agent may do in a day before each further change waits for a person.
///
/// A day is the organization's, from midnight to midnight. Beyond its budget a call is not refused: it waits with the reason
/// `over_budget`, whatever rules say. What people allow and what is only rehearsed does not count.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetBudget {
    /// The agent.
    pub agent_id: Id<Agent>,
    /// Changes in a day, where each item of a call counts as one; 0 for none without a person, null for no limit.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub actions: Patch<i32>,
    /// Messages in a day to customers and others outside; 0 for none without a person, null for no limit. Mail to the people
    /// of the business does not count.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub messages: Patch<i32>,
    /// Money in a day, charged or refunded, in minor units of the organization's currency, such as cents; 0 for none without a
    /// person, null for no limit. Nothing that agents can do moves money yet.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000_000_000_000_i64))]
    pub money: Patch<i64>,
    /// Refuse if the agent is at another version by now.
    pub expected_version: Option<i32>,
}

impl Action for SetBudget {
    const NAME: &str = "agent.set_budget";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::PeopleOnly;
    const WHO: Who = Who::OWNERS;
    const EACH_TIME: bool = true;
    type Output = AgentRow;

    fn example() -> Value {
        json!({"actions": 200, "messages": 20, "money": null})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<AgentRow> {
        tx.lock(self.agent_id, self.expected_version).await?;
        let org_id = tx.org_id();
        let (actions, messages, money) = (self.actions.parts(), self.messages.parts(), self.money.parts());
        sqlx::query!(
            r#"
            update agents
            set actions_per_day = case when $3 then $4 else actions_per_day end,
                messages_per_day = case when $5 then $6 else messages_per_day end,
                money_per_day = case when $7 then $8 else money_per_day end
            where org_id = $1 and id = $2
            "#,
            org_id,
            self.agent_id.uuid(),
            actions.0,
            actions.1,
            messages.0,
            messages.1,
            money.0,
            money.1
        )
        .execute(tx.db())
        .await?;
        load(self.agent_id, tx).await
    }
}

/// Disable an agent: its token stops working at once, and what it has waiting is withdrawn.
///
/// `agent.enable` lets it call again, with the same token.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Disable {
    /// The agent.
    pub agent_id: Id<Agent>,
}

/// A disabled agent.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Disabled {
    #[serde(flatten)]
    agent: AgentRow,
    /// How many of its requests were waiting for a person and are withdrawn.
    withdrawn: u64,
}

impl Action for Disable {
    const NAME: &str = "agent.disable";
    const EFFECT: Effect = Effect::Destroys;
    const CLASS: PermissionClass = PermissionClass::PeopleOnly;
    const WHO: Who = Who::OWNERS;
    const EACH_TIME: bool = true;
    const INSTEAD_OF_UNDO: Option<&str> = Some("Let it call again with agent.enable.");
    type Output = Disabled;

    async fn run(self, tx: &mut Tx<'_>) -> Result<Disabled> {
        tx.lock(self.agent_id, None).await?;
        let (org_id, now) = (tx.org_id(), tx.now());
        sqlx::query!(
            "update agents set disabled_at = coalesce(disabled_at, $3) where org_id = $1 and id = $2",
            org_id,
            self.agent_id.uuid(),
            now
        )
        .execute(tx.db())
        .await?;
        let withdrawn = tx.withdraw_waiting(self.agent_id.uuid()).await?;
        Ok(Disabled { agent: load(self.agent_id, tx).await?, withdrawn })
    }
}

/// Let a disabled agent call again, with the token it had.
///
/// What was withdrawn stays withdrawn; if the token may be in other hands, use `agent.rotate_token` first.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Enable {
    /// The agent.
    pub agent_id: Id<Agent>,
}

impl Action for Enable {
    const NAME: &str = "agent.enable";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::PeopleOnly;
    const WHO: Who = Who::OWNERS;
    const EACH_TIME: bool = true;
    const INSTEAD_OF_UNDO: Option<&str> = Some("Disable it again with agent.disable.");
    type Output = AgentRow;

    async fn run(self, tx: &mut Tx<'_>) -> Result<AgentRow> {
        tx.lock(self.agent_id, None).await?;
        let org_id = tx.org_id();
        sqlx::query!(
            "update agents set disabled_at = null where org_id = $1 and id = $2",
            org_id,
            self.agent_id.uuid()
        )
        .execute(tx.db())
        .await?;
        load(self.agent_id, tx).await
    }
}
