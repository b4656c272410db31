//! What becomes of a visit before it takes place: moved to another time, cancelled, in vain, or answered by the customer.

use capabilities::{Action, Effect, FreeText, Id, PermissionClass, Result, Tx, When, Who};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::calendar::{Visit, fit_in, lock_technicians};
use super::listing::load;
use super::locking::Locked;
use super::{Confirmation, TicketRow, zone_of};
use crate::customers::note::Notes;
use crate::entities::Ticket;

/// Move a ticket to another time. It stays the same ticket, and knows when it was to be before.
///
/// What the customer said to the old time no longer counts: the confirmation is `not_asked` again. Refused like
/// `ticket.schedule` when a technician is busy or the time is past. The customer is not told by this.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reschedule {
    /// The ticket to move.
    pub ticket_id: Id<Ticket>,
    /// Refuse if the ticket is at another version by now.
    pub expected_version: Option<i32>,
    /// When it begins: `2030-03-12T09:00` by the clock at the address, or with an offset.
    pub starts_at: When,
    /// When it ends; if left out it takes as long as before.
    pub ends_at: Option<When>,
    /// Move it although a technician has another visit at that time.
    #[serde(default)]
    pub allow_overlap: bool,
    /// Correct the time of a visit that began in the past.
    #[serde(default)]
    pub backdated: bool,
}

impl Action for Reschedule {
    const NAME: &str = "ticket.reschedule";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::MANAGERS;
    type Output = TicketRow;

    fn example() -> Value {
        json!({
            "ticket_id": "01970000-0000-7000-8000-000000000001", "expected_version": 1, "starts_at": "2030-03-13T13:30"
        })
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<TicketRow> {
        let ticket = Locked::scheduled(self.ticket_id, self.expected_version, tx).await?;
        let visit = self.visit(&ticket, tx)?;
        if (visit.starts_at, visit.ends_at) == (ticket.starts_at, ticket.ends_at) {
            return load(self.ticket_id, tx).await;
        }
        visit.refuse_in_the_past(self.backdated, tx)?;
        let technicians = ticket.technicians(tx).await?.into_iter().map(Id::from).collect::<Vec<_>>();
        let technicians = lock_technicians(&technicians, tx).await?;
        fit_in(visit, &technicians, self.allow_overlap, tx).await?;
        if !self.backdated {
            visit.warn_outside_business_hours(tx).await?;
        }
        self.move_to(visit, tx).await?;
        load(self.ticket_id, tx).await
    }
}

impl Reschedule {
    /// Moves a ticket, which takes as long as before.
    pub fn to(ticket_id: Id<Ticket>, starts_at: When) -> Self {
        Self { ticket_id, expected_version: None, starts_at, ends_at: None, allow_overlap: false, backdated: false }
    }

    fn visit(&self, ticket: &Locked, tx: &Tx<'_>) -> Result<Visit> {
        let zone = zone_of(ticket.timezone.as_deref(), tx);
        let starts_at = self.starts_at.at(zone, "/starts_at")?;
        let ends_at = match self.ends_at {
            Some(end) => end.at(zone, "/ends_at")?,
            None => starts_at + (ticket.ends_at - ticket.starts_at),
        };
        Visit { ticket: Some(self.ticket_id), starts_at, ends_at }.checked("/ends_at")
    }

    async fn move_to(&self, visit: Visit, tx: &mut Tx<'_>) -> Result<()> {
        let org_id = tx.org_id();
        sqlx::query!(
            r#"
            update tickets
            set previous_starts_at = starts_at, previous_ends_at = ends_at, starts_at = $3, ends_at = $4,
                confirmation = 'not_asked'
            where org_id = $1 and id = $2
            "#,
            org_id,
            self.ticket_id.uuid(),
            visit.starts_at,
            visit.ends_at
        )
        .execute(tx.db())
        .await?;
        Ok(())
    }
}

/// Cancel a ticket that has not begun: it does not take place.
///
/// To change its time use `ticket.reschedule`; if nobody was there, `ticket.mark_no_show`. The customer is not told by
/// this: somebody has to.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cancel {
    /// The ticket to cancel.
    pub ticket_id: Id<Ticket>,
    /// Refuse if the ticket is at another version by now.
    pub expected_version: Option<i32>,
    /// Why, for the record.
    pub reason: FreeText,
}

impl Action for Cancel {
    const NAME: &str = "ticket.cancel";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::SoftLimit;
    const WHO: Who = Who::MANAGERS;
    type Output = TicketRow;

