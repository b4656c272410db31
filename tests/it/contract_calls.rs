//! What holds for every action and every data type when it is carried out, whoever declared it: asked of the registry, each
//! action done by whom it is for. Actions that would disturb the next one get a desk of their own.

use std::collections::BTreeSet;

use capabilities::{
    Action, ActionEntry, DataEntry, Domain, Effect, Entity, Form, Id, Options, PermissionClass, QueryRequest, Registry,
    Result, Role, Selection, Tx, Who,
};
use chrono::TimeDelta;
use futures_util::future::join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::contract::{each_schema, registry};
use crate::desk::{Actor, Desk, Reply, object};
use crate::layers::none;
use crate::standing::{MINTED, Standing, done_because, is_for_agents, is_for_people};

/// How an action that was done already refuses to be done again.
const DONE_ALREADY: &[&str] = &["ALREADY_UNDONE", "AUTHORIZATION_NOT_PENDING", "CLOCK_NOT_RUNNING"];
/// So many actions, each at a desk of its own, are tried side by side: one is looked at while the database works for others.
const AT_ONCE: usize = 4;
/// What a request changes although nothing was done yet.
const OF_THE_QUEUE: &[&str] = &["authorizations", "call_log", "errands"];

/// Close a contact's file, which the office decides each time.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Close {
    /// The contact.
    contact_id: Id<Contact>,
}
#[derive(Serialize, JsonSchema)]
struct Closed {
    /// The contact.
    contact_id: Uuid,
}
struct Contact;
impl Entity for Contact {
    const NAME: &str = "contact";
    const TABLE: &str = "contacts";
}
impl Action for Close {
    const NAME: &str = "trial.close";
    const EFFECT: Effect = Effect::Updates;
    const CLASS: PermissionClass = PermissionClass::RequiresAuthorization;
    const WHO: Who = Who::MANAGERS;
    const EACH_TIME: bool = true;
    type Output = Closed;
    fn example() -> Value {
        json!({"contact_id": "01970000-0000-7000-8000-000000000001"})
    }
    async fn run(self, tx: &mut Tx<'_>) -> Result<Closed> {
        tx.lock(self.contact_id, None).await?;
        let (org_id, contact_id) = (tx.org_id(), self.contact_id.uuid());
        sqlx::query("update contacts set family_name = 'Closed' where org_id = $1 and id = $2")
            .bind(org_id)
            .bind(contact_id)
            .execute(tx.db())
            .await?;
        Ok(Closed { contact_id })
    }
}

/// The product's domains, and an action that an agent must ask for each time whatever the product has.
fn with_trial() -> Vec<Domain> {
    let mut domains = handlers::domains();
    domains.push(Domain::new("trial", "What agents must ask for").action::<Close>());
    domains
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
    let (desk, other) = (Desk::open().await, Desk::open().await);
    let (standing, foreign) = (Standing::at(&desk).await, Standing::at(&other).await);
    let before = (desk.state().await, other.state().await);
    let mut tried = 0;
    for action in desk.office.registry().actions() {
        let own = standing.fill(&action.example);
        for pointer in ids_in(&action.input_schema()) {
            let with = |id: &str| {
                let mut input = own.clone();
                put(&mut input, &pointer, id);
                input
            };
            let (theirs, nobodys) = (foreign.id(&name_at(&pointer)).to_string(), Uuid::from_u128(7).to_string());
            for actor in standing.doers(&desk, action).await {
                let told = actor.call_because(action.name, with(&theirs)).await;
                assert_eq!(told.0.error_code(), Some("NOT_FOUND"), "{} {pointer}: {:?}", action.name, told.0);
                let unknown = actor.call_because(action.name, with(&nobodys)).await.0.error.unwrap().to_string();
                let told = told.0.error.unwrap().to_string().replace(&theirs, &nobodys);
                assert_eq!(told, unknown, "{}: what exists elsewhere can be told", action.name);
            }
            tried += 1;
        }
        assert_eq!((desk.state().await, other.state().await), before, "{}", action.name);
    }
    assert!(tried >= 10, "{tried} ids tried");
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
        assert_eq!(desk.state().await, before, "{}", action.name);
    }
    assert!(refused.contains("contact.archive"), "{refused:?}");
}

