//! A repeat with the same key is answered with the first outcome: the key is claimed in the transaction of the changes,
//! so it is kept exactly when they are.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::answer::{Meta, Outcome};
use crate::declare::domain::ActionEntry;
use crate::declare::validation::Prepared;
use crate::error::{Error, Result};
use crate::tx::Tx;

/// What the first call with a key came to.
pub(crate) enum Earlier {
    Done(Box<Outcome>),
    /// It was put into the queue.
    Held(Uuid),
}

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
) -> Result<Option<Earlier>> {
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
    if let Some(id) = stored["authorization_id"].as_str().and_then(|id| id.parse().ok()) {
        return Ok(Some(Earlier::Held(id)));
    }
    let meta: Meta =
        serde_json::from_value(stored["meta"].take()).map_err(|error| Error::Internal(error.to_string()))?;
    let outcome = Outcome { data: stored["data"].take(), error: None, meta: Meta { repeated: true, ..meta } };
    Ok(Some(Earlier::Done(Box::new(outcome))))
}

/// Stores the outcome for repeats, without what is shown once.
pub(crate) async fn keep_outcome(tx: &mut Tx<'_>, action: &ActionEntry, key: &str, outcome: &Outcome) -> Result<()> {
    let stored = json!({"data": action.without_secrets(outcome.data.clone()), "meta": outcome.meta});
    store(tx, key, stored).await
}

/// Frees a key whose call was refused: only what was done, or waits, is kept for repeats.
pub(crate) async fn release(tx: &mut Tx<'_>, key: &str) -> Result<()> {
    let (org_id, caller) = (tx.org_id(), tx.caller().key());
    sqlx::query!("delete from idempotency_keys where org_id = $1 and caller = $2 and key = $3", org_id, caller, key)
        .execute(tx.db())
        .await?;
    Ok(())
}

/// Stores that a request came of it: a repeat is answered with what became of that.
pub(crate) async fn keep_authorization(tx: &mut Tx<'_>, key: &str, id: Uuid) -> Result<()> {
    store(tx, key, json!({"authorization_id": id})).await
}

async fn store(tx: &mut Tx<'_>, key: &str, stored: Value) -> Result<()> {
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
