//! What rules would have let through: those that are there, and one that is only thought of.

use capabilities::{CoveredRequest, Data, Id, Ids, Key, Keyed, Listing, Parent, Query, Result, Terms, Text, Tx, Who};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{RuleRow, Rules};
use crate::entities::{Agent, Authorization, Rule};

/// How much of what agents asked for in the past 90 days a rule would have let through.
///
/// Judged as their calls were, by the gate itself. With `authorization_id` it is about the rule that would be made of that
/// request, as narrow as it; the other filters say what to think of instead of what a rule or a request has.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleCoverage {
    /// Only of these rules.
    rule_id: Option<Ids<Rule>>,
    /// Of the rule that would be made of this request.
    authorization_id: Option<Id<Authorization>>,
    /// As if it were for this agent.
    agent_id: Option<Id<Agent>>,
    /// As if it were for every agent (true).
    any_agent: Option<bool>,
    /// As if it covered these reasons, separated by commas; `none` for no reason.
    reasons: Option<Text<600>>,
    /// As if it let so many items through in one call; 0 for no limit.
    #[schemars(range(min = 0, max = 500))]
    items_per_call: Option<i32>,
    /// As if it let so many items through in one day; 0 for no limit.
    #[schemars(range(min = 0, max = 100_000))]
    items_per_day: Option<i32>,
}

/// What a rule would have let through.
#[derive(Serialize, JsonSchema)]
pub(crate) struct CoverageRow {
    /// The rule, or the request that one is thought of for.
    id: Uuid,
    /// The rule, if it is there.
    rule_id: Option<Uuid>,
    /// From when on requests were looked at, UTC.
    since: DateTime<Utc>,
    /// How many requests for its action were made by those it is for: the newest 1,000, of many rules at once fewer.
    requests: i64,
    /// Whether there were older ones in that time, which were not looked at.
    older_left_out: Option<bool>,
    /// How many of them it would have let through.
    covered: i64,
    /// How many of those a person had denied.
    denied: i64,
    /// The newest 25 of those it would have let through.
    newest: Vec<CoveredRequest>,
}

impl RuleCoverage {
    /// The rules that are asked about, as they are: none if it is one that is only thought of.
    async fn rules(&self, query: Query, tx: &mut Tx<'_>) -> Result<Listing<RuleRow>> {
        let asked = self.rule_id.as_ref().map(Ids::uuids);
        let ids = match (&query.ids, asked) {
            (Some(ids), Some(asked)) => Some(ids.iter().copied().filter(|id| asked.contains(id)).collect()),
            (ids, asked) => ids.clone().or(asked.map(<[_]>::to_vec)),
        };
        tx.list(Rules { active: None, agent_id: None }, Query { ids, ..query }).await
    }

    /// What is thought of instead.
    fn instead(&self, mut terms: Terms) -> Terms {
        let number =
            |asked: Option<i32>, own: Option<i32>| asked.map_or(own, |most| Some(most).filter(|most| *most > 0));
        if let Some(agent) = self.agent_id {
            terms.agent_id = Some(agent.uuid());
        }
        if self.any_agent == Some(true) {
            terms.agent_id = None;
        }
        if let Some(reasons) = &self.reasons {
            terms.reasons = reasons.as_str().split(',').map(|code| code.trim().to_string()).collect();
        }
        terms.items_per_call = number(self.items_per_call, terms.items_per_call);
        terms.items_per_day = number(self.items_per_day, terms.items_per_day);
        terms
    }
}

fn terms_of(rule: RuleRow) -> Terms {
    Terms {
        id: rule.id,
        action: rule.action,
        agent_id: rule.agent_id,
        reasons: rule.reasons,
        items_per_call: rule.items_per_call,
        items_per_day: rule.items_per_day,
    }
}

impl Data for RuleCoverage {
    const NAME: &str = "rule_coverage";
    const ONE: &str = "rule_coverage";
    const WHO: Who = Who::MANAGERS;
    const PEOPLE_ONLY: bool = true;
    const SORTED_BY: &str = "time of the rule, newest first";
    const PARENTS: &[Parent] =
        &[Parent { of: "rules", filter: "rule_id", member: "rule_id", children: "coverage", parent: None }];
    type Row = CoverageRow;

    async fn list(self, query: Query, tx: &mut Tx<'_>) -> Result<Listing<CoverageRow>> {
        let (terms, total): (Vec<Terms>, _) = match self.authorization_id {
            Some(request) => {
                let is_first = query.after.is_none();
                let terms = tx.terms_of_request(request.uuid()).await?;
                let terms: Vec<Terms> = terms.into_iter().filter(|_| is_first).collect();
                let total = terms.len() as i64;
                (terms, Some(total))
            }
            None => {
                let found = self.rules(query, tx).await?;
                let total = found.total;
                (found.into_rows().map(terms_of).collect(), total)
            }
        };
        let terms = terms.into_iter().map(|terms| self.instead(terms)).collect();
        let rows = covered(terms, self.authorization_id.is_none(), tx).await?;
        Ok(Listing { rows: rows.into_iter().map(|row| Keyed { key: Key::of(row.id), row }).collect(), total })
    }

    async fn by_ids(ids: &[Uuid], tx: &mut Tx<'_>) -> Result<Vec<CoverageRow>> {
        let terms = tx.these::<Rules>(ids).await?.into_iter().map(terms_of).collect();
        covered(terms, true, tx).await
    }
}

async fn covered(terms: Vec<Terms>, are_rules: bool, tx: &mut Tx<'_>) -> Result<Vec<CoverageRow>> {
    let coverage = tx.coverage(&terms).await?;
    let rows = terms.iter().zip(coverage).map(|(terms, found)| CoverageRow {
        id: terms.id,
        rule_id: Some(terms.id).filter(|_| are_rules),
        since: found.since,
        requests: found.requests,
        older_left_out: Some(true).filter(|_| found.cut),
        covered: found.covered,
        denied: found.denied,
        newest: found.newest,
    });
    Ok(rows.collect())
}