#[tokio::test]
async fn who_may_do_it_is_let_in_and_so_are_agents_and_the_system() {
    let desk = Desk::open().await;
    for action in desk.office.registry().actions() {
        let (standing, input) = Standing::sample(&desk, action).await;
        let people = [desk.manager().await, desk.owner().await];
        let people = people.into_iter().filter(|person| is_for_people(action) && person.caller.is_among(action.who));
        let agent = Some(standing.agent.clone()).filter(|_| is_for_agents(action));
        let system = Some(desk.system().await).filter(|_| is_for_agents(action) && is_for_people(action));
        for actor in people.chain(agent).chain(system) {
            let reply = actor.dry_run(action.name, input.clone()).await;
            assert!(reply.0.success(), "{} by {}: {:?}", action.name, actor.caller.name(), reply.0);
        }
    }
}

/// Nothing in what an agent is told of what it may do names `name`.
async fn not_told_of(agent: &Actor, domain: &Domain, name: &str) {
    let told = |domain| agent.office.registry().capabilities(&agent.caller, domain, None);
    let names = |text: &Value| text.to_string().contains(&format!("\"{name}\""));
    assert!(!names(&told(None).unwrap()), "{name}");
    assert!(told(Some(domain.name)).is_ok_and(|told| !names(&told)) || told(Some(domain.name)).is_err(), "{name}");
}

#[tokio::test]
async fn what_is_for_people_only_is_forbidden_to_every_agent_in_every_way() {
    let desk = Desk::open().await;
    let other = desk.agent().await;
    let mut refused = BTreeSet::new();
    for domain in desk.office.registry().domains() {
        for action in domain.actions.iter().filter(|action| !is_for_agents(action)) {
            let (standing, input) = Standing::sample(&desk, action).await;
            let before = desk.state().await;
            for agent in [&standing.agent, &other] {
                let because = || Options { reasoning: Some("The owner said so.".into()), ..Options::default() };
                for reply in [
                    agent.call(action.name, input.clone()).await,
                    agent.call_because(action.name, input.clone()).await,
                    agent.dry_run(action.name, input.clone()).await,
                    agent.dry_run(action.name, json!({})).await,
                    agent.call_items(action.name, vec![input.clone()], because()).await,
                    agent.call_items(action.name, vec![input.clone(), input.clone()], Options::default()).await,
                ] {
                    assert_eq!(reply.0.error_code(), Some("FORBIDDEN"), "{}: {:?}", action.name, reply.0);
                }
                not_told_of(agent, domain, action.name).await;
                let alone = agent.office.registry().capabilities(&agent.caller, None, Some(action.name));
                assert_eq!(alone.unwrap_err().code().name, "FORBIDDEN", "{}", action.name);
            }
            assert_eq!(desk.state().await, before, "{}", action.name);
            refused.insert(action.name);
        }
    }
    assert!(refused.contains("authorization.allow_always") && refused.contains("rule.revoke"), "{refused:?}");
}

#[tokio::test]
async fn what_is_for_people_only_to_read_is_forbidden_to_every_agent_also_by_way_of_another() {
    let desk = Desk::open().await;
    let (agent, standing) = (desk.agent().await, Standing::at(&desk).await);
    let mut refused = BTreeSet::new();
    for domain in desk.office.registry().domains() {
        for entry in domain.data.iter().filter(|entry| entry.people_only) {
            agent.read(entry.name, filters(entry, None, &standing)).await.refused("FORBIDDEN");
            agent.get(entry.name, standing.id("contact_id")).await.refused("FORBIDDEN");
            for (of, include) in ways_to(entry, desk.office.registry()) {
                let filters = object(filters(of, None, &standing));
                let selection = Selection { data_type: of.name.into(), filters, include, ..Selection::default() };
                agent.select(selection).await.refused("FORBIDDEN");
            }
            not_told_of(&agent, domain, entry.name).await;
            refused.insert(entry.name);
        }
    }
    assert!(refused.contains("rules"), "{refused:?}");
}

