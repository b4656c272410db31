//! What was allowed always: what it lets through in a sentence, and its end.

use std::collections::HashMap;

use axum::extract::{Extension, Form, Query, State};
use axum::response::Response;
use capabilities::{Answer, Registry};
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use minijinja::context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use ui_kit::{Detail, List, Moment, Page, Queried, Sent, Shown, Typed, Who, onward, words};

use crate::Shared;
use crate::coverage::{Coverage, coverage_in_words};

/// What a rule without numbers lets through: many at once are covered by a number only.
const NO_NUMBER: &str = "as often as it likes, a few at a time";
/// Reasons that stand in a rule and say nothing about it: many are covered by its numbers, and the others stand above rules.
pub(crate) const NOT_COVERED: [&str; 4] = ["bulk", "burst", "override", "frozen"];

/// A rule in words.
#[derive(Serialize)]
pub(crate) struct Line {
    id: String,
    /// Whom it is for; nobody in particular if empty.
    agent: String,
    may: String,
    limits: String,
    although: String,
    until: Option<Moment>,
    until_words: String,
    /// How often it was used.
    used: String,
    last_used: Option<Moment>,
    coverage: Option<Coverage>,
    pub is_over: bool,
    pub revoked: Option<Moment>,
    made: Option<Moment>,
    made_by: String,
    request: String,
}

const RULES: List = List::of("rules")
    .at("/queue/rules")
    .title("Rules")
    .about(
        "What agents may do without asking each time. A rule is made when an owner chooses “Allow always” for a request.",
    )
    .with(&["coverage"])
    .ways("Older rules", "Back to the newest")
    .empty("There are no rules: whatever needs a person’s yes is asked each time.");

pub(crate) async fn list(State(queue): Shared, Extension(visitor): Who, asked: Queried<Typed>) -> Response {
    let Query(asked) = asked.unwrap_or_default();
    let shown = rules(&mut queue.ui.page(&visitor), &asked).await;
    queue.answered(&visitor, shown).await
}

async fn rules(page: &mut Page<'_>, asked: &Typed) -> Shown {
    let listed = match page.list(&RULES, asked).await {
        Ok(listed) => listed,
        Err(refused) => return RULES.anew(refused),
    };
    let names = agent_names(page).await?;
    let rows: Vec<Line> = listed.rows.iter().map(|row| line(page, row, &names)).collect();
    let revoked = asked.get("told") == "revoked";
    let (may_revoke, may_change) = (page.may("rule.revoke"), page.may("rule.update"));
    page.show("rules", "rules.html", context! { rows, list => listed.list, revoked, may_revoke, may_change }).await
}

/// What agents are called, by id.
pub(crate) async fn agent_names(page: &mut Page<'_>) -> Result<HashMap<String, String>, Box<Answer>> {
    let agents = page.first("agents", Value::Null, Detail::PLAIN).await?.rows;
    Ok(agents.iter().map(|agent| (words::text(&agent["id"]), words::text(&agent["name"]))).collect())
}

pub(crate) fn line(page: &Page<'_>, row: &Value, names: &HashMap<String, String>) -> Line {
    let registry = page.registry();
    let action = words::text(&row["action"]);
    let (one, many) = words::records_of(registry, &action);
    let up_to = |member: &str, per: &str| {
        row[member].as_i64().map(|most| format!("up to {} {per}", words::counted(most, &one, &many)))
    };
    let limits: Vec<String> =
        [up_to("items_per_call", "at once"), up_to("items_per_day", "a day")].into_iter().flatten().collect();
    let until = words::time(&row["expires_at"]);
    let agent = row["agent_id"].as_str().map(|id| names.get(id).cloned().unwrap_or_else(|| "an agent".into()));
    Line {
        id: words::text(&row["id"]),
        agent: agent.unwrap_or_default(),
        may: words::doing(registry, &action),
        limits: words::capitalized(&if limits.is_empty() { NO_NUMBER.into() } else { limits.join(", ") }),
        although: although(registry, &action, row),
        until: until.map(|at| page.moment(at)),
        until_words: until.map(|at| end_in_words(page, at)).unwrap_or_default(),
        used: match row["items_today"].as_i64().unwrap_or_default() {
            0 => "Not used today".into(),
            some => format!("Let {} through today", words::counted(some, &one, &many)),
        },
        last_used: page.moment_of(&row["last_used_at"]),
        coverage: row["coverage"].get(0).map(|found| coverage_in_words(page, &action, found)),
        is_over: !row["revoked_at"].is_null() || until.is_some_and(|at| at <= page.now()),
        revoked: page.moment_of(&row["revoked_at"]),
        made: page.moment_of(&row["created_at"]),
        made_by: words::text(&row["created_by"]),
        request: words::text(&row["authorization_id"]),
    }
}

/// A rule that ends at midnight ends with the day before.
fn end_in_words(page: &Page<'_>, at: DateTime<Utc>) -> String {
    let local = at.with_timezone(&page.org().timezone);
    match local.time() == NaiveTime::MIN {
        true => format!("the end of {}", (local - TimeDelta::seconds(1)).format("%A, %b %-d, %Y")),
        false => page.moment(at).local,
    }
}

/// The reasons a rule covers, in the words of the action's own declaration.
fn although(registry: &Registry, action: &str, row: &Value) -> String {
    let known = reasons(registry, action);
    let told = |code: &str| {
        let known = known.iter().find(|(known, _)| *known == code);
        known.map_or_else(|| code.replace('_', " "), |(_, message)| (*message).into())
    };
    let codes = row["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let codes = codes.filter(|code| !NOT_COVERED.contains(code));
    words::listed(&codes.map(told).collect::<Vec<_>>())
}

/// The reasons for which calls of an action may wait: code and sentence.
pub(crate) fn reasons(registry: &Registry, action: &str) -> Vec<(&'static str, &'static str)> {
    let declared = registry.action(action).map(|entry| entry.escalations.as_slice());
    declared.unwrap_or_default().iter().map(|(code, _, message)| (*code, *message)).collect()
}

/// The rule that is to end, as the page showed it.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Chosen {
    rule_id: Option<String>,
}

pub(crate) async fn revoke(State(queue): Shared, Extension(visitor): Who, sent: Sent<Chosen>) -> Response {
    let rule = sent.ok().and_then(|Form(chosen)| chosen.rule_id).unwrap_or_default();
    let answer = queue.ui.call(&visitor, "rule.revoke", json!({"rule_id": rule})).await;
    match answer.success() {
        true => onward("/queue/rules?told=revoked"),
        false => queue.refuse(&visitor, &answer).await,
    }
}
