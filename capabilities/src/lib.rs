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

pub use answer::{Answer, Meta, Warning, Written};
pub use callers::tokens::{AgentToken, LinkToken, SessionToken};
pub use callers::{Actor, Call, Caller, Door, Input, Options, OrgFacts, Source};
pub use chrono_tz::Tz;
pub use declare::action::{Action, Effect};
pub use declare::data::{Data, Key, Keyed, Listing, Parent, Query};
pub use declare::domain::{ActionEntry, DataEntry, Domain, ErrandEntry, ToolNames};
pub use declare::errands::{Delivery, Errand, LINK_TO_COME, Retries};
pub use declare::guards::{Guard, GuardEntry, LEAVES_BY, Objection};
pub use declare::jobs::Standing;
pub use declare::registry::{Registry, RegistryError};
pub use declare::request::{ActionRequest, Form, QueryRequest, Selection};
pub use error::{Code, Error, Later, Result, Retry};
pub use judge::budgets::{Budget, Spent, amount_in_words};
pub use office::Office;
pub use office::moment::Reading;
pub use office::reading::Read;
pub use people::agents::{NewAgent, NewOrg};
pub use people::{LinkHolder, Session, SessionQuery, SessionRow, sessions, sessions_by_ids};
pub use policy::{Escalation, PermissionClass, Reason, Reasons, Role, Who};
pub use queue::backtest::{Coverage, CoveredRequest, RuleUse, Terms};
pub use queue::decisions::{Allowance, RuleTerms};
pub use queue::notices::QueueNotice;
pub use queue::surroundings::Surroundings;
pub use queue::{Authorization, AuthorizationQuery, Waiting, authorizations, authorizations_by_ids};
pub use record::history::{Change, Trail, TrailQuery, calls_by_ids, trail};
pub use record::plan::Stake;
pub use record::undo::{Undoing, Undone};
pub use tx::listen::{Listening, Wakeup};
pub use tx::references::Repointed;
pub use tx::{Referrer, Tx};
pub use values::amounts::{CurrencyCode, Direction, Money, Payment, Percent, Quantity, TimeOfDay};
pub use values::contact_points::{EmailAddress, PhoneNumber};
pub use values::ids::{Entity, Id, Ids};
pub use values::marks::{FREE_TEXT, REFERS_TO, TIME};
pub use values::patch::Patch;
pub use values::places::{CountryCode, TimeZone};
pub use values::problem::Problem;
pub use values::redact;
pub use values::secret::Secret;
pub use values::text::{FreeText, Name, Text, Untrusted, visible};
pub use values::when::{DayOrTime, When, said};
pub use work::retention::Tidied;
pub use world::Undelivered;
