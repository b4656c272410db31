//! What was allowed always: what it lets through in a sentence, and its end.

use std::collections::HashMap;

use axum::extract::{Extension, Form, Query, State};
use axum::response::Response;
use capabilities::{Answer, Selection};
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use minijinja::context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::coverage::Coverage;
use crate::words::{self, Moment};
use crate::{Listing, MANY, PAGE, Queried, Sent, Shared, Shown, Told, Ui, Visitor, Who, onward, rows_of};

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

pub(crate) async fn list(State(ui): Shared, Extension(visitor): Who, asked: Queried<Told>) -> Response {
    let Query(told) = asked.unwrap_or_default();
    let shown = ui.rules(&visitor, &told).await;
    ui.answered(&visitor, shown).await
}

impl Ui {
    async fn rules(&self, visitor: &Visitor, told: &Told) -> Shown {
        let selection = Selection {
            data_type: "rules".into(),
            include: vec!["coverage".into()],
            limit: Some(PAGE),
            cursor: told.cursor.clone(),
            ..Selection::default()
        };
        let answer = match self.read(visitor, selection).await {
            Err(refused) if refused.error_code() == Some("INVALID_INPUT") => return Ok(onward("/queue/rules")),
            answer => answer?,
        };
        let names = self.agent_names(visitor).await?;
        let frame = self.frame(visitor).await?;
        let listing = Listing::of(&answer, told.cursor.as_ref());
        let lines: Vec<Line> = rows_of(answer.data).iter().map(|row| self.line(visitor, row, &names)).collect();
        let revoked = told.told.as_deref() == Some("revoked");
        let (may_revoke, may_change) = (self.may(visitor, "rule.revoke"), self.may(visitor, "rule.update"));
        let values = context! { lines, listing, revoked, may_revoke, may_change };
        Ok(self.show(visitor, &frame, "rules", "rules.html", values))
    }

    /// What agents are called, by id.
    pub(crate) async fn agent_names(&self, visitor: &Visitor) -> Result<HashMap<String, String>, Box<Answer>> {
        let agents = self.rows(visitor, "agents", MANY).await?;
        Ok(agents.iter().map(|agent| (words::text(&agent["id"]), words::text(&agent["name"]))).collect())
    }

    pub(crate) fn line(&self, visitor: &Visitor, row: &Value, names: &HashMap<String, String>) -> Line {
        let registry = self.office.registry();
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
            although: self.although(&action, row),
            until: until.map(|at| self.moment(visitor, at)),
            until_words: until.map(|at| self.end_in_words(visitor, at)).unwrap_or_default(),
            used: match row["items_today"].as_i64().unwrap_or_default() {
                0 => "Not used today".into(),
                some => format!("Let {} through today", words::counted(some, &one, &many)),
            },
            last_used: self.moment_of(visitor, &row["last_used_at"]),
            coverage: row["coverage"].get(0).map(|found| self.coverage_in_words(visitor, &action, found)),
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
        let known = self.reasons(action);
        let told = |code: &str| {
            let known = known.iter().find(|(known, _)| *known == code);
            known.map_or_else(|| code.replace('_', " "), |(_, message)| (*message).into())
        };
        let codes = row["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let codes = codes.filter(|code| !NOT_COVERED.contains(code));
        words::listed(&codes.map(told).collect::<Vec<_>>())
    }

    /// The reasons for which calls of an action may wait: code and sentence.
    pub(crate) fn reasons(&self, action: &str) -> Vec<(&'static str, &'static str)> {
        let declared = self.office.registry().action(action).map(|entry| entry.escalations.as_slice());
        declared.unwrap_or_default().iter().map(|(code, _, message)| (*code, *message)).collect()
    }
}

/// The rule that is to end, as the page showed it.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Chosen {
    rule_id: Option<String>,
}

pub(crate) async fn revoke(State(ui): Shared, Extension(visitor): Who, sent: Sent<Chosen>) -> Response {
    let rule = sent.ok().and_then(|Form(chosen)| chosen.rule_id).unwrap_or_default();
    let answer = ui.call(&visitor, "rule.revoke", json!({"rule_id": rule})).await;
    match answer.success() {
        true => onward("/queue/rules?told=revoked"),
        false => ui.refuse(&visitor, &answer).await,
    }
}
