//! The one path of a question: filters validated like an action's input, includes resolved through the registry, pages by
//! key, and never more than the caller can use.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::answer::{Answer, Meta, presentable};
use crate::call::{Caller, Door};
use crate::data::{Key, Keyed, Listing, Query};
use crate::error::{Error, Problem, Result};
use crate::office::Office;
use crate::registry::{DataEntry, Include};
use crate::schema;
use crate::tx::{Access, Tx, Warning};
use crate::watching::Watch;

const PAGE: i64 = 25;
const PAGE_AT_MOST: i64 = 200;
/// So many unknown names are told of; the first already lists all there are.
const NAMES_AT_MOST: usize = 5;
/// Rows that one include may bring along for a whole page.
const INCLUDED_AT_MOST: i64 = 1_000;
/// Matches are counted so far and no further.
const COUNTED: i64 = 1_000;

/// What of a data type is asked for.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// The data type.
    pub data_type: String,
    /// One record by its id: the answer's data is the record itself.
    pub id: Option<String>,
    /// Filters by name.
    pub filters: Map<String, Value>,
    /// Where in the caller's request the filters stand, for pointers to what is wrong with them: `/filters`, or nothing.
    pub filters_at: &'static str,
    /// What the rows bring along.
    pub include: Vec<String>,
    /// The members to show; all if empty.
    pub fields: Vec<String>,
    /// Rows per page, 1 to 200; 25 if absent.
    pub limit: Option<i64>,
    /// Where the page begins: `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// A question and the room for its answer.
#[derive(Debug, Clone, Default)]
pub struct Read {
    /// What is asked for.
    pub selection: Selection,
    /// The most bytes of JSON that the rows may take; what does not fit is left to the next page.
    pub room: Option<usize>,
    /// By which door it came.
    pub door: Door,
}

/// A question after validation.
struct Asked<'r> {
    entry: &'r DataEntry,
    filters: Value,
    query: Query,
    include: Vec<Include<'r>>,
    fields: Vec<String>,
    fingerprint: String,
}

impl Office {
    /// Answers a question.
    pub async fn read(&self, caller: &Caller, read: Read) -> Answer {
        let meta = self.fresh_meta();
        let known = self.registry.data_type(&read.selection.data_type).ok().map(|entry| entry.name);
        let watch = Watch::begin(meta.request_id, caller, known, read.door);
        let answered = self.answer(caller, &read, meta.clone()).await;
        watch.read(answered.as_ref().err());
        let answer = answered.unwrap_or_else(|error| Answer::refused(&error, meta));
        self.with_news(caller, answer).await
    }

    async fn answer(&self, caller: &Caller, read: &Read, mut meta: Meta) -> Result<Answer> {
        let asked = self.understand(caller, &read.selection)?;
        let mut tx = Tx::open(self, caller, Access::Read, meta.request_id, meta.timestamp).await?;
        let limit = asked.query.limit;
        let query = Query { limit: limit + 1, ..asked.query.clone() };
        let Listing { mut rows, total } = (asked.entry.list)(asked.filters.clone(), query, &mut tx).await?;
        let more = rows.len() as i64 > limit;
        rows.truncate(usize::try_from(limit).unwrap_or_default());
        for include in &asked.include {
            bring_along(include, &mut rows, &mut tx, &mut meta).await?;
        }
        let timezone = tx.org().timezone;
        meta.warnings.append(&mut tx.running.warnings);
        tx.roll_back().await?;
        for keyed in &mut rows {
            let row = std::mem::take(&mut keyed.row);
            keyed.row = only_fields(presentable(row, timezone), &asked.fields, &asked.include);
        }
        if let Some(id) = &read.selection.id {
            let row = rows.pop().ok_or_else(|| Error::NotFound { what: format!("{} {id}", asked.entry.one) })?.row;
            return Ok(Answer::done(row, meta));
        }
        let cut = read.room.is_some_and(|room| fit(&mut rows, room, &mut meta));
        meta.total = Some(if total > COUNTED { json!(format!("{COUNTED}+")) } else { json!(total) });
        meta.next_cursor = rows.last().filter(|_| more || cut).map(|last| encode(&asked.fingerprint, &last.key));
        Ok(Answer::done(rows.into_iter().map(|keyed| keyed.row).collect(), meta))
    }

