//! What holds for every action and every data type when it is carried out, whoever declared it: asked of the registry, domain by
//! domain, each action done by whom it is for. Actions that would disturb the next one get a desk of their own.

use std::collections::BTreeSet;
use std::sync::Arc;

use capabilities::{
    Action, ActionEntry, Domain, Effect, Entity, Id, Options, PermissionClass, Registry, Result, Role, Tx, Who,
};
use chrono::TimeDelta;
use futures_util::future::join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::contract::{each_schema, registry};
use crate::desk::{Actor, Desk};
use crate::layers::none;
use crate::samples::{self, MINTED, Standing, for_each_domain, is_for_agents, is_for_people};

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

macro_rules! asked_of {
    ($domain:ident [$($question:ident)+]) => {
        mod $domain {
            $(
                #[tokio::test]
                async fn $question() {
                    super::$question(stringify!($domain)).await;
                }
            )+
        }
    };
}

pub(crate) use asked_of;

/// A test for each question and each domain, so that they run side by side.
macro_rules! asked_of_each {
    ($questions:tt $($domain:ident)+) => { $(asked_of!($domain $questions);)+ };
}
pub(crate) use asked_of_each;

for_each_domain!(asked_of_each [
    an_id_of_another_organization_is_not_found_and_nothing_changes
    who_may_do_it_is_let_in_and_nobody_else_in_any_way
    what_is_not_unrestricted_is_asked_for_first_and_waits_where_it_must
    a_rehearsal_foretells_what_is_done_and_done_once
]);
asked_of!(trial [
    an_id_of_another_organization_is_not_found_and_nothing_changes
    who_may_do_it_is_let_in_and_nobody_else_in_any_way
    what_is_not_unrestricted_is_asked_for_first_and_waits_where_it_must
    a_rehearsal_foretells_what_is_done_and_done_once
]);

/// A desk that has the domain.
async fn desk_for(domain: &str) -> Desk {
    match domain {
        "trial" => Desk::with(with_trial()).await,
        _ => Desk::open().await,
    }
}

/// What such a desk has, without opening one: what has nothing to be asked needs none.
fn registry_for(domain: &str) -> Arc<Registry> {
    match domain {
        "trial" => Arc::new(Registry::new(with_trial()).unwrap()),
        _ => registry(),
    }
}

pub fn domain_in<'r>(registry: &'r Registry, name: &str) -> &'r Domain {
    registry.domains().iter().find(|domain| domain.name == name).unwrap_or_else(|| panic!("there is no domain {name}"))
}

/// Holds that a question was really asked in its domain: of what, at the least, by domain.
pub fn must_show(domain: &str, seen: &BTreeSet<String>, at_least: &[(&str, &str)]) {
    for (of, wanted) in at_least {
        assert!(*of == "trial" || samples::SAMPLES.iter().any(|(known, _)| known == of), "there is no domain {of}");
        assert!(*of != domain || seen.contains(*wanted), "{wanted} is not among {seen:?}");
    }
}

