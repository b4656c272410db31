//! What a rule would have let through, had it been there: the requests of the past are judged again with it, by the code
//! that judges calls. And how often a rule was used since it is there.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::judge::budgets::day_of;
use crate::judge::verdict::{Case, Rule};
use crate::policy::{PermissionClass, Reason};
use crate::queue::authorization;
use crate::tx::Tx;
use crate::tx::facts::ActionFacts;

/// How far a trial looks back.
const LOOKS_BACK: TimeDelta = TimeDelta::days(90);
/// How many requests it judges for one rule, the newest ones,
const JUDGED: i64 = 1_000;
/// and for all rules that are tried at once.
const JUDGED_IN_ALL: i64 = 5_000;
/// So many of the requests that would have gone through are named.
const NAMED: usize = 25;

/// What a rule lets through, whether it is there or only thought of. What is none does not narrow.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The rule, or the request that one is thought of for.
    pub id: Uuid,
    /// The action.
    pub action: String,
    /// Whom it is for.
    pub agent_id: Option<Uuid>,
    /// The reasons it covers.
    pub reasons: Vec<String>,
    /// Items in one call at most.
    pub items_per_call: Option<i32>,
    /// Items in one day of the organization at most.
    pub items_per_day: Option<i32>,
}

/// A request that would have gone through.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CoveredRequest {
    /// The request.
    pub authorization_id: Uuid,
    /// What it was, in a few words.
    pub summary: String,
    /// Whose it was.
    pub agent: String,
    /// What became of it: pending, executed, failed, denied, expired or withdrawn.
    pub status: String,
    /// When it was asked for, UTC.
    pub created_at: DateTime<Utc>,
}

/// How much of what was asked for a rule would have let through.
#[derive(Debug)]
pub struct Coverage {
    /// From when on requests were looked at.
    pub since: DateTime<Utc>,
    /// How many requests for its action those made for whom it is.
    pub requests: i64,
    /// Whether there were older ones in that time that were not looked at.
    pub cut: bool,
    /// How many of them it would have let through.
    pub covered: i64,
    /// How many of those people had denied.
    pub denied: i64,
    /// The newest of those it would have let through.
    pub newest: Vec<CoveredRequest>,
}

/// How often a rule let something through.
#[derive(Debug, Clone, Copy, Default)]
pub struct RuleUse {
    /// Items on this day of the organization.
    pub today: i64,
    /// When it did for the last time.
    pub last: Option<DateTime<Utc>>,
}

/// A request as a trial needs it.
struct Past {
    nth: i64,
    id: Uuid,
    agent_name: String,
    summary: String,
    status: String,
    reasons: Json<Vec<Reason>>,
    items: i64,
    gate: Option<String>,
    overrides: Json<BTreeMap<String, PermissionClass>>,
    created_at: DateTime<Utc>,
}

impl Past {
    /// How strict its call was judged; a request whose call is not on record was one for a person.
    fn judged(&self) -> PermissionClass {
        let class = |name: &String| serde_json::from_value(name.as_str().into()).ok();
        self.gate.as_ref().and_then(class).unwrap_or(PermissionClass::RequiresAuthorization)
    }

    fn shown(&self) -> CoveredRequest {
        CoveredRequest {
            authorization_id: self.id,
            summary: self.summary.clone(),
            agent: self.agent_name.clone(),
            status: self.status.clone(),
            created_at: self.created_at,
        }
    }
}

/// The place of the rule that a request is judged for.
fn place(request: &Past) -> usize {
    usize::try_from(request.nth - 1).unwrap_or_default()
}

/// Judges requests, the oldest first, as if the rule had been there. With each comes what the rule really let through on
/// that day before it. An action that is gone lets nothing through.
fn tried(action: Option<ActionFacts>, terms: &Terms, requests: &[(Past, i64)], timezone: Tz) -> Coverage {
    let mut let_through: HashMap<DateTime<Utc>, i64> = HashMap::new();
    let mut goes_through = |request: &Past, used: i64| {
        let Some(action) = action else { return false };
        let today = let_through.entry(day_of(request.created_at, timezone).0).or_default();
        let rule = Rule {
            id: terms.id,
            reasons: terms.reasons.clone(),
            items_per_call: terms.items_per_call.map(i64::from),
            items_per_day: terms.items_per_day.map(i64::from),
            used_today: used + *today,
        };
        let reasons = request.reasons.0.clone();
        let case = Case::of_request(action, request.judged(), reasons, request.items, &request.overrides.0);
        let verdict = case.settle(&[rule]);
        let through = verdict.rule_id.is_some() && verdict.class == PermissionClass::Unrestricted;
        *today += if through { request.items } else { 0 };
        through
    };
    let covered: Vec<&Past> =
        requests.iter().filter(|(request, used)| goes_through(request, *used)).map(|(request, _)| request).collect();
    Coverage {
        since: DateTime::UNIX_EPOCH,
        requests: requests.len() as i64,
        cut: false,
        covered: covered.len() as i64,
        denied: covered.iter().filter(|request| request.status == "denied").count() as i64,
        newest: covered.iter().rev().take(NAMED).map(|request| request.shown()).collect(),
    }
}

