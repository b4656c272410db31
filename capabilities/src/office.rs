//! The one path of a Call, and who may walk it.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::answer::{Answer, Meta, presentable};
use crate::call::{Call, Caller, Input};
use crate::call_log::{LogEntry, write_log};
use crate::error::{Error, Problem, Result};
use crate::gate::Gate;
use crate::history;
use crate::idempotency::{earlier_outcome, keep_outcome};
use crate::redact::{self, redact};
use crate::registry::{ActionEntry, Registry};
use crate::schema::{self, FREE_TEXT};
use crate::tx::{Access, Tx, Warning};
use crate::world::{Clock, Database, Ids};

/// More than this many items of one action are a bulk change; from an agent they are refused until a person can decide.
const ITEMS_OF_AN_AGENT: usize = 5;
const ITEMS_AT_MOST: usize = 500;
const REASONING_LENGTH: usize = 2_000;
const KEY_LENGTH: usize = 200;

/// The office: everything it can do, over its database.
pub struct Office {
    pub(crate) database: Database,
    pub(crate) registry: Registry,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
}

/// A call after validation: what runs, what is logged, what was kept out of it.
pub(crate) struct Prepared {
    pub inputs: Vec<Value>,
    pub batch: bool,
    reasoning: Option<String>,
    pub key: Option<String>,
    dry_run: bool,
    redactions: Vec<(String, redact::Kind)>,
}

impl Prepared {
    fn logged_input(&self) -> Value {
        match (self.batch, self.inputs.as_slice()) {
            (false, [only]) => only.clone(),
            (_, items) => items.into(),
        }
    }
}

/// What came of carrying out: a fresh outcome or the stored one of an earlier call.
pub(crate) struct Outcome {
    pub data: Value,
    pub meta: Meta,
}

impl Office {
    /// An office over a database.
    #[must_use]
    pub fn new(database: Database, registry: Registry, clock: Clock) -> Self {
        Self { database, registry, clock, ids: Ids::default() }
    }

    /// Everything it can do and show.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Its clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Its database.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// An answer that needs no organization: what the program knows of itself.
    #[must_use]
    pub fn state(&self, data: Value) -> Answer {
        Answer::done(data, self.fresh_meta())
    }

    /// The answer to a request that never became a call.
    #[must_use]
    pub fn refuse(&self, error: &Error) -> Answer {
        let meta = self.fresh_meta();
        if let Error::Internal(cause) | Error::Unconfirmed { cause } | Error::Unavailable { cause, .. } = error {
            tracing::error!(request_id = %meta.request_id, cause, "request failed");
        }
        Answer::refused(error, meta)
    }

    pub(crate) fn fresh_meta(&self) -> Meta {
        let now = self.clock.now();
        Meta { request_id: self.ids.next(now), timestamp: now, ..Meta::default() }
    }

    /// Carries out a call. Whatever comes of it is an answer; what was refused to a known caller is on record.
    pub async fn call(&self, caller: &Caller, call: Call) -> Answer {
        let meta = self.fresh_meta();
        let (call_id, now) = (meta.request_id, meta.timestamp);
        match self.carry_out(caller, &call, meta.clone()).await {
            Ok(outcome) => {
                tracing::info!(%call_id, action = call.action, outcome = "done", "call");
                Answer::done(outcome.data, outcome.meta)
            }
            Err(error) => {
                self.record_refusal(caller, &call, call_id, now, &error).await;
                Answer::refused(&error, meta)
            }
        }
    }

    async fn carry_out(&self, caller: &Caller, call: &Call, meta: Meta) -> Result<Outcome> {
        let action = self.registry.action(&call.action)?;
        let prepared = validate(action, call)?;
        permit(caller, action, &prepared)?;
        let mut tx = Tx::open(self, caller, Access::Write, meta.request_id, meta.timestamp).await?;
        if let Some(earlier) = earlier_outcome(&mut tx, action, &prepared).await? {
            tx.roll_back().await?;
            return Ok(earlier);
        }
        let data = run(&mut tx, action, &prepared).await?;
        if prepared.dry_run {
            return preview(tx, &data, meta, &prepared).await;
        }
        judge(&tx, &prepared)?;
        self.record(tx, action, call, prepared, data, meta).await
    }

