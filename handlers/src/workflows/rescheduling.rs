//! A customer wants another time: which visit is meant, and where it can be moved.

use capabilities::{Action, Data, DayOrTime, Effect, Error, FreeText, Id, PermissionClass, Result, Tx, When, Who};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::customers::{self, Customer, Known};
use super::either;
use super::wishes::{Book, Choice, Slot, TimeWish};
use crate::calendar::ticket::{Availability, Reschedule, Tickets};
use crate::customers::note;
use crate::entities::{Contact, Ticket};

type Visit = <Tickets as Data>::Row;

/// So many visits are told.
const TOLD: i64 = 10;

/// Move a visit to another time that the customer asks for: finds the visit and a free slot.
///
/// Whoever is on the visit stays on it. With several visits to come the answer is `AMBIGUOUS_TICKET` and what tells them apart, with a wish that is not free
/// `NO_FREE_SLOT` and what is free near it. It stays the same ticket; its confirmation is to be asked for again.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HandleRescheduleRequest {
    /// The visit; the customer's only one to come if left out.
    pub ticket_id: Option<Id<Ticket>>,
    /// The customer.
    pub contact_id: Option<Id<Contact>>,
    /// Instead of ticket_id and contact_id: what is known of the customer.
    pub customer: Option<Known>,
    /// When it is to begin: a day, `2030-03-12`, or a time, `2030-03-12T09:00`, by the clock at the address.
    pub wish: DayOrTime,
    /// With it, any time from wish to this day or time.
    pub until: Option<DayOrTime>,
    /// How binding the wish is; exact if left out.
    #[serde(default)]
    pub book: Book,
    /// What the customer said, word for word: becomes the customer's note on the ticket.
    pub words: Option<FreeText>,
}

/// What was moved, or could be.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Rescheduled {
    /// Whether the visit was moved.
    moved: bool,
    /// Whether it was, or what is offered is, as wished.
    as_wished: bool,
    /// The ticket.
    ticket: Visit,
    /// What is free, the nearest to the wish first.
    offers: Vec<Slot>,
}

impl Action for HandleRescheduleRequest {
    const NAME: &str = "workflow.handle_reschedule_request";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::MANAGERS;
    type Output = Rescheduled;

    fn example() -> Value {
        json!({"ticket_id": "…", "wish": "2030-03-12T13:30", "words": "Could you come after lunch instead?"})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<Rescheduled> {
        let ticket = self.ticket(tx).await?;
        let id = Id::<Ticket>::from(ticket.id);
        Tickets::hold(id, tx).await?;
        let wish = TimeWish::read(self.wish, self.until, tx.org().zone_of(ticket.timezone.as_deref()), tx)?;
        let minutes = (ticket.ends_at - ticket.starts_at).num_minutes();
        let needs = Availability::to_move(id, minutes, tx).await?;
        let Choice { slot, as_wished, offers } = wish.choose(self.book, &needs, tx).await?;
        let Some(slot) = slot else { return Ok(Rescheduled { moved: false, as_wished, ticket, offers }) };
        let ticket = tx.call(Reschedule::to(id, When::Exact(slot.starts_at))).await?;
        if let Some(words) = self.words {
            tx.call(note::Add::by_customer(id, words, Self::NAME)).await?;
        }
        Ok(Rescheduled { moved: true, as_wished, ticket, offers })
    }
}

impl HandleRescheduleRequest {
    /// The visit that is meant.
    async fn ticket(&self, tx: &mut Tx<'_>) -> Result<Visit> {
        let named = self.contact_id.is_some() || self.customer.is_some();
        let Some(id) = self.ticket_id.filter(|_| !named) else {
            let customer = customers::find(self.contact_id, self.customer.as_ref(), tx).await?;
            let customer = customer.map_err(|nobody| nobody.refusal())?;
            return self.ticket_of(&customer, tx).await;
        };
        tx.one::<Tickets>(id).await
    }

    async fn ticket_of(&self, customer: &Customer, tx: &mut Tx<'_>) -> Result<Visit> {
        let Some(id) = self.ticket_id else {
            return the_only_one_to_come(customer.id, &customer.display_name, tx).await;
        };
        let ticket = tx.one::<Tickets>(id).await?;
        match customer.id.uuid() == ticket.contact_id {
            true => Ok(ticket),
            false => Err(Error::invalid("/ticket_id", "is a visit of another customer")),
        }
    }
}

async fn the_only_one_to_come(customer: Id<Contact>, name: &str, tx: &mut Tx<'_>) -> Result<Visit> {
    let mut visits = tx.first_of(Tickets::to_come(customer, tx.now()), TOLD).await?;
    match visits.len() {
        1 => Ok(visits.remove(0)),
        0 => Err(Error::conflict(
            "NO_UPCOMING_TICKET",
            format!("No visit of {name} is still to come."),
            "Look at the customer's tickets, or book a visit with workflow.schedule_appointment.",
        )),
        _ => Err(ambiguous(name, &visits)),
    }
}

fn ambiguous(name: &str, visits: &[Visit]) -> Error {
    let words: Vec<String> = visits.iter().map(|visit| format!("{} ({})", visit.display_name, visit.title)).collect();
    let tell = |visit: &Visit| {
        json!({
            "ticket_id": visit.id, "display_name": visit.display_name, "title": visit.title,
            "starts_at": visit.starts_at, "address_id": visit.address_id,
        })
    };
    Error::conflict(
        "AMBIGUOUS_TICKET",
        format!("{name} has several visits to come: {}.", either(&words)),
        "Ask which one it is, and repeat with `ticket_id`.",
    )
    .about(visits.iter().map(tell).collect())
}
