//! What an agent may do without asking: an action's class, and what raises it for one call.

mod who;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use who::{Role, Who};

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

    pub(crate) fn fact(&self) -> Fact {
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

    /// Judges one step by its declared class and what of its escalations holds.
    pub fn add(&mut self, name: &'static str, class: PermissionClass, who: Who, holding: &[Fact]) {
        self.class = self.class.max(class);
        self.who = self.who.and(who);
        if !self.steps.contains(&name) {
            self.steps.push(name);
        }
        for (code, class, message) in holding {
            if !self.reasons.iter().any(|reason| reason.code == *code) {
                self.class = self.class.max(*class);
                self.reasons.push(Reason { code: (*code).into(), message: (*message).into() });
            }
        }
    }
}

/// An escalation as a fact: code, class and sentence.
pub(crate) type Fact = (&'static str, PermissionClass, &'static str);

/// The escalations that hold for one step, by its input and by what its review found.
pub(crate) fn holding<A>(escalations: &[Escalation<A>], by_input: &[bool], found: &Reasons) -> Vec<Fact> {
    let holds = |(escalation, by_input): &(&Escalation<A>, &bool)| **by_input || found.0.contains(&escalation.code);
    escalations.iter().zip(by_input).filter(holds).map(|(escalation, _)| escalation.fact()).collect()
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
