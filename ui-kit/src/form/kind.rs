//! What kind of thing a member of an input is, read from its schema: how it is asked for in a form, and how what a person typed
//! becomes a value.

use capabilities::{FREE_TEXT, REFERS_TO, TIME};
use serde_json::Value;

use crate::form::asked::{Asked, members};

/// Beyond so many characters a text has lines.
const A_LINE: u64 = 200;

/// How something is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// A text in a line.
    Line,
    /// A text of several lines.
    Text,
    Email,
    Phone,
    /// A whole number.
    Count,
    /// A number, or a decimal that stays a text.
    Number {
        is_text: bool,
    },
    /// Yes, or not.
    Tick,
    /// One of a few words.
    OneOf(Vec<String>),
    Day,
    TimeOfDay,
    /// A day and a time by the clock of the place it is about, as it is typed.
    LocalTime,
    /// A day and a time of the business.
    Moment,
    Money,
    /// A record of this data type.
    Record(String),
    /// Several of the same.
    Several(Box<Kind>),
    /// Members of one thing.
    Part(Vec<Asked>),
    /// Several things with members.
    Parts(Vec<Asked>),
    /// Names with a value each.
    Pairs(Box<Kind>),
}

impl Kind {
    /// The kind of what a schema describes; none if a form has no words for it.
    pub fn of(schema: &Value, name: &str) -> Option<Self> {
        match type_of(schema)? {
            "boolean" => Some(Self::Tick),
            "integer" => Some(Self::Count),
            "number" => Some(Self::Number { is_text: false }),
            "string" => Some(Self::of_text(schema, name.rsplit('.').next().unwrap_or(name))),
            "array" => match Self::of(&schema["items"], name)? {
                Self::Part(members) => Some(Self::Parts(members)),
                Self::Several(_) | Self::Parts(_) | Self::Pairs(_) | Self::Money => None,
                one => Some(Self::Several(Box::new(one))),
            },
            "object" if is_money(schema) => Some(Self::Money),
            "object" if schema["properties"].is_object() => Some(Self::Part(members(schema, name)?)),
            "object" => Some(Self::Pairs(Box::new(Self::of(schema.get("additionalProperties")?, name)?))),
            _ => None,
        }
    }

    fn of_text(schema: &Value, name: &str) -> Self {
        let words = schema["enum"].as_array().map(|words| words.iter().filter_map(Value::as_str).map(str::to_string));
        if let Some(words) = words {
            return Self::OneOf(words.collect());
        }
        if let Some(data_type) = schema[REFERS_TO].as_str() {
            return Self::Record(data_type.into());
        }
        if schema[TIME] == true {
            return Self::LocalTime;
        }
        let is_long = schema["maxLength"].as_u64().is_some_and(|most| most > A_LINE);
        match (schema["format"].as_str(), schema["pattern"].as_str().unwrap_or_default()) {
            (Some("email"), _) => Self::Email,
            (Some("date-time"), _) => Self::Moment,
            (Some("date"), _) => Self::Day,
            (_, pattern) if pattern.starts_with("^[0-9]{4}-[0-9]{2}-[0-9]{2}") => Self::Day,
            (_, pattern) if pattern.contains("[0-5][0-9]") => Self::TimeOfDay,
            (_, pattern) if pattern.starts_with("^[0-9]{1,") => Self::Number { is_text: true },
            _ if name == "phone" => Self::Phone,
            _ if schema[FREE_TEXT] == true || is_long => Self::Text,
            _ => Self::Line,
        }
    }

    /// The data types whose records are chosen from.
    pub fn records<'k>(&'k self, into: &mut Vec<&'k str>) {
        match self {
            Self::Record(data_type) => into.push(data_type),
            Self::Several(one) | Self::Pairs(one) => one.records(into),
            Self::Part(members) | Self::Parts(members) => members.iter().for_each(|member| member.kind.records(into)),
            _ => {}
        }
    }
}

/// The type of a schema beside null.
fn type_of(schema: &Value) -> Option<&str> {
    match &schema["type"] {
        Value::String(one) => Some(one),
        Value::Array(several) => several.iter().filter_map(Value::as_str).find(|one| *one != "null"),
        _ => None,
    }
}

/// Whether what a schema describes may be null, to clear it.
pub(crate) fn may_be_null(schema: &Value) -> bool {
    schema["type"].as_array().is_some_and(|several| several.iter().any(|one| one == "null"))
}

fn is_money(schema: &Value) -> bool {
    let names = schema["properties"].as_object();
    names.is_some_and(|names| names.len() == 2 && names.contains_key("amount") && names.contains_key("currency"))
}
