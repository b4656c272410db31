//! What the pages ask the office for: visits, with as much around each as a page shows.

use capabilities::Answer;
use chrono::NaiveDate;
use serde_json::{Map, Value, json};
use ui_kit::{Detail, Page, Rows};
use uuid::Uuid;

/// Of a ticket that is shown with all that one needs to go there.
pub(crate) const WHOLE: Detail = Detail { include: &["contact", "address", "technicians"], fields: &[] };
/// Of one in a list of many.
pub(crate) const ENTRY: Detail = Detail {
    include: &["technicians"],
    fields: &["contact_name", "starts_at", "ends_at", "status", "confirmation", "clock_running_since_at"],
};
/// Of one of many of a customer's.
pub(crate) const PAST: Detail = Detail { include: &["technicians"], fields: &[] };

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

/// The tickets of these days in the order in which they begin.
pub(crate) async fn tickets(page: &mut Page<'_>, span: Span, detail: Detail) -> Result<Rows, Box<Answer>> {
    page.all("tickets", span.filters().into(), detail).await
}

/// The first two hundred of them.
pub(crate) async fn first_tickets(page: &mut Page<'_>, span: Span, detail: Detail) -> Result<Rows, Box<Answer>> {
    page.first("tickets", span.filters().into(), detail).await
}
