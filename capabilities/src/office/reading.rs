//! The one path of a question: filters validated like an action's input, includes resolved through the registry, pages by
//! key, and never more than the caller can use.

use std::collections::HashMap;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::answer::{Answer, Meta, Warning, json_length, presentable};
use crate::callers::{Caller, Door};
use crate::declare::data::{Key, Keyed, Listing, Query};
use crate::declare::domain::DataEntry;
use crate::declare::registry::Include;
use crate::declare::request::Selection;
use crate::error::{Error, Result};
use crate::office::Office;
use crate::office::telemetry::Watch;
use crate::schema;
use crate::tx::{Access, Tx};
use crate::values::problem::Problem;

const PAGE: i64 = 25;
const PAGE_AT_MOST: i64 = 200;
/// So many unknown names are told of; the first already lists all there are.
const NAMES_AT_MOST: usize = 5;
/// Rows that one include may bring along for a whole page.
const INCLUDED_AT_MOST: i64 = 1_000;
/// The most that the answer tells as a number.
const TOLD_AT_MOST: i64 = Query::COUNTED - 1;

/// A question and the room for its answer.
#[derive(Debug, Clone, Default)]
pub struct Read {
    /// What is asked for.
    pub selection: Selection,
    /// The most bytes of JSON that the rows may take; what does not fit is left to the next page.
    pub room: Option<usize>,
    /// By which door it came.
    pub door: Door,
    /// Whether to tell how many match in all, though there is more than a page of them.
    pub counted: bool,
}

/// A question after validation.
pub(super) struct Question<'r> {
    id: Option<Uuid>,
    entry: &'r DataEntry,
    filters: Value,
    query: Query,
    include: Vec<Include<'r>>,
    fields: Vec<String>,
    fingerprint: String,
}

