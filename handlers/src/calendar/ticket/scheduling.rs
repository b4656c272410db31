//! Making a ticket: for whom, where, when, by whom and what.

use capabilities::{Action, Effect, Error, FreeText, Id, Name, PermissionClass, Quantity, Result, Tx, Tz, When, Who};
use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::calendar::{Technician, Visit, fit_in, lock_technicians};
use super::crew::put_on;
use super::lines::{self, Line, NewLineItem};
use super::listing::load;
use super::{TicketRow, zone_of};
use crate::customers::address::Addresses;
use crate::customers::contact::Contacts;
use crate::entities::{Address, Contact, Org, Service, Ticket, User};
use crate::house::org::Orgs;

/// Schedule a visit to a customer: a ticket with what is to be done, by whom and when.
///
/// Refused with `TECHNICIAN_BUSY` when a technician has another visit at that time, which `allow_overlap: true` overrides,
/// and with `IN_THE_PAST` unless `backdated: true` writes down history. Outside business hours, or too close to the
/// technician's next visit, it is made with a warning. The customer is not told by this.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Schedule {
    /// The customer.
    pub contact_id: Id<Contact>,
    /// Where it is; the customer's primary address if left out.
    pub address_id: Option<Id<Address>>,
    /// Who pays; the customer if left out.
    pub bill_to_contact_id: Option<Id<Contact>>,
    /// When it begins: `2030-03-12T09:00` by the clock at the address, or with an offset.
    pub starts_at: When,
    /// When it ends. If left out, after what the services typically take, or the business's usual length of a visit.
    pub ends_at: Option<When>,
    /// What it is about; the names of its lines if left out.
    pub title: Option<Name>,
    /// What is to be done or delivered.
    #[serde(default)]
    #[schemars(length(max = 50))]
    pub line_items: Vec<NewLineItem>,
    /// Who does it: users of the business.
    #[serde(default)]
    #[schemars(length(max = 20))]
    pub technician_ids: Vec<Id<User>>,
    /// Whether the prices are estimates, which must be confirmed before the ticket is closed.
    #[serde(default)]
    pub is_price_estimated: bool,
    /// Each becomes a note on the ticket.
    #[serde(default)]
    #[schemars(length(max = 20))]
    pub notes: Vec<FreeText>,
    /// Schedule it although a technician has another visit at that time.
    #[serde(default)]
    pub allow_overlap: bool,
    /// Write down a visit that began in the past.
    #[serde(default)]
    pub backdated: bool,
}

impl Action for Schedule {
    const NAME: &str = "ticket.schedule";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::MANAGERS;
    type Output = TicketRow;

    fn example() -> Value {
        json!({
            "contact_id": "01970000-0000-7000-8000-000000000001",
            "address_id": "01970000-0000-7000-8000-000000000002",
            "starts_at": "2030-03-12T09:00",
            "line_items": [{"service_id": "01970000-0000-7000-8000-000000000003", "quantity": "12"}],
            "technician_ids": ["01970000-0000-7000-8000-000000000004"]
        })
    }

    async fn run(mut self, tx: &mut Tx<'_>) -> Result<TicketRow> {
        lock_contacts([Some(self.contact_id), self.bill_to_contact_id], tx).await?;
        let place = Site::of(self.contact_id, self.address_id, tx).await?;
        let lines =
            lines::captured(std::mem::take(&mut self.line_items), |nth| format!("/line_items/{nth}"), tx).await?;
        let visit = self.visit(&place, &lines, tx).await?;
        visit.refuse_in_the_past(self.backdated, tx)?;
        let technicians = lock_technicians(&self.technician_ids, tx).await?;
        technicians.iter().try_for_each(Technician::refuse_deactivated)?;
        fit_in(visit, &technicians, self.allow_overlap, tx).await?;
        if !self.backdated {
            visit.warn_outside_business_hours(tx).await?;
        }
        let id = self.insert(&place, visit, &lines, tx).await?;
        lines::insert(id, &lines, tx).await?;
        put_on(id, &technicians, tx).await?;
        for content in self.notes {
            tx.call(crate::customers::note::Add { contact_id: None, ticket_id: Some(id), content }).await?;
        }
        load(id, tx).await
    }
}

