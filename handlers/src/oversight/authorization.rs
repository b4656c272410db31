//! What agents ask and people decide. The queue itself is the kernel's; here it is read, and decided by people.

use capabilities::{
    Action, Allowance, Authorization, AuthorizationQuery, Data, Domain, Effect, FreeText, Id, Listing, Name, Patch,
    PermissionClass, Query, QueueNotice, Result, RuleTerms, Text, Tx, Who, authorizations, authorizations_by_ids,
};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::entities;

pub fn domain() -> Domain {
    Domain::new("authorization", "What agents asked for and people decide")
        .data::<Authorizations>()
        .action::<AllowOnce>()
        .action::<AllowAlways>()
        .action::<Deny>()
        .action::<Withdraw>()
        .errand::<QueueNotice>()
}

/// How far a request is.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// Waiting for a person.
    Pending,
    /// Allowed and done.
    Executed,
    /// Allowed, but the office refused it when it was carried out.
    Failed,
    /// Denied.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// Taken back by the agent, or withdrawn with it.
    Withdrawn,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Executed => "executed",
            Self::Failed => "failed",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// What a person decided.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Decision {
    /// Allowed, this once.
    AllowOnce,
    /// Allowed, with a rule for the next ones.
    AllowAlways,
    /// Denied.
    Deny,
}

impl Decision {
    fn name(self) -> &'static str {
        match self {
            Self::AllowOnce => "allow_once",
            Self::AllowAlways => "allow_always",
            Self::Deny => "deny",
        }
    }
}

/// Requests that wait for a person or did: what was asked, what it would change, what was decided.
///
/// An agent sees its own. With `id` the row has `input`, `preview` and `result` as well.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Authorizations {
    /// Only requests that are this far.
    status: Option<Status>,
    /// Only requests that wait (true), or only those that no longer do: decided, expired or withdrawn (false).
    waiting: Option<bool>,
    /// Only requests that a person decided like this.
    decision: Option<Decision>,
    /// Only requests of this agent.
    agent_id: Option<Uuid>,
    /// Only requests for this action, such as `contact.merge`.
    action: Option<Name>,
    /// Only requests from this time on.
    from: Option<DateTime<Utc>>,
    /// Only requests before this time.
    to: Option<DateTime<Utc>>,
}

impl Data for Authorizations {
    const NAME: &str = "authorizations";
    const ONE: &str = "authorization";
    const WHO: Who = Who::MANAGERS;
    const SORTED_BY: &str = "time of asking, newest first";
    type Row = Authorization;

    async fn list(self, query: Query, tx: &mut Tx<'_>) -> Result<Listing<Authorization>> {
        let question = AuthorizationQuery {
            status: self.status.map(|status| status.name().into()),
            waiting: self.waiting,
            decision: self.decision.map(|decision| decision.name().into()),
            agent_id: self.agent_id,
            action: self.action.map(|action| action.as_str().to_string()),
            from: self.from,
            to: self.to,
        };
        authorizations(question, query, tx).await
    }

    async fn by_ids(ids: &[Uuid], tx: &mut Tx<'_>) -> Result<Vec<Authorization>> {
        authorizations_by_ids(ids, tx).await
    }
}

/// Allow a request of an agent, this once: it is carried out at once, exactly as its preview shows.
///
/// If it would do something else by now, nothing is done: `PLAN_CHANGED`, with a fresh preview.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AllowOnce {
    /// The request.
    pub authorization_id: Id<entities::Authorization>,
    /// The `plan` of the preview you looked at: nothing is done if it was renewed since.
    pub plan: Option<Text<64>>,
    /// A word to the agent.
    pub note: Option<FreeText>,
}

impl Action for AllowOnce {
    const NAME: &str = "authorization.allow_once";
    const EFFECT: Effect = Effect::Destroys;
    const CLASS: PermissionClass = PermissionClass::PeopleOnly;
    const WHO: Who = Who::MANAGERS;
    const EACH_TIME: bool = true;
    const ITEMS: bool = false;
    type Output = Authorization;