/// What was found: the rows of a page, how many match in all, and whether there are more behind these.
pub(super) struct Found {
    rows: Vec<Keyed<Value>>,
    total: Option<i64>,
    more: bool,
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
        let access = if asked.keeps_plans() { Access::Read } else { Access::List };
        let mut tx = Tx::open(&self.ground, caller, access, meta.request_id, meta.timestamp).await?;
        let found = find(&asked, read.counted, &mut tx, &mut meta).await?;
        drop(tx);
        asked.answer(caller, found, read, meta)
    }

    pub(super) fn understand(&self, caller: &Caller, selection: &Selection) -> Result<Question<'_>> {
        let entry = self.registry.data_type_for(caller, &selection.data_type)?;
        entry.permit(caller)?;
        let mut problems = Vec::new();
        let mut filters = Value::Object(selection.filters.clone());
        schema::whole_numbers(&mut filters);
        if let Err(error) = (entry.parse)(entry.filters()?, &filters) {
            problems.extend_from_slice(error.under(selection.filters_at).problems());
        }
        let limit = selection.limit.unwrap_or(PAGE);
        if !(1..=PAGE_AT_MOST).contains(&limit) {
            problems.push(Problem::at("/limit", format!("must be 1 to {PAGE_AT_MOST}")));
        }
        let id = selection.id.as_deref().map(str::parse::<Uuid>).transpose().unwrap_or_else(|_| {
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
            true => Ok(Question {
                id,
                entry,
                filters,
                query: Query { ids: id.map(|id| vec![id]), after, limit, counted: false },
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

/// Looks for what a question asks for.
pub(super) async fn find(asked: &Question<'_>, counted: bool, tx: &mut Tx<'_>, meta: &mut Meta) -> Result<Found> {
    let limit = asked.query.limit;
    let Listing { mut rows, total } = asked.first(counted, tx).await?;
    let more = rows.len() as i64 > limit;
    rows.truncate(usize::try_from(limit).unwrap_or_default());
    for include in &asked.include {
        bring_along(include, &mut rows, tx, meta).await?;
    }
    meta.warnings.append(&mut tx.running.warnings);
    Ok(Found { rows, total, more })
}

impl Question<'_> {
    /// Whether it is for one record by its id and nothing else.
    fn only_id(&self) -> Option<Uuid> {
        self.id.filter(|_| self.query.after.is_none() && self.filters.as_object().is_some_and(Map::is_empty))
    }

    /// Whether all of it is asked by ids and keys.
    fn keeps_plans(&self) -> bool {
        self.only_id().is_some() && self.include.iter().all(Include::keeps_its_plan)
    }

    /// The rows that it asks for, and one more if there is one.
    async fn first(&self, counted: bool, tx: &mut Tx<'_>) -> Result<Listing<Value>> {
        match self.only_id() {
            Some(id) => {
                let found = (self.entry.by_ids)(vec![id], tx).await?;
                Ok(Listing::all(found.len(), found.into_iter().map(|row| Keyed { key: Key::of(id), row }), &self.query))
            }
            None => {
                let counted = counted && self.id.is_none();
                let query = Query { limit: self.query.limit + 1, counted, ..self.query.clone() };
                (self.entry.list)(self.filters.clone(), query, tx).await
            }
        }
    }

    /// The answer with what was found, when the database is not needed any more.
    pub(super) fn answer(&self, caller: &Caller, found: Found, read: &Read, mut meta: Meta) -> Result<Answer> {
        let Found { mut rows, total, more } = found;
        for keyed in &mut rows {
            let row = only_fields(std::mem::take(&mut keyed.row), &self.fields, &self.include);
            keyed.row = only_shown(presentable(row, caller.org().timezone), &self.fields);
        }
        if let Some(id) = &read.selection.id {
            let row = rows.pop().ok_or_else(|| Error::NotFound { what: format!("{} {id}", self.entry.one) })?.row;
            return Ok(Answer::done(row, meta));
        }
        let cut = read.room.is_some_and(|room| fit(&mut rows, room, &mut meta));
        let in_words = |total| if total > TOLD_AT_MOST { json!(format!("{TOLD_AT_MOST}+")) } else { json!(total) };
        meta.total = total.map(in_words);
        meta.next_cursor = rows.last().filter(|_| more || cut).map(|last| encode(&self.fingerprint, &last.key));
        Ok(Answer::done(rows.into_iter().map(|keyed| keyed.row).collect(), meta))
    }
}

/// Puts rows of another type beside the rows they belong to: one question for the whole page.
async fn bring_along(include: &Include<'_>, rows: &mut [Keyed<Value>], tx: &mut Tx<'_>, meta: &mut Meta) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    match include {
        Include::Children { name, child, link } => {
            let parents: Vec<Uuid> = rows.iter().filter_map(|keyed| id_in(&keyed.row["id"])).collect();
            let limit = INCLUDED_AT_MOST + 1;
            let mut found = match include.keeps_its_plan() {
                true => (child.beside)(link.filter, parents, limit, tx).await?,
                false => {
                    let listed = (child.list)(json!({ link.filter: parents }), Query::first(limit), tx).await?;
                    listed.into_rows().collect()
                }
            };
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
            let mut children = by_parent(found, link.member);
            for keyed in rows.iter_mut() {
                let own = keyed.row["id"].as_str().and_then(|id| children.remove(id));
                keyed.row[*name] = own.unwrap_or_default().into();
            }
        }
        Include::Parent { name, parent, member } => {
            let ids: Vec<Uuid> = rows.iter().filter_map(|keyed| id_in(&keyed.row[*member])).collect();
            let found = (parent.by_ids)(ids, tx).await?;
            let parents: HashMap<String, Value> =
                found.into_iter().filter_map(|parent| Some((text(&parent["id"])?, parent))).collect();
            for keyed in rows.iter_mut() {
                let row = keyed.row[*member].as_str().and_then(|id| parents.get(id)).cloned();
                if let Some(row) = row {
                    keyed.row[*name] = row;
                }
            }
        }
    }
    Ok(())
}

/// Rows by the row that they belong to, or by each of several, in their order. Beside it they need not say whose they are.
fn by_parent(found: Vec<Value>, member: &str) -> HashMap<String, Vec<Value>> {
    let mut children: HashMap<String, Vec<Value>> = HashMap::new();
    for mut row in found {
        match row.as_object_mut().and_then(|members| members.remove(member)) {
            Some(Value::String(parent)) => children.entry(parent).or_default().push(row),
            Some(Value::Array(parents)) => {
                for parent in parents.iter().filter_map(text) {
                    children.entry(parent).or_default().push(row.clone());
                }
            }
            _ => {}
        }
    }
    children
}

fn id_in(value: &Value) -> Option<Uuid> {
    value.as_str()?.parse().ok()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_string)
}

/// The members that are asked for, before they are made presentable: what nobody reads need not be.
fn only_fields(row: Value, fields: &[String], include: &[Include<'_>]) -> Value {
    let wanted = |name: &str| {
        ["id", "timezone"].contains(&name)
            || fields.iter().any(|field| field == name || field.strip_suffix("_local") == Some(name))
            || include.iter().any(|include| include.name() == name)
    };
    match row {
        Value::Object(mut members) if !fields.is_empty() => {
            members.retain(|name, _| wanted(name));
            members.into()
        }
        row => row,
    }
}

/// Of a time and its local twin the one that is asked for; the time zone was only there to tell it.
fn only_shown(row: Value, fields: &[String]) -> Value {
    let asked = |name: &str| fields.iter().any(|field| field == name);
    match row {
        Value::Object(mut members) if !fields.is_empty() => {
            let is_beside = |name: &&String| *name == "timezone" || members.contains_key(&format!("{name}_local"));
            let beside: Vec<String> = members.keys().filter(is_beside).filter(|name| !asked(name)).cloned().collect();
            beside.iter().for_each(|name| drop(members.remove(name)));
            members.into()
        }
        row => row,
    }
}

/// Keeps the rows that fit into `room` bytes of JSON, at least one; says so if some do not.
fn fit(rows: &mut Vec<Keyed<Value>>, room: usize, meta: &mut Meta) -> bool {
    // The brackets, and with each row its comma.
    let mut used = 1;
    let count = rows
        .iter()
        .take_while(|keyed| {
            used += json_length(&keyed.row) + 1;
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
    fn of_a_time_what_is_asked_for_is_shown_by_the_clock_of_the_row() {
        let row = json!({"id": "1", "timezone": "America/New_York", "starts_at": "2030-01-08T15:00:00Z", "title": "x"});
        let shown = |fields: &[&str]| {
            let fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
            only_shown(presentable(only_fields(row.clone(), &fields, &[]), chrono_tz::America::Chicago), &fields)
        };
        let local = "2030-01-08T10:00:00-05:00";
        assert_eq!(shown(&["starts_at_local"]), json!({"id": "1", "starts_at_local": local}));
        let both = json!({"id": "1", "starts_at": "2030-01-08T15:00:00Z", "starts_at_local": local});
        assert_eq!(shown(&["starts_at"]), both);
        assert_eq!(shown(&["title", "timezone"]), json!({"id": "1", "title": "x", "timezone": "America/New_York"}));
    }

    #[test]
    fn rows_stand_beside_each_row_they_belong_to() {
        let found = [json!({"n": 1, "of": "a"}), json!({"n": 2, "of": ["b", "a"]}), json!({"n": 3, "of": null})];
        let children = by_parent(found.into(), "of");
        assert_eq!(children["a"], [json!({"n": 1}), json!({"n": 2})]);
        assert_eq!((&children["b"], children.len()), (&vec![json!({"n": 2})], 2));
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
