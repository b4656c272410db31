//! One row's change, field by field, with values in words. What stayed the same is left out.

use std::collections::BTreeMap;

use capabilities::{OrgFacts, Quantity, visible};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use ui_kit::words;
use uuid::Uuid;

use crate::difference::Piece;

/// Fields that only machines go by: when a row was made is when it is carried out, its place is an order, and how a number
/// is dialled follows from how it is written.
pub(crate) const UNTOLD: [&str; 3] = ["created_at", "position", "e164"];
/// In a line, values are shown up to here.
const SHORT: usize = 60;

/// A field before and after.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub(crate) struct Field {
    pub label: String,
    pub before: Option<String>,
    pub after: Option<String>,
    /// Of a long text, as far as it is to be read word by word: both in one.
    pub pieces: Vec<Piece>,
    /// Whether it was different when the person looked before.
    pub is_new: bool,
}

impl Field {
    /// In one line, with values cut.
    pub fn line(&self) -> String {
        self.told(|text| words::cut(text, SHORT))
    }

    /// The same in full.
    pub fn whole(&self) -> String {
        self.told(str::to_string)
    }

    /// Whether a line leaves something of it out.
    pub fn is_long(&self) -> bool {
        [&self.before, &self.after].into_iter().flatten().any(|text| text.chars().nth(SHORT).is_some())
    }

    fn told(&self, short: impl Fn(&str) -> String) -> String {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => format!("{}: {} → {}", self.label, short(before), short(after)),
            (None, Some(one)) | (Some(one), None) => format!("{}: {}", self.label, short(one)),
            (None, None) => self.label.clone(),
        }
    }
}

/// What values are told with.
pub(crate) struct Vocabulary {
    pub org: OrgFacts,
    /// The time of the page.
    pub now: DateTime<Utc>,
    /// The times at which the action was rehearsed: what carries them will carry the time of doing.
    pub rehearsed: Vec<DateTime<Utc>>,
    /// What the time of doing is called.
    pub moment: String,
    pub names: BTreeMap<Uuid, String>,
}

impl Vocabulary {
    /// The fields of a row that a change touches; `whole` rows are created or deleted.
    pub fn fields(&self, fields: &Map<String, Value>, whole: bool) -> Vec<Field> {
        let says_nothing = |sides: &Value| ["from", "to"].iter().all(|side| self.says_nothing(&sides[*side]));
        let told =
            fields.iter().filter(|(name, sides)| !(whole && (UNTOLD.contains(&name.as_str()) || says_nothing(sides))));
        let side = |name: &str, value: Option<&Value>| value.map(|value| self.measured(name, value));
        told.flat_map(|(name, sides)| {
            self.field(words::label(name), side(name, sides.get("from")).as_ref(), side(name, sides.get("to")).as_ref())
        })
        .collect()
    }

    /// A number as people write it: by its name it is an amount of money, a quantity or nothing special.
    fn measured(&self, name: &str, value: &Value) -> Value {
        match (value.as_i64(), name) {
            (Some(amount), name) if name.ends_with(words::MONEY) => words::own_money(amount, &self.org).into(),
            (Some(count), name) if name.ends_with(words::QUANTITY) => {
                Quantity::of_thousandths(count).to_string().into()
            }
            _ => value.clone(),
        }
    }

