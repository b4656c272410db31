//! A Call and who makes it: the one shape in which MCP tools, REST requests, webhooks, jobs and people arrive.

pub(crate) mod kept;
pub(crate) mod tokens;

use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde_json::Value;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::policy::{PermissionClass, Role, Who};
use crate::values::amounts::Money;
use crate::values::redact::redact;

/// What of its organization every call needs: for local times, phone numbers and money.
#[derive(Debug, Clone, Copy)]
pub struct OrgFacts {
    /// The organization.
    pub id: Uuid,
    /// Its time zone.
    pub timezone: Tz,
    /// Its ISO 4217 currency.
    pub currency: [u8; 3],
    /// Its ISO 3166-1 country.
    pub country: [u8; 2],
}

impl OrgFacts {
    /// So many minor units of the organization's currency.
    #[must_use]
    pub fn money(&self, amount: i64) -> Money {
        Money::of(amount, self.currency)
    }

    /// The time zone that a place names as its own, or the organization's.
    #[must_use]
    pub fn zone_of(&self, own: Option<&str>) -> Tz {
        own.and_then(|zone| zone.parse().ok()).unwrap_or(self.timezone)
    }
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A language model or a program with its own token.
    Agent {
        /// The agent.
        id: Uuid,
        /// Its name.
        name: String,
    },
    /// A person of the business.
    User {
        /// The user.
        id: Uuid,
        /// Their name.
        name: String,
        /// What they may do.
        role: Role,
    },
    /// An automation, named.
    System(String),
}

/// How far a caller reaches at all, whatever its role or class: what is beyond is refused in place and never queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// All that there is.
    All,
}

impl Reach {
    /// Whether an action or a data type lies within it.
    pub fn covers(self, _name: &str) -> bool {
        match self {
            Self::All => true,
        }
    }
}

/// What somebody was let in by. Whoever writes is looked at again, and this with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credential {
    /// The hash of an agent's token.
    Token([u8; 32]),
    /// A person's session.
    Session(Uuid),
}

/// A known caller: only [`crate::Office`] makes one, from a token or as the system.
#[derive(Debug, Clone)]
pub struct Caller {
    pub(crate) org: OrgFacts,
    pub(crate) actor: Actor,
    /// Of an agent: the classes that are stricter for it than for others, by action or domain.
    pub(crate) overrides: BTreeMap<String, PermissionClass>,
    /// Of an agent: whether people decided something it has not been told yet.
    pub(crate) has_news: bool,
    /// None of those whom the machine itself vouches for.
    pub(crate) credential: Option<Credential>,
    reach: Reach,
}

impl Caller {
    pub(crate) fn new(org: OrgFacts, actor: Actor) -> Self {
        let (overrides, has_news) = (BTreeMap::new(), false);
        Self { org, actor, overrides, has_news, credential: None, reach: Reach::All }
    }

    /// An agent, with what is known of it beside its name.
    pub(crate) fn agent(
        org: OrgFacts,
        id: Uuid,
        name: String,
        overrides: BTreeMap<String, PermissionClass>,
        has_news: bool,
    ) -> Self {
        Self { overrides, has_news, ..Self::new(org, Actor::Agent { id, name }) }
    }

    /// The same, let in by this.
    pub(crate) fn by(self, credential: Credential) -> Self {
        Self { credential: Some(credential), ..self }
    }

    /// The organization it acts in.
    #[must_use]
    pub fn org(&self) -> &OrgFacts {
        &self.org
    }

    /// Who acts.
    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The actor's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.actor {
            Actor::Agent { name, .. } | Actor::User { name, .. } => name,
            Actor::System(name) => name,
        }
    }

    /// The agent or user, none for the system.
    #[must_use]
    pub fn id(&self) -> Option<Uuid> {
        match &self.actor {
            Actor::Agent { id, .. } | Actor::User { id, .. } => Some(*id),
            Actor::System(_) => None,
        }
    }

    /// `agent`, `user` or `system`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.actor {
            Actor::Agent { .. } => "agent",
            Actor::User { .. } => "user",
            Actor::System(_) => "system",
        }
    }

    /// Of a person: what they may do.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        match &self.actor {
            Actor::User { role, .. } => Some(*role),
            Actor::Agent { .. } | Actor::System(_) => None,
        }
    }

    /// Agents are gated; people and the system are not.
    #[must_use]
    pub fn is_agent(&self) -> bool {
        matches!(self.actor, Actor::Agent { .. })
    }

    /// Of a technician: the user whose own things are all they may change, where an action is for everyone: the notes they
    /// wrote, the tickets they are on.
    #[must_use]
    pub fn only_own(&self) -> Option<Uuid> {
        match &self.actor {
            Actor::User { id, role: Role::Technician, .. } => Some(*id),
            Actor::User { .. } | Actor::Agent { .. } | Actor::System(_) => None,
        }
    }

    /// The same caller everywhere it is remembered: in idempotency keys, for one.
    #[must_use]
    pub fn key(&self) -> String {
        match self.id() {
            Some(id) => format!("{}:{id}", self.kind()),
            None => format!("system:{}", self.name()),
        }
    }

    /// The class that this agent has of its own for an action: of the action itself or of its domain, the stricter one.
    pub(crate) fn own_class(&self, action: &str) -> Option<PermissionClass> {
        own_class(&self.overrides, action)
    }

    /// Whether an action or a data type is within what this caller reaches at all.
    pub(crate) fn reaches(&self, name: &str) -> bool {
        self.reach.covers(name)
    }

    /// Whether this caller may do or read what `who` may.
    #[must_use]
    pub fn is_among(&self, who: Who) -> bool {
        match &self.actor {
            Actor::User { role, .. } => who.includes(*role),
            Actor::Agent { .. } | Actor::System(_) => true,
        }
    }
}

