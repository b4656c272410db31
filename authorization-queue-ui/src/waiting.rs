//! What waits, newest first, and the switch that makes every change of an agent wait.

use axum::extract::{Extension, Form, Query, State};
use axum::response::Response;
use capabilities::Registry;
use minijinja::context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use ui_kit::{List, Moment, Page, Queried, Sent, Shown, Typed, Who, onward, words};

use crate::Shared;

/// So much of the model's words fits on a card.
const EXCERPT: usize = 160;

/// A request, as a list shows it.
#[derive(Serialize)]
pub(crate) struct Card {
    id: String,
    agent: String,
    wants: String,
    pub status: &'static str,
    pub waits: bool,
    /// Why it waits, in words.
    reasons: String,
    stake: String,
    excerpt: String,
    asked: Option<Moment>,
    /// How long it still waits, and until when.
    left: Option<String>,
    expires: Option<Moment>,
    pub decided: Option<Moment>,
    pub decided_by: String,
    pub note: String,
}

pub(crate) fn card(page: &Page<'_>, row: &Value) -> Card {
    let status = words::text(&row["status"]);
    let expires = words::time(&row["expires_at"]);
    Card {
        id: words::text(&row["id"]),
        agent: words::text(&row["agent"]),
        wants: words::lowered(&words::text(&row["summary"])),
        status: in_words(&status, row["decision"].as_str()),
        waits: status == "pending",
        reasons: reasons(row),
        stake: stake(page.registry(), row),
        excerpt: words::cut(&words::text(&row["reasoning"]), EXCERPT),
        asked: page.moment_of(&row["created_at"]),
        left: expires.map(|at| words::span(at - page.now())),
        expires: expires.map(|at| page.moment(at)),
        decided: page.moment_of(&row["decided_at"]),
        decided_by: words::text(&row["decided_by"]),
        note: words::text(&row["note"]),
    }
}

/// How much is at stake: "2 contacts and 1 note".
pub(crate) fn stake(registry: &Registry, row: &Value) -> String {
    let is_part = |table: &str| !registry.data_types().any(|entry| words::is_table_of(entry.name, table));
    let by_type = row["stake"]["by_type"].as_object();
    let mut by_type: Vec<(&String, &Value)> = by_type.into_iter().flatten().collect();
    by_type.sort_by_key(|(table, _)| is_part(table));
    let parts = by_type.into_iter().map(|(table, count)| {
        let (one, many) = words::kind(registry, table);
        words::counted(count.as_i64().unwrap_or_default(), &one, &many)
    });
    words::listed(&parts.collect::<Vec<_>>())
}

/// What became of a request, in a word or two.
fn in_words(status: &str, decision: Option<&str>) -> &'static str {
    match (status, decision) {
        ("pending", _) => "Waiting",
        ("executed", Some("allow_always")) => "Allowed always",
        ("executed", _) => "Allowed",
        ("failed", _) => "Allowed, but it failed",
        ("denied", _) => "Denied",
        ("expired", _) => "Ran out",
        _ => "Withdrawn",
    }
}

/// Why a request waits, in words.
pub(crate) fn reasons(row: &Value) -> String {
    let reasons = row["reasons"].as_array().into_iter().flatten();
    let reasons: Vec<String> = reasons.map(|reason| words::text(&reason["message"])).collect();
    match reasons.as_slice() {
        [] => "This always needs a person’s yes.".into(),
        some => words::capitalized(&format!("{}.", words::listed(some))),
    }
}

const WAITING: List = List::of("authorizations")
    .at("/queue")
    .always(|| json!({"status": "pending"}))
    .counted("request", "requests", "newest first")
    .ways("Older requests", "Back to the newest");

pub(crate) async fn list(State(queue): Shared, Extension(visitor): Who, asked: Queried<Typed>) -> Response {
    let Query(asked) = asked.unwrap_or_default();
    let shown = waiting(&mut queue.ui.page(&visitor), &asked).await;
    queue.answered(&visitor, shown).await
}

async fn waiting(page: &mut Page<'_>, asked: &Typed) -> Shown {
    let listed = match page.list(&WAITING, asked).await {
        Ok(listed) => listed,
        Err(refused) => return WAITING.anew(refused),
    };
    let cards: Vec<Card> = listed.rows.iter().map(|row| card(page, row)).collect();
    let is_frozen = page.frame().await?.frozen_since.is_some();
    let notice = match asked.get("told") {
        "frozen" if is_frozen => "Every change by an agent waits for you from now on.",
        "unfrozen" if !is_frozen => "Agents may work again. What was held goes on waiting.",
        _ => "",
    };
    page.show("waiting", "waiting.html", context! { cards, list => listed.list, notice }).await
}

/// The switch as its form sends it.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Switch {
    agents: Option<String>,
}

pub(crate) async fn switch(State(queue): Shared, Extension(visitor): Who, sent: Sent<Switch>) -> Response {
    let wanted = sent.ok().and_then(|Form(switch)| switch.agents);
    let (action, there) = match wanted.as_deref() {
        Some("freeze") => ("org.freeze", "/queue?told=frozen"),
        Some("unfreeze") => ("org.unfreeze", "/queue?told=unfrozen"),
        _ => return onward("/queue"),
    };
    let answer = queue.ui.call(&visitor, action, json!({})).await;
    match answer.success() {
        true => onward(there),
        false => queue.refuse(&visitor, &answer).await,
    }
}
