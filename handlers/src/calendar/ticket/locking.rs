//! A ticket in hand: locked for the rest of the call, and refused where nothing may change it any more or the caller is not
//! on it. Whoever locks several things takes customers first, then addresses, tickets and last who goes, each in the order of
//! their ids: so nobody waits in a circle.

use capabilities::{Error, Id, Result, Tx};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::calendar::Visit;
use super::listing::Tickets;
use crate::customers::contact::Contacts;
use crate::entities::{Contact, Ticket};

impl Tickets {
    /// Locks a ticket for the rest of a call that changes it with an action later on.
    pub async fn hold(id: Id<Ticket>, tx: &mut Tx<'_>) -> Result<()> {
        Locked::take(id, None, tx).await.map(drop)
    }
}

/// Whose visit it is.
pub(super) async fn customer_of(ticket: Id<Ticket>, tx: &mut Tx<'_>) -> Result<Id<Contact>> {
    let org_id = tx.org_id();
    let customer =
        sqlx::query_scalar!("select contact_id from tickets where org_id = $1 and id = $2", org_id, ticket.uuid())
            .fetch_optional(tx.db())
            .await?;
    customer.map(Id::from).ok_or_else(|| Error::not_found::<Ticket>(ticket))
}

/// A ticket as it stands while nobody else changes it.
pub(super) struct Locked {
    pub id: Id<Ticket>,
    pub contact_id: Uuid,
    pub title: String,
    pub status: String,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub timezone: Option<String>,
}

impl Locked {
    /// Locks a ticket and checks the version that the caller knows, whatever state it is in. Its customer is not merged
    /// meanwhile.
    pub async fn take(id: Id<Ticket>, expected_version: Option<i32>, tx: &mut Tx<'_>) -> Result<Self> {
        Contacts::keep(customer_of(id, tx).await?, tx).await?;
        let org_id = tx.org_id();
        let row = sqlx::query!(
            r#"
            select version, contact_id, title, status, starts_at, ends_at, timezone
            from tickets
            where org_id = $1 and id = $2
            for update
            "#,
            org_id,
            id.uuid()
        )
        .fetch_optional(tx.db())
        .await?;
        let row = row.ok_or_else(|| Error::not_found::<Ticket>(id))?;
        Error::unless_version(row.version, expected_version)?;
        let ticket = Self {
            id,
            contact_id: row.contact_id,
            title: row.title,
            status: row.status,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            timezone: row.timezone,
        };
        match tx.caller().only_own() {
            Some(user) if !ticket.has(user, tx).await? => {
                Err(Error::Forbidden("A technician may change only tickets that they are on.".into()))
            }
            _ => Ok(ticket),
        }
    }

    /// The same for a ticket that takes place and is not closed.
    pub async fn open(id: Id<Ticket>, expected_version: Option<i32>, tx: &mut Tx<'_>) -> Result<Self> {
        let ticket = Self::take(id, expected_version, tx).await?;
        match ticket.status.as_str() {
            "closed" => Err(ticket.is_closed()),
            "cancelled" | "no_show" => Err(ticket.is_off()),
            _ => Ok(ticket),
        }
    }

    /// The same for a ticket on which nobody has begun.
    pub async fn scheduled(id: Id<Ticket>, expected_version: Option<i32>, tx: &mut Tx<'_>) -> Result<Self> {
        let ticket = Self::open(id, expected_version, tx).await?;
        match ticket.status.as_str() {
            "in_progress" => Err(ticket.has_begun()),
            _ => Ok(ticket),
        }
    }

    pub fn is_closed(&self) -> Error {
        Error::conflict(
            "TICKET_CLOSED",
            format!("{} is closed, so nothing of it changes any more.", self.title),
            "Write down what is new as a note with note.add, or schedule another visit with ticket.schedule.",
        )
    }

    pub fn is_off(&self) -> Error {
        let why = if self.status == "no_show" { "was marked as a no-show" } else { "is cancelled" };
        Error::conflict(
            "TICKET_CANCELLED",
            format!("{} {why}: it does not take place.", self.title),
            "Schedule another visit with ticket.schedule.",
        )
    }

    pub fn has_begun(&self) -> Error {
        Error::conflict(
            "TICKET_IN_PROGRESS",
            format!("Somebody has clocked in on {} already.", self.title),
            "Finish it, and schedule another visit with ticket.schedule for what is left.",
        )
    }

    /// Its place in time.
    pub fn visit(&self) -> Visit {
        Visit { ticket: Some(self.id), starts_at: self.starts_at, ends_at: self.ends_at }
    }

    /// Who is on it.
    pub async fn technicians(&self, tx: &mut Tx<'_>) -> Result<Vec<Uuid>> {
        let org_id = tx.org_id();
        Ok(sqlx::query_scalar!(
            "select user_id from ticket_technicians where org_id = $1 and ticket_id = $2",
            org_id,
            self.id.uuid()
        )
        .fetch_all(tx.db())
        .await?)
    }

    /// Whether this user is on it.
    pub async fn has(&self, user: Uuid, tx: &mut Tx<'_>) -> Result<bool> {
        Ok(self.technicians(tx).await?.contains(&user))
    }

    /// A change of a line, of who is on it or of a clock is a change of the ticket: its version counts up too.
    pub async fn count_change(&self, tx: &mut Tx<'_>) -> Result<()> {
        let org_id = tx.org_id();
        sqlx::query!("update tickets set version = version + 1 where org_id = $1 and id = $2", org_id, self.id.uuid())
            .execute(tx.db())
            .await?;
        Ok(())
    }
}
