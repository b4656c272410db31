//! Contacts: the people and organizations that receive services. E-mails and phones are rows of their own, so that each
//! is found by an index and has its own history; callers see them as members of the contact. Addresses are a domain beside
//! it in the same folder, because contacts are found by where they are.

mod changing;
mod creating;
mod deleting;
mod finding;
mod holding;
mod listing;
mod merging;
mod reach;
mod status;

use capabilities::{Domain, Id, Result, Text, Tx};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use uuid::Uuid;

use crate::entities::Contact;

pub(crate) use creating::Create;
pub(crate) use finding::CustomerMatches;
pub(crate) use listing::Contacts;

pub fn domain() -> Domain {
    Domain::new("contact", "People and organizations that receive services")
        .data::<listing::Contacts>()
        .data_tool::<finding::CustomerMatches>("find_customer", "Find a customer")
        .action::<creating::Create>()
        .action::<changing::Update>()
        .action::<status::Archive>()
        .action::<status::Restore>()
        .action::<status::MarkEmail>()
        .action::<status::Unsubscribe>()
        .action::<merging::Merge>()
        .action::<deleting::Delete>()
}

/// The tables that hold parts of a contact: what refers to it from there is the contact itself.
const PARTS: &[&str] = &["addresses", "contact_emails", "contact_phones", "contact_search", "contact_tags"];

/// What callers call the rows of a table that refers to contacts; none for what is derived from others.
fn told_as(table: &str) -> Option<String> {
    match table {
        "contact_search" | "contact_tags" => None,
        "contacts" => Some("merged_contacts".into()),
        table => Some(table.trim_start_matches("contact_").into()),
    }
}

/// Whether a contact is a person or an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ContactKind {
    /// Has a given_name, a family_name or both.
    Person,
    /// Has an organization_name.
    Organization,
}

impl ContactKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Organization => "organization",
        }
    }
}

/// When a contact prefers visits.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PreferredTime {
    /// Before noon.
    Morning,
    /// After noon.
    Afternoon,
    /// Whenever.
    Any,
}

impl PreferredTime {
    fn as_str(self) -> &'static str {
        match self {
            Self::Morning => "morning",
            Self::Afternoon => "afternoon",
            Self::Any => "any",
        }
    }
}

/// A short word to group contacts by; kept in lower case.
pub(crate) type Tag = Text<40>;

fn lower(tags: &[Tag]) -> Vec<String> {
    let mut tags: Vec<String> = tags.iter().map(|tag| tag.as_str().to_lowercase()).collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}

/// A contact.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ContactRow {
    /// The contact.
    pub id: Uuid,
    /// person or organization.
    kind: String,
    /// The name to show.
    pub display_name: String,
    /// A person's given name.
    given_name: Option<String>,
    /// A person's family name.
    family_name: Option<String>,
    /// An organization's name.
    organization_name: Option<String>,
    /// E-mail addresses, the primary one first.
    #[schemars(with = "Vec<reach::EmailRow>")]
    pub emails: Json<Vec<reach::EmailRow>>,
    /// Phone numbers, the primary one first.
    #[schemars(with = "Vec<reach::PhoneRow>")]
    pub phones: Json<Vec<reach::PhoneRow>>,
    /// morning, afternoon or any.
    preferred_time: String,
    /// Words to group by.
    pub tags: Vec<String>,
    /// Since when the contact wants no outreach, UTC.
    unsubscribed_at: Option<DateTime<Utc>>,
    /// Since when the contact is out of the lists, UTC.
    pub archived_at: Option<DateTime<Utc>>,
    /// The contact it was merged into: look there.
    pub merged_into_id: Option<Uuid>,
    /// Counts the changes.
    version: i32,
    /// When it was made, UTC.
    created_at: DateTime<Utc>,
    /// When it was last changed, UTC.
    updated_at: DateTime<Utc>,
    #[serde(skip)]
    #[schemars(skip)]
    sort_name: String,
}

async fn load(id: Id<Contact>, tx: &mut Tx<'_>) -> Result<ContactRow> {
    tx.one::<Contacts>(id).await
}
