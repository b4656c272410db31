//! The list of contacts: by name, or by search with the best match first.

use std::collections::HashMap;

use capabilities::{Data, DayOrTime, Id, Key, Keyed, Listing, Name, Query, Result, Text, Tx, Who};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Deserialize;
use sqlx::types::Json;
use uuid::Uuid;

use super::finding::{Terms, search};
use super::reach::{EmailRow, PhoneRow};
use super::{ContactRow, Tag};
use crate::entities::Service;

/// Which contacts, by whether they are archived.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Archived {
    /// Only those that are not.
    #[default]
    No,
    /// Only those that are.
    Only,
    /// All.
    Any,
}

/// Contacts: people and organizations that receive services.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contacts {
    /// Any words of name, e-mail, phone, address, notes and tags, misspelt or not; best match first.
    search: Option<Text<200>>,
    /// Only contacts with this tag.
    tag: Option<Tag>,
    /// Only contacts with an address in this city, whatever its capitals.
    city: Option<Name>,
    /// Only contacts with an address with this ZIP or postal code.
    postal_code: Option<Text<20>>,
    /// Only contacts whose last visit that was closed began before this: a day such as `2030-03-12`, or a time.
    last_service_before: Option<DayOrTime>,
    /// Only contacts whose last visit that was closed began then or later.
    last_service_after: Option<DayOrTime>,
    /// Only contacts who had this service on a visit that was closed; the last service then is the last visit with it.
    service_id: Option<Id<Service>>,
    /// Whether to show archived contacts.
    archived: Option<Archived>,
}

/// The filters besides the search.
#[derive(Debug)]
pub(crate) struct ContactFilters {
    pub tag: Option<String>,
    pub city: Option<String>,
    pub postal_code: Option<String>,
    pub served: Option<Served>,
    /// no, only or any.
    pub archived: &'static str,
}

/// Of the last visit that was closed. What was closed for a record that was merged counts for the one that stays.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Served {
    /// It began before this,
    pub before: Option<DateTime<Utc>>,
    /// and then or later.
    pub after: Option<DateTime<Utc>>,
    /// Among the visits with this service.
    pub service: Option<Uuid>,
}

impl Default for ContactFilters {
    fn default() -> Self {
        Self { tag: None, city: None, postal_code: None, served: None, archived: "no" }
    }
}

impl Data for Contacts {
    const NAME: &str = "contacts";
    const ONE: &str = "contact";
    const WHO: Who = Who::EVERYONE;
    const SORTED_BY: &str = "display_name, whatever its capitals; with `search` the best match first";
    type Row = ContactRow;

    async fn list(self, query: Query, tx: &mut Tx<'_>) -> Result<Listing<ContactRow>> {
        if let Some(ids) = &query.ids {
            let contacts = ByName::by_ids(ids, tx).await?;
            return Ok(Listing::all(contacts.len(), contacts.into_iter().map(by_name), &query));
        }
        let archived = match self.archived.unwrap_or_default() {
            Archived::No => "no",
            Archived::Only => "only",
            Archived::Any => "any",
        };
        let filters = ContactFilters {
            served: self.served(tx)?,
            tag: self.tag.map(|tag| tag.as_str().to_lowercase()),
            city: self.city.map(|city| city.as_str().to_string()),
            postal_code: self.postal_code.map(|code| code.as_str().to_string()),
            archived,
        };
        let Some(text) = &self.search else { return ByName(filters).list(query, tx).await };
        let found = search(&Terms::read(text.as_str(), tx.org().country), &filters, &query, tx).await?;
        let ids: Vec<Uuid> = found.rows.iter().map(|hit| hit.row).collect();
        let mut contacts: HashMap<Uuid, _> =
            tx.these::<Self>(&ids).await?.into_iter().map(|row| (row.id, row)).collect();
        let rows =
            found.rows.into_iter().filter_map(|hit| Some(Keyed { row: contacts.remove(&hit.row)?, key: hit.key }));
        Ok(Listing { rows: rows.collect(), total: found.total })
    }

