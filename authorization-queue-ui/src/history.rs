//! What agents asked for and what became of it.

use axum::extract::{Extension, Query, State};
use axum::response::Response;
use capabilities::{PermissionClass, Registry};
use minijinja::context;
use serde_json::json;
use ui_kit::{Filter, List, Page, Queried, Shown, Typed, Who, words};

use crate::Shared;
use crate::waiting::{Card, card};

const HISTORY: List = List::of("authorizations")
    .at("/queue/history")
    .title("History")
    .always(|| json!({"waiting": false}))
    .counted("request", "requests", "newest first")
    .filters(&[
        Filter::of("status").called("outcome").label("What became of it").any("Everything").one_of(&[
            ("allowed", "Allowed once", &[("status", "executed"), ("decision", "allow_once")]),
            ("always", "Allowed always", &[("status", "executed"), ("decision", "allow_always")]),
            ("failed", "Allowed, but it failed", &[("status", "failed")]),
            ("denied", "Denied", &[("status", "denied")]),
            ("expired", "Ran out", &[("status", "expired")]),
            ("withdrawn", "Withdrawn", &[("status", "withdrawn")]),
        ]),
        Filter::of("agent_id").called("agent").label("Agent").any("Every agent").record("agents"),
        Filter::of("action").label("What it wanted to do").any("Anything").some(actions_of_agents),
        Filter::of("from").label("Asked from this day on").first_day(),
        Filter::of("to").label("up to this day").last_day(),
    ])
    .ways("Older requests", "Back to the newest")
    .empty("Nothing was decided yet. What you allow or deny stands here afterwards.")
    .none_such("Nothing of that kind was decided.")
    .no_more("That is all. There is nothing older.");

pub(crate) async fn list(State(queue): Shared, Extension(visitor): Who, asked: Queried<Typed>) -> Response {
    let Query(asked) = asked.unwrap_or_default();
    let shown = history(&mut queue.ui.page(&visitor), &asked).await;
    queue.answered(&visitor, shown).await
}

async fn history(page: &mut Page<'_>, asked: &Typed) -> Shown {
    let listed = match page.list(&HISTORY, asked).await {
        Ok(listed) => listed,
        Err(refused) => return HISTORY.anew(refused),
    };
    let rows: Vec<Card> = listed.rows.iter().map(|row| card(page, row)).collect();
    page.show("history", "history.html", context! { rows, list => listed.list }).await
}

/// What agents may ask for, in words.
fn actions_of_agents(registry: &Registry) -> Vec<(String, String)> {
    let open = registry.actions().filter(|action| action.class < PermissionClass::PeopleOnly && !action.never_held);
    let choice = |name: &str| (name.to_string(), words::capitalized(&words::doing(registry, name)));
    let mut actions: Vec<_> = open.map(|action| choice(action.name)).collect();
    actions.sort_by(|(_, a), (_, b)| a.cmp(b));
    actions
}
