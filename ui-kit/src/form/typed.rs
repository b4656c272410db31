//! What a person typed into a form, as it came; what is wrong with it; and both as a template finds them.

use std::sync::Arc;

use capabilities::Answer;
use minijinja::value::{Enumerator, Object, Value as Shown};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::refusals::sentence;
use crate::words::text;

/// The fields of a form in their order. A name may stand there several times.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Typed(Vec<(String, String)>);

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Typed {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        Self(fields.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl Typed {
    /// What stands in a field, without the spaces around it; nothing if there is no such field.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// What stands in all fields of a name, as far as something does.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let own = self.0.iter().filter(move |(known, _)| known == name);
        own.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// As it came, with its spaces.
    pub(crate) fn raw(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    /// The fields whose names begin so.
    pub(crate) fn leading(&self, lead: &str) -> Vec<(String, String)> {
        self.0.iter().filter(|(name, _)| name.starts_with(lead)).cloned().collect()
    }

    /// How many things stand under a name, of which the fields are called `name.0.member`.
    pub(crate) fn count(&self, name: &str) -> usize {
        let nth = |(known, _): &(String, String)| {
            known.strip_prefix(name)?.strip_prefix('.')?.split('.').next()?.parse::<usize>().ok()
        };
        self.0.iter().filter_map(nth).max().map_or(0, |last| last + 1)
    }

    /// Whether anything stands under a name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.under(name).next().is_some()
    }

    fn under(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        let is_own =
            move |known: &str| known.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        let own = self.0.iter().filter(move |(known, value)| is_own(known) && !value.trim().is_empty());
        own.map(|(known, value)| (known.as_str(), value.trim()))
    }

    /// By which it is known whether somebody changed what stands under a name.
    pub(crate) fn digest(&self, name: &str) -> String {
        let mut all: Vec<String> = self.under(name).map(|(known, value)| format!("{known}={}", lines(value))).collect();
        all.sort();
        Sha256::digest(all.join("\n")).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Browsers end a line their own way.
fn lines(value: &str) -> String {
    value.replace("\r\n", "\n")
}

impl Object for Typed {
    /// A field that did not come is empty.
    fn get_value(self: &Arc<Self>, name: &Shown) -> Option<Shown> {
        Some(Shown::from(self.raw(name.as_str()?)))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

/// What is wrong with the fields of a form, by their names in the order in which they are said; of the whole under no name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Problems(Vec<(String, String)>);

impl Problems {
    /// Says what is wrong with a field; the first that is said stays.
    pub fn add(&mut self, name: impl Into<String>, problem: impl Into<String>) {
        let name = name.into();
        if self.get(&name).is_empty() {
            self.0.push((name, problem.into()));
        }
    }

    /// What is wrong with a field; empty if nothing is.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, problem)| problem)
    }

    /// Whether nothing is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first of them, and where it is.
    #[must_use]
    pub fn first(&self) -> (&str, &str) {
        self.0.first().map_or(("", ""), |(name, problem)| (name, problem))
    }

    /// In the order of the fields.
    pub(crate) fn in_order(mut self, names: &[String]) -> Self {
        self.0.sort_by_key(|(name, _)| names.iter().position(|known| *known == without_places(name)));
        self
    }

    /// Takes over what the office says about its input, each beside the field that it is about: the one called as the JSON
    /// pointer says, or what that belongs to. `named` is what the form calls a member. Whether each found its place.
    pub fn blame(&mut self, answer: &Answer, named: impl Fn(&str) -> Option<String>) -> bool {
        let problems =
            answer.error.as_ref().and_then(|error| error["problems"].as_array()).cloned().unwrap_or_default();
        let mut all = !problems.is_empty();
        for problem in &problems {
            let pointer = text(&problem["pointer"]);
            let path = pointer.strip_prefix("/data").unwrap_or(&pointer).trim_start_matches('/').replace('/', ".");
            let mut place = path.as_str();
            let found = loop {
                match (named(place), place.rsplit_once('.')) {
                    (Some(name), _) => break Some(name),
                    (None, Some((whole, _))) => place = whole,
                    (None, None) => break None,
                }
            };
            all &= found.is_some();
            self.add(found.unwrap_or_default(), sentence(&text(&problem["message"])));
        }
        all
    }
}

/// The name of a field of several things, whichever of them it is: `emails.1.email` is `emails.email`.
pub(crate) fn without_places(name: &str) -> String {
    name.split('.').filter(|part| part.parse::<usize>().is_err()).collect::<Vec<_>>().join(".")
}

impl Object for Problems {
    /// Nothing is wrong with a field of which nothing is said.
    fn get_value(self: &Arc<Self>, name: &Shown) -> Option<Shown> {
        Some(Shown::from(self.get(name.as_str()?)))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

#[cfg(test)]
mod tests {
    use capabilities::{Error, Meta, Problem};

    use super::*;

    #[test]
    fn what_was_typed_is_found_by_its_name() {
        let typed = Typed::from_iter([("a", " x "), ("b", ""), ("c.0.d", "1"), ("c.2.d", "2"), ("a", "y")]);
        assert_eq!([typed.get("a"), typed.get("b"), typed.get("z")], ["x", "", ""]);
        assert_eq!(typed.all("a").collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!([typed.count("c"), typed.count("a")], [3, 0]);
        assert!(typed.has("c.2") && !typed.has("c.1") && !typed.has("b"));
        let again = Typed::from_iter([("c.2.d", "2"), ("c.0.d", " 1\r\n"), ("c.1.d", "")]);
        assert_eq!(typed.digest("c"), again.digest("c"), "neither order nor ends of lines are a change");
        assert_ne!(typed.digest("a"), again.digest("a"));
    }

    #[test]
    fn a_problem_stands_beside_the_field_it_is_about() {
        let wrong = [("/data/reason", "must not be empty"), ("/data/notes/3", "is no text"), ("/ticket_id", "is gone")];
        let wrong = wrong.map(|(pointer, message)| Problem::at(pointer, message)).to_vec();
        let answer = Answer::refused(&Error::InvalidInput(wrong), Meta::default());
        let mut problems = Problems::default();
        let known = |member: &str| ["reason", "notes"].contains(&member).then(|| member.to_string());
        assert!(!problems.blame(&answer, known), "nobody asked for a ticket");
        assert_eq!(problems.get("reason"), "Must not be empty.");
        assert_eq!(problems.get("notes"), "This is no text.");
        assert_eq!(problems.get(""), "This is gone.");
    }
}