/// The data types that can bring rows of `entry` along, and by which include.
fn ways_to<'r>(
    entry: &'r DataEntry,
    registry: &'r Registry,
) -> impl Iterator<Item = (&'r DataEntry, Vec<String>)> + use<'r> {
    registry.data_types().filter(|of| of.name != entry.name).flat_map(|of| {
        let children = entry.parents.iter().filter(|link| link.of == of.name || link.of == "*");
        let parents = of.parents.iter().filter(|link| link.of == entry.name).filter_map(|link| link.parent);
        let names = children.map(|link| link.children).chain(parents);
        names.map(move |name| (of, vec![name.to_string()]))
    })
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
            _ if ["from", "to", "last_service_before", "last_service_after"].contains(&name) => json!("2030-01-07"),
            _ if name.ends_with("_id") => {
                let id = standing.ids().find(|(known, _)| *known == name).map(|(_, id)| id);
                id.unwrap_or(standing.id("contact_id")).into()
            }
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
            for (of, include) in ways_to(entry, desk.office.registry()).filter(|(of, _)| of.who.includes(role)) {
                let Some(expected) = expected else { continue };
                let filters = object(filters(of, None, &standing));
                let selection = Selection { data_type: of.name.into(), filters, include, ..Selection::default() };
                person.select(selection).await.refused(expected);
                refused.insert(format!("{} of {}", entry.name, of.name));
            }
        }
        let agent = Some(desk.agent().await).filter(|_| !entry.people_only);
        for actor in agent.into_iter().chain([desk.system().await]) {
            actor.read(entry.name, filters(entry, None, &standing)).await.ok();
        }
    }
    assert!(refused.contains("audit of contacts"), "{refused:?}");
}

#[tokio::test]
async fn an_action_that_is_not_unrestricted_asks_an_agent_for_its_reasoning_first() {
    let mut asked = BTreeSet::new();
    for action in registry().actions().filter(|action| is_for_agents(action)) {
        let desk = Desk::open().await;
        let (standing, input) = Standing::sample(&desk, action).await;
        let before = desk.state().await;
        let reply = standing.agent.call(action.name, input.clone()).await;
        if reply.0.success() {
            assert_eq!(action.class, PermissionClass::Unrestricted, "{} does not ask", action.name);
            continue;
        }
        let error = reply.refused("REASONING_REQUIRED");
        assert!(error["hint"].as_str().is_some_and(|hint| hint.contains("`reasoning`")), "{}: {error}", action.name);
        let declared = action.class > PermissionClass::Unrestricted || !action.escalations.is_empty();
        assert!(declared, "{} asks without saying when", action.name);
        assert_eq!(desk.state().await, before, "{}", action.name);
        done_because(&desk, &standing.agent, action.name, input).await.ok();
        assert_ne!(desk.state().await, before, "{}", action.name);
        asked.insert(action.name);
    }
    assert!(asked.contains("note.delete"), "{asked:?}");
}

/// What goes out besides the word to those who decide, which every request leaves.
async fn errands_but_notices(desk: &Desk) -> Vec<Value> {
    let errands = desk.owner().await.read("errands", json!({})).await.ok();
    errands.as_array().unwrap().iter().filter(|errand| errand["kind"] != "queue_notice").cloned().collect()
}

#[tokio::test]
async fn what_needs_an_authorization_waits_with_nothing_changed_and_is_done_when_it_is_allowed() {
    let trial = Registry::new(with_trial()).unwrap();
    for action in
        trial.actions().filter(|action| action.class == PermissionClass::RequiresAuthorization && !action.never_held)
    {
        let desk = Desk::with(with_trial()).await;
        let (standing, input) = Standing::sample(&desk, action).await;
        let (before, left) = (desk.state_without(OF_THE_QUEUE).await, errands_but_notices(&desk).await);
        let id = standing.agent.call_because(action.name, input).await.held();
        assert_eq!(desk.state_without(OF_THE_QUEUE).await, before, "{}", action.name);
        assert_eq!(errands_but_notices(&desk).await, left, "{}", action.name);
        standing.agent.check(&id).await.held();
        let allowed = desk.owner().await.allow_once(&id).await.ok();
        assert_eq!(allowed["status"], "executed", "{}: {allowed:#}", action.name);
        assert_ne!(desk.state_without(OF_THE_QUEUE).await, before, "{}", action.name);
        standing.agent.check(&id).await.ok();
    }
}

