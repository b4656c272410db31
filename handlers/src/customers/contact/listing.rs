//! The list of contacts: by name, or by search with the best match first.

use std::collections::HashMap;

use capabilities::{Data, DayOrTime, Id, Key, Keyed, Listing, Name, Query, Result, Text, Tx, Who};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::finding::{Terms, search};
use super::{ContactRow, Tag, load_all};
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
            let rows: Vec<_> = load_all(ids, tx).await?.into_iter().map(by_name).collect();
            return Ok(Listing { total: rows.len() as i64, rows });
        }
        let archived = match self.archived.unwrap_or_default() {
            Archived::No => "no",
            Archived::Only => "only",
            Archived::Any => "any",
        };
        let narrow = ContactFilters {
            served: self.served(tx)?,
            tag: self.tag.map(|tag| tag.as_str().to_lowercase()),
            city: self.city.map(|city| city.as_str().to_string()),
            postal_code: self.postal_code.map(|code| code.as_str().to_string()),
            archived,
        };
        let found = match &self.search {
            Some(text) => search(&Terms::read(text.as_str(), tx.org().country), &narrow, &query, tx).await?,
            None => in_order_of_names(&narrow, &query, tx).await?,
        };
        let ids: Vec<Uuid> = found.rows.iter().map(|hit| hit.row).collect();
        let mut contacts: HashMap<Uuid, _> = load_all(&ids, tx).await?.into_iter().map(|row| (row.id, row)).collect();
        let rows =
            found.rows.into_iter().filter_map(|hit| Some(Keyed { row: contacts.remove(&hit.row)?, key: hit.key }));
        Ok(Listing { rows: rows.collect(), total: found.total })
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

async fn in_order_of_names(narrow: &ContactFilters, query: &Query, tx: &mut Tx<'_>) -> Result<Listing<Uuid>> {
    let org_id = tx.org_id();
    let (after_name, after_id) = query.after();
    let served = narrow.served.unwrap_or_default();
    let rows = sqlx::query!(
        r#"
        with matching as not materialized (
          select c.id, c.sort_name
          from contacts c
          left join (
            select coalesce(r.merged_into, r.id) as id
            from frontdesk.tickets v
            join contacts r on r.org_id = $1 and r.id = v.contact_id
            where v.org_id = $1 and v.status = 'closed'
              and ($12::uuid is null or exists (
                select 1 from frontdesk.line_items i where i.org_id = $1 and i.ticket_id = v.id and i.service_id = $12
              ))
            group by 1
            having ($10::timestamptz is null or max(v.starts_at) < $10)
               and ($11::timestamptz is null or max(v.starts_at) >= $11)
          ) served on served.id = c.id
          where c.org_id = $1
            and ($2::text = 'any' or (c.archived_at is null) = ($2 = 'no'))
            and ($3::text is null or exists (
              select 1 from contact_tags t where t.org_id = $1 and t.contact_id = c.id and t.tag = $3
            ))
            and ($4::text is null or exists (
              select 1 from frontdesk.addresses a
              where a.org_id = $1 and a.contact_id = c.id and a.city_key = lower($4) and a.removed_at is null
            ))
            and ($5::text is null or exists (
              select 1 from frontdesk.addresses a
              where a.org_id = $1 and a.contact_id = c.id and a.postal_code = $5 and a.removed_at is null
            ))
            and (not $9::bool or served.id is not null)
        )
        select m.id as "id!", m.sort_name as "sort_name!",
               (select count(*) from (select 1 from matching limit 1001) counted) as "total!"
        from matching m
        where $6::text is null or (m.sort_name, m.id) > ($6, $7)
        order by m.sort_name, m.id
        limit $8
        "#,
        org_id,
        narrow.archived,
        narrow.tag,
        narrow.city,
        narrow.postal_code,
        after_name,
        after_id,
        query.limit,
        narrow.served.is_some(),
        served.before,
        served.after,
        served.service
    )
    .fetch_all(tx.db())
    .await?;
    let total = rows.first().map_or(0, |row| row.total);
    let rows = rows.into_iter().map(|row| Keyed { key: Key(row.sort_name, row.id), row: row.id });
    Ok(Listing { rows: rows.collect(), total })
}
