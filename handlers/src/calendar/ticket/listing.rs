//! The list of tickets, in the order in which they begin.

use std::collections::HashMap;

use crate::entities::{Address, Contact, Service, Ticket, User};
use capabilities::{
    Data, DayOrTime, Error, Id, Ids, Key, Keyed, Listing, Name, Parent, Query, Result, Tx, When, Who, said,
};
use chrono::{DateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::{Confirmation, Status, TicketRow, zone_of};
use crate::customers::address::Addresses;
use crate::customers::contact::Contacts;

/// Tickets: visits to customers, past and to come.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tickets {
    /// Only tickets that end after this: a day such as `2030-03-12`, or a time, by the business's clock or with an offset.
    from: Option<DayOrTime>,
    /// Only tickets that begin before this; a day counts whole.
    to: Option<DayOrTime>,
    /// Only tickets that are this far.
    status: Option<Status>,
    /// Only tickets of this customer.
    contact_id: Option<Ids<Contact>>,
    /// Only tickets at this address.
    address_id: Option<Ids<Address>>,
    /// Only tickets that this user works on.
    technician_id: Option<Id<User>>,
    /// Only tickets about which the customer said this.
    confirmation: Option<Confirmation>,
    /// Only tickets at an address in this city, whatever its capitals.
    city: Option<Name>,
}

/// The filters, ready for the question.
#[derive(Default)]
struct TicketFilters {
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    contacts: Option<Vec<Uuid>>,
    addresses: Option<Vec<Uuid>>,
}

impl Tickets {
    /// The visits of a customer that are still to take place.
    pub fn to_come(contact: Id<Contact>, now: DateTime<Utc>) -> Self {
        Self {
            from: Some(DayOrTime::Time(When::Exact(now))),
            status: Some(Status::Scheduled),
            contact_id: Some(Ids(vec![contact])),
            ..Self::default()
        }
    }

    /// Whether any ticket has a price, which fixes the business's currency.
    pub async fn know_a_price(tx: &mut Tx<'_>) -> Result<bool> {
        let org_id = tx.org_id();
        Ok(sqlx::query_scalar!(
            r#"select exists (select 1 from line_items where org_id = $1 and unit_price_amount is not null) as "known!""#,
            org_id
        )
        .fetch_one(tx.db())
        .await?)
    }

    /// When each contact that was ever served was served last, by tickets that are closed; with a service, by those that
    /// have it.
    pub async fn last_services(service: Option<Id<Service>>, tx: &mut Tx<'_>) -> Result<Vec<(Uuid, DateTime<Utc>)>> {
        let org_id = tx.org_id();
        let rows = sqlx::query!(
            r#"
            select t.contact_id, max(t.starts_at) as "last!"
            from tickets t
            where t.org_id = $1 and t.status = 'closed'
              and ($2::uuid is null or exists (
                select 1 from line_items i where i.org_id = $1 and i.ticket_id = t.id and i.service_id = $2
              ))
            group by t.contact_id
            "#,
            org_id,
            service.map(Id::uuid)
        )
        .fetch_all(tx.db())
        .await?;
        Ok(rows.into_iter().map(|row| (row.contact_id, row.last)).collect())
    }

    /// The visits that are to take place at an address, the first few, by name.
    pub async fn to_come_at(address: Id<Address>, tx: &mut Tx<'_>) -> Result<Vec<String>> {
        let org_id = tx.org_id();
        let ids = sqlx::query_scalar!(
            r#"
            select id from tickets
            where org_id = $1 and address_id = $2 and status in ('scheduled', 'in_progress')
            order by starts_at, id
            limit 5
            "#,
            org_id,
            address.uuid()
        )
        .fetch_all(tx.db())
        .await?;
        Ok(load_all(&ids, tx).await?.into_iter().map(|ticket| ticket.display_name).collect())
    }

