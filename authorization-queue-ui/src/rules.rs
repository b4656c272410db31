//! What was allowed always: what it lets through in a sentence, and its end.

use std::collections::HashMap;

use axum::extract::{Extension, Form, Query, State};
use axum::response::Response;
use capabilities::Selection;
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use minijinja::context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::words::{self, Moment};
use crate::{Asked, Door, Listing, MANY, PAGE, Sent, Shared, Shown, Told, Visitor, Who, filters, onward, rows_of};

/// What a rule without numbers lets through: many at once are covered by a number only.
const NO_NUMBER: &str = "as often as it likes, a few at a time";

/// A rule, as the list shows it.
#[derive(Serialize)]
struct Line {
    id: String,
    version: i64,
    /// Whom it is for; nobody in particular if empty.
    agent: String,
    may: String,
    limits: String,
    although: String,
    until: Option<Moment>,
    until_words: String,
    is_over: bool,
    revoked: Option<Moment>,
    made: Option<Moment>,
    made_by: String,
    request: String,
}

pub(crate) async fn list(State(door): Shared, Extension(visitor): Who, asked: Asked<Told>) -> Response {
    let Query(told) = asked.unwrap_or_default();
    let shown = door.rules(&visitor, &told).await;
    door.answered(&visitor, shown).await
}

impl Door {
    async fn rules(&self, visitor: &Visitor, told: &Told) -> Shown {
        let selection = Selection {
            data_type: "rules".into(),
            filters: filters(&[]),
            limit: Some(PAGE),
            cursor: told.cursor.clone(),
            ..Selection::default()
        };
        let answer = match self.read(visitor, selection).await {
            Err(refused) if refused.error_code() == Some("INVALID_INPUT") => return Ok(onward("/queue/rules")),
            answer => answer?,
        };
        let agents = self.rows(visitor, "agents", MANY).await?;
        let names = agents.iter().map(|agent| (words::text(&agent["id"]), words::text(&agent["name"])));
        let names: HashMap<String, String> = names.collect();
        let house = self.house(visitor).await?;
        let listing = Listing::of(&answer, told.cursor.as_ref());
        let lines: Vec<Line> = rows_of(answer.data).iter().map(|row| self.line(visitor, row, &names)).collect();
        let revoked = told.told.as_deref() == Some("revoked");
        let values = context! { lines, listing, revoked, may_revoke => self.may(visitor, "rule.revoke") };
        Ok(self.show(visitor, &house, "rules", "rules.html", values))
    }

    fn line(&self, visitor: &Visitor, row: &Value, names: &HashMap<String, String>) -> Line {
        let registry = self.office.registry();
        let action = words::text(&row["action"]);
        let (one, many) = {
            let domain = action.split('.').next().unwrap_or_default();
            let known = registry.data_types().find(|entry| entry.one == domain);
            words::kind(registry, known.map_or(domain, |entry| entry.name))
        };
        let up_to = |member: &str, per: &str| {
            row[member].as_i64().map(|most| format!("up to {} {per}", words::counted(most, &one, &many)))
        };
        let limits: Vec<String> =
            [up_to("items_per_call", "at once"), up_to("items_per_day", "a day")].into_iter().flatten().collect();
        let until = words::time(&row["expires_at"]);
        let agent = row["agent_id"].as_str().map(|id| names.get(id).cloned().unwrap_or_else(|| "an agent".into()));
        Line {
            id: words::text(&row["id"]),
            version: row["version"].as_i64().unwrap_or_default(),
            agent: agent.unwrap_or_default(),
            may: words::doing(registry, &action),
            limits: words::capitalized(&if limits.is_empty() { NO_NUMBER.into() } else { limits.join(", ") }),
            although: self.although(&action, row),
            until: until.map(|at| self.moment(visitor, at)),
            until_words: until.map(|at| self.end_in_words(visitor, at)).unwrap_or_default(),
            is_over: !row["revoked_at"].is_null() || until.is_some_and(|at| at <= self.office.clock().now()),
            revoked: self.moment_of(visitor, &row["revoked_at"]),
            made: self.moment_of(visitor, &row["created_at"]),
            made_by: words::text(&row["created_by"]),
            request: words::text(&row["authorization_id"]),
        }
    }

    /// A rule that ends at midnight ends with the day before.
    fn end_in_words(&self, visitor: &Visitor, at: DateTime<Utc>) -> String {
        let local = at.with_timezone(&visitor.caller.org().timezone);
        match local.time() == NaiveTime::MIN {
            true => format!("the end of {}", (local - TimeDelta::seconds(1)).format("%A, %b %-d, %Y")),
            false => self.moment(visitor, at).local,
        }
    }

    /// The reasons a rule covers, in the words of the action's own declaration.
    fn although(&self, action: &str, row: &Value) -> String {
        let declared = self.office.registry().action(action).map(|entry| entry.escalations.clone()).unwrap_or_default();
        let told = |code: &str| {
            let known = declared.iter().find(|(known, _, _)| *known == code);
            known.map_or_else(|| code.replace('_', " "), |(_, _, message)| (*message).into())
        };
        // Many are covered by the numbers, which stand before.
        let codes = row["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let codes = codes.filter(|code| !["bulk", "burst"].contains(code));
        words::listed(&codes.map(told).collect::<Vec<_>>())
    }
}

/// The rule that is to end, as the page showed it.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Chosen {
    rule_id: Option<String>,
}

pub(crate) async fn revoke(State(door): Shared, Extension(visitor): Who, sent: Sent<Chosen>) -> Response {
    let rule = sent.ok().and_then(|Form(chosen)| chosen.rule_id).unwrap_or_default();
    let answer = door.call(&visitor, "rule.revoke", json!({"rule_id": rule})).await;
    match answer.success() {
        true => onward("/queue/rules?told=revoked"),
        false => door.refuse(&visitor, &answer).await,
    }
}
