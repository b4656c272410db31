//! What holds for every action and every data type, whoever declared it: asked of the registry, not of a list kept here.

use std::collections::{BTreeMap, BTreeSet};

use capabilities::{
    ActionEntry, ActionRequest, DataEntry, Door, Effect, Form, Gate, Input, QueryRequest, Registry, Role, Selection,
    Source,
};
use chrono::TimeDelta;
use rmcp::model::ListToolsResult;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::desk::{Actor, Desk, Reply, fresh, object};
use crate::layers::{files, none, product, read};

/// What has to be done before an action's example changes anything.
const FIRST: &[(&str, &str)] =
    &[("agent.enable", "agent.disable"), ("contact.restore", "contact.archive"), ("org.unfreeze", "org.freeze")];
/// What each run of an action mints anew, so that a rehearsal cannot foretell it.
const MINTED: &[&str] = &["token_prefix"];

const FORMATS: &[&str] = &["uuid", "date-time", "date", "email"];
/// What all tools may cost a model, at four bytes a token.
const TOOLS_TOKENS: usize = 6_000;

fn registry() -> Registry {
    Registry::new(handlers::domains()).unwrap()
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
fn each_schema(schema: &Value, place: &str, each: &mut impl FnMut(&str, &Value)) {
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

#[tokio::test]
async fn no_change_of_the_surface_goes_unnoticed() {
    let desk = Desk::open().await;
    let registry = desk.office.registry();
    let actions: BTreeMap<&str, Value> = registry.actions().map(|action| (action.name, described(action))).collect();
    let data: BTreeMap<&str, Value> = registry.data_types().map(|entry| (entry.name, described_data(entry))).collect();
    let tools = frontdesk::assemble::mcp_server(&desk.office).unwrap().tools().to_vec();
    let surface = json!({"actions": actions, "data_types": data, "tools": tools});
    insta::with_settings!({sort_maps => true, prepend_module_to_snapshot => false}, {
        insta::assert_json_snapshot!("surface", surface);
    });
}

fn described(action: &ActionEntry) -> Value {
    json!({
        "formerly": action.formerly,
        "description": action.description,
        "effect": action.effect,
        "gate": action.gate,
        "who": action.who.in_words(),
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

/// What the ids of the examples stand for: a contact with an e-mail, an address of it that is not the primary one, a note,
/// another contact and an agent.
struct Standing(BTreeMap<&'static str, String>);

impl Standing {
    async fn at(desk: &Desk) -> Self {
        let owner = desk.owner().await;
        let more = json!({
            "family_name": "Smith", "emails": [{"email": "jane@example.com"}], "notes": ["Beware of the dog."],
            "addresses": [
                {"street": "1 Elm Street", "city": "Madison"},
                {"street": "7 Shore Road", "city": "Athens", "label": "Lake house"}
            ],
        });
        let contact = owner.contact("Jane", more).await;
        let addresses = owner.read("addresses", json!({"contact_id": contact})).await.ok();
        let notes = owner.read("notes", json!({"contact_id": contact})).await.ok();
        let id = |row: &Value| row["id"].as_str().unwrap().to_string();
        let merged = owner.contact("Janet", json!({"emails": [{"email": "janet@example.com"}]})).await;
        let agent = owner.call("agent.create", json!({"name": format!("Agent {}", fresh())})).await.id();
        let records = [
            ("contact_id", contact),
            ("address_id", id(&addresses[1])),
            ("note_id", id(&notes[0])),
            ("merged_contact_id", merged),
            ("agent_id", agent),
        ];
        Self(records.into())
    }

    fn id(&self, member: &str) -> &str {
        self.0.get(member).unwrap_or_else(|| panic!("the standing set has no `{member}`: give it one"))
    }

    /// The example with ids of this set.
    fn fill(&self, example: &Value) -> Value {
        let filled = example.as_object().map(|members| {
            let fill = |(name, value): (&String, &Value)| match name.ends_with("_id") {
                true => (name.clone(), self.id(name).into()),
                false => (name.clone(), self.fill(value)),
            };
            Value::Object(members.iter().map(fill).collect())
        });
        let filled = filled.or_else(|| Some(example.as_array()?.iter().map(|item| self.fill(item)).collect()));
        filled.unwrap_or_else(|| example.clone())
    }

    /// An input on which `action` has something to do.
    async fn sample(desk: &Desk, action: &ActionEntry) -> (Self, Value) {
        let standing = Self::at(desk).await;
        for (_, first) in FIRST.iter().filter(|(name, _)| *name == action.name) {
            let example = &desk.office.registry().action(first).unwrap().example;
            desk.owner().await.call(first, standing.fill(example)).await.ok();
        }
        let input = standing.fill(&action.example);
        (standing, input)
    }
}

/// The members of an input that name a record: their pointers.
fn ids_in(schema: &Value) -> Vec<String> {
    let mut pointers = Vec::new();
    each_schema(schema, "", &mut |place, schema| {
        let name = place.trim_end_matches("/*").rsplit('/').next().unwrap_or_default();
        if schema["format"] == "uuid" && name.contains("_id") {
            pointers.push(place.replace("/*", "/0"));
        }
    });
    pointers
}

/// Puts `value` at `pointer`, also where nothing stood.
fn put(input: &mut Value, pointer: &str, value: &str) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent =
        input.pointer_mut(parent).unwrap_or_else(|| panic!("no example shows {parent}, so {pointer} is not tried"));
    match parent {
        Value::Array(items) => *items = vec![value.into()],
        other => other[name] = value.into(),
    }
}

fn name_at(pointer: &str) -> String {
    pointer.trim_end_matches("/0").rsplit('/').next().unwrap_or_default().replace("_ids", "_id")
}

#[tokio::test]
async fn an_id_of_another_organization_is_not_found_and_nothing_changes() {
    let desk = Desk::open().await;
    let other = Desk::open().await;
    let (agent, owner) = (desk.agent().await, desk.owner().await);
    let mut tried = 0;
    for action in desk.office.registry().actions() {
        let (_, own) = Standing::sample(&desk, action).await;
        let (foreign, _) = Standing::sample(&other, action).await;
        let before = (desk.state().await, other.state().await);
        for pointer in ids_in(&action.input_schema()) {
            let with = |id: &str| {
                let mut input = own.clone();
                put(&mut input, &pointer, id);
                input
            };
            let (theirs, nobodys) = (foreign.id(&name_at(&pointer)).to_string(), Uuid::from_u128(7).to_string());
            for actor in [&agent, &owner].into_iter().filter(|actor| may_call(actor, action)) {
                let told = actor.call_because(action.name, with(&theirs)).await;
                assert_eq!(told.0.error_code(), Some("NOT_FOUND"), "{} {pointer}: {:?}", action.name, told.0);
                let unknown = actor.call_because(action.name, with(&nobodys)).await;
                let told = told.0.error.unwrap().to_string().replace(&theirs, &nobodys);
                assert_eq!(
                    told,
                    unknown.0.error.unwrap().to_string(),
                    "{}: what exists elsewhere can be told",
                    action.name
                );
            }
            tried += 1;
        }
        assert_eq!((desk.state().await, other.state().await), before, "{}", action.name);
    }
    assert!(tried >= 10, "{tried} ids tried");
}

/// Whether it is for `actor` to do at all.
fn may_call(actor: &Actor, action: &ActionEntry) -> bool {
    actor.caller.is_among(action.who) && !(actor.caller.is_agent() && action.gate == Gate::PeopleOnly)
}

/// The people of a desk, from the least role upwards.
async fn people(desk: &Desk) -> [(Role, Actor); 3] {
    [
        (Role::Technician, desk.technician().await),
        (Role::Manager, desk.manager().await),
        (Role::Owner, desk.owner().await),
    ]
}

#[tokio::test]
async fn who_may_not_do_it_is_forbidden_to_and_nothing_changes() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    let mut refused = BTreeSet::new();
    for action in desk.office.registry().actions() {
        let (_, input) = Standing::sample(&desk, action).await;
        let before = desk.state().await;
        for (role, person) in people(&desk).await.iter().filter(|(role, _)| !action.who.includes(*role)) {
            for reply in [
                person.call_because(action.name, input.clone()).await,
                person.dry_run(action.name, input.clone()).await,
            ] {
                assert_eq!(reply.0.error_code(), Some("FORBIDDEN"), "{} by a {role:?}: {:?}", action.name, reply.0);
            }
            refused.insert(action.name);
        }
        if action.gate == Gate::PeopleOnly {
            agent.call_because(action.name, input.clone()).await.refused("FORBIDDEN");
            agent.dry_run(action.name, input).await.refused("FORBIDDEN");
            refused.insert(action.name);
        }
        assert_eq!(desk.state().await, before, "{}", action.name);
    }
    assert!(refused.contains("contact.archive") && refused.contains("agent.create"), "{refused:?}");
}

#[tokio::test]
async fn who_may_do_it_is_let_in_and_so_are_agents_and_the_system() {
    let desk = Desk::open().await;
    let others = [desk.agent().await, desk.system().await, desk.manager().await, desk.owner().await];
    for action in desk.office.registry().actions() {
        let (_, input) = Standing::sample(&desk, action).await;
        let let_in = others.iter().filter(|actor| may_call(actor, action));
        for actor in let_in {
            let reply = actor.dry_run(action.name, input.clone()).await;
            assert!(reply.0.success(), "{} by {}: {:?}", action.name, actor.caller.name(), reply.0);
        }
        assert!(others[..2].iter().all(|actor| actor.caller.is_among(action.who)), "{}", action.name);
    }
}

/// Filters that a data type demands, and with `one` that one besides.
fn filters(entry: &DataEntry, one: Option<&str>, standing: &Standing) -> Value {
    let schema = entry.filters_schema();
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let names: BTreeSet<&str> = required.chain(one).collect();
    let some = |name: &str| {
        let property = &schema["properties"][name];
        let kind = property["type"].as_str().or_else(|| property["type"][0].as_str());
        match (property["enum"].get(0), property["format"].as_str(), kind) {
            (Some(first), ..) => first.clone(),
            (_, Some("date-time"), _) => json!("2030-01-07T09:00:00Z"),
            (_, Some("date"), _) => json!("2030-01-07"),
            (_, Some("email"), _) => json!("jane@example.com"),
            (_, _, Some("boolean")) => json!(true),
            (_, _, Some("integer" | "number")) => json!(1),
            _ if name.ends_with("_id") => standing.id("contact_id").into(),
            _ => json!("jane"),
        }
    };
    names.into_iter().map(|name| (name.to_string(), some(name))).collect::<serde_json::Map<_, _>>().into()
}

#[tokio::test]
async fn who_may_not_read_a_type_is_forbidden_to_also_by_way_of_another() {
    let desk = Desk::open().await;
    let standing = Standing::at(&desk).await;
    let mut refused = BTreeSet::new();
    for entry in desk.office.registry().data_types() {
        for (role, person) in people(&desk).await {
            let reply = person.read(entry.name, filters(entry, None, &standing)).await;
            let expected = (!entry.who.includes(role)).then_some("FORBIDDEN");
            assert_eq!(reply.0.error_code(), expected, "{} by a {role:?}: {:?}", entry.name, reply.0);
            let parents = entry.parents.iter().filter(|_| expected.is_some());
            for of in desk.office.registry().data_types().filter(|of| of.name != entry.name && of.who.includes(role)) {
                for link in parents.clone().filter(|link| link.of == of.name || link.of == "*") {
                    let (include, filters) = (vec![link.children.to_string()], object(filters(of, None, &standing)));
                    let selection = Selection { data_type: of.name.into(), filters, include, ..Selection::default() };
                    person.select(selection).await.refused("FORBIDDEN");
                    refused.insert(format!("{} of {}", entry.name, of.name));
                }
            }
        }
        desk.system().await.read(entry.name, filters(entry, None, &standing)).await.ok();
        let reply = desk.agent().await.read(entry.name, filters(entry, None, &standing)).await;
        assert_eq!(reply.0.error_code(), entry.people_only.then_some("FORBIDDEN"), "{}: {:?}", entry.name, reply.0);
    }
    assert!(refused.contains("audit of contacts"), "{refused:?}");
}

#[tokio::test]
async fn a_soft_limited_action_asks_an_agent_for_its_reasoning_first() {
    let desk = Desk::open().await;
    let agent = desk.agent().await;
    let mut asked = BTreeSet::new();
    for action in desk.office.registry().actions() {
        let (_, input) = Standing::sample(&desk, action).await;
        let before = desk.state().await;
        let reply = agent.call(action.name, input.clone()).await;
        match (action.gate, reply.0.error_code()) {
            (Gate::SoftLimit | Gate::RequiresAuthorization, _) => {
                let error = reply.refused("REASONING_REQUIRED");
                assert!(
                    error["hint"].as_str().is_some_and(|hint| hint.contains("`reasoning`")),
                    "{}: {error}",
                    action.name
                );
                assert_eq!(desk.state().await, before, "{}", action.name);
                agent.call_because(action.name, input).await.ok();
                assert_ne!(desk.state().await, before, "{}", action.name);
                asked.insert(action.name);
            }
            (Gate::PeopleOnly, code) => assert_eq!(code, Some("FORBIDDEN"), "{}", action.name),
            (_, Some(code)) => {
                assert_eq!(code, "REASONING_REQUIRED", "{}", action.name);
                assert!(!action.escalations.is_empty(), "{} asks without saying when", action.name);
                agent.call_because(action.name, input).await.ok();
            }
            (_, None) => {}
        }
    }
    assert!(asked.contains("note.delete"), "{asked:?}");
}

/// Changes with the ids of created rows numbered, because each run mints its own, and without nulls, which the trail
/// leaves out.
fn comparable(changes: &Value) -> Value {
    let rows = changes.as_array().expect("changes");
    let created = rows.iter().filter(|row| row["change"] == "created").filter_map(|row| row["id"].as_str());
    let text = created.enumerate().fold(changes.to_string(), |text, (nth, id)| text.replace(id, &format!("new {nth}")));
    let mut changes: Value = serde_json::from_str(&text).unwrap();
    for fields in changes.as_array_mut().into_iter().flatten().filter_map(|row| row["fields"].as_object_mut()) {
        fields.retain(|name, _| !MINTED.contains(&name.as_str()));
    }
    without_nulls(changes)
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(_, member)| !member.is_null());
            kept.map(|(name, member)| (name, without_nulls(member))).collect::<serde_json::Map<_, _>>().into()
        }
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_foretells_the_row_log() {
    let desk = Desk::open().await;
    let (agent, owner) = (desk.agent().await, desk.owner().await);
    for action in desk.office.registry().actions() {
        let actor = if may_call(&agent, action) { &agent } else { &owner };
        let (_, input) = Standing::sample(&desk, action).await;
        let before = (desk.state().await, desk.count("call_log").await);
        let preview = actor.dry_run(action.name, input.clone()).await;
        assert!(preview.0.meta.dry_run, "{}", action.name);
        let would = comparable(&preview.ok()["would"]["changes"]);
        assert_eq!((desk.state().await, desk.count("call_log").await), before, "{}", action.name);
        let reply = actor.call_because(action.name, input).await;
        let call = reply.0.meta.request_id.to_string();
        reply.ok();
        let trail = owner.get("audit", &call).await.ok();
        assert_eq!(trail.get("more_changes"), None, "{}: a smaller example, please", action.name);
        assert_eq!(comparable(&trail["changes"]), would, "{}", action.name);
        assert_ne!(
            would,
            json!([]),
            "{} changes nothing, which shows nothing: say in FIRST what comes first",
            action.name
        );
    }
}

#[tokio::test]
async fn the_trail_shows_that_a_member_was_cleared() {
    let desk = Desk::open().await;
    let (owner, standing) = (desk.owner().await, Standing::at(&desk).await);
    let data = json!({"address_id": standing.id("address_id"), "label": null});
    let preview = owner.dry_run("address.update", data.clone()).await.ok();
    let reply = owner.call("address.update", data).await;
    let call = reply.0.meta.request_id.to_string();
    reply.ok();
    let trail = owner.get("audit", &call).await.ok();
    let cleared = json!({"label": {"from": "Lake house", "to": null}});
    assert_eq!(preview["would"]["changes"][0]["fields"], cleared);
    assert_eq!(trail["changes"][0]["fields"], cleared, "of an updated row both sides are shown");
}

/// Runs an action twice on the same input, five minutes apart; gives the second answer and what changed by it.
async fn twice(desk: &Desk, action: &ActionEntry) -> (Reply, [i64; 3], bool) {
    let owner = desk.owner().await;
    let (_, mut input) = Standing::sample(desk, action).await;
    input.as_object_mut().unwrap().remove("expected_version");
    let fresh = desk.count("row_log").await;
    owner.call(action.name, input.clone()).await.ok();
    let (once, state) = (desk.count("row_log").await, desk.state().await);
    desk.pass(TimeDelta::minutes(5));
    let again = owner.call(action.name, input).await;
    let unchanged = desk.state().await == state;
    (again, [fresh, once, desk.count("row_log").await], unchanged)
}

#[tokio::test]
async fn an_update_done_twice_is_an_update_done_once() {
    let desk = Desk::open().await;
    let mut wrong = Vec::new();
    for action in desk.office.registry().actions().filter(|action| action.effect != Effect::Adds) {
        let (again, [fresh, once, both], unchanged) = twice(&desk, action).await;
        assert!(once > fresh, "{} changes nothing, which shows nothing: say in FIRST what comes first", action.name);
        assert_eq!(both, once, "{}: the second time left lines in the row log", action.name);
        let gone = action.effect == Effect::Destroys && again.0.error_code() == Some("NOT_FOUND");
        assert!(gone || again.0.success(), "{}: {:?}", action.name, again.0);
        if !unchanged {
            wrong.push(format!("{}: the second time changed rows past the row log", action.name));
        }
    }
    none(&wrong);
}

/// The pointers of the lists in an input.
fn lists_in(input: &Value, place: &str) -> Vec<String> {
    let members = input.as_object().into_iter().flatten().map(|(name, member)| (name.clone(), member));
    let items = input.as_array().into_iter().flatten().enumerate().map(|(nth, item)| (nth.to_string(), item));
    let inside = members.chain(items).flat_map(|(name, child)| lists_in(child, &format!("{place}/{name}")));
    input.is_array().then(|| place.to_string()).into_iter().chain(inside).collect()
}

#[tokio::test]
async fn a_list_that_names_something_twice_is_understood_or_refused_and_never_our_fault() {
    let desk = Desk::open().await;
    let mut wrong = Vec::new();
    for action in desk.office.registry().actions() {
        let (_, input) = Standing::sample(&desk, action).await;
        for pointer in lists_in(&input, "") {
            let mut doubled = input.clone();
            let list = doubled.pointer_mut(&pointer).and_then(Value::as_array_mut).unwrap();
            list.extend(list.clone());
            let reply = desk.owner().await.dry_run(action.name, doubled).await;
            let understood =
                reply.0.success() || ["INVALID_INPUT", "ALREADY_EXISTS"].contains(&reply.0.error_code().unwrap());
            if !understood {
                wrong.push(format!("{} {pointer}: {}", action.name, reply.0.envelope()["error"]));
            }
        }
    }
    none(&wrong);
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

/// The codes in the sources: the table in error.rs, and the conflicts wherever they arise.
fn codes_in_the_sources() -> Codes {
    let errors = read("capabilities/src/error.rs");
    let table =
        errors.split("pub fn code(&self) -> Code {").nth(1).and_then(|rest| rest.split("\n    }").next()).unwrap();
    let mut codes = Codes::new();
    for entry in table.split("(\"").skip(1) {
        let mut parts = entry.split(')').next().unwrap().split(',').map(|part| part.trim().trim_end_matches('"'));
        let (code, status, retry) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        codes.insert(code.into(), (status.into(), in_snake(retry)));
    }
    assert!(codes.len() > 10, "error.rs has its table elsewhere: {codes:?}");
    for file in product() {
        for call in file.product().split("conflict(").skip(1) {
            let Some(code) = call.trim_start().strip_prefix('"') else { continue };
            let code = code.split('"').next().unwrap().to_string();
            codes.insert(code, ("409".into(), "after_fixing".into()));
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

#[tokio::test]
async fn every_data_type_is_reached_by_such_a_request_with_every_filter_it_advertises() {
    let desk = Desk::open().await;
    let (owner, standing) = (desk.owner().await, Standing::at(&desk).await);
    let form = Form::<QueryRequest>::new().unwrap();
    for entry in desk.office.registry().data_types() {
        let schema = entry.filters_schema();
        let names = schema["properties"].as_object().into_iter().flatten().map(|(name, _)| Some(name.as_str()));
        for name in names.chain([None]) {
            let request = json!({"type": entry.name, "filters": filters(entry, name, &standing), "limit": 3});
            let selection = Selection::try_from(form.parse(request).unwrap()).unwrap();
            assert_eq!(selection.data_type, entry.name);
            let reply = owner.select(selection).await;
            assert!(reply.0.success(), "{} by {name:?}: {:?}", entry.name, reply.0);
        }
    }
}

/// What of an answer its schema does not tell of, or tells of in vain.
fn strays(value: &Value, schema: &Value, place: &str) -> Vec<String> {
    let mut found = Vec::new();
    if let (Some(members), Some(known)) = (value.as_object(), schema["properties"].as_object()) {
        for (name, member) in members {
            let twin = name.strip_suffix("_local").is_some_and(|name| known.contains_key(name));
            match known.get(name) {
                Some(schema) => found.extend(strays(member, schema, &format!("{place}/{name}"))),
                None if twin => {}
                None => found.push(format!("{place}/{name} is not in the schema")),
            }
        }
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let missing = required.filter(|name| !members.contains_key(*name));
        found.extend(missing.map(|name| format!("{place}/{name} is required and not there")));
    }
    let items = value.as_array().into_iter().flatten().enumerate();
    found.extend(items.flat_map(|(nth, item)| strays(item, &schema["items"], &format!("{place}/{nth}"))));
    found
}

#[tokio::test]
async fn answers_have_the_members_their_schemas_name() {
    let desk = Desk::open().await;
    let (owner, standing) = (desk.owner().await, Standing::at(&desk).await);
    let mut wrong = Vec::new();
    for action in desk.office.registry().actions() {
        let (_, input) = Standing::sample(&desk, action).await;
        wrong.extend(strays(&owner.call(action.name, input).await.ok(), &action.output_schema(), action.name));
    }
    for entry in desk.office.registry().data_types() {
        let rows = owner.read(entry.name, filters(entry, None, &standing)).await.ok();
        assert!(rows.as_array().is_some_and(|rows| !rows.is_empty()), "no {} to look at", entry.name);
        wrong.extend(strays(&rows, &json!({"items": entry.row_schema()}), entry.name));
    }
    none(&wrong);
}