    async fn narrowing(&self, tx: &mut Tx<'_>) -> Result<TicketFilters> {
        let zone = tx.org().timezone;
        let contacts = match &self.contact_id {
            Some(contacts) => Some(Contacts::with_merged(contacts.uuids(), tx).await?),
            None => None,
        };
        let mut addresses = self.address_id.as_ref().map(Ids::uuids);
        if let Some(city) = &self.city {
            let there = Addresses::in_city(city, tx).await?;
            addresses = Some(match addresses {
                Some(named) => named.into_iter().filter(|id| there.contains(id)).collect(),
                None => there,
            });
        }
        Ok(TicketFilters {
            from: self.from.map(|from| from.beginning(zone, "/from")).transpose()?,
            to: self.to.map(|to| to.end(zone, "/to")).transpose()?,
            contacts,
            addresses,
        })
    }
}

/// The place of a ticket in the order of its list.
fn place(query: &Query) -> (Option<DateTime<Utc>>, Option<Uuid>) {
    let (starts_at, id) = query.after();
    (starts_at.and_then(|text| text.parse().ok()), id)
}

impl Data for Tickets {
    const NAME: &str = "tickets";
    const ONE: &str = "ticket";
    const WHO: Who = Who::EVERYONE;
    const SORTED_BY: &str = "starts_at, the earliest first";
    const PARENTS: &[Parent] = &[
        Parent {
            of: "contacts",
            filter: "contact_id",
            member: "contact_id",
            children: "tickets",
            parent: Some("contact"),
        },
        Parent {
            of: "addresses",
            filter: "address_id",
            member: "address_id",
            children: "tickets",
            parent: Some("address"),
        },
    ];
    type Row = TicketRow;

    async fn list(self, query: Query, tx: &mut Tx<'_>) -> Result<Listing<TicketRow>> {
        let narrow = self.narrowing(tx).await?;
        let (org_id, (after_start, after_id)) = (tx.org_id(), place(&query));
        let found = sqlx::query!(
            r#"
            with matching as not materialized (
              select t.id, t.starts_at
              from tickets t
              where t.org_id = $1
                and ($2::uuid[] is null or t.id = any($2))
                and ($3::timestamptz is null or t.ends_at > $3 and t.starts_at > $3 - interval '168 hours')
                and ($4::timestamptz is null or t.starts_at < $4)
                and ($5::text is null or t.status = $5)
                and ($6::uuid[] is null or t.contact_id = any($6))
                and ($7::uuid[] is null or t.address_id = any($7))
                and ($8::text is null or t.confirmation = $8)
                and ($9::uuid is null or exists (
                  select 1 from ticket_technicians w where w.org_id = $1 and w.ticket_id = t.id and w.user_id = $9
                ))
            )
            select m.id as "id!", (select count(*) from (select 1 from matching limit 1001) counted) as "total!"
            from matching m
            where $10::timestamptz is null or (m.starts_at, m.id) > ($10, $11)
            order by m.starts_at, m.id
            limit $12
            "#,
            org_id,
            query.ids.as_deref(),
            narrow.from,
            narrow.to,
            self.status.map(Status::as_str),
            narrow.contacts.as_deref(),
            narrow.addresses.as_deref(),
            self.confirmation.map(Confirmation::as_str),
            self.technician_id.map(Id::uuid),
            after_start,
            after_id,
            query.limit
        )
        .fetch_all(tx.db())
        .await?;
        let total = found.first().map_or(0, |row| row.total);
        let ids: Vec<Uuid> = found.iter().map(|row| row.id).collect();
        let rows = load_all(&ids, tx).await?.into_iter().map(|row| Keyed { key: key(&row), row }).collect();
        Ok(Listing { rows, total })
    }
}

fn key(row: &TicketRow) -> Key {
    Key(row.starts_at.to_rfc3339_opts(SecondsFormat::Micros, true), row.id)
}

/// A ticket as it is stored, with the sums of its lines and clock.
struct Stored {
    id: Uuid,
    contact_id: Uuid,
    address_id: Option<Uuid>,
    bill_to_contact_id: Option<Uuid>,
    title: String,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    timezone: Option<String>,
    status: String,
    confirmation: String,
    is_price_estimated: bool,
    previous_starts_at: Option<DateTime<Utc>>,
    previous_ends_at: Option<DateTime<Utc>>,
    cancelled_at: Option<DateTime<Utc>>,
    cancellation_reason: Option<String>,
    closed_at: Option<DateTime<Utc>>,
    version: i32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    total_amount: i64,
    lines_without_price: i64,
    clocked_minutes: i64,
    clock_running_since_at: Option<DateTime<Utc>>,
}