    /// Of a row that comes or goes: what is empty, and an id that stands for no name.
    fn says_nothing(&self, value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Array(items) => items.is_empty(),
            Value::String(text) => text.is_empty() || text.parse().is_ok_and(|id: Uuid| !self.names.contains_key(&id)),
            _ => false,
        }
    }

    fn field(&self, label: String, from: Option<&Value>, to: Option<&Value>) -> Vec<Field> {
        let members = |side: Option<&Value>| match side {
            None | Some(Value::Null) => Some(Map::new()),
            Some(value) if words::amount(value).is_some() => None,
            Some(Value::Object(members)) => Some(members.clone()),
            Some(_) => None,
        };
        let is_object = [from, to].into_iter().flatten().any(Value::is_object);
        if let (true, Some(before), Some(after)) = (is_object, members(from), members(to)) {
            let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
            names.sort();
            names.dedup();
            let changed = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
            return changed
                .flat_map(|name| {
                    let label = format!("{label}, {}", words::lowered(&words::label(name)));
                    let sides = [(from, &before), (to, &after)]
                        .map(|(side, members)| side.map(|_| members.get(name).cloned().unwrap_or_default()));
                    self.field(label, sides[0].as_ref(), sides[1].as_ref())
                })
                .collect();
        }
        let [before, after] = [from, to].map(|side| side.map(|value| self.value(value)));
        vec![Field { label, before, after, pieces: Vec::new(), is_new: false }]
    }

    fn value(&self, value: &Value) -> String {
        if let Some((amount, currency)) = words::amount(value) {
            return words::money(amount, currency, &self.org);
        }
        match value {
            Value::Null => "(empty)".into(),
            Value::Bool(true) => "yes".into(),
            Value::Bool(false) => "no".into(),
            Value::Number(number) => number.to_string(),
            Value::String(text) => self.text(text),
            Value::Array(items) if items.is_empty() => "(none)".into(),
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect::<Vec<_>>().join(", "),
            Value::Object(members) => {
                let parts =
                    members.iter().map(|(name, value)| format!("{}: {}", words::label(name), self.value(value)));
                parts.collect::<Vec<_>>().join("; ")
            }
        }
    }

    fn text(&self, text: &str) -> String {
        if let Ok(id) = text.parse::<Uuid>() {
            return self.names.get(&id).map_or_else(|| "another record".into(), |name| visible(name));
        }
        if let Some(at) = words::time(&Value::from(text)) {
            return if self.is_rehearsal(at) {
                self.moment.clone()
            } else {
                words::clock(at, self.now, self.org.timezone)
            };
        }
        if text.is_empty() {
            return "(empty)".into();
        }
        words::day(text).unwrap_or_else(|| visible(text))
    }

    /// A request is rehearsed when it is asked for and again when it is found changed, at a time of which only this is
    /// known: it lies between, and a clock's thousandths of a second are no text that somebody wrote.
    fn is_rehearsal(&self, at: DateTime<Utc>) -> bool {
        let Some(asked) = self.rehearsed.first() else { return false };
        self.rehearsed.contains(&at) || (at > *asked && at <= self.now && at.timestamp_subsec_millis() > 0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(fields: Value) -> Vec<String> {
        let now: DateTime<Utc> = "2030-01-07T09:00:00Z".parse().unwrap();
        let known = (Uuid::from_u128(7), "Jane Smith".to_string());
        let vocabulary = Vocabulary {
            org: OrgFacts {
                id: Uuid::nil(),
                timezone: chrono_tz::America::Chicago,
                currency: *b"USD",
                country: *b"US",
            },
            now,
            rehearsed: vec![now],
            moment: "now".into(),
            names: BTreeMap::from([known]),
        };
        let Value::Object(fields) = fields else { panic!("fields") };
        vocabulary.fields(&fields, false).iter().map(Field::line).collect()
    }

    #[test]
    fn values_are_told_in_words() {
        let fields = json!({
            "archived_at": {"from": null, "to": "2030-01-07T09:00:00+00:00"},
            "due_on": {"from": "2030-01-09", "to": null},
            "is_primary": {"from": false, "to": true},
            "merged_into": {"to": Uuid::from_u128(7)},
            "name": {"to": "\u{202e}<b>x</b>"},
            "price": {"from": {"amount": 9_900, "currency": "USD"}, "to": {"amount": 12_000, "currency": "USD"}},
            "starts_at": {"to": "2030-01-08T15:30:00Z"},
            "quantity_thousandths": {"from": 1000, "to": 2500},
            "tags": {"from": [], "to": ["vip", "north"]},
            "unit_price_amount": {"from": null, "to": 14900},
        });
        assert_eq!(
            told(fields),
            [
                "Archived at: (empty) → now",
                "Due on: Jan 9, 2030 → (empty)",
                "Primary: no → yes",
                "Merged into: Jane Smith",
                "Name: <b>x</b>",
                "Price: $99.00 → $120.00",
                "Quantity: 1 → 2.5",
                "Starts at: tomorrow, 9:30 AM",
                "Tags: (none) → vip, north",
                "Unit price: (empty) → $149.00",
            ]
        );
    }

    #[test]
    fn of_what_has_members_only_the_changed_ones_are_told() {
        let hours = json!({"business_hours": {
            "from": {"mon": ["08:00", "17:00"], "tue": ["08:00", "17:00"]},
            "to": {"mon": ["08:00", "17:00"], "tue": ["09:00", "17:00"], "sat": ["09:00", "12:00"]},
        }});
        assert_eq!(
            told(hours),
            ["Business hours, sat: (empty) → 09:00, 12:00", "Business hours, tue: 08:00, 17:00 → 09:00, 17:00"]
        );
    }
}
