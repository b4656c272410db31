//! The business itself: its name, hours and terms. One row per organization, which is the tenant.

mod changing;
mod freezing;

use std::collections::BTreeMap;

use capabilities::{Data, Domain, Id, Result, Tx, Who};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use uuid::Uuid;

use crate::entities::Org;

pub fn domain() -> Domain {
    Domain::new("org", "The business: its name, hours, terms and defaults")
        .data::<Orgs>()
        .action::<changing::Update>()
        .action::<freezing::Freeze>()
        .action::<freezing::Unfreeze>()
}

/// The business you work for: name, time zone, currency, hours, terms.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Orgs {}

/// The business.
#[derive(Serialize, JsonSchema)]
pub(crate) struct OrgRow {
    /// The organization.
    id: Uuid,
    /// The business's name.
    name: String,
    /// IANA time zone in which local times are meant.
    timezone: String,
    /// ISO 4217 currency of all amounts.
    currency: String,
    /// ISO 3166-1 country; phone numbers without a country code are read as of there.
    country: String,
    /// Opening and closing time per weekday, mon to sun; a day that is missing is closed.
    #[schemars(with = "BTreeMap<String, [String; 2]>")]
    pub business_hours: Json<BTreeMap<String, [String; 2]>>,
    /// Percent, as an exact decimal.
    pub default_tax_rate: String,
    /// What invoice numbers begin with.
    invoice_prefix: String,
    /// Days until an invoice is due.
    payment_terms_days: i32,
    /// Where customers' replies go.
    reply_to_email: Option<String>,
    /// Days before a visit at which its reminder goes out.
    reminder_lead_days: i32,
    /// Days after asking at which an unanswered confirmation is followed up.
    follow_up_days: Vec<i32>,
    /// Length of a visit in minutes when nothing else is known.
    pub default_ticket_minutes: i32,
    /// Minutes that should lie between two visits of one technician.
    pub buffer_minutes: i32,
    /// Since when every change by an agent waits for a person, UTC; absent when the business is not frozen.
    frozen_at: Option<DateTime<Utc>>,
    /// Counts the changes.
    version: i32,
    /// When it was set up, UTC.
    created_at: DateTime<Utc>,
}

impl Data for Orgs {
    const NAME: &str = "org";
    const ONE: &str = "organization";
    const WHO: Who = Who::EVERYONE;
    const SORTED_BY: &str = "one row";
    type Row = OrgRow;

    capabilities::listing! {
        |org, tx| OrgRow,
        select r#"id, name, timezone, currency, country,
            business_hours as "business_hours: Json<BTreeMap<String, [String; 2]>>",
            trim_scale(default_tax_rate)::text as "default_tax_rate!", invoice_prefix, payment_terms_days, reply_to_email,
            reminder_lead_days, follow_up_days, default_ticket_minutes, buffer_minutes, frozen_at, version, created_at"#
        from "orgs",
        oldest first
    }
}

impl Orgs {
    /// The one that there is.
    pub async fn own(tx: &mut Tx<'_>) -> Result<OrgRow> {
        tx.one::<Self>(Id::<Org>::from(tx.org_id())).await
    }
}
