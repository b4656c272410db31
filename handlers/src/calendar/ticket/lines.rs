//! What is done or delivered on a ticket. A line captures its service's name, price and tax rate when it is added: later
//! changes of the catalog do not reach it.

use std::collections::HashMap;

use capabilities::{Data, Error, Id, Ids, Key, Keyed, Money, Name, Parent, Quantity, Result, Tx, Who};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::entities::{LineItem, Service, Ticket};
use crate::house::service::Services;

/// A service as the catalog has it.
type Offered = <Services as Data>::Row;

/// The lines of tickets: what is done or delivered, and for how much.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LineItems {
    /// Only the lines of this ticket.
    ticket_id: Option<Ids<Ticket>>,
    /// Only lines with this service.
    service_id: Option<Id<Service>>,
}

/// A line of a ticket.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LineItemRow {
    /// The line.
    pub id: Uuid,
    /// The ticket.
    pub ticket_id: Uuid,
    /// The service of the catalog.
    service_id: Uuid,
    /// What it says on the bill.
    pub description: String,
    /// fixed, flexible or per_unit, as the service was priced when the line was added.
    pub pricing: String,
    /// How much of it, as exact decimal text.
    pub quantity: Quantity,
    /// The price of one; absent while a flexible price is open.
    pub unit_price: Option<Money>,
    /// Of one what, such as window or hour.
    unit_name: Option<String>,
    /// The price times the quantity, rounded half away from zero; absent while the price is open.
    total: Option<Money>,
    /// Percent, as exact decimal text.
    tax_rate: String,
    /// Minutes it takes.
    pub duration_minutes: Option<i32>,
    /// Its place among the lines of the ticket.
    pub position: i32,
    /// Counts the changes.
    version: i32,
    /// When it was added, UTC.
    created_at: DateTime<Utc>,
    /// When it was last changed, UTC.
    updated_at: DateTime<Utc>,
}

/// The place of a line in the order of its list, if it is one: its ticket and its place there.
fn place(sort: Option<&str>) -> Option<&str> {
    sort.filter(|sort| {
        let parts = sort.split_once(' ');
        parts.is_some_and(|(ticket, position)| ticket.parse::<Uuid>().is_ok() && position.parse::<i32>().is_ok())
    })
}

impl Data for LineItems {
    const NAME: &str = "line_items";
    const ONE: &str = "line item";
    const WHO: Who = Who::EVERYONE;
    const SORTED_BY: &str = "ticket, then position";
    const PARENTS: &[Parent] = &[Parent {
        of: "tickets",
        filter: "ticket_id",
        member: "ticket_id",
        children: "line_items",
        parent: Some("ticket"),
    }];
    type Row = LineItemRow;

    capabilities::listing! {
        |lines, tx| LineItemRow from StoredLine by shown,
        select r#"id, ticket_id, service_id, description, pricing, quantity_thousandths, unit_price_amount, unit_name,
            total_amount, trim_scale(tax_rate)::text as "tax_rate!", duration_minutes, position, version, created_at,
            updated_at"#
        from "line_items",
        order "ticket_id, position, id"
        after "$3::text is null
               or (ticket_id, position, id) > (split_part($3, ' ', 1)::uuid, split_part($3, ' ', 2)::int, $4)" at place,
        where "
            and ($6::uuid[] is null or ticket_id = any($6))
            and ($7::uuid is null or service_id = $7)"
            [lines.ticket_id.as_ref().map(Ids::uuids), lines.service_id.map(Id::uuid)],
        beside "ticket_id"
    }
}

/// A line as the table has it.
struct StoredLine {
    id: Uuid,
    ticket_id: Uuid,
    service_id: Uuid,
    description: String,
    pricing: String,
    quantity_thousandths: i64,
    unit_price_amount: Option<i64>,
    unit_name: Option<String>,
    total_amount: Option<i64>,
    tax_rate: String,
    duration_minutes: Option<i32>,
    position: i32,
    version: i32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

async fn shown(stored: Vec<StoredLine>, tx: &mut Tx<'_>) -> Result<Vec<Keyed<LineItemRow>>> {
    let rows = stored.into_iter().map(|line| Keyed {
        key: Key(format!("{} {}", line.ticket_id, line.position), line.id),
        row: LineItemRow {
            id: line.id,
            ticket_id: line.ticket_id,
            service_id: line.service_id,
            description: line.description,
            pricing: line.pricing,
            quantity: Quantity::of_thousandths(line.quantity_thousandths),
            unit_price: line.unit_price_amount.map(|amount| tx.money(amount)),
            unit_name: line.unit_name,
            total: line.total_amount.map(|amount| tx.money(amount)),
            tax_rate: line.tax_rate,
            duration_minutes: line.duration_minutes,
            position: line.position,
            version: line.version,
            created_at: line.created_at,
            updated_at: line.updated_at,
        },
    });
    Ok(rows.collect())
}

/// Something to be done or delivered.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewLineItem {
    /// The service of the catalog.
    pub service_id: Id<Service>,
    /// What it says on the bill; the service's name if left out.
    pub description: Option<Name>,
    /// How much of it, as exact decimal text such as `2.5`; 1 if left out.
    pub quantity: Option<Quantity>,
    /// The price of one. A fixed price is the service's and cannot be given; a flexible one can be set later; a price per
    /// unit is the service's unless another was agreed.
    pub unit_price: Option<Money>,
    /// Minutes it takes; what the service typically takes if left out.
    #[schemars(range(min = 0, max = 10_080))]
    pub duration_minutes: Option<i32>,
}

