//! What becomes of an agent's call: judged after its run, by what it really did, and by what the agent did before.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::Deserialize;
use uuid::Uuid;

use crate::callers::own_class;
use crate::declare::action::Effect;
use crate::declare::domain::ActionEntry;
use crate::error::{Error, Result};
use crate::judge::budgets::{self, day_of};
use crate::policy::{Judgement, PermissionClass, Reason};
use crate::tx::Tx;
use crate::tx::facts::ActionFacts;

/// More items than this in one call are a bulk change.
const ITEMS: i64 = 5;
/// So many soft-limited or destructive items of one action may come one after the other,
const STRICT_AT_ONCE: i64 = 5;
/// and so many others,
const OTHERS_AT_ONCE: i64 = 50;
/// within this time.
const AT_ONCE: TimeDelta = TimeDelta::minutes(10);

const BULK: &str = "bulk";
const BURST: &str = "burst";
const OVERRIDE: &str = "override";
const FROZEN: &str = "frozen";
const OVER_BUDGET: &str = "over_budget";
/// What stands above all rules, so that none covers it.
pub(crate) const ABOVE_RULES: [&str; 3] = [OVERRIDE, FROZEN, OVER_BUDGET];

/// How a call is judged.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// What holds for it in the end.
    pub class: PermissionClass,
    /// How strict it was before rules: what later calls are counted by.
    pub judged: PermissionClass,
    pub reasons: Vec<Reason>,
    /// The rule that lets it through.
    pub rule_id: Option<Uuid>,
}

/// What the gate knows about an agent and an action, read in one round trip under the agent's lock.
#[derive(Debug, Default, Deserialize)]
struct Facts {
    disabled: bool,
    frozen: bool,
    overrides: BTreeMap<String, PermissionClass>,
    recent: i64,
    recent_strict: i64,
    rules: Vec<Rule>,
    /// What the agent may do in a day and what of it is used, if it has a budget.
    #[serde(skip)]
    budget: Option<budgets::Allotment>,
}

/// What was allowed always, as far as it narrows.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Rule {
    pub id: Uuid,
    pub reasons: Vec<String>,
    pub items_per_call: Option<i64>,
    pub items_per_day: Option<i64>,
    pub used_today: i64,
}

impl Rule {
    /// Whether it covers every reason and its own numbers hold. Many at once, or one after the other, it covers only by
    /// a number of its own.
    fn covers(&self, reasons: &[Reason], items: i64) -> bool {
        let covered = |reason: &Reason| match reason.code.as_str() {
            BULK => self.items_per_call.is_some(),
            BURST => self.items_per_day.is_some(),
            code => self.reasons.iter().any(|known| known == code),
        };
        reasons.iter().all(covered)
            && self.items_per_call.is_none_or(|most| items <= most)
            && self.items_per_day.is_none_or(|most| self.used_today + items <= most)
    }
}

/// A call as far as rules, the agent's own limits and the freeze bear on it: one that is running, or one that was asked for
/// before.
pub(crate) struct Case<'c> {
    /// Whether a person must decide each time.
    each_time: bool,
    /// The actions it is made of, as far as they are known.
    steps: Vec<&'static str>,
    judged: PermissionClass,
    reasons: Vec<Reason>,
    items: i64,
    overrides: &'c BTreeMap<String, PermissionClass>,
    /// What holds it whatever rules say: the freeze, a budget.
    above: Vec<Reason>,
}

impl<'c> Case<'c> {
    /// A request that waited, as it was judged then, under the limits that its agent has by now.
    pub fn of_request(
        action: ActionFacts,
        judged: PermissionClass,
        reasons: Vec<Reason>,
        items: i64,
        overrides: &'c BTreeMap<String, PermissionClass>,
    ) -> Self {
        let by_now = reasons.into_iter().filter(|reason| reason.code != OVERRIDE);
        let (above, reasons) = by_now.partition(|reason| ABOVE_RULES.contains(&reason.code.as_str()));
        let (each_time, steps) = (action.each_time, vec![action.name]);
        Self { each_time, steps, judged, reasons, items, overrides, above }
    }

    /// What holds for it in the end.
    pub fn settle(self, rules: &[Rule]) -> Verdict {
        let Self { each_time, steps, judged, mut reasons, items, overrides, above } = self;
        let rule = rules.iter().find(|rule| !each_time && rule.covers(&reasons, items));
        let rule = rule.filter(|_| judged > PermissionClass::Unrestricted);
        let mut class = if rule.is_some() { PermissionClass::Unrestricted } else { judged };
        let own = steps.iter().filter_map(|step| own_class(overrides, step)).max();
        if let Some(stricter) = own.filter(|own| *own > class) {
            class = stricter;
            reasons
                .push(Reason { code: OVERRIDE.into(), message: "this agent has stricter limits than others".into() });
        }
        if !above.is_empty() {
            class = PermissionClass::RequiresAuthorization;
            reasons.extend(above);
        }
        Verdict { class, judged, reasons, rule_id: rule.map(|rule| rule.id) }
    }
}

/// Judges the call that is running, after its run. People and the system are bound by their role alone.
pub(crate) async fn judge(tx: &mut Tx<'_>, action: &ActionEntry, items: i32) -> Result<Verdict> {
    let judgement = tx.running.judgement.clone();
    if !tx.caller().is_agent() || action.never_held {
        let (class, reasons) = (PermissionClass::Unrestricted, judgement.reasons);
        return Ok(Verdict { class, judged: class, reasons, rule_id: None });
    }
    let facts = facts(tx, action).await?;
    if facts.disabled {
        return Err(Error::Unauthenticated(format!("The agent {} is disabled.", tx.caller().name())));
    }
    let over_budget = over_budget(tx, facts.budget.as_ref(), items.into());
    Ok(weigh(&facts, action, judgement, items.into(), over_budget))
}

