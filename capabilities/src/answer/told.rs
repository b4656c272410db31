//! What an answer tells beside its data: warnings, what will go out, what people decided meanwhile.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::values::amounts::Payment;

/// Something the caller should know although the call went through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Warning {
    /// Stable, snake_case.
    pub code: String,
    /// A sentence.
    pub message: String,
    /// What it is about: ids with names, or the fields.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub about: Option<Value>,
}

/// An errand of this call and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recorded {
    pub id: Uuid,
    pub kind: String,
    pub summary: String,
    /// `recorded`: it will be done after the commit. `held`: after the freeze. Not done yet, so nobody should say "sent".
    pub state: String,
    /// What the worker gets; people see it in a preview.
    #[serde(skip)]
    pub payload: Value,
    #[serde(skip)]
    pub outward: bool,
    /// The mail it will be, as people see it in a preview.
    #[serde(skip)]
    pub letter: Option<Value>,
    #[serde(skip)]
    pub payment: Option<Payment>,
}

impl Recorded {
    /// The money it moves, either way, in minor units.
    pub fn money(&self) -> i64 {
        self.payment.as_ref().map_or(0, |payment| payment.amount.saturating_abs())
    }

    /// As a preview tells of it, without what only the worker needs.
    pub fn shown(&self) -> Value {
        let mut shown = json!({"kind": self.kind, "summary": self.summary});
        if let Some(letter) = &self.letter {
            shown["letter"] = letter.clone();
        }
        if let Some(payment) = &self.payment {
            shown["payment"] = json!(payment);
        }
        shown
    }
}

/// A decision, as an agent hears of it beside another answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct News {
    pub authorization_id: Uuid,
    pub status: String,
    pub summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    pub decided_by: Option<String>,
}
