//! What can go wrong, said once: one enum, and one `match` that gives each case its code, HTTP status and
//! advice on repeating. Nothing else in the tree mentions a status code.

mod later;

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::policy::Reason;
use crate::values::ids::Entity;
use crate::values::problem::Problem;

pub use later::Later;

/// The result of everything that can be refused.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// When a refused call is worth repeating.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// The same call will be refused again, however it is changed.
    Never,
    /// After changing what the problems or the hint name.
    AfterFixing,
    /// The same call, a little later.
    Later,
    /// Not at all: it is carried out when a person allows it.
    WhenAuthorized,
}

/// A stable code with the HTTP status and the advice that go with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// Stable, UPPER_SNAKE.
    pub name: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Whether and when to repeat.
    pub retry: Retry,
}

/// Everything a call or a question can be refused for.
#[derive(Debug)]
pub enum Error {
    /// The body is not JSON.
    InvalidJson(String),
    /// The input does not fit what is advertised.
    InvalidInput(Vec<Problem>),
    /// No token, or one that is unknown, expired or disabled.
    Unauthenticated(String),
    /// Known, but not allowed; the text says who is.
    Forbidden(String),
    /// A write that comes with a person's session, but not provably from that person's page or program.
    Unproven(String),
    /// A link that has done what it was for, or is too old for it.
    LinkGone(String),
    /// Nothing of that kind with that id in this organization.
    NotFound {
        /// What was looked for, in words.
        what: String,
    },
    /// No page or route of that name.
    UnknownRoute(String),
    /// The route exists, with other methods.
    MethodNotAllowed {
        /// The methods it has.
        allowed: String,
    },
    /// No action of that name.
    UnknownAction {
        /// The name asked for.
        name: String,
        /// Nearest names.
        did_you_mean: Vec<String>,
    },
    /// No data type of that name.
    UnknownType {
        /// The name asked for.
        name: String,
        /// Nearest names.
        did_you_mean: Vec<String>,
    },
    /// `expected_version` is stale.
    VersionConflict {
        /// The version it has now.
        current: i32,
    },
    /// The idempotency key was used for another input.
    IdempotencyKeyReused,
    /// The body is larger than a call may be.
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The action's class for agents asks for a reasoning, and none was given.
    ReasoningRequired(Vec<Reason>),
    /// It waits for a person. Nothing was done yet.
    AuthorizationPending {
        /// What waits, in a few words.
        summary: String,
    },
    /// The agent has as many requests waiting as it may.
    QueueFull {
        /// How many those are.
        most: i64,
    },
    /// The caller asks more often than anybody may.
    RateLimited {
        /// So many seconds later it may again.
        wait: u64,
    },
    /// It took longer than a request may, and was given up.
    OutOfTime {
        /// How long a request may take.
        seconds: u64,
    },
    /// What was allowed would no longer do what was shown; the request with a fresh preview.
    PlanChanged(Box<Value>),
    /// Later changes depend on what would be undone.
    ChangedSince(Vec<Later>),
    /// It was decided, and not in the caller's favour, or can no longer be decided: asking again changes nothing.
    Settled {
        /// Stable, UPPER_SNAKE.
        code: &'static str,
        /// What is so.
        message: String,
        /// What to do next.
        hint: String,
    },
    /// A rule of the business stands against it.
    Conflict {
        /// Stable, UPPER_SNAKE.
        code: &'static str,
        /// What is so.
        message: String,
        /// What to do next, naming the action.
        hint: String,
        /// The records that stand against it.
        about: Option<Box<Value>>,
    },
    /// A part we depend on is down; nothing was changed.
    Unavailable {
        /// Which part.
        part: &'static str,
        /// For the log, never shown.
        cause: String,
    },
    /// The database went away during the commit: whether the change was made is not known.
    Unconfirmed {
        /// For the log, never shown.
        cause: String,
    },
    /// Our own fault. The cause is logged, never shown.
    Internal(String),
}

impl Error {
    /// One problem with the input.
    pub fn invalid(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Problem::at(pointer, message).into()
    }

    /// There is no `T` with this id.
    #[must_use]
    pub fn not_found<T: Entity>(id: impl Into<Uuid>) -> Self {
        Self::NotFound { what: format!("{} {}", T::NAME, id.into()) }
    }

