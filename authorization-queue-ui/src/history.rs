//! What agents asked for and what became of it.

use axum::extract::{Extension, Query, State};
use axum::response::Response;
use capabilities::{PermissionClass, Registry, Selection};
use chrono::{DateTime, Utc};
use minijinja::context;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use ui_kit::{Page, Queried, Shown, Who, onward, rows_of, words};

use crate::rules::agent_names;
use crate::waiting::{Card, card};
use crate::{Listing, PAGE, Shared, given};

/// By what became of it: the word in the form, the status, the decision, and what a person reads.
const OUTCOMES: [(&str, &str, Option<&str>, &str); 6] = [
    ("allowed", "executed", Some("allow_once"), "Allowed once"),
    ("always", "executed", Some("allow_always"), "Allowed always"),
    ("failed", "failed", None, "Allowed, but it failed"),
    ("denied", "denied", None, "Denied"),
    ("expired", "expired", None, "Ran out"),
    ("withdrawn", "withdrawn", None, "Withdrawn"),
];

/// The filters as a person filled them in.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct HistoryFilters {
    outcome: String,
    agent: String,
    action: String,
    from: String,
    to: String,
    #[serde(skip_serializing)]
    cursor: Option<String>,
}

/// A choice of a filter.
#[derive(Serialize)]
struct Choice {
    value: String,
    words: String,
    chosen: bool,
}

/// What is wrong with the period, if anything.
#[derive(Default, Serialize)]
struct Problems {
    from: &'static str,
    to: &'static str,
}

impl HistoryFilters {
    fn is_none(&self) -> bool {
        [&self.outcome, &self.agent, &self.action, &self.from, &self.to].iter().all(|filter| filter.trim().is_empty())
    }

    /// The same filters in an address. They are ids, names and days, in which there is nothing to encode.
    fn query(&self) -> String {
        let filters = [
            ("outcome", &self.outcome),
            ("agent", &self.agent),
            ("action", &self.action),
            ("from", &self.from),
            ("to", &self.to),
        ];
        let given = filters.into_iter().filter(|(_, value)| !value.trim().is_empty());
        given.map(|(name, value)| format!("&{name}={}", value.trim())).collect()
    }

    /// The filters of the data type; the days of a period are those of the organization.
    fn filters(&self, page: &Page<'_>) -> Result<Map<String, Value>, Problems> {
        let mut filters = Map::from_iter([("waiting".to_string(), Value::Bool(false))]);
        let mut add = |name: &str, value: &str| filters.insert(name.into(), value.into());
        if let Some(agent) = given(Some(&self.agent)) {
            add("agent_id", agent);
        }
        if let Some(action) = given(Some(&self.action)) {
            add("action", action);
        }
        if let Some(outcome) = given(Some(&self.outcome)) {
            let known = OUTCOMES.iter().find(|(word, ..)| word == outcome);
            add("status", known.map_or(outcome, |(_, status, ..)| status));
            known.and_then(|(_, _, decision, _)| *decision).map(|decision| add("decision", decision));
        }
        let not_a_day = "Choose a day, or leave it empty.";
        let mut problems = Problems::default();
        let mut side = |name: &str, typed: &str, at: Option<DateTime<Utc>>| match (typed.trim(), at) {
            ("", _) => "",
            (_, None) => not_a_day,
            (_, Some(at)) => {
                add(name, &at.to_rfc3339());
                ""
            }
        };
        problems.from = side("from", &self.from, page.beginning_of(self.from.trim()));
        problems.to = side("to", &self.to, page.end_of(self.to.trim()));
        // Days in this form are in the order of time as texts, too.
        if problems.to.is_empty() && !self.to.trim().is_empty() && self.from.trim() > self.to.trim() {
            problems.to = "This day lies before the first one: choose a later day.";
        }
        if problems.from.is_empty() && problems.to.is_empty() { Ok(filters) } else { Err(problems) }
    }
}

pub(crate) async fn list(State(queue): Shared, Extension(visitor): Who, asked: Queried<HistoryFilters>) -> Response {
    let Query(narrowing) = asked.unwrap_or_default();
    let shown = history(&mut queue.ui.page(&visitor), &narrowing).await;
    queue.answered(&visitor, shown).await
}

async fn history(page: &mut Page<'_>, asked: &HistoryFilters) -> Shown {
    let (filters, problems) = match asked.filters(page) {
        Ok(filters) => (filters, Problems::default()),
        // A list is shown beside the problem all the same: that of nothing.
        Err(problems) => (Map::new(), problems),
    };
    let is_wrong = filters.is_empty();
    let selection = Selection {
        data_type: "authorizations".into(),
        filters,
        limit: Some(if is_wrong { 1 } else { PAGE }),
        cursor: asked.cursor.clone().filter(|_| !is_wrong),
        ..Selection::default()
    };
    let answer = match page.read(selection).await {
        Err(refused) if refused.error_code() == Some("INVALID_INPUT") => return Ok(onward("/queue/history")),
        answer => answer?,
    };
    let outcomes = OUTCOMES.map(|(word, _, _, words)| choice(word, words, &asked.outcome));
    let agents = agent_names(page).await?;
    let mut agents: Vec<Choice> = agents.iter().map(|(id, name)| choice(id, name, &asked.agent)).collect();
    agents.sort_by(|a, b| a.words.cmp(&b.words));
    let actions = actions_of_agents(page.registry(), &asked.action);
    let (narrowed, query) = (!asked.is_none(), asked.query());
    let listing = Listing::of(&answer, asked.cursor.as_ref());
    let rows = if is_wrong { Vec::new() } else { rows_of(answer.data) };
    let cards: Vec<Card> = rows.iter().map(|row| card(page, row)).collect();
    let values = context! {
        cards, listing, asked, outcomes, agents, actions, problems, is_wrong, query, narrowed,
    };
    page.show("history", "history.html", values).await
}

/// What agents may ask for, in words.
fn actions_of_agents(registry: &Registry, chosen: &str) -> Vec<Choice> {
    let open = registry.actions().filter(|action| action.class < PermissionClass::PeopleOnly && !action.never_held);
    let choice = |name| choice(name, &words::capitalized(&words::doing(registry, name)), chosen);
    let mut actions: Vec<Choice> = open.map(|action| choice(action.name)).collect();
    actions.sort_by(|a, b| a.words.cmp(&b.words));
    actions
}

fn choice(value: &str, words: &str, chosen: &str) -> Choice {
    Choice { value: value.into(), words: words.into(), chosen: value == chosen.trim() }
}