    fn example() -> Value {
        json!({
            "ticket_id": "01970000-0000-7000-8000-000000000001", "reason": "The customer is moving and needs no visit."
        })
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<TicketRow> {
        let ticket = Locked::take(self.ticket_id, self.expected_version, tx).await?;
        match ticket.status.as_str() {
            "scheduled" => self.call_off(tx).await?,
            "cancelled" => {}
            "no_show" => return Err(ticket.is_off()),
            "closed" => return Err(ticket.is_closed()),
            _ => return Err(ticket.has_begun()),
        }
        load(self.ticket_id, tx).await
    }
}

impl Cancel {
    async fn call_off(&self, tx: &mut Tx<'_>) -> Result<()> {
        let (org_id, now) = (tx.org_id(), tx.now());
        sqlx::query!(
            r#"
            update tickets
            set status = 'cancelled', cancelled_at = $3, cancellation_reason = $4
            where org_id = $1 and id = $2
            "#,
            org_id,
            self.ticket_id.uuid(),
            now,
            self.reason.as_str()
        )
        .execute(tx.db())
        .await?;
        Ok(())
    }
}

/// Record that a visit was in vain, because the customer was not there.
///
/// For a ticket on which nobody clocked in. If the customer called it off before, use `ticket.cancel`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MarkNoShow {
    /// The ticket.
    pub ticket_id: Id<Ticket>,
    /// Refuse if the ticket is at another version by now.
    pub expected_version: Option<i32>,
}

impl Action for MarkNoShow {
    const NAME: &str = "ticket.mark_no_show";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::SoftLimit;
    const WHO: Who = Who::MANAGERS;
    type Output = TicketRow;

    fn example() -> Value {
        json!({"ticket_id": "01970000-0000-7000-8000-000000000001"})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<TicketRow> {
        let ticket = Locked::take(self.ticket_id, self.expected_version, tx).await?;
        match ticket.status.as_str() {
            "scheduled" => self.mark(&ticket, tx).await?,
            "no_show" => {}
            "cancelled" => return Err(ticket.is_off()),
            "closed" => return Err(ticket.is_closed()),
            _ => return Err(ticket.has_begun()),
        }
        load(self.ticket_id, tx).await
    }
}

impl MarkNoShow {
    async fn mark(&self, ticket: &Locked, tx: &mut Tx<'_>) -> Result<()> {
        if ticket.starts_at > tx.now() {
            tx.warn("not_begun", "The visit was to begin only later: look whether it is the right ticket.", None);
        }
        let org_id = tx.org_id();
        sqlx::query!(
            "update tickets set status = 'no_show' where org_id = $1 and id = $2",
            org_id,
            self.ticket_id.uuid()
        )
        .execute(tx.db())
        .await?;
        Ok(())
    }
}

/// What a customer answers when asked whether a time suits.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// The customer will be there.
    Accepted,
    /// The customer will not: find another time, or cancel.
    Declined,
    /// The customer wants another time.
    ChangeRequested,
}

impl Answer {
    fn confirmation(self) -> Confirmation {
        match self {
            Self::Accepted => Confirmation::Accepted,
            Self::Declined => Confirmation::Declined,
            Self::ChangeRequested => Confirmation::ChangeRequested,
        }
    }
}

/// Record what the customer says to the time of a ticket, on the phone for instance.
///
/// The customer's own words become a note by the customer on the ticket.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordConfirmation {
    /// The ticket.
    pub ticket_id: Id<Ticket>,
    /// Refuse if the ticket is at another version by now.
    pub expected_version: Option<i32>,
    /// What the customer answers.
    pub answer: Answer,
    /// What the customer said, word for word.
    pub words: Option<FreeText>,
}

impl Action for RecordConfirmation {
    const NAME: &str = "ticket.record_confirmation";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::MANAGERS;
    type Output = TicketRow;

    fn example() -> Value {
        json!({
            "ticket_id": "01970000-0000-7000-8000-000000000001", "answer": "change_requested",
            "words": "Could you come after three?"
        })
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<TicketRow> {
        let ticket = Locked::scheduled(self.ticket_id, self.expected_version, tx).await?;
        let org_id = tx.org_id();
        sqlx::query!(
            "update tickets set confirmation = $3 where org_id = $1 and id = $2",
            org_id,
            ticket.id.uuid(),
            self.answer.confirmation().as_str()
        )
        .execute(tx.db())
        .await?;
        if let Some(words) = &self.words {
            Notes::by_customer(ticket.id, words, Self::NAME, tx).await?;
        }
        load(self.ticket_id, tx).await
    }
}
