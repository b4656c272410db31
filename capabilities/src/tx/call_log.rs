//! The call log: one line per Call, append-only, written in the transaction of what it records.

use serde_json::Value;
use uuid::Uuid;

use crate::callers::Source;
use crate::error::{Error, Result};
use crate::tx::Tx;
use crate::values::redact::redact;

/// What one line of the call log says beside who, when and by which door.
pub(crate) struct LogEntry<'e> {
    pub action: &'static str,
    pub input: Option<Value>,
    pub reasoning: Option<&'e str>,
    pub outcome: &'static str,
    pub error: Option<&'e Error>,
    pub reasons: Value,
    /// How often the action was carried out, and how strictly the call was judged: what limits are counted from.
    pub items: i32,
    pub gate: Option<&'static str>,
    pub caused_by: Option<Uuid>,
}

impl LogEntry<'_> {
    /// A call of which nothing else is known.
    pub fn of(action: &'static str, outcome: &'static str) -> Self {
        Self {
            action,
            input: None,
            reasoning: None,
            outcome,
            error: None,
            reasons: Value::Null,
            items: 1,
            gate: None,
            caused_by: None,
        }
    }

    /// A call that was done.
    pub fn done(action: &'static str, input: Value) -> Self {
        Self { input: Some(input), ..Self::of(action, "done") }
    }
}

/// Writes the line, once per call, at its end.
pub(crate) async fn write_log(tx: &mut Tx<'_>, source: &Source, entry: LogEntry<'_>) -> Result<()> {
    let (org_id, call_id, now, caller) = (tx.org_id(), tx.call_id(), tx.now(), tx.caller());
    // A pointer names members as the caller spelled them, so it is cleaned like any other text.
    let pointers = |error: &Error| {
        error
            .problems()
            .iter()
            .map(|problem| Value::from(redact(&problem.pointer).text.replace('\0', "\u{fffd}")))
            .collect::<Value>()
    };
    let reasons = Some(entry.reasons).filter(|reasons| reasons.as_array().is_some_and(|list| !list.is_empty()));
    sqlx::query!(
        r#"
        insert into call_log
          (org_id, id, at, caller_kind, caller_id, caller_name, door, client, action, input, reasoning, outcome,
           error_code, problems, reasons, traceparent, items, gate, caused_by, authorization_id, rule_id)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
        "#,
        org_id,
        call_id,
        now,
        caller.kind(),
        caller.id(),
        caller.name(),
        source.door.name(),
        source.client,
        entry.action,
        entry.input,
        entry.reasoning,
        entry.outcome,
        entry.error.map(|error| error.code().name),
        entry.error.map(pointers),
        reasons,
        source.traceparent,
        entry.items,
        entry.gate,
        entry.caused_by.or(source.caused_by),
        tx.running.authorization_id,
        tx.running.rule_id
    )
    .execute(tx.db())
    .await?;
    Ok(())
}
