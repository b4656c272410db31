//! The kernel: what a capability is and how one is carried out.
//!
//! Everything that changes something is a [`Call`], carried out by [`Office::call`]; every question is a
//! [`Read`], answered by [`Office::read`]. This crate knows no domain, no HTTP and no MCP: the doors bring
//! Calls in, the domains declare [`Action`]s and [`Data`], and the rest is derived here.

#![warn(missing_docs)]

mod answer;
mod callers;
mod declare;
mod error;
mod judge;
mod office;
mod people;
mod policy;
mod queue;
mod record;
mod schema;
mod tx;
mod values;
mod work;
pub mod world;

pub use answer::{Answer, Meta};
pub use callers::tokens::{AgentToken, LinkToken, SessionToken};
pub use callers::{Actor, Call, Caller, Door, Input, Options, OrgFacts, Role, Source, Who};
pub use chrono_tz::Tz;
pub use declare::action::{Action, Effect};
pub use declare::data::{Data, Key, Keyed, Listing, Parent, Query};
pub use declare::errands::{Delivery, Direction, Errand, LINK_TO_COME, Payment, Undelivered};
pub use declare::jobs::Standing;
pub use declare::registry::{ActionEntry, DataEntry, Domain, ErrandEntry, Registry, RegistryError, ToolNames};
pub use declare::request::{ActionRequest, Form, QueryRequest};
pub use error::{Code, Error, Problem, Result, Retry};
pub use judge::budgets::{Budget, Spent, amount_in_words};
pub use office::Office;
pub use office::reading::{Read, Selection};
pub use people::agents::{NewAgent, NewOrg};
pub use people::{LinkHolder, Session, SessionRow};
pub use policy::{Escalation, PermissionClass, Reason, Reasons};
pub use queue::backtest::{Coverage, CoveredRequest, RuleUse, Terms};
pub use queue::decisions::{Allowance, RuleTerms};
pub use queue::notices::QueueNotice;
pub use queue::{Authorization, AuthorizationQuery, Waiting, authorizations};
pub use record::history::{Change, Trail, TrailQuery, trail};
pub use record::plan::Stake;
pub use record::undo::{Later, Undoing, Undone};
pub use schema::{FREE_TEXT, REFERS_TO, TIME};
pub use tx::listen::{Listening, Wakeup};
pub use tx::references::Repointed;
pub use tx::{Referrer, Tx, Warning};
pub use values::amounts::{CurrencyCode, Money, Percent, Quantity, TimeOfDay};
pub use values::kinds::{
    CountryCode, EmailAddress, Entity, FreeText, Id, Ids, Name, Patch, PhoneNumber, Secret, Text, TimeZone, Untrusted,
    visible,
};
pub use values::redact;
pub use values::when::{DayOrTime, When, said};
pub use work::retention::Tidied;
