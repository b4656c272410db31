//! From a wish to a visit: the customer, the service, a free slot near the wish and who goes.

use capabilities::{
    Action, Data, DayOrTime, Effect, FreeText, Id, Name, PermissionClass, Quantity, Result, Tx, Tz, When, Who,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::catalog;
use super::customers::{self, Customer, Known};
use super::wishes::{Book, Choice, Slot, TimeWish};
use crate::calendar::ticket::{Availability, Schedule, Tickets};
use crate::customers::address::Addresses;
use crate::entities::{Address, Contact, Service, User};

/// Book a visit: finds the customer, the service, a free slot at the wish and who can go.
///
/// Nothing is guessed: several customers or services that fit are answered with `AMBIGUOUS_CUSTOMER` or `AMBIGUOUS_SERVICE`
/// and what tells them apart, a wish that is not free with `NO_FREE_SLOT` and what is free near it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScheduleAppointment {
    /// The customer.
    pub contact_id: Option<Id<Contact>>,
    /// Instead of contact_id: what is known of the customer.
    pub customer: Option<Known>,
    /// Make the customer, a person, if nobody fits.
    #[serde(default)]
    pub create_customer: bool,
    /// Where; the customer's primary address if left out.
    pub address_id: Option<Id<Address>>,
    /// The service.
    pub service_id: Option<Id<Service>>,
    /// Instead of service_id: its code or words of its name.
    pub service: Option<Name>,
    /// How much of it, such as `2.5`; 1 if left out.
    pub quantity: Option<Quantity>,
    /// When it is to begin: a day, `2030-03-12`, or a time, `2030-03-12T09:00`, by the clock at the address.
    pub wish: DayOrTime,
    /// With it, any time from wish to this day or time.
    pub until: Option<DayOrTime>,
    /// How binding the wish is; exact if left out.
    #[serde(default)]
    pub book: Book,
    /// Who is to go; somebody who is free if left out.
    pub technician_id: Option<Id<User>>,
    /// How long it takes; like the customer's last visit, else the service, if left out.
    #[schemars(range(min = 1, max = 1_440))]
    pub duration_minutes: Option<i32>,
    /// Becomes a note on the ticket.
    pub notes: Option<FreeText>,
}

/// What was booked, or could be.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Appointment {
    /// Whether a visit was booked.
    booked: bool,
    /// Whether that, or what is offered, is as wished.
    as_wished: bool,
    /// The customer; none when only offers were wanted for somebody new.
    contact_id: Option<Uuid>,
    /// The customer's name.
    customer: Option<String>,
    /// Whether the customer was made just now.
    customer_is_new: bool,
    /// The ticket.
    ticket: Option<<Tickets as Data>::Row>,
    /// Who goes.
    technician_id: Option<Uuid>,
    /// Their name.
    technician: Option<String>,
    /// What is free, the nearest to the wish first.
    offers: Vec<Slot>,
}

impl Action for ScheduleAppointment {
    const NAME: &str = "workflow.schedule_appointment";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::MANAGERS;
    type Output = Appointment;

    fn example() -> Value {
        json!({"contact_id": "…", "service_id": "…", "wish": "2030-03-12", "notes": "Wants it before the party."})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<Appointment> {
        let service = catalog::find(self.service_id, self.service.as_ref(), tx).await?;
        let customer = self.customer(tx).await?;
        let place = Destination::of(customer.as_ref(), self.address_id, tx).await?;
        let wish = TimeWish::read(self.wish, self.until, place.zone, tx)?;
        let needs = Availability {
            duration_minutes: self.duration_minutes,
            service_id: service,
            contact_id: customer.as_ref().map(|customer| customer.id),
            technician_id: self.technician_id,
            near: place.postal_code.and_then(|code| code.parse().ok()),
            ..Availability::default()
        };
        let Choice { slot, as_wished, offers } = wish.choose(self.book, &needs, tx).await?;
        let mut appointment = Appointment::offered(customer.as_ref(), as_wished, offers);
        if let (Some(slot), Some(customer)) = (slot, customer) {
            appointment.take(self.ticket(customer.id, service, &slot), slot, tx).await?;
        }
        Ok(appointment)
    }
}

impl ScheduleAppointment {
    /// The customer, locked against being merged meanwhile; none when only offers are wanted for somebody new.
    async fn customer(&self, tx: &mut Tx<'_>) -> Result<Option<Customer>> {
        let found = customers::find(self.contact_id, self.customer.as_ref(), tx).await?;
        let customer = match (found, &self.customer, self.create_customer) {
            (Ok(found), ..) => found,
            (Err(_), Some(_), true) if self.book == Book::OfferOnly => return Ok(None),
            (Err(nobody), Some(known), true) => {
                nobody.warn(tx);
                known.create(tx).await?
            }
            (Err(nobody), ..) => return Err(nobody.refusal()),
        };
        tx.lock(customer.id, None).await?;
        Ok(Some(customer))
    }

    fn ticket(&self, contact: Id<Contact>, service: Option<Id<Service>>, slot: &Slot) -> Schedule {
        let (starts_at, ends_at) = (When::Exact(slot.starts_at), When::Exact(slot.ends_at));
        let mut ticket = Schedule::of(contact, starts_at, ends_at, service.map(|id| (id, self.quantity)));
        ticket.address_id = self.address_id;
        ticket.technician_ids = slot.technicians.iter().take(1).map(|technician| technician.id.into()).collect();
        ticket.notes = self.notes.iter().cloned().collect();
        ticket
    }
}

impl Appointment {
    fn offered(customer: Option<&Customer>, as_wished: bool, offers: Vec<Slot>) -> Self {
        Self {
            booked: false,
            as_wished,
            contact_id: customer.map(|customer| customer.id.uuid()),
            customer: customer.map(|customer| customer.display_name.clone()),
            customer_is_new: customer.is_some_and(|customer| customer.is_new),
            ticket: None,
            technician_id: None,
            technician: None,
            offers,
        }
    }

    async fn take(&mut self, ticket: Schedule, slot: Slot, tx: &mut Tx<'_>) -> Result<()> {
        self.ticket = Some(tx.call(ticket).await?);
        let technician = slot.technicians.into_iter().next();
        self.technician_id = technician.as_ref().map(|technician| technician.id);
        self.technician = technician.map(|technician| technician.name);
        self.booked = true;
        Ok(())
    }
}

/// Where the visit will be.
struct Destination {
    zone: Tz,
    postal_code: Option<String>,
}

impl Destination {
    async fn of(customer: Option<&Customer>, address: Option<Id<Address>>, tx: &mut Tx<'_>) -> Result<Self> {
        let address = match (address, customer) {
            (None, Some(customer)) => Addresses::primary_of(customer.id, tx).await?.map(Id::from),
            (address, _) => address,
        };
        let Some(address) = address else { return Ok(Self { zone: tx.org().timezone, postal_code: None }) };
        let row = tx.one::<Addresses>(address).await?;
        Ok(Self { zone: tx.org().zone_of(row.timezone.as_deref()), postal_code: row.postal_code })
    }
}
