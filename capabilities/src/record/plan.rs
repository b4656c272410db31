//! What a call would do: read from the audit trail of a run that is rolled back. People see it as a preview; its hash
//! binds an approval to exactly this.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::answer::Warning;
use crate::error::Result;
use crate::record::history::{Change, changes_of_calls};
use crate::tx::Tx;
use crate::values::amounts::Payment;

/// What is at stake: how many rows of which kind, and whom something would be sent to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stake {
    /// How many rows would be created, changed or deleted.
    pub records: usize,
    /// The same by data type.
    pub by_type: BTreeMap<String, usize>,
    /// Who would get something, such as an e-mail.
    #[serde(default)]
    pub recipients: Vec<String>,
    /// The money that would be charged or paid back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub payments: Vec<Payment>,
}

/// What a call would do.
#[derive(Debug)]
pub(crate) struct Plan {
    pub changes: Vec<Change>,
    pub errands: Vec<Value>,
    pub warnings: Vec<Warning>,
    pub hash: Vec<u8>,
}

impl Plan {
    /// Of the call that is running, after its run.
    pub async fn of(tx: &mut Tx<'_>, inputs: &[Value]) -> Result<Self> {
        let calls: Vec<Uuid> =
            std::iter::once(tx.call_id()).chain(tx.inner_calls.iter().map(|inner| inner.id)).collect();
        let changes = changes_of_calls(&calls, tx).await?;
        let errands = tx.running.errands.iter();
        let errands: Vec<Value> = errands
            .map(|errand| {
                let mut shown = errand.shown();
                shown["payload"] = errand.payload.clone();
                shown
            })
            .collect();
        let canonical = Canonical { minted: numbered(&tx.running.minted()), now: tx.now() };
        let warnings = if tx.running.warnings_bind { tx.running.warnings.as_slice() } else { &[] };
        let hash = Sha256::digest(canonical.plan(inputs, &changes, &errands, warnings)).to_vec();
        Ok(Self { changes, errands, warnings: tx.running.warnings.clone(), hash })
    }

    /// As people and agents read it.
    pub fn preview(&self) -> Value {
        let mut preview = json!({"changes": self.changes, "errands": self.errands});
        if !self.warnings.is_empty() {
            preview["warnings"] = json!(self.warnings);
        }
        preview
    }

    pub fn stake(&self) -> Stake {
        let mut by_type = BTreeMap::new();
        for change in &self.changes {
            *by_type.entry(change.data_type.clone()).or_default() += 1;
        }
        let to = |errand: &'_ Value| {
            errand["letter"]["to"].as_str().or(errand["payload"]["to"].as_str()).map(str::to_string)
        };
        let recipients: BTreeSet<String> = self.errands.iter().filter_map(to).collect();
        let payments = self.errands.iter().filter_map(|errand| Payment::deserialize(&errand["payment"]).ok());
        Stake {
            records: self.changes.len(),
            by_type,
            recipients: recipients.into_iter().collect(),
            payments: payments.collect(),
        }
    }
}

/// A plan's hash as people and programs pass it on.
pub(crate) fn plan_in_words(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Two runs of one plan differ in the ids they mint and in the time; neither is part of what is decided.
struct Canonical {
    minted: HashMap<Uuid, usize>,
    now: DateTime<Utc>,
}

fn numbered(minted: &[Uuid]) -> HashMap<Uuid, usize> {
    minted.iter().enumerate().map(|(number, id)| (*id, number)).collect()
}

impl Canonical {
    /// One text per plan: the same for every run of it. Members of JSON objects are sorted by their map already.
    fn plan(&self, inputs: &[Value], changes: &[Change], errands: &[Value], warnings: &[Warning]) -> String {
        let mut changes: Vec<String> = changes.iter().map(|change| self.value(json!(change)).to_string()).collect();
        changes.sort_unstable();
        let mut plan = vec![json!(inputs), json!(changes), self.value(json!(errands))];
        plan.extend((!warnings.is_empty()).then(|| self.value(json!(warnings))));
        json!(plan).to_string()
    }

    fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) if self.is_now(&text) => "now".into(),
            Value::String(text) => self.without_minted(text).into(),
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(members) => {
                members.into_iter().map(|(name, member)| (name, self.value(member))).collect::<Map<_, _>>().into()
            }
            other => other,
        }
    }

    fn is_now(&self, text: &str) -> bool {
        text.len() >= 20 && DateTime::parse_from_rfc3339(text).is_ok_and(|time| time == self.now)
    }

    /// Replaces new ids by their number, wherever they stand in a text.
    fn without_minted(&self, text: String) -> String {
        let mut canonical = String::new();
        let mut rest = text.as_str();
        while let Some((at, number)) = self.first_minted(rest) {
            canonical.push_str(&rest[..at]);
            canonical.push_str(&format!("#{number}"));
            rest = &rest[at + UUID_LENGTH..];
        }
        if canonical.is_empty() { text } else { canonical + rest }
    }

    fn first_minted(&self, text: &str) -> Option<(usize, usize)> {
        let hyphens = text.match_indices('-').filter_map(|(at, _)| at.checked_sub(FIRST_HYPHEN));
        hyphens.into_iter().find_map(|at| {
            let id = Uuid::try_parse(text.get(at..at + UUID_LENGTH)?).ok()?;
            self.minted.get(&id).map(|number| (at, *number))
        })
    }
}

/// Of a UUID's hyphenated form (RFC 9562, section 4).
const UUID_LENGTH: usize = 36;
const FIRST_HYPHEN: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: u128, at: &str, name: &str) -> String {
        let id = Uuid::from_u128(id);
        let canonical = Canonical { minted: numbered(&[Uuid::from_u128(7), id]), now: at.parse().unwrap() };
        let Value::Object(fields) = json!({
            "name": {"to": name}, "archived_at": {"to": at}, "link": {"to": format!("https://x.example/{id}/edit")},
        }) else {
            unreachable!()
        };
        let change = Change { data_type: "contacts".into(), id, change: "created".into(), fields };
        canonical.plan(&[json!({"name": name})], &[change], &[], &[])
    }

    #[test]
    fn new_ids_and_the_time_of_the_call_are_not_part_of_a_plan() {
        let plan = run(1 << 90, "2030-01-07T09:00:00+00:00", "Jane");
        assert!(plan.contains("https://x.example/#1/edit"), "{plan}");
        assert_eq!(plan, run(1 << 91, "2030-01-08T10:00:00+00:00", "Jane"));
    }

    #[test]
    fn whatever_else_differs_is_another_plan() {
        let plan = run(1, "2030-01-07T09:00:00+00:00", "Jane");
        assert_ne!(plan, run(1, "2030-01-07T09:00:00+00:00", "John"));
    }

    #[test]
    fn ids_that_were_there_before_stay() {
        let canonical = Canonical { minted: HashMap::new(), now: DateTime::UNIX_EPOCH };
        let text = format!("see {} and a-b-c é-", Uuid::from_u128(5));
        assert_eq!(canonical.without_minted(text.clone()), text);
    }
}
