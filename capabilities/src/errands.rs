//! What a call causes outside the database, recorded in the same transaction as the change that caused it.

use serde::Serialize;

/// Something to be done after the commit: an e-mail, a charge.
pub trait Errand: Serialize + Send + Sync {
    /// Stable, snake_case: `send_email`.
    const KIND: &'static str;

    /// One sentence for people: "E-mail to jane@example.com: Your appointment".
    fn summary(&self) -> String;
}

/// An errand of this call and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub(crate) struct Recorded {
    pub id: uuid::Uuid,
    pub kind: String,
    pub summary: String,
    /// `recorded`: it will be done after the commit. Not done yet, so nobody should say "sent".
    pub state: String,
    /// What the worker gets; people see it in a preview.
    #[serde(skip)]
    pub payload: serde_json::Value,
}
