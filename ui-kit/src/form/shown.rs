//! A form as its template takes it.

use std::collections::BTreeMap;

use capabilities::Registry;
use serde::Serialize;

use crate::form::asked::{Asked, first_paragraph, for_people};
use crate::form::kind::Kind;
use crate::form::reading::nth_of;
use crate::form::typed::{Problems, Typed};
use crate::form::{Form, Look};
use crate::words::{capitalized, doing, label};

/// Of a choice that must be made, up to so many stand in the open.
const IN_THE_OPEN: usize = 4;

/// Something to choose.
#[derive(Debug, Clone, Serialize)]
pub struct Choice {
    /// As the form sends it.
    pub value: String,
    /// What it is called.
    pub words: String,
    /// Whether it is chosen.
    pub is_chosen: bool,
}

impl Choice {
    pub(crate) fn of((value, words): (String, String)) -> Self {
        Self { value, words, is_chosen: false }
    }
}

/// A field as a template takes it: forms and the filters of lists are made of them.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Control {
    /// How it looks: `line`, `text`, `tick`, `ticks`, `radio`, `select`, `part` or `parts`.
    pub look: &'static str,
    /// Among all of the page.
    pub id: String,
    /// As the form sends it.
    pub name: String,
    /// What it is called.
    pub label: String,
    /// What stands beside the label in small.
    pub aside: String,
    /// What helps to fill it in.
    pub hint: String,
    /// What is wrong with it.
    pub problem: String,
    /// The type of a line.
    pub kind: &'static str,
    /// Which keys a phone shows.
    pub keys: &'static str,
    /// What stands in it.
    pub value: String,
    /// So many characters.
    pub most: Option<u64>,
    /// So many lines.
    pub lines: u8,
    /// Whether something must stand in it.
    pub is_required: bool,
    /// Whether it has the focus when the page opens.
    pub has_focus: bool,
    /// What there is to choose.
    pub choices: Vec<Choice>,
    /// The first choice, which is none.
    pub no_choice: String,
    /// The least that a day can be.
    pub least: String,
    /// The fields of a part.
    pub fields: Vec<Control>,
    /// The fields of each of several parts.
    pub parts: Vec<Vec<Control>>,
}

impl Control {
    /// A line, with what is wrong with it.
    #[must_use]
    pub fn line(id: &str, name: &str, label: impl Into<String>, value: &str, problems: &Problems) -> Self {
        let (id, name, label, problem) = (id.into(), name.into(), label.into(), problems.get(name).into());
        Self { look: "line", kind: "text", id, name, label, problem, value: value.into(), ..Self::default() }
    }

    /// The same fields, of which the first that has a problem has the focus.
    #[must_use]
    pub fn focused(mut controls: Vec<Self>) -> Vec<Self> {
        let first = controls.iter_mut().find(|control| !control.problem.is_empty());
        first.into_iter().for_each(|control| control.has_focus = true);
        controls
    }
}

/// What a form sends and nobody fills in.
#[derive(Debug, Serialize)]
pub(crate) struct Hidden {
    name: String,
    value: String,
}

impl Hidden {
    pub fn of(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// A form.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    pub action: &'static str,
    pub to: String,
    pub csrf: String,
    pub once: String,
    pub hidden: Vec<Hidden>,
    pub about: String,
    pub problem: String,
    pub fields: Vec<Control>,
    pub button: String,
    pub class: &'static str,
    pub folded: &'static str,
    pub is_open: bool,
}

impl Form {
    /// Its heading.
    pub(crate) fn heading(&self, registry: &Registry) -> String {
        if self.title.is_empty() { capitalized(&doing(registry, self.action)) } else { self.title.into() }
    }

    /// What is said above its fields.
    pub(crate) fn says(&self, description: &str) -> String {
        self.about.map_or_else(|| for_people(first_paragraph(description)), str::to_string)
    }

    /// The words on its button.
    pub(crate) fn words(&self, registry: &Registry) -> String {
        if self.button.is_empty() { self.heading(registry) } else { self.button.into() }
    }

    /// The class of its button.
    pub(crate) fn class(&self) -> &'static str {
        match self.look {
            Look::Plain => "",
            Look::Quiet => "quiet",
            Look::Grave => "grave",
        }
    }
}

