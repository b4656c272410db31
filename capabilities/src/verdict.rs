//! What becomes of an agent's call: judged after its run, by what it really did, and by what the agent did before.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::Deserialize;
use uuid::Uuid;

use crate::action::Effect;
use crate::call::own_class;
use crate::error::{Error, Result};
use crate::gate::{Gate, Judgement, Reason};
use crate::jobs::first_moment;
use crate::registry::ActionEntry;
use crate::tx::Tx;

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

/// How a call is judged.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// What holds for it in the end.
    pub class: Gate,
    /// How strict it was before rules: what later calls are counted by.
    pub judged: Gate,
    pub reasons: Vec<Reason>,
    /// The rule that lets it through.
    pub rule_id: Option<Uuid>,
}

/// What the gate knows about an agent and an action, read in one round trip under the agent's lock.
#[derive(Debug, Default, Deserialize)]
struct Facts {
    disabled: bool,
    frozen: bool,
    overrides: BTreeMap<String, Gate>,
    recent: i64,
    recent_strict: i64,
    rules: Vec<Rule>,
}

/// What was allowed always, as far as it narrows.
#[derive(Debug, Deserialize)]
struct Rule {
    id: Uuid,
    reasons: Vec<String>,
    items_per_call: Option<i64>,
    items_per_day: Option<i64>,
    used_today: i64,
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

/// Judges the call that is running, after its run. People and the system are bound by their role alone.
pub(crate) async fn judge(tx: &mut Tx<'_>, action: &ActionEntry, items: i32) -> Result<Verdict> {
    let judgement = tx.running.judgement.clone();
    if !tx.caller().is_agent() || action.never_held {
        let (class, reasons) = (Gate::Unrestricted, judgement.reasons);
        return Ok(Verdict { class, judged: class, reasons, rule_id: None });
    }
    let facts = facts(tx, action).await?;
    if facts.disabled {
        return Err(Error::Unauthenticated(format!("The agent {} is disabled.", tx.caller().name())));
    }
    Ok(weigh(&facts, action, judgement, items.into()))
}

async fn facts(tx: &mut Tx<'_>, action: &ActionEntry) -> Result<Facts> {
    let (agent, now, timezone) = (tx.caller().id(), tx.now(), tx.org().timezone);
    let facts = sqlx::query_scalar!(
        "select frontdesk.gate_facts($1, $2, $3, $4)",
        agent,
        action.name,
        now - AT_ONCE,
        day_began(now, timezone)
    )
    .fetch_one(tx.db())
    .await?;
    serde_json::from_value(facts.unwrap_or_default()).map_err(|error| Error::Internal(error.to_string()))
}

/// The beginning of the organization's day.
fn day_began(now: DateTime<Utc>, timezone: Tz) -> DateTime<Utc> {
    first_moment(now.with_timezone(&timezone).date_naive().and_time(NaiveTime::MIN), timezone)
}

fn weigh(facts: &Facts, action: &ActionEntry, judgement: Judgement, items: i64) -> Verdict {
    let Judgement { gate: declared, mut reasons, steps, .. } = judgement;
    let mut judged = declared;
    let mut raise = |reasons: &mut Vec<Reason>, code: &str, message: String| {
        judged = Gate::RequiresAuthorization;
        reasons.push(Reason { code: code.into(), message });
    };
    if items > ITEMS {
        raise(&mut reasons, BULK, format!("more than {ITEMS} items in one call"));
    }
    if let Some(message) = burst(facts, action.effect, declared, items) {
        raise(&mut reasons, BURST, message);
    }
    let rule = facts.rules.iter().find(|rule| !action.each_time && rule.covers(&reasons, items));
    let rule = rule.filter(|_| judged > Gate::Unrestricted);
    let mut class = if rule.is_some() { Gate::Unrestricted } else { judged };
    let own = steps.iter().filter_map(|step| own_class(&facts.overrides, step)).max();
    if let Some(stricter) = own.filter(|own| *own > class) {
        class = stricter;
        reasons.push(Reason { code: "override".into(), message: "this agent has stricter limits than others".into() });
    }
    if facts.frozen {
        class = Gate::RequiresAuthorization;
        reasons.push(Reason { code: "frozen".into(), message: "agents are frozen at the moment".into() });
    }
    Verdict { class, judged, reasons, rule_id: rule.map(|rule| rule.id) }
}

/// Whether an agent does too much of one thing within a short time.
fn burst(facts: &Facts, effect: Effect, declared: Gate, items: i64) -> Option<String> {
    let minutes = AT_ONCE.num_minutes();
    let too_many = |done: i64, most: i64| {
        (done > 0 && done + items > most).then(|| format!("more than {most} of this within {minutes} minutes"))
    };
    let strict = match (effect, declared) {
        (Effect::Destroys, _) => too_many(facts.recent, STRICT_AT_ONCE),
        (_, Gate::Unrestricted) => None,
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
    fn a_day_begins_at_midnight_where_the_business_is() {
        let at = |time: &str, zone: Tz| day_began(time.parse().unwrap(), zone).to_rfc3339();
        assert_eq!(at("2030-01-07T05:59:00Z", chrono_tz::America::Chicago), "2030-01-06T06:00:00+00:00");
        // In Beirut the clocks went from midnight to one on 2024-03-31.
        assert_eq!(at("2024-03-31T12:00:00Z", chrono_tz::Asia::Beirut), "2024-03-30T22:00:00+00:00");
    }

    #[test]
    fn bursts_are_counted_by_how_strict_the_action_is() {
        let facts = |recent, recent_strict| Facts { recent, recent_strict, ..Facts::default() };
        assert!(burst(&facts(5, 5), Effect::Destroys, Gate::SoftLimit, 1).is_some());
        assert!(burst(&facts(4, 4), Effect::Destroys, Gate::SoftLimit, 1).is_none());
        assert!(burst(&facts(20, 3), Effect::Updates, Gate::SoftLimit, 1).is_none());
        assert!(burst(&facts(20, 5), Effect::Updates, Gate::SoftLimit, 1).is_some());
        assert!(burst(&facts(49, 0), Effect::Adds, Gate::Unrestricted, 1).is_none());
        assert!(burst(&facts(50, 0), Effect::Adds, Gate::Unrestricted, 1).is_some());
        assert!(burst(&facts(0, 0), Effect::Destroys, Gate::SoftLimit, 6).is_none(), "that is bulk");
    }
}
