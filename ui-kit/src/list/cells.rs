//! What stands in a column of a row, in words by what the schema says it is.

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::form::Kind;
use crate::list::{Column, List};
use crate::page::Page;
use crate::words::{self, Moment, amount, capitalized, grouped, label, money, text};

/// A column's head.
#[derive(Debug, Serialize)]
pub(crate) struct Head {
    label: String,
    is_number: bool,
}

/// What stands in a column of a row.
#[derive(Debug, Serialize)]
pub(crate) struct Cell {
    label: String,
    words: String,
    moment: Option<Moment>,
    is_number: bool,
    path: String,
}

impl List {
    /// The heads of its columns. `schema` is that of the rows.
    pub(crate) fn heads(&self, schema: &Value) -> Vec<Head> {
        let head = |column: &Column| Head { label: column.words(), is_number: column.is_number(schema) };
        self.columns.iter().map(head).collect()
    }

    /// A row in words. `schema` is that of its data type.
    pub(crate) fn cells(&self, page: &Page<'_>, schema: &Value, row: &Value) -> Vec<Cell> {
        let cell = |column: &Column| {
            let value = column.value(row);
            let kind = Kind::of(column.schema(schema), column.member);
            let moment = page.moment_of(value).filter(|_| kind == Some(Kind::Moment));
            Cell {
                label: column.words(),
                words: if moment.is_some() { String::new() } else { in_words(page, kind.as_ref(), value) },
                moment,
                is_number: column.is_number(schema),
                path: column.way(row),
            }
        };
        self.columns.iter().map(cell).collect()
    }
}

impl Column {
    fn words(&self) -> String {
        self.label.map_or_else(|| label(self.member.rsplit('.').next().unwrap_or(self.member)), str::to_string)
    }

    fn value<'r>(&self, row: &'r Value) -> &'r Value {
        self.member.split('.').fold(row, |value, member| &value[member])
    }

    fn schema<'s>(&self, schema: &'s Value) -> &'s Value {
        self.member.split('.').fold(schema, |schema, member| &schema["properties"][member])
    }

    /// Whether what stands in it is read from the right.
    fn is_number(&self, schema: &Value) -> bool {
        matches!(Kind::of(self.schema(schema), self.member), Some(Kind::Count | Kind::Number { .. } | Kind::Money))
    }

    /// The way to the page of the row.
    fn way(&self, row: &Value) -> String {
        let mut parts = self.path.split('{');
        let first = parts.next().unwrap_or_default().to_string();
        parts.fold(first, |path, part| {
            let (name, rest) = part.split_once('}').unwrap_or((part, ""));
            format!("{path}{}{rest}", text(&row[name]))
        })
    }
}

fn in_words(page: &Page<'_>, kind: Option<&Kind>, value: &Value) -> String {
    if let Some((minor, currency)) = amount(value) {
        return money(minor, currency, page.org());
    }
    match (kind, value) {
        (_, Value::Null) => String::new(),
        (_, Value::Bool(is_so)) => if *is_so { "yes" } else { "no" }.into(),
        (_, Value::Number(number)) => number.as_i64().map_or_else(|| number.to_string(), grouped),
        (Some(Kind::Day), Value::String(day)) => words::day(day).unwrap_or_else(|| text(value)),
        (Some(Kind::OneOf(_)), Value::String(word)) => capitalized(&word.replace('_', " ")),
        (_, Value::Array(items)) => {
            let words = items.iter().map(|item| in_words(page, None, item)).filter(|words| !words.is_empty());
            words.collect::<Vec<_>>().join(", ")
        }
        // Ids are for programs, and what has members has columns of its own.
        (_, Value::Object(_)) => String::new(),
        (_, Value::String(id)) if id.parse::<Uuid>().is_ok() => String::new(),
        (_, Value::String(_)) => text(value),
    }
}
