//! Tickets: work that is scheduled and done at a customer's. A ticket is the appointment; what is done on it are its line
//! items, who does it its technicians, and when they did it its clock. Once closed nothing of it changes, which the database
//! sees to.

mod availability;
mod calendar;
mod changing;
mod clock;
mod correcting;
mod crew;
mod current;
mod days;
mod lines;
mod listing;
mod locking;
mod moving;
mod pricing;
mod scheduling;
mod slots;

use capabilities::{Domain, Money, Tx, Tz};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(crate) use availability::Availability;
pub(crate) use listing::Tickets;
pub(crate) use moving::Reschedule;
pub(crate) use scheduling::Schedule;

pub fn domain() -> Domain {
    Domain::new("ticket", "Visits to customers: scheduled work, who does it, what is done and when it was")
        .data::<listing::Tickets>()
        .data::<lines::LineItems>()
        .data::<crew::TicketTechnicians>()
        .data::<clock::ClockSpans>()
        .data::<availability::Availability>()
        .data::<days::CalendarDays>()
        .data::<current::CurrentTicket>()
        .action::<scheduling::Schedule>()
        .action::<changing::Update>()
        .action::<moving::Reschedule>()
        .action::<moving::Cancel>()
        .action::<moving::MarkNoShow>()
        .action::<moving::RecordConfirmation>()
        .action::<crew::Assign>()
        .action::<crew::Unassign>()
        .action::<pricing::AddLineItem>()
        .action::<pricing::UpdateLineItem>()
        .action::<pricing::RemoveLineItem>()
        .action::<clock::ClockIn>()
        .action::<clock::ClockOut>()
        .action::<correcting::UpdateClockSpan>()
        .action::<correcting::RemoveClockSpan>()
}

/// The zone in which a ticket's times are meant: its own, or the business's.
fn zone_of(timezone: Option<&str>, tx: &Tx<'_>) -> Tz {
    timezone.and_then(|zone| zone.parse().ok()).unwrap_or(tx.org().timezone)
}

/// How far a ticket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// It will take place.
    Scheduled,
    /// Somebody clocked in.
    InProgress,
    /// Done; nothing of it changes any more.
    Closed,
    /// It does not take place.
    Cancelled,
    /// Nobody was there.
    NoShow,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::InProgress => "in_progress",
            Self::Closed => "closed",
            Self::Cancelled => "cancelled",
            Self::NoShow => "no_show",
        }
    }
}

/// What the customer says to the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Confirmation {
    /// Nobody asked yet.
    NotAsked,
    /// Asked, and no answer yet.
    Asked,
    /// The customer will be there.
    Accepted,
    /// The customer will not.
    Declined,
    /// The customer wants another time.
    ChangeRequested,
}

impl Confirmation {
    fn as_str(self) -> &'static str {
        match self {
            Self::NotAsked => "not_asked",
            Self::Asked => "asked",
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::ChangeRequested => "change_requested",
        }
    }
}

/// A ticket.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct TicketRow {
    /// The ticket.
    pub id: Uuid,
    /// The customer and the time, to tell it from others.
    pub display_name: String,
    /// What it is about.
    pub title: String,
    /// scheduled, in_progress, closed, cancelled or no_show.
    pub status: String,
    /// When it begins, UTC.
    pub starts_at: DateTime<Utc>,
    /// When it ends, UTC.
    pub ends_at: DateTime<Utc>,
    /// IANA time zone of its address, when it is not the business's: its local times are meant there.
    pub timezone: Option<String>,
    /// The customer.
    pub contact_id: Uuid,
    /// The customer's name.
    pub contact_name: String,
    /// Of a closed ticket: the record it was made for, which was merged into the customer's since.
    merged_contact_id: Option<Uuid>,
    /// Where it is.
    pub address_id: Option<Uuid>,
    /// Who pays.
    pub bill_to_contact_id: Uuid,
    /// not_asked, asked, accepted, declined or change_requested.
    pub confirmation: String,
    /// Whether the prices are estimates, which must be confirmed before it is closed.
    pub is_price_estimated: bool,
    /// The sum of its lines that have a price.
    pub total: Money,
    /// How many of its lines have no price yet: while there are any, the total is incomplete.
    pub lines_without_price: i64,
    /// Minutes that technicians clocked, all together, as far as their clocks were stopped.
    pub clocked_minutes: i64,
    /// Since when a clock is running, UTC; one that was forgotten runs until somebody says when it ended.
    pub clock_running_since_at: Option<DateTime<Utc>>,
    /// Of a ticket that was moved: when it was to begin before, UTC.
    pub previous_starts_at: Option<DateTime<Utc>>,
    /// Of a ticket that was moved: when it was to end before, UTC.
    previous_ends_at: Option<DateTime<Utc>>,
    /// When it was cancelled, UTC.
    cancelled_at: Option<DateTime<Utc>>,
    /// Why it was cancelled.
    cancellation_reason: Option<String>,
    /// When it was closed, UTC.
    pub closed_at: Option<DateTime<Utc>>,
    /// Counts the changes, also those of its lines, technicians and clock.
    pub version: i32,
    /// When it was made, UTC.
    created_at: DateTime<Utc>,
    /// When it was last changed, UTC.
    updated_at: DateTime<Utc>,
}