/// The tickets with these ids, in the order in which they begin: one statement for the whole page, and one for the names.
async fn load_all(ids: &[Uuid], tx: &mut Tx<'_>) -> Result<Vec<TicketRow>> {
    let org_id = tx.org_id();
    let stored = sqlx::query_as!(
        Stored,
        r#"
        select t.id, t.contact_id, t.address_id, t.bill_to_contact_id, t.title, t.starts_at, t.ends_at, t.timezone,
               t.status, t.confirmation, t.is_price_estimated, t.previous_starts_at, t.previous_ends_at, t.cancelled_at,
               t.cancellation_reason, t.closed_at, t.version, t.created_at, t.updated_at,
               l.total_amount as "total_amount!", l.lines_without_price as "lines_without_price!",
               c.clocked_minutes as "clocked_minutes!", c.clock_running_since_at
        from tickets t
        cross join lateral (
          select coalesce(sum(i.total_amount), 0)::bigint as total_amount,
                 count(*) filter (where i.total_amount is null) as lines_without_price
          from line_items i
          where i.org_id = $1 and i.ticket_id = t.id
        ) l
        cross join lateral (
          select coalesce(extract(epoch from sum(s.ended_at - s.started_at))::bigint / 60, 0) as clocked_minutes,
                 min(s.started_at) filter (where s.ended_at is null) as clock_running_since_at
          from clock_spans s
          where s.org_id = $1 and s.ticket_id = t.id
        ) c
        where t.org_id = $1 and t.id = any($2)
        order by t.starts_at, t.id
        "#,
        org_id,
        ids
    )
    .fetch_all(tx.db())
    .await?;
    let contacts: Vec<Uuid> =
        stored.iter().flat_map(|row| [Some(row.contact_id), row.bill_to_contact_id]).flatten().collect();
    let named = Contacts::names(&contacts, tx).await?;
    let by_now: HashMap<Uuid, Uuid> =
        named.iter().map(|(id, contact)| (*id, contact.merged_into.unwrap_or(*id))).collect();
    let name = |id: &Uuid| named.get(id).map_or("", |contact| contact.display_name.as_str());
    Ok(stored.into_iter().map(|row| shown(name(&row.contact_id), &by_now, row, tx)).collect())
}

/// A ticket as it is read: of contacts that were merged it tells the one that stays.
fn shown(contact: &str, by_now: &HashMap<Uuid, Uuid>, row: Stored, tx: &Tx<'_>) -> TicketRow {
    let now = |id: Uuid| by_now.get(&id).copied().unwrap_or(id);
    let zone = zone_of(row.timezone.as_deref(), tx);
    TicketRow {
        id: row.id,
        display_name: format!("{contact}, {}", said(row.starts_at, zone)),
        title: row.title,
        status: row.status,
        starts_at: row.starts_at,
        ends_at: row.ends_at,
        timezone: row.timezone,
        contact_id: now(row.contact_id),
        contact_name: contact.to_string(),
        merged_contact_id: Some(row.contact_id).filter(|id| now(*id) != *id),
        address_id: row.address_id,
        bill_to_contact_id: now(row.bill_to_contact_id.unwrap_or(row.contact_id)),
        confirmation: row.confirmation,
        is_price_estimated: row.is_price_estimated,
        total: tx.money(row.total_amount),
        lines_without_price: row.lines_without_price,
        clocked_minutes: row.clocked_minutes,
        clock_running_since_at: row.clock_running_since_at,
        previous_starts_at: row.previous_starts_at,
        previous_ends_at: row.previous_ends_at,
        cancelled_at: row.cancelled_at,
        cancellation_reason: row.cancellation_reason,
        closed_at: row.closed_at,
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

/// One ticket, as a question for it would show it.
pub(super) async fn load(id: Id<Ticket>, tx: &mut Tx<'_>) -> Result<TicketRow> {
    load_all(&[id.uuid()], tx).await?.pop().ok_or_else(|| Error::not_found::<Ticket>(id))
}