/// The members of an input that name a record: their pointers.
fn id_pointers(schema: &Value) -> Vec<String> {
    let mut pointers = Vec::new();
    each_schema(schema, "", &mut |place, schema| {
        if schema["format"] == "uuid" && name_at(place).contains("_id") {
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

/// What examples call the id at a pointer.
fn name_at(pointer: &str) -> String {
    let member = pointer.trim_end_matches("/*").trim_end_matches("/0");
    member.rsplit('/').next().unwrap_or_default().replace("_ids", "_id")
}

/// What an action's schema can name, whether or not its example does.
pub fn ids_of(action: &ActionEntry) -> Vec<String> {
    id_pointers(&action.input_schema()).iter().map(|pointer| name_at(pointer)).collect()
}

async fn an_id_of_another_organization_is_not_found_and_nothing_changes(domain: &str) {
    let registry = registry_for(domain);
    let actions = &domain_in(&registry, domain).actions;
    let ids: Vec<String> = actions.iter().flat_map(ids_of).collect();
    if ids.is_empty() {
        return;
    }
    let desk = desk_for(domain).await;
    let other = desk.neighbour().await;
    let (standing, foreign) = (desk.sample_of(&ids).await, other.sample_of(&ids).await);
    let before = (desk.state().await, other.state().await);
    let mut tried = BTreeSet::new();
    for action in actions {
        let own = standing.fill(&action.example);
        for pointer in id_pointers(&action.input_schema()) {
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
            tried.insert(format!("{} {pointer}", action.name));
        }
        assert_eq!((desk.state().await, other.state().await), before, "{}", action.name);
    }
    must_show(
        domain,
        &tried,
        &[
            ("address", "address.add /contact_id"),
            ("agent", "agent.disable /agent_id"),
            ("alert", "alert.retry /alert_id"),
            ("audit", "audit.undo /call_id"),
            ("authorization", "authorization.withdraw /authorization_id"),
            ("contact", "contact.merge /merged_contact_id"),
            ("note", "note.edit /note_id"),
            ("rule", "rule.revoke /rule_id"),
            ("service", "service.archive /service_id"),
            ("ticket", "ticket.schedule /line_items/0/service_id"),
            ("ticket", "ticket.assign /technician_ids/0"),
            ("trial", "trial.close /contact_id"),
            ("user", "user.change_role /user_id"),
            ("workflow", "workflow.schedule_appointment /service_id"),
        ],
    );
}

/// The people of a desk, from the least role upwards.
pub async fn people(desk: &Desk) -> [(Role, Actor); 3] {
    [
        (Role::Technician, desk.technician().await),
        (Role::Manager, desk.manager().await),
        (Role::Owner, desk.owner().await),
    ]
}

async fn who_may_do_it_is_let_in_and_nobody_else_in_any_way(domain: &str) {
    let registry = registry_for(domain);
    if domain_in(&registry, domain).actions.is_empty() {
        return;
    }
    let desk = desk_for(domain).await;
    let (other, mut refused) = (desk.agent().await, BTreeSet::new());
    let of = domain_in(desk.office.registry(), domain);
    for action in &of.actions {
        let (standing, input) = desk.sample_for(action).await;
        let before = desk.state().await;
        refused.extend(roles_without_it_are_refused(&desk, action, &input).await.then(|| action.name.to_string()));
        if !is_for_agents(action) {
            agents_are_refused([&standing.agent, &other], of, action, &input).await;
            refused.insert(format!("{} to agents", action.name));
        }
        assert_eq!(desk.state().await, before, "{}", action.name);
        who_may_do_it_is_let_in(&desk, action, &standing, &input).await;
        what_is_named_twice_is_understood_or_refused(&desk, action, &standing, &input).await;
    }
    must_show(
        domain,
        &refused,
        &[
            ("authorization", "authorization.allow_always to agents"),
            ("contact", "contact.archive"),
            ("rule", "rule.revoke to agents"),
            ("trial", "trial.close"),
        ],
    );
}

/// Whether there is a role that may not do it.
async fn roles_without_it_are_refused(desk: &Desk, action: &ActionEntry, input: &Value) -> bool {
    let people = people(desk).await;
    let without: Vec<&(Role, Actor)> = people.iter().filter(|(role, _)| !action.who.includes(*role)).collect();
    for (role, person) in &without {
        for reply in
            [person.call_because(action.name, input.clone()).await, person.dry_run(action.name, input.clone()).await]
        {
            assert_eq!(reply.0.error_code(), Some("FORBIDDEN"), "{} by a {role:?}: {:?}", action.name, reply.0);
        }
    }
    !without.is_empty()
}

async fn agents_are_refused(agents: [&Actor; 2], of: &Domain, action: &ActionEntry, input: &Value) {
    for agent in agents {
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
        not_told_of(agent, of, action.name).await;
        let alone = agent.office.registry().capabilities(&agent.caller, None, Some(action.name));
        assert_eq!(alone.unwrap_err().code().name, "FORBIDDEN", "{}", action.name);
    }
}

/// Nothing in what an agent is told of what it may do names `name`.
pub async fn not_told_of(agent: &Actor, domain: &Domain, name: &str) {
    let told = |domain| agent.office.registry().capabilities(&agent.caller, domain, None);
    let names = |text: &Value| text.to_string().contains(&format!("\"{name}\""));
    assert!(!names(&told(None).unwrap()), "{name}");
    assert!(told(Some(domain.name)).is_ok_and(|told| !names(&told)) || told(Some(domain.name)).is_err(), "{name}");
}

async fn who_may_do_it_is_let_in(desk: &Desk, action: &ActionEntry, standing: &Standing, input: &Value) {
    let people = [desk.manager().await, desk.owner().await];
    let people = people.into_iter().filter(|person| is_for_people(action) && person.caller.is_among(action.who));
    let agent = Some(standing.agent.clone()).filter(|_| is_for_agents(action));
    let system = Some(desk.system().await).filter(|_| is_for_agents(action) && is_for_people(action));
    for actor in people.chain(agent).chain(system) {
        let reply = actor.dry_run(action.name, input.clone()).await;
        assert!(reply.0.success(), "{} by {}: {:?}", action.name, actor.caller.name(), reply.0);
    }
}

/// The pointers of the lists in an input.
fn lists_in(input: &Value, place: &str) -> Vec<String> {
    let members = input.as_object().into_iter().flatten().map(|(name, member)| (name.clone(), member));
    let items = input.as_array().into_iter().flatten().enumerate().map(|(nth, item)| (nth.to_string(), item));
    let inside = members.chain(items).flat_map(|(name, child)| lists_in(child, &format!("{place}/{name}")));
    input.is_array().then(|| place.to_string()).into_iter().chain(inside).collect()
}

/// A list with everything twice is never our fault.
async fn what_is_named_twice_is_understood_or_refused(
    desk: &Desk,
    action: &ActionEntry,
    standing: &Standing,
    input: &Value,
) {
    for pointer in lists_in(input, "") {
        let mut doubled = input.clone();
        let list = doubled.pointer_mut(&pointer).and_then(Value::as_array_mut).unwrap();
        list.extend(list.clone());
        let reply = standing.doer(desk, action).await.dry_run(action.name, doubled).await;
        let understood =
            reply.0.success() || ["INVALID_INPUT", "ALREADY_EXISTS"].contains(&reply.0.error_code().unwrap());
        assert!(understood, "{} {pointer}: {}", action.name, reply.0.envelope()["error"]);
    }
}

async fn what_is_not_unrestricted_is_asked_for_first_and_waits_where_it_must(domain: &str) {
    let registry = registry_for(domain);
    let actions: Vec<&ActionEntry> =
        domain_in(&registry, domain).actions.iter().filter(|action| is_for_agents(action)).collect();
    if actions.is_empty() {
        return;
    }
    let (first, mut asked) = (desk_for(domain).await, BTreeSet::new());
    for action in actions {
        let desk = first.neighbour().await;
        let (standing, input) = desk.sample_for(action).await;
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
        asked.insert(action.name.to_string());
        let must_wait = action.class == PermissionClass::RequiresAuthorization && !action.never_held;
        let waited = waits_until_allowed(&desk, &standing, action, input).await;
        assert!(waited || !must_wait, "{} does not wait", action.name);
        asked.extend(waited.then(|| format!("{} and waits", action.name)));
        assert_ne!(desk.state().await, before, "{}", action.name);
    }
    must_show(
        domain,
        &asked,
        &[
            ("contact", "contact.merge and waits"),
            ("note", "note.delete"),
            ("org", "org.update and waits"),
            ("trial", "trial.close and waits"),
        ],
    );
}

/// Does it as the agent with a reasoning. Whether it waited: with nothing changed, until it was allowed.
async fn waits_until_allowed(desk: &Desk, standing: &Standing, action: &ActionEntry, input: Value) -> bool {
    let (before, left) = (desk.state_without(OF_THE_QUEUE).await, errands_but_notices(desk).await);
    let reply = standing.agent.call_because(action.name, input).await;
    if !reply.0.is_held() {
        reply.ok();
        return false;
    }
    let (owner, id) = (desk.owner().await, reply.held());
    assert_eq!(desk.state_without(OF_THE_QUEUE).await, before, "{}", action.name);
    assert_eq!(errands_but_notices(desk).await, left, "{}", action.name);
    standing.agent.check(&id).await.held();
    if action.each_time {
        let (waiting, always) = (desk.state().await, json!({"authorization_id": id}));
        owner.dry_run("authorization.allow_always", always.clone()).await.refused("EACH_TIME");
        owner.call("authorization.allow_always", always).await.refused("EACH_TIME");
        assert_eq!(desk.state().await, waiting, "{}", action.name);
        standing.agent.check(&id).await.held();
    }
    let allowed = owner.allow_once(&id).await.ok();
    assert_eq!(allowed["status"], "executed", "{}: {allowed:#}", action.name);
    assert_ne!(desk.state_without(OF_THE_QUEUE).await, before, "{}", action.name);
    standing.agent.check(&id).await.ok();
    true
}

/// What goes out besides the word to those who decide, which every request leaves.
async fn errands_but_notices(desk: &Desk) -> Vec<Value> {
    let errands = desk.owner().await.read("errands", json!({})).await.ok();
    errands.as_array().unwrap().iter().filter(|errand| errand["kind"] != "queue_notice").cloned().collect()
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

async fn a_rehearsal_foretells_what_is_done_and_done_once(domain: &str) {
    let registry = registry_for(domain);
    let (first, mut foretold) = (desk_for(domain).await, BTreeSet::new());
    for some in domain_in(&registry, domain).actions.chunks(AT_ONCE) {
        let changes = join_all(some.iter().map(|action| is_done_as_foretold(&first, action))).await;
        let changing = some.iter().zip(changes).filter(|(_, changes)| *changes);
        foretold.extend(changing.map(|(action, _)| action.name.to_string()));
    }
    must_show(
        domain,
        &foretold,
        &[
            ("authorization", "authorization.allow_once"),
            ("contact", "contact.create"),
            ("ticket", "ticket.schedule"),
            ("trial", "trial.close"),
        ],
    );
}

/// Whether an action leaves lines in the row log, as it foretells; and where it only updates, it leaves them once.
async fn is_done_as_foretold(first: &Desk, action: &ActionEntry) -> bool {
    let desk = first.neighbour().await;
    let (standing, input) = desk.sample_for(action).await;
    let doer = standing.doer(&desk, action).await;
    let before = (desk.state().await, desk.everything().await);
    let preview = doer.dry_run(action.name, input.clone()).await;
    assert!(preview.0.meta.dry_run, "{}", action.name);
    let would = comparable(&preview.ok()["would"]["changes"]);
    assert_eq!(desk.everything().await, before.1, "{}", action.name);
    let reply = doer.call_because(action.name, input.clone()).await;
    let call = reply.0.meta.request_id.to_string();
    none(&strays(&reply.ok(), &action.output_schema(), action.name));
    let (done, count) = done_by(&desk, &call).await;
    assert_eq!(done.len(), count, "{}: a smaller example, please", action.name);
    assert_eq!(comparable(&done.into()), would, "{}", action.name);
    let shows = desk.state().await != before.0;
    assert!(shows, "{} changes nothing, which shows nothing: say in its domain's sample what comes first", action.name);
    if action.effect != Effect::Adds {
        is_done_once(&desk, &doer, action, input).await;
    }
    would != json!([])
}

/// Does again what was done, five minutes later.
async fn is_done_once(desk: &Desk, doer: &Actor, action: &ActionEntry, mut input: Value) {
    input.as_object_mut().unwrap().remove("expected_version");
    let (once, state) = (desk.count("row_log").await, desk.state().await);
    desk.pass(TimeDelta::minutes(5));
    let again = doer.call(action.name, input).await;
    assert_eq!(desk.count("row_log").await, once, "{}: the second time left lines in the row log", action.name);
    let gone = action.effect == Effect::Destroys && again.0.error_code() == Some("NOT_FOUND");
    let known = again.0.error_code().is_some_and(|code| DONE_ALREADY.contains(&code));
    assert!(gone || known || again.0.success(), "{}: {:?}", action.name, again.0);
    assert_eq!(desk.state().await, state, "{}: the second time changed rows past the row log", action.name);
}

#[tokio::test]
async fn the_trail_shows_that_a_member_was_cleared() {
    let desk = Desk::open().await;
    let (owner, standing) = (desk.owner().await, desk.sample("address").await);
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

/// What of an answer its schema does not tell of, or tells of in vain.
pub fn strays(value: &Value, schema: &Value, place: &str) -> Vec<String> {
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
