//! The one path of a Call, and who may walk it.

pub(crate) mod idempotency;
pub(crate) mod moment;
pub(crate) mod reading;
pub(crate) mod system;
pub(crate) mod telemetry;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::sync::watch;
use uuid::Uuid;

use crate::answer::{Answer, Meta, Outcome, Recorded, Warning, presentable};
use crate::callers::kept::Kept;
use crate::callers::{Call, Caller, Input, Source};
use crate::declare::dispatching::run;
use crate::declare::domain::ActionEntry;
use crate::declare::registry::Registry;
use crate::declare::validation::{Prepared, validate};
use crate::error::{Error, Result};
use crate::judge::verdict::{Verdict, judge};
use crate::office::idempotency::{Earlier, earlier_outcome, keep_authorization, keep_outcome, release};
use crate::office::telemetry::Watch;
use crate::policy::PermissionClass;
use crate::queue::{self, Waiting};
use crate::record::plan::Plan;
use crate::tx::call_log::{LogEntry, write_log};
use crate::tx::listen::{Listening, Wakeups};
use crate::tx::{Access, Ground, Tx};
use crate::values::redact;
use crate::world::{Clock, Database, Mail, World};

/// The office: everything it can do, over its database.
pub struct Office {
    pub(crate) ground: Ground,
    pub(crate) registry: Arc<Registry>,
    wakeups: Wakeups,
    pub(crate) more_work: watch::Sender<()>,
}

/// A call on its way: what it asks for, understood.
struct Order<'c> {
    action: &'c ActionEntry,
    prepared: Prepared,
    source: &'c Source,
    meta: Meta,
    watch: &'c Watch,
}

impl Order<'_> {
    /// Its line in the call log.
    fn line(&self, outcome: &'static str, verdict: &Verdict) -> LogEntry<'_> {
        LogEntry {
            input: Some(self.prepared.input()),
            reasoning: self.prepared.reasoning.as_deref(),
            reasons: json!(verdict.reasons),
            items: self.prepared.items(),
            gate: Some(verdict.judged.name()),
            ..LogEntry::of(self.action.name, outcome)
        }
    }
}

impl Office {
    /// An office in this world, whose pages people find at `address`, without a slash at its end.
    #[must_use]
    pub fn new(world: World, registry: impl Into<Arc<Registry>>, address: impl Into<String>) -> Self {
        let registry = registry.into();
        let (address, kept) = (address.into(), Arc::default());
        let ground = Ground { world, address, dispatch: registry.clone(), kept };
        Self { ground, registry, wakeups: Wakeups::default(), more_work: watch::Sender::new(()) }
    }

    /// How it sends its mail.
    #[must_use]
    pub fn mail(&self) -> Option<&Mail> {
        self.ground.world.mail.as_ref()
    }

