//! One rule: what it lets through, what it would have let through, and the form in which each of its limits can be loosened
//! or tightened.

use std::collections::{BTreeMap, HashMap};

use axum::extract::{Extension, Form, Query, State};
use axum::response::Response;
use capabilities::{Answer, Error, Selection};
use chrono::{NaiveTime, TimeDelta};
use minijinja::context;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use ui_kit::{
    Choice, Control, Named, Page, Problems, Queried, Sent, Shown, Typed, Visitor, Who, onward, unreadable, with_status,
    words,
};
use uuid::Uuid;

use crate::coverage::coverage;
use crate::request::Notice;
use crate::rules::{self, NOT_COVERED};
use crate::terms::Terms;
use crate::{Queue, Shared};

/// Names of the fields that say whether a reason is covered begin with this.
const COVERS: &str = "covers_";

/// The form as a person filled it in, and what is wrong with it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RuleForm {
    /// An agent's id, or `every`.
    agent: String,
    items_per_call: String,
    items_per_day: String,
    until: String,
    version: String,
    /// Whether it is only to be tried on what was asked before.
    r#try: String,
    #[serde(skip)]
    problems: Problems,
    /// The rest of the fields: the reasons that are covered, by their names.
    #[serde(flatten, skip_serializing)]
    more: BTreeMap<String, String>,
}

impl RuleForm {
    /// The form as the rule is.
    fn of(row: &Value, until: &str) -> Self {
        let number = |member: &str| row[member].as_i64().map(|number| number.to_string()).unwrap_or_default();
        Self {
            agent: row["agent_id"].as_str().unwrap_or("every").into(),
            items_per_call: number("items_per_call"),
            items_per_day: number("items_per_day"),
            until: until.into(),
            version: number("version"),
            more: codes(row).map(|code| (format!("{COVERS}{code}"), "yes".into())).collect(),
            ..Self::default()
        }
    }

    fn covers(&self, code: &str) -> bool {
        self.more.contains_key(&format!("{COVERS}{code}"))
    }

    /// The reasons it is to cover: those that are ticked, and those of which the form says nothing.
    fn reasons(&self, row: &Value) -> Vec<String> {
        let ticked = self.more.keys().filter_map(|name| name.strip_prefix(COVERS).map(str::to_string));
        let unsaid = codes(row).filter(|code| NOT_COVERED.contains(code)).map(str::to_string);
        let mut reasons: Vec<String> = ticked.chain(unsaid).collect();
        reasons.sort();
        reasons.dedup();
        reasons
    }

    /// As it stands in the form, to be tried on the requests of the past.
    fn trial(&self, row: &Value) -> Map<String, Value> {
        let mut filters = Map::from_iter([("rule_id".to_string(), row["id"].clone())]);
        match self.agent.as_str() {
            "every" => filters.insert("any_agent".into(), true.into()),
            agent => filters.insert("agent_id".into(), agent.into()),
        };
        let reasons = Some(self.reasons(row).join(",")).filter(|reasons| !reasons.is_empty());
        filters.insert("reasons".into(), reasons.unwrap_or_else(|| "none".into()).into());
        filters.extend(self.terms().to_try());
        filters
    }

    /// The input of the action; what cannot be read as one is told in `problems`. A day that was left as it was shown stays
    /// the very moment it is.
    fn input(&mut self, page: &Page<'_>, row: &Value, shown: &str) -> Option<Value> {
        let mut input = json!({"rule_id": row["id"], "reasons": self.reasons(row)});
        if let Ok(version) = self.version.trim().parse::<i32>() {
            input["expected_version"] = version.into();
        }
        input["agent_id"] = if self.agent == "every" { Value::Null } else { self.agent.as_str().into() };
        let terms = Terms { per_call: &self.items_per_call, per_day: &self.items_per_day, until: &self.until };
        terms.put_numbers(&mut input, &mut self.problems);
        terms.put_end(page, shown, &mut input, &mut self.problems);
        self.problems.is_empty().then_some(input)
    }

    fn terms(&self) -> Terms<'_> {
        Terms { per_call: &self.items_per_call, per_day: &self.items_per_day, until: &self.until }
    }

    /// Puts the office's problems beside the fields they are about; whether each has one.
    fn blame(&mut self, answer: &Answer) -> bool {
        let known = ["items_per_call", "items_per_day", "until"];
        self.problems.blame(answer, |member| match member {
            "agent_id" => Some("agent".into()),
            member => known.contains(&member).then(|| member.to_string()),
        })
    }
}

