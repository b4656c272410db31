//! What holds for the declaration of every action and every data type: asked of the registry, not of a list kept here.
//! What holds when they are carried out stands in `contract_calls`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use capabilities::{ActionEntry, ActionRequest, DataEntry, Door, Form, Input, Registry, Source};
use rmcp::model::{ListToolsResult, Tool};
use serde_json::{Value, json};

use crate::desk::{Desk, PRODUCT};
use crate::layers::{files, none, product, read};
use crate::samples::for_each_domain;

const FORMATS: &[&str] = &["uuid", "date-time", "date", "email"];
/// What all tools may cost a model, at four bytes a token.
const TOOLS_TOKENS: usize = 6_000;

pub fn registry() -> Arc<Registry> {
    PRODUCT.clone()
}

/// The four places where a schema stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Input,
    Output,
    Filters,
    Row,
}

/// Every schema of the surface, with what to call it in a complaint.
fn schemas(registry: &Registry) -> Vec<(String, Place, Value)> {
    let of_actions = registry.actions().flat_map(|action| {
        [
            (format!("{} input", action.name), Place::Input, action.input_schema()),
            (format!("{} output", action.name), Place::Output, action.output_schema()),
        ]
    });
    let of_data = registry.data_types().flat_map(|entry| {
        [
            (format!("{} filters", entry.name), Place::Filters, entry.filters_schema()),
            (format!("{} row", entry.name), Place::Row, entry.row_schema()),
        ]
    });
    of_actions.chain(of_data).collect()
}

/// Calls `each` with every schema inside `schema`, itself first, and where it stands.
pub fn each_schema(schema: &Value, place: &str, each: &mut impl FnMut(&str, &Value)) {
    each(place, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        each_schema(property, &format!("{place}/{name}"), each);
    }
    for key in ["items", "additionalProperties"] {
        if schema[key].is_object() || schema[key] == true {
            each_schema(&schema[key], &format!("{place}/*"), each);
        }
    }
    for key in ["anyOf", "oneOf", "allOf", "prefixItems"] {
        for (nth, option) in schema[key].as_array().into_iter().flatten().enumerate() {
            each_schema(option, &format!("{place}/{key}/{nth}"), each);
        }
    }
}

/// What `complaint` finds wrong in any schema of the surface.
fn complaints(complaint: impl Fn(Place, &Value) -> Option<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, place, schema) in schemas(&registry()) {
        each_schema(&schema, "", &mut |at, schema| {
            wrong.extend(complaint(place, schema).map(|what| format!("{name} {at}: {what}")));
        });
    }
    wrong
}

fn is_lower_snake(name: &str) -> bool {
    let word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
    name.split('_').all(word)
}

#[test]
fn names_are_domain_and_verb_and_mean_one_thing() {
    let registry = registry();
    let mut known = BTreeSet::new();
    let mut wrong = Vec::new();
    for action in registry.actions() {
        for name in [action.name].iter().chain(action.formerly) {
            let formed =
                name.split_once('.').is_some_and(|(domain, verb)| is_lower_snake(domain) && is_lower_snake(verb));
            if !formed || !known.insert(name.to_string()) {
                wrong.push(name.to_string());
            }
        }
    }
    for entry in registry.data_types() {
        if !is_lower_snake(entry.name) || !known.insert(entry.name.to_string()) {
            wrong.push(entry.name.to_string());
        }
    }
    none(&wrong);
    assert!(known.contains("contact.create") && known.contains("contacts"), "{known:?}");
}

#[test]
fn the_first_line_of_a_description_is_a_short_sentence() {
    let registry = registry();
    let of_actions = registry.actions().map(|action| (action.name, &action.description));
    let of_data = registry.data_types().map(|entry| (entry.name, &entry.description));
    let bad = |text: &str| text.chars().count() > 100 || !text.ends_with('.');
    let first = |text: &str| text.lines().next().unwrap_or_default().to_string();
    let wrong = of_actions.chain(of_data).map(|(name, text)| (name, first(text))).filter(|(_, line)| bad(line));
    none(&wrong.map(|(name, line)| format!("{name}: {line}")).collect::<Vec<_>>());
}

#[test]
fn every_member_and_every_variant_says_what_it_is() {
    none(&complaints(|_, schema| {
        let members = schema["properties"].as_object().into_iter().flatten();
        let silent = |member: &Value| member["description"].as_str().unwrap_or_default().trim().is_empty();
        let mut wrong: Vec<&str> =
            members.filter(|(_, member)| silent(member)).map(|(name, _)| name.as_str()).collect();
        let description = schema["description"].as_str().unwrap_or_default();
        let variants = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
        wrong.extend(variants.filter(|name| !description.contains(&format!("{name}: "))));
        (!wrong.is_empty()).then(|| format!("{} without a description", wrong.join(", ")))
    }));
}

