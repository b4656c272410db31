//! What a list is narrowed down by: fields that a form sends in the address.

use capabilities::Registry;
use serde_json::{Map, Value};

use crate::form::{Choice, Control, Kind, Problems, Typed};
use crate::list::List;
use crate::page::Page;
use crate::rows::Detail;
use crate::words::{encoded, label};

/// A choice of a filter: how the address says it, what it is called, and the filters of the data type that it means.
pub type Meaning = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// How a filter is asked for.
#[derive(Clone, Copy)]
enum Way {
    /// As the data type's own filter of this name says.
    Own,
    /// One of a few, each of which means something.
    OneOf(&'static [Meaning]),
    /// One of what there is.
    Some(fn(&Registry) -> Vec<(String, String)>),
    /// A record of this data type.
    Record(&'static str),
    /// From the beginning of a day on.
    From,
    /// Up to the end of a day.
    UpTo,
    /// Words to search for.
    Search,
}

/// A filter of a list.
#[derive(Clone, Copy)]
pub struct Filter {
    name: &'static str,
    member: &'static str,
    label: &'static str,
    any: &'static str,
    way: Way,
}

impl Filter {
    /// The data type's own filter of this name.
    #[must_use]
    pub const fn of(name: &'static str) -> Self {
        Self { name, member: name, label: "", any: "Any", way: Way::Own }
    }

    /// The same under another name in the address.
    #[must_use]
    pub const fn called(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// What it is called.
    #[must_use]
    pub const fn label(self, label: &'static str) -> Self {
        Self { label, ..self }
    }

    /// What the choice of all is called.
    #[must_use]
    pub const fn any(self, any: &'static str) -> Self {
        Self { any, ..self }
    }

    /// One of a few choices.
    #[must_use]
    pub const fn one_of(self, choices: &'static [Meaning]) -> Self {
        Self { way: Way::OneOf(choices), ..self }
    }

    /// One of the choices that the registry tells: each as the filter takes it, and in words.
    #[must_use]
    pub const fn some(self, choices: fn(&Registry) -> Vec<(String, String)>) -> Self {
        Self { way: Way::Some(choices), ..self }
    }

    /// A record of this data type.
    #[must_use]
    pub const fn record(self, data_type: &'static str) -> Self {
        Self { way: Way::Record(data_type), ..self }
    }

    /// From the beginning of a day of the business on.
    #[must_use]
    pub const fn first_day(self) -> Self {
        Self { way: Way::From, ..self }
    }

    /// Up to the end of a day of the business.
    #[must_use]
    pub const fn last_day(self) -> Self {
        Self { way: Way::UpTo, ..self }
    }

    /// Words to search for.
    #[must_use]
    pub const fn search(self) -> Self {
        Self { way: Way::Search, ..self }
    }
}

/// The filters of a list as somebody asked for them.
#[derive(Debug, Default)]
pub(crate) struct Narrowed {
    /// As the data type takes them.
    pub filters: Map<String, Value>,
    /// Their fields.
    pub controls: Vec<Control>,
    /// Whether there are any.
    pub is_some: bool,
    /// Whether one of them cannot be understood.
    pub is_wrong: bool,
    /// The same in an address, each with an "&" before it.
    pub query: String,
}

impl Narrowed {
    /// Understands what is asked of a list.
    pub async fn of(page: &mut Page<'_>, list: &List, asked: &Typed) -> Result<Self, Box<capabilities::Answer>> {
        let always = list.always.map(|filters| filters()).unwrap_or_default();
        let mut narrowed = Self { filters: always.as_object().cloned().unwrap_or_default(), ..Self::default() };
        let mut from = "";
        for filter in list.filters {
            let typed = asked.get(filter.name);
            let (mut control, means) = filter.understand(page, list, typed).await?;
            control.problem = match (&means, filter.way) {
                (Err(problem), _) => (*problem).into(),
                // Days in this form are in the order of time as texts, too.
                (_, Way::UpTo) if !typed.is_empty() && from > typed => {
                    "This day lies before the first one: choose a later day.".into()
                }
                _ => String::new(),
            };
            if matches!(filter.way, Way::From) {
                from = typed;
            }
            control.has_focus = !control.problem.is_empty() && !narrowed.is_wrong;
            narrowed.is_wrong |= !control.problem.is_empty();
            narrowed.controls.push(control);
            narrowed.filters.extend(means.unwrap_or_default());
            if !typed.is_empty() {
                narrowed.is_some = true;
                narrowed.query += &format!("&{}={}", filter.name, encoded(typed));
            }
        }
        Ok(narrowed)
    }
}

/// The filters of the data type that something means, or what is wrong with it.
type Means = Result<Map<String, Value>, &'static str>;

impl Filter {
    /// Its field, and what stands in it.
    async fn understand(
        &self,
        page: &mut Page<'_>,
        list: &List,
        typed: &str,
    ) -> Result<(Control, Means), Box<capabilities::Answer>> {
        let entry = page.registry().data_type(list.data_type).map_err(|error| page.refused(&error))?;
        let schema = entry.marked_filters().map(|schema| schema["properties"][self.member].clone()).unwrap_or_default();
        let words = if self.label.is_empty() { label(self.member) } else { self.label.into() };
        let plain = Control {
            no_choice: self.any.into(),
            ..Control::line(&self.name.replace('_', "-"), self.name, words, typed, &Problems::default())
        };
        let select = |choices| Control { look: "select", choices: chosen(choices, typed), ..plain.clone() };
        let is = |value: Value| Map::from_iter([(self.member.to_string(), value)]);
        let as_typed = || if typed.is_empty() { Map::new() } else { is(typed.into()) };
        let not_a_day = "Choose a day, or leave it empty.";
        Ok(match self.way {
            Way::OneOf(choices) => {
                // What is none of them is for the office to refuse.
                let means = meant_by(choices, typed).unwrap_or_else(as_typed);
                let choices = choices.iter().map(|(value, words, _)| ((*value).into(), (*words).into()));
                (select(choices.collect()), Ok(means))
            }
            Way::Some(choices) => (select(choices(page.registry())), Ok(as_typed())),
            Way::Record(data_type) => {
                let rows = page.first(data_type, Value::Null, Detail::PLAIN).await?.rows;
                let mut choices: Vec<_> = rows.iter().map(crate::form::record_choice).collect();
                choices.sort_by(|(_, a), (_, b)| a.cmp(b));
                (select(choices), Ok(as_typed()))
            }
            Way::From | Way::UpTo => {
                let is_from = matches!(self.way, Way::From);
                let at = if is_from { page.beginning_of(typed) } else { page.end_of(typed) };
                let means = match (typed, at) {
                    ("", _) => Ok(Map::new()),
                    (_, Some(at)) => Ok(is(at.to_rfc3339().into())),
                    (_, None) => Err(not_a_day),
                };
                (Control { kind: "date", ..plain }, means)
            }
            Way::Search => (Control { kind: "search", most: Some(200), ..plain }, Ok(as_typed())),
            Way::Own => match Kind::of(&schema, self.name) {
                Some(Kind::Tick) => {
                    let choices = [("true", "Yes"), ("false", "No")];
                    let means = match typed.parse::<bool>() {
                        Ok(yes) => is(yes.into()),
                        Err(_) => as_typed(),
                    };
                    (select(choices.map(|(value, words)| (value.into(), words.into())).to_vec()), Ok(means))
                }
                Some(Kind::OneOf(words)) => {
                    (select(words.iter().map(|word| (word.clone(), label(word))).collect()), Ok(as_typed()))
                }
                Some(Kind::Day) => (Control { kind: "date", ..plain }, Ok(as_typed())),
                Some(Kind::Count) => {
                    let means = typed.parse::<i64>().map_or_else(|_| as_typed(), |number| is(number.into()));
                    (Control { keys: "numeric", ..plain }, Ok(means))
                }
                _ => (plain, Ok(as_typed())),
            },
        })
    }
}

/// The filters that one of these choices means; none if it is none of them.
fn meant_by(choices: &'static [Meaning], typed: &str) -> Option<Map<String, Value>> {
    let (.., means) = choices.iter().find(|(value, ..)| *value == typed)?;
    Some(means.iter().map(|(name, value)| ((*name).to_string(), Value::from(*value))).collect())
}

fn chosen(choices: Vec<(String, String)>, typed: &str) -> Vec<Choice> {
    let choice = |(value, words): (String, String)| Choice { is_chosen: value == typed, value, words };
    choices.into_iter().map(choice).collect()
}
