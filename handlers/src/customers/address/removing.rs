//! Taking an address off its contact. What took place there keeps it, out of the contact's lists.

use capabilities::{Action, Effect, Id, PermissionClass, Result, Tx, Who};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::load;
use crate::entities::{Address, Contact};

/// Remove a service location.
///
/// Refused while a visit is to take place there; past visits keep it, out of the contact's lists. If it was the primary one, the oldest of the others takes its place.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Remove {
    /// The address to remove.
    pub address_id: Id<Address>,
    /// Refuse if the address is at another version by now.
    pub expected_version: Option<i32>,
}

/// What was removed.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Removed {
    /// The address that is gone.
    id: Uuid,
    /// The contact's primary address now.
    primary_address_id: Option<Uuid>,
}

impl Action for Remove {
    const NAME: &str = "address.remove";
    const EFFECT: Effect = Effect::Destroys;
    const CLASS: PermissionClass = PermissionClass::SoftLimit;
    const WHO: Who = Who::MANAGERS;
    type Output = Removed;

    fn example() -> Value {
        json!({"address_id": "01970000-0000-7000-8000-000000000001"})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<Removed> {
        let address = load(self.address_id, tx).await?;
        tx.lock(Id::<Contact>::from(address.contact_id), None).await?;
        tx.lock(self.address_id, self.expected_version).await?;
        tx.leaving(&[self.address_id]).await?;
        match tx.referrers(self.address_id).await?.is_empty() {
            true => self.delete(tx).await?,
            false => self.keep_out_of_lists(tx).await?,
        }
        let org_id = tx.org_id();
        let primary = sqlx::query_scalar!(
            r#"
            update addresses a
            set is_primary = true
            where a.org_id = $1
              and a.id = (
                select b.id from addresses b
                where b.org_id = $1 and b.contact_id = $2 and b.removed_at is null
                order by b.is_primary desc, b.id
                limit 1
              )
            returning a.id
            "#,
            org_id,
            address.contact_id
        )
        .fetch_optional(tx.db())
        .await?;
        Ok(Removed { id: address.id, primary_address_id: primary })
    }
}

impl Remove {
    async fn delete(&self, tx: &mut Tx<'_>) -> Result<()> {
        let org_id = tx.org_id();
        sqlx::query!("delete from addresses where org_id = $1 and id = $2", org_id, self.address_id.uuid())
            .execute(tx.db())
            .await?;
        Ok(())
    }

    /// Past visits keep the place they were at.
    async fn keep_out_of_lists(&self, tx: &mut Tx<'_>) -> Result<()> {
        let (org_id, now) = (tx.org_id(), tx.now());
        sqlx::query!(
            "update addresses set removed_at = $3, is_primary = false where org_id = $1 and id = $2",
            org_id,
            self.address_id.uuid(),
            now
        )
        .execute(tx.db())
        .await?;
        Ok(())
    }
}