    fn understand(&self, caller: &Caller, selection: &Selection) -> Result<Asked<'_>> {
        let entry = self.registry.data_type_for(caller, &selection.data_type)?;
        entry.permit(caller)?;
        let mut problems = Vec::new();
        let filters = schema::whole_numbers(Value::Object(selection.filters.clone()));
        if let Err(error) = (entry.parse)(entry.filters()?, filters.clone()) {
            problems.extend_from_slice(error.under(selection.filters_at).problems());
        }
        let limit = selection.limit.unwrap_or(PAGE);
        if !(1..=PAGE_AT_MOST).contains(&limit) {
            problems.push(Problem::at("/limit", format!("must be 1 to {PAGE_AT_MOST}")));
        }
        let ids =
            selection.id.as_deref().map(|id| id.parse::<Uuid>().map(|id| vec![id])).transpose().unwrap_or_else(|_| {
                problems.push(Problem::at("/id", "is not a UUID"));
                None
            });
        let fingerprint = fingerprint(entry.name, &filters);
        let after = selection.cursor.as_deref().and_then(|cursor| {
            let place = decode(&fingerprint, cursor);
            if place.is_none() {
                problems.push(Problem::at("/cursor", "is not a cursor of this list; leave it out to start again"));
            }
            place
        });
        let include = self.understand_includes(caller, entry, &selection.include, &mut problems)?;
        let names = entry.row["properties"].as_object();
        let known: Vec<&str> = names.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        let unknown = |field: &&String| !known.contains(&field.trim_end_matches("_local"));
        for field in selection.fields.iter().filter(unknown).take(NAMES_AT_MOST) {
            let message = format!("there is no field `{}`; known: {}", schema::shortened(field), known.join(", "));
            problems.push(Problem::at("/fields", message).did_you_mean(schema::nearest(field, known.iter().copied())));
        }
        match problems.is_empty() {
            false => Err(Error::InvalidInput(problems)),
            true => Ok(Asked {
                entry,
                filters,
                query: Query { ids, after, limit },
                include,
                fields: selection.fields.clone(),
                fingerprint,
            }),
        }
    }

    fn understand_includes(
        &self,
        caller: &Caller,
        entry: &DataEntry,
        wanted: &[String],
        problems: &mut Vec<Problem>,
    ) -> Result<Vec<Include<'_>>> {
        let mut known = self.registry.includes(entry);
        let unknown = |name: &&String| !known.iter().any(|include| include.name() == *name);
        for name in wanted.iter().filter(unknown).take(NAMES_AT_MOST) {
            let open = known.iter().filter(|include| include.other().permit(caller).is_ok());
            let names: Vec<&str> = open.map(Include::name).collect();
            let message =
                format!("`{}` cannot include `{}`; known: {}", entry.name, schema::shortened(name), names.join(", "));
            problems.push(Problem::at("/include", message).did_you_mean(schema::nearest(name, names.iter().copied())));
        }
        known.retain(|include| wanted.iter().any(|name| name == include.name()));
        for include in &known {
            include.other().permit(caller)?;
        }
        Ok(known)
    }
}

