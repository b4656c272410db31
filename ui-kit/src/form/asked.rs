//! What a form asks for, member by member: from the schema of the action's input, with the words that the form itself has.

use serde_json::{Map, Value};

use crate::form::carrying::WHY;
use crate::form::kind::{Kind, may_be_null};
use crate::form::{Field, Form};
use crate::words::{capitalized, label};

/// How a row's version is sent by a form, and what the office calls it: a form is about what the person saw.
pub(crate) const VERSION: &str = "version";
pub(crate) const EXPECTED_VERSION: &str = "expected_version";

/// Something that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    /// As the form sends it: `address.street`.
    pub name: String,
    pub label: String,
    /// Beside the label, in small.
    pub aside: String,
    pub hint: String,
    pub kind: Kind,
    pub is_required: bool,
    pub may_be_null: bool,
    /// What is said if it is missing.
    pub missing: String,
    /// So many characters.
    pub most: Option<u64>,
    pub lines: u8,
    /// The words for the values of a choice, in their order; the values themselves if empty.
    pub choices: &'static [(&'static str, &'static str)],
}

impl Asked {
    /// From the schema of a member; none if a form has no words for it.
    pub fn of(name: &str, schema: &Value, is_required: bool) -> Option<Self> {
        let member = name.rsplit('.').next().unwrap_or(name);
        let kind = Kind::of(schema, name)?;
        let label = label(member);
        let hint = hint(schema["description"].as_str().unwrap_or_default());
        let says_more = hint.trim_end_matches('.').to_lowercase() != label.to_lowercase();
        Some(Self {
            name: name.into(),
            aside: if is_required || kind == Kind::Tick { String::new() } else { "may be left empty".into() },
            hint: if says_more { hint } else { String::new() },
            is_required: is_required && kind != Kind::Tick,
            may_be_null: may_be_null(schema),
            missing: missing(&kind).into(),
            most: schema["maxLength"].as_u64(),
            lines: 3,
            choices: &[],
            label,
            kind,
        })
    }

    /// Why a person does it, where that goes on record.
    pub fn why() -> Self {
        Self {
            name: WHY.into(),
            label: "Why".into(),
            aside: String::new(),
            hint: "It stands in the record of what was done.".into(),
            kind: Kind::Text,
            is_required: true,
            may_be_null: false,
            missing: String::new(),
            most: Some(2_000),
            lines: 2,
            choices: &[],
        }
    }

    /// The same in the words of a form.
    fn said(mut self, fields: &[Field]) -> Self {
        if let Kind::Part(members) | Kind::Parts(members) = &mut self.kind {
            *members = std::mem::take(members).into_iter().map(|member| member.said(fields)).collect();
        }
        let Some(field) = fields.iter().find(|field| field.name == self.name) else { return self };
        let or = |said: Option<&str>, own: String| said.map_or(own, str::to_string);
        Self {
            label: or(field.label, self.label),
            aside: or(field.aside, self.aside),
            hint: or(field.hint, self.hint),
            missing: or(field.missing, self.missing),
            lines: field.lines.unwrap_or(self.lines),
            choices: field.choices,
            ..self
        }
    }

    /// Its name within the thing it belongs to.
    pub fn member(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }
}

/// What a form asks for: what it has words for first, in its order, then what is required, then the rest. What is `given` need
/// not be asked, nor what the form leaves out.
pub(crate) fn asked(form: &Form, schema: &Value, given: &Map<String, Value>) -> Vec<Asked> {
    let own = |name: &str| form.fields.iter().position(|field| field.name == name).unwrap_or(usize::MAX);
    let is_asked = |asked: &Asked| {
        let name = asked.name.as_str();
        name != EXPECTED_VERSION && !given.contains_key(name) && !form.left_out.contains(&name)
    };
    let mut all: Vec<Asked> = each(schema, "").into_iter().flatten().filter(is_asked).collect();
    all.sort_by_key(|asked| own(&asked.name));
    all.into_iter().map(|asked| asked.said(form.fields)).collect()
}

/// The members of a thing that stands at `name`; none if one that is required cannot be asked for.
pub(crate) fn members(schema: &Value, name: &str) -> Option<Vec<Asked>> {
    let all = each(schema, &format!("{name}."));
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let known = required.into_iter().all(|wanted| all.iter().flatten().any(|asked| asked.member() == wanted));
    known.then(|| all.into_iter().flatten().collect())
}

/// The members that a schema describes, what is required first.
fn each(schema: &Value, lead: &str) -> Vec<Option<Asked>> {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let names = schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    let rest = names.filter(|name| !required.contains(name));
    let all = required.iter().map(|name| (*name, true)).chain(rest.map(|name| (name, false)));
    all.map(|(name, is_required)| Asked::of(&format!("{lead}{name}"), &schema["properties"][name], is_required))
        .collect()
}

fn missing(kind: &Kind) -> &'static str {
    match kind {
        Kind::OneOf(_) | Kind::Record(_) => "Choose one.",
        Kind::Several(one) if matches!(**one, Kind::OneOf(_) | Kind::Record(_)) => "Choose at least one.",
        Kind::Day => "Choose a day.",
        Kind::TimeOfDay => "Choose a time.",
        Kind::LocalTime | Kind::Moment => "Choose the day and time.",
        Kind::Money => "Write an amount, such as 149.50.",
        Kind::Count => "Write a whole number.",
        Kind::Number { .. } => "Write a number.",
        _ => "Write something here.",
    }
}

/// What a description says first.
pub(crate) fn first_paragraph(description: &str) -> &str {
    description.split("\n\n").next().unwrap_or_default()
}

/// The sentences of a text that are for people: descriptions name actions and fields for programs, too.
pub(crate) fn for_people(text: &str) -> String {
    let text = text.replace('\n', " ");
    let sentences = text.split_inclusive(". ").filter(|sentence| !sentence.contains(['`', '_']));
    capitalized(sentences.collect::<String>().trim())
}

/// The first sentence of a description, if it is for people.
fn hint(description: &str) -> String {
    for_people(first_paragraph(description).split_inclusive(". ").next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_what_is_for_them() {
        let description =
            "Delete a contact,\nwith its notes. Nothing brings it back. Prefer `contact.archive`.\n\nOften.";
        assert_eq!(
            for_people(first_paragraph(description)),
            "Delete a contact, with its notes. Nothing brings it back."
        );
        assert_eq!([hint("where it is. And more."), hint("With `fixed`: the price.")], ["Where it is.", ""]);
    }
}
