//! Carrying a form out: its input from what was typed, the action once, and what came of it beside the fields.

use std::collections::BTreeMap;

use capabilities::{ActionEntry, Answer, Options, OrgFacts};
use minijinja::{Value as Html, context};
use serde_json::{Map, Value};

use crate::form::Form;
use crate::form::asked::{Asked, EXPECTED_VERSION, VERSION, asked};
use crate::form::kind::Kind;
use crate::form::reading::{Reader, WAS, fill};
use crate::form::shown::{Choice, Hidden, Maker, Shown};
use crate::form::typed::{Problems, Typed, without_places};
use crate::page::Page;
use crate::refusals::at_the_form;
use crate::routes::unreadable;
use crate::rows::Detail;
use crate::ui::{Ui, Visitor};
use crate::words::{records_of, text};

/// The field in which a person says why, where the action wants that on record.
pub(crate) const WHY: &str = "why";
/// The button that asks for room for one more of several things, with their name.
pub(crate) const MORE: &str = "more";

/// What a form stands with on a page.
#[derive(Debug, Default)]
pub struct Given<'g> {
    /// Where it is sent to.
    pub to: &'g str,
    /// What it sends besides, and nobody fills in.
    pub hidden: &'g [(&'g str, &'g str)],
    /// The members of the input that are known already.
    pub input: Map<String, Value>,
    /// The version of the record as the page shows it.
    pub version: Option<i64>,
    /// The record as it is: its members stand in the fields.
    pub record: Option<&'g Value>,
    /// As it was filled in, if something was wrong with that.
    pub filled: Option<&'g Filled>,
}

/// A form as somebody filled it in, and what was wrong with it.
#[derive(Debug, Clone, Default)]
pub struct Filled {
    /// What was typed.
    pub typed: Typed,
    /// What is wrong with it.
    pub problems: Problems,
    /// The status of the answer; none if nothing was asked of the office.
    pub status: u16,
    /// What the first field with a problem is called.
    pub(crate) label: String,
    /// Whether room is wanted for one more of several things, by their name.
    pub(crate) more: String,
    /// Whether the action wants to know why.
    pub(crate) asks_why: bool,
}

impl Filled {
    /// What is wrong with it in a sentence: what comes first in the form.
    #[must_use]
    pub fn problem(&self) -> String {
        self.problems.first().1.to_string()
    }

    /// The same with the field that it is about.
    pub(crate) fn named_problem(&self) -> String {
        match self.label.as_str() {
            "" => self.problem(),
            label => format!("{label}: {}", self.problem()),
        }
    }
}

impl Form {
    /// What it asks for of this action, beside what is given.
    fn asked(&self, action: &ActionEntry, given: &Map<String, Value>) -> Vec<Asked> {
        asked(self, action.marked_input().unwrap_or(&Value::Null), given)
    }

    /// The input of its action from what was typed, or what is wrong with that. What is `given` is not asked for.
    pub fn input(
        &self,
        action: &ActionEntry,
        given: &Map<String, Value>,
        typed: &Typed,
        org: &OrgFacts,
    ) -> Result<Map<String, Value>, Problems> {
        let asked = self.asked(action, given);
        let mut reader = Reader { typed, org, problems: Problems::default() };
        let mut input = reader.all(&asked);
        let knows_versions =
            action.marked_input().is_some_and(|schema| schema["properties"].get(EXPECTED_VERSION).is_some());
        if let Some(version) = typed.get(VERSION).parse::<i32>().ok().filter(|_| knows_versions) {
            input.insert(EXPECTED_VERSION.into(), version.into());
        }
        match reader.problems.is_empty() {
            true => Ok(input),
            false => Err(reader.problems.in_order(&names(&asked))),
        }
    }

    /// The fields as they are filled in for this input.
    #[must_use]
    pub fn filled_in(&self, action: &ActionEntry, input: &Value, org: &OrgFacts) -> Typed {
        let mut typed = Typed::default();
        for member in self.asked(action, &Map::new()) {
            fill(&member, &input[member.member()], org, &mut typed);
        }
        if let Some(version) = input[EXPECTED_VERSION].as_i64() {
            typed.push(VERSION, version.to_string());
        }
        typed
    }
}

impl Ui {
    /// Carries out a form in the visitor's name, or says what is wrong with it. `given` goes before what was typed.
    pub async fn carry_out(
        &self,
        visitor: &Visitor,
        form: &Form,
        given: Map<String, Value>,
        typed: Typed,
    ) -> Result<Answer, Box<Filled>> {
        let entry = self.office().registry().action(form.action);
        let more = typed.get(MORE).to_string();
        if !more.is_empty() {
            return Err(Box::new(Filled { typed, more, ..Filled::default() }));
        }
        let input = match entry {
            Ok(entry) => form.input(entry, &given, &typed, visitor.caller.org()),
            // The office says that there is no such action.
            Err(_) => Ok(Map::new()),
        };
        let asked = entry.map(|entry| form.asked(entry, &given)).unwrap_or_default();
        let mut input = match input {
            Ok(input) => input,
            Err(problems) => {
                let label = label(&asked, problems.first().0);
                return Err(Box::new(Filled { typed, problems, label, status: unreadable(), ..Filled::default() }));
            }
        };
        input.extend(given);
        let reasoning = Some(typed.get(WHY)).filter(|why| !why.is_empty()).map(str::to_string);
        let options = Options { reasoning, ..Options::default() };
        let answer = self.perform_with(visitor, form.action, input.into(), typed.get("once"), options).await;
        match answer.success() {
            true => Ok(answer),
            false => Err(Box::new(self.refused_form(form, &asked, typed, &answer))),
        }
    }