    /// A rule of the business, by its stable code.
    pub fn conflict(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Conflict { code, message: message.into(), hint: hint.into(), about: None }
    }

    /// Adds the records that stand against it, for programs; the message names them for readers.
    #[must_use]
    pub fn about(self, records: Value) -> Self {
        match self {
            Self::Conflict { code, message, hint, .. } => {
                Self::Conflict { code, message, hint, about: Some(Box::new(records)) }
            }
            other => other,
        }
    }

    /// The code, status and advice: the only place that knows them.
    #[must_use]
    pub fn code(&self) -> Code {
        use Retry::{AfterFixing, Later, Never, WhenAuthorized};
        let (name, status, retry) = match self {
            Self::InvalidJson(_) => ("INVALID_JSON", 400, AfterFixing),
            Self::InvalidInput(_) => ("INVALID_INPUT", 422, AfterFixing),
            Self::Unauthenticated(_) => ("UNAUTHENTICATED", 401, AfterFixing),
            Self::Forbidden(_) | Self::Unproven(_) => ("FORBIDDEN", 403, Never),
            Self::LinkGone(_) => ("LINK_GONE", 410, Never),
            Self::NotFound { .. } | Self::UnknownRoute(_) => ("NOT_FOUND", 404, AfterFixing),
            Self::MethodNotAllowed { .. } => ("METHOD_NOT_ALLOWED", 405, AfterFixing),
            Self::UnknownAction { .. } => ("UNKNOWN_ACTION", 404, AfterFixing),
            Self::UnknownType { .. } => ("UNKNOWN_TYPE", 404, AfterFixing),
            Self::VersionConflict { .. } => ("VERSION_CONFLICT", 409, AfterFixing),
            Self::IdempotencyKeyReused => ("IDEMPOTENCY_KEY_REUSED", 409, AfterFixing),
            Self::TooLarge { .. } => ("TOO_LARGE", 413, AfterFixing),
            Self::ReasoningRequired(_) => ("REASONING_REQUIRED", 422, AfterFixing),
            Self::AuthorizationPending { .. } => ("AUTHORIZATION_PENDING", 202, WhenAuthorized),
            Self::QueueFull { .. } => ("QUEUE_FULL", 429, Later),
            Self::RateLimited { .. } => ("RATE_LIMITED", 429, Later),
            Self::PlanChanged(_) => ("PLAN_CHANGED", 409, AfterFixing),
            Self::ChangedSince(_) => ("CHANGED_SINCE", 409, AfterFixing),
            Self::Settled { code, .. } => (*code, 409, Never),
            Self::Conflict { code, .. } => (*code, 409, AfterFixing),
            Self::Unavailable { .. } | Self::Unconfirmed { .. } | Self::OutOfTime { .. } => ("UNAVAILABLE", 503, Later),
            Self::Internal(_) => ("INTERNAL", 500, Later),
        };
        Code { name, status, retry }
    }

