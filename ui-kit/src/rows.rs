//! What a page asks the office for: records and lists, with as much around each row as the office has and the visitor may
//! read.

use capabilities::{Answer, Selection};
use serde_json::Value;
use uuid::Uuid;

use crate::page::Page;

/// So much is read at once, so often. What is more is left out, which the page says.
const EACH: i64 = 200;
const TIMES: usize = 10;

/// A list, and whether it goes on.
#[derive(Debug, Default)]
pub struct Rows {
    /// The rows.
    pub rows: Vec<Value>,
    /// Whether there are more than were read.
    pub goes_on: bool,
    /// What the office said to it; empty if nothing.
    pub warning: String,
}

/// What is read of each row of a list.
#[derive(Debug, Clone, Copy)]
pub struct Detail {
    /// What it brings along, as far as that is there and the visitor may read it.
    pub include: &'static [&'static str],
    /// Its members; all if empty.
    pub fields: &'static [&'static str],
}

impl Detail {
    /// As it is.
    pub const PLAIN: Self = Self { include: &[], fields: &[] };
}

impl Page<'_> {
    /// Of what rows could bring along, what there is in this office and the visitor may read.
    #[must_use]
    pub fn there_is(&self, data_type: &str, wanted: &[&str]) -> Vec<String> {
        let registry = self.ui().office().registry();
        let is_there = |name: &&&str| {
            let own =
                registry.data_type(data_type).is_ok_and(|own| own.parents.iter().any(|p| p.parent == Some(**name)));
            let is_child = |of: &str, children: &str| (of == data_type || of == "*") && children == **name;
            let readable = registry.data_types().filter(|entry| self.visitor().caller.is_among(entry.who));
            own || readable.flat_map(|entry| entry.parents).any(|parent| is_child(parent.of, parent.children))
        };
        wanted.iter().filter(is_there).map(ToString::to_string).collect()
    }

    /// One record with what belongs to it.
    pub async fn one(&mut self, data_type: &str, id: Uuid, include: &[&str]) -> Result<Value, Box<Answer>> {
        let include = self.there_is(data_type, include);
        let selection =
            Selection { data_type: data_type.into(), id: Some(id.to_string()), include, ..Selection::default() };
        Ok(self.read(selection).await?.data.unwrap_or_default())
    }

    /// All rows of a list, or the first two thousand.
    pub async fn all(&mut self, data_type: &str, filters: Value, detail: Detail) -> Result<Rows, Box<Answer>> {
        self.read_on(data_type, filters, detail, TIMES).await
    }

    /// The first two hundred.
    pub async fn first(&mut self, data_type: &str, filters: Value, detail: Detail) -> Result<Rows, Box<Answer>> {
        self.read_on(data_type, filters, detail, 1).await
    }

    /// The rows of a list, so many pages of it.
    async fn read_on(
        &mut self,
        data_type: &str,
        filters: Value,
        Detail { include, fields }: Detail,
        pages: usize,
    ) -> Result<Rows, Box<Answer>> {
        let include = self.there_is(data_type, include);
        let fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
        let filters = filters.as_object().cloned().unwrap_or_default();
        let mut all = Rows::default();
        let mut cursor = None;
        for _ in 0..pages {
            let (data_type, filters, limit) = (data_type.into(), filters.clone(), Some(EACH));
            let (include, fields) = (include.clone(), fields.clone());
            let selection = Selection { data_type, filters, include, fields, limit, cursor, ..Selection::default() };
            let answer = self.read(selection).await?;
            if let Some(Value::Array(rows)) = answer.data {
                all.rows.extend(rows);
            }
            all.warning = answer.meta.warnings.first().map(|warning| warning.message.clone()).unwrap_or_default();
            cursor = answer.meta.next_cursor;
            if cursor.is_none() {
                return Ok(all);
            }
        }
        Ok(Rows { goes_on: true, ..all })
    }
}

/// The rows of an answer; one row, if it is one.
#[must_use]
pub fn rows_of(data: Option<Value>) -> Vec<Value> {
    match data {
        Some(Value::Array(rows)) => rows,
        other => other.into_iter().collect(),
    }
}

/// How many rows match in all, counted to 1,000: "3", "1000+".
#[must_use]
pub fn total_of(answer: &Answer) -> String {
    answer.meta.total.as_ref().map(|total| total.to_string().trim_matches('"').to_string()).unwrap_or_default()
}
