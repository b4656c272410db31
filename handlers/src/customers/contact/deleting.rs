//! Taking a contact away for good, with everything that is about it alone.

use std::collections::BTreeMap;

use crate::entities::Contact;
use capabilities::{Action, Effect, Error, Escalation, Id, PermissionClass, Reasons, Referrer, Result, Tx, Who};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{PARTS, load, told_as};

/// Delete a contact with its e-mails, phones, addresses and notes. Nothing brings it back.
///
/// For what was entered by mistake. `contact.archive` takes a customer out of the lists and keeps the history;
/// `contact.merge` makes one of two records of the same customer. Waits for a person when notes or other records would go
/// along; refused while records refer to it that must stay.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Delete {
    /// The contact to delete.
    pub contact_id: Id<Contact>,
    /// Refuse if the contact is at another version by now.
    pub expected_version: Option<i32>,
}

/// What was deleted.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Deleted {
    /// The contact that is gone.
    id: Uuid,
    /// The name it had.
    display_name: String,
    /// What went along: how many emails, phones, addresses, notes.
    went_along: BTreeMap<String, i64>,
}

impl Action for Delete {
    const NAME: &str = "contact.delete";
    const EFFECT: Effect = Effect::Destroys;
    const CLASS: PermissionClass = PermissionClass::SoftLimit;
    const WHO: Who = Who::MANAGERS;
    const ESCALATIONS: &[Escalation<Self>] = &[Escalation::on_review(
        "has_history",
        PermissionClass::RequiresAuthorization,
        "notes or other records would be deleted with the contact",
    )];
    type Output = Deleted;

    fn example() -> Value {
        json!({"contact_id": "01970000-0000-7000-8000-000000000001"})
    }

    async fn review(&self, tx: &mut Tx<'_>) -> Result<Reasons> {
        let referrers = tx.referrers(self.contact_id).await?;
        Ok(Reasons::none().when(referrers.iter().any(is_history), "has_history"))
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<Deleted> {
        tx.lock(self.contact_id, self.expected_version).await?;
        let contact = load(self.contact_id, tx).await?;
        let referrers = tx.referrers(self.contact_id).await?;
        refuse_to_orphan(&contact.display_name, &referrers)?;
        let org_id = tx.org_id();
        sqlx::query!("delete from contacts where org_id = $1 and id = $2", org_id, contact.id).execute(tx.db()).await?;
        let mut went_along = BTreeMap::new();
        for (name, rows) in referrers.iter().filter_map(|referrer| Some((told_as(&referrer.table)?, referrer.rows))) {
            *went_along.entry(name).or_default() += rows;
        }
        Ok(Deleted { id: contact.id, display_name: contact.display_name, went_along })
    }
}

/// Rows that are more than parts of the contact itself.
fn is_history(referrer: &Referrer) -> bool {
    !PARTS.contains(&referrer.table.as_str())
}

/// What does not go along must stay, and what it refers to with it.
fn refuse_to_orphan(name: &str, referrers: &[Referrer]) -> Result<()> {
    let staying = referrers.iter().filter(|referrer| !referrer.cascades || referrer.closed > 0).map(in_words);
    let staying: Vec<String> = staying.collect();
    match staying.is_empty() {
        true => Ok(()),
        false => Err(Error::conflict(
            "HAS_RECORDS",
            format!("{name} cannot be deleted, because records must stay that refer to it: {}.", staying.join(", ")),
            "Archive it with contact.archive: it leaves the lists and the search, and its records stay.",
        )),
    }
}

fn in_words(referrer: &Referrer) -> String {
    match referrer.table.as_str() {
        "contacts" => format!("{} of contacts merged into it", referrer.rows),
        table if referrer.closed > 0 => format!("{} of closed {}", referrer.closed, table.replace('_', " ")),
        table => format!("{} of {}", referrer.rows, table.replace('_', " ")),
    }
}
