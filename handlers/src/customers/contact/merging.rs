//! Two records of one customer become one. What is open moves to the contact that stays; what cannot move is read through
//! `merged_into_id` of the other.

use std::collections::BTreeMap;

use crate::entities::{Address, Contact};
use capabilities::{Action, Effect, Error, Id, PermissionClass, Result, Tx, Who};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{ContactRow, PARTS, load, told_as};

/// Merge two records of one customer: one stays, the other is archived and says where it went.
///
/// E-mails, phones, addresses, tags and notes move to the contact that stays, unless it has them already; its names and
/// preferred time are filled in where they are missing. If either was unsubscribed, the one that stays is. Look at both
/// records first: `audit.undo` brings them back only as long as nobody changed what moved.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Merge {
    /// The contact that stays.
    pub contact_id: Id<Contact>,
    /// The contact that goes into it.
    pub merged_contact_id: Id<Contact>,
    /// Refuse if the contact that stays is at another version by now.
    pub expected_version: Option<i32>,
}

/// The contact that stays, and what came to it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Merged {
    #[serde(flatten)]
    contact: ContactRow,
    /// How many emails, phones, addresses, notes and other records moved to it.
    moved: BTreeMap<String, i64>,
}

impl Action for Merge {
    const NAME: &str = "contact.merge";
    const EFFECT: Effect = Effect::Destroys;
    const CLASS: PermissionClass = PermissionClass::RequiresAuthorization;
    const WHO: Who = Who::MANAGERS;
    type Output = Merged;

    fn example() -> Value {
        json!({
            "contact_id": "01970000-0000-7000-8000-000000000001",
            "merged_contact_id": "01970000-0000-7000-8000-000000000002"
        })
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<Merged> {
        if self.contact_id == self.merged_contact_id {
            return Err(Error::invalid("/merged_contact_id", "must be another contact than contact_id"));
        }
        self.lock_both(tx).await?;
        let (stays, goes) = (load(self.contact_id, tx).await?, load(self.merged_contact_id, tx).await?);
        refuse_if_merged(self.contact_id, "Merge into that one instead.", tx).await?;
        if goes.merged_into_id == Some(stays.id) {
            return Ok(Merged { contact: stays, moved: BTreeMap::new() });
        }
        refuse_if_merged(self.merged_contact_id, "Merge that one, if it is the same customer.", tx).await?;
        let moved = self.move_all(tx).await?;
        self.fill_in(tx).await?;
        self.leave(tx).await?;
        let contact = load(self.contact_id, tx).await?;
        if contact.archived_at.is_some() {
            let message = "The contact that stays is archived: contact.restore brings it back to the lists.";
            tx.warn("archived", message, Some(json!({"id": contact.id, "display_name": contact.display_name})));
        }
        Ok(Merged { contact, moved })
    }
}

impl Merge {
    /// In the order of their ids, so that two merges of the same contacts wait for each other instead of for ever.
    async fn lock_both(&self, tx: &mut Tx<'_>) -> Result<()> {
        let mut both = [(self.contact_id, self.expected_version), (self.merged_contact_id, None)];
        both.sort_by_key(|(id, _)| id.uuid());
        for (id, expected_version) in both {
            tx.lock(id, expected_version).await?;
        }
        Ok(())
    }

    async fn move_all(&self, tx: &mut Tx<'_>) -> Result<BTreeMap<String, i64>> {
        let parts = [
            ("contact_emails", self.move_emails(tx).await?),
            ("contact_phones", self.move_phones(tx).await?),
            ("addresses", self.move_addresses(tx).await?),
        ];
        self.leave_known_addresses(tx).await?;
        let mut moved: BTreeMap<String, i64> = parts
            .into_iter()
            .filter(|(_, rows)| *rows > 0)
            .filter_map(|(table, rows)| Some((told_as(table)?, i64::try_from(rows).ok()?)))
            .collect();
        for others in tx.repoint(self.merged_contact_id, self.contact_id, PARTS).await? {
            if let Some(name) = told_as(&others.table) {
                *moved.entry(name).or_default() += others.rows;
            }
        }
        Ok(moved)
    }

    /// The e-mails that the contact does not have yet, behind its own.
    async fn move_emails(&self, tx: &mut Tx<'_>) -> Result<u64> {
        let org_id = tx.org_id();
        let moved = sqlx::query!(
            r#"
            with own as (
              select coalesce(max(position) + 1, 0) as next, coalesce(bool_or(is_primary), false) as has_primary
              from contact_emails
              where org_id = $1 and contact_id = $2
            )
            update contact_emails e
            set contact_id = $2, position = e.position + own.next, is_primary = e.is_primary and not own.has_primary
            from own
            where e.org_id = $1 and e.contact_id = $3
              and not exists (
                select 1 from contact_emails known
                where known.org_id = $1 and known.contact_id = $2 and known.email_key = e.email_key
              )
            "#,
            org_id,
            self.contact_id.uuid(),
            self.merged_contact_id.uuid()
        )
        .execute(tx.db())
        .await?;
        Ok(moved.rows_affected())
    }

