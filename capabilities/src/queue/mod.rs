//! The authorization queue: what agents asked for, shown to people and answered to the agent.

pub(crate) mod backtest;
pub(crate) mod decisions;
pub(crate) mod notices;
pub(crate) mod summary;
pub(crate) mod surroundings;

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use sqlx::types::Json;
use uuid::Uuid;

use crate::answer::{News, presentable};
use crate::declare::data::{Key, Keyed, Listing, Query};
use crate::error::{Error, Result};
use crate::policy::Reason;

use crate::declare::domain::ActionEntry;
use crate::declare::registry::Registry;
use crate::declare::validation::Prepared;
use crate::judge::verdict::Verdict;
use crate::record::plan::{Plan, Stake, plan_in_words};
use crate::tx::Tx;

/// How long a request waits for a decision.
const WAITS: TimeDelta = TimeDelta::hours(72);
/// So that a bad request cannot be buried under good ones.
const PENDING_AT_MOST: i64 = 25;
/// How many decisions one answer tells of.
const TOLD_AT_ONCE: i64 = 10;

/// A request of an agent, and what became of it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Authorization {
    /// The authorization.
    pub id: Uuid,
    /// pending, executed, failed, denied, expired or withdrawn.
    pub status: String,
    /// What the agent wants to do, in a few words.
    pub summary: String,
    /// Whose request it is.
    pub agent: String,
    /// The agent.
    pub agent_id: Uuid,
    /// The agent's client, as it states itself.
    pub client: Option<String>,
    /// The action.
    pub action: String,
    /// Why it waits.
    pub reasons: Vec<Reason>,
    /// How much it would touch.
    pub stake: Stake,
    /// Why the agent wants it, in its own words.
    pub reasoning: String,
    /// Where a person decides.
    pub review_url: String,
    /// When it was asked for, UTC.
    pub created_at: DateTime<Utc>,
    /// Until when it can be decided, UTC.
    pub expires_at: DateTime<Utc>,
    /// allow_once, allow_always or deny.
    pub decision: Option<String>,
    /// What the person who decided wants the agent to know.
    pub note: Option<String>,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When, UTC.
    pub decided_at: Option<DateTime<Utc>>,
    /// The rule that was made of it.
    pub rule_id: Option<Uuid>,
    /// The call that carried it out: what `audit.undo` takes back.
    pub executed_call_id: Option<Uuid>,
    /// Who undid it.
    pub undone_by: Option<String>,
    /// When it was undone, UTC.
    pub undone_at: Option<DateTime<Utc>>,
    /// What the action was asked to work on, an entry per item. Only of one record.
    pub input: Option<Vec<Map<String, Value>>>,
    /// What it would change and cause, as the last rehearsal showed it. Only of one record.
    pub preview: Option<Map<String, Value>>,
    /// What stands for exactly this preview: give it with a decision, and a preview that was renewed meanwhile is not
    /// approved unseen. Only of one record.
    pub plan: Option<String>,
    /// When this preview was made, UTC. Only of one record.
    pub rehearsed_at: Option<DateTime<Utc>>,
    /// What the action answered with when it was carried out, an entry per item. Only of one record.
    pub result: Option<Vec<Map<String, Value>>>,
    /// Why it failed when it was carried out. Only of one record.
    pub error: Option<Map<String, Value>>,
}

/// Which authorizations to show.
#[derive(Debug, Default)]
pub struct AuthorizationQuery {
    /// Those with this status.
    pub status: Option<String>,
    /// Those that wait, or those that no longer do.
    pub waiting: Option<bool>,
    /// Those that people decided like this.
    pub decision: Option<String>,
    /// Those of this agent. An agent sees its own only.
    pub agent_id: Option<Uuid>,
    /// Those for this action.
    pub action: Option<String>,
    /// Asked for from this time on.
    pub from: Option<DateTime<Utc>>,
    /// Asked for before this time.
    pub to: Option<DateTime<Utc>>,
}

/// A row as it is stored; what belongs to one record only is absent in a list.
struct Stored {
    id: Uuid,
    agent_id: Uuid,
    agent_name: String,
    client: Option<String>,
    action: String,
    input: Option<Value>,
    is_batch: bool,
    summary: String,
    reasoning: String,
    reasons: Json<Vec<Reason>>,
    stake: Json<Stake>,
    preview: Option<Value>,
    plan_hash: Option<Vec<u8>>,
    status: String,
    expires_at: DateTime<Utc>,
    decision: Option<String>,
    note: Option<String>,
    decided_by_name: Option<String>,
    decided_at: Option<DateTime<Utc>>,
    rule_id: Option<Uuid>,
    result: Option<Value>,
    error: Option<Value>,
    executed_call_id: Option<Uuid>,
    undone_by: Option<String>,
    undone_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    rehearsed_at: Option<DateTime<Utc>>,
}

