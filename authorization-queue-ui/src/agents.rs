//! The agents: when they last called, and whether they may.

use axum::extract::{Extension, Form, Query, State};
use axum::response::Response;
use capabilities::amount_in_words;
use minijinja::context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use ui_kit::{List, Moment, Page, Queried, Sent, Shown, Typed, Visitor, Who, onward, unreadable, with_status, words};

use crate::{Queue, Shared};

/// An agent, as the list shows it.
#[derive(Serialize)]
struct Line {
    id: String,
    name: String,
    last_call: Option<Moment>,
    disabled: Option<Moment>,
    expires: Option<Moment>,
    /// How many limits of its own it has.
    stricter: String,
    /// What it did today, and how much of its budget that is.
    spent: Vec<Spent>,
    /// Its budgets as the form has them: empty for none.
    actions: String,
    messages: String,
    /// What is wrong with what was typed, if anything, and where.
    problem: String,
    wrong_actions: bool,
    wrong_messages: bool,
}

/// What an agent did today of one kind.
#[derive(Serialize)]
struct Spent {
    /// "34 of 200 actions today".
    said: String,
    used: i64,
    /// None without a budget.
    most: Option<i64>,
    /// When it renews, if nothing more is left.
    renews: Option<Moment>,
}

pub(crate) async fn list(State(queue): Shared, Extension(visitor): Who, asked: Queried<Typed>) -> Response {
    let Query(asked) = asked.unwrap_or_default();
    let shown = agents(&mut queue.ui.page(&visitor), &asked, None).await;
    queue.answered(&visitor, shown).await
}

const AGENTS: List = List::of("agents")
    .at("/queue/agents")
    .title("Agents")
    .about("The models and programs that work here, each with a token of its own.")
    .ways("More agents", "Back to the first");

async fn agents(page: &mut Page<'_>, asked: &Typed, typed: Option<&Switch>) -> Shown {
    let listed = match page.list(&AGENTS, asked).await {
        Ok(listed) => listed,
        Err(refused) => return AGENTS.anew(refused),
    };
    let rows: Vec<Line> = listed.rows.iter().map(|row| agent(page, row, typed)).collect();
    let notice = match asked.get("told") {
        "disabled" => "The agent is disabled: its token works no more, and what it had waiting is withdrawn.",
        "enabled" => "The agent may call again, with the token it had.",
        "budget" => "Its budget is set, and holds from its next call on.",
        "undone" => "Undone: what the agent did is as it was before. An undo can be undone, too.",
        _ => "",
    };
    let may_undo = page.may("audit.undo");
    let may_switch = page.may("agent.disable") && page.may("agent.enable");
    let values = context! { rows, list => listed.list, notice, may_switch, may_undo };
    page.show("agents", "agents.html", values).await
}

fn agent(page: &Page<'_>, row: &Value, typed: Option<&Switch>) -> Line {
    let stricter = row["overrides"].as_object().map_or(0, serde_json::Map::len);
    let id = words::text(&row["id"]);
    let typed = typed.filter(|typed| typed.agent_id.as_deref() == Some(&id));
    let most = |kind: &str| row["budget"][kind].as_i64().map(|most| most.to_string()).unwrap_or_default();
    Line {
        spent: spent(page, row),
        actions: typed.map_or_else(|| most("actions"), |typed| typed.actions.clone().unwrap_or_default()),
        messages: typed.map_or_else(|| most("messages"), |typed| typed.messages.clone().unwrap_or_default()),
        problem: typed.map(|_| NO_BUDGET.to_string()).unwrap_or_default(),
        wrong_actions: typed.is_some_and(|typed| !is_budget(typed.actions.as_deref())),
        wrong_messages: typed.is_some_and(|typed| !is_budget(typed.messages.as_deref())),
        id,
        name: words::text(&row["name"]),
        last_call: page.moment_of(&row["last_call_at"]),
        disabled: page.moment_of(&row["disabled_at"]),
        expires: page.moment_of(&row["expires_at"]),
        stricter: match stricter {
            0 => String::new(),
            some => words::counted(some.try_into().unwrap_or(i64::MAX), "limit of its own", "limits of its own"),
        },
    }
}

