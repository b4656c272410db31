//! What a request would do, in a few words a person says: "Archive 6 contacts", "Merge contact Jane Smith and contact
//! J. Smith", "Add line item 2 × Windows of ticket Jane Smith, Mon, Jan 7, 2030, 9:00 AM". Made of the action's name and of
//! the names of the records that its input refers to; a call that is undone is told by its own summary.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use crate::declare::domain::{ActionEntry, DataEntry};
use crate::declare::registry::Registry;
use crate::error::Result;
use crate::schema;
use crate::tx::Tx;
use crate::values::marks::{REFERS_TO, TIME};
use crate::values::when::When;

/// So many records are named.
const NAMED: usize = 3;
/// What a record is called by, the best first.
const NAMES: [&str; 4] = ["display_name", "name", "title", "number"];
/// What a part of a record is called by, beside the name of the record.
const NAME_OF_PART: &str = "description";
/// The data type of past calls.
const CALLS: &str = "audit";

/// The summary of a call, read while the records are as they were before it.
pub(crate) async fn of_call(
    tx: &mut Tx<'_>,
    registry: &Registry,
    action: &ActionEntry,
    inputs: &[Value],
) -> Result<String> {
    let (domain, verb) = action.name.split_once('.').unwrap_or((action.name, ""));
    let words = match inputs.len() {
        1 => match (objects(tx, registry, action, &inputs[0]).await?, action.tool) {
            (Some(objects), _) => objects,
            (None, Some(tool)) => return Ok(tool.title.to_string()),
            (None, None) => singular(registry, domain),
        },
        many => format!("{many} {}", plural(registry, domain)),
    };
    let joint = match verb.split_once('_') {
        None => " ",
        Some((done, part)) if words.starts_with(&spaced(part)) => return Ok(capitalized(&format!("{done} {words}"))),
        Some(_) => " of ",
    };
    Ok(capitalized(&format!("{}{joint}{words}", spaced(verb))))
}

fn spaced(name: &str) -> String {
    name.replace('_', " ")
}

/// What one of a domain's records is called: its data type's own word.
fn singular(registry: &Registry, domain: &str) -> String {
    let known = registry.data_types().find(|entry| entry.name == domain);
    known.map_or(domain, |entry| entry.one).replace('_', " ")
}

fn plural(registry: &Registry, domain: &str) -> String {
    let known = registry.data_types().find(|entry| entry.one == domain || entry.name == domain);
    known.map_or_else(|| format!("{domain}s"), |entry| entry.name.replace('_', " "))
}

/// The records an input refers to, by name.
async fn objects(tx: &mut Tx<'_>, registry: &Registry, action: &ActionEntry, input: &Value) -> Result<Option<String>> {
    let (domain, verb) = action.name.split_once('.').unwrap_or((action.name, ""));
    let part = verb.split_once('_').map_or(domain, |(_, part)| part);
    let own = [domain, &spaced(part)].map(|one| plural(registry, one).replace(' ', "_"));
    let mut referred: BTreeMap<String, Vec<Uuid>> = BTreeMap::new();
    let properties = action.input()?.schema()["properties"].as_object();
    for (member, schema) in properties.into_iter().flatten() {
        let id = input[member].as_str().and_then(|id| id.parse().ok());
        if let (Some(data_type), Some(id)) = (schema[REFERS_TO].as_str(), id) {
            referred.entry(data_type.into()).or_default().push(id);
        }
    }
    let mut named = Vec::new();
    let is_of_its_own = own.iter().any(|own| referred.contains_key(own));
    for (data_type, ids) in referred {
        named.extend(names(tx, registry, &data_type, ids).await?);
    }
    named.truncate(NAMED);
    let mut words = named.join(" and ");
    if !named.is_empty() && !is_of_its_own {
        // What it makes has no name yet; the records are those that it is for.
        words = format!("{}: {words}", singular(registry, domain));
    }
    if let Some(part) = added(tx, registry, action, input).await? {
        words = format!("{part} of {words}");
    }
    if let Some(time) = time_in(action, input, tx) {
        let sign = if is_of_its_own { " →" } else { "," };
        words = format!("{words}{sign} {time}");
    }
    Ok((!named.is_empty()).then_some(words))
}