/// A line as it will be stored.
pub(super) struct Line {
    service_id: Uuid,
    pub description: String,
    pricing: &'static str,
    quantity: Quantity,
    unit_price: Option<i64>,
    unit_name: Option<String>,
    tax_rate: String,
    pub duration_minutes: Option<i32>,
}

/// The lines with what their services say now. `place` says where each stands in the input.
pub(super) async fn captured(
    items: Vec<NewLineItem>,
    place: impl Fn(usize) -> String,
    tx: &mut Tx<'_>,
) -> Result<Vec<Line>> {
    let ids: Vec<Uuid> = items.iter().map(|item| item.service_id.uuid()).collect();
    let services: HashMap<Uuid, _> = tx.these::<Services>(&ids).await?.into_iter().map(|row| (row.id, row)).collect();
    let mut lines = Vec::with_capacity(items.len());
    for (nth, item) in items.into_iter().enumerate() {
        let service = services.get(&item.service_id.uuid());
        let service = service.ok_or_else(|| Error::not_found::<Service>(item.service_id))?;
        lines.push(item.line(service, &place(nth), tx).await?);
    }
    Ok(lines)
}

impl NewLineItem {
    /// A service as the catalog has it.
    pub fn of(service_id: Id<Service>, quantity: Option<Quantity>) -> Self {
        Self { service_id, description: None, quantity, unit_price: None, duration_minutes: None }
    }

    async fn line(self, service: &Offered, place: &str, tx: &mut Tx<'_>) -> Result<Line> {
        if !service.active {
            return Err(Error::conflict(
                "SERVICE_ARCHIVED",
                format!("{} is out of the catalog.", service.name),
                "Take another service, or offer it again with service.restore.",
            ));
        }
        let pricing = service.pricing.strategy.as_str();
        let given = match &self.unit_price {
            Some(price) => Some(agreed_price(price, pricing, &format!("{place}/unit_price"), tx).await?),
            None => None,
        };
        // What is suggested for a flexible price is for orientation only.
        let of_catalog = service.pricing.price.as_ref().filter(|_| pricing != "flexible");
        Ok(Line {
            service_id: service.id,
            description: self.description.map_or_else(|| service.name.clone(), |text| text.as_str().to_string()),
            pricing,
            quantity: self.quantity.unwrap_or(Quantity::ONE),
            unit_price: given.or(of_catalog.map(Money::amount)),
            unit_name: service.pricing.unit_name.clone(),
            tax_rate: service.tax_rate.clone(),
            duration_minutes: self.duration_minutes.or(service.duration_minutes),
        })
    }
}

/// A price that was agreed for a line, if its pricing lets one be agreed. Only what is flexible may be a discount.
pub(super) async fn agreed_price(price: &Money, pricing: &str, pointer: &str, tx: &mut Tx<'_>) -> Result<i64> {
    let amount = tx.minor_units(price, pointer).await?;
    match pricing {
        "fixed" => Err(Error::invalid(pointer, "must be left out: the service has a fixed price")),
        "per_unit" if amount < 0 => Err(Error::invalid(format!("{pointer}/amount"), "must be at least 0")),
        _ => Ok(amount),
    }
}

/// Puts lines on a ticket, behind those it has; their ids.
pub(super) async fn insert(ticket: Id<Ticket>, lines: &[Line], tx: &mut Tx<'_>) -> Result<Vec<Uuid>> {
    let (org_id, now) = (tx.org_id(), tx.now());
    let ids: Vec<Uuid> = lines.iter().map(|_| tx.new_id::<LineItem>().uuid()).collect();
    let services: Vec<Uuid> = lines.iter().map(|line| line.service_id).collect();
    let descriptions: Vec<String> = lines.iter().map(|line| line.description.clone()).collect();
    let pricings: Vec<String> = lines.iter().map(|line| line.pricing.into()).collect();
    let quantities: Vec<i64> = lines.iter().map(|line| line.quantity.thousandths()).collect();
    let prices: Vec<Option<i64>> = lines.iter().map(|line| line.unit_price).collect();
    let totals: Vec<Option<i64>> =
        lines.iter().map(|line| line.unit_price.map(|price| line.quantity.times(price))).collect();
    let units: Vec<Option<String>> = lines.iter().map(|line| line.unit_name.clone()).collect();
    let rates: Vec<String> = lines.iter().map(|line| line.tax_rate.clone()).collect();
    let durations: Vec<Option<i32>> = lines.iter().map(|line| line.duration_minutes).collect();
    sqlx::query!(
        r#"
        insert into line_items
          (org_id, id, ticket_id, service_id, description, pricing, quantity_thousandths, unit_price_amount, total_amount,
           unit_name, tax_rate, duration_minutes, position, created_at, updated_at)
        select $1, line.id, $2, line.service_id, line.description, line.pricing, line.quantity, line.unit_price, line.total,
               line.unit_name, line.tax_rate::numeric, line.duration, last.position + line.nth, $3, $3
        from unnest($4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::bigint[], $9::bigint[], $10::bigint[], $11::text[],
                    $12::text[], $13::int[]) with ordinality
             as line (id, service_id, description, pricing, quantity, unit_price, total, unit_name, tax_rate, duration, nth)
        cross join (
          select coalesce(max(position), 0) as position from line_items where org_id = $1 and ticket_id = $2
        ) last
        order by line.nth
        "#,
        org_id,
        ticket.uuid(),
        now,
        &ids,
        &services,
        &descriptions,
        &pricings,
        &quantities,
        &prices as _,
        &totals as _,
        &units as _,
        &rates,
        &durations as _
    )
    .execute(tx.db())
    .await?;
    Ok(ids)
}
