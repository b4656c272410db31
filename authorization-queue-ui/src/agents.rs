//! The agents: when they last called, and whether they may.

use axum::extract::{Extension, Form, Query, State};
use axum::response::Response;
use capabilities::Selection;
use minijinja::context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::words::{self, Moment};
use crate::{Asked, Door, Listing, PAGE, Sent, Shared, Shown, Told, Visitor, Who, filters, onward, rows_of};

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
}

pub(crate) async fn list(State(door): Shared, Extension(visitor): Who, asked: Asked<Told>) -> Response {
    let Query(told) = asked.unwrap_or_default();
    let shown = door.agents(&visitor, &told).await;
    door.answered(&visitor, shown).await
}

impl Door {
    async fn agents(&self, visitor: &Visitor, told: &Told) -> Shown {
        let selection = Selection {
            data_type: "agents".into(),
            filters: filters(&[]),
            limit: Some(PAGE),
            cursor: told.cursor.clone(),
            ..Selection::default()
        };
        let answer = match self.read(visitor, selection).await {
            Err(refused) if refused.error_code() == Some("INVALID_INPUT") => return Ok(onward("/queue/agents")),
            answer => answer?,
        };
        let house = self.house(visitor).await?;
        let listing = Listing::of(&answer, told.cursor.as_ref());
        let lines: Vec<Line> = rows_of(answer.data).iter().map(|row| self.agent(visitor, row)).collect();
        let notice = match told.told.as_deref() {
            Some("disabled") => "The agent is disabled: its token works no more, and what it had waiting is withdrawn.",
            Some("enabled") => "The agent may call again, with the token it had.",
            Some("undone") => "Undone: what the agent did is as it was before. An undo can be undone, too.",
            _ => "",
        };
        let may_undo = self.may(visitor, "audit.undo");
        let may_switch = self.may(visitor, "agent.disable") && self.may(visitor, "agent.enable");
        let values = context! { lines, listing, notice, may_switch, may_undo };
        Ok(self.show(visitor, &house, "agents", "agents.html", values))
    }

    fn agent(&self, visitor: &Visitor, row: &Value) -> Line {
        let stricter = row["overrides"].as_object().map_or(0, serde_json::Map::len);
        Line {
            id: words::text(&row["id"]),
            name: words::text(&row["name"]),
            last_call: self.moment_of(visitor, &row["last_call_at"]),
            disabled: self.moment_of(visitor, &row["disabled_at"]),
            expires: self.moment_of(visitor, &row["expires_at"]),
            stricter: match stricter {
                0 => String::new(),
                some => words::counted(some.try_into().unwrap_or(i64::MAX), "limit of its own", "limits of its own"),
            },
        }
    }
}

/// Which agent is switched, and how.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Switch {
    agent_id: Option<String>,
    may_call: Option<String>,
}

pub(crate) async fn switch(State(door): Shared, Extension(visitor): Who, sent: Sent<Switch>) -> Response {
    let Form(switch) = sent.unwrap_or_default();
    let (action, there) = match switch.may_call.as_deref() {
        Some("yes") => ("agent.enable", "/queue/agents?told=enabled"),
        Some("no") => ("agent.disable", "/queue/agents?told=disabled"),
        _ => return onward("/queue/agents"),
    };
    let answer = door.call(&visitor, action, json!({"agent_id": switch.agent_id.unwrap_or_default()})).await;
    match answer.success() {
        true => onward(there),
        false => door.refuse(&visitor, &answer).await,
    }
}