/// Makes the fields of a form.
pub(crate) struct Maker<'m> {
    /// What ids begin with, so that forms of one page have their own.
    pub lead: String,
    pub typed: &'m Typed,
    pub problems: &'m Problems,
    pub choices: &'m BTreeMap<String, Vec<Choice>>,
    /// The part of which there is to be room for one more.
    pub more: &'m str,
    /// Whether a field has the focus already: that of the first problem.
    pub is_focused: bool,
}

impl Maker<'_> {
    pub fn all(&mut self, asked: &[Asked]) -> Vec<Control> {
        asked.iter().map(|asked| self.one(asked)).collect()
    }

    fn one(&mut self, asked: &Asked) -> Control {
        let problem = self.problems.get(&asked.name).to_string();
        let has_focus = !problem.is_empty() && !self.is_focused;
        self.is_focused |= has_focus;
        let value = self.typed.raw(&asked.name).to_string();
        let plain = Control {
            look: "line",
            id: format!("{}-{}", self.lead, asked.name.replace(['.', '_'], "-")),
            name: asked.name.clone(),
            label: asked.label.clone(),
            aside: asked.aside.clone(),
            hint: asked.hint.clone(),
            has_focus,
            problem,
            kind: "text",
            most: asked.most,
            lines: asked.lines,
            is_required: asked.is_required,
            value,
            ..Control::default()
        };
        self.dressed(plain, asked, &asked.kind)
    }

    /// In the look of its kind.
    fn dressed(&mut self, plain: Control, asked: &Asked, kind: &Kind) -> Control {
        let line = |kind, keys, plain| Control { kind, keys, ..plain };
        match kind {
            Kind::Line => plain,
            Kind::Email => line("email", "email", plain),
            Kind::Phone => line("tel", "tel", plain),
            Kind::Count => line("text", "numeric", plain),
            Kind::Number { .. } | Kind::Money => line("text", "decimal", plain),
            Kind::Day => line("date", "", plain),
            Kind::TimeOfDay => line("time", "", plain),
            Kind::LocalTime | Kind::Moment => line("datetime-local", "", plain),
            Kind::Text | Kind::Pairs(_) => Control { look: "text", ..plain },
            Kind::Tick => Control { look: "tick", is_required: false, ..plain },
            Kind::OneOf(words) => {
                let is_open = asked.is_required && words.len() <= IN_THE_OPEN;
                let (look, no_choice) = if is_open { ("radio", "") } else { ("select", "Choose") };
                let choices = self.chosen(asked, words_of(asked, words));
                Control { look, choices, no_choice: no_choice.into(), ..plain }
            }
            Kind::Record(data_type) => {
                let choices = self.chosen(asked, self.choices.get(data_type).cloned().unwrap_or_default());
                Control { look: "select", choices, no_choice: "Choose".into(), ..plain }
            }
            Kind::Several(one) => {
                let choices = match &**one {
                    Kind::OneOf(words) => words_of(asked, words),
                    Kind::Record(data_type) => self.choices.get(data_type).cloned().unwrap_or_default(),
                    _ => return Control { look: "text", aside: with(&plain.aside, "one a line"), ..plain },
                };
                Control { look: "ticks", choices: self.chosen(asked, choices), ..plain }
            }
            Kind::Part(members) => Control { look: "part", fields: self.all(members), ..plain },
            Kind::Parts(members) => {
                let wanted = usize::from(self.more == asked.name);
                let count = (self.typed.count(&asked.name) + wanted).max(1);
                let parts = (0..count).map(|nth| {
                    let members: Vec<Asked> = members.iter().map(|member| nth_of(member, &asked.name, nth)).collect();
                    self.all(&members)
                });
                let parts = parts.collect();
                Control { look: "parts", parts, ..plain }
            }
        }
    }

    fn chosen(&self, asked: &Asked, choices: Vec<Choice>) -> Vec<Choice> {
        let is_chosen = |value: &str| self.typed.all(&asked.name).any(|typed| typed == value);
        choices.into_iter().map(|choice| Choice { is_chosen: is_chosen(&choice.value), ..choice }).collect()
    }
}

fn words_of(asked: &Asked, words: &[String]) -> Vec<Choice> {
    let choice = |value: &str, words: String| Choice { value: value.into(), words, is_chosen: false };
    match asked.choices {
        [] => words.iter().map(|word| choice(word, label(word))).collect(),
        own => own.iter().map(|(value, words)| choice(value, (*words).into())).collect(),
    }
}

fn with(aside: &str, more: &str) -> String {
    if aside.is_empty() { more.into() } else { format!("{more}, {aside}") }
}