    /// Writes what the call leaves beside its rows, and commits.
    async fn record(
        &self,
        mut tx: Tx<'_>,
        action: &ActionEntry,
        call: &Call,
        prepared: Prepared,
        data: Value,
        meta: Meta,
    ) -> Result<Outcome> {
        record_redactions(&mut tx, action.name, &prepared.redactions).await?;
        let mut outcome = outcome(&tx, data, meta, &prepared);
        if let Some(key) = &prepared.key {
            keep_outcome(&mut tx, action, key, &outcome).await?;
        }
        let entry = LogEntry {
            action: action.name,
            input: Some(prepared.logged_input()),
            reasoning: prepared.reasoning.as_deref(),
            outcome: "done",
            error: None,
            reasons: json!(tx.judgement.reasons),
        };
        write_log(&mut tx, &call.source, entry).await?;
        outcome.meta.errands.clone_from(&tx.errands);
        tx.commit().await?;
        Ok(outcome)
    }

    /// Puts a refusal on record, in a transaction of its own: the code and where, never values.
    async fn record_refusal(&self, caller: &Caller, call: &Call, call_id: Uuid, now: DateTime<Utc>, error: &Error) {
        let code = error.code().name;
        match error {
            Error::Internal(cause) => tracing::error!(%call_id, action = call.action, cause, "call failed"),
            Error::Unavailable { cause, .. } | Error::Unconfirmed { cause } => {
                tracing::error!(%call_id, action = call.action, cause, "call failed");
                return;
            }
            _ => tracing::info!(%call_id, action = call.action, outcome = "refused", code, "call"),
        }
        if call.options.dry_run {
            return;
        }
        if let Err(problem) = self.write_refusal(caller, call, call_id, now, error).await {
            tracing::error!(%call_id, code, "a refusal could not be recorded: {}", problem.message());
        }
    }

    async fn write_refusal(
        &self,
        caller: &Caller,
        call: &Call,
        call_id: Uuid,
        now: DateTime<Utc>,
        error: &Error,
    ) -> Result<()> {
        let mut tx = Tx::open(self, caller, Access::Write, call_id, now).await?;
        let known = self.registry.action(&call.action).map_or("unknown", |action| action.name);
        let failed = matches!(error, Error::Internal(_));
        let entry = LogEntry {
            action: known,
            input: None,
            reasoning: None,
            outcome: if failed { "failed" } else { "refused" },
            error: Some(error),
            reasons: Value::Null,
        };
        write_log(&mut tx, &call.source, entry).await?;
        tx.commit().await
    }
}

/// Checks everything about a call that needs no database, all problems at once, and takes out what must not be kept.
fn validate(action: &ActionEntry, call: &Call) -> Result<Prepared> {
    let (mut inputs, batch) = match &call.input {
        Input::One(input) => (vec![input.clone()], false),
        Input::Items(items) => (items.clone(), true),
    };
    let mut problems = check_options(call);
    if batch && !(1..=ITEMS_AT_MOST).contains(&inputs.len()) {
        problems.push(Problem::at("/items", format!("must have 1 to {ITEMS_AT_MOST} items")));
    }
    let mut redactions = Vec::new();
    for (index, input) in inputs.iter_mut().enumerate() {
        let prefix = if batch { format!("/items/{index}") } else { "/data".into() };
        let checker = action.input()?;
        *input = schema::whole_numbers(std::mem::take(input));
        schema::each_marked(FREE_TEXT, checker.schema(), input, &prefix, &mut |pointer, value| {
            if let Value::String(text) = value {
                let clean = redact(text);
                redactions.extend(clean.found.iter().map(|kind| (pointer.to_string(), *kind)));
                *value = clean.text.into_owned().into();
            }
        });
        match (action.parse)(checker, input.clone()) {
            Ok(()) => {}
            Err(error) => problems.extend_from_slice(error.under(&prefix).problems()),
        }
    }
    if !problems.is_empty() {
        return Err(Error::InvalidInput(problems));
    }
    let reasoning = call.options.reasoning.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(|text| {
        let clean = redact(text);
        redactions.extend(clean.found.iter().map(|kind| ("/reasoning".to_string(), *kind)));
        clean.text.into_owned()
    });
    let key = call.options.idempotency_key.clone().filter(|_| !call.options.dry_run);
    Ok(Prepared { inputs, batch, reasoning, key, dry_run: call.options.dry_run, redactions })
}

