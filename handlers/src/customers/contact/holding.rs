//! What other domains ask of a contact that they do something for: that it stays what it is meanwhile, and what it is called.

use capabilities::{Error, Id, Result, Tx};
use serde_json::json;

use super::Contacts;
use crate::entities::Contact;

impl Contacts {
    /// What a contact is called; of one that was merged, the contact that stays.
    pub async fn name_of(id: Id<Contact>, tx: &mut Tx<'_>) -> Result<String> {
        let org_id = tx.org_id();
        let name = sqlx::query_scalar!(
            r#"
            select kept.display_name
            from contacts gone
            join contacts kept on kept.org_id = $1 and kept.id = coalesce(gone.merged_into, gone.id)
            where gone.org_id = $1 and gone.id = $2
            "#,
            org_id,
            id.uuid()
        )
        .fetch_optional(tx.db())
        .await?;
        name.ok_or_else(|| Error::not_found::<Contact>(id))
    }

    /// Keeps a contact from being merged or deleted for the rest of the call, beside others who need it too.
    pub async fn keep(id: Id<Contact>, tx: &mut Tx<'_>) -> Result<()> {
        let org_id = tx.org_id();
        let kept = sqlx::query_scalar!(
            "select id from contacts where org_id = $1 and id = $2 for key share",
            org_id,
            id.uuid()
        );
        kept.fetch_optional(tx.db()).await?;
        Ok(())
    }

    /// Locks a contact that something new is made for, and tells what it is called. One that was merged is refused; one that
    /// is archived is warned of.
    pub async fn lock_for_work(id: Id<Contact>, tx: &mut Tx<'_>) -> Result<String> {
        let org_id = tx.org_id();
        let contact = sqlx::query!(
            r#"
            select display_name, archived_at, merged_into
            from contacts
            where org_id = $1 and id = $2
            for update
            "#,
            org_id,
            id.uuid()
        )
        .fetch_optional(tx.db())
        .await?;
        let contact = contact.ok_or_else(|| Error::not_found::<Contact>(id))?;
        if contact.merged_into.is_some() {
            super::merging::refuse_if_merged(id, "Take that contact instead.", tx).await?;
        }
        if contact.archived_at.is_some() {
            let message = format!("{} is archived: contact.restore brings it back to the lists.", contact.display_name);
            tx.warn("archived", message, Some(json!({"id": id, "display_name": contact.display_name})));
        }
        Ok(contact.display_name)
    }
}