    /// What is so, in a sentence.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::InvalidJson(why) => format!("The body is not valid JSON: {why}."),
            Self::InvalidInput(problems) => match problems.as_slice() {
                [] => "The input does not fit what is asked for.".into(),
                [only] => format!("The input has a problem: {}", in_words(only)),
                [first, ..] => format!("The input has {} problems; the first: {}", problems.len(), in_words(first)),
            },
            Self::Unauthenticated(why) | Self::Forbidden(why) | Self::Unproven(why) | Self::LinkGone(why) => {
                why.clone()
            }
            Self::NotFound { what } => format!("There is no {what}."),
            Self::UnknownRoute(path) => format!("There is nothing at {path}."),
            Self::MethodNotAllowed { allowed } => format!("This route takes {allowed}."),
            Self::UnknownAction { name, .. } => format!("There is no action `{name}`."),
            Self::UnknownType { name, .. } => format!("There is no data type `{name}`."),
            Self::VersionConflict { current } => {
                format!("It was changed meanwhile and is at version {current} now.")
            }
            Self::IdempotencyKeyReused => "This idempotency key was used for another input.".into(),
            Self::TooLarge { limit } => format!("The body is larger than {} KiB.", limit / 1024),
            Self::ReasoningRequired(reasons) => match reasons.is_empty() {
                true => "This action asks an agent for its reasoning; nothing was changed.".into(),
                false => format!(
                    "This action asks an agent for its reasoning ({}); nothing was changed.",
                    reasons.iter().map(|reason| reason.message.as_str()).collect::<Vec<_>>().join("; ")
                ),
            },
            Self::AuthorizationPending { summary } => {
                format!("It waits for a person to decide: {summary}. Nothing was done yet.")
            }
            Self::QueueFull { most } => format!("{most} requests of this agent wait already; this one was not added."),
            Self::RateLimited { .. } => "There were too many requests in too short a time; nothing was done.".into(),
            Self::OutOfTime { seconds } => format!(
                "It took longer than {seconds} seconds and was given up: a change may or may not have been made."
            ),
            Self::PlanChanged(_) => "It would do something else by now than what was shown; nothing was done.".into(),
            Self::ChangedSince(later) => later_in_words(later),
            Self::Conflict { message, .. } | Self::Settled { message, .. } => message.clone(),
            Self::Unavailable { part, .. } => format!("The {part} cannot serve right now; nothing was changed."),
            Self::Unconfirmed { .. } => {
                "The database went away while the change was being committed: it may or may not have been made.".into()
            }
            Self::Internal(_) => "Something broke on our side; nothing was changed.".into(),
        }
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::InvalidJson(_) => "Send one JSON object, UTF-8.".into(),
            Self::InvalidInput(problems) => {
                let suggested = match problems.as_slice() {
                    [only] if !only.did_you_mean.is_empty() => format!(" Did you mean {}?", or_list(&only.did_you_mean)),
                    _ => String::new(),
                };
                format!("Mend what `problems` names and send the call again.{suggested}")
            }
            Self::Unauthenticated(_) => {
                "Send `Authorization: Bearer fd_…` with an agent's token (`frontdesk agent create NAME` makes one), or sign \
                 in as a person at /sign-in."
                    .into()
            }
            Self::Unproven(_) => {
                "Send the session's own `csrf_token`, which GET /api/session tells, in the header X-CSRF-Token, from the \
                 page or program that is signed in."
                    .into()
            }
            Self::LinkGone(_) => "Ask for a new link; `frontdesk sign-in-link EMAIL` on the server prints one.".into(),
            Self::Forbidden(_) => "Ask a person with that role.".into(),
            Self::NotFound { .. } => {
                "Look the id up with a query; an id of another organization is not found here.".into()
            }
            Self::UnknownRoute(_) => "GET /openapi.json lists the routes.".into(),
            Self::MethodNotAllowed { allowed } => format!("Repeat the request with {allowed}."),
            Self::UnknownAction { did_you_mean, .. } | Self::UnknownType { did_you_mean, .. } => {
                match did_you_mean.is_empty() {
                    true => "The capabilities list every action and data type.".into(),
                    false => format!("Did you mean {}? The capabilities list all.", or_list(did_you_mean)),
                }
            }
            Self::VersionConflict { current } => {
                format!("Read it again, then repeat with expected_version {current} if the change is still right.")
            }
            Self::IdempotencyKeyReused => "Use a new key for a new input, or the same input for a repeat.".into(),
            Self::TooLarge { .. } => "Send less in one call.".into(),
            Self::ReasoningRequired(_) => {
                "Repeat the call with `reasoning`: one or two sentences for the record on why this is right.".into()
            }
            Self::AuthorizationPending { .. } => {
                "Go on with other work and look later whether it was decided; do not repeat the call.".into()
            }
            Self::QueueFull { .. } => {
                "Wait for decisions, or take back with authorization.withdraw what is no longer needed.".into()
            }
            Self::RateLimited { wait } => format!("Wait {wait} seconds, then send the same request again."),
            Self::PlanChanged(_) => "Look at the fresh preview and decide again.".into(),
            Self::ChangedSince(_) => {
                "Undo what `later_changes` names first, the newest first, with audit.undo; then this. Or do by hand what is \
                 still wanted."
                    .into()
            }
            Self::Conflict { hint, .. } | Self::Settled { hint, .. } => hint.clone(),
            Self::Unavailable { .. } => "Repeat the same call in a few seconds.".into(),
            Self::Unconfirmed { .. } | Self::OutOfTime { .. } => {
                "Repeat the same call with the same idempotency_key, or look first whether the change is there.".into()
            }
            Self::Internal(_) => "Quote the request_id to whoever runs this server.".into(),
        }
    }

    /// Whether it is an outage or a fault of ours, not a refusal.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self, Self::Internal(_) | Self::Unavailable { .. } | Self::Unconfirmed { .. } | Self::OutOfTime { .. })
    }

    /// Of an outage or a fault of ours: why, for the log.
    pub(crate) fn cause(&self) -> Option<&str> {
        match self {
            Self::Internal(cause) | Self::Unavailable { cause, .. } | Self::Unconfirmed { cause } => Some(cause),
            _ => None,
        }
    }

    /// Data that goes with the refusal.
    pub(crate) fn data(&self) -> Option<Value> {
        match self {
            Self::PlanChanged(fresh) => Some(fresh.as_ref().clone()),
            _ => None,
        }
    }

    /// The problems, with pointers into the input.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::InvalidInput(problems) => problems,
            _ => &[],
        }
    }

    /// The `error` member of the envelope.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let code = self.code();
        let mut error = json!({
            "code": code.name, "message": self.message(), "hint": self.hint(), "retry": code.retry,
        });
        if !self.problems().is_empty() {
            error["problems"] = json!(self.problems());
        }
        match self {
            Self::ReasoningRequired(reasons) if !reasons.is_empty() => error["reasons"] = json!(reasons),
            Self::UnknownAction { did_you_mean, .. } | Self::UnknownType { did_you_mean, .. }
                if !did_you_mean.is_empty() =>
            {
                error["did_you_mean"] = json!(did_you_mean);
            }
            Self::VersionConflict { current } => error["current_version"] = json!(current),
            Self::ChangedSince(later) => error["later_changes"] = json!(later),
            Self::Conflict { about: Some(records), .. } => error["about"] = records.as_ref().clone(),
            _ => {}
        }
        error
    }

    /// Refuses what was meant for another version of a row than it has now.
    pub fn unless_version(current: i32, expected: Option<i32>) -> Result<()> {
        match expected {
            Some(expected) if expected != current => Err(Self::VersionConflict { current }),
            _ => Ok(()),
        }
    }

    /// Puts `prefix` before every pointer, for an input that stands inside another.
    #[must_use]
    pub fn under(self, prefix: &str) -> Self {
        match self {
            Self::InvalidInput(problems) => Self::InvalidInput(
                problems
                    .into_iter()
                    .map(|problem| Problem { pointer: format!("{prefix}{}", problem.pointer), ..problem })
                    .collect(),
            ),
            other => other,
        }
    }
}