    async fn by_ids(ids: &[Uuid], tx: &mut Tx<'_>) -> Result<Vec<ContactRow>> {
        ByName::by_ids(ids, tx).await
    }
}

impl Contacts {
    /// How the contacts must have been served, if the filters ask for that.
    fn served(&self, tx: &Tx<'_>) -> Result<Option<Served>> {
        let zone = tx.org().timezone;
        let before = self.last_service_before.map(|day| day.beginning(zone, "/last_service_before")).transpose()?;
        let after = self.last_service_after.map(|day| day.beginning(zone, "/last_service_after")).transpose()?;
        let asked = before.is_some() || after.is_some() || self.service_id.is_some();
        Ok(asked.then_some(Served { before, after, service: self.service_id.map(Id::uuid) }))
    }
}

fn by_name(row: ContactRow) -> Keyed<ContactRow> {
    Keyed { key: Key(row.sort_name.clone(), row.id), row }
}

async fn shown(contacts: Vec<ContactRow>, _: &mut Tx<'_>) -> Result<Vec<Keyed<ContactRow>>> {
    Ok(contacts.into_iter().map(by_name).collect())
}

/// The contacts in the order of their names.
struct ByName(ContactFilters);

impl ByName {
    capabilities::listing! {
        |contacts, tx| {
            let ContactFilters { tag, city, postal_code, served, archived } = contacts.0;
            let Served { before, after, service } = served.unwrap_or_default();
        }
        ContactRow from ContactRow by shown,
        select r#"
            c.id, c.kind, c.display_name as "display_name!", c.given_name, c.family_name, c.organization_name,
            coalesce(e.emails, '[]') as "emails!: Json<Vec<EmailRow>>",
            coalesce(p.phones, '[]') as "phones!: Json<Vec<PhoneRow>>",
            c.preferred_time, c.tags, c.unsubscribed_at, c.archived_at, c.merged_into as merged_into_id, c.version,
            c.created_at, c.updated_at, c.sort_name as "sort_name!""#
        from "contacts" as "c" with "
            left join lateral (
              select jsonb_agg(
                       jsonb_build_object('email', e.email, 'type', e.type, 'is_primary', e.is_primary, 'status', e.status)
                       order by e.is_primary desc, e.position) as emails
              from contact_emails e
              where e.org_id = $1 and e.contact_id = c.id
            ) e on true
            left join lateral (
              select jsonb_agg(
                       jsonb_build_object('phone', p.phone, 'e164', p.e164, 'type', p.type, 'is_primary', p.is_primary)
                       order by p.is_primary desc, p.position) as phones
              from contact_phones p
              where p.org_id = $1 and p.contact_id = c.id
            ) p on true",
        order "c.sort_name, c.id" after "$3::text is null or (c.sort_name, c.id) > ($3, $4)",
        through "
            left join (
              select coalesce(r.merged_into, r.id) as id
              from frontdesk.tickets v
              join contacts r on r.org_id = $1 and r.id = v.contact_id
              where v.org_id = $1 and v.status = 'closed'
                and ($13::uuid is null or exists (
                  select 1 from frontdesk.line_items i where i.org_id = $1 and i.ticket_id = v.id and i.service_id = $13
                ))
              group by 1
              having ($11::timestamptz is null or max(v.starts_at) < $11)
                 and ($12::timestamptz is null or max(v.starts_at) >= $12)
            ) served on served.id = c.id",
        where "
            and ($6::text = 'any' or (c.archived_at is null) = ($6 = 'no'))
            and ($7::text is null or exists (
              select 1 from contact_tags t where t.org_id = $1 and t.contact_id = c.id and t.tag = $7
            ))
            and ($8::text is null or exists (
              select 1 from frontdesk.addresses a
              where a.org_id = $1 and a.contact_id = c.id and a.city_key = lower($8) and a.removed_at is null
            ))
            and ($9::text is null or exists (
              select 1 from frontdesk.addresses a
              where a.org_id = $1 and a.contact_id = c.id and a.postal_code = $9 and a.removed_at is null
            ))
            and (not $10::bool or served.id is not null)"
            [archived, tag, city, postal_code, served.is_some(), before, after, service]
    }
}
