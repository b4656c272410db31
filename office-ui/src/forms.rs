//! What is done to a visit by a form: the clock, another time, calling it off, a note. Done once however often it is sent, and
//! with what was typed kept when it cannot be done.

use authorization_queue_ui::{Visitor, capitalized, text};
use axum::extract::{Extension, Form, Path, State};
use axum::response::Response;
use capabilities::{Answer, Error, Options};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::filter::Narrowing;
use crate::{HOME, Named, Sent, Shared, Shown, Who, Work, onward};

/// What can be done: the word in the form, the action, and the word that tells it was done.
const FORMS: [(&str, &str, &str); 5] = [
    ("clock_in", "ticket.clock_in", "in"),
    ("clock_out", "ticket.clock_out", "out"),
    ("reschedule", "ticket.reschedule", "moved"),
    ("cancel", "ticket.cancel", "cancelled"),
    ("note", "note.add", "noted"),
];

/// A form as a person filled it in, and what is wrong with it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Typed {
    #[serde(rename(deserialize = "do"))]
    pub what: String,
    /// Of the page it was sent from, and no other.
    once: String,
    /// The page to come back to, if not the ticket's own.
    from: String,
    version: String,
    pub starts_at: String,
    anyway: String,
    reason: String,
    content: String,
    technician: String,
    at: String,
    #[serde(skip_deserializing)]
    problem: String,
    /// Somebody has another visit at that time, which can be overridden.
    #[serde(skip_deserializing)]
    is_busy: bool,
}

/// What a form on a list was refused for.
pub(crate) struct Refused {
    pub ticket: String,
    pub problem: String,
    pub status: u16,
}

pub(crate) async fn send(State(work): Shared, Extension(visitor): Who, id: Named<Uuid>, sent: Sent<Typed>) -> Response {
    let Form(typed) = sent.unwrap_or_default();
    let shown = match id {
        Ok(Path(id)) => work.carry_out(&visitor, id, typed).await,
        Err(_) => Err(work.no_such_visit()),
    };
    work.answered(&visitor, shown).await
}

impl Typed {
    /// The input of the action, or what is missing in it.
    fn input(&self, id: Uuid) -> Result<Value, &'static str> {
        let mut input = json!({"ticket_id": id});
        match self.what.as_str() {
            "reschedule" if self.starts_at.is_empty() => return Err("Choose the day and time to move it to."),
            "reschedule" => {
                input["starts_at"] = self.starts_at.as_str().into();
                input["allow_overlap"] = (self.anyway == "yes").into();
            }
            "cancel" if self.reason.trim().is_empty() => return Err("Write in a few words why it is cancelled."),
            "cancel" => input["reason"] = self.reason.trim().into(),
            "note" if self.content.trim().is_empty() => return Err("Write the note first."),
            "note" => input["content"] = self.content.trim().into(),
            _ => {
                for (member, value) in [("technician_id", &self.technician), ("at", &self.at)] {
                    if !value.is_empty() {
                        input[member] = value.as_str().into();
                    }
                }
            }
        }
        if let (Ok(version), true) =
            (self.version.parse::<i32>(), ["reschedule", "cancel"].contains(&self.what.as_str()))
        {
            input["expected_version"] = version.into();
        }
        Ok(input)
    }

    /// The same form of the same page with the same content is done once.
    fn key(&self, input: &Value) -> Option<String> {
        let digest = Sha256::digest(format!("{}{input}", self.what));
        let digest: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        self.once.parse::<Uuid>().ok().map(|once| format!("page {once} {digest}"))
    }

    /// Whether it is what the form was sent for that stands in its way.
    fn is_so_already(&self, code: &str) -> bool {
        self.at.is_empty()
            && [("clock_in", "CLOCK_RUNNING"), ("clock_out", "CLOCK_NOT_RUNNING")].contains(&(self.what.as_str(), code))
    }
}

impl Work {
    pub(crate) fn no_such_visit(&self) -> Box<Answer> {
        self.refused(&Error::NotFound { what: "such visit".into() })
    }

    async fn carry_out(&self, visitor: &Visitor, id: Uuid, mut typed: Typed) -> Shown {
        let Some((_, action, told)) = FORMS.iter().find(|(word, ..)| *word == typed.what) else {
            return Err(self.refused(&Error::invalid("/do", "is nothing that can be done here")));
        };
        let input = match typed.input(id) {
            Ok(input) => input,
            Err(problem) => {
                typed.problem = problem.into();
                return self.again(visitor, id, typed, Error::InvalidInput(Vec::new()).code().status).await;
            }
        };
        let options = Options { idempotency_key: typed.key(&input), ..Options::default() };
        let answer = self.door.call_with(visitor, action, input, options).await;
        match answer.error_code() {
            Some(code) if !typed.is_so_already(code) => {
                typed.is_busy = code == "TECHNICIAN_BUSY";
                typed.problem = in_words(&answer);
                self.again(visitor, id, typed, answer.status).await
            }
            _ if typed.from == "today" => Ok(onward(&format!("{HOME}?told={told}"))),
            _ => Ok(onward(&format!("/tickets/{id}?told={told}"))),
        }
    }

    /// The page once more, with what was typed and what is wrong with it.
    async fn again(&self, visitor: &Visitor, id: Uuid, typed: Typed, status: u16) -> Shown {
        match typed.from.as_str() {
            "today" => {
                let refused = Refused { ticket: id.to_string(), problem: typed.problem, status };
                self.agenda(visitor, self.today(visitor), &Narrowing::default(), Some(&refused)).await
            }
            _ => self.ticket(visitor, id, None, Some((typed, status))).await,
        }
    }
}

/// Why it was not done, for somebody who reads it at the form.
fn in_words(answer: &Answer) -> String {
    let error = answer.error.clone().unwrap_or_default();
    let message = without_ids(&text(&error["message"]));
    match answer.error_code().unwrap_or_default() {
        "VERSION_CONFLICT" => "Somebody changed this visit meanwhile. Look again how it stands now.".into(),
        "INVALID_INPUT" => {
            let problems = error["problems"].as_array().into_iter().flatten();
            let sentence = |problem: &Value| capitalized(&format!("{}.", text(&problem["message"])));
            problems.map(sentence).collect::<Vec<_>>().join(" ")
        }
        "IN_THE_PAST" => format!("{message} Choose a time to come."),
        "INTERNAL" | "UNAVAILABLE" => "That did not work. Wait a moment and try again.".into(),
        _ => message,
    }
}

/// Messages name tickets by id for programs, beside what tells them to people.
fn without_ids(message: &str) -> String {
    let mut parts = message.split(", ticket ");
    let first = parts.next().unwrap_or_default().to_string();
    parts.fold(first, |said, part| match part.get(..36).filter(|id| id.parse::<Uuid>().is_ok()) {
        Some(id) => said + &part[id.len()..],
        None => format!("{said}, ticket {part}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_no_ids() {
        let message = "Busy: Al is at Bo (9:00 to 10:00, ticket 01970000-0000-7000-8000-000000000001); see, ticket 5.";
        assert_eq!(without_ids(message), "Busy: Al is at Bo (9:00 to 10:00); see, ticket 5.");
    }
}