macro_rules! surface_of_each {
    ($($domain:ident)+) => {
        mod no_change_of_the_surface_goes_unnoticed {
            $(
                #[tokio::test]
                async fn $domain() {
                    super::the_surface_is_as_written_down(stringify!($domain)).await;
                }
            )+
        }
    };
}
for_each_domain!(surface_of_each);

async fn the_surface_is_as_written_down(domain: &str) {
    let registry = registry();
    let domain = registry.domains().iter().find(|known| known.name == domain).unwrap();
    let mut actions: BTreeMap<&str, Value> =
        domain.actions.iter().map(|action| (action.name, described(action))).collect();
    let data: BTreeMap<&str, Value> = domain.data.iter().map(|entry| (entry.name, described_data(entry))).collect();
    name_known_outputs(&mut actions, &registry);
    let own = domain.data.iter().filter_map(|entry| entry.tool);
    let own: Vec<&str> =
        own.chain(domain.actions.iter().filter_map(|action| action.tool)).map(|tool| tool.name).collect();
    let tools = if own.is_empty() { Vec::new() } else { tools().await };
    let tools: Vec<&Tool> = tools.iter().filter(|tool| own.contains(&tool.name.as_ref())).collect();
    assert_eq!(tools.len(), own.len());
    let surface = json!({"about": domain.about, "actions": actions, "data_types": data, "tools": tools});
    as_written_down(&format!("surface__{}", domain.name), &surface);
}

/// What belongs to no domain.
#[tokio::test]
async fn no_change_of_the_tools_for_everything_goes_unnoticed() {
    let (registry, tools) = (registry(), tools().await);
    let of_actions = registry.actions().filter_map(|action| action.tool);
    let of_domains: Vec<&str> =
        of_actions.chain(registry.data_types().filter_map(|entry| entry.tool)).map(|tool| tool.name).collect();
    let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_ref()).collect();
    let generic: Vec<&Tool> = tools.iter().filter(|tool| !of_domains.contains(&tool.name.as_ref())).collect();
    let domains: Vec<&str> = registry.domains().iter().map(|domain| domain.name).collect();
    as_written_down("surface", &json!({"domains": domains, "tools": names, "tools_for_everything": generic}));
}

async fn tools() -> Vec<Tool> {
    let desk = Desk::open().await;
    frontdesk::assemble::mcp_server(&desk.office).unwrap().tools().to_vec()
}

/// What an action answers with is mostly a row of a data type, or what the one before it answers with: that is said instead of
/// written down again.
fn name_known_outputs(actions: &mut BTreeMap<&str, Value>, registry: &Registry) {
    let mut known: Vec<(Value, String)> =
        registry.data_types().map(|entry| (entry.row_schema(), format!("a row of {}", entry.name))).collect();
    for (name, action) in actions {
        match known.iter().find(|(schema, _)| *schema == action["output"]) {
            Some((_, told)) => action["output"] = told.as_str().into(),
            None => known.push((action["output"].clone(), format!("what {name} answers with"))),
        }
    }
}

fn as_written_down(name: &str, surface: &Value) {
    insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(name, in_lines(surface, 0));
    });
}

/// JSON with a line for each member, where a member with no objects inside it is one line however long it is: a schema says of
/// each member of an object what it is, in a line.
fn in_lines(value: &Value, depth: usize) -> String {
    let plain = |value: &Value| match value {
        Value::Object(members) => members.values().all(|member| !member.is_object() && !holds_objects(member)),
        other => !holds_objects(other),
    };
    let (open, close, lines): (_, _, Vec<String>) = match value {
        value if plain(value) => return value.to_string(),
        Value::Array(items) => ('[', ']', items.iter().map(|item| in_lines(item, depth + 1)).collect()),
        Value::Object(members) => {
            let sorted: BTreeMap<&String, &Value> = members.iter().collect();
            let line = |(name, member): (_, &Value)| format!("{}: {}", json!(name), in_lines(member, depth + 1));
            ('{', '}', sorted.into_iter().map(line).collect())
        }
        other => return other.to_string(),
    };
    let indent = " ".repeat(depth + 1);
    format!("{open}\n{indent}{}\n{}{close}", lines.join(&format!(",\n{indent}")), " ".repeat(depth))
}

fn holds_objects(value: &Value) -> bool {
    value.as_array().is_some_and(|items| items.iter().any(|item| item.is_object() || holds_objects(item)))
}

