//! What a request would do, in a few words a person says: "Archive 6 contacts", "Merge contact Jane Smith and contact
//! J. Smith". Made of the action's name and of the names of the records that its input refers to.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::call::Caller;
use crate::data::Query;
use crate::error::Result;
use crate::office::Office;
use crate::registry::{ActionEntry, DataEntry, Registry};
use crate::schema::{self, REFERS_TO, TIME};
use crate::tx::{Access, Tx};
use crate::when::When;

/// So many records are named.
const NAMED: usize = 3;
/// What a record is called by, the best first.
const NAMES: [&str; 4] = ["display_name", "name", "title", "number"];

/// The summary of a call, read while the records are as they were before it.
pub(crate) async fn of_call(tx: &mut Tx<'_>, action: &ActionEntry, inputs: &[Value]) -> Result<String> {
    let (domain, verb) = action.name.split_once('.').unwrap_or((action.name, ""));
    let registry = &tx.office().registry;
    let words = match inputs.len() {
        1 => match (objects(tx, action, &inputs[0]).await?, action.tool) {
            (Some(objects), _) => objects,
            (None, Some(tool)) => return Ok(tool.title.to_string()),
            (None, None) => singular(registry, domain),
        },
        many => format!("{many} {}", plural(registry, domain)),
    };
    let joint = if verb.contains('_') { " of" } else { "" };
    Ok(capitalized(&format!("{}{joint} {words}", verb.replace('_', " "))))
}

/// What one of a domain's records is called: its data type's own word.
fn singular(registry: &Registry, domain: &str) -> String {
    let known = registry.data_types().find(|entry| entry.name == domain);
    known.map_or(domain, |entry| entry.one).replace('_', " ")
}

fn plural(registry: &Registry, domain: &str) -> String {
    let known = registry.data_types().find(|entry| entry.one == domain);
    known.map_or_else(|| format!("{domain}s"), |entry| entry.name.replace('_', " "))
}

/// The records an input refers to, by name.
async fn objects(tx: &mut Tx<'_>, action: &ActionEntry, input: &Value) -> Result<Option<String>> {
    let registry = &tx.office().registry;
    let domain = action.name.split('.').next().unwrap_or_default();
    let own = plural(registry, domain).replace(' ', "_");
    let mut referred: BTreeMap<String, Vec<Uuid>> = BTreeMap::new();
    let properties = action.input()?.schema()["properties"].as_object();
    for (member, schema) in properties.into_iter().flatten() {
        let id = input[member].as_str().and_then(|id| id.parse().ok());
        if let (Some(data_type), Some(id)) = (schema[REFERS_TO].as_str(), id) {
            referred.entry(data_type.into()).or_default().push(id);
        }
    }
    let mut named = Vec::new();
    let is_of_its_own = referred.contains_key(&own);
    for (data_type, ids) in referred {
        named.extend(names(tx, &data_type, ids).await?);
    }
    named.truncate(NAMED);
    let mut words = named.join(" and ");
    if !named.is_empty() && !is_of_its_own {
        // What it makes has no name yet; the records are those that it is for.
        words = format!("{}: {words}", singular(registry, domain));
    }
    if let Some(time) = time_in(action, input, tx) {
        let sign = if is_of_its_own { " →" } else { "," };
        words = format!("{words}{sign} {time}");
    }
    Ok((!named.is_empty()).then_some(words))
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

async fn names(tx: &mut Tx<'_>, data_type: &str, ids: Vec<Uuid>) -> Result<Vec<String>> {
    let Ok(entry) = tx.office().registry.data_type(data_type) else { return Ok(Vec::new()) };
    Ok(named(tx, entry, ids).await?.into_iter().map(|(_, name)| format!("{} {name}", entry.one)).collect())
}

/// The records of a data type that have a name, in the order of their list.
async fn named(tx: &mut Tx<'_>, entry: &DataEntry, ids: Vec<Uuid>) -> Result<Vec<(Uuid, String)>> {
    let query = Query { limit: ids.len() as i64, ids: Some(ids), after: None };
    let rows = (entry.list)(json!({}), query, tx).await?.rows;
    let name = |row: &Value| {
        let id = row["id"].as_str()?.parse().ok()?;
        Some((id, NAMES.iter().find_map(|member| row[*member].as_str().map(schema::shortened))?))
    };
    Ok(rows.iter().filter_map(|keyed| name(&keyed.row)).collect())
}

impl Office {
    /// What records are called, by data type: for pages that show a change of many. Those without a name, that are not
    /// there any more or that the caller may not read are left out.
    pub async fn names(&self, caller: &Caller, wanted: &BTreeMap<&str, Vec<Uuid>>) -> Result<BTreeMap<Uuid, String>> {
        let meta = self.fresh_meta();
        let mut tx = Tx::open(self, caller, Access::Read, meta.request_id, meta.timestamp).await?;
        let mut names = BTreeMap::new();
        for (data_type, ids) in wanted {
            let entry = self.registry.data_type(data_type)?;
            if entry.permit(caller).is_ok() {
                names.extend(named(&mut tx, entry, ids.clone()).await?);
            }
        }
        tx.roll_back().await?;
        Ok(names)
    }
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