impl Stored {
    fn shown(self, review_url: String) -> Authorization {
        Authorization {
            id: self.id,
            status: self.status,
            summary: self.summary,
            agent: self.agent_name,
            agent_id: self.agent_id,
            client: self.client,
            action: self.action,
            reasons: self.reasons.0,
            stake: self.stake.0,
            reasoning: self.reasoning,
            review_url,
            created_at: self.created_at,
            expires_at: self.expires_at,
            decision: self.decision,
            note: self.note,
            decided_by: self.decided_by_name,
            decided_at: self.decided_at,
            rule_id: self.rule_id,
            executed_call_id: self.executed_call_id,
            undone_by: self.undone_by,
            undone_at: self.undone_at,
            input: self.input.map(|input| entries(input, self.is_batch)),
            preview: self.preview.and_then(members),
            plan: self.plan_hash.as_deref().map(plan_in_words),
            rehearsed_at: self.rehearsed_at,
            result: self.result.map(|result| entries(result, self.is_batch)),
            error: self.error.and_then(members),
        }
    }
}

fn members(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

fn entries(value: Value, is_batch: bool) -> Vec<Map<String, Value>> {
    match value {
        Value::Array(items) if is_batch => items.into_iter().filter_map(members).collect(),
        one => members(one).into_iter().collect(),
    }
}

impl AuthorizationQuery {
    crate::listing! {
        |asked, tx| {
            let (now, agent_id) = (tx.now(), whose(tx).or(asked.agent_id));
        }
        Authorization from Stored by shown,
        select r#"
            a.id, a.agent_id, a.agent_name, a.client, a.action, a.is_batch, a.summary, a.reasoning,
            a.reasons as "reasons: Json<Vec<Reason>>", a.stake as "stake: Json<Stake>",
            case when a.status = 'pending' and a.expires_at <= frontdesk.call_time() then 'expired' else a.status end
              as "status!",
            a.expires_at, a.decision, a.note, a.decided_by_name, a.decided_at, a.rule_id, a.executed_call_id,
            u.caller_name as "undone_by?", u.at as "undone_at?", a.created_at,
            case when $2 is not null then a.input end as input, case when $2 is not null then a.preview end as preview,
            case when $2 is not null then a.plan_hash end as plan_hash,
            case when $2 is not null then coalesce(a.rehearsed_at, a.created_at) end as rehearsed_at,
            case when $2 is not null then a.result end as result, case when $2 is not null then a.error end as error"#
        from "authorizations" as "a" with "left join call_log u on u.org_id = $1 and u.id = frontdesk.undone_by(a.executed_call_id)",
        newest first,
        where r#"
            and ($7::text is null
                 or $7 = 'expired' and (status = 'expired' or status = 'pending' and expires_at <= $6)
                 or status = $7 and (status <> 'pending' or expires_at > $6))
            and ($8::uuid is null or agent_id = $8)
            and ($9::text is null or action = $9)
            and ($10::timestamptz is null or created_at >= $10)
            and ($11::timestamptz is null or created_at < $11)
            and ($12::boolean is null or $12 = (status = 'pending' and expires_at > $6))
            and ($13::text is null or decision = $13)"#
            [now, asked.status, agent_id, asked.action, asked.from, asked.to, asked.waiting, asked.decision]
    }
}

/// Whose requests are all that the caller sees: an agent its own, and nobody else's.
fn whose(tx: &Tx<'_>) -> Option<Uuid> {
    tx.caller().id().filter(|_| tx.caller().is_agent())
}

async fn shown(stored: Vec<Stored>, tx: &mut Tx<'_>) -> Result<Vec<Keyed<Authorization>>> {
    let own = whose(tx);
    let seen = stored.into_iter().filter(|row| own.is_none_or(|agent| row.agent_id == agent));
    let keyed = seen.map(|row| {
        let (key, url) = (Key::of(row.id), tx.ground().review_url(row.id));
        Keyed { key, row: row.shown(url) }
    });
    Ok(keyed.collect())
}

/// The authorizations that match, newest first.
pub async fn authorizations(
    question: AuthorizationQuery,
    query: Query,
    tx: &mut Tx<'_>,
) -> Result<Listing<Authorization>> {
    question.list(query, tx).await
}

/// Authorizations with everything about them.
pub async fn authorizations_by_ids(ids: &[Uuid], tx: &mut Tx<'_>) -> Result<Vec<Authorization>> {
    AuthorizationQuery::by_ids(ids, tx).await
}

/// One authorization with everything about it.
pub(crate) async fn authorization(id: Uuid, tx: &mut Tx<'_>) -> Result<Authorization> {
    let found = authorizations_by_ids(&[id], tx).await?.pop();
    found.ok_or_else(|| Error::NotFound { what: format!("authorization {id}") })
}

/// What waits in an organization, to tell whether pages that show it are out of date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// How many requests.
    pub count: i64,
    /// Changes whenever a request comes, changes or goes, and with the freeze.
    pub mark: String,
}

