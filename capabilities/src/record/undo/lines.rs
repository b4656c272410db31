//! The lines of the row log that are read backwards, and what they come to row by row.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::refusals::cannot_undo;
use crate::declare::guards::LEAVES_BY;
use crate::error::Result;
use crate::tx::Tx;

/// So many lines are undone at once.
const AT_ONCE: i64 = 10_000;

/// A row: its table and its id.
pub(super) type RowKey = (String, Uuid);

/// A line of the row log.
pub(super) struct Line {
    pub id: i64,
    pub call_id: Uuid,
    pub table: String,
    pub row_id: Uuid,
    pub change: String,
    pub old: Option<Value>,
    pub new: Option<Value>,
    pub subject: Option<Uuid>,
    /// The record that the row is a part of.
    pub part_of: Option<Uuid>,
    pub schema_version: i32,
}

/// What the calls changed, in order.
pub(super) async fn lines_of(calls: &[Uuid], tx: &mut Tx<'_>) -> Result<Vec<Line>> {
    let org_id = tx.org_id();
    let lines = sqlx::query_as!(
        Line,
        r#"
        select id, call_id, table_name as table, row_id, change, old_values as old, new_values as new,
               subject_contact_id as subject, record_id as part_of, schema_version
        from row_log
        where org_id = $1 and call_id = any($2)
        order by row_log.id
        limit $3
        "#,
        org_id,
        calls,
        AT_ONCE + 1
    )
    .fetch_all(tx.db())
    .await?;
    match i64::try_from(lines.len()).is_ok_and(|count| count > AT_ONCE) {
        true => Err(cannot_undo(
            format!("That is more than {AT_ONCE} changes, too many to undo at once."),
            "Undo the newest part first: give a later `since`.",
        )),
        false => Ok(lines),
    }
}

/// What the lines did to one row, and how they left it.
#[derive(Debug, Default)]
pub(super) struct Footprint {
    /// Whether the row was there before and is there after.
    pub existed: bool,
    pub exists: bool,
    /// The line that made or deleted it: from then on every field is touched.
    whole: Option<i64>,
    /// The first line that touched a field.
    touched: BTreeMap<String, i64>,
    /// Fields as they were before, as far as the lines know them. Of a whole row, what is not there is null.
    pub before: Map<String, Value>,
    /// Fields as they were left; likewise.
    pub left: Map<String, Value>,
}

impl Footprint {
    fn begin(first: &Line) -> Self {
        Self { existed: first.change != "created", ..Self::default() }
    }

    fn follow(&mut self, line: &Line) {
        let members = |side: &Option<Value>| side.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
        for (field, value) in members(&line.old) {
            self.before.entry(field).or_insert(value);
        }
        self.exists = line.change != "deleted";
        if line.change == "updated" {
            for (field, value) in members(&line.new) {
                self.touched.entry(field.clone()).or_insert(line.id);
                self.left.insert(field, value);
            }
        } else {
            self.whole.get_or_insert(line.id);
            self.left = members(&line.new);
        }
    }

    /// Whether a line that came at `at` changed a field after these lines did.
    pub fn was_touched_before(&self, field: &str, at: i64) -> bool {
        [self.whole, self.touched.get(field).copied()].into_iter().flatten().any(|first| first < at)
    }

    /// The fields to look at in the row as it is now.
    pub fn fields<'f>(&'f self, now: &'f Map<String, Value>, unlogged: &'f [String]) -> Vec<&'f String> {
        match self.whole {
            Some(_) => now.keys().filter(|field| !unlogged.contains(field)).collect(),
            None => self.left.keys().collect(),
        }
    }

    /// Whether the row leaves when the lines are taken back: they made it, or brought back what had left.
    fn leaves(&self) -> bool {
        let has_left = |side: &Map<String, Value>| {
            LEAVES_BY.iter().any(|column| side.get(*column).is_some_and(|time| !time.is_null()))
        };
        self.exists && (!self.existed || has_left(&self.before) && !has_left(&self.left))
    }

    /// The earliest of its lines: later changes by others count from there.
    pub fn first_line(&self) -> i64 {
        self.touched.values().copied().chain(self.whole).min().unwrap_or_default()
    }
}