fn described(action: &ActionEntry) -> Value {
    json!({
        "formerly": action.formerly,
        "description": action.description,
        "effect": action.effect,
        "gate": action.class,
        "who": action.who.in_words(),
        "each_time": action.each_time,
        "never_held": action.never_held,
        "items": action.items,
        "escalations": action.escalations,
        "input": action.input_schema(),
        "output": action.output_schema(),
        "example": action.example,
    })
}

fn described_data(entry: &DataEntry) -> Value {
    let parents = entry.parents.iter().map(|link| {
        json!({"of": link.of, "filter": link.filter, "member": link.member, "children": link.children, "parent": link.parent})
    });
    json!({
        "one": entry.one,
        "description": entry.description,
        "who": entry.who.in_words(),
        "people_only": entry.people_only,
        "sorted_by": entry.sorted_by,
        "parents": parents.collect::<Value>(),
        "tool": entry.tool.map(|tool| json!({"name": tool.name, "title": tool.title})),
        "filters": entry.filters_schema(),
        "row": entry.row_schema(),
    })
}

/// What some client would not take.
fn not_portable(schema: &Value) -> Option<String> {
    let Some(members) = schema.as_object() else { return Some(format!("a bare {schema}")) };
    let odd = |key: &str| ["$ref", "$schema", "$defs", "definitions"].contains(&key) || key.starts_with("x-");
    if let Some(key) = members.keys().find(|key| odd(key)) {
        return Some(format!("has {key}"));
    }
    let format = schema["format"].as_str().filter(|format| !FORMATS.contains(format));
    format.map(|format| format!("has the format {format}"))
}

#[test]
fn schemas_hold_nothing_that_some_client_does_not_take() {
    none(&complaints(|_, schema| not_portable(schema)));
}

#[test]
fn the_root_of_a_schema_is_a_plain_object() {
    let mut wrong = Vec::new();
    for (name, _, schema) in schemas(&registry()) {
        let combined = ["oneOf", "anyOf", "allOf"].iter().any(|key| schema.get(key).is_some());
        if schema["type"] != "object" || combined {
            wrong.push(name);
        }
    }
    none(&wrong);
}

#[test]
fn inputs_and_filters_refuse_members_they_do_not_know() {
    none(&complaints(|place, schema| {
        let taken_in = matches!(place, Place::Input | Place::Filters);
        // A map says of what its members are.
        let is_map = schema["additionalProperties"].is_object() && schema.get("properties").is_none();
        let open = schema["type"] == "object" && schema["additionalProperties"] != false && !is_map;
        (taken_in && open).then(|| "takes any member".to_string())
    }));
}

#[test]
fn null_is_only_for_clearing_a_member_of_an_input() {
    none(&complaints(|place, schema| {
        let types = schema["type"].as_array().cloned().unwrap_or_default();
        let may_be_null = types.contains(&json!("null"));
        let combined = ["anyOf", "oneOf"].iter().flat_map(|key| schema[key].as_array().into_iter().flatten());
        let badly = combined.into_iter().any(|option| option["type"] == "null")
            || schema["type"] == "null"
            || (may_be_null && (place != Place::Input || types.len() != 2 || types[1] != "null"));
        let listed = schema["enum"].as_array().is_some_and(|values| values.contains(&Value::Null));
        (badly || listed && !may_be_null).then(|| format!("null in another way: {schema}"))
    }));
}

#[tokio::test]
async fn every_tool_is_named_annotated_and_answers_with_an_object() {
    let desk = Desk::open().await;
    let server = frontdesk::assemble::mcp_server(&desk.office).unwrap();
    let mut wrong = Vec::new();
    for tool in server.tools() {
        let hints = tool.annotations.clone().unwrap_or_default();
        let all = [hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint, hints.open_world_hint];
        let output = tool.output_schema.as_deref().cloned().unwrap_or_default();
        let named =
            (1..=64).contains(&tool.name.len()) && tool.name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        let titled = [&hints.title, &tool.title].into_iter().all(|title| title.as_ref().is_some_and(|t| !t.is_empty()));
        let object = |schema: &serde_json::Map<String, Value>| {
            schema.get("type") == Some(&json!("object"))
                && !["oneOf", "anyOf", "allOf"].iter().any(|key| schema.contains_key(*key))
        };
        if !named || !titled || all.contains(&None) || !object(&output) || !object(&tool.input_schema) {
            wrong.push(format!("{tool:?}"));
        }
        for schema in [json!(tool.input_schema), json!(output)] {
            each_schema(&schema, "", &mut |place, schema| {
                wrong.extend(not_portable(schema).map(|what| format!("{} {place}: {what}", tool.name)));
            });
        }
    }
    none(&wrong);
    let names: Vec<&str> = server.tools().iter().map(|tool| tool.name.as_ref()).collect();
    assert_eq!(names[..3], ["crm_capabilities", "crm_query", "crm_action"]);
}

