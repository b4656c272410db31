//! Changing the lines of a ticket, until it is closed.

use capabilities::{Action, Effect, Error, Id, Money, Name, Patch, PermissionClass, Quantity, Result, Text, Tx, Who};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::lines::{LineItemRow, LineItems, NewLineItem, agreed_price, captured, insert};
use super::locking::Locked;
use crate::entities::{LineItem, Ticket};

/// Add something to be done or delivered to a ticket.
///
/// The line captures the service's name, price and tax rate of now: later changes of the catalog do not reach it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddLineItem {
    /// The ticket.
    pub ticket_id: Id<Ticket>,
    /// Refuse if the ticket is at another version by now.
    pub expected_version: Option<i32>,
    /// What is to be done or delivered.
    pub line_item: NewLineItem,
}

impl Action for AddLineItem {
    const NAME: &str = "ticket.add_line_item";
    const EFFECT: Effect = Effect::Adds;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::EVERYONE;
    type Output = LineItemRow;

    fn example() -> Value {
        json!({"line_item": {"quantity": "2.5"}})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<LineItemRow> {
        let ticket = Locked::open(self.ticket_id, self.expected_version, tx).await?;
        let line = captured(vec![self.line_item], |_| "/line_item".into(), tx).await?;
        let ids = insert(self.ticket_id, &line, tx).await?;
        ticket.count_change(tx).await?;
        let id = ids.into_iter().next().unwrap_or_default();
        tx.one::<LineItems>(Id::<LineItem>::from(id)).await
    }
}

/// Change a line of a ticket: what is left out stays, null clears.
///
/// A fixed price is the service's and stays; a flexible one must be set before the ticket is closed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateLineItem {
    /// The line to change.
    pub line_item_id: Id<LineItem>,
    /// Refuse if the line is at another version by now.
    pub expected_version: Option<i32>,
    /// What it says on the bill.
    pub description: Option<Name>,
    /// How much of it, as exact decimal text such as `2.5`.
    pub quantity: Option<Quantity>,
    /// The price of one; null leaves a flexible price open.
    #[serde(default)]
    pub unit_price: Patch<Money>,
    /// Minutes it takes.
    #[serde(default)]
    #[schemars(range(min = 0, max = 10_080))]
    pub duration_minutes: Patch<i32>,
    /// Its place among the lines of the ticket.
    #[schemars(range(min = 1, max = 1_000))]
    pub position: Option<i32>,
}

impl Action for UpdateLineItem {
    const NAME: &str = "ticket.update_line_item";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::EVERYONE;
    type Output = LineItemRow;

    fn example() -> Value {
        json!({"expected_version": 1, "quantity": "14"})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<LineItemRow> {
        let (ticket, line) = lock_line(self.line_item_id, self.expected_version, tx).await?;
        let price = self.price(&line, tx).await?;
        if self.set_columns(&line, price, tx).await? {
            ticket.count_change(tx).await?;
        }
        tx.one::<LineItems>(self.line_item_id).await
    }
}

impl UpdateLineItem {
    /// The price of one from now on.
    async fn price(&self, line: &LineItemRow, tx: &mut Tx<'_>) -> Result<Option<i64>> {
        match self.unit_price.parts() {
            (false, _) => Ok(line.unit_price.as_ref().map(Money::amount)),
            (true, Some(price)) => Ok(Some(agreed_price(price, &line.pricing, "/unit_price", tx).await?)),
            (true, None) if line.pricing == "flexible" => Ok(None),
            (true, None) => Err(Error::invalid("/unit_price", "must be there: only a flexible price may be left open")),
        }
    }

    /// Whether anything changed.
    async fn set_columns(&self, line: &LineItemRow, price: Option<i64>, tx: &mut Tx<'_>) -> Result<bool> {
        let org_id = tx.org_id();
        let quantity = self.quantity.unwrap_or(line.quantity);
        let duration = match self.duration_minutes.parts() {
            (true, minutes) => minutes.copied(),
            (false, _) => line.duration_minutes,
        };
        let changed = sqlx::query!(
            r#"
            update line_items
            set description = $3, quantity_thousandths = $4, unit_price_amount = $5, total_amount = $6,
                duration_minutes = $7, position = $8
            where org_id = $1 and id = $2
              and (description, quantity_thousandths, unit_price_amount, duration_minutes, position)
                  is distinct from ($3, $4, $5, $7, $8)
            "#,
            org_id,
            line.id,
            self.description.as_ref().map_or(line.description.as_str(), Text::as_str),
            quantity.thousandths(),
            price,
            price.map(|price| quantity.times(price)),
            duration,
            self.position.unwrap_or(line.position)
        )
        .execute(tx.db())
        .await?;
        Ok(changed.rows_affected() > 0)
    }
}

/// The line and its ticket, the ticket locked first: everybody who changes it waits there.
async fn lock_line(id: Id<LineItem>, expected_version: Option<i32>, tx: &mut Tx<'_>) -> Result<(Locked, LineItemRow)> {
    let ticket = tx.one::<LineItems>(id).await?.ticket_id;
    let ticket = Locked::open(ticket.into(), None, tx).await?;
    tx.lock(id, expected_version).await?;
    Ok((ticket, tx.one::<LineItems>(id).await?))
}

/// Take a line off a ticket.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RemoveLineItem {
    /// The line to take off.
    pub line_item_id: Id<LineItem>,
    /// Refuse if the line is at another version by now.
    pub expected_version: Option<i32>,
}

/// What was taken off.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Removed {
    /// The line that is gone.
    id: Uuid,
    /// The ticket it was on.
    ticket_id: Uuid,
}

impl Action for RemoveLineItem {
    const NAME: &str = "ticket.remove_line_item";
    const EFFECT: Effect = Effect::Destroys;
    const CLASS: PermissionClass = PermissionClass::Unrestricted;
    const WHO: Who = Who::EVERYONE;
    type Output = Removed;

    async fn run(self, tx: &mut Tx<'_>) -> Result<Removed> {
        let (ticket, line) = lock_line(self.line_item_id, self.expected_version, tx).await?;
        tx.leaving(&[self.line_item_id]).await?;
        let org_id = tx.org_id();
        sqlx::query!("delete from line_items where org_id = $1 and id = $2", org_id, line.id).execute(tx.db()).await?;
        ticket.count_change(tx).await?;
        Ok(Removed { id: line.id, ticket_id: line.ticket_id })
    }
}
