//! The list of contacts: by name, or by search with the best match first.

use std::collections::HashMap;

use capabilities::{Data, DayOrTime, Id, Key, Keyed, Listing, Name, Query, Result, Text, Tx, Who};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::finding::{Terms, search};
use super::{ContactRow, Tag, load_all};
use crate::calendar::ticket::Tickets;
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
    /// Only these: what another domain knows of them.
    pub ids: Option<Vec<Uuid>>,
    /// no, only or any.
    pub archived: &'static str,
}

impl Default for ContactFilters {
    fn default() -> Self {
        Self { tag: None, city: None, postal_code: None, ids: None, archived: "no" }
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
        let ids = self.served(tx).await?;
        let narrow = ContactFilters {
            ids,
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
    /// The contacts that were served as the filters ask; none if they do not ask. What was closed for a record that was
    /// merged counts for the one that stays.
    async fn served(&self, tx: &mut Tx<'_>) -> Result<Option<Vec<Uuid>>> {
        if self.last_service_before.is_none() && self.last_service_after.is_none() && self.service_id.is_none() {
            return Ok(None);
        }
        let zone = tx.org().timezone;
        let before = self.last_service_before.map(|day| day.beginning(zone, "/last_service_before")).transpose()?;
        let after = self.last_service_after.map(|day| day.beginning(zone, "/last_service_after")).transpose()?;
        let visits = Tickets::last_services(self.service_id, tx).await?;
        let records: Vec<Uuid> = visits.iter().map(|(contact, _)| *contact).collect();
        let named = Contacts::names(&records, tx).await?;
        let mut last: HashMap<Uuid, DateTime<Utc>> = HashMap::new();
        for (record, visit) in visits {
            let contact = named.get(&record).and_then(|contact| contact.merged_into).unwrap_or(record);
            last.entry(contact).and_modify(|known| *known = visit.max(*known)).or_insert(visit);
        }
        let fits =
            |visit: DateTime<Utc>| before.is_none_or(|time| visit < time) && after.is_none_or(|time| visit >= time);
        Ok(Some(last.into_iter().filter(|(_, visit)| fits(*visit)).map(|(contact, _)| contact).collect()))
    }
}

fn by_name(row: ContactRow) -> Keyed<ContactRow> {
    Keyed { key: Key(row.sort_name.clone(), row.id), row }
}

async fn in_order_of_names(narrow: &ContactFilters, query: &Query, tx: &mut Tx<'_>) -> Result<Listing<Uuid>> {
    let org_id = tx.org_id();
    let (after_name, after_id) = query.after();
    let rows = sqlx::query!(
        r#"
        with matching as not materialized (
          select c.id, c.sort_name
          from contacts c
          where c.org_id = $1
            and ($2::text = 'any' or (c.archived_at is null) = ($2 = 'no'))
            and ($3::text is null or exists (
              select 1 from contact_tags t where t.org_id = $1 and t.contact_id = c.id and t.tag = $3
            ))
            and ($4::text is null or exists (
              select 1 from addresses a
              where a.org_id = $1 and a.contact_id = c.id and a.city_key = lower($4) and a.removed_at is null
            ))
            and ($5::text is null or exists (
              select 1 from addresses a
              where a.org_id = $1 and a.contact_id = c.id and a.postal_code = $5 and a.removed_at is null
            ))
            and ($9::uuid[] is null or c.id = any($9))
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
        narrow.ids.as_deref()
    )
    .fetch_all(tx.db())
    .await?;
    let total = rows.first().map_or(0, |row| row.total);
    let rows = rows.into_iter().map(|row| Keyed { key: Key(row.sort_name, row.id), row: row.id });
    Ok(Listing { rows: rows.collect(), total })
}
