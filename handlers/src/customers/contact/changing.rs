//! Changing what is known of a contact.

use capabilities::{Action, Effect, Escalation, Id, Name, Patch, PermissionClass, Reasons, Result, Text, Tx, Who};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::creating::warn_of_undialable;
use super::reach::{Columns, NewEmail, NewPhone, essence_of, set_emails, set_phones};
use super::{ContactKind, ContactRow, PreferredTime, Tag, load, lower};
use crate::entities::Contact;

/// Change a contact: what is left out stays, null clears, lists are set as a whole.
///
/// Asks an agent for its reasoning when an e-mail or phone is added, changed, removed or made primary. Addresses and
/// notes have actions of their own.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Update {
    /// The contact to change.
    pub contact_id: Id<Contact>,
    /// Refuse if the contact is at another version by now.
    pub expected_version: Option<i32>,
    /// person or organization.
    pub kind: Option<ContactKind>,
    /// A person's given name.
    #[serde(default)]
    pub given_name: Patch<Name>,
    /// A person's family name.
    #[serde(default)]
    pub family_name: Patch<Name>,
    /// An organization's name.
    #[serde(default)]
    pub organization_name: Patch<Name>,
    /// All e-mail addresses the contact shall have; the ones not listed go.
    #[schemars(length(max = 20))]
    pub emails: Option<Vec<NewEmail>>,
    /// All phone numbers the contact shall have; the ones not listed go.
    #[schemars(length(max = 20))]
    pub phones: Option<Vec<NewPhone>>,
    /// When the contact prefers visits.
    pub preferred_time: Option<PreferredTime>,
    /// All tags the contact shall have.
    #[schemars(length(max = 30))]
    pub tags: Option<Vec<Tag>>,
}

impl Action for Update {
    const NAME: &str = "contact.update";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::MANAGERS;
    const ESCALATIONS: &[Escalation<Self>] = &[Escalation::on_review(
        "reach_changes",
        PermissionClass::SoftLimit,
        "an e-mail or phone is added, changed, removed or made primary",
    )];
    type Output = ContactRow;

    fn example() -> Value {
        json!({
            "contact_id": "01970000-0000-7000-8000-000000000001", "expected_version": 1, "family_name": "Smith-Jones",
            "phones": [{"phone": "(256) 555-0199", "type": "mobile", "is_primary": true}]
        })
    }

    async fn review(&self, tx: &mut Tx<'_>) -> Result<Reasons> {
        if self.emails.is_none() && self.phones.is_none() {
            return Ok(Reasons::none());
        }
        let [emails, phones] = essence_of(self.contact_id, tx).await?;
        let emails_change = self.emails.as_ref().is_some_and(|new| Columns::of_emails(new, tx).essence() != emails);
        let phones_change = self.phones.as_ref().is_some_and(|new| Columns::of_phones(new, tx).essence() != phones);
        Ok(Reasons::none().when(emails_change || phones_change, "reach_changes"))
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<ContactRow> {
        tx.lock(self.contact_id, self.expected_version).await?;
        let logged_before = logged_parts(self.contact_id, tx).await?;
        if let Some(emails) = &self.emails {
            let emails = Columns::of_emails(emails, tx);
            set_emails(self.contact_id, &emails, tx).await?;
        }
        if let Some(phones) = &self.phones {
            let phones = Columns::of_phones(phones, tx);
            warn_of_undialable(&phones, tx);
            set_phones(self.contact_id, &phones, tx).await?;
        }
        let parts_changed = logged_before != logged_parts(self.contact_id, tx).await?;
        self.set_columns(parts_changed, tx).await?;
        load(self.contact_id, tx).await
    }
}

impl Update {
    /// A change of an e-mail or phone is a change of the contact: its version counts up too.
    async fn set_columns(&self, parts_changed: bool, tx: &mut Tx<'_>) -> Result<()> {
        let org_id = tx.org_id();
        let (given, family, organization) =
            (self.given_name.parts(), self.family_name.parts(), self.organization_name.parts());
        let tags = self.tags.as_deref().map(lower);
        sqlx::query!(
            r#"
            update contacts
            set kind = coalesce($3, kind),
                given_name = case when $4 then $5 else given_name end,
                family_name = case when $6 then $7 else family_name end,
                organization_name = case when $8 then $9 else organization_name end,
                preferred_time = coalesce($10, preferred_time),
                tags = coalesce($11, tags),
                version = case when $12 then version + 1 else version end
            where org_id = $1 and id = $2
            "#,
            org_id,
            self.contact_id.uuid(),
            self.kind.map(ContactKind::as_str),
            given.0,
            given.1.map(Text::as_str),
            family.0,
            family.1.map(Text::as_str),
            organization.0,
            organization.1.map(Text::as_str),
            self.preferred_time.map(PreferredTime::as_str),
            tags.as_deref(),
            parts_changed
        )
        .execute(tx.db())
        .await?;
        Ok(())
    }
}

/// The e-mails and phones of a contact as one comparable text.
async fn logged_parts(contact: Id<Contact>, tx: &mut Tx<'_>) -> Result<Option<String>> {
    let org_id = tx.org_id();
    Ok(sqlx::query_scalar!(
        r#"
        select string_agg(concat_ws(' ', part.id, part.version), ',' order by part.id)
        from (
          select id, version from contact_emails where org_id = $1 and contact_id = $2
          union all
          select id, version from contact_phones where org_id = $1 and contact_id = $2
        ) part
        "#,
        org_id,
        contact.uuid()
    )
    .fetch_one(tx.db())
    .await?)
}
