//! The addresses of a contact as other domains use them: the one to go to, told on one line, taken over by another contact.

use std::collections::HashMap;

use capabilities::{Id, Result, Tx};
use uuid::Uuid;

use super::Addresses;
use crate::entities::{Address, Contact};

/// Where a visit takes place.
pub(crate) struct Site {
    pub id: Uuid,
    pub contact_id: Uuid,
    /// IANA time zone, when it is not the business's.
    pub timezone: Option<String>,
}

impl Addresses {
    /// The address to use for a contact when none is named.
    pub async fn primary_of(contact: Id<Contact>, tx: &mut Tx<'_>) -> Result<Option<Uuid>> {
        let org_id = tx.org_id();
        Ok(sqlx::query_scalar!(
            "select id from addresses where org_id = $1 and contact_id = $2 and is_primary",
            org_id,
            contact.uuid()
        )
        .fetch_optional(tx.db())
        .await?)
    }

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

    /// The addresses of contacts, one line each, the primary one first: for lists in which an address is enough to tell two
    /// people apart.
    pub async fn on_one_line(contacts: &[Uuid], tx: &mut Tx<'_>) -> Result<HashMap<Uuid, Vec<String>>> {
        let org_id = tx.org_id();
        let rows = sqlx::query!(
            r#"
            select contact_id,
                   concat_ws(', ', street, street2, city, nullif(concat_ws(' ', region, postal_code), '')) as "line!"
            from addresses
            where org_id = $1 and contact_id = any($2) and removed_at is null
            order by is_primary desc, id
            "#,
            org_id,
            contacts
        )
        .fetch_all(tx.db())
        .await?;
        let mut lines: HashMap<Uuid, Vec<String>> = HashMap::new();
        for row in rows {
            lines.entry(row.contact_id).or_default().push(row.line);
        }
        Ok(lines)
    }

    /// Gives a contact the addresses of another one that is merged into it, if it does not have them yet; how many. Two are
    /// the same by street, unit and postal code, and without one by the city.
    pub async fn take_over(to: Id<Contact>, from: Id<Contact>, tx: &mut Tx<'_>) -> Result<u64> {
        let org_id = tx.org_id();
        let moved = sqlx::query!(
            r#"
            with own as (
              select coalesce(bool_or(is_primary), false) as has_primary
              from addresses
              where org_id = $1 and contact_id = $2
            )
            update addresses a
            set contact_id = $2, is_primary = a.is_primary and not own.has_primary
            from own
            where a.org_id = $1 and a.contact_id = $3
              and not exists (
                select 1 from addresses known
                where known.org_id = $1 and known.contact_id = $2 and known.removed_at is null
                  and lower(known.street) = lower(a.street)
                  and lower(coalesce(known.street2, '')) = lower(coalesce(a.street2, ''))
                  and known.postal_code is not distinct from a.postal_code
                  and (a.postal_code is not null or known.city_key = a.city_key)
              )
            "#,
            org_id,
            to.uuid(),
            from.uuid()
        )
        .execute(tx.db())
        .await?;
        leave_known(to, from, tx).await?;
        Ok(moved.rows_affected())
    }
}

/// What is still to come at an address that both have takes place at that of the contact that stays.
async fn leave_known(to: Id<Contact>, from: Id<Contact>, tx: &mut Tx<'_>) -> Result<()> {
    let org_id = tx.org_id();
    let twins = sqlx::query!(
        r#"
        select a.id as left_id, min(known.id::text)::uuid as "kept_id!"
        from addresses a
        join addresses known
          on known.org_id = $1 and known.contact_id = $2 and known.removed_at is null
         and lower(known.street) = lower(a.street)
         and lower(coalesce(known.street2, '')) = lower(coalesce(a.street2, ''))
         and known.postal_code is not distinct from a.postal_code
         and (a.postal_code is not null or known.city_key = a.city_key)
        where a.org_id = $1 and a.contact_id = $3
        group by a.id
        "#,
        org_id,
        to.uuid(),
        from.uuid()
    )
    .fetch_all(tx.db())
    .await?;
    for twin in twins {
        tx.repoint(Id::<Address>::from(twin.left_id), twin.kept_id.into(), &[]).await?;
    }
    Ok(())
}
