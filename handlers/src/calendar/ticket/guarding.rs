//! What visits that are to take place say when something below them is to leave.

use capabilities::{Error, Id, Result, Tx};
use uuid::Uuid;

use super::listing::Tickets;
use crate::entities::Address;

/// So many visits are named.
const NAMED: i64 = 5;

/// Nobody takes away the place of a visit that is to come.
pub(super) async fn refuse_without_place(addresses: &[Id<Address>], tx: &mut Tx<'_>) -> Result<()> {
    let org_id = tx.org_id();
    let along = tx.leaving_along().to_vec();
    let addresses: Vec<Uuid> = addresses.iter().map(|address| address.uuid()).collect();
    let visits = sqlx::query_scalar!(
        r#"
        select id from tickets
        where org_id = $1 and address_id = any($2) and status in ('scheduled', 'in_progress') and id <> all($4)
        order by starts_at, id
        limit $3
        "#,
        org_id,
        &addresses,
        NAMED,
        &along
    )
    .fetch_all(tx.db())
    .await?;
    if visits.is_empty() {
        return Ok(());
    }
    let visits: Vec<String> =
        tx.these::<Tickets>(&visits).await?.into_iter().map(|ticket| ticket.display_name).collect();
    Err(Error::conflict(
        "ADDRESS_IN_USE",
        format!("Visits are to take place at this address: {}.", visits.join("; ")),
        "Move them to another address first with ticket.update, or cancel them with ticket.cancel.",
    ))
}