    /// Where people find its pages, without a slash at the end.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.ground.address
    }

    /// Everything it can do and show.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Its clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.ground.world.clock
    }

    /// Its database.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.ground.world.database
    }

    /// A transaction of its own, for what is no call of a caller: administration, signing in, work.
    pub(crate) async fn begin(&self, caller: &Caller, access: Access) -> Result<Tx<'_>> {
        Tx::begin(&self.ground, caller, access).await
    }

    /// Tells this process's workers that a call left something to do; others find it when they look.
    pub(crate) fn wake_workers(&self) {
        self.more_work.send_replace(());
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
        telemetry::refused(meta.request_id, error);
        Answer::refused(error, meta)
    }

    pub(crate) fn fresh_meta(&self) -> Meta {
        let now = self.clock().now();
        Meta { request_id: self.ground.world.ids.next(now), timestamp: now, ..Meta::default() }
    }

    /// Carries out a call. Whatever comes of it is an answer; what was refused to a known caller is on record.
    pub async fn call(&self, caller: &Caller, mut call: Call) -> Answer {
        let meta = self.fresh_meta();
        let (call_id, now) = (meta.request_id, meta.timestamp);
        let known = self.registry.action(&call.action).ok().map(|action| action.name);
        let watch = Watch::begin(call_id, caller, known, call.source.door);
        // It is parsed where it stands; of a refusal nothing of it is put on record.
        let input = std::mem::replace(&mut call.input, Input::Items(Vec::new()));
        let answer = match self.carry_out(caller, &call, input, meta.clone(), &watch).await {
            Ok(outcome) => {
                watch.called(&call.options, outcome.error.as_ref());
                Answer::of(outcome)
            }
            Err(error) => {
                watch.called(&call.options, Some(&error));
                self.record_refusal(caller, &call, call_id, now, &error).await;
                Answer::refused(&error, meta)
            }
        };
        self.with_news(caller, answer).await
    }

    async fn carry_out(
        &self,
        caller: &Caller,
        call: &Call,
        input: Input,
        meta: Meta,
        watch: &Watch,
    ) -> Result<Outcome> {
        let action = self.registry.action_for(caller, &call.action)?;
        action.permit(caller)?;
        let (prepared, parsed) = validate(action, input, &call.options)?;
        let asked = Order { action, prepared, source: &call.source, meta, watch };
        let prepared = &asked.prepared;
        let mut tx = Tx::open(&self.ground, caller, Access::Write, asked.meta.request_id, asked.meta.timestamp).await?;
        if let Some(earlier) = earlier_outcome(&mut tx, action, prepared).await? {
            return repeat(earlier, tx, asked.meta).await;
        }
        let data = match run(&mut tx, parsed, prepared.batch).await {
            Err(error @ Error::PlanChanged(_)) if !prepared.dry_run => {
                return self.keep_refusal(tx, asked, error).await;
            }
            ran => ran?,
        };
        if prepared.dry_run {
            return preview(tx, &asked, &data).await;
        }
        let verdict = judge(&mut tx, action, prepared.items()).await?;
        if verdict.class >= PermissionClass::SoftLimit && prepared.reasoning.is_none() {
            return Err(Error::ReasoningRequired(verdict.reasons));
        }
        if verdict.class >= PermissionClass::RequiresAuthorization {
            let plan = Plan::of(&mut tx, &prepared.inputs).await?;
            return self.enqueue(tx, asked, &verdict, &plan).await;
        }
        self.record(tx, &asked, &verdict, data).await
    }

    /// Writes what the call leaves beside its rows, and commits.
    async fn record(&self, mut tx: Tx<'_>, asked: &Order<'_>, verdict: &Verdict, data: Value) -> Result<Outcome> {
        let prepared = &asked.prepared;
        record_redactions(&mut tx, asked.action.name, &prepared.redactions).await?;
        let mut outcome = outcome(&tx, data, asked.meta.clone(), prepared);
        if let Some(key) = &prepared.key {
            keep_outcome(&mut tx, asked.action, key, &outcome).await?;
        }
        tx.running.rule_id = verdict.rule_id;
        write_log(&mut tx, asked.source, asked.line("done", verdict)).await?;
        outcome.meta.errands.clone_from(&tx.running.errands);
        let within = std::mem::take(&mut tx.inner_calls);
        tx.commit().await?;
        within.iter().for_each(|inner| asked.watch.called_within(inner));
        if !outcome.meta.errands.is_empty() {
            self.wake_workers();
        }
        Ok(outcome)
    }

    /// Undoes what the run of the call has done, and puts the call into the queue.
    async fn enqueue(&self, mut tx: Tx<'_>, asked: Order<'_>, verdict: &Verdict, plan: &Plan) -> Result<Outcome> {
        let (prepared, action) = (&asked.prepared, asked.action);
        tx.begin_anew().await?;
        // Another call with the same key may have come first meanwhile.
        if let Some(earlier) = earlier_outcome(&mut tx, action, prepared).await? {
            return repeat(earlier, tx, asked.meta).await;
        }
        let held =
            queue::hold(&mut tx, &self.registry, action, asked.source.client.as_deref(), prepared, verdict, plan)
                .await?;
        record_redactions(&mut tx, action.name, &prepared.redactions).await?;
        if let Some(key) = &prepared.key {
            keep_authorization(&mut tx, key, held.id).await?;
        }
        tx.running.authorization_id = Some(held.id);
        write_log(&mut tx, asked.source, asked.line("queued", verdict)).await?;
        let timezone = tx.org().timezone;
        tx.commit().await?;
        let (data, error) = queue::state(&held);
        let meta = Meta { warnings: redacted(prepared).collect(), ..asked.meta.clone() };
        Ok(Outcome { data: presentable(data, timezone), error, meta })
    }

    /// Commits although the answer is a refusal: what the action wrote to say so must stay.
    async fn keep_refusal(&self, mut tx: Tx<'_>, asked: Order<'_>, error: Error) -> Result<Outcome> {
        if let Some(key) = &asked.prepared.key {
            release(&mut tx, key).await?;
        }
        let input = Some(asked.prepared.input());
        let entry = LogEntry { input, error: Some(&error), ..LogEntry::of(asked.action.name, "refused") };
        write_log(&mut tx, asked.source, entry).await?;
        let data = presentable(error.data().unwrap_or_default(), tx.org().timezone);
        tx.commit().await?;
        Ok(Outcome { data, error: Some(error), meta: asked.meta })
    }

    /// The state of a request as its agent reads it: decided with the result or the note, or waiting still.
    pub async fn check_authorization(&self, caller: &Caller, id: Uuid) -> Answer {
        let meta = self.fresh_meta();
        match self.look_up(caller, id, meta.clone()).await {
            Ok(outcome) => Answer::of(outcome),
            Err(error) => self.refuse(&error),
        }
    }

    async fn look_up(&self, caller: &Caller, id: Uuid, meta: Meta) -> Result<Outcome> {
        let mut tx = Tx::open(&self.ground, caller, Access::Write, meta.request_id, meta.timestamp).await?;
        let found = queue::authorization(id, &mut tx).await?;
        if caller.is_agent() && found.decision.is_some() {
            queue::mark_told(id, &mut tx).await?;
        }
        let timezone = tx.org().timezone;
        tx.commit().await?;
        let (data, error) = queue::state(&found);
        Ok(Outcome { data: presentable(data, timezone), error, meta })
    }

    /// What waits for people by now, for one of those who decide.
    pub async fn waiting(&self, caller: &Caller) -> Result<Waiting> {
        self.reading(caller).waiting().await
    }

    /// The preview of a request that one of those who decide looked at before it was renewed, known by its plan: `preview`,
    /// and `rehearsed_at`.
    pub async fn earlier_preview(&self, caller: &Caller, id: Uuid, plan: &str) -> Result<Option<Value>> {
        self.reading(caller).earlier_preview(id, plan).await
    }

    /// What records are called, by data type: for pages that show a change of many. Those without a name, that are not
    /// there any more or that the caller may not read are left out.
    pub async fn names(&self, caller: &Caller, wanted: &BTreeMap<&str, Vec<Uuid>>) -> Result<BTreeMap<Uuid, String>> {
        self.reading(caller).names(wanted).await
    }

    /// Agents read the queue as far as it is theirs; all of it is for people.
    pub(super) fn only_deciders(&self, caller: &Caller) -> Result<()> {
        let entry = self.registry.data_type("authorizations")?;
        match caller.is_agent() || !caller.is_among(entry.who) {
            true => Err(Error::Forbidden(format!("What waits is for {} to decide.", entry.who.in_words()))),
            false => Ok(()),
        }
    }

    /// What is decided from now on, here or in another server.
    pub async fn listen(&self) -> Result<Listening> {
        self.wakeups.listen(self.database(), &self.ground.kept).await
    }

    /// Who called a moment ago. From now on it is heard when that is true no more.
    pub(crate) fn kept(&self) -> &Kept {
        self.wakeups.start(self.database(), &self.ground.kept);
        &self.ground.kept
    }

    /// Adds what people decided about the caller's requests since it last heard.
    pub(crate) async fn with_news(&self, caller: &Caller, mut answer: Answer) -> Answer {
        if !caller.has_news {
            return answer;
        }
        let taken = async {
            let mut tx =
                Tx::open(&self.ground, caller, Access::Note, answer.meta.request_id, answer.meta.timestamp).await?;
            let news = queue::take_news(&mut tx).await?;
            tx.commit().await.map(|()| news)
        };
        match taken.await {
            Ok(news) => answer.meta.decisions_since_last_call = news,
            // It is told with the next answer.
            Err(error) => tracing::warn!("decisions could not be told: {}", error.message()),
        }
        answer
    }

    /// Puts a refusal on record, in a transaction of its own: the code and where, never values.
    async fn record_refusal(&self, caller: &Caller, call: &Call, call_id: Uuid, now: DateTime<Utc>, error: &Error) {
        let out_of_reach = matches!(error, Error::Unavailable { .. } | Error::Unconfirmed { .. });
        if call.options.dry_run || out_of_reach {
            return;
        }
        if let Err(problem) = self.write_refusal(caller, call, call_id, now, error).await {
            tracing::error!(%call_id, code = error.code().name, "a refusal could not be recorded: {}", problem.message());
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
        let mut tx = Tx::open(&self.ground, caller, Access::Note, call_id, now).await?;
        let known = self.registry.action(&call.action).map_or("unknown", |action| action.name);
        let failed = matches!(error, Error::Internal(_));
        let outcome = if failed { "failed" } else { "refused" };
        let entry = LogEntry { error: Some(error), ..LogEntry::of(known, outcome) };
        write_log(&mut tx, &call.source, entry).await?;
        tx.commit().await
    }
}