#[tokio::test]
async fn the_tools_cost_a_model_at_most_six_thousand_tokens() {
    let desk = Desk::open().await;
    let server = frontdesk::assemble::mcp_server(&desk.office).unwrap();
    let listed = serde_json::to_string(&ListToolsResult::with_all_items(server.tools().to_vec())).unwrap();
    assert!(listed.len() / 4 <= TOOLS_TOKENS, "{} tokens", listed.len() / 4);
}

#[test]
fn every_escalation_is_met_by_some_test() {
    let tests: Vec<String> = files("tests", "rs").into_iter().flat_map(|file| file.parts().texts).collect();
    let mut unmet = Vec::new();
    for action in registry().actions() {
        let codes = action.escalations.iter().filter(|(code, ..)| !tests.iter().any(|text| text == code));
        unmet.extend(codes.map(|(code, ..)| format!("{}: {code}", action.name)));
    }
    none(&unmet);
}

/// A code as it is documented: its HTTP status and its advice on repeating.
type Codes = BTreeMap<String, (String, String)>;

/// The codes in the sources: the table in error.rs, and wherever they arise the conflicts and what is settled.
fn codes_in_the_sources() -> Codes {
    let errors = read("capabilities/src/error/mod.rs");
    let table =
        errors.split("pub fn code(&self) -> Code {").nth(1).and_then(|rest| rest.split("\n    }").next()).unwrap();
    let mut codes = Codes::new();
    for entry in table.split("(\"").skip(1) {
        let mut parts = entry.split(')').next().unwrap().split(',').map(|part| part.trim().trim_end_matches('"'));
        let (code, status, retry) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        codes.insert(code.into(), (status.into(), in_snake(retry)));
    }
    assert!(codes.len() > 10, "error.rs has its table elsewhere: {codes:?}");
    let ways = [("conflict(", "after_fixing"), ("settled(", "never"), ("Error::Settled {", "never")];
    for file in product() {
        let found =
            ways.iter().flat_map(|(way, retry)| file.product().split(way).skip(1).map(move |rest| (rest, retry)));
        for (rest, retry) in found {
            let rest = rest.trim_start().trim_start_matches("code:").trim_start();
            let Some(code) = rest.strip_prefix('"').and_then(|rest| rest.split('"').next()) else { continue };
            let entry = ("409".to_string(), retry.to_string());
            let known = codes.insert(code.into(), entry.clone()).is_none_or(|known| known == entry);
            assert!(known, "{code} arises in ways that differ");
        }
    }
    codes
}

fn in_snake(name: &str) -> String {
    let parts = name.char_indices().map(|(at, c)| match (at, c.is_ascii_uppercase()) {
        (0, _) | (_, false) => c.to_ascii_lowercase().to_string(),
        _ => format!("_{}", c.to_ascii_lowercase()),
    });
    parts.collect()
}

/// The codes in the tables of the document: `| CODE | status | retry | what it means | what to do |`.
fn codes_in_the_document() -> Codes {
    let document = read("docs/errors.md");
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let mut codes = Codes::new();
    for (code, rest) in rows {
        let cells: Vec<&str> = rest.trim_end_matches(" |").split(" | ").collect();
        let [status, retry, meaning, advice] = cells[..] else { panic!("{code} has {} cells", cells.len() + 1) };
        assert!(meaning.ends_with('.') && advice.ends_with('.'), "{code} is explained in sentences");
        let known = codes.insert(code.to_string(), (status.to_string(), retry.trim_matches('`').to_string()));
        assert_eq!(known, None, "{code} is documented twice");
    }
    codes
}

#[test]
fn every_error_code_is_documented_and_every_documented_one_exists() {
    assert_eq!(codes_in_the_document(), codes_in_the_sources());
}

#[test]
fn every_action_is_reached_by_the_request_that_programs_and_models_send() {
    let (registry, form) = (registry(), Form::<ActionRequest>::new().unwrap());
    for action in registry.actions() {
        for name in [action.name].iter().chain(action.formerly) {
            let (domain, verb) = name.split_once('.').unwrap();
            for verb in [verb, name] {
                let request = json!({"domain": domain, "action": verb, "data": action.example, "dry_run": true});
                let call = form.parse(request).unwrap().into_call(Source::of(Door::Rest)).unwrap();
                assert_eq!(registry.action(&call.action).unwrap().name, action.name);
                let Input::One(input) = call.input else { panic!("{name} became a list") };
                assert_eq!(input, action.example);
                assert!(call.options.dry_run);
            }
        }
    }
}
