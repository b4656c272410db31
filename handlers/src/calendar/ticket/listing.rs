//! The list of tickets, in the order in which they begin.

use capabilities::{Data, DayOrTime, Id, Ids, Key, Keyed, Name, Parent, Result, Text, Tx, When, Who, said};
use chrono::{DateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::{Confirmation, Status, TicketRow};
use crate::entities::{Address, Contact, Ticket, User};

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

impl Tickets {
    /// The visits of a customer that are still to take place.
    pub fn to_come(contact: Id<Contact>, now: DateTime<Utc>) -> Self {
        Self {
            from: Some(DayOrTime::Time(When::Exact(now))),
            status: Some(Status::Scheduled),
            contact_id: Some(vec![contact.uuid()].into()),
            ..Self::default()
        }
    }
}

/// The place of a ticket in the order of its list.
fn place(sort: Option<&str>) -> Option<DateTime<Utc>> {
    sort?.parse().ok()
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

    capabilities::listing! {
        |tickets, tx| {
            let zone = tx.org().timezone;
            let from = tickets.from.map(|from| from.beginning(zone, "/from")).transpose()?;
            let to = tickets.to.map(|to| to.end(zone, "/to")).transpose()?;
        }
        TicketRow from StoredTicket by shown,
        select r#"
            t.id, kept.id as "contact_id!", kept.display_name as "contact_name!",
            case when kept.id <> t.contact_id then t.contact_id end as merged_contact_id, t.address_id,
            coalesce(payer.merged_into, payer.id, kept.id) as "bill_to_contact_id!", t.title, t.starts_at, t.ends_at,
            t.timezone, t.status, t.confirmation, t.is_price_estimated, t.previous_starts_at, t.previous_ends_at,
            t.cancelled_at, t.cancellation_reason, t.closed_at, t.version, t.created_at, t.updated_at,
            l.total_amount as "total_amount!", l.lines_without_price as "lines_without_price!",
            w.clocked_minutes as "clocked_minutes!", w.clock_running_since_at"#
        from "tickets" as "t" with "
            join frontdesk.contacts c on c.org_id = $1 and c.id = t.contact_id
            join frontdesk.contacts kept on kept.org_id = $1 and kept.id = coalesce(c.merged_into, c.id)
            left join frontdesk.contacts payer on payer.org_id = $1 and payer.id = t.bill_to_contact_id
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
            ) w",
        order "t.starts_at, t.id" after "$3::timestamptz is null or (t.starts_at, t.id) > ($3, $4)" at place,
        through "
            left join frontdesk.contacts c on c.org_id = $1 and c.id = t.contact_id
            left join frontdesk.addresses a on a.org_id = $1 and a.id = t.address_id",
        where "
            and ($6::timestamptz is null or t.ends_at > $6 and t.starts_at > $6 - interval '168 hours')
            and ($7::timestamptz is null or t.starts_at < $7)
            and ($8::text is null or t.status = $8)
            and ($9::uuid[] is null or c.id = any($9) or c.merged_into = any($9))
            and ($10::uuid[] is null or t.address_id = any($10))
            and ($11::text is null or a.city_key = lower($11))
            and ($12::text is null or t.confirmation = $12)
            and ($13::uuid is null or exists (
              select 1 from ticket_technicians w where w.org_id = $1 and w.ticket_id = t.id and w.user_id = $13
            ))"
            [
                from,
                to,
                tickets.status.map(Status::as_str),
                tickets.contact_id.as_ref().map(Ids::uuids),
                tickets.address_id.as_ref().map(Ids::uuids),
                tickets.city.as_ref().map(Text::as_str),
                tickets.confirmation.map(Confirmation::as_str),
                tickets.technician_id.map(Id::uuid),
            ],
        beside "address_id"
    }
}

/// A ticket as it is stored, with the sums of its lines and clock.
struct StoredTicket {
    id: Uuid,
    contact_id: Uuid,
    contact_name: String,
    merged_contact_id: Option<Uuid>,
    address_id: Option<Uuid>,
    bill_to_contact_id: Uuid,
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

/// Of contacts that were merged a ticket tells the one that stays.
async fn shown(stored: Vec<StoredTicket>, tx: &mut Tx<'_>) -> Result<Vec<Keyed<TicketRow>>> {
    Ok(stored.into_iter().map(|row| Keyed { key: key(&row), row: ticket(row, tx) }).collect())
}

fn key(row: &StoredTicket) -> Key {
    Key(row.starts_at.to_rfc3339_opts(SecondsFormat::Micros, true), row.id)
}

fn ticket(row: StoredTicket, tx: &Tx<'_>) -> TicketRow {
    let zone = tx.org().zone_of(row.timezone.as_deref());
    TicketRow {
        id: row.id,
        display_name: format!("{}, {}", row.contact_name, said(row.starts_at, zone)),
        title: row.title,
        status: row.status,
        starts_at: row.starts_at,
        ends_at: row.ends_at,
        timezone: row.timezone,
        contact_id: row.contact_id,
        contact_name: row.contact_name,
        merged_contact_id: row.merged_contact_id,
        address_id: row.address_id,
        bill_to_contact_id: row.bill_to_contact_id,
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
    tx.one::<Tickets>(id).await
}
