//! What the pages ask the office for: lists as a whole, with as much around each row as the office has and the visitor may
//! read.

use authorization_queue_ui::Visitor;
use capabilities::{Answer, Selection};
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::Work;

/// So much is read at once, so often. What is more is left out, which the page says.
const EACH: i64 = 200;
const TIMES: usize = 10;

/// A list, and whether it goes on.
pub(crate) struct Rows {
    pub rows: Vec<Value>,
    pub goes_on: bool,
    /// Something that no other answer has: what is sent twice from one page is done once.
    pub once: String,
    /// What the office said to it; empty if nothing.
    pub warning: String,
}

/// What is read of each row of a list.
#[derive(Clone, Copy)]
pub(crate) struct Detail {
    pub include: &'static [&'static str],
    /// All if empty.
    pub fields: &'static [&'static str],
}

impl Detail {
    /// Of a ticket that is shown with all that one needs to go there.
    pub const WHOLE: Self = Self { include: &["contact", "address", "technicians"], fields: &[] };
    /// Of one in a list of many.
    pub const ENTRY: Self = Self {
        include: &["technicians"],
        fields: &["contact_name", "starts_at", "ends_at", "status", "confirmation", "clock_running_since_at"],
    };
    /// Of one of many of a customer's.
    pub const PAST: Self = Self { include: &["technicians"], fields: &[] };
    /// Of anything else: as it is.
    pub const PLAIN: Self = Self { include: &[], fields: &[] };
}

/// The days of tickets, and whose.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub first: NaiveDate,
    pub last: NaiveDate,
    pub technician: Option<Uuid>,
}

impl Span {
    /// The filters of a list of visits.
    pub fn filters(self) -> Map<String, Value> {
        let mut filters = Map::from_iter([("from".into(), json!(self.first)), ("to".into(), json!(self.last))]);
        if let Some(technician) = self.technician {
            filters.insert("technician_id".into(), json!(technician));
        }
        filters
    }
}

impl Work {
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.ui.office().clock().now()
    }

    pub(crate) fn today(&self, visitor: &Visitor) -> NaiveDate {
        self.now().with_timezone(&visitor.caller.org().timezone).date_naive()
    }

    /// Of what rows could bring along, what there is in this office and the visitor may read.
    pub(crate) fn there_is(&self, visitor: &Visitor, data_type: &str, wanted: &[&str]) -> Vec<String> {
        let registry = self.ui.office().registry();
        let is_there = |name: &&&str| {
            let own =
                registry.data_type(data_type).is_ok_and(|own| own.parents.iter().any(|p| p.parent == Some(**name)));
            let is_child = |of: &str, children: &str| (of == data_type || of == "*") && children == **name;
            let readable = registry.data_types().filter(|entry| visitor.caller.is_among(entry.who));
            own || readable.flat_map(|entry| entry.parents).any(|parent| is_child(parent.of, parent.children))
        };
        wanted.iter().filter(is_there).map(ToString::to_string).collect()
    }

    /// One record with what belongs to it.
    pub(crate) async fn one(
        &self,
        visitor: &Visitor,
        data_type: &str,
        id: Uuid,
        include: &[&str],
    ) -> Result<Answer, Box<Answer>> {
        let include = self.there_is(visitor, data_type, include);
        let selection =
            Selection { data_type: data_type.into(), id: Some(id.to_string()), include, ..Selection::default() };
        self.ui.read(visitor, selection).await
    }

    /// All rows of a list, or the first two thousand.
    pub(crate) async fn all(
        &self,
        visitor: &Visitor,
        data_type: &str,
        filters: Value,
        detail: Detail,
    ) -> Result<Rows, Box<Answer>> {
        self.read_on(visitor, data_type, filters, detail, TIMES).await
    }

    /// The rows of a list, so many pages of it.
    async fn read_on(
        &self,
        visitor: &Visitor,
        data_type: &str,
        filters: Value,
        Detail { include, fields }: Detail,
        pages: usize,
    ) -> Result<Rows, Box<Answer>> {
        let include = self.there_is(visitor, data_type, include);
        let fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
        let filters = filters.as_object().cloned().unwrap_or_default();
        let mut all = Rows { rows: Vec::new(), goes_on: false, once: String::new(), warning: String::new() };
        let mut cursor = None;
        for _ in 0..pages {
            let (data_type, filters, limit) = (data_type.into(), filters.clone(), Some(EACH));
            let (include, fields) = (include.clone(), fields.clone());
            let selection = Selection { data_type, filters, include, fields, limit, cursor, ..Selection::default() };
            let answer = self.ui.read(visitor, selection).await?;
            if let Some(Value::Array(rows)) = answer.data {
                all.rows.extend(rows);
            }
            all.once = answer.meta.request_id.to_string();
            all.warning = answer.meta.warnings.first().map(|warning| warning.message.clone()).unwrap_or_default();
            cursor = answer.meta.next_cursor;
            if cursor.is_none() {
                return Ok(all);
            }
        }
        Ok(Rows { goes_on: true, ..all })
    }

    /// The tickets of these days in the order in which they begin.
    pub(crate) async fn tickets(&self, visitor: &Visitor, span: Span, detail: Detail) -> Result<Rows, Box<Answer>> {
        self.all(visitor, "tickets", span.filters().into(), detail).await
    }

    /// The first two hundred of them.
    pub(crate) async fn first_tickets(
        &self,
        visitor: &Visitor,
        span: Span,
        detail: Detail,
    ) -> Result<Rows, Box<Answer>> {
        self.read_on(visitor, "tickets", span.filters().into(), detail, 1).await
    }
}
