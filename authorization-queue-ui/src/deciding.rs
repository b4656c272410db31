//! Deciding a request by a form: once, on what the page showed, and with what was typed kept when it cannot be done.

use axum::extract::{Extension, Form, State};
use axum::response::Response;
use capabilities::{Answer, Error};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use ui_kit::{Named, Page, Problems, Sent, Shown, Visitor, Who, onward, unreadable, with_status, words};
use uuid::Uuid;

use crate::request::{Notice, View, items, looked_at, request, request_page};
use crate::terms::Terms;
use crate::{Queue, Shared};

/// Said above a fresh preview.
const CHANGED: &str = "Something changed since this page was made, so nothing was done. Here is what it would do now: \
please look again and decide again.";

/// A form as a person filled it in, and what is wrong with it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct DecisionForm {
    decision: String,
    seen: String,
    note: String,
    /// `this` or `every`.
    agents: String,
    items_per_call: String,
    items_per_day: String,
    until: String,
    /// Whether the rule is only to be tried on what was asked before.
    r#try: String,
    #[serde(skip)]
    pub problems: Problems,
}

/// What can be decided: the word in the form, the action, and whether the request is carried out by it.
const DECISIONS: [(&str, &str, bool); 3] = [
    ("allow_once", "authorization.allow_once", true),
    ("allow_always", "authorization.allow_always", true),
    ("deny", "authorization.deny", false),
];

impl DecisionForm {
    /// The forms as they are offered: a rule no wider than the request.
    pub fn as_narrow_as(row: &Value) -> Self {
        let items = items(row).to_string();
        Self { agents: "this".into(), items_per_call: items.clone(), items_per_day: items, ..Self::default() }
    }

    /// A form has its own fields only; those of the others are offered as before.
    fn beside_the_others(self, row: &Value) -> Self {
        match self.decision.as_str() {
            "allow_always" => self,
            _ => Self { decision: self.decision, seen: self.seen, note: self.note, ..Self::as_narrow_as(row) },
        }
    }

    /// The rule as it stands in the form, to be tried on the requests of the past.
    pub fn trial(&self, id: &Value) -> Map<String, Value> {
        let mut filters = Map::from_iter([("authorization_id".to_string(), id.clone())]);
        filters.insert("any_agent".into(), (self.agents == "every").into());
        filters.extend(self.terms().to_try());
        filters
    }

    fn note(&self) -> Option<&str> {
        Some(self.note.trim()).filter(|note| !note.is_empty())
    }

    /// The input of the action; what cannot be read as one is told in `problems`.
    fn input(&mut self, page: &Page<'_>, id: &Value) -> Option<Value> {
        let mut input = json!({"authorization_id": id});
        if let Some(note) = self.note() {
            input["note"] = note.into();
        }
        if self.decision != "allow_always" {
            return Some(input);
        }
        input["any_agent"] = (self.agents == "every").into();
        let terms = Terms { per_call: &self.items_per_call, per_day: &self.items_per_day, until: &self.until };
        terms.put_numbers(&mut input, &mut self.problems);
        terms.put_end(page, "", &mut input, &mut self.problems);
        self.problems.is_empty().then_some(input)
    }

    /// The limits of a rule, as far as it was filled in.
    pub fn terms(&self) -> Terms<'_> {
        Terms { per_call: &self.items_per_call, per_day: &self.items_per_day, until: &self.until }
    }

    /// Puts the office's problems beside the fields they are about; whether each has one.
    fn blame(&mut self, answer: &Answer) -> bool {
        let known = ["note", "items_per_call", "items_per_day", "until"];
        self.problems.blame(answer, |member| known.contains(&member).then(|| member.to_string()))
    }
}

pub(crate) async fn decide(
    State(queue): Shared,
    Extension(visitor): Who,
    id: Named<Uuid>,
    sent: Sent<DecisionForm>,
) -> Response {
    let Form(typed) = sent.unwrap_or_default();
    let shown = async {
        let row = request(&mut queue.ui.page(&visitor), id).await?;
        queue.carry_out(&visitor, &row, typed.beside_the_others(&row)).await
    };
    queue.answered(&visitor, shown.await).await
}

impl Queue {
    async fn carry_out(&self, visitor: &Visitor, row: &Value, mut typed: DecisionForm) -> Shown {
        let Some((_, action, does)) = DECISIONS.iter().find(|(word, _, _)| *word == typed.decision) else {
            return Err(self.ui.refused(&Error::invalid("/decision", "is none that can be made here")));
        };
        let here = format!("/queue/{}", words::text(&row["id"]));
        let Some(mut input) = typed.input(&self.ui.page(visitor), &row["id"]) else {
            let notice = Some(warning("Nothing was done yet: a field below needs another look."));
            return self.again(visitor, View { notice, typed, ..View::of(row) }, unreadable()).await;
        };
        if !typed.r#try.is_empty() && typed.decision == "allow_always" {
            let notice = Some(Notice { warns: false, text: "Nothing was done yet. Below, the rule was tried.".into() });
            return request_page(&mut self.ui.page(visitor), View { notice, typed, ..View::of(row) }).await;
        }
        if *does {
            // What was shown is what may be carried out, also when a second click comes after the preview was renewed.
            input["plan"] = typed.seen.as_str().into();
        }
        let answer = self.ui.call(visitor, action, input).await;
        match answer.error_code() {
            None => Ok(onward(&format!("{here}?told=done"))),
            Some("AUTHORIZATION_NOT_PENDING" | "AUTHORIZATION_EXPIRED") => Ok(onward(&format!("{here}?told=late"))),
            Some("PLAN_CHANGED") => {
                let fresh = answer.data.clone().unwrap_or_default();
                let before = looked_at(&mut self.ui.page(visitor), row, &typed.seen).await?;
                let view = View { before: before.as_ref(), notice: Some(warning(CHANGED)), typed, ..View::of(&fresh) };
                self.again(visitor, view, answer.status).await
            }
            Some("INVALID_INPUT") if typed.blame(&answer) => {
                let notice = Some(warning("Nothing was done yet: a field below needs another look."));
                self.again(visitor, View { notice, typed, ..View::of(row) }, answer.status).await
            }
            Some("FORBIDDEN" | "EACH_TIME" | "UNAVAILABLE" | "INTERNAL") => {
                let message = answer.error.as_ref().map(|error| words::text(&error["message"])).unwrap_or_default();
                let notice = Some(warning(&format!("Nothing was done. {message}")));
                self.again(visitor, View { notice, typed, ..View::of(row) }, answer.status).await
            }
            Some(_) => Err(Box::new(answer)),
        }
    }

    /// The page once more, with what was typed.
    async fn again(&self, visitor: &Visitor, view: View<'_>, status: u16) -> Shown {
        Ok(with_status(request_page(&mut self.ui.page(visitor), view).await?, status))
    }
}

fn warning(text: &str) -> Notice {
    Notice { warns: true, text: text.into() }
}
