//! Deciding what waits. An approval is carried out at once, as the agent's own call inside the transaction of the
//! decision: exactly once, and exactly as it was shown, or not at all.

use std::time::Instant;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::answer::presentable;
use crate::callers::{Actor, Caller, Door, Source, permit};
use crate::error::{Error, Result};
use crate::judge::verdict::ABOVE_RULES;
use crate::policy::Who;
use crate::queue::{Authorization, authorization};
use crate::record::plan::{Plan, plan_in_words};
use crate::tx::call_log::{LogEntry, write_log};
use crate::tx::facts::{ActionFacts, Inputs};
use crate::tx::{InnerCall, Running, Tx};

/// How a request is allowed.
#[derive(Debug, Clone)]
pub enum Allowance {
    /// This one.
    Once,
    /// This one, and from now on what the rule covers.
    Always(RuleTerms),
}

/// What a rule lets through. A condition that is none does not narrow.
#[derive(Debug, Clone)]
pub struct RuleTerms {
    /// Every agent, not only the one that asked.
    pub any_agent: bool,
    /// The escalation reasons it covers; none: those of the request.
    pub reasons: Option<Vec<String>>,
    /// Items per call; the first `None` stands for as many as the request has.
    pub items_per_call: Option<Option<i32>>,
    /// Items per day; the first `None` stands for as many as the request has.
    pub items_per_day: Option<Option<i32>>,
    /// Until when it holds.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A request that is locked for its decision.
struct Held {
    id: Uuid,
    agent_id: Uuid,
    agent_name: String,
    client: Option<String>,
    action: String,
    input: Value,
    is_batch: bool,
    reasoning: String,
    reasons: Value,
    plan_hash: Vec<u8>,
    status: String,
    expires_at: DateTime<Utc>,
    decided_by_name: Option<String>,
    decided_at: Option<DateTime<Utc>>,
}

impl Held {
    fn inputs(&self) -> Vec<Value> {
        match &self.input {
            Value::Array(items) if self.is_batch => items.clone(),
            one => vec![one.clone()],
        }
    }

    fn items(&self) -> i32 {
        self.inputs().len().try_into().unwrap_or(i32::MAX)
    }
}

/// What came of carrying out a request.
enum Execution {
    Done {
        result: Value,
        call_id: Uuid,
    },
    /// The office refused it; what it had done is undone.
    Failed(Error),
    /// It would do something else than what was shown; what it had done is undone.
    Changed(Plan),
    /// A step of it is for these people, and the decider is none of them; what it had done is undone.
    Beyond(Who),
}

impl Tx<'_> {
    /// Allows a request and carries it out. `seen` is the `plan` of the preview that was looked at. If it would no longer do
    /// what was shown, nothing is done: it stays pending with a fresh preview, and the answer is `PLAN_CHANGED`.
    pub async fn allow(
        &mut self,
        id: Uuid,
        allowance: Allowance,
        seen: Option<&str>,
        note: Option<&str>,
    ) -> Result<Authorization> {
        self.only_people()?;
        let held = self.pending(id).await?;
        if seen.is_some_and(|plan| plan != plan_in_words(&held.plan_hash)) {
            return Err(Error::PlanChanged(Box::new(json!(authorization(id, self).await?))));
        }
        let action = self.ground().dispatch.action(&held.action)?;
        permit(self.caller(), action.name, action.class, action.who)?;
        if matches!(allowance, Allowance::Always(_)) && action.each_time {
            let message = format!("`{}` must be decided each time.", action.name);
            return Err(Error::conflict("EACH_TIME", message, "Allow it once with authorization.allow_once."));
        }
        let decision = match &allowance {
            Allowance::Once => "allow_once",
            Allowance::Always(_) => "allow_always",
        };
        match self.execute(action, &held).await? {
            Execution::Done { result, call_id } => {
                let rule = match &allowance {
                    Allowance::Always(terms) => Some(self.make_rule(&held, terms).await?),
                    Allowance::Once => None,
                };
                let executed =
                    Settlement { result: Some(result), call_id: Some(call_id), rule, ..Settlement::default() };
                self.settle(&held, "executed", Some(decision), note, executed).await
            }
            Execution::Failed(error) => {
                self.warn("execution_failed", format!("Allowed, but nothing was done: {}", error.message()), None);
                let failed = Settlement { error: Some(error.to_json()), ..Settlement::default() };
                self.settle(&held, "failed", Some("allow_once"), note, failed).await
            }
            Execution::Beyond(who) => {
                Err(Error::Forbidden(format!("A step of `{}` is for {}.", action.name, who.in_words())))
            }
            Execution::Changed(plan) => {
                self.renew(&held, &plan).await?;
                let fresh = authorization(id, self).await?;
                Err(Error::PlanChanged(Box::new(json!(fresh))))
            }
        }
    }

