//! What an agent may do without asking: an action's class, and what raises it for one call.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::callers::{Caller, Who};
use crate::declare::action::Action;
use crate::error::{Error, Result};

/// The permission class of an action for agents, mildest first. People are bound by their role instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PermissionClass {
    /// Done at once.
    Unrestricted,
    /// Done at once when the call carries a reasoning.
    SoftLimit,
    /// Waits for a person, who sees what would happen and decides.
    RequiresAuthorization,
    /// Never an agent's.
    PeopleOnly,
}

impl PermissionClass {
    /// As callers read it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unrestricted => "unrestricted",
            Self::SoftLimit => "soft_limit",
            Self::RequiresAuthorization => "requires_authorization",
            Self::PeopleOnly => "people_only",
        }
    }
}

/// Whether `caller` may do something of this class and for these people at all.
pub(crate) fn permit(caller: &Caller, action: &str, class: PermissionClass, who: Who) -> Result<()> {
    if caller.is_agent() && class == PermissionClass::PeopleOnly {
        return Err(Error::Forbidden(format!("`{action}` is for people to do, not for agents.")));
    }
    match caller.is_among(who) {
        true => Ok(()),
        false => Err(Error::Forbidden(format!("`{action}` is for {}.", who.in_words()))),
    }
}

/// Why a call was judged stricter than its action's class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// Stable, snake_case.
    pub code: String,
    /// A sentence for people, in lower case without a full stop.
    pub message: String,
}

/// The codes a review found to hold.
#[derive(Debug, Default)]
pub struct Reasons(Vec<&'static str>);

impl Reasons {
    /// Nothing that raises the class.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds `code` if it holds.
    #[must_use]
    pub fn when(mut self, holds: bool, code: &'static str) -> Self {
        if holds {
            self.0.push(code);
        }
        self
    }
}

enum Test<A> {
    Input(fn(&A) -> bool),
    Review,
}

/// What raises the class of one call: a fact of the input, or one that the action's review finds in the rows.
pub struct Escalation<A> {
    code: &'static str,
    class: PermissionClass,
    message: &'static str,
    test: Test<A>,
}

impl<A> Escalation<A> {
    /// Holds by the input alone.
    pub const fn on_input(
        code: &'static str,
        class: PermissionClass,
        message: &'static str,
        test: fn(&A) -> bool,
    ) -> Self {
        Self { code, class, message, test: Test::Input(test) }
    }

    /// Holds when the action's `review` names `code`.
    pub const fn on_review(code: &'static str, class: PermissionClass, message: &'static str) -> Self {
        Self { code, class, message, test: Test::Review }
    }

    /// For the catalogue: code, class and sentence.
    pub(crate) fn facts(&self) -> (&'static str, PermissionClass, &'static str) {
        (self.code, self.class, self.message)
    }
}

impl<A> fmt::Debug for Escalation<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {:?}", self.code, self.class)
    }
}

/// The class of a whole call: the strictest of its steps, with all their reasons.
#[derive(Debug, Clone)]
pub(crate) struct Judgement {
    pub class: PermissionClass,
    /// The people who may do every step of it.
    pub who: Who,
    pub reasons: Vec<Reason>,
    /// The actions it is made of, itself among them: what an agent has stricter limits for holds for a step too.
    pub steps: Vec<&'static str>,
}

impl Judgement {
    pub fn mild() -> Self {
        Self { class: PermissionClass::Unrestricted, who: Who::EVERYONE, reasons: Vec::new(), steps: Vec::new() }
    }

    /// Judges one step by its declared class, its input and what its review found.
    pub fn add<A: Action>(&mut self, input_holds: &[bool], found: &Reasons) {
        self.class = self.class.max(A::CLASS);
        self.who = self.who.max(A::WHO);
        if !self.steps.contains(&A::NAME) {
            self.steps.push(A::NAME);
        }
        for (escalation, holds_by_input) in A::ESCALATIONS.iter().zip(input_holds) {
            let holds = *holds_by_input || found.0.contains(&escalation.code);
            let known = self.reasons.iter().any(|reason| reason.code == escalation.code);
            if holds && !known {
                self.class = self.class.max(escalation.class);
                self.reasons.push(Reason { code: escalation.code.into(), message: escalation.message.into() });
            }
        }
    }
}

/// Which escalations hold by the input, taken before the action consumes it.
pub(crate) fn by_input<A>(escalations: &[Escalation<A>], input: &A) -> Vec<bool> {
    escalations
        .iter()
        .map(|escalation| match escalation.test {
            Test::Input(test) => test(input),
            Test::Review => false,
        })
        .collect()
}
