//! The switch that holds every change of every agent.

use capabilities::{Action, Effect, FreeText, PermissionClass, Result, Tx, Who};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{OrgRow, Orgs};

/// Freeze the business: every change by an agent waits for a person until `org.unfreeze`.
///
/// For when something looks wrong and needs a look first. People go on as before.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Freeze {
    /// Why, for the record.
    #[expect(dead_code, reason = "stands in the call log, as the input")]
    pub reason: Option<FreeText>,
}

impl Action for Freeze {
    const NAME: &str = "org.freeze";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::PeopleOnly;
    const WHO: Who = Who::MANAGERS;
    const INSTEAD_OF_UNDO: Option<&str> = Some("Let agents work again with org.unfreeze.");
    type Output = OrgRow;

    fn example() -> Value {
        json!({"reason": "The agent wrote to the wrong customers."})
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<OrgRow> {
        let (org_id, now) = (tx.org_id(), tx.now());
        sqlx::query!("update orgs set frozen_at = coalesce(frozen_at, $2) where org_id = $1 and id = $1", org_id, now)
            .execute(tx.db())
            .await?;
        Orgs::own(tx).await
    }
}

/// End a freeze: agents' changes go through again as their classes say.
///
/// What was held meanwhile goes on waiting for a decision.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unfreeze {}

impl Action for Unfreeze {
    const NAME: &str = "org.unfreeze";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::PeopleOnly;
    const WHO: Who = Who::MANAGERS;
    const INSTEAD_OF_UNDO: Option<&str> = Some("Hold agents again with org.freeze.");
    type Output = OrgRow;

    async fn run(self, tx: &mut Tx<'_>) -> Result<OrgRow> {
        let org_id = tx.org_id();
        sqlx::query!("update orgs set frozen_at = null where org_id = $1 and id = $1", org_id).execute(tx.db()).await?;
        Orgs::own(tx).await
    }
}