    /// Denies a request; the agent gets the note word for word.
    pub async fn deny(&mut self, id: Uuid, note: Option<&str>) -> Result<Authorization> {
        self.only_people()?;
        let held = self.pending(id).await?;
        self.settle(&held, "denied", Some("deny"), note, Settlement::default()).await
    }

    /// Takes a request back: only by the agent that made it.
    pub async fn withdraw(&mut self, id: Uuid) -> Result<Authorization> {
        let held = self.pending(id).await?;
        if self.caller().id() != Some(held.agent_id) {
            return Err(Error::Forbidden("Only the agent that asked can withdraw it; deny it instead.".into()));
        }
        self.settle(&held, "withdrawn", None, None, Settlement::default()).await
    }

    /// An automation decides nothing: it could not answer for it.
    fn only_people(&self) -> Result<()> {
        match self.caller().actor() {
            Actor::User { .. } => Ok(()),
            _ => Err(Error::Forbidden("Requests are for people to decide.".into())),
        }
    }

    /// Locks a request that must be waiting still. An agent finds its own only.
    async fn pending(&mut self, id: Uuid) -> Result<Held> {
        let (org_id, now) = (self.org_id(), self.now());
        let own = if self.caller().is_agent() { self.caller().id() } else { None };
        let held = sqlx::query_as!(
            Held,
            r#"
            select id, agent_id, agent_name, client, action, input, is_batch, reasoning, reasons, plan_hash, status,
                   expires_at, decided_by_name, decided_at
            from authorizations
            where org_id = $1 and id = $2 and ($3::uuid is null or agent_id = $3)
            for update
            "#,
            org_id,
            id,
            own
        )
        .fetch_optional(self.db())
        .await?
        .ok_or_else(|| Error::NotFound { what: format!("authorization {id}") })?;
        self.running.authorization_id = Some(id);
        match held.status.as_str() {
            "expired" => Err(expired(&held)),
            "pending" if held.expires_at <= now => Err(expired(&held)),
            "pending" => Ok(held),
            _ => Err(decided_already(&held)),
        }
    }

    /// Runs the request as a call of its own by the agent, up to its line in the call log.
    async fn execute(&mut self, action: ActionFacts, held: &Held) -> Result<Execution> {
        let agent = self.enabled(held).await?;
        let (decision, began) = (self.call_id(), Instant::now());
        let call_id = self.next_id();
        let outer = std::mem::replace(&mut self.running, Running::new(agent, call_id));
        self.command(format!("savepoint execution; {}", set_call(call_id))).await?;
        let ran = self.run_as_shown(action, held, decision, outer.caller.clone()).await;
        let errands = std::mem::take(&mut self.running.errands);
        let warnings = std::mem::take(&mut self.running.warnings);
        self.running = outer;
        match ran {
            Ok(Execution::Done { result, call_id }) => {
                self.command(set_call(decision)).await?;
                self.running.errands.extend(errands);
                self.running.warnings.extend(warnings);
                self.inner_calls.push(InnerCall { id: call_id, action: action.name, took: began.elapsed() });
                Ok(Execution::Done { result, call_id })
            }
            Ok(other) => self.go_back("rollback to savepoint execution").await.map(|()| other),
            Err(error) if error.is_ours() => Err(error),
            Err(error) => {
                self.go_back("rollback to savepoint execution").await?;
                Ok(Execution::Failed(error))
            }
        }
    }

    async fn run_as_shown(
        &mut self,
        action: ActionFacts,
        held: &Held,
        decision: Uuid,
        decider: Caller,
    ) -> Result<Execution> {
        let inputs = held.inputs();
        let (ground, each) = (self.ground(), Inputs { each: &inputs, batch: held.is_batch });
        let result = ground.dispatch.run(action.name, each, self).await?;
        // The steps of a workflow may ask for more than the workflow itself.
        let who = self.running.judgement.who;
        if !decider.is_among(who) {
            return Ok(Execution::Beyond(who));
        }
        let plan = Plan::of(self, &inputs).await?;
        if plan.hash != held.plan_hash {
            return Ok(Execution::Changed(plan));
        }
        self.running.authorization_id = Some(held.id);
        let source = Source::of(Door::Authorization).client(held.client.as_deref());
        let entry = LogEntry {
            input: Some(held.input.clone()),
            reasoning: Some(&held.reasoning),
            reasons: held.reasons.clone(),
            items: held.items(),
            caused_by: Some(decision),
            ..LogEntry::of(action.name, "done")
        };
        write_log(self, &source, entry).await?;
        let result = ground.dispatch.without_secrets(action.name, result);
        Ok(Execution::Done { result: presentable(result, self.org().timezone), call_id: self.call_id() })
    }

