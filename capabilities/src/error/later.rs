//! What stands against an undo, as the refusal names it.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

/// A later change that stands against an undo.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Later {
    /// 0 if its call holds, 1 if it is an undo that holds, 2 if it is undone itself: what holds comes first.
    #[serde(skip)]
    pub(crate) settled: i32,
    /// When, UTC.
    pub at: DateTime<Utc>,
    /// The call that made it.
    pub call_id: Uuid,
    /// What that did.
    pub action: String,
    /// Whose call it was.
    pub actor: String,
    /// changed (the same fields), deleted (the row), made (it again), refers (to what would be gone).
    pub how: &'static str,
    /// The table.
    pub data_type: String,
    /// The row.
    pub id: Uuid,
    /// The fields.
    pub fields: Vec<String>,
}

impl Later {
    /// In words, for a refusal.
    pub(crate) fn in_words(&self) -> String {
        let rows = self.data_type.replace('_', " ");
        let fields = self.fields.join(", ");
        let what = match self.how {
            "deleted" => format!("deleted a row of {rows}"),
            "made" => format!("made a row of {rows} again"),
            "refers" => format!("made a row of {rows} refer to it"),
            _ if fields.is_empty() => format!("changed {rows}"),
            _ => format!("changed {fields} in {rows}"),
        };
        format!("{} {what} with {} at {} (call {})", self.actor, self.action, self.at.to_rfc3339(), self.call_id)
    }
}