fn codes(row: &Value) -> impl Iterator<Item = &str> {
    row["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

pub(crate) async fn show(
    State(queue): Shared,
    Extension(visitor): Who,
    id: Named<Uuid>,
    asked: Queried<Typed>,
) -> Response {
    let Query(asked) = asked.unwrap_or_default();
    let shown = async {
        let page = &mut queue.ui.page(&visitor);
        let row = rule(page, id).await?;
        let notice = (asked.get("told") == "changed")
            .then(|| Notice { warns: false, text: "Changed. It holds from the next call on.".into() });
        let typed = RuleForm::of(&row, &last_day(page, &row));
        rule_page(page, &row, typed, notice).await
    };
    queue.answered(&visitor, shown.await).await
}

pub(crate) async fn change(
    State(queue): Shared,
    Extension(visitor): Who,
    id: Named<Uuid>,
    sent: Sent<RuleForm>,
) -> Response {
    let Form(typed) = sent.unwrap_or_default();
    let shown = async {
        let row = rule(&mut queue.ui.page(&visitor), id).await?;
        queue.change_rule(&visitor, &row, typed).await
    };
    queue.answered(&visitor, shown.await).await
}

async fn rule(page: &mut Page<'_>, id: Named<Uuid>) -> Result<Value, Box<Answer>> {
    let ui = page.ui();
    let nothing = || ui.refused(&Error::NotFound { what: "such rule".into() });
    let id = id.map_err(|_| nothing())?.0.to_string();
    let selection = Selection { data_type: "rules".into(), id: Some(id), ..Selection::default() };
    page.read(selection).await.map(|answer| answer.data.unwrap_or_default()).map_err(|refused| {
        match refused.error_code() {
            Some("NOT_FOUND") => nothing(),
            _ => refused,
        }
    })
}

/// The last day on which a rule holds, as a form writes it; empty if it has no end.
fn last_day(page: &Page<'_>, row: &Value) -> String {
    let Some(end) = words::time(&row["expires_at"]) else { return String::new() };
    let local = end.with_timezone(&page.org().timezone);
    let last = if local.time() == NaiveTime::MIN { local - TimeDelta::seconds(1) } else { local };
    last.date_naive().to_string()
}

async fn rule_page(page: &mut Page<'_>, row: &Value, typed: RuleForm, notice: Option<Notice>) -> Shown {
    let action = words::text(&row["action"]);
    let names = rules::agent_names(page).await?;
    let line = rules::line(page, row, &names);
    let may_change = line.revoked.is_none() && page.may("rule.update");
    let coverage = coverage(page, &action, typed.trial(row)).await?;
    let reasons = rules::reasons(page.registry(), &action).into_iter().map(|(code, message)| Choice {
        value: format!("{COVERS}{code}"),
        words: words::capitalized(message),
        is_chosen: typed.covers(code),
    });
    let reasons: Vec<Choice> = reasons.collect();
    let agents = choices(&names, &typed.agent);
    let (_, many) = words::records_of(page.registry(), &action);
    let terms = typed.terms().fields(page, &many, &typed.problems);
    let agent =
        Control { look: "select", choices: agents, ..Control::line("agent", "agent", "For whom", "", &typed.problems) };
    let fields = Control::focused(std::iter::once(agent).chain(terms).collect());
    let values = context! { line, typed, coverage, reasons, fields, may_change, notice };
    page.show("rules", "rule.html", values).await
}

impl Queue {
    async fn change_rule(&self, visitor: &Visitor, row: &Value, mut typed: RuleForm) -> Shown {
        let page = &mut self.ui.page(visitor);
        let shown = last_day(page, row);
        let again = |text: &str, warns: bool| Some(Notice { warns, text: text.into() });
        let look = "Nothing was changed yet: a field below needs another look.";
        let Some(input) = typed.input(page, row, &shown) else {
            return Ok(with_status(rule_page(page, row, typed, again(look, true)).await?, unreadable()));
        };
        if !typed.r#try.is_empty() {
            let tried = "Nothing was changed yet. Below it says what these limits would have let through.";
            return rule_page(page, row, typed, again(tried, false)).await;
        }
        let answer = self.ui.call(visitor, "rule.update", input).await;
        let page = &mut self.ui.page(visitor);
        let notice = match answer.error_code() {
            None => return Ok(onward(&format!("/queue/rules/{}?told=changed", words::text(&row["id"])))),
            Some("VERSION_CONFLICT") => {
                typed.version = row["version"].to_string();
                "Nothing was changed: somebody else changed this rule meanwhile. Above it stands as it is now, below what you \
                 wrote. Look again and save again."
            }
            Some("INVALID_INPUT") if typed.blame(&answer) => look,
            Some(_) => return Err(Box::new(answer)),
        };
        Ok(with_status(rule_page(page, row, typed, again(notice, true)).await?, answer.status))
    }
}

/// Whom a rule can be for.
fn choices(names: &HashMap<String, String>, chosen: &str) -> Vec<Choice> {
    let mut agents: Vec<Choice> = names
        .iter()
        .map(|(id, name)| Choice { value: id.clone(), words: name.clone(), is_chosen: id == chosen })
        .collect();
    agents.sort_by(|a, b| a.words.cmp(&b.words));
    agents.push(Choice { value: "every".into(), words: "Every agent".into(), is_chosen: chosen == "every" });
    agents
}