/// Whether `caller` may do something of this class and for these people at all.
pub(crate) fn permit(caller: &Caller, action: &str, class: PermissionClass, who: Who) -> Result<()> {
    if !caller.reaches(action) {
        return Err(Error::Forbidden(format!("`{action}` is beyond what {} reaches.", caller.name())));
    }
    if caller.is_agent() && class == PermissionClass::PeopleOnly {
        return Err(Error::Forbidden(format!("`{action}` is for people to do, not for agents.")));
    }
    match caller.is_among(who) {
        true => Ok(()),
        false => Err(Error::Forbidden(format!("`{action}` is for {}.", who.in_words()))),
    }
}

/// An agent's own class for an action by its overrides.
pub(crate) fn own_class(overrides: &BTreeMap<String, PermissionClass>, action: &str) -> Option<PermissionClass> {
    let domain = action.split('.').next().unwrap_or_default();
    [action, domain].into_iter().filter_map(|name| overrides.get(name)).max().copied()
}

/// The door a call came through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Door {
    /// MCP over HTTP.
    McpHttp,
    /// MCP over standard input and output.
    McpStdio,
    /// REST.
    Rest,
    /// The queue: an agent's request, carried out because a person allowed it.
    Authorization,
    /// A page, with a person before it.
    Page,
    /// The command line or the program itself.
    #[default]
    Program,
}

impl Door {
    /// As the audit trail writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::McpHttp => "mcp_http",
            Self::McpStdio => "mcp_stdio",
            Self::Rest => "rest",
            Self::Authorization => "authorization",
            Self::Page => "page",
            Self::Program => "program",
        }
    }
}

/// Where a call came from.
#[derive(Debug, Clone)]
pub struct Source {
    pub(crate) door: Door,
    pub(crate) client: Option<String>,
    pub(crate) traceparent: Option<String>,
    pub(crate) caused_by: Option<Uuid>,
}

impl Source {
    /// A source with nothing but its door.
    #[must_use]
    pub fn of(door: Door) -> Self {
        Self { door, client: None, traceparent: None, caused_by: None }
    }

    /// Adds the client's own name and version, as it states them: the first 100 printable characters.
    #[must_use]
    pub fn client(mut self, stated: Option<&str>) -> Self {
        let printable = |text: &str| text.chars().filter(|c| !c.is_control()).take(100).collect::<String>();
        self.client = stated.map(|text| redact(&printable(text)).text.into_owned());
        self
    }

    /// Adds the call that caused this one.
    #[must_use]
    pub(crate) fn caused_by(mut self, call: Option<Uuid>) -> Self {
        self.caused_by = call;
        self
    }

    /// Adds the W3C trace context, if it has that form.
    #[must_use]
    pub fn traceparent(mut self, stated: Option<&str>) -> Self {
        let formed = |text: &&str| text.len() == 55 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        self.traceparent = stated.filter(formed).map(str::to_string);
        self
    }
}

/// The input of a call.
#[derive(Debug, Clone)]
pub enum Input {
    /// One input.
    One(Value),
    /// The same action on several inputs, all or nothing.
    Items(Vec<Value>),
}

/// What a caller may ask for beside the action itself.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Show what would happen and change nothing.
    pub dry_run: bool,
    /// A repeat with the same key and input returns the first outcome. Kept 30 days.
    pub idempotency_key: Option<String>,
    /// Why this is right, for the record.
    pub reasoning: Option<String>,
}

/// One carrying-out of an action.
#[derive(Debug, Clone)]
pub struct Call {
    /// `domain.action`.
    pub action: String,
    /// The input.
    pub input: Input,
    /// Options.
    pub options: Options,
    /// Where it came from.
    pub source: Source,
}