/// Puts rows of another type beside the rows they belong to: one question for the whole page.
async fn bring_along(include: &Include<'_>, rows: &mut [Keyed<Value>], tx: &mut Tx<'_>, meta: &mut Meta) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    match include {
        Include::Children { name, child, link } => {
            let parents: Vec<String> = rows.iter().filter_map(|keyed| text(&keyed.row["id"])).collect();
            let query = Query { ids: None, after: None, limit: INCLUDED_AT_MOST + 1 };
            let mut found = (child.list)(json!({ link.filter: parents }), query, tx).await?.rows;
            if found.len() as i64 > INCLUDED_AT_MOST {
                found.pop();
                meta.warnings.push(Warning {
                    code: "include_cut".into(),
                    message: format!(
                        "Only the first {INCLUDED_AT_MOST} {name} are here; ask for fewer rows or query {}.",
                        child.name
                    ),
                    about: None,
                });
            }
            for keyed in rows.iter_mut() {
                let id = keyed.row["id"].clone();
                let belongs = |row: &Value| {
                    row[link.member] == id || row[link.member].as_array().is_some_and(|ids| ids.contains(&id))
                };
                let own =
                    found.iter().filter(|child| belongs(&child.row)).map(|child| without(&child.row, link.member));
                let children: Vec<Value> = own.collect();
                keyed.row[*name] = children.into();
            }
        }
        Include::Parent { name, parent, member } => {
            let ids: Vec<Uuid> = rows.iter().filter_map(|keyed| text(&keyed.row[*member])?.parse().ok()).collect();
            let query = Query { limit: ids.len() as i64, ids: Some(ids), after: None };
            let found = (parent.list)(json!({}), query, tx).await?.rows;
            for keyed in rows.iter_mut() {
                let id = keyed.row[*member].clone();
                if let Some(row) = found.iter().find(|parent| parent.row["id"] == id) {
                    keyed.row[*name] = row.row.clone();
                }
            }
        }
    }
    Ok(())
}

/// Beside its parent a row need not say whose it is.
fn without(row: &Value, member: &str) -> Value {
    let mut row = row.clone();
    row.as_object_mut().map(|members| members.remove(member));
    row
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_string)
}

fn only_fields(row: Value, fields: &[String], include: &[Include<'_>]) -> Value {
    if fields.is_empty() {
        return row;
    }
    let Value::Object(members) = row else { return row };
    let wanted = |name: &str| {
        name == "id"
            || fields.iter().any(|field| field == name || name.strip_suffix("_local") == Some(field))
            || include.iter().any(|include| include.name() == name)
    };
    members.into_iter().filter(|(name, _)| wanted(name)).collect::<Map<_, _>>().into()
}

/// Keeps the rows that fit into `room` bytes of JSON, at least one; says so if some do not.
fn fit(rows: &mut Vec<Keyed<Value>>, room: usize, meta: &mut Meta) -> bool {
    // The brackets, and with each row its comma.
    let mut used = 1;
    let count = rows
        .iter()
        .take_while(|keyed| {
            used += keyed.row.to_string().len() + 1;
            used <= room
        })
        .count();
    let all = rows.len();
    if count == all {
        return false;
    }
    rows.truncate(count.max(1));
    meta.truncated = Some(format!(
        "{} of {all} rows of this page are shown, the rest follows with next_cursor: narrow by filters, `fields` or `limit`.",
        rows.len()
    ));
    true
}

fn fingerprint(data_type: &str, filters: &Value) -> String {
    BASE64.encode(&Sha256::digest(format!("{data_type}{filters}"))[..6])
}

fn encode(fingerprint: &str, key: &Key) -> String {
    BASE64.encode(json!([fingerprint, key.0, key.1]).to_string())
}

fn decode(fingerprint: &str, cursor: &str) -> Option<Key> {
    let (list, sort, id): (String, String, Uuid) = serde_json::from_slice(&BASE64.decode(cursor).ok()?).ok()?;
    (list == fingerprint && !sort.contains('\0')).then_some(Key(sort, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_belongs_to_its_list() {
        let list = fingerprint("contacts", &json!({"city": "Athens"}));
        let other = fingerprint("contacts", &json!({"city": "Madison"}));
        let key = Key("jane".into(), Uuid::nil());
        assert_eq!(decode(&list, &encode(&list, &key)), Some(key.clone()));
        assert_eq!(decode(&other, &encode(&list, &key)), None);
        assert_eq!(decode(&list, "nonsense"), None);
    }

    #[test]
    fn a_page_that_is_too_large_says_how_to_get_the_rest() {
        let row = |n: u128| Keyed {
            key: Key(String::new(), Uuid::from_u128(n)),
            row: json!({"id": n as u64, "text": "x".repeat(90)}),
        };
        let mut rows: Vec<_> = (0..10).map(row).collect();
        let mut meta = Meta::default();
        assert!(fit(&mut rows, 350, &mut meta));
        assert_eq!(rows.len(), 3);
        assert!(meta.truncated.unwrap().starts_with("3 of 10 rows"));
    }
}
