//! Changing what a ticket says, apart from its time.

use capabilities::{Action, Effect, Id, Name, Patch, PermissionClass, Result, Text, Tx, Who};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::TicketRow;
use super::listing::load;
use super::locking::{Locked, customer_of};
use super::scheduling::Site;
use crate::customers::contact::Contacts;
use crate::entities::{Address, Contact, Ticket};

/// Change what a ticket says: what is left out stays, null clears.
///
/// Its time is moved with `ticket.reschedule`; lines, technicians and clock have actions of their own.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Update {
    /// The ticket to change.
    pub ticket_id: Id<Ticket>,
    /// Refuse if the ticket is at another version by now.
    pub expected_version: Option<i32>,
    /// What it is about.
    pub title: Option<Name>,
    /// Where it is: another address of its customer.
    pub address_id: Option<Id<Address>>,
    /// Who pays; null for the customer.
    #[serde(default)]
    pub bill_to_contact_id: Patch<Id<Contact>>,
    /// Whether the prices are estimates, which must be confirmed before it is closed.
    pub is_price_estimated: Option<bool>,
}

impl Action for Update {
    const NAME: &str = "ticket.update";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::MANAGERS;
    type Output = TicketRow;

    fn example() -> Value {
        json!({
            "ticket_id": "01970000-0000-7000-8000-000000000001", "expected_version": 1, "title": "Windows, upper floor",
            "is_price_estimated": true
        })
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<TicketRow> {
        let bill_to = self.bill_to_contact_id.parts();
        if let Some(payer) = bill_to.1 {
            let customer = customer_of(self.ticket_id, tx).await?;
            if customer.uuid() < payer.uuid() {
                Contacts::keep(customer, tx).await?;
            }
            Contacts::lock_for_work(*payer, tx).await?;
        }
        let ticket = Locked::open(self.ticket_id, self.expected_version, tx).await?;
        let place = match self.address_id {
            Some(address) => Some(Site::of(ticket.contact_id.into(), Some(address), tx).await?),
            None => None,
        };
        let org_id = tx.org_id();
        sqlx::query!(
            r#"
            update tickets
            set title = coalesce($3, title),
                address_id = case when $4 then $5 else address_id end,
                timezone = case when $4 then $6 else timezone end,
                bill_to_contact_id = case when $7 then nullif($8::uuid, contact_id) else bill_to_contact_id end,
                is_price_estimated = coalesce($9, is_price_estimated)
            where org_id = $1 and id = $2
            "#,
            org_id,
            self.ticket_id.uuid(),
            self.title.as_ref().map(Text::as_str),
            place.is_some(),
            place.as_ref().and_then(|place| place.address),
            place.as_ref().and_then(|place| place.timezone.as_deref()),
            bill_to.0,
            bill_to.1.map(|payer| payer.uuid()),
            self.is_price_estimated
        )
        .execute(tx.db())
        .await?;
        load(self.ticket_id, tx).await
    }
}