    /// The phones that the contact does not have yet, behind its own.
    async fn move_phones(&self, tx: &mut Tx<'_>) -> Result<u64> {
        let org_id = tx.org_id();
        let moved = sqlx::query!(
            r#"
            with own as (
              select coalesce(max(position) + 1, 0) as next, coalesce(bool_or(is_primary), false) as has_primary
              from contact_phones
              where org_id = $1 and contact_id = $2
            )
            update contact_phones p
            set contact_id = $2, position = p.position + own.next, is_primary = p.is_primary and not own.has_primary
            from own
            where p.org_id = $1 and p.contact_id = $3
              and not exists (
                select 1 from contact_phones known
                where known.org_id = $1 and known.contact_id = $2 and known.phone_key = p.phone_key
              )
            "#,
            org_id,
            self.contact_id.uuid(),
            self.merged_contact_id.uuid()
        )
        .execute(tx.db())
        .await?;
        Ok(moved.rows_affected())
    }

    /// The addresses that the contact does not have yet. Two are the same by street, unit and postal code, and without one
    /// by the city.
    async fn move_addresses(&self, tx: &mut Tx<'_>) -> Result<u64> {
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
            self.contact_id.uuid(),
            self.merged_contact_id.uuid()
        )
        .execute(tx.db())
        .await?;
        Ok(moved.rows_affected())
    }

    /// What is still to come at an address that both have takes place at that of the contact that stays.
    async fn leave_known_addresses(&self, tx: &mut Tx<'_>) -> Result<()> {
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
            self.contact_id.uuid(),
            self.merged_contact_id.uuid()
        )
        .fetch_all(tx.db())
        .await?;
        for twin in twins {
            tx.repoint(Id::<Address>::from(twin.left_id), twin.kept_id.into(), &[]).await?;
        }
        Ok(())
    }

    /// What the contact that stays takes over in its own row. Its version tells of the parts that came, too.
    async fn fill_in(&self, tx: &mut Tx<'_>) -> Result<()> {
        let org_id = tx.org_id();
        sqlx::query!(
            r#"
            update contacts stays
            set given_name = coalesce(stays.given_name, goes.given_name),
                family_name = coalesce(stays.family_name, goes.family_name),
                organization_name = coalesce(stays.organization_name, goes.organization_name),
                preferred_time = case stays.preferred_time when 'any' then goes.preferred_time else stays.preferred_time end,
                tags = array(select distinct tag from unnest(stays.tags || goes.tags) tag order by tag),
                unsubscribed_at = least(stays.unsubscribed_at, goes.unsubscribed_at),
                version = stays.version + 1
            from contacts goes
            where stays.org_id = $1 and stays.id = $2 and goes.org_id = $1 and goes.id = $3
            "#,
            org_id,
            self.contact_id.uuid(),
            self.merged_contact_id.uuid()
        )
        .execute(tx.db())
        .await?;
        Ok(())
    }

    async fn leave(&self, tx: &mut Tx<'_>) -> Result<()> {
        let (org_id, now) = (tx.org_id(), tx.now());
        sqlx::query!(
            r#"
            update contacts
            set merged_into = $3, archived_at = coalesce(archived_at, $4)
            where org_id = $1 and id = $2
            "#,
            org_id,
            self.merged_contact_id.uuid(),
            self.contact_id.uuid(),
            now
        )
        .execute(tx.db())
        .await?;
        Ok(())
    }
}

/// A merged contact has no life of its own any more. The `hint` says what to do with the one it went into.
pub(crate) async fn refuse_if_merged(contact: Id<Contact>, hint: &str, tx: &mut Tx<'_>) -> Result<()> {
    let org_id = tx.org_id();
    let merged = sqlx::query!(
        r#"
        select gone.display_name as "gone!", kept.id as "id!", kept.display_name as "name!"
        from contacts gone
        join contacts kept on kept.org_id = $1 and kept.id = gone.merged_into
        where gone.org_id = $1 and gone.id = $2
        "#,
        org_id,
        contact.uuid()
    )
    .fetch_optional(tx.db())
    .await?;
    match merged {
        None => Ok(()),
        Some(merged) => Err(Error::conflict(
            "CONTACT_MERGED",
            format!("{} was merged into {} ({}).", merged.gone, merged.name, merged.id),
            hint,
        )),
    }
}