    async fn run(self, tx: &mut Tx<'_>) -> Result<Authorization> {
        let note = self.note.as_ref().map(FreeText::as_str);
        tx.allow(self.authorization_id.uuid(), Allowance::Once, self.plan.as_ref().map(Text::as_str), note).await
    }
}

/// Allow a request of an agent, and make a rule that lets the same through from now on.
///
/// Unless told otherwise the rule is as narrow as the request: this agent, this action, these reasons, as many items.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AllowAlways {
    /// The request.
    pub authorization_id: Id<entities::Authorization>,
    /// The `plan` of the preview you looked at: nothing is done if it was renewed since.
    pub plan: Option<Text<64>>,
    /// A word to the agent.
    pub note: Option<FreeText>,
    /// Let every agent through, not only the one that asked.
    #[serde(default)]
    pub any_agent: bool,
    /// The reasons the rule covers, such as `has_history`; those of the request if left out.
    pub reasons: Option<Vec<Text<60>>>,
    /// Items in one call; as many as the request has if left out, null for no limit. More than 5 need a number.
    #[serde(default)]
    #[schemars(range(min = 1, max = 500))]
    pub items_per_call: Patch<i32>,
    /// Items in one day of the organization; as many as the request has if left out, null for no limit. Many within
    /// minutes need a number.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100_000))]
    pub items_per_day: Patch<i32>,
    /// Until when the rule holds, UTC.
    pub until: Option<DateTime<Utc>>,
}

/// Left out: narrowed to the request. Null: not narrowed.
fn narrowed(patch: &Patch<i32>) -> Option<Option<i32>> {
    let (given, most) = patch.parts();
    given.then_some(most.copied())
}

impl Action for AllowAlways {
    const NAME: &str = "authorization.allow_always";
    const EFFECT: Effect = Effect::Destroys;
    const CLASS: PermissionClass = PermissionClass::PeopleOnly;
    const WHO: Who = Who::OWNERS;
    const EACH_TIME: bool = true;
    const ITEMS: bool = false;
    type Output = Authorization;

    fn example() -> Value {
        json!({"items_per_day": 10})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<Authorization> {
        if self.until.is_some_and(|until| until <= tx.now()) {
            return Err(capabilities::Error::invalid("/until", "must lie in the future"));
        }
        let terms = RuleTerms {
            any_agent: self.any_agent,
            reasons: self.reasons.map(|codes| codes.iter().map(|code| code.as_str().to_string()).collect()),
            items_per_call: narrowed(&self.items_per_call),
            items_per_day: narrowed(&self.items_per_day),
            expires_at: self.until,
        };
        let note = self.note.as_ref().map(FreeText::as_str);
        let seen = self.plan.as_ref().map(Text::as_str);
        tx.allow(self.authorization_id.uuid(), Allowance::Always(terms), seen, note).await
    }
}

/// Deny a request of an agent. Nothing is done; the agent gets the note word for word.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deny {
    /// The request.
    pub authorization_id: Id<entities::Authorization>,
    /// Why, and what to do instead: the agent goes by it.
    pub note: Option<FreeText>,
}

impl Action for Deny {
    const NAME: &str = "authorization.deny";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::PeopleOnly;
    const WHO: Who = Who::MANAGERS;
    const EACH_TIME: bool = true;
    const ITEMS: bool = false;
    const INSTEAD_OF_UNDO: Option<&str> = Some("The agent can ask for it again.");
    type Output = Authorization;

    fn example() -> Value {
        json!({"note": "Ask Jane first."})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<Authorization> {
        tx.deny(self.authorization_id.uuid(), self.note.as_ref().map(FreeText::as_str)).await
    }
}

/// Take back a request of your own that waits.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Withdraw {
    /// The request.
    pub authorization_id: Id<entities::Authorization>,
}

impl Action for Withdraw {
    const NAME: &str = "authorization.withdraw";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::MANAGERS;
    const NEVER_HELD: bool = true;
    const ITEMS: bool = false;
    const INSTEAD_OF_UNDO: Option<&str> = Some("Ask for it again.");
    type Output = Authorization;

    async fn run(self, tx: &mut Tx<'_>) -> Result<Authorization> {
        tx.withdraw(self.authorization_id.uuid()).await
    }
}
