//! What is done by a form: once however often it is sent, and with what was typed kept when it cannot be done.

use authorization_queue_ui::{Visitor, capitalized, text};
use axum::extract::{Extension, Form, Path, State};
use axum::response::Response;
use capabilities::{Answer, Error, Options};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::filter::CalendarFilter;
use crate::inputs::VisitForm;
use crate::{HOME, Named, Sent, Shared, Shown, Who, Work, onward};

pub(crate) async fn send(
    State(work): Shared,
    Extension(visitor): Who,
    id: Named<Uuid>,
    sent: Sent<VisitForm>,
) -> Response {
    let Form(typed) = sent.unwrap_or_default();
    let shown = match id {
        Ok(Path(id)) => work.carry_out(&visitor, id, typed).await,
        Err(_) => Err(work.no_such_visit()),
    };
    work.answered(&visitor, shown).await
}

impl VisitForm {
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

    /// Does it in the visitor's name. The same form of the same page, `once`, with the same content is done once.
    pub(crate) async fn perform(&self, visitor: &Visitor, action: &str, input: Value, once: &str) -> Answer {
        let digest = Sha256::digest(format!("{action}{input}"));
        let digest: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let idempotency_key = once.parse::<Uuid>().ok().map(|once| format!("page {once} {digest}"));
        self.ui.call_with(visitor, action, input, Options { idempotency_key, ..Options::default() }).await
    }

    async fn carry_out(&self, visitor: &Visitor, id: Uuid, mut typed: VisitForm) -> Shown {
        let Some(form) = typed.form() else {
            return Err(self.refused(&Error::invalid("/do", "is nothing that can be done here")));
        };
        let input = match form.input(&typed, id, visitor.caller.org()) {
            Ok(input) => input,
            Err(problem) => {
                typed.refuse(problem.into(), unreadable());
                return self.again(visitor, id, typed).await;
            }
        };
        let answer = self.perform(visitor, form.action, input, &typed.once).await;
        match answer.error_code() {
            Some(code) if !typed.is_so_already(code) => {
                typed.is_busy = code == "TECHNICIAN_BUSY";
                typed.refuse(in_words(&answer), answer.status);
                self.again(visitor, id, typed).await
            }
            _ if typed.from == "today" => Ok(onward(&format!("{HOME}?told={}", form.told))),
            _ if PARTS.contains(&typed.from.as_str()) => {
                Ok(onward(&format!("/tickets/{id}/{}?told={}", typed.from, form.told)))
            }
            _ => Ok(onward(&format!("/tickets/{id}?told={}", form.told))),
        }
    }

    /// The page once more, with what was typed and what is wrong with it.
    async fn again(&self, visitor: &Visitor, id: Uuid, typed: VisitForm) -> Shown {
        match typed.from.clone().as_str() {
            "today" => self.agenda(visitor, self.today(visitor), &CalendarFilter::default(), Some((id, typed))).await,
            part => self.part(visitor, id, part, typed).await,
        }
    }
}

/// The pages of a visit's parts on which there may be more to do.
const PARTS: [&str; 3] = ["clock", "crew", "lines"];

/// The status of a form in which something is missing.
pub(crate) fn unreadable() -> u16 {
    Error::InvalidInput(Vec::new()).code().status
}

/// Why it was not done, for somebody who reads it at the form.
pub(crate) fn in_words(answer: &Answer) -> String {
    let error = answer.error.clone().unwrap_or_default();
    let message = without_ids(&text(&error["message"]));
    match answer.error_code().unwrap_or_default() {
        "VERSION_CONFLICT" => "Somebody changed this visit meanwhile. Look again how it stands now.".into(),
        "NOT_FOUND" => "Something it needs is no longer there. Look again how it stands now.".into(),
        "INVALID_INPUT" => {
            let problems = error["problems"].as_array().into_iter().flatten();
            problems.map(|problem| sentence(&text(&problem["message"]))).collect::<Vec<_>>().join(" ")
        }
        "IN_THE_PAST" => format!("{message} Choose a time to come."),
        "INTERNAL" | "UNAVAILABLE" => "That did not work. Wait a moment and try again.".into(),
        _ => message,
    }
}

/// What is wrong with a field: "must be after 9", "is not a day".
fn sentence(problem: &str) -> String {
    let subject = if problem.starts_with("is ") { "This " } else { "" };
    capitalized(&format!("{subject}{problem}."))
}

/// Messages name records by id for programs, "(…, ticket 0197…)" and "(0197…)", beside what tells them to people.
fn without_ids(message: &str) -> String {
    [", ticket ", " ("].into_iter().fold(message.to_string(), |message, lead| {
        let mut parts = message.split(lead);
        let first = parts.next().unwrap_or_default().to_string();
        parts.fold(first, |said, part| match part.get(..36).filter(|id| id.parse::<Uuid>().is_ok()) {
            Some(id) if lead == " (" => said + part[id.len()..].trim_start_matches(')'),
            Some(id) => said + &part[id.len()..],
            None => said + lead + part,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_no_ids() {
        let message = "Busy: Al is at Bo (9:00 to 10:00, ticket 01970000-0000-7000-8000-000000000001); see, ticket 5.";
        assert_eq!(without_ids(message), "Busy: Al is at Bo (9:00 to 10:00); see, ticket 5.");
        let merged = "Al was merged into Bo (01970000-0000-7000-8000-000000000001).";
        assert_eq!(without_ids(merged), "Al was merged into Bo.");
    }
}