    /// What the office says to a form, beside its fields as far as it is about them.
    fn refused_form(&self, form: &Form, asked: &[Asked], typed: Typed, answer: &Answer) -> Filled {
        let names = names(asked);
        let it = if form.it.is_empty() { records_of(self.office().registry(), form.action).0 } else { form.it.into() };
        let (mut problems, status) = (Problems::default(), answer.status);
        let named = |member: &str| names.contains(&without_places(member)).then(|| member.to_string());
        let asks_why = answer.error_code() == Some("REASONING_REQUIRED");
        match answer.error_code() {
            Some("INVALID_INPUT") => drop(problems.blame(answer, named)),
            Some("REASONING_REQUIRED") => problems.add(WHY, "Say in a sentence or two why, for the record."),
            _ => problems.add("", at_the_form(answer, &it)),
        }
        let problems = problems.in_order(&names);
        let label = label(asked, problems.first().0);
        Filled { typed, problems, label, status, asks_why, ..Filled::default() }
    }
}

/// The names of all fields, those of parts too.
fn names(asked: &[Asked]) -> Vec<String> {
    let within = |asked: &Asked| match &asked.kind {
        Kind::Part(members) | Kind::Parts(members) => names(members),
        _ => Vec::new(),
    };
    asked.iter().flat_map(|asked| std::iter::once(asked.name.clone()).chain(within(asked))).collect()
}

/// What the field of this name is called; nothing if it is none.
fn label(asked: &[Asked], name: &str) -> String {
    let name = without_places(name);
    let within = |asked: &Asked| match &asked.kind {
        _ if asked.name == name => Some(asked.label.clone()),
        Kind::Part(members) | Kind::Parts(members) => Some(label(members, &name)).filter(|label| !label.is_empty()),
        _ => None,
    };
    asked.iter().find_map(within).unwrap_or_default()
}

impl Page<'_> {
    /// A form on this page, as its HTML; nothing if the visitor may not do what it is for.
    pub async fn form(&mut self, form: &Form, given: Given<'_>) -> Result<Html, Box<Answer>> {
        if !self.may(form.action) {
            return Ok(Html::from(""));
        }
        let entry = self.registry().action(form.action).map_err(|error| self.refused(&error))?;
        let asked = form.asked(entry, &given.input);
        let choices = self.choices(&asked).await?;
        let (typed, was) = match (given.filled, given.record) {
            (Some(filled), _) => (filled.typed.clone(), Vec::new()),
            (None, Some(record)) => self.as_it_is(&asked, record),
            (None, None) => (Typed::default(), Vec::new()),
        };
        let none = Filled::default();
        let filled = given.filled.unwrap_or(&none);
        let hidden = given.hidden.iter().map(|(name, value)| Hidden::of(*name, *value));
        let version = given.version.map(|version| Hidden::of(VERSION, version.to_string()));
        let was = was.into_iter().chain(filled.typed.leading(WAS)).map(|(name, value)| Hidden::of(name, value));
        let lead = form.action.rsplit('.').next().unwrap_or_default().replace('_', "-");
        let problem = filled.problems.get("").to_string();
        let is_focused = !problem.is_empty();
        let (problems, more) = (&filled.problems, filled.more.as_str());
        let mut maker = Maker { lead, typed: &typed, problems, choices: &choices, more, is_focused };
        let mut fields = maker.all(&asked);
        if filled.asks_why {
            fields.extend(maker.all(&[Asked::why()]));
        }
        let shown = Shown {
            action: form.action,
            to: given.to.into(),
            csrf: self.visitor().csrf.clone(),
            once: self.once(),
            hidden: hidden.chain(version).chain(was).collect(),
            about: form.says(&entry.description),
            problem,
            fields,
            button: form.words(self.registry()),
            class: form.class(),
            folded: form.folded,
            is_open: given.filled.is_some(),
        };
        self.ui().part("form.html", context! { form => shown }).map_err(|error| self.refused(&error))
    }

    /// The fields as the record has them, and by what it is known whether they were changed.
    fn as_it_is(&self, asked: &[Asked], record: &Value) -> (Typed, Vec<(String, String)>) {
        let mut typed = Typed::default();
        for member in asked {
            let name = member.member();
            // A time by the clock of a place is typed by that clock.
            let local = record[format!("{name}_local")].as_str().and_then(|local| local.get(..16)).map(Value::from);
            let value = local.filter(|_| member.kind == Kind::LocalTime).unwrap_or_else(|| record[name].clone());
            fill(member, &value, self.org(), &mut typed);
        }
        let has = asked.iter().filter(|member| record.get(member.member()).is_some());
        let was = has.map(|member| (format!("{WAS}{}", member.name), typed.digest(&member.name))).collect();
        (typed, was)
    }

    /// The records that a form lets one choose from, by data type.
    async fn choices(&mut self, asked: &[Asked]) -> Result<BTreeMap<String, Vec<Choice>>, Box<Answer>> {
        let mut types = Vec::new();
        asked.iter().for_each(|asked| asked.kind.records(&mut types));
        types.sort_unstable();
        types.dedup();
        let mut choices = BTreeMap::new();
        for data_type in types {
            // What the visitor may not read is not offered.
            let rows = match self.first(data_type, Value::Null, Detail::PLAIN).await {
                Err(refused) if refused.error_code() == Some("FORBIDDEN") => Vec::new(),
                rows => rows?.rows,
            };
            choices.insert(data_type.to_string(), rows.iter().map(record_choice).map(Choice::of).collect());
        }
        Ok(choices)
    }
}

/// A record to choose: its id, and what it is called.
pub(crate) fn record_choice(row: &Value) -> (String, String) {
    let name = ["display_name", "name", "title", "number", "label"].iter().find_map(|name| row[*name].as_str());
    (text(&row["id"]), capabilities::visible(name.unwrap_or("no name")))
}