/// The answer to a repeat: what the first call came to, by now.
async fn repeat(earlier: Earlier, mut tx: Tx<'_>, meta: Meta) -> Result<Outcome> {
    let outcome = match earlier {
        Earlier::Done(outcome) => *outcome,
        Earlier::Held(id) => {
            let (data, error) = queue::state(&queue::authorization(id, &mut tx).await?);
            let data = presentable(data, tx.org().timezone);
            Outcome { data, error, meta: Meta { repeated: true, ..meta } }
        }
    };
    Ok(outcome)
}

/// What the call would do, read from the audit trail of the very run, which is then undone.
async fn preview(mut tx: Tx<'_>, asked: &Order<'_>, data: &Value) -> Result<Outcome> {
    let prepared = &asked.prepared;
    let plan = Plan::of(&mut tx, &prepared.inputs).await?;
    let verdict = judge(&mut tx, asked.action, prepared.items()).await?;
    let timezone = tx.org().timezone;
    let errands = tx.running.errands.iter().map(Recorded::shown).collect::<Value>();
    let shown = json!({
        "would": {
            "changes": plan.changes,
            "errands": errands,
            "permission": verdict.class,
            "reasons": verdict.reasons,
        },
        "result": presentable(data.clone(), timezone),
    });
    let mut outcome = outcome(&tx, shown, Meta { dry_run: true, ..asked.meta.clone() }, prepared);
    outcome.meta.errands.clear();
    Ok(outcome)
}

fn outcome(tx: &Tx<'_>, data: Value, meta: Meta, prepared: &Prepared) -> Outcome {
    let data = if meta.dry_run { data } else { presentable(data, tx.org().timezone) };
    let warnings = tx.running.warnings.iter().cloned().chain(redacted(prepared)).collect();
    Outcome { data, error: None, meta: Meta { warnings, errands: tx.running.errands.clone(), ..meta } }
}

fn redacted(prepared: &Prepared) -> impl Iterator<Item = Warning> {
    prepared.redactions.iter().map(|(pointer, kind)| Warning {
        code: "redacted".into(),
        message: format!(
            "{pointer} held a {} number, which is never stored; it was replaced by [REDACTED].",
            kind.name()
        ),
        about: None,
    })
}

async fn record_redactions(tx: &mut Tx<'_>, action: &str, redactions: &[(String, redact::Finding)]) -> Result<()> {
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