impl Waiting {
    fn of(count: i64, requests: i64, frozen_at: Option<DateTime<Utc>>) -> Self {
        let frozen = frozen_at.map_or(0, |at| at.timestamp_micros());
        Self { count, mark: format!("{requests:x}-{frozen:x}") }
    }
}

/// What waits by now.
pub(crate) async fn waiting(tx: &mut Tx<'_>) -> Result<Waiting> {
    let (org_id, now) = (tx.org_id(), tx.now());
    let found = sqlx::query!(
        r#"
        select count(*) as "count!",
               coalesce(bit_xor(hashtextextended(id::text || encode(plan_hash, 'hex'), 0)), 0) as "requests!",
               (select frozen_at from orgs where org_id = $1 and id = $1) as frozen_at
        from authorizations
        where org_id = $1 and status = 'pending' and expires_at > $2
        "#,
        org_id,
        now
    )
    .fetch_one(tx.db())
    .await?;
    Ok(Waiting::of(found.count, found.requests, found.frozen_at))
}

/// The preview of a request that somebody looked at before it was renewed, by its plan.
pub(crate) async fn earlier_preview(id: Uuid, plan: &str, tx: &mut Tx<'_>) -> Result<Option<Value>> {
    let org_id = tx.org_id();
    let found = sqlx::query_scalar!(
        "select earlier_previews -> $3 from authorizations where org_id = $1 and id = $2",
        org_id,
        id,
        plan
    );
    Ok(found.fetch_optional(tx.db()).await?.flatten())
}

