//! The envelope every caller gets, by whatever door.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::errands::Recorded;
use crate::error::Error;
use crate::tx::Warning;

/// What stands beside the data.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Meta {
    /// The call's id: what to quote, and where its trail is.
    pub request_id: Uuid,
    /// When, UTC.
    pub timestamp: DateTime<Utc>,
    /// What to know although it went through.
    pub warnings: Vec<Warning>,
    /// What will go out, and how far it is.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) errands: Vec<Recorded>,
    /// Of a list: how many match, counted to 1,000, then "1000+".
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub total: Option<Value>,
    /// Of a list: where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_cursor: Option<String>,
    /// Why less is shown than was asked for, and how to get the rest.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub truncated: Option<String>,
    /// The outcome is that of an earlier call with this idempotency key.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub repeated: bool,
    /// Nothing was changed; the data is a preview.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub dry_run: bool,
}

/// The answer to a call or a question.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The entity, the rows or the preview.
    pub data: Option<Value>,
    /// The error, as JSON.
    pub error: Option<Value>,
    /// What stands beside.
    pub meta: Meta,
}

impl Answer {
    /// Done.
    #[must_use]
    pub fn done(data: Value, meta: Meta) -> Self {
        Self { status: 200, data: Some(data), error: None, meta }
    }

    /// Refused or failed.
    #[must_use]
    pub fn refused(error: &Error, meta: Meta) -> Self {
        Self { status: error.code().status, data: None, error: Some(error.to_json()), meta }
    }

    /// Whether it was done.
    #[must_use]
    pub fn success(&self) -> bool {
        self.error.is_none()
    }

    /// The stable code of the error.
    #[must_use]
    pub fn error_code(&self) -> Option<&str> {
        self.error.as_ref()?["code"].as_str()
    }

    /// The envelope with all four members, for REST.
    #[must_use]
    pub fn envelope(&self) -> Value {
        json!({"success": self.success(), "data": self.data, "error": self.error, "meta": self.meta})
    }

    /// The envelope without null members, for models.
    #[must_use]
    pub fn lean_envelope(&self) -> Value {
        let mut envelope = self.envelope();
        if let Value::Object(members) = &mut envelope {
            members.retain(|_, member| !member.is_null());
            if let Some(Value::Object(meta)) = members.get_mut("meta") {
                meta.retain(|key, member| key != "warnings" || member.as_array().is_some_and(|list| !list.is_empty()));
            }
        }
        envelope
    }
}

/// Makes rows fit to be shown: null members are left out, and each UTC time gets a twin in the organization's zone.
pub(crate) fn presentable(value: Value, timezone: Tz) -> Value {
    match value {
        Value::Object(members) => {
            let mut shown = Map::new();
            for (key, member) in members {
                if member.is_null() {
                    continue;
                }
                if let Some(local) = local_twin(&key, &member, timezone) {
                    shown.insert(format!("{key}_local"), local.into());
                }
                shown.insert(key, presentable(member, timezone));
            }
            shown.into()
        }
        Value::Array(items) => items.into_iter().map(|item| presentable(item, timezone)).collect(),
        other => other,
    }
}

fn local_twin(key: &str, value: &Value, timezone: Tz) -> Option<String> {
    if key != "at" && !key.ends_with("_at") {
        return None;
    }
    let time = DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
    Some(time.with_timezone(&timezone).to_rfc3339_opts(chrono::SecondsFormat::Secs, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_get_a_local_twin_across_the_clock_change() {
        let row =
            json!({"starts_at": "2026-03-08T08:30:00Z", "ends_at": null, "note": {"at": "2026-03-08T07:30:00.120Z"}});
        assert_eq!(
            presentable(row, chrono_tz::America::Chicago),
            json!({
                "starts_at": "2026-03-08T08:30:00Z", "starts_at_local": "2026-03-08T03:30:00-05:00",
                "note": {"at": "2026-03-08T07:30:00.120Z", "at_local": "2026-03-08T01:30:00-06:00"}
            })
        );
    }
}