/// What it did today. Money is told only where there is a budget of it: nothing that agents do moves any yet.
fn spent(page: &Page<'_>, row: &Value) -> Vec<Spent> {
    let counted = |one: &'static str, many: &'static str| move |count| words::counted(count, one, many);
    let currency = page.org().currency;
    let amount = move |minor| amount_in_words(minor, currency);
    let kinds: [(&str, &dyn Fn(i64) -> String); 3] =
        [("actions", &counted("action", "actions")), ("messages", &counted("message", "messages")), ("money", &amount)];
    let spent = kinds.into_iter().filter_map(|(kind, in_words)| {
        let (used, most) = (row["used_today"][kind].as_i64()?, row["budget"][kind].as_i64());
        let said = match most {
            Some(most) if kind == "money" => format!("{} of {} today", in_words(used), in_words(most)),
            Some(most) => format!("{used} of {} today", in_words(most)),
            None if kind == "money" => return None,
            None => format!("{} today", in_words(used)),
        };
        let renews = page.moment_of(&row["resets_at"]).filter(|_| most.is_some_and(|most| used >= most));
        Some(Spent { said, used, most, renews })
    });
    spent.collect()
}

/// Said beside a budget that is none.
const NO_BUDGET: &str = "Write whole numbers up to 1,000,000, or leave a field empty for no limit.";

/// Whether it can be one, or empty for none.
fn is_budget(typed: Option<&str>) -> bool {
    let typed = typed.map_or("", str::trim);
    typed.is_empty() || typed.parse().is_ok_and(|number: i32| (0..=1_000_000).contains(&number))
}

/// Which agent is switched, and how; or what it may do in a day.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Switch {
    agent_id: Option<String>,
    may_call: Option<String>,
    actions: Option<String>,
    messages: Option<String>,
}

impl Switch {
    /// The budgets that were typed, null for an empty field; none if one is no whole number.
    fn budget(&self) -> Option<Value> {
        let mut input = json!({"agent_id": self.agent_id});
        for (member, typed) in [("actions", &self.actions), ("messages", &self.messages)] {
            match typed.as_deref().map(str::trim) {
                None => {}
                Some("") => input[member] = Value::Null,
                Some(number) => input[member] = number.parse::<i32>().ok()?.into(),
            }
        }
        Some(input)
    }
}

pub(crate) async fn switch(State(queue): Shared, Extension(visitor): Who, sent: Sent<Switch>) -> Response {
    let Form(switch) = sent.unwrap_or_default();
    if switch.actions.is_some() || switch.messages.is_some() {
        let shown = set_budget(&queue, &visitor, &switch).await;
        return queue.answered(&visitor, shown).await;
    }
    let (action, there) = match switch.may_call.as_deref() {
        Some("yes") => ("agent.enable", "/queue/agents?told=enabled"),
        Some("no") => ("agent.disable", "/queue/agents?told=disabled"),
        _ => return onward("/queue/agents"),
    };
    let answer = queue.ui.call(&visitor, action, json!({"agent_id": switch.agent_id.unwrap_or_default()})).await;
    match answer.success() {
        true => onward(there),
        false => queue.refuse(&visitor, &answer).await,
    }
}

async fn set_budget(queue: &Queue, visitor: &Visitor, switch: &Switch) -> Shown {
    let again = || async {
        let page = agents(&mut queue.ui.page(visitor), &Typed::default(), Some(switch)).await?;
        Ok(with_status(page, unreadable()))
    };
    let Some(input) = switch.budget() else { return again().await };
    let answer = queue.ui.call(visitor, "agent.set_budget", input).await;
    match answer.error_code() {
        None => Ok(onward("/queue/agents?told=budget")),
        Some("INVALID_INPUT") => again().await,
        Some(_) => Err(Box::new(answer)),
    }
}
