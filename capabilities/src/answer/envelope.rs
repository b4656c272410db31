//! The envelope of every answer: whether it succeeded, what there is, what went wrong, and what belongs to it.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::answer::told::{News, Recorded, Warning};
use crate::error::Error;

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
    /// What people decided about requests of this agent since its last call.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) decisions_since_last_call: Vec<News>,
    /// Nothing was changed; the data is a preview.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub dry_run: bool,
}

/// What came of carrying out: a fresh outcome or the stored one of an earlier call.
pub(crate) struct Outcome {
    pub data: Value,
    /// Of a call that was put on record and yet not done: that it waits, or why not.
    pub error: Option<Error>,
    pub meta: Meta,
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
        Self { status: error.code().status, data: error.data(), error: Some(error.to_json()), meta }
    }

    /// Neither done nor refused for good: the data says how it stands.
    #[must_use]
    pub(crate) fn of(outcome: Outcome) -> Self {
        match &outcome.error {
            None => Self::done(outcome.data, outcome.meta),
            Some(error) => Self { data: Some(outcome.data), ..Self::refused(error, outcome.meta) },
        }
    }

    /// Whether it waits for a person: no success, and no failure either.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.error_code() == Some("AUTHORIZATION_PENDING")
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

    /// The envelope with all four members.
    #[must_use]
    pub fn envelope(&self) -> Value {
        json!({"success": self.success(), "data": self.data, "error": self.error, "meta": self.meta})
    }

    /// The envelope without null members, for models.
    #[must_use]
    pub fn into_lean_envelope(self) -> Value {
        let success = self.success();
        let mut meta = json!(self.meta);
        if let Value::Object(meta) = &mut meta {
            meta.retain(|key, member| {
                !member.is_null() && (key != "warnings" || member.as_array().is_some_and(|list| !list.is_empty()))
            });
        }
        let members =
            [("data", self.data), ("error", self.error), ("meta", Some(meta)), ("success", Some(success.into()))];
        let there = members.into_iter().filter_map(|(name, member)| Some((name.to_string(), member?)));
        there.filter(|(_, member)| !member.is_null()).collect::<Map<_, _>>().into()
    }
}

/// A name as a segment of a JSON pointer (RFC 6901).
pub(crate) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// In a record of what changed, null is a value: what was cleared went from something to null.
const CHANGES: &str = "changes";

/// Makes rows fit to be shown: null members are left out, and each UTC time gets a twin in the organization's zone, or in the
/// zone that the row itself names.
pub(crate) fn presentable(mut value: Value, timezone: Tz) -> Value {
    present(&mut value, timezone);
    value
}

fn present(value: &mut Value, timezone: Tz) {
    match value {
        Value::Object(members) => {
            let own = members.get("timezone").and_then(Value::as_str).and_then(|zone| zone.parse().ok());
            let timezone = own.unwrap_or(timezone);
            members.retain(|_, member| !member.is_null());
            let mut twins = Vec::new();
            for (key, member) in members.iter_mut().filter(|(key, _)| *key != CHANGES) {
                match local_twin(key, member, timezone) {
                    Some(local) => twins.push((format!("{key}_local"), local)),
                    None => present(member, timezone),
                }
            }
            for (key, local) in twins {
                members.entry(key).or_insert(local.into());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| present(item, timezone)),
        _ => {}
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
        let elsewhere = json!({"timezone": "Europe/Berlin", "lines": [{"at": "2026-03-08T08:30:00Z"}]});
        let shown = presentable(elsewhere, chrono_tz::America::Chicago);
        assert_eq!(shown["lines"][0]["at_local"], "2026-03-08T09:30:00+01:00", "at a place with a zone of its own");
    }
}