/// The part that an action's name says it adds, by what it is and how much of it.
async fn added(tx: &mut Tx<'_>, registry: &Registry, action: &ActionEntry, input: &Value) -> Result<Option<String>> {
    let Some((_, member)) = action.name.split_once('_') else { return Ok(None) };
    let schema = &action.input()?.schema()["properties"][member]["properties"];
    let (Some(part), Some(properties)) = (input[member].as_object(), schema.as_object()) else { return Ok(None) };
    let mut name = part.get(NAME_OF_PART).and_then(Value::as_str).map(schema::shortened);
    for (member, schema) in properties.iter().filter(|_| part.get(NAME_OF_PART).is_none()) {
        let id = part.get(member).and_then(Value::as_str).and_then(|id| id.parse().ok());
        let entry = schema[REFERS_TO].as_str().and_then(|data_type| registry.data_type(data_type).ok());
        if let (Some(entry), Some(id)) = (entry, id) {
            name = name.or(named(tx, entry, vec![id]).await?.pop().map(|(_, name)| name));
        }
    }
    let quantity = part.get("quantity").and_then(Value::as_str).map(|quantity| format!("{quantity} × "));
    Ok(name.map(|name| format!("{} {}{name}", spaced(member), quantity.unwrap_or_default())))
}

/// The first time that an input names, in words.
fn time_in(action: &ActionEntry, input: &Value, tx: &Tx<'_>) -> Option<String> {
    let schema = action.input().map(|input| &input.schema()["properties"]).ok();
    let members = schema.and_then(Value::as_object).into_iter().flatten();
    let mut times = members.filter(|(_, schema)| schema[TIME] == true).filter_map(|(member, _)| input[member].as_str());
    // Sorted by name: what begins stands after what ends, and is what matters.
    let time: When = times.next_back()?.parse().ok()?;
    Some(time.said(tx.org().timezone))
}

async fn names(tx: &mut Tx<'_>, registry: &Registry, data_type: &str, ids: Vec<Uuid>) -> Result<Vec<String>> {
    let Ok(entry) = registry.data_type(data_type) else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for row in (entry.by_ids)(ids, tx).await? {
        let name = match name_of(&row) {
            None if data_type == CALLS => Box::pin(of_past_call(tx, registry, &row)).await?,
            None => name_of_part(tx, registry, entry, &row).await?,
            name => name,
        };
        names.extend(name.map(|name| format!("{} {name}", entry.one)));
    }
    Ok(names)
}

/// A part by what it is, and the record that it is a part of.
async fn name_of_part(tx: &mut Tx<'_>, registry: &Registry, entry: &DataEntry, row: &Value) -> Result<Option<String>> {
    let whole = entry.parents.iter().find(|parent| parent.parent.is_some());
    let (Some(part), Some(whole)) = (row[NAME_OF_PART].as_str(), whole) else { return Ok(None) };
    let Some(id) = row[whole.member].as_str().and_then(|id| id.parse().ok()) else { return Ok(None) };
    let owner = registry.data_type(whole.of)?;
    let name = named(tx, owner, vec![id]).await?.pop().map(|(_, name)| format!(" of {} {name}", owner.one));
    Ok(Some(schema::shortened(part) + &name.unwrap_or_default()))
}

/// A call by what it was asked to do.
async fn of_past_call(tx: &mut Tx<'_>, registry: &Registry, row: &Value) -> Result<Option<String>> {
    let (org_id, id) = (tx.org_id(), row["id"].as_str().and_then(|id| id.parse::<Uuid>().ok()));
    let call = sqlx::query!("select action, input from call_log where org_id = $1 and id = $2", org_id, id)
        .fetch_optional(tx.db())
        .await?;
    let Some(call) = call else { return Ok(None) };
    let (Ok(action), Some(input)) = (registry.action(&call.action), call.input) else { return Ok(None) };
    let inputs = match input {
        Value::Array(items) => items,
        only => vec![only],
    };
    Ok(Some(format!("“{}”", of_call(tx, registry, action, &inputs).await?)))
}

fn name_of(row: &Value) -> Option<String> {
    NAMES.iter().find_map(|member| row[*member].as_str().map(schema::shortened))
}

/// The records of a data type that have a name, in the order of their list.
pub(crate) async fn named(tx: &mut Tx<'_>, entry: &DataEntry, ids: Vec<Uuid>) -> Result<Vec<(Uuid, String)>> {
    let name = |row: &Value| Some((row["id"].as_str()?.parse().ok()?, name_of(row)?));
    Ok((entry.by_ids)(ids, tx).await?.iter().filter_map(name).collect())
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
