//! What other domains ask of contacts they refer to: what they are called, which records are one customer by now, where a
//! visit takes place, and which addresses are near each other.

use std::collections::HashMap;

use crate::entities::{Address, Contact};
use capabilities::{Error, Id, Result, Tx};
use serde_json::json;
use uuid::Uuid;

use super::Contacts;
use crate::customers::address::Addresses;

/// What a contact is called, and where it went.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub display_name: String,
    /// The contact it was merged into.
    pub merged_into: Option<Uuid>,
}

impl Contacts {
    /// What these contacts are called. Of those that were merged, also the contact that stays.
    pub async fn names(ids: &[Uuid], tx: &mut Tx<'_>) -> Result<HashMap<Uuid, Named>> {
        let org_id = tx.org_id();
        let rows = sqlx::query!(
            r#"
            select gone.id, kept.display_name as "display_name!", gone.merged_into
            from contacts gone
            join contacts kept on kept.org_id = $1 and kept.id = coalesce(gone.merged_into, gone.id)
            where gone.org_id = $1 and gone.id = any($2)
            "#,
            org_id,
            ids
        )
        .fetch_all(tx.db())
        .await?;
        let named = rows
            .into_iter()
            .map(|row| (row.id, Named { display_name: row.display_name, merged_into: row.merged_into }));
        Ok(named.collect())
    }

    /// These contacts and those that were merged into them: what is closed stays with the record it was made for.
    pub async fn with_merged(ids: Vec<Uuid>, tx: &mut Tx<'_>) -> Result<Vec<Uuid>> {
        let org_id = tx.org_id();
        let merged =
            sqlx::query_scalar!("select id from contacts where org_id = $1 and merged_into = any($2)", org_id, &ids)
                .fetch_all(tx.db())
                .await?;
        Ok(ids.into_iter().chain(merged).collect())
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
            select display_name as "display_name!", archived_at, merged_into
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

/// Where a visit takes place.
pub(crate) struct Site {
    pub id: Uuid,
    pub contact_id: Uuid,
    /// IANA time zone, when it is not the business's.
    pub timezone: Option<String>,
}

impl Addresses {
    /// Locks an address, or the one to use for the contact when none is named, so that nobody removes it meanwhile.
    pub async fn hold(contact: Id<Contact>, address: Option<Id<Address>>, tx: &mut Tx<'_>) -> Result<Option<Site>> {
        let org_id = tx.org_id();
        Ok(sqlx::query_as!(
            Site,
            r#"
            select id, contact_id, timezone
            from addresses
            where org_id = $1 and removed_at is null and (id = $3 or $3 is null and contact_id = $2 and is_primary)
            for update
            "#,
            org_id,
            contact.uuid(),
            address.map(Id::uuid)
        )
        .fetch_optional(tx.db())
        .await?)
    }

    /// Which of these addresses are in the area of a postal code, and their own codes: the first three characters tell the
    /// area.
    pub async fn in_area(postal_code: &str, ids: &[Uuid], tx: &mut Tx<'_>) -> Result<HashMap<Uuid, String>> {
        let org_id = tx.org_id();
        let found = sqlx::query!(
            r#"
            select id, postal_code as "postal_code!"
            from addresses
            where org_id = $1 and id = any($2) and upper(left(postal_code, 3)) = upper(left($3, 3))
            "#,
            org_id,
            ids,
            postal_code
        )
        .fetch_all(tx.db())
        .await?;
        Ok(found.into_iter().map(|row| (row.id, row.postal_code)).collect())
    }
}