fn in_words(problem: &Problem) -> String {
    match problem.pointer.as_str() {
        "" => problem.message.clone(),
        pointer => format!("{pointer}: {}", problem.message),
    }
}

/// The newest of them; the others stand in `later_changes`.
fn later_in_words(later: &[Later]) -> String {
    let first = "Later changes depend on it, so nothing was undone";
    match later {
        [] => format!("{first}."),
        [only] => format!("{first}: {}.", only.in_words()),
        [newest, more @ ..] => format!("{first}: {}, and {} more.", newest.in_words(), more.len()),
    }
}

fn or_list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ")
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::InvalidInput(vec![problem])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_without_particulars_is_a_sentence_all_the_same() {
        let bare = [
            (Error::InvalidInput(Vec::new()), "The input does not fit what is asked for."),
            (Error::ChangedSince(Vec::new()), "Later changes depend on it, so nothing was undone."),
        ];
        for (error, message) in bare {
            assert_eq!(error.message(), message);
            assert!(error.hint().ends_with('.'), "{}", error.hint());
        }
    }

    #[test]
    fn of_several_problems_the_first_is_told() {
        let problem = |pointer: &str| Problem::at(pointer, "must not be empty.");
        assert_eq!(
            Error::InvalidInput(vec![problem("/name")]).message(),
            "The input has a problem: /name: must not be empty."
        );
        let both = Error::InvalidInput(vec![problem("/name"), problem("/kind")]).message();
        assert_eq!(both, "The input has 2 problems; the first: /name: must not be empty.");
    }
}
