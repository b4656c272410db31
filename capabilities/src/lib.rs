//! The kernel: what a capability is and how one is carried out.
//!
//! Everything that changes something is a [`Call`], carried out by [`Office::call`]; every question is a
//! [`Read`], answered by [`Office::read`]. This crate knows no domain, no HTTP and no MCP: the doors bring
//! Calls in, the domains declare [`Action`]s and [`Data`], and the rest is derived here.

#![warn(missing_docs)]

mod action;
mod agents;
mod alerts;
mod amounts;
mod answer;
mod backtest;
mod budgets;
mod call;
mod call_log;
mod catalogue;
mod circuits;
mod data;
mod decisions;
mod enrolment;
mod errands;
mod error;
mod gate;
mod history;
mod idempotency;
mod jobs;
mod kinds;
mod listen;
mod notices;
mod office;
mod people;
mod plan;
mod queue;
mod reading;
pub mod redact;
mod references;
mod registry;
mod request;
mod retention;
mod schema;
mod summary;
mod telemetry;
mod tokens;
mod tx;
mod undo;
mod validation;
mod verdict;
mod when;
mod work;
pub mod world;

pub use action::{Action, Effect};
pub use agents::{NewAgent, NewOrg};
pub use amounts::{CurrencyCode, Money, Percent, Quantity, TimeOfDay};
pub use answer::{Answer, Meta};
pub use backtest::{Coverage, CoveredRequest, RuleUse, Terms};
pub use budgets::{Budget, Spent, amount_in_words};
pub use call::{Actor, Call, Caller, Door, Input, Options, OrgFacts, Role, Source, Who};
pub use chrono_tz::Tz;
pub use data::{Data, Key, Keyed, Listing, Parent, Query};
pub use decisions::{Allowance, RuleTerms};
pub use errands::{Delivery, Direction, Errand, LINK_TO_COME, Payment, Undelivered};
pub use error::{Code, Error, Problem, Result, Retry};
pub use gate::{Escalation, PermissionClass, Reason, Reasons};
pub use history::{Change, Trail, TrailQuery, trail};
pub use jobs::Standing;
pub use kinds::{
    CountryCode, EmailAddress, Entity, FreeText, Id, Ids, Name, Patch, PhoneNumber, Secret, Text, TimeZone, Untrusted,
    visible,
};
pub use listen::{Listening, Wakeup};
pub use notices::QueueNotice;
pub use office::Office;
pub use people::{LinkHolder, Session, SessionRow};
pub use plan::Stake;
pub use queue::{Authorization, AuthorizationQuery, Waiting, authorizations};
pub use reading::{Read, Selection};
pub use references::Repointed;
pub use registry::{ActionEntry, DataEntry, Domain, ErrandEntry, Registry, RegistryError, ToolNames};
pub use request::{ActionRequest, Form, QueryRequest};
pub use retention::Tidied;
pub use tokens::{AgentToken, LinkToken, SessionToken};
pub use tx::{Referrer, Tx, Warning};
pub use undo::{Later, Undoing, Undone};
pub use when::{DayOrTime, When, said};
