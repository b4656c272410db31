//! What agents asked for and what became of it.

use axum::extract::{Extension, Query, State};
use axum::response::Response;
use capabilities::Selection;
use minijinja::context;
use serde::{Deserialize, Serialize};

use crate::waiting::Card;
use crate::words;
use crate::{Asked, Door, Listing, MANY, PAGE, Shared, Shown, Visitor, Who, filters, given, onward, rows_of};

/// By what became of it.
const STATUSES: [(&str, &str); 6] = [
    ("executed", "Allowed"),
    ("denied", "Denied"),
    ("failed", "Failed"),
    ("expired", "Ran out"),
    ("withdrawn", "Withdrawn"),
    ("pending", "Waiting"),
];

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Narrowing {
    status: Option<String>,
    agent: Option<String>,
    cursor: Option<String>,
}

/// A choice of a filter.
#[derive(Serialize)]
struct Choice {
    value: String,
    words: String,
    chosen: bool,
}

pub(crate) async fn list(State(door): Shared, Extension(visitor): Who, asked: Asked<Narrowing>) -> Response {
    let Query(narrowing) = asked.unwrap_or_default();
    let shown = door.history(&visitor, &narrowing).await;
    door.answered(&visitor, shown).await
}

impl Door {
    async fn history(&self, visitor: &Visitor, asked: &Narrowing) -> Shown {
        let selection = Selection {
            data_type: "authorizations".into(),
            filters: filters(&[("status", asked.status.as_ref()), ("agent_id", asked.agent.as_ref())]),
            limit: Some(PAGE),
            cursor: asked.cursor.clone(),
            ..Selection::default()
        };
        let answer = match self.read(visitor, selection).await {
            Err(refused) if refused.error_code() == Some("INVALID_INPUT") => return Ok(onward("/queue/history")),
            answer => answer?,
        };
        let chosen = |value: &str, filter: &Option<String>| given(filter.as_ref()).is_some_and(|is| is == value);
        let statuses = STATUSES.map(|(value, words)| Choice {
            value: value.into(),
            words: words.into(),
            chosen: chosen(value, &asked.status),
        });
        let agents = self.rows(visitor, "agents", MANY).await?;
        let agents = agents.iter().map(|agent| {
            let value = words::text(&agent["id"]);
            Choice { chosen: chosen(&value, &asked.agent), words: words::text(&agent["name"]), value }
        });
        let agents: Vec<Choice> = agents.collect();
        let (status, agent) = (given(asked.status.as_ref()), given(asked.agent.as_ref()));
        let narrowed = status.is_some() || agent.is_some();
        let house = self.house(visitor).await?;
        let listing = Listing::of(&answer, asked.cursor.as_ref());
        let cards: Vec<Card> = rows_of(answer.data).iter().map(|row| self.card(visitor, row)).collect();
        let values = context! { cards, listing, statuses, agents, status, agent, narrowed };
        Ok(self.show(visitor, &house, "history", "history.html", values))
    }
}
