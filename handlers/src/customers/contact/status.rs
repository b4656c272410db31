//! In and out of the lists, and what may be sent.

use capabilities::{Action, Effect, EmailAddress, Error, Id, PermissionClass, Result, Tx, Who};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::merging::refuse_if_merged;
use super::{ContactRow, load};
use crate::entities::Contact;

/// Archive a contact: it leaves the lists and the search, and nothing of it is lost.
///
/// `contact.restore` brings it back.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Archive {
    /// The contact to archive.
    pub contact_id: Id<Contact>,
    /// Refuse if the contact is at another version by now.
    pub expected_version: Option<i32>,
}

impl Action for Archive {
    const NAME: &str = "contact.archive";
    const EFFECT: Effect = Effect::Destroys;
    const CLASS: PermissionClass = PermissionClass::SoftLimit;
    const WHO: Who = Who::MANAGERS;
    type Output = ContactRow;

    fn example() -> Value {
        json!({"contact_id": "01970000-0000-7000-8000-000000000001"})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<ContactRow> {
        tx.lock(self.contact_id, self.expected_version).await?;
        let (org_id, now) = (tx.org_id(), tx.now());
        sqlx::query!(
            "update contacts set archived_at = coalesce(archived_at, $3) where org_id = $1 and id = $2",
            org_id,
            self.contact_id.uuid(),
            now
        )
        .execute(tx.db())
        .await?;
        load(self.contact_id, tx).await
    }
}

/// Restore an archived contact to the lists and the search.
///
/// One that was merged into another stays there.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Restore {
    /// The contact to restore.
    pub contact_id: Id<Contact>,
    /// Refuse if the contact is at another version by now.
    pub expected_version: Option<i32>,
}

impl Action for Restore {
    const NAME: &str = "contact.restore";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::MANAGERS;
    type Output = ContactRow;

    fn example() -> Value {
        json!({"contact_id": "01970000-0000-7000-8000-000000000001"})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<ContactRow> {
        tx.lock(self.contact_id, self.expected_version).await?;
        refuse_if_merged(self.contact_id, "Use that one: its e-mails, phones, addresses and notes are there.", tx)
            .await?;
        let org_id = tx.org_id();
        sqlx::query!(
            "update contacts set archived_at = null where org_id = $1 and id = $2",
            org_id,
            self.contact_id.uuid()
        )
        .execute(tx.db())
        .await?;
        load(self.contact_id, tx).await
    }
}

/// Whether mail reaches an address.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EmailStatus {
    /// Mail may be sent to it.
    Ok,
    /// Mail came back; nothing is sent to it.
    Bounced,
}

/// Mark one of a contact's e-mail addresses as bounced, or as ok again.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MarkEmail {
    /// Whose address it is.
    pub contact_id: Id<Contact>,
    /// The address.
    pub email: EmailAddress,
    /// ok or bounced.
    pub status: EmailStatus,
}

impl Action for MarkEmail {
    const NAME: &str = "contact.mark_email";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::SoftLimit;
    const WHO: Who = Who::MANAGERS;
    type Output = ContactRow;

    fn example() -> Value {
        json!({"contact_id": "01970000-0000-7000-8000-000000000001", "email": "jane@example.com", "status": "bounced"})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<ContactRow> {
        tx.lock(self.contact_id, None).await?;
        let org_id = tx.org_id();
        let status = match self.status {
            EmailStatus::Ok => "ok",
            EmailStatus::Bounced => "bounced",
        };
        let marked = sqlx::query!(
            r#"
            with marked as (
              update contact_emails
              set status = $4
              where org_id = $1 and contact_id = $2 and email_key = lower($3) and status <> $4
              returning contact_id
            ), touched as (
              update contacts c set version = c.version + 1 from marked m where c.org_id = $1 and c.id = m.contact_id
            )
            select exists (
              select 1 from contact_emails where org_id = $1 and contact_id = $2 and email_key = lower($3)
            ) as "known!"
            "#,
            org_id,
            self.contact_id.uuid(),
            self.email.as_str(),
            status
        )
        .fetch_one(tx.db())
        .await?;
        match marked.known {
            true => load(self.contact_id, tx).await,
            false => Err(Error::NotFound { what: format!("e-mail address {} of this contact", self.email.as_str()) }),
        }
    }
}

/// Record that a contact wants no outreach any more.
///
/// Mail about their own visits and invoices still goes out.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unsubscribe {
    /// Who wants no outreach.
    pub contact_id: Id<Contact>,
}

impl Action for Unsubscribe {
    const NAME: &str = "contact.unsubscribe";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::MANAGERS;
    type Output = ContactRow;

    fn example() -> Value {
        json!({"contact_id": "01970000-0000-7000-8000-000000000001"})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<ContactRow> {
        tx.lock(self.contact_id, None).await?;
        let (org_id, now) = (tx.org_id(), tx.now());
        sqlx::query!(
            "update contacts set unsubscribed_at = coalesce(unsubscribed_at, $3) where org_id = $1 and id = $2",
            org_id,
            self.contact_id.uuid(),
            now
        )
        .execute(tx.db())
        .await?;
        load(self.contact_id, tx).await
    }
}