impl Schedule {
    /// A visit of which no more is known than this: for whom, when, and one service with how much of it.
    pub fn of(
        contact_id: Id<Contact>,
        starts_at: When,
        ends_at: When,
        service: Option<(Id<Service>, Option<Quantity>)>,
    ) -> Self {
        Self {
            contact_id,
            address_id: None,
            bill_to_contact_id: None,
            starts_at,
            ends_at: Some(ends_at),
            title: None,
            line_items: service.into_iter().map(|(service, quantity)| NewLineItem::of(service, quantity)).collect(),
            technician_ids: Vec::new(),
            is_price_estimated: false,
            notes: Vec::new(),
            allow_overlap: false,
            backdated: false,
        }
    }

    async fn visit(&self, place: &Site, lines: &[Line], tx: &mut Tx<'_>) -> Result<Visit> {
        let starts_at = self.starts_at.at(place.zone(tx), "/starts_at")?;
        let ends_at = match self.ends_at {
            Some(end) => end.at(place.zone(tx), "/ends_at")?,
            None => starts_at + usual_length(lines, tx).await?,
        };
        Visit { ticket: None, starts_at, ends_at }.checked("/ends_at")
    }

    async fn insert(&self, place: &Site, visit: Visit, lines: &[Line], tx: &mut Tx<'_>) -> Result<Id<Ticket>> {
        let (org_id, id, now) = (tx.org_id(), tx.new_id::<Ticket>(), tx.now());
        let title = self.title.as_ref().map_or_else(|| title_of(lines), |title| title.as_str().to_string());
        sqlx::query!(
            r#"
            insert into tickets
              (org_id, id, contact_id, address_id, bill_to_contact_id, title, starts_at, ends_at, timezone,
               is_price_estimated, created_at, updated_at)
            values ($1, $2, $3::uuid, $4, nullif($5, $3::uuid), $6, $7, $8, $9, $10, $11, $11)
            "#,
            org_id,
            id.uuid(),
            self.contact_id.uuid(),
            place.address,
            self.bill_to_contact_id.map(Id::uuid),
            title,
            visit.starts_at,
            visit.ends_at,
            place.timezone,
            self.is_price_estimated,
            now
        )
        .execute(tx.db())
        .await?;
        Ok(id)
    }
}

/// In the order of their ids, as whoever merges contacts does.
async fn lock_contacts(contacts: [Option<Id<Contact>>; 2], tx: &mut Tx<'_>) -> Result<()> {
    let mut contacts: Vec<Uuid> = contacts.into_iter().flatten().map(Id::uuid).collect();
    contacts.sort_unstable();
    contacts.dedup();
    for id in contacts {
        Contacts::lock_for_work(id.into(), tx).await?;
    }
    Ok(())
}

/// The lines' typical durations, or the business's usual length of a visit where they say nothing.
async fn usual_length(lines: &[Line], tx: &mut Tx<'_>) -> Result<TimeDelta> {
    let minutes: i64 = lines.iter().filter_map(|line| line.duration_minutes).map(i64::from).sum();
    match minutes {
        0 => {
            let org = tx.one(Orgs {}, Id::<Org>::from(tx.org_id())).await?;
            Ok(TimeDelta::minutes(org.default_ticket_minutes.into()))
        }
        minutes => Ok(TimeDelta::minutes(minutes)),
    }
}

/// What a ticket without a title is called.
fn title_of(lines: &[Line]) -> String {
    let names: Vec<&str> = lines.iter().map(|line| line.description.as_str()).collect();
    match names.is_empty() {
        true => "Visit".into(),
        false => names.join(", ").chars().take(200).collect(),
    }
}

/// Where a visit is, and by which clock its times are meant.
pub(super) struct Site {
    pub address: Option<Uuid>,
    /// Of the address, when it is not the business's.
    pub timezone: Option<String>,
}

impl Site {
    /// The address, which must be the contact's, or the contact's primary one.
    pub async fn of(contact: Id<Contact>, address: Option<Id<Address>>, tx: &mut Tx<'_>) -> Result<Self> {
        let site = match (Addresses::hold(contact, address, tx).await?, address) {
            (Some(site), _) => site,
            (None, None) => return Ok(Self { address: None, timezone: None }),
            (None, Some(gone)) => return Err(Error::not_found::<Address>(gone)),
        };
        match site.contact_id == contact.uuid() {
            true => Ok(Self { address: Some(site.id), timezone: site.timezone }),
            false => Err(Error::conflict(
                "ADDRESS_NOT_OF_CONTACT",
                "The address belongs to another contact.",
                "Choose one of the contact's own addresses, or add it to the contact with address.add.",
            )),
        }
    }

    pub fn zone(&self, tx: &Tx<'_>) -> Tz {
        zone_of(self.timezone.as_deref(), tx)
    }
}
