//! A repeat with the same key is answered with the first outcome: the key is claimed in the transaction of the changes,
//! so it is kept exactly when they are.

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::answer::Meta;
use crate::error::{Error, Result};
use crate::office::{Outcome, Prepared};
use crate::registry::ActionEntry;
use crate::schema::{self, SECRET};
use crate::tx::Tx;

fn input_hash(action: &ActionEntry, prepared: &Prepared) -> Vec<u8> {
    let canonical = json!([action.name, prepared.batch, prepared.inputs]);
    Sha256::digest(canonical.to_string()).to_vec()
}

/// Claims the idempotency key, or answers with what the first call with it got. Two calls at once queue here: the
/// second waits for the first to commit. A key older than 30 days is free again.
pub(crate) async fn earlier_outcome(
    tx: &mut Tx<'_>,
    action: &ActionEntry,
    prepared: &Prepared,
) -> Result<Option<Outcome>> {
    let Some(key) = &prepared.key else { return Ok(None) };
    let (org_id, call_id, now, caller) = (tx.org_id(), tx.call_id(), tx.now(), tx.caller().key());
    let hash = input_hash(action, prepared);
    let claimed = sqlx::query_scalar!(
        r#"
        insert into idempotency_keys as k (org_id, caller, key, action, input_hash, call_id, created_at)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (org_id, caller, key) do update
          set action = excluded.action, input_hash = excluded.input_hash, call_id = excluded.call_id,
              created_at = excluded.created_at, outcome = null
          where k.created_at < excluded.created_at - interval '30 days'
        returning call_id
        "#,
        org_id,
        caller,
        key,
        action.name,
        hash,
        call_id,
        now
    )
    .fetch_optional(tx.db())
    .await?;
    if claimed.is_some() {
        return Ok(None);
    }
    let earlier = sqlx::query!(
        "select input_hash, outcome from idempotency_keys where org_id = $1 and caller = $2 and key = $3",
        org_id,
        caller,
        key
    )
    .fetch_one(tx.db())
    .await?;
    if earlier.input_hash != hash {
        return Err(Error::IdempotencyKeyReused);
    }
    let mut stored = earlier.outcome.unwrap_or_default();
    let meta: Meta =
        serde_json::from_value(stored["meta"].take()).map_err(|error| Error::Internal(error.to_string()))?;
    Ok(Some(Outcome { data: stored["data"].take(), meta: Meta { repeated: true, ..meta } }))
}

/// Stores the outcome for repeats, without what is shown once.
pub(crate) async fn keep_outcome(tx: &mut Tx<'_>, action: &ActionEntry, key: &str, outcome: &Outcome) -> Result<()> {
    let mut data = outcome.data.clone();
    schema::each_marked(SECRET, &action.output, &mut data, "", &mut |_, value| *value = "shown_once".into());
    let stored = json!({"data": data, "meta": outcome.meta});
    let (org_id, caller) = (tx.org_id(), tx.caller().key());
    sqlx::query!(
        "update idempotency_keys set outcome = $4 where org_id = $1 and caller = $2 and key = $3",
        org_id,
        caller,
        key,
        stored
    )
    .execute(tx.db())
    .await?;
    Ok(())
}
