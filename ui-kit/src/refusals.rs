//! Why something was not done, in the words of all pages: for a page that is shown instead, and beside a form.

use capabilities::Answer;
use minijinja::context;
use serde_json::Value;
use uuid::Uuid;

use crate::frame::Link;
use crate::words::{capitalized, text};

/// A refusal, for somebody who reads it on a page.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// What happened, in a few words.
    pub title: String,
    /// What is so.
    pub message: String,
    /// What to do about it; empty if there is nothing to say.
    pub advice: String,
    /// The way on.
    pub way: Option<Link>,
}

impl Refusal {
    /// The words for what the office answered.
    #[must_use]
    pub fn of(answer: &Answer) -> Self {
        let error = answer.error.as_ref();
        let message = without_ids(&error.map(|error| text(&error["message"])).unwrap_or_default());
        let (title, advice) = match answer.error_code().unwrap_or_default() {
            "NOT_FOUND" | "INVALID_INPUT" => {
                ("There is nothing here", "It may be of another business, or the address is incomplete.".into())
            }
            "INTERNAL" | "UNAVAILABLE" => ("That did not work", "Wait a moment and try again.".into()),
            "LINK_GONE" => ("This link no longer works", "Ask for a new one: here is how.".into()),
            "RATE_LIMITED" => ("That was too often", hint(error)),
            "UNAUTHENTICATED" => ("Please sign in", "You get in by a link that is made for you.".into()),
            _ => ("This cannot be done", hint(error)),
        };
        Self { title: title.into(), message, advice, way: None }
    }

    /// The same with a way on.
    #[must_use]
    pub fn onward(self, way: Link) -> Self {
        Self { way: Some(way), ..self }
    }

    /// As the template takes it.
    pub(crate) fn values(self, answer: &Answer) -> minijinja::Value {
        let quote = (answer.error_code() == Some("INTERNAL")).then(|| answer.meta.request_id.to_string());
        let Self { title, message, advice, way } = self;
        context! { title, message, advice, way, quote }
    }
}

/// What the office says to do next; where that is said to programs, what people can do on any page.
fn hint(error: Option<&Value>) -> String {
    let hint = error.map(|error| text(&error["hint"])).unwrap_or_default();
    let is_for_programs = |word: &str| word.contains(['`', '_', '/']) || word.trim_matches('.').contains('.');
    match hint.is_empty() || hint.split_whitespace().any(is_for_programs) || hint.contains("Repeat the request") {
        true => "Go back and use the buttons on the page.".into(),
        false => hint,
    }
}

/// Why it was not done, for somebody who reads it at the form. `it` is what the form is about: "visit".
#[must_use]
pub fn at_the_form(answer: &Answer, it: &str) -> String {
    let error = answer.error.clone().unwrap_or_default();
    let message = without_ids(&text(&error["message"]));
    match answer.error_code().unwrap_or_default() {
        "VERSION_CONFLICT" => format!("Somebody changed this {it} meanwhile. Look again how it stands now."),
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

/// What is wrong with a field, as a sentence: "must be after 9", "is not a day".
#[must_use]
pub fn sentence(problem: &str) -> String {
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

    #[test]
    fn what_is_said_to_programs_is_not_said_to_people() {
        let told = |hint: &str| super::hint(Some(&serde_json::json!({"hint": hint})));
        let on_a_page = "Go back and use the buttons on the page.";
        assert_eq!(told("Ask a person with that role."), "Ask a person with that role.");
        for hint in ["", "Restore it with `contact.restore`.", "Use ticket.reschedule.", "Repeat the request with GET."]
        {
            assert_eq!(told(hint), on_a_page, "{hint}");
        }
    }
}
