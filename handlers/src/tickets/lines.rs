//! What is done or delivered on a ticket. A line captures its service's name, price and tax rate when it is added: later
//! changes of the catalog do not reach it.

use std::collections::HashMap;

use capabilities::{Entity, Error, Id, Money, Name, Quantity, Result, Tx};
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::Ticket;
use crate::services::{Service, ServiceRow, Services, Strategy};

/// A line of a ticket.
pub(crate) struct LineItem;

impl Entity for LineItem {
    const NAME: &str = "line item";
    const TABLE: &str = "line_items";
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

/// The lines with what their services say now. `place` is where they stand in the input.
pub(super) async fn captured(items: Vec<NewLineItem>, place: &str, tx: &mut Tx<'_>) -> Result<Vec<Line>> {
    let ids = items.iter().map(|item| item.service_id.uuid()).collect();
    let services: HashMap<Uuid, _> =
        tx.these(Services::default(), ids).await?.into_iter().map(|row| (row.id, row)).collect();
    let mut lines = Vec::with_capacity(items.len());
    for (nth, item) in items.into_iter().enumerate() {
        let service = services.get(&item.service_id.uuid());
        let service = service.ok_or_else(|| Error::not_found::<Service>(item.service_id))?;
        lines.push(item.line(service, &format!("{place}/{nth}"), tx).await?);
    }
    Ok(lines)
}

impl NewLineItem {
    pub(super) async fn line(self, service: &ServiceRow, place: &str, tx: &mut Tx<'_>) -> Result<Line> {
        if !service.active {
            return Err(Error::conflict(
                "SERVICE_ARCHIVED",
                format!("{} is out of the catalog.", service.name),
                "Take another service, or offer it again with service.restore.",
            ));
        }
        let strategy = service.pricing.strategy;
        let given = agreed_price(self.unit_price.as_ref(), strategy, &format!("{place}/unit_price"), tx).await?;
        let of_catalog = service.pricing.price.as_ref().filter(|_| strategy != Strategy::Flexible);
        Ok(Line {
            service_id: service.id,
            description: self.description.map_or_else(|| service.name.clone(), |text| text.as_str().to_string()),
            pricing: strategy.as_str(),
            quantity: self.quantity.unwrap_or(Quantity::ONE),
            unit_price: given.or(of_catalog.map(Money::amount)),
            unit_name: service.pricing.unit_name.clone(),
            tax_rate: service.tax_rate.clone(),
            duration_minutes: self.duration_minutes.or(service.duration_minutes),
        })
    }
}

/// A price that was agreed for a line, if its pricing lets one be agreed. Only what is flexible may be a discount.
pub(super) async fn agreed_price(
    price: Option<&Money>,
    strategy: Strategy,
    pointer: &str,
    tx: &mut Tx<'_>,
) -> Result<Option<i64>> {
    let Some(price) = price else { return Ok(None) };
    let amount = tx.minor_units(price, pointer).await?;
    match strategy {
        Strategy::Fixed => Err(Error::invalid(pointer, "must be left out: the service has a fixed price")),
        Strategy::PerUnit if amount < 0 => Err(Error::invalid(format!("{pointer}/amount"), "must be at least 0")),
        Strategy::PerUnit | Strategy::Flexible => Ok(Some(amount)),
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