    /// The agent as a caller; a disabled one does nothing any more.
    async fn enabled(&mut self, held: &Held) -> Result<Caller> {
        let org_id = self.org_id();
        let disabled = sqlx::query_scalar!(
            r#"select disabled_at is not null as "disabled!" from agents where org_id = $1 and id = $2"#,
            org_id,
            held.agent_id
        )
        .fetch_one(self.db())
        .await?;
        match disabled {
            true => Err(Error::conflict(
                "AGENT_DISABLED",
                format!("The agent {} is disabled, so nothing is carried out for it.", held.agent_name),
                "Deny the request, or enable the agent again.",
            )),
            false => Ok(Caller::new(*self.org(), Actor::Agent { id: held.agent_id, name: held.agent_name.clone() })),
        }
    }

    async fn settle(
        &mut self,
        held: &Held,
        status: &str,
        decision: Option<&str>,
        note: Option<&str>,
        settlement: Settlement,
    ) -> Result<Authorization> {
        let (org_id, call_id, now) = (self.org_id(), self.call_id(), self.now());
        let by = decision.map(|_| (self.caller().id(), self.caller().name().to_string()));
        let (by_id, by_name) = by.unzip();
        sqlx::query!(
            r#"
            update authorizations
            set status = $3, decision = $4, note = $5, decided_by = $6, decided_by_name = $7,
                decided_at = case when $4::text is null then null else $8::timestamptz end, decided_call_id = $9, result = $10,
                error = $11, executed_call_id = $12, rule_id = $13
            where org_id = $1 and id = $2
            "#,
            org_id,
            held.id,
            status,
            decision,
            note,
            by_id.flatten(),
            by_name,
            now,
            call_id,
            settlement.result,
            settlement.error,
            settlement.call_id,
            settlement.rule
        )
        .execute(self.db())
        .await?;
        self.announce(Some(held.id)).await?;
        authorization(held.id, self).await
    }

    /// What the request would do by now, for the next look at it. What was shown until now is kept, so that a page which
    /// still shows it can tell what differs.
    async fn renew(&mut self, held: &Held, plan: &Plan) -> Result<()> {
        let (org_id, timezone, now) = (self.org_id(), self.org().timezone, self.now());
        sqlx::query!(
            r#"
            update authorizations
            set preview = $3, stake = $4, plan_hash = $5, rehearsed_at = $6,
                earlier_previews = earlier_previews || jsonb_build_object(encode(plan_hash, 'hex'), jsonb_build_object(
                  'preview', preview, 'rehearsed_at', coalesce(rehearsed_at, created_at)))
            where org_id = $1 and id = $2
            "#,
            org_id,
            held.id,
            presentable(plan.preview(), timezone),
            json!(plan.stake()),
            plan.hash,
            now
        )
        .execute(self.db())
        .await?;
        self.announce(Some(held.id)).await
    }

    async fn make_rule(&mut self, held: &Held, terms: &RuleTerms) -> Result<Uuid> {
        let codes = held.reasons.as_array().into_iter().flatten().filter_map(|reason| reason["code"].as_str());
        let known: Vec<String> = codes.filter(|code| !ABOVE_RULES.contains(code)).map(Into::into).collect();
        let asked = held.items();
        let (org_id, id, now, caller) = (self.org_id(), self.next_id(), self.now(), self.caller());
        sqlx::query!(
            r#"
            insert into rules
              (org_id, id, agent_id, action, reasons, items_per_call, items_per_day, expires_at, authorization_id,
               created_by, created_by_name, created_at, updated_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)
            "#,
            org_id,
            id,
            Some(held.agent_id).filter(|_| !terms.any_agent),
            held.action,
            terms.reasons.as_ref().unwrap_or(&known),
            terms.items_per_call.unwrap_or(Some(asked)),
            terms.items_per_day.unwrap_or(Some(asked)),
            terms.expires_at,
            held.id,
            caller.id(),
            caller.name(),
            now
        )
        .execute(self.db())
        .await?;
        Ok(id)
    }
}

/// Rows written from now on belong to this call.
fn set_call(call_id: Uuid) -> String {
    format!("set local frontdesk.call_id = '{call_id}'")
}

/// What is written with a decision.
#[derive(Default)]
struct Settlement {
    result: Option<Value>,
    error: Option<Value>,
    call_id: Option<Uuid>,
    rule: Option<Uuid>,
}

fn expired(held: &Held) -> Error {
    Error::Settled {
        code: "AUTHORIZATION_EXPIRED",
        message: format!("This request expired at {}.", held.expires_at.to_rfc3339()),
        hint: "The agent can ask for it again if it is still right.".into(),
    }
}

fn decided_already(held: &Held) -> Error {
    let message = match (&held.decided_by_name, held.decided_at) {
        (Some(who), Some(when)) => format!("It is {} already: {who} decided at {}.", held.status, when.to_rfc3339()),
        _ => format!("It is {} already.", held.status),
    };
    Error::Settled {
        code: "AUTHORIZATION_NOT_PENDING",
        message,
        hint: "Read it with the data type `authorizations`.".into(),
    }
}