fn check_options(call: &Call) -> Vec<Problem> {
    let texts = [
        ("/reasoning", &call.options.reasoning, REASONING_LENGTH),
        ("/idempotency_key", &call.options.idempotency_key, KEY_LENGTH),
    ];
    let mut problems = Vec::new();
    for (pointer, text, most) in texts {
        let Some(text) = text else { continue };
        if text.chars().count() > most {
            problems.push(Problem::at(pointer, format!("has more than {most} characters")));
        }
        if text.contains('\0') {
            problems.push(Problem::at(pointer, "contains a NUL character, which cannot be stored"));
        }
    }
    if call.options.idempotency_key.as_deref().is_some_and(|key| key.trim().is_empty()) {
        problems.push(Problem::at("/idempotency_key", "must not be empty"));
    }
    if call.options.idempotency_key.as_deref().is_some_and(|key| !redact(key).found.is_empty()) {
        problems.push(Problem::at("/idempotency_key", "must not contain a card or social security number"));
    }
    problems
}

fn permit(caller: &Caller, action: &ActionEntry, prepared: &Prepared) -> Result<()> {
    action.permit(caller)?;
    if caller.is_agent() && prepared.inputs.len() > ITEMS_OF_AN_AGENT {
        return Err(Error::invalid(
            "/items",
            format!("has more than {ITEMS_OF_AN_AGENT} items, the most an agent may change in one call"),
        ));
    }
    Ok(())
}

async fn run(tx: &mut Tx<'_>, action: &ActionEntry, prepared: &Prepared) -> Result<Value> {
    let mut results = Vec::with_capacity(prepared.inputs.len());
    for (index, input) in prepared.inputs.iter().enumerate() {
        let prefix = if prepared.batch { format!("/items/{index}") } else { "/data".into() };
        results.push((action.run)(input.clone(), tx).await.map_err(|error| error.under(&prefix))?);
    }
    Ok(match (prepared.batch, results.pop()) {
        (false, Some(only)) => only,
        (_, last) => results.into_iter().chain(last).collect(),
    })
}

/// Agents give a reasoning for what is more than unrestricted, judged by what the run really did.
fn judge(tx: &Tx<'_>, prepared: &Prepared) -> Result<()> {
    let needs_reasoning = tx.caller().is_agent() && tx.judgement.gate >= Gate::SoftLimit;
    match needs_reasoning && prepared.reasoning.is_none() {
        true => Err(Error::ReasoningRequired(tx.judgement.reasons.clone())),
        false => Ok(()),
    }
}

/// What the call would do, read from the audit trail of the very run, which is then undone.
async fn preview(mut tx: Tx<'_>, data: &Value, meta: Meta, prepared: &Prepared) -> Result<Outcome> {
    let changes = history::changes_of_call(&mut tx).await?;
    let timezone = tx.org().timezone;
    let shown = json!({
        "would": {
            "changes": changes,
            "errands": tx.errands.iter().map(|errand| json!({"kind": errand.kind, "summary": errand.summary})).collect::<Value>(),
            "permission": tx.judgement.gate,
            "reasons": tx.judgement.reasons,
        },
        "result": presentable(data.clone(), timezone),
    });
    let mut outcome = outcome(&tx, shown, Meta { dry_run: true, ..meta }, prepared);
    outcome.meta.errands.clear();
    tx.roll_back().await?;
    Ok(outcome)
}

fn outcome(tx: &Tx<'_>, data: Value, meta: Meta, prepared: &Prepared) -> Outcome {
    let redacted = prepared.redactions.iter().map(|(pointer, kind)| Warning {
        code: "redacted".into(),
        message: format!(
            "{pointer} held a {} number, which is never stored; it was replaced by [REDACTED].",
            kind.name()
        ),
        about: None,
    });
    let warnings = tx.warnings.iter().cloned().chain(redacted).collect();
    let data = if meta.dry_run { data } else { presentable(data, tx.org().timezone) };
    Outcome { data, meta: Meta { warnings, errands: tx.errands.clone(), ..meta } }
}

async fn record_redactions(tx: &mut Tx<'_>, action: &str, redactions: &[(String, redact::Kind)]) -> Result<()> {
    let (org_id, call_id, now) = (tx.org_id(), tx.call_id(), tx.now());
    for (field, kind) in redactions {
        let id = tx.next_id();
        sqlx::query!(
            r#"
            insert into security_events (org_id, id, call_id, at, kind, action, field)
            values ($1, $2, $3, $4, $5, $6, $7)
            "#,
            org_id,
            id,
            call_id,
            now,
            format!("{}_redacted", kind.name()),
            action,
            field
        )
        .execute(tx.db())
        .await?;
    }
    Ok(())
}