/// The rows that the lines changed, with what they did to each.
pub(super) fn footprints(lines: &[Line]) -> BTreeMap<RowKey, Footprint> {
    let mut rows: BTreeMap<RowKey, Footprint> = BTreeMap::new();
    for line in lines {
        let row = rows.entry((line.table.clone(), line.row_id)).or_insert_with(|| Footprint::begin(line));
        row.follow(line);
    }
    rows
}

/// The rows that leave when the lines are taken back, by table.
pub(super) fn leaving(lines: &[Line]) -> BTreeMap<String, Vec<Uuid>> {
    let mut leaving: BTreeMap<String, Vec<Uuid>> = BTreeMap::new();
    for ((table, id), _) in footprints(lines).into_iter().filter(|(_, row)| row.leaves()) {
        leaving.entry(table).or_default().push(id);
    }
    leaving
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(id: i64, change: &str, old: Value, new: Value) -> Line {
        let side = |value: Value| Some(value).filter(|value| !value.is_null());
        Line {
            id,
            call_id: Uuid::nil(),
            table: "contacts".into(),
            row_id: Uuid::nil(),
            change: change.into(),
            old: side(old),
            new: side(new),
            subject: None,
            part_of: None,
            schema_version: 1,
        }
    }

    fn footprint(lines: &[Line]) -> Footprint {
        footprints(lines).into_values().next().unwrap()
    }

    #[test]
    fn a_row_that_is_changed_twice_was_as_the_first_found_it_and_is_as_the_last_left_it() {
        let lines = [
            line(1, "updated", json!({"city": "Athens"}), json!({"city": "Madison"})),
            line(4, "updated", json!({"city": "Madison", "tag": null}), json!({"city": "Decatur", "tag": "vip"})),
        ];
        let row = footprint(&lines);
        assert!(row.existed && row.exists);
        assert_eq!(
            (json!(row.before), json!(row.left)),
            (json!({"city": "Athens", "tag": null}), json!({"city": "Decatur", "tag": "vip"}))
        );
        assert!(row.was_touched_before("city", 2) && !row.was_touched_before("tag", 2));
        assert!(!row.was_touched_before("street", 9), "others may change other fields");
    }

    #[test]
    fn what_was_made_or_brought_back_leaves_when_that_is_undone() {
        let (now, never) = (json!({"archived_at": "2030-01-07T09:00:00Z"}), json!({"archived_at": null}));
        let leaves =
            |change, old: &Value, new: &Value| footprint(&[line(1, change, old.clone(), new.clone())]).leaves();
        assert!(leaves("created", &Value::Null, &json!({"city": "Athens"})));
        assert!(leaves("updated", &now, &never), "it had left and was brought back");
        assert!(!leaves("updated", &never, &now), "it comes back");
        assert!(!leaves("deleted", &json!({"city": "Athens"}), &Value::Null), "it is made again");
        assert!(!leaves("updated", &json!({"city": "Athens"}), &json!({"city": "Madison"})));
    }

    #[test]
    fn of_a_row_that_comes_or_goes_every_field_is_touched() {
        let made = footprint(&[line(3, "created", Value::Null, json!({"city": "Athens"}))]);
        assert!(!made.existed && made.exists && made.was_touched_before("street", 4));
        let gone = footprint(&[
            line(3, "updated", json!({"city": "Athens"}), json!({"city": "Madison"})),
            line(6, "deleted", json!({"city": "Madison", "street": "Elm"}), Value::Null),
        ]);
        assert!(gone.existed && !gone.exists && !gone.was_touched_before("street", 5));
        assert_eq!(json!(gone.before), json!({"city": "Athens", "street": "Elm"}));
    }
}