impl Tx<'_> {
    /// The terms of a rule that is as narrow as a request; none if there is no such request.
    pub async fn terms_of_request(&mut self, id: Uuid) -> Result<Option<Terms>> {
        let request = match authorization(id, self).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            found => found?,
        };
        let asked = request.input.as_ref().map_or(1, Vec::len).try_into().ok();
        Ok(Some(Terms {
            id,
            action: request.action,
            agent_id: Some(request.agent_id),
            reasons: request.reasons.into_iter().map(|reason| reason.code).collect(),
            items_per_call: asked,
            items_per_day: asked,
        }))
    }

    /// What each of these rules would have let through in the past 90 days: the numbers per day hold as they would have, all
    /// else is as it was when the request was made.
    pub async fn coverage(&mut self, rules: &[Terms]) -> Result<Vec<Coverage>> {
        let (now, timezone) = (self.now(), self.org().timezone);
        let (since, most) = (now - LOOKS_BACK, JUDGED.min(JUDGED_IN_ALL / (rules.len() as i64).max(1)));
        let past = self.past(rules, since, most + 1).await?;
        let used = self.used_before(rules, &past).await?;
        let mut requests: Vec<Vec<(Past, i64)>> = rules.iter().map(|_| Vec::new()).collect();
        for (request, used) in past.into_iter().zip(used) {
            requests[place(&request)].push((request, used));
        }
        let tried = rules.iter().zip(requests).map(|(terms, mut requests)| {
            // They come oldest first, and one more than is judged.
            let cut = requests.len() as i64 > most;
            requests.drain(..usize::from(cut));
            Coverage {
                since,
                cut,
                ..tried(self.ground().dispatch.action(&terms.action).ok(), terms, &requests, timezone)
            }
        });
        Ok(tried.collect())
    }

    /// The requests that each rule is tried on: the newest ones, the oldest of them first.
    async fn past(&mut self, rules: &[Terms], since: DateTime<Utc>, most: i64) -> Result<Vec<Past>> {
        let (org_id, now) = (self.org_id(), self.now());
        let actions: Vec<String> = rules.iter().map(|rule| rule.action.clone()).collect();
        let agents: Vec<Option<Uuid>> = rules.iter().map(|rule| rule.agent_id).collect();
        Ok(sqlx::query_as!(
            Past,
            r#"
            select p.nth as "nth!", a.id as "id!", a.agent_name as "agent_name!", a.summary as "summary!",
                   case when a.status = 'pending' and a.expires_at <= $5 then 'expired' else a.status end as "status!",
                   a.reasons as "reasons!: Json<Vec<Reason>>", coalesce(c.items, 1)::bigint as "items!", c.gate,
                   g.overrides as "overrides!: Json<BTreeMap<String, PermissionClass>>", a.created_at as "created_at!"
            from unnest($2::text[], $3::uuid[]) with ordinality as p (action, agent_id, nth)
            cross join lateral (
              select a.id, a.agent_id, a.agent_name, a.summary, a.status, a.expires_at, a.reasons, a.created_at,
                     a.asked_call_id
              from authorizations a
              where a.org_id = $1 and a.action = p.action and (p.agent_id is null or a.agent_id = p.agent_id)
                and a.created_at >= $4
              order by a.id desc
              limit $6
            ) a
            join agents g on g.org_id = $1 and g.id = a.agent_id
            left join call_log c on c.org_id = $1 and c.id = a.asked_call_id
            order by p.nth, a.id
            "#,
            org_id,
            &actions,
            &agents as _,
            since,
            now,
            most
        )
        .fetch_all(self.db())
        .await?)
    }

    /// What each rule had let through on the day of each request before that was made, in the order of the requests.
    async fn used_before(&mut self, rules: &[Terms], past: &[Past]) -> Result<Vec<i64>> {
        let (org_id, timezone) = (self.org_id(), self.org().timezone);
        let ids: Vec<Uuid> = past.iter().map(|request| rules[place(request)].id).collect();
        let days: Vec<DateTime<Utc>> = past.iter().map(|request| day_of(request.created_at, timezone).0).collect();
        let times: Vec<DateTime<Utc>> = past.iter().map(|request| request.created_at).collect();
        Ok(sqlx::query_scalar!(
            r#"
            select coalesce(sum(c.items), 0) as "items!"
            from unnest($2::uuid[], $3::timestamptz[], $4::timestamptz[]) with ordinality as q (rule_id, day, time, nth)
            left join call_log c on c.org_id = $1 and c.rule_id = q.rule_id and c.at >= q.day and c.at < q.time
            group by q.nth
            order by q.nth
            "#,
            org_id,
            &ids,
            &days,
            &times
        )
        .fetch_all(self.db())
        .await?)
    }

    /// How often these rules let something through.
    pub async fn rule_uses(&mut self, rules: &[Uuid]) -> Result<HashMap<Uuid, RuleUse>> {
        let (org_id, today) = (self.org_id(), day_of(self.now(), self.org().timezone).0);
        let uses = sqlx::query!(
            r#"
            select r.id as "id!",
                   (select coalesce(sum(c.items), 0) from call_log c
                    where c.org_id = $1 and c.rule_id = r.id and c.at >= $3) as "today!",
                   (select max(c.at) from call_log c where c.org_id = $1 and c.rule_id = r.id) as last
            from unnest($2::uuid[]) as r (id)
            "#,
            org_id,
            rules,
            today
        )
        .fetch_all(self.db())
        .await?;
        Ok(uses.into_iter().map(|row| (row.id, RuleUse { today: row.today, last: row.last })).collect())
    }
}