#[tokio::test]
async fn what_is_decided_each_time_cannot_be_allowed_always() {
    let trial = Registry::new(with_trial()).unwrap();
    let mut refused = BTreeSet::new();
    for action in trial.actions().filter(|action| action.each_time && is_for_agents(action)) {
        let desk = Desk::with(with_trial()).await;
        let (standing, input) = Standing::sample(&desk, action).await;
        let reply = standing.agent.call_because(action.name, input).await;
        if !reply.0.is_held() {
            continue;
        }
        let (id, before) = (reply.held(), desk.state().await);
        let always = json!({"authorization_id": id});
        desk.owner().await.dry_run("authorization.allow_always", always.clone()).await.refused("EACH_TIME");
        desk.owner().await.call("authorization.allow_always", always).await.refused("EACH_TIME");
        assert_eq!(desk.state().await, before, "{}", action.name);
        standing.agent.check(&id).await.held();
        refused.insert(action.name);
    }
    assert!(refused.contains("trial.close"), "{refused:?}");
}

/// Changes with the ids of created rows numbered, because each run mints its own, and without nulls, which the trail
/// leaves out.
pub fn comparable(changes: &Value) -> Value {
    let rows = changes.as_array().expect("changes");
    let created = rows.iter().filter(|row| row["change"] == "created").filter_map(|row| row["id"].as_str());
    let text = created.enumerate().fold(changes.to_string(), |text, (nth, id)| text.replace(id, &format!("new {nth}")));
    let mut changes: Value = serde_json::from_str(&text).unwrap();
    for fields in changes.as_array_mut().unwrap().iter_mut().filter_map(|row| row["fields"].as_object_mut()) {
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

/// What a call did by the row log: what was carried out inside it first, as decisions do, then its own rows; the first
/// twenty of each call, and how many there are in all.
pub async fn done_by(desk: &Desk, call: &str) -> (Vec<Value>, usize) {
    let owner = desk.owner().await;
    let page = owner.read("audit", json!({})).await.ok();
    let inside = page.as_array().unwrap().iter().filter(|row| row["caused_by"] == call).cloned();
    let (mut shown, mut count) = (Vec::new(), 0);
    for trail in inside.chain([owner.get("audit", call).await.ok()]) {
        let changes = trail["changes"].as_array().unwrap().clone();
        count += changes.len() + trail["more_changes"].as_u64().unwrap_or_default() as usize;
        shown.extend(changes);
    }
    (shown, count)
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_foretells_the_row_log() {
    let registry = registry();
    let actions: Vec<&ActionEntry> = registry.actions().collect();
    let mut foretold = BTreeSet::new();
    for some in actions.chunks(AT_ONCE) {
        let changes = join_all(some.iter().map(|action| foretells(action))).await;
        foretold.extend(some.iter().zip(changes).filter(|(_, changes)| *changes).map(|(action, _)| action.name));
    }
    assert!(foretold.contains("authorization.allow_once") && foretold.contains("contact.create"), "{foretold:?}");
}

/// Whether an action leaves lines in the row log, as it foretells.
async fn foretells(action: &ActionEntry) -> bool {
    let desk = Desk::open().await;
    let (standing, input) = Standing::sample(&desk, action).await;
    let doer = standing.doer(&desk, action).await;
    let before = (desk.state().await, desk.everything().await);
    let preview = doer.dry_run(action.name, input.clone()).await;
    assert!(preview.0.meta.dry_run, "{}", action.name);
    let would = comparable(&preview.ok()["would"]["changes"]);
    assert_eq!(desk.everything().await, before.1, "{}", action.name);
    let reply = doer.call_because(action.name, input).await;
    let call = reply.0.meta.request_id.to_string();
    reply.ok();
    let (done, count) = done_by(&desk, &call).await;
    assert_eq!(done.len(), count, "{}: a smaller example, please", action.name);
    assert_eq!(comparable(&done.into()), would, "{}", action.name);
    let shows = desk.state().await != before.0;
    assert!(shows, "{} changes nothing, which shows nothing: say in FIRST what comes first", action.name);
    would != json!([])
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
async fn twice(desk: &Desk, action: &ActionEntry) -> (Reply, [i64; 2], bool) {
    let (standing, mut input) = Standing::sample(desk, action).await;
    let doer = standing.doer(desk, action).await;
    input.as_object_mut().unwrap().remove("expected_version");
    let fresh = desk.state().await;
    doer.call(action.name, input.clone()).await.ok();
    let (once, state) = (desk.count("row_log").await, desk.state().await);
    assert_ne!(state, fresh, "{} changes nothing, which shows nothing: say in FIRST what comes first", action.name);
    desk.pass(TimeDelta::minutes(5));
    let again = doer.call(action.name, input).await;
    let unchanged = desk.state().await == state;
    (again, [once, desk.count("row_log").await], unchanged)
}

#[tokio::test]
async fn an_update_done_twice_is_an_update_done_once() {
    let mut wrong = Vec::new();
    let registry = registry();
    let actions: Vec<&ActionEntry> = registry.actions().filter(|action| action.effect != Effect::Adds).collect();
    let mut done = Vec::new();
    for some in actions.chunks(AT_ONCE) {
        done.extend(join_all(some.iter().map(async |action| twice(&Desk::open().await, action).await)).await);
    }
    for (action, (again, [once, both], unchanged)) in actions.into_iter().zip(done) {
        assert_eq!(both, once, "{}: the second time left lines in the row log", action.name);
        let gone = action.effect == Effect::Destroys && again.0.error_code() == Some("NOT_FOUND");
        let known = again.0.error_code().is_some_and(|code| DONE_ALREADY.contains(&code));
        assert!(gone || known || again.0.success(), "{}: {:?}", action.name, again.0);
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
        let (standing, input) = Standing::sample(&desk, action).await;
        for pointer in lists_in(&input, "") {
            let mut doubled = input.clone();
            let list = doubled.pointer_mut(&pointer).and_then(Value::as_array_mut).unwrap();
            list.extend(list.clone());
            let reply = standing.doer(&desk, action).await.dry_run(action.name, doubled).await;
            let understood =
                reply.0.success() || ["INVALID_INPUT", "ALREADY_EXISTS"].contains(&reply.0.error_code().unwrap());
            if !understood {
                wrong.push(format!("{} {pointer}: {}", action.name, reply.0.envelope()["error"]));
            }
        }
    }
    none(&wrong);
}

#[tokio::test]
async fn every_data_type_is_reached_by_such_a_request_with_every_filter_it_advertises() {
    let desk = Desk::open().await;
    let (agent, owner, standing) = (desk.agent().await, desk.owner().await, Standing::at(&desk).await);
    let form = Form::<QueryRequest>::new().unwrap();
    for entry in desk.office.registry().data_types() {
        let schema = entry.filters_schema();
        let names = schema["properties"].as_object().into_iter().flatten().map(|(name, _)| Some(name.as_str()));
        for name in names.chain([None]) {
            let request = json!({"type": entry.name, "filters": filters(entry, name, &standing), "limit": 3});
            let selection = Selection::try_from(form.parse(request).unwrap()).unwrap();
            assert_eq!(selection.data_type, entry.name);
            let reader = if entry.people_only { &owner } else { &agent };
            let reply = reader.select(selection).await;
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
        let (standing, input) = Standing::sample(&desk, action).await;
        let answer = standing.doer(&desk, action).await.call(action.name, input).await.ok();
        wrong.extend(strays(&answer, &action.output_schema(), action.name));
    }
    for entry in desk.office.registry().data_types() {
        let rows = owner.read(entry.name, filters(entry, None, &standing)).await.ok();
        assert!(rows.as_array().is_some_and(|rows| !rows.is_empty()), "no {} to look at", entry.name);
        wrong.extend(strays(&rows, &json!({"items": entry.row_schema()}), entry.name));
    }
    none(&wrong);
}