async fn facts(tx: &mut Tx<'_>, action: &ActionEntry) -> Result<Facts> {
    let (agent, now, timezone) = (tx.caller().id(), tx.now(), tx.org().timezone);
    let found = sqlx::query!(
        "select frontdesk.gate_facts($1, $2, $3, $4) as gate, frontdesk.budget_facts($1, $4) as budget",
        agent,
        action.name,
        now - AT_ONCE,
        day_of(now, timezone).0
    )
    .fetch_one(tx.db())
    .await?;
    let broken = |error: serde_json::Error| Error::Internal(error.to_string());
    let facts: Facts = serde_json::from_value(found.gate.unwrap_or_default()).map_err(broken)?;
    let budget = found.budget.map(serde_json::from_value).transpose().map_err(broken)?;
    Ok(Facts { budget, ..facts })
}

/// Which budget of the agent's day the call that is running would pass, in words.
fn over_budget(tx: &Tx<'_>, budget: Option<&budgets::Allotment>, items: i64) -> Option<String> {
    let org = tx.org();
    let renews = day_of(tx.now(), org.timezone).1.with_timezone(&org.timezone);
    let renews = renews.format("on %A, %B %-d at %-I:%M %p").to_string();
    budget?.overrun(tx.running.spending(items), &renews, org.currency)
}

fn weigh(
    facts: &Facts,
    action: &ActionEntry,
    judgement: Judgement,
    items: i64,
    over_budget: Option<String>,
) -> Verdict {
    let Judgement { class: declared, mut reasons, steps, .. } = judgement;
    let mut judged = declared;
    let mut raise = |reasons: &mut Vec<Reason>, code: &str, message: String| {
        judged = PermissionClass::RequiresAuthorization;
        reasons.push(Reason { code: code.into(), message });
    };
    if items > ITEMS {
        raise(&mut reasons, BULK, format!("more than {ITEMS} items in one call"));
    }
    if let Some(message) = burst(facts, action.effect, declared, items) {
        raise(&mut reasons, BURST, message);
    }
    let mut above = Vec::new();
    if facts.frozen {
        above.push(Reason { code: FROZEN.into(), message: "agents are frozen at the moment".into() });
    }
    above.extend(over_budget.map(|message| Reason { code: OVER_BUDGET.into(), message }));
    let each_time = action.each_time;
    Case { each_time, steps, judged, reasons, items, overrides: &facts.overrides, above }.settle(&facts.rules)
}

/// Whether an agent does too much of one thing within a short time.
fn burst(facts: &Facts, effect: Effect, declared: PermissionClass, items: i64) -> Option<String> {
    let minutes = AT_ONCE.num_minutes();
    let too_many = |done: i64, most: i64| {
        (done > 0 && done + items > most).then(|| format!("more than {most} of this within {minutes} minutes"))
    };
    let strict = match (effect, declared) {
        (Effect::Destroys, _) => too_many(facts.recent, STRICT_AT_ONCE),
        (_, PermissionClass::Unrestricted) => None,
        _ => too_many(facts.recent_strict, STRICT_AT_ONCE),
    };
    strict.or_else(|| too_many(facts.recent, OTHERS_AT_ONCE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(code: &str) -> Reason {
        Reason { code: code.into(), message: String::new() }
    }

    fn rule(reasons: &[&str], items_per_call: Option<i64>, items_per_day: Option<i64>, used_today: i64) -> Rule {
        let reasons = reasons.iter().map(ToString::to_string).collect();
        Rule { id: Uuid::nil(), reasons, items_per_call, items_per_day, used_today }
    }

    #[test]
    fn a_rule_covers_what_it_names_and_nothing_else() {
        let history = rule(&["has_history"], None, None, 0);
        assert!(history.covers(&[], 1) && history.covers(&[reason("has_history")], 1));
        assert!(!history.covers(&[reason("has_history"), reason("paid")], 1));
    }

    #[test]
    fn many_at_once_are_covered_up_to_the_rules_own_numbers() {
        assert!(!rule(&["bulk", "burst"], None, None, 0).covers(&[reason(BULK)], 6), "without a number it covers none");
        assert!(rule(&[], Some(10), None, 0).covers(&[reason(BULK)], 10));
        assert!(!rule(&[], Some(10), None, 0).covers(&[reason(BULK)], 11));
        assert!(!rule(&[], Some(10), None, 0).covers(&[reason(BURST)], 1));
        assert!(rule(&[], None, Some(10), 9).covers(&[reason(BURST)], 1));
        assert!(!rule(&[], None, Some(10), 9).covers(&[reason(BURST)], 2));
    }

    #[test]
    fn bursts_are_counted_by_how_strict_the_action_is() {
        let facts = |recent, recent_strict| Facts { recent, recent_strict, ..Facts::default() };
        assert!(burst(&facts(5, 5), Effect::Destroys, PermissionClass::SoftLimit, 1).is_some());
        assert!(burst(&facts(4, 4), Effect::Destroys, PermissionClass::SoftLimit, 1).is_none());
        assert!(burst(&facts(20, 3), Effect::Updates, PermissionClass::SoftLimit, 1).is_none());
        assert!(burst(&facts(20, 5), Effect::Updates, PermissionClass::SoftLimit, 1).is_some());
        assert!(burst(&facts(49, 0), Effect::Adds, PermissionClass::Unrestricted, 1).is_none());
        assert!(burst(&facts(50, 0), Effect::Adds, PermissionClass::Unrestricted, 1).is_some());
        assert!(burst(&facts(0, 0), Effect::Destroys, PermissionClass::SoftLimit, 6).is_none(), "that is bulk");
    }
}