/// Puts a request into the queue. The same request that waits already is returned instead.
pub(crate) async fn hold(
    tx: &mut Tx<'_>,
    registry: &Registry,
    action: &ActionEntry,
    client: Option<&str>,
    prepared: &Prepared,
    verdict: &Verdict,
    plan: &Plan,
) -> Result<Authorization> {
    let hash = Sha256::digest(json!([prepared.batch, prepared.inputs]).to_string()).to_vec();
    let (waiting, pending) = look(tx, action, &hash).await?;
    if let Some(id) = waiting {
        return authorization(id, tx).await;
    }
    if pending >= PENDING_AT_MOST {
        return Err(Error::QueueFull { most: PENDING_AT_MOST });
    }
    let id = tx.next_id();
    let summary = summary::of_call(tx, registry, action, &prepared.inputs).await?;
    let (org_id, call_id, now, caller) = (tx.org_id(), tx.call_id(), tx.now(), tx.caller());
    sqlx::query!(
        r#"
        insert into authorizations
          (org_id, id, agent_id, agent_name, client, action, input, is_batch, input_hash, summary, reasoning, reasons,
           stake, preview, plan_hash, expires_at, asked_call_id, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
        "#,
        org_id,
        id,
        caller.id(),
        caller.name(),
        client,
        action.name,
        prepared.input(),
        prepared.batch,
        hash,
        summary,
        prepared.reasoning.as_deref().unwrap_or_default(),
        json!(verdict.reasons),
        json!(plan.stake()),
        presentable(plan.preview(), tx.org().timezone),
        plan.hash,
        now + WAITS,
        call_id,
        now
    )
    .execute(tx.db())
    .await?;
    tx.announce(Some(id)).await?;
    notices::give_notice(tx).await?;
    authorization(id, tx).await
}

/// The same request that waits, and how many of this agent do. The agent's row is locked, so that two requests at once
/// are seen one after the other; what expired is marked as that, so that it can be asked for anew.
async fn look(tx: &mut Tx<'_>, action: &ActionEntry, hash: &[u8]) -> Result<(Option<Uuid>, i64)> {
    let (org_id, now, agent) = (tx.org_id(), tx.now(), tx.caller().id());
    sqlx::query!("select id from agents where org_id = $1 and id = $2 for no key update", org_id, agent)
        .fetch_optional(tx.db())
        .await?;
    sqlx::query!(
        r#"
        update authorizations
        set status = 'expired'
        where org_id = $1 and agent_id = $2 and status = 'pending' and expires_at <= $3
        "#,
        org_id,
        agent,
        now
    )
    .execute(tx.db())
    .await?;
    let found = sqlx::query!(
        r#"
        select count(*) as "pending!", (array_agg(id) filter (where action = $3 and input_hash = $4))[1] as waiting
        from authorizations
        where org_id = $1 and agent_id = $2 and status = 'pending'
        "#,
        org_id,
        agent,
        action.name,
        hash
    )
    .fetch_one(tx.db())
    .await?;
    Ok((found.waiting, found.pending))
}

/// What an agent reads of a request: done with its result, waiting, or refused for good.
pub(crate) fn state(authorization: &Authorization) -> (Value, Option<Error>) {
    let mut data = json!({
        "authorization_id": authorization.id,
        "status": authorization.status,
        "summary": authorization.summary,
        "review_url": authorization.review_url,
        "expires_at": authorization.expires_at,
        "reasons": authorization.reasons,
        "decision": authorization.decision,
        "note": authorization.note,
        "decided_by": authorization.decided_by,
        "decided_at": authorization.decided_at,
    });
    let settled = |code: &'static str, message: String, hint: &str| {
        let message = match &authorization.note {
            Some(note) => format!("{message} Their note: {note}"),
            None => message,
        };
        Some(Error::Settled { code, message, hint: hint.into() })
    };
    let who = authorization.decided_by.as_deref().unwrap_or("A person");
    let summary = &authorization.summary;
    let error = match authorization.status.as_str() {
        "executed" => {
            data["result"] = json!(authorization.result);
            None
        }
        "pending" => {
            data["status"] = "pending_authorization".into();
            data["next"] = NEXT.into();
            Some(Error::AuthorizationPending { summary: summary.clone() })
        }
        "failed" => {
            data["cause"] = json!(authorization.error);
            let message = format!("{who} allowed it, but it could not be carried out; nothing was changed.");
            settled("AUTHORIZATION_FAILED", message, "`cause` says why; ask anew when that is mended.")
        }
        "denied" => {
            let hint = "Do not ask for the same again; tell whoever you work for, and go by the note.";
            settled("AUTHORIZATION_DENIED", format!("{who} denied it: {summary}."), hint)
        }
        "expired" => {
            let message = format!("Nobody decided in time: {summary}.");
            settled("AUTHORIZATION_EXPIRED", message, "Ask for it again if it is still right.")
        }
        _ => settled("AUTHORIZATION_WITHDRAWN", format!("It was withdrawn: {summary}."), "Ask for it again if needed."),
    };
    (data, error)
}

const NEXT: &str = "Say that this waits for a person, with the review_url; go on with other work; learn of the decision \
with check_authorization. Do not repeat the action.";

/// The decisions that the calling agent has not heard of yet, oldest first; it has heard of them then.
pub(crate) async fn take_news(tx: &mut Tx<'_>) -> Result<Vec<News>> {
    let (org_id, now, agent) = (tx.org_id(), tx.now(), tx.caller().id());
    Ok(sqlx::query_as!(
        News,
        r#"
        with told as (
          update authorizations
          set told_at = $3
          where org_id = $1 and told_at is null and id in (
            select id from authorizations
            where org_id = $1 and agent_id = $2 and told_at is null and decision is not null
            order by decided_at, id
            limit $4
          )
          returning id, status, summary, note, decided_by_name, decided_at
        )
        select id as "authorization_id!", status as "status!", summary as "summary!", note, decided_by_name as decided_by
        from told
        order by decided_at, id
        "#,
        org_id,
        agent,
        now,
        TOLD_AT_ONCE
    )
    .fetch_all(tx.db())
    .await?)
}

/// The agent has heard of this decision by asking for it.
pub(crate) async fn mark_told(id: Uuid, tx: &mut Tx<'_>) -> Result<()> {
    let (org_id, now) = (tx.org_id(), tx.now());
    sqlx::query!(
        "update authorizations set told_at = $3 where org_id = $1 and id = $2 and decision is not null and told_at is null",
        org_id,
        id,
        now
    )
    .execute(tx.db())
    .await?;
    Ok(())
}
